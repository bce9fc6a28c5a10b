"""What training pays for a game: what was played for, or a control that pays for something else.

A policy that reasons better after self-play may owe that to winning, or to anything else that training did. Controls
keep the games, the batches and the loss, and change only what is paid, here for both roles of each game:

- `returns`: what the game paid. SPIRAL.
- `random`: a fair coin decides who gets +1 and who -1, whatever was played. Nothing can be learnt but by accident;
  Shao et al. 2025 (arXiv:2506.10947) found that some models score better on problems even so.
- `format_only`: the offender pays for an invalid move as ever, and nothing else pays. Being legal is all that matters.
- `shuffled`: each game gets the returns of a game of the same name from this batch, by a random permutation. Random,
  with exactly the distribution of the real ones.
- `length`: who writes more words a reply gets +1, the other player -1, whatever was played. If longer replies are what
  helps, no game has to be won for it.

Read `rollout/records.py` before this, `trainer` after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import mean

from spiral_lite.rollout import Episode

Returns = tuple[float, float]  # of role 0 and role 1
Reward = Callable[[Sequence[Episode], random.Random], list[Returns]]  # one pair for each game, in order


def as_played(episodes: Sequence[Episode], rng: random.Random) -> list[Returns]:
    """What the games paid."""
    return [episode.returns for episode in episodes]


def coin(episodes: Sequence[Episode], rng: random.Random) -> list[Returns]:
    """+1 and -1 by a fair coin for each game, invalid moves and draws included."""
    return [(1.0, -1.0) if rng.random() < 0.5 else (-1.0, 1.0) for _ in episodes]


def format_only(episodes: Sequence[Episode], rng: random.Random) -> list[Returns]:
    """What an invalid move cost the player who made it; 0 for the other player, and for all games that ended well."""
    paid = []
    for episode in episodes:
        offender = episode.turns[-1].role if episode.ended == "invalid" else None
        first, second = (episode.returns[role] if role == offender else 0.0 for role in (0, 1))
        paid.append((first, second))
    return paid


def shuffled(episodes: Sequence[Episode], rng: random.Random) -> list[Returns]:
    """The games' returns, permuted among the games of one name, those of both roles together."""
    decks: dict[str, list[Returns]] = {}
    for episode in episodes:
        decks.setdefault(episode.game, []).append(episode.returns)
    for deck in decks.values():
        rng.shuffle(deck)
    return [decks[episode.game].pop() for episode in episodes]


def length(episodes: Sequence[Episode], rng: random.Random) -> list[Returns]:
    """+1 for the player whose replies have more words on average, -1 for the other, 0 for both if they are alike."""
    paid = []
    for episode in episodes:
        first, second = (
            mean([len(turn.reply.split()) for turn in episode.turns if turn.role == role] or [0]) for role in (0, 1)
        )
        won = float((first > second) - (first < second))
        paid.append((won, -won))
    return paid


REWARDS: dict[str, Reward] = {
    "returns": as_played,
    "random": coin,
    "format_only": format_only,
    "shuffled": shuffled,
    "length": length,
}


def make(name: str) -> Reward:
    """What pays, by name. Raises ValueError for an unknown one.

    >>> make("returns")([], random.Random(0))
    []
    """
    if name not in REWARDS:
        raise ValueError(f"reward={name!r} is unknown; known: {', '.join(REWARDS)} (returns is what the games pay)")
    return REWARDS[name]
