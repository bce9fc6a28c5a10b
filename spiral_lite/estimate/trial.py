"""A tiny real run before training: a few replies, one forward-backward pass over them, and how long that took.

It tells what no formula knows: how long replies are, how much of the turns is shared, how fast this machine is.
Read `packing.py` before this, `sizes.py` after.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from spiral_lite import dialogue
from spiral_lite.attention import PrefixTree
from spiral_lite.players import Sampling, random_player
from spiral_lite.rollout import backends, play

SAMPLED = 64  # turns whose replies are really written and learnt from
FEW, MANY = 8, 64  # tokens that are written of each reply, at first and at most
PATIENCE = 5.0  # seconds that writing them may take
FORWARD = 1 / 3  # of the time of a forward-backward pass
PLAYED = 1.2  # turns that whole games have, for each that is learnt from


@dataclass(frozen=True)
class Turns:
    """The turns of one forward-backward pass. prompt_tokens, reply_tokens: of each, on average; computed: tokens of all
    of them that the model computes, fewer than there are where packing shares beginnings."""

    n: int
    prompt_tokens: float
    reply_tokens: float
    computed: float


@dataclass(frozen=True)
class Trial:
    """A tiny real run. more: tokens that replies may have beside those written, 0 where most have ended; playing and
    learning: seconds a written token, and a token that a forward-backward pass computes."""

    prompts: list[list[int]]
    replies: list[tuple[int, ...]]
    more: float
    playing: float
    learning: float


def measure(trainer: Any) -> Trial:
    """Writes a few replies and learns from them once, without a step of the optimizer."""
    args, prompts = trainer.args, prompts_of(trainer)
    replies, writing = _write(trainer, prompts)
    written = sum(map(len, replies))
    ended = sum(reply[-1] == trainer.processing_class.eos_token_id for reply in replies) > len(replies) / 2
    more = 0.0 if ended else args.max_completion_length - written / len(replies)
    _learn(trainer, prompts[:4], replies[:4])  # the first pass is slower
    began = time.perf_counter()
    _learn(trainer, prompts, replies)
    learning = time.perf_counter() - began
    computed = sample(len(prompts), prompts, replies, 0.0, args.pack).computed
    return Trial(prompts, replies, more, writing / written, learning / computed)


def _write(trainer: Any, prompts: Sequence[list[int]]) -> tuple[list[tuple[int, ...]], float]:
    """Replies, as far as they come in PATIENCE seconds; and the seconds. The first tokens warm up what generates."""
    args, model, tokenizer = trainer.args, trainer.model, trainer.processing_class
    longest = min(MANY, args.max_completion_length)
    # not the trainer's own, whose memory of prompts would differ in a resumed run
    backend = backends.make(args.backend, model, tokenizer, len(prompts), max(map(len, prompts)) + longest)
    took = 0.0
    for tokens in (min(FEW, longest), longest):
        enough = int(PATIENCE / took * FEW) if took else tokens
        sampling = Sampling(args.temperature, args.top_p, max(1, min(tokens, enough)))
        began = time.perf_counter()
        replies = [reply.ids for reply in backend.generate(prompts, sampling, range(len(prompts)))]
        took = time.perf_counter() - began
    return replies, took


def _learn(trainer: Any, prompts: Sequence[Sequence[int]], replies: Sequence[Sequence[int]]) -> None:
    """A forward-backward pass. Gradients and generators are as before."""
    model, device = trainer.model, trainer.model.device
    parts = [
        pad_sequence([torch.tensor(row) for row in rows], True, -1, side)
        for rows, side in ((prompts, "left"), (replies, "right"))
    ]
    ids = torch.cat(parts, 1).to(device)
    training = model.training
    model.train()
    with torch.random.fork_rng([device] if device.type == "cuda" else []), trainer.accelerator.autocast():
        log_probs, _, _ = trainer._get_per_token_logps_and_entropies(
            model, ids.clamp(min=0), (ids >= 0).long(), parts[1].shape[1], compute_entropy=True
        )
        log_probs.sum().backward()
    log_probs.detach().cpu()  # waits for the device
    model.train(training)
    model.zero_grad()


def prompts_of(trainer: Any) -> list[list[int]]:
    """Tokens of prompts, of random games."""
    games = trainer.games
    share = -(-min(SAMPLED, trainer.args.turns_per_step) // len(games))
    found: list[str] = []
    for game in games:
        episodes = play(game, (random_player(), random_player()), turns=share)
        found += [turn.prompt for episode in episodes for turn in episode.turns][:share]
    texts = [dialogue.prompt(message, trainer.processing_class) for message in found]
    ids: list[list[int]] = trainer.processing_class(texts, add_special_tokens=False)["input_ids"]
    return ids


def sample(n: int, prompts: Sequence[list[int]], replies: Sequence[tuple[int, ...]], more: float, pack: bool) -> Turns:
    """A pass over `n` turns like these, whose replies have `more` tokens yet to come.

    Different beginnings grow with a power of the number of turns, as words do with the length of a text (Heaps' law);
    the power is read off these turns and half of them.
    """
    m = len(prompts)
    read, written = (sum(map(len, part)) / m for part in (prompts, replies))
    texts = [[*prompt, *reply] for prompt, reply in zip(prompts, replies, strict=True)]
    computed = n * (read + written)
    if pack:
        whole, half = _different(texts), _different(texts[::2])
        power = math.log(whole / half) / math.log(m / len(texts[::2])) if m > 1 else 1.0
        computed = whole * (n / m) ** power
    return Turns(n, read, written + more, computed + n * more)


def learnt(args: Any, n: int) -> int:
    """Turns that are learnt from where `n` are set: batch="keep_all" takes all that whole games have."""
    return math.ceil(PLAYED * n) if args.batch == "keep_all" else n


def _different(texts: Sequence[list[int]]) -> int:
    """Tokens that packing computes of them."""
    tree = PrefixTree()
    for text in texts:
        tree.insert(text[:-1])  # the last one predicts nothing
    return len(tree)


def seconds(args: Any, turns: Turns, trial: Trial) -> float:
    """Of a self-play step: the passes of each inner epoch and those that only look (reference, old log-probabilities),
    and whole games of the model's own turns."""
    passes = (
        learnt(args, args.turns_per_step)
        / turns.n
        * (args.num_iterations + FORWARD * (bool(args.beta) + (args.num_iterations > 1)))
    )
    return passes * turns.computed * trial.learning + PLAYED * args.turns_per_step * turns.reply_tokens * trial.playing
