"""From finished games to the turns that a step learns from: who learns, what each turn's advantage is, which are drawn.

SPIRAL plays whole games until there are enough turns and draws the batch from them at random without replacement
(`draw`); the rest is dropped. `keep_all` drops only what does not divide evenly over forward passes and processes.
A turn of a role that learns has the role's advantage, discounted by gamma for each later turn of the same role
(gamma = 1 in the paper): the last turn of a role, which is nearest to the result, has all of it.
Read `config.py` before this, `self_play.py` after.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from spiral_lite.games import Forfeit, Game
from spiral_lite.players import Player
from spiral_lite.rollout import Played, Turn, play

BOTH = (0, 1)


@dataclass(frozen=True)
class Sample:
    """One turn as the loss sees it: the turn, its game, the role's return and its advantage."""

    game: str
    turn: Turn
    value: float
    advantage: float


@dataclass(frozen=True)
class Plan:
    """How one game is played in a step. `turns`: at least so many of the learner's; `same_deal`: games that get the
    same cards and dice; `in_flight`: games of the first round, and at a time; `version`: of the policy."""

    game: Game
    turns: int
    same_deal: int
    forfeit: Forfeit
    in_flight: int
    version: int


def play_turns(plan: Plan, learner: Player, opponent: Player | None, rng: random.Random) -> list[Played]:
    """Whole games of the learner against itself, or over both seats against the opponent.

    A round is played to its end before the next one begins, so that long games are as likely to be in as short ones.
    """
    seats = [(learner, learner)] if opponent is None else [(learner, opponent), (opponent, learner)]
    roles = [BOTH] if opponent is None else [(0,), (1,)]
    seats, roles = seats * plan.same_deal, roles * plan.same_deal
    played: list[Played] = []
    games = plan.in_flight
    while True:
        episodes = play(
            plan.game,
            seats,
            games + -games % len(seats),  # whole groups, both seats
            rng.getrandbits(48),
            forfeit=plan.forfeit,
            in_flight=plan.in_flight,
            policy_version=plan.version,
            same_deals=plan.same_deal > 1,
        )
        played += [Played(episode, roles[i % len(roles)]) for i, episode in enumerate(episodes)]
        turns = sum(len(game.turns) for game in played)
        if turns >= plan.turns:
            return played
        games = math.ceil((plan.turns - turns) * len(played) / max(turns, 1))


def samples(
    played: Sequence[Played],
    values: Sequence[tuple[float, float]],
    advantages: Sequence[tuple[float, float]],
    gamma: float = 1.0,
) -> list[Sample]:
    """The learner's turns of all games. values, advantages: (role 0, role 1) of each game."""
    found = []
    for game, paid, scored in zip(played, values, advantages, strict=True):
        later = {role: sum(turn.role == role for turn in game.turns) for role in game.roles}
        for turn in game.turns:
            later[turn.role] -= 1
            advantage = scored[turn.role] * gamma ** later[turn.role]
            found.append(Sample(game.episode.game, turn, paid[turn.role], advantage))
    return found


def shares(n: int, names: Sequence[str]) -> dict[str, int]:
    """`n` turns split evenly over the games: the first ones get the rest."""
    return {name: n // len(names) + (i < n % len(names)) for i, name in enumerate(names)}


def draw(found: Sequence[Sample], n: int, names: Sequence[str], rng: random.Random, filter_zero: bool) -> list[Sample]:
    """Exactly `n` turns at random without replacement, split evenly over the games.

    `filter_zero`: turns whose advantage is 0 teach nothing, and are drawn only where the others do not suffice.
    Differs from the published `filter_zero_adv`, which plays on until there are enough others.
    """
    drawn = []
    for name, share in shares(n, names).items():
        pool = [sample for sample in found if sample.game == name]
        if filter_zero:
            useful = [sample for sample in pool if sample.advantage]
            idle = [sample for sample in pool if not sample.advantage]
            pool = useful if len(useful) >= share else useful + rng.sample(idle, share - len(useful))
        drawn += rng.sample(pool, share)
    return drawn


def keep_all(found: Sequence[Sample], n: int, rng: random.Random, filter_zero: bool) -> list[Sample]:
    """`n` of all turns, whatever their games; those whose advantage is 0 are the first to go with `filter_zero`."""
    order = rng.sample(list(found), len(found))
    if filter_zero:
        order.sort(key=lambda sample: not sample.advantage)
    return order[:n]
