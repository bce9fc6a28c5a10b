"""The key-value memory of the engine: preallocated blocks in every layer, written and read by index.

The replies being written have a slot each, every head's keys and values by themselves, packed to the length that the
longest needs: the two matrix products of a decode step then read one block without gaps, and none has to be copied
first (oneDNN would). The prefixes that prompts share lie token by token, as a prefix tree reads them. Nothing is ever
concatenated: no tensor grows, and every block stays where it is (a CUDA graph needs that).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

SLACK = 32  # tokens that a slot may hold idle before slots are packed anew


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
    """transformers' cache interface over the blocks. `read` or `decode` says what the next forward pass writes and
    reads; before slots are written or read, `fit` makes room."""

    def __init__(self, shape: Shape, slots: int, context: int, prefixes: int, device: Any) -> None:
        self.slots, self.context, self.prefixes = slots, context, prefixes
        self._aim = _Aim(context, length=context)
        super().__init__(layers=[_SlotLayer(shape, slots, prefixes, device, self._aim) for _ in range(shape.layers)])
        self._heads = torch.arange(slots * shape.heads, device=device).view(slots, -1)  # of all slots, counted

    def fit(self, rows: int, needed: int) -> int:
        """Packs the slots anew, if they hold fewer than `needed` tokens or far more; those of the first `rows` slots
        are kept. Returns the length of each."""
        before, needed = self._aim.length, min(needed, self.context)
        if not needed <= before <= needed + SLACK:
            kept = min(before, needed)
            for layer in self.layers:
                old = [block[:rows, :, :kept].clone() for block in layer.packed(before)]
                for block, tokens in zip(layer.packed(needed), old, strict=True):
                    block[:rows, :, :kept] = tokens
            self._aim.length = needed
        return self._aim.length

    def read(self, nodes: torch.Tensor) -> None:
        """The next pass computes these [N] prefix tokens, and reads all prefixes: attention picks by index."""
        self._aim.write, self._aim.rows = nodes, None

    def decode(self, position: torch.Tensor, length: int) -> None:
        """The next pass computes one token for each of the first slots, at position [rows], and reads all of each;
        `length` is what `fit` said. A row that is done may stand behind that: it writes over its own last token."""
        self._aim.rows, self._aim.length = len(position), length
        position = position.clamp(max=length - 1)
        self._aim.write = (self._heads[: len(position)] * length + position[:, None]).flatten()

    def fill(self, slots: torch.Tensor, positions: torch.Tensor, nodes: torch.Tensor) -> None:
        """Copies prefix tokens into slots; all [n]."""
        for layer in self.layers:
            keys, values = layer.packed(self._aim.length)
            for block, prefixes in ((keys, layer.prefix_keys), (values, layer.prefix_values)):
                tokens = prefixes[nodes].view(-1, layer.shape.heads, layer.shape.size)
                block.transpose(1, 2)[slots, positions] = tokens

    def move(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Copies slots into other slots; both [n]."""
        for layer in self.layers:
            for block in layer.packed(self._aim.length):
                block[target] = block[source]

    def clear(self) -> None:
        """Sets everything to zero: a masked value counts 0 times, but 0 times NaN would be NaN."""
        for layer in self.layers:
            for block in layer.blocks:
                block.zero_()


@dataclass
class _Aim:
    """What the layers know of their cache: not the cache, or its memory would stay until garbage is collected."""

    context: int
    length: int  # tokens that a slot holds now
    write: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))  # where the pass writes
    rows: int | None = None  # slots that the pass reads; None: it reads the prefixes


class _SlotLayer(CacheLayerMixin):
    """One layer's blocks. keys, values: [context, slots * heads * size], of which the first `length` rows are packed to
    [slots, heads, length, size]; prefix_keys, prefix_values: [prefixes, heads * size]."""

    is_compileable = True

    def __init__(self, shape: Shape, slots: int, prefixes: int, device: Any, aim: _Aim) -> None:
        super().__init__()
        self.shape, self.aim = shape, aim
        slot = (aim.context, slots * shape.heads * shape.size)
        prefix = (prefixes, shape.heads * shape.size)
        self.keys, self.values, self.prefix_keys, self.prefix_values = (
            torch.zeros(size, dtype=shape.dtype, device=device) for size in (slot, slot, prefix, prefix)
        )
        self.is_initialized = True

    def packed(self, length: int) -> list[torch.Tensor]:
        """Keys and values of the slots, [slots, heads, length, size] both."""
        return [x[:length].view(-1, self.shape.heads, length, self.shape.size) for x in (self.keys, self.values)]

    @property
    def blocks(self) -> tuple[torch.Tensor, ...]:
        """All that is kept."""
        return self.keys, self.values, self.prefix_keys, self.prefix_values

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """key_states, value_states: [B, heads, T, size]. Returns the keys and values that the pass reads, of all
        prefixes, [1, heads, prefixes, size], or of the slots, [rows, heads, length, size]."""
        if self.aim.rows is None:
            return self._read(self.prefix_keys, key_states), self._read(self.prefix_values, value_states)
        for block, states in zip((self.keys, self.values), (key_states, value_states), strict=True):
            states = states.reshape(-1, self.shape.size).to(block.dtype)
            block.view(-1, self.shape.size).index_copy_(0, self.aim.write, states)
        keys, values = self.packed(self.aim.length)
        return keys[: self.aim.rows], values[: self.aim.rows]

    def _read(self, block: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        states = states.transpose(1, 2).reshape(-1, block.shape[1]).to(block.dtype)
        block.index_copy_(0, self.aim.write, states)
        return block.view(1, -1, self.shape.heads, self.shape.size).transpose(1, 2)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to do: the blocks are there from the start."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.aim.context, 0

    def get_seq_length(self) -> int:
        """Positions are always given to the model, never counted by the cache."""
        return 0

    def get_max_length(self) -> int:
        return self.aim.context
