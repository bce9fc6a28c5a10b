"""Draw tokens by inverting the cumulative distribution: one uniform number a row, whatever else is in the batch.

`torch.multinomial` draws a random number for every word of the vocabulary; one is enough. All of it has fixed shapes
and stays on the device. The engine draws its uniform numbers beforehand from each reply's own seed.
"""

from __future__ import annotations

import numpy as np
import torch

BELOW_ONE = 1 - 2.0**-20  # times any total it stays below the total, in float32


def uniforms(seed: int, n: int) -> torch.Tensor:
    """[n] numbers in [0, 1) from one reply's seed: the same on every device."""
    drawn = np.random.default_rng(seed).random(n, dtype=np.float32)
    return torch.from_numpy(np.minimum(drawn, np.float32(BELOW_ONE)))


def draw(
    logits: torch.Tensor, temperature: torch.Tensor | None, top_p: torch.Tensor | None, uniform: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row, and its log-probability (nats) under the distribution it was drawn from.

    logits: [B, V]; temperature: [B], 0 takes the likeliest token, or None where every row draws at 1; top_p: [B], or
    None where every row keeps the whole distribution; uniform: [B] in [0, 1). Returns ([B] long, [B] float32).
    """
    logits = logits.float()
    if temperature is not None:
        greedy = temperature == 0
        logits = logits / temperature.masked_fill(greedy, 1.0)[:, None]
        if top_p is not None:
            logits = keep_top_p(logits, top_p.masked_fill(greedy, 1.0))
    largest = logits.amax(-1, keepdim=True)
    cumulative = (logits - largest).exp_()
    if cumulative.is_cuda:  # it adds in pieces, so that in float32 rounding would rise at tokens of no probability
        cumulative = cumulative.double()
    cumulative.cumsum_(-1)
    total = cumulative[:, -1:]
    target = uniform[:, None] * total
    token = torch.searchsorted(cumulative, target, right=True).clamp_(max=logits.shape[-1] - 1)
    if temperature is not None:
        token = torch.where(greedy[:, None], logits.argmax(-1, keepdim=True), token)
    logprob = logits.gather(1, token) - largest - total.log().float()
    return token[:, 0], logprob[:, 0]


def keep_top_p(logits: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Sets to -inf what is outside the smallest set of likeliest tokens that holds `top_p` of the probability (nucleus
    sampling, arXiv:1904.09751). logits: [B, V]; top_p: [B]."""
    ordered, index = logits.sort(-1, descending=True)
    probability = ordered.softmax(-1)
    before = probability.cumsum(-1) - probability  # of the likelier tokens
    beyond = before >= top_p.masked_fill(top_p == 1, float("inf"))[:, None]  # 1 keeps all, however sums are rounded
    outside = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, index, beyond)
    outside.scatter_(1, index[:, :1], False)
    return logits.masked_fill(outside, float("-inf"))
