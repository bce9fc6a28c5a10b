"""The key-value memory of the engine: preallocated blocks in every layer, written and read by index.

The replies being written have a slot of `context` tokens each, every head's keys and values by themselves, as the two
matrix products of a decode step read them. The prefixes that prompts share lie token by token, as a prefix tree reads
them. Nothing is ever concatenated, so no tensor grows and every address stays (a CUDA graph needs that).
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
    """transformers' cache interface over the blocks. `read` and `decode` say where the next forward pass writes and what
    it reads."""

    def __init__(self, shape: Shape, slots: int, context: int, prefixes: int, device: Any) -> None:
        self.slots, self.context, self.prefixes = slots, context, prefixes
        self._aim = _Aim(context)
        super().__init__(layers=[_SlotLayer(shape, slots, prefixes, device, self._aim) for _ in range(shape.layers)])
        self._begins = context * torch.arange(slots * shape.heads, device=device).view(slots, -1)  # each head's row 0

    def read(self, nodes: torch.Tensor) -> None:
        """The next pass computes these [N] prefix tokens, and reads all prefixes: attention picks by index."""
        self._aim.write, self._aim.window = nodes, None

    def decode(self, position: torch.Tensor, length: int) -> None:
        """The next pass computes one token for each of the first slots, at position [rows], and reads the first
        `length` tokens of each."""
        rows = len(position)
        self._aim.write = (self._begins[:rows] + position[:, None]).flatten()
        self._aim.window = (rows, length)

    def fill(self, slots: torch.Tensor, positions: torch.Tensor, nodes: torch.Tensor) -> None:
        """Copies prefix tokens into slots; all [n]."""
        for layer in self.layers:
            shape = (-1, layer.shape.heads, layer.shape.size)
            for block, prefixes in ((layer.keys, layer.prefix_keys), (layer.values, layer.prefix_values)):
                block.transpose(1, 2)[slots, positions] = prefixes[nodes].view(shape)

    def move(self, source: torch.Tensor, target: torch.Tensor, length: int) -> None:
        """Copies the first `length` tokens of slots into other slots; both [n]."""
        for layer in self.layers:
            for block in (layer.keys, layer.values):
                block[target, :, :length] = block[source, :, :length]

    def clear(self) -> None:
        """Sets everything to zero: a masked value counts 0 times, but 0 times NaN would be NaN."""
        for layer in self.layers:
            for block in layer.blocks:
                block.zero_()


@dataclass
class _Aim:
    """What the layers know of their cache: not the cache, or its memory would stay until garbage is collected."""

    context: int
    write: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))  # rows of the blocks
    window: tuple[int, int] | None = None  # rows and tokens of the slots that are read; None: prefixes are


class _SlotLayer(CacheLayerMixin):
    """One layer's blocks. keys, values: [slots, heads, context, size]; prefix_keys, prefix_values: [prefixes, heads *
    size]."""

    is_compileable = True

    def __init__(self, shape: Shape, slots: int, prefixes: int, device: Any, aim: _Aim) -> None:
        super().__init__()
        self.shape, self.aim = shape, aim
        prefix = (prefixes, shape.heads * shape.size)
        slot = (slots, shape.heads, aim.context, shape.size)
        self.keys, self.values, self.prefix_keys, self.prefix_values = (
            torch.zeros(size, dtype=shape.dtype, device=device) for size in (slot, slot, prefix, prefix)
        )
        self.is_initialized = True

    @property
    def blocks(self) -> tuple[torch.Tensor, ...]:
        """All that is kept."""
        return self.keys, self.values, self.prefix_keys, self.prefix_values

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """key_states, value_states: [B, heads, T, size]. Returns the keys and values that the pass reads, of all
        prefixes, [1, heads, prefixes, size], or of the slots in the window, [rows, heads, length, size]."""
        if self.aim.window is None:
            return self._read(self.prefix_keys, key_states), self._read(self.prefix_values, value_states)
        return self._decode(self.keys, key_states), self._decode(self.values, value_states)

    def _read(self, block: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        states = states.transpose(1, 2).reshape(-1, block.shape[1]).to(block.dtype)
        block.index_copy_(0, self.aim.write, states)
        return block.view(1, -1, self.shape.heads, self.shape.size).transpose(1, 2)

    def _decode(self, block: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        assert self.aim.window is not None
        rows, length = self.aim.window
        states = states.reshape(-1, self.shape.size).to(block.dtype)
        block.view(-1, self.shape.size).index_copy_(0, self.aim.write, states)
        return block[:rows, :, :length]

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to do: the blocks are there from the start."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.aim.context, 0

    def get_seq_length(self) -> int:
        """Positions are always given to the model, never counted by the cache."""
        return 0

    def get_max_length(self) -> int:
        return self.aim.context
