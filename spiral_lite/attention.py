"""Attention over tokens that many sequences share, for any transformers model that lets its attention be chosen.

Prompts of one game begin with the same words. A causal model computes the same thing for them in every row, so each
distinct prefix needs computing once: the sequences form a tree, and a token attends to the path from the root to itself
("tree attention"; Hydragen, arXiv:2402.05099, and prefix trees for training follow the same idea). The linear layers,
most of the work, then see every distinct token once, in one long row without padding.

`TreePlan` says who attends to what; `attend` is registered with transformers as the attention implementation
`spiral_lite`. `rollout/engine.py` reads prompts with them, `packing.py` trains with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "spiral_lite"


class PrefixTree:
    """Token sequences that share what they begin with. A node is a token after a given prefix; nodes count from 0.

    >>> tree = PrefixTree()
    >>> tree.insert([7, 8, 9])
    ([0, 1, 2], 3)
    >>> tree.insert([7, 8, 5])  # two nodes are there already, one is new
    ([0, 1, 3], 1)
    """

    def __init__(self) -> None:
        self._child: dict[tuple[int, int], int] = {}  # (parent node, token) -> node; the root's parent is -1
        self.tokens: list[int] = []
        self.depths: list[int] = []

    def __len__(self) -> int:
        return len(self.tokens)

    def insert(self, ids: Sequence[int]) -> tuple[list[int], int]:
        """(the path of nodes that spells `ids`, how many of them are new). New nodes are the last of the path."""
        node, path = -1, []
        before = len(self.tokens)
        for depth, token in enumerate(ids):
            child = self._child.setdefault((node, token), len(self.tokens))
            if child == len(self.tokens):
                self.tokens.append(token)
                self.depths.append(depth)
            node = child
            path.append(node)
        return path, len(self.tokens) - before

    def known(self, ids: Sequence[int]) -> int:
        """How many tokens of `ids`, from its beginning, are in the tree."""
        node = -1
        for depth, token in enumerate(ids):
            if (node, token) not in self._child:
                return depth
            node = self._child[node, token]
        return len(ids)


@dataclass(frozen=True)
class Block:
    """Rows of about the same number of new tokens, padded to a rectangle. Indices of queries count new tokens in the
    plan's order; indices of keys are nodes."""

    shape: tuple[int, int, int]  # rows R, queries a row T, keys a row L
    queries: torch.Tensor  # [R * T]
    real: torch.Tensor  # [n]: which of the R * T are no padding
    keys: torch.Tensor  # [R * L]
    bias: torch.Tensor  # [R, 1, T, L]: 0 where a query sees a key, else -inf


class TreePlan:
    """Which keys each new token of a prefix tree attends to.

    rows: (path, new) for each sequence, as PrefixTree.insert returns them: the last `new` nodes of the path are
    computed now, in this row and no other. `nodes` [N] are the new nodes in the order in which the model must be given
    their tokens. `in_order` renumbers keys in that order, for where the only keys are the new tokens' (training).
    """

    def __init__(self, rows: Sequence[tuple[Sequence[int], int]], device: Any = "cpu", in_order: bool = False) -> None:
        rows = sorted((row for row in rows if row[1]), key=lambda row: row[1])
        order = [node for path, new in rows for node in path[len(path) - new :]]
        self.nodes = torch.tensor(order, device=device)
        renumber = {node: i for i, node in enumerate(order)} if in_order else None
        self.blocks: list[Block] = []
        self._biases: dict[tuple[int, int, torch.dtype], torch.Tensor] = {}
        start = begun = 0
        while begun < len(rows):
            widest = max(16, 2 * rows[begun][1])  # padding at most doubles a block
            end = next((i for i in range(begun, len(rows)) if rows[i][1] > widest), len(rows))
            self.blocks.append(_block(rows[begun:end], start, device, renumber))
            start += sum(new for _, new in rows[begun:end])
            begun = end

    def bias(self, block: int, groups: int, dtype: torch.dtype) -> torch.Tensor:
        """[R, 1, groups * T, L], for queries of `groups` heads that share a key head laid one after another."""
        key = (block, groups, dtype)
        if key not in self._biases:
            self._biases[key] = self.blocks[block].bias.to(dtype).repeat(1, 1, groups, 1)
        return self._biases[key]


def _block(
    rows: Sequence[tuple[Sequence[int], int]], start: int, device: Any, renumber: dict[int, int] | None
) -> Block:
    width, length = max(new for _, new in rows), max(len(path) for path, _ in rows)
    queries = torch.zeros(len(rows), width, dtype=torch.long)
    keys = torch.zeros(len(rows), length, dtype=torch.long)
    last = torch.full((len(rows), width), 0)  # the last key that a query sees; padding sees the first
    real = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, (path, new) in enumerate(rows):
        queries[i, :new] = torch.arange(start, start + new)
        keys[i, : len(path)] = torch.tensor(path if renumber is None else [renumber[node] for node in path])
        last[i, :new] = torch.arange(len(path) - new, len(path))
        real[i, :new] = True
        start += new
    bias = torch.zeros(len(rows), 1, width, length)
    bias.masked_fill_(torch.arange(length) > last[:, None, :, None], float("-inf"))
    return Block(
        (len(rows), width, length),
        queries.flatten().to(device),
        real.flatten().nonzero()[:, 0].to(device),
        keys.flatten().to(device),
        bias.to(device),
    )


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    tree: TreePlan | None = None,
    slots: bool = False,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: as its `sdpa`, unless the model is called with `tree` or `slots`.

    With `tree`, query: [1, Hq, N, D], the plan's new tokens; key, value: [1, Hkv, M, D], by node. With `slots`, query:
    [B, Hq, 1, D], one token a row; key, value: [B, Hkv, L, D]; attention_mask: [B, 1, 1, L], added. Returns
    [1, N, Hq, D] or [B, 1, Hq, D].
    """
    if slots:
        return _attend_slots(query, key, value, attention_mask, options["scaling"]), None
    if tree is None:
        out: torch.Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0]
        return out, None
    scaling, dropout = options.get("scaling"), options.get("dropout", 0.0)
    return _attend_tree(query[0], key[0], value[0], scaling, dropout, tree)[None], None


def _attend_slots(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, scaling: float
) -> torch.Tensor:
    """One query a head leaves a fused kernel nothing to reuse: two matrix products read keys and values once."""
    rows, heads, _, size = query.shape
    shared = key.shape[1]  # key heads
    scores = torch.matmul(query.view(rows, shared, heads // shared, size) * scaling, key.transpose(2, 3)).add_(mask)
    return torch.matmul(scores.softmax(-1), value).view(rows, 1, heads, size)


def _attend_tree(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, dropout: float, tree: TreePlan
) -> torch.Tensor:
    """query: [Hq, N, D]; key, value: [Hkv, M, D]. Returns [N, Hq, D]. Query heads that share a key head stand beside
    each other as more queries, so that no key is repeated."""
    heads, _n, size = query.shape
    shared = key.shape[0]  # key heads
    groups = heads // shared
    flat_query = query.transpose(0, 1).reshape(-1, heads * size)
    flat_key, flat_value = (x.transpose(0, 1).reshape(-1, shared * size) for x in (key, value))
    outs = []
    for i, block in enumerate(tree.blocks):
        rows, width, length = block.shape
        q = flat_query.index_select(0, block.queries).view(rows, width, shared, groups, size)
        q = q.permute(0, 2, 3, 1, 4).reshape(rows, shared, groups * width, size)
        k, v = (
            x.index_select(0, block.keys).view(rows, length, shared, size).transpose(1, 2)
            for x in (flat_key, flat_value)
        )
        out = F.scaled_dot_product_attention(q, k, v, tree.bias(i, groups, q.dtype), dropout, scale=scaling)
        out = out.view(rows, shared, groups, width, size).permute(0, 3, 1, 2, 4).reshape(-1, heads * size)
        outs.append(out.index_select(0, block.real))
    return torch.cat(outs).view(-1, heads, size)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
NO_MASK = torch.zeros(1, 1, 1, 1)  # given to a model that is called with `tree`: it would make a useless mask itself


@contextmanager
def attending(model: Any) -> Iterator[None]:
    """While it lasts, the model attends with `attend`."""
    before = model.config._attn_implementation
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before


def refuse_windows(model: Any) -> None:
    """Raises ValueError for a model that does not attend to everything before (sliding windows, state spaces), or in a
    way of its own: here a token sees its whole path."""
    config = model.config.get_text_config()
    kinds, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    others = sorted(set(kinds or []) - {"full_attention"})
    if not kinds and window and window < config.max_position_embeddings:
        others.append(f"sliding_window={window}")
    if not model._supports_attention_backend:
        others.append("attention of its own")
    if others:
        raise ValueError(
            f"{config.model_type} has {', '.join(others)}; the engine and packed training need full attention in every "
            'layer: use backend="transformers", pack=False'
        )
