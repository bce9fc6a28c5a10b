"""Log-probabilities of many turns in one pass that computes every distinct token once and pads nothing.

TRL gives the model a rectangle: every turn in a row of its own, padded to the longest. Turns of self-play begin with
the same rules, often with the same position, and sometimes with the same words of a reply; here they are a tree of
tokens (`attention.py`) and the model sees each node once. A node's gradient is then the sum over the turns that pass
through it, which is what the rectangle computes too: the two agree to rounding (test).

`install(model)` teaches a causal language model to be called with `packed=Packed(...)`. Read `attention.py` before,
`trainer/` after.
"""

from __future__ import annotations

import functools
import types
from typing import Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from spiral_lite import attention
from spiral_lite.attention import NO_MASK, PrefixTree, TreePlan

CHUNK = 1 << 24  # logits that are there at a time


class Scores(NamedTuple):
    """log_probs and entropy of reply tokens, [B, C] in nats; 0 where there is no token."""

    log_probs: torch.Tensor
    entropy: torch.Tensor


class Packed:
    """A batch of turns as a tree.

    input_ids, attention_mask: [B, P + C], prompts padded on the left and replies, the last C columns, on the right; the
    model never sees where the mask is 0. temperature divides the logits.
    """

    def __init__(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, reply_columns: int, temperature: float = 1.0
    ) -> None:
        device = input_ids.device
        self.temperature = temperature
        tree = PrefixTree()
        pairs: dict[tuple[int, int], int] = {}  # (node that predicts, token) -> its number
        rows = []
        index = torch.zeros(input_ids.shape[0], reply_columns, dtype=torch.long)  # 0: no token
        begins = input_ids.shape[1] - reply_columns
        for row, (ids, mask) in enumerate(zip(input_ids.tolist(), attention_mask.tolist(), strict=True)):
            columns = [column for column, seen in enumerate(mask) if seen]
            rows.append(tree.insert([ids[column] for column in columns[:-1]]))
            path = rows[-1][0]
            for i, column in enumerate(columns):
                if column >= begins and i:
                    index[row, column - begins] = pairs.setdefault((path[i - 1], ids[column]), len(pairs) + 1)
        self.plan = TreePlan(rows, device, in_order=True)
        order = self.plan.nodes.tolist()
        place = {node: i for i, node in enumerate(order)}
        self.tokens = torch.tensor([tree.tokens[node] for node in order], device=device)  # [N]
        self.positions = torch.tensor([tree.depths[node] for node in order], device=device)  # [N]
        used = sorted({place[node] for node, _ in pairs})
        number = {spot: i for i, spot in enumerate(used)}
        self.used = torch.tensor(used, dtype=torch.long, device=device)  # [U] tokens that predict a reply token
        self.parents = torch.tensor([number[place[node]] for node, _ in pairs], dtype=torch.long, device=device)  # [K]
        self.labels = torch.tensor([token for _, token in pairs], dtype=torch.long, device=device)  # [K]
        self.index = index.to(device)

    def rectangle(self, values: torch.Tensor) -> torch.Tensor:
        """[K] values of distinct reply tokens, as the [B, C] of the batch."""
        return torch.cat([values.new_zeros(1), values]).gather(0, self.index.flatten()).view(self.index.shape)


def install(model: Any) -> None:
    """Lets `model(packed=Packed(...))` return Scores; called otherwise, the model is as before.

    Raises ValueError if the model's layers do not all have full attention, or if it changes its logits after the head.
    """
    attention.refuse_windows(model)
    config = model.config.get_text_config()
    for name in ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling"):
        if getattr(config, name, None) not in (None, 1.0):
            raise ValueError(f"{config.model_type} has {name}={getattr(config, name)}; train it with pack=False")
    model.config._attn_implementation = attention.NAME  # stays: checkpointed layers are run again in backward
    original = model.forward

    @functools.wraps(type(model).forward)  # `generate` reads the signature
    def forward(self: Any, *args: Any, packed: Packed | None = None, **kwargs: Any) -> Any:
        return original(*args, **kwargs) if packed is None else _scores(self, packed)

    model.forward = types.MethodType(forward, model)


def _scores(model: Any, packed: Packed) -> Scores:
    output = model.base_model(
        input_ids=packed.tokens[None],
        position_ids=packed.positions[None],
        attention_mask=NO_MASK,
        use_cache=False,
        tree=packed.plan,
    )
    hidden = output.last_hidden_state[0].index_select(0, packed.used)  # [U, H]
    head = model.get_output_embeddings()
    step = max(1, CHUNK // head.weight.shape[0])
    pieces = []
    for begin in range(0, len(hidden), step):
        end = begin + step
        mine = ((packed.parents >= begin) & (packed.parents < end)).nonzero()[:, 0]
        some = (hidden[begin:end], packed.parents[mine] - begin, packed.labels[mine])
        whole = len(hidden) <= step
        score = functools.partial(_head, head, packed.temperature)
        pieces.append((mine, *(score(*some) if whole else checkpoint(score, *some, use_reentrant=False))))
    order = torch.cat([mine for mine, _, _ in pieces]).argsort()
    log_probs, entropy = (torch.cat([piece[i] for piece in pieces])[order] for i in (1, 2))
    return Scores(packed.rectangle(log_probs), packed.rectangle(entropy))


def _head(
    head: Any, temperature: float, hidden: torch.Tensor, parents: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """hidden: [u, H]; parents: [k] rows of hidden; labels: [k]. Returns log-probability and entropy, both [k]."""
    logits = head(hidden).float() / temperature
    normaliser = logits.logsumexp(-1)  # [u]
    entropy = normaliser - ((logits - normaliser[:, None]).exp() * logits).sum(-1)
    # one-dimensional gathers: their gradients are quick on a CPU
    chosen = logits.flatten().gather(0, parents * logits.shape[1] + labels)
    return chosen - normaliser.gather(0, parents), entropy.gather(0, parents)
