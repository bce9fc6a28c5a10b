"""The engine's memory, computed before it is taken. Read `slots.py` before."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from spiral_lite.rollout.slots import Shape

PREFIXES = 8192  # tokens of shared prefixes that are kept
PASS = 2048  # about so many prompt tokens are read in one pass


@dataclass(frozen=True)
class Memory:
    """What the engine holds on its device, in bytes, beside the model's own weights. Print it."""

    slots: int
    context: int
    prefix_tokens: int
    replies: int
    prefixes: int
    working: int

    @property
    def total(self) -> int:
        return self.replies + self.prefixes + self.working

    def __str__(self) -> str:
        rows = [
            (f"replies: {self.slots} slots of {self.context} tokens", self.replies),
            (f"shared prefixes: {self.prefix_tokens} tokens", self.prefixes),
            ("logits, sampling and activations, at most", self.working),
            ("together, beside the weights", self.total),
        ]
        return "\n".join(f"{name:<44}{size / 2**20:>10,.1f} MiB" for name, size in rows)


def plan(model: Any, slots: int, context: int, prefix_tokens: int) -> Memory:
    """What an engine for this model takes, before there is one."""
    config = model.config.get_text_config()
    shape = Shape.of(model, model.dtype)
    a_token, prefixes = shape.bytes_per_token, max(prefix_tokens, context)
    sampling = slots * config.vocab_size * (7 * 4 + 2 * 8)  # logits, scaled, sorted...; index, sums
    tokens = PASS + context  # read in one pass; padded to 16 a row, or to twice as many
    padded, groups = 16 * slots + 2 * tokens, config.num_attention_heads // shape.heads
    hidden = tokens * 4 * (4 * config.hidden_size + 3 * config.intermediate_size)
    attention = slots * context * a_token // shape.layers  # each row's keys and values, in one layer
    attention += padded * (4 * 4 * config.hidden_size + context * (4 + groups * shape.dtype.itemsize))
    working = sampling + hidden + attention
    return Memory(slots, context, prefixes, slots * context * a_token, prefixes * a_token, working)


def most_slots(model: Any, slots: int, context: int, prefix_tokens: int, limit: int | None = None) -> int:
    """The largest number of slots, up to `slots`, whose plan fits into `limit` bytes (default: what is free)."""
    room = free_memory(model.device) if limit is None else limit
    return bisect_right(range(1, slots + 1), room, key=lambda n: plan(model, n, context, prefix_tokens).total)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
