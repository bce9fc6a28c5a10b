"""The key-value memory of the engine: one preallocated block of tokens per layer, written and read by index.

The first `slots * context` tokens belong to the replies being written, `context` to each; the rest holds the prefixes
that prompts share. Nothing is ever concatenated, so no tensor grows and every address stays (a CUDA graph needs that).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin


@dataclass(frozen=True)
class Shape:
    """What one token of a model's keys and values takes."""

    layers: int
    heads: int
    size: int
    dtype: torch.dtype

    @staticmethod
    def of(model: Any, dtype: torch.dtype) -> Shape:
        config = model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return Shape(config.num_hidden_layers, heads, size, dtype)

    @property
    def bytes_per_token(self) -> int:
        """Keys and values of all layers."""
        return 2 * self.layers * self.heads * self.size * self.dtype.itemsize


class SlotCache(Cache):
    """transformers' cache interface over the block. `aim` says where the next forward pass writes and what it reads."""

    def __init__(self, shape: Shape, slots: int, context: int, prefixes: int, device: Any) -> None:
        self.slots, self.context, self.prefixes = slots, context, prefixes
        tokens = slots * context + prefixes
        self._aim = _Aim(context)
        super().__init__(layers=[_SlotLayer(shape, tokens, device, self._aim) for _ in range(shape.layers)])

    def aim(self, write: torch.Tensor, window: tuple[int, int] | None) -> None:
        """write: [tokens of the pass], where their keys and values go. window: (rows, length) reads the first `length`
        tokens of each of the first `rows` slots; None reads the whole block, for attention by index."""
        self._aim.write, self._aim.window = write, window

    def copy(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Copies tokens from [n] places to [n] others, in every layer."""
        for layer in self.layers:
            for block in (layer.keys, layer.values):
                block.index_copy_(0, target, block.index_select(0, source))

    def clear(self) -> None:
        """Sets everything to zero: a masked value counts 0 times, but 0 times NaN would be NaN."""
        for layer in self.layers:
            layer.keys.zero_()
            layer.values.zero_()


@dataclass
class _Aim:
    """What the layers know of their cache: not the cache, or its memory would stay until garbage is collected."""

    context: int
    write: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))
    window: tuple[int, int] | None = None


class _SlotLayer(CacheLayerMixin):
    """One layer's block: keys and values are [tokens, heads * size]."""

    is_compileable = True

    def __init__(self, shape: Shape, tokens: int, device: Any, aim: _Aim) -> None:
        super().__init__()
        self.shape, self.aim = shape, aim
        self.keys = torch.zeros(tokens, shape.heads * shape.size, dtype=shape.dtype, device=device)
        self.values = torch.zeros_like(self.keys)
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """key_states, value_states: [B, heads, T, size]. Returns what the pass reads: [rows, heads, length, size]."""
        return self._update(self.keys, key_states), self._update(self.values, value_states)

    def _update(self, block: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        block.index_copy_(0, self.aim.write, states.transpose(1, 2).reshape(-1, block.shape[1]).to(block.dtype))
        if self.aim.window is None:
            return block.view(1, -1, self.shape.heads, self.shape.size).transpose(1, 2)
        rows, length = self.aim.window
        own = block[: rows * self.aim.context].view(rows, self.aim.context, self.shape.heads, self.shape.size)
        return own[:, :length].transpose(1, 2)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to do: the block is there from the start."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.aim.context, 0

    def get_seq_length(self) -> int:
        """Positions are always given to the model, never counted by the cache."""
        return 0

    def get_max_length(self) -> int:
        return self.aim.context
