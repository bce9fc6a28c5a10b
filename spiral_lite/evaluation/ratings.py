"""Ratings: every player against every other from both seats, and one number a player that sums it up.

The model is Bradley and Terry's (1952): i beats j with probability s_i / (s_i + s_j), a draw being half a win, and a
win of half the stakes half way between a draw and a win: in Kuhn poker a player may win less often and yet more chips,
and by wins alone the equilibrium could not be told from random play. On the Elo scale a rating is 400 log10(s), so 400
points are odds of 10 to 1, and the mean of the players is 0. The maximum of the likelihood is found by Newman's
iteration (2023, arXiv:2207.00076), which is Hunter's MM algorithm (2004) with one factor moved, and needs 10 steps
where that needs 1000.

Two players who met get half a win each on top of their games. So a player who won everything stays finite: for two
players the difference is the log of (w + 1/2) / (l + 1/2), Anscombe's and Haldane's estimate of log odds.

Intervals are by the Bayesian bootstrap (Rubin 1981) over deals. All pairings play the same deals from both seats, and a
resample gives each deal, with all games played on it, an Exp(1) weight; each half win is drawn anew as Gamma(1/2). The
ordinary bootstrap would call a perfect record certain; this one gives two players the posterior of Jeffreys, also at 0
and n. As all bootstraps are too narrow for few deals, the percentiles are Hesterberg's expanded ones (arXiv:1411.5279).

No single number shows that a beats b, b beats c and c beats a: see the cross-table. Read `matches` before this.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiral_lite.evaluation.intervals import Interval, mean_interval, t_quantile
from spiral_lite.evaluation.matches import Outcomes
from spiral_lite.games import Game
from spiral_lite.players import Player
from spiral_lite.rollout import Episode, play

Floats = NDArray[np.float64]
ELO = 400 / math.log(10)  # points of a factor e in strength
HALF_WIN = 0.5  # what either side of a pairing gets on top of its games
RESAMPLES = 1000
TOLERANCE = 1e-9  # of a log strength
MOST_STEPS = 10_000


@dataclass(frozen=True)
class Rating:
    """A player's place: `score` is its share of the points, over `games` games.

    `invalid_rate` is the share of them that it lost by an invalid move, `forfeits_won` that it won by the other's.
    """

    player: str
    elo: float
    ci95: tuple[float, float]
    games: int
    score: float
    invalid_rate: float
    forfeits_won: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Pairing:
    """Two players' games with each other, seen from the first; `mean_return` has its interval over deals."""

    players: tuple[str, str]
    games: int
    mean_return: Interval
    outcomes: Outcomes

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"mean_return": self.mean_return.to_dict()}


@dataclass(frozen=True)
class RoundRobin:
    """What a round robin found: `ratings` (the best first), `pairings`, and the game that they are about.

    `games` is that of one pairing. `episodes` come deal by deal; within a deal pairing by pairing, in each of them
    first the game in which players[0] is player 0.
    """

    game: str
    options: dict[str, Any]
    games: int
    seed: int
    ratings: tuple[Rating, ...]
    pairings: tuple[Pairing, ...]
    seconds: float
    episodes: tuple[Episode, ...] = field(default=(), repr=False, compare=False)

    def cross_table(self) -> dict[str, Any]:
        """Mean return of the row's player against the column's, and games, best first; None where nobody played."""
        names = [rating.player for rating in self.ratings]
        found = {pairing.players: pairing for pairing in self.pairings}
        returns: list[list[float | None]] = []
        counts: list[list[int]] = []
        for row in names:
            pairs = [(found.get((row, column)), found.get((column, row))) for column in names]
            returns.append([_return(as_first, as_second) for as_first, as_second in pairs])
            counts.append([sum(pairing.games for pairing in pair if pairing) for pair in pairs])
        return {"players": names, "mean_return": returns, "games": counts}

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the episodes (`rollout.write_jsonl` keeps those)."""
        record = {name: value for name, value in vars(self).items() if name != "episodes"}
        return record | {
            "ratings": [rating.to_dict() for rating in self.ratings],
            "pairings": [pairing.to_dict() for pairing in self.pairings],
            "cross_table": self.cross_table(),
        }

    def __str__(self) -> str:
        return table(self)


def round_robin(game: Game, players: Sequence[Player], n: int, seed: int = 0) -> RoundRobin:
    """Rates the players by `n` games of each pairing, half from either seat, on the same deals, all in one batch.

    Raises ValueError if `n` is odd, two players have the same name, or the game has no winner (is not zero-sum).

    >>> from spiral_lite import games, players
    >>> found = round_robin(games.make("tic_tac_toe"), [players.make("random"), players.make("perfect")], 20)
    >>> [rating.player for rating in found.ratings]
    ['perfect', 'random']
    """
    names = [player.name for player in players]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"a round robin needs two or more players with different names; given: {', '.join(names)}")
    if n < 2 or n % 2:
        raise ValueError(f"n={n}: play an even number of games a pairing, half from each seat, e.g. n={max(2, n + 1)}")
    if not game.zero_sum:
        raise ValueError(f"{game.name} is not zero-sum: nobody wins it, so nobody can be rated; use cross_play")
    pairs = list(combinations(range(len(names)), 2))
    seats = [(players[i], players[j]) for a, b in pairs for i, j in ((a, b), (b, a))]
    began = time.perf_counter()
    episodes = play(game, seats, n * len(pairs), seed, forfeit=None, same_deals=True)
    seconds = time.perf_counter() - began
    pairings, points = [], np.zeros((n // 2, len(names), len(names)))
    for place, (a, b) in enumerate(pairs):
        both = [episodes[2 * place + seat :: len(seats)] for seat in (0, 1)]  # by a's seat
        pairings.append(_pairing(game, (names[a], names[b]), both))
        points[:, a, b] = sum(np.array([_points(game, episode, seat) for episode in both[seat]]) for seat in (0, 1))
        points[:, b, a] = 2 - points[:, a, b]
    ratings = _ratings(names, points, pairings, seed)
    return RoundRobin(game.name, game.options(), n, seed, ratings, tuple(pairings), seconds, tuple(episodes))


def rate(points: Floats, seed: int = 0, resamples: int = RESAMPLES) -> tuple[Floats, Floats]:
    """Elo ratings [K], mean 0, and their 95 % intervals [K, 2].

    points: [D, K, K]; points[d, i, j] is what player i won from player j on deal d: 1 for a won game, 1/2 for a draw.
    Deals must be independent of each other; games on the same deal need not be.

    >>> elo, _ = rate(np.array([[[0, 1], [0, 0]]] * 10 + [[[0, 0], [1, 0]]]))  # ten wins, one loss
    >>> round(float(elo[0] - elo[1]), 6) == round(400 * math.log10(10.5 / 1.5), 6)
    True
    """
    rng = np.random.default_rng(seed)
    deals, k, _ = points.shape
    total = points.sum(axis=0)
    met = (total + total.T) > 0
    weights = rng.standard_exponential((resamples, deals))
    half_wins = rng.gamma(HALF_WIN, size=(resamples, k, k)) * met
    drawn = (weights @ points.reshape(deals, k * k)).reshape(resamples, k, k) + half_wins
    low, high = np.quantile(bradley_terry(drawn), (tail := tail_of(deals), 1 - tail), axis=0)
    return bradley_terry(total + HALF_WIN * met), np.stack([low, high], axis=-1)


def tail_of(deals: int) -> float:
    """The percentile at which a 95 % interval from `deals` deals ends: 0.025 of many, less of few."""
    df = max(deals - 1, 1)
    return NormalDist().cdf(-t_quantile(df) * math.sqrt(deals / df))


def bradley_terry(points: Floats) -> Floats:
    """The most likely Elo ratings [..., K], mean 0, of points [..., K, K] as they are (`rate` adds the half wins).

    Raises ValueError where they do not exist: for a player or group that has won, or lost, every game with the rest.
    """
    lost = np.swapaxes(points, -1, -2)
    strength = np.ones(points.shape[:-1])
    with np.errstate(all="ignore"):  # a strength that runs away to 0 or infinity is refused below
        for _ in range(MOST_STEPS):
            before = strength.copy()
            for i in range(points.shape[-1]):  # one after the other: at once, two players would swap for ever
                pair = strength[..., i, None] + strength
                won_from = (points[..., i, :] * strength / pair).sum(axis=-1)
                strength[..., i] = won_from / (lost[..., i, :] / pair).sum(axis=-1)
            strength /= np.exp(np.log(strength).mean(axis=-1, keepdims=True))
            moved = np.abs(np.log(strength / before)).max()
            if moved < TOLERANCE:
                return np.asarray(ELO * np.log(strength))
            if not np.isfinite(moved):
                break
    raise ValueError("no finite ratings: somebody won or lost everything; give each side of a pairing half a win")


def table(found: RoundRobin) -> str:
    """Ratings and cross-table as text, for people."""
    about = ", ".join(f"{name}={value}" for name, value in found.options.items())
    cross = found.cross_table()
    width = max(len("player"), *(len(name) for name in cross["players"]))
    lines = [
        f"{found.game}{f' ({about})' if about else ''}: {found.games} games a pairing, half from each seat,"
        f" seed {found.seed}",
        "",
        f"   {'player':<{width}} {'Elo':>6}  {'95 % interval':^16} {'score':>6} {'invalid':>8} {'forfeits won':>13}",
    ]
    for place, row in enumerate(found.ratings, start=1):
        interval = f"[{row.ci95[0]:.0f}, {row.ci95[1]:.0f}]"
        lines.append(
            f"{place:>2} {row.player:<{width}} {row.elo:>6.0f}  {interval:^16} {row.score:>6.1%}"
            f" {row.invalid_rate:>8.1%} {row.forfeits_won:>13.1%}"
        )
    columns = "".join(f"{place:>8}" for place in range(1, len(cross["players"]) + 1))
    lines += ["", "mean return of the row against the column", f"   {'':<{width}} {columns}"]
    for place, (name, row) in enumerate(zip(cross["players"], cross["mean_return"], strict=True), start=1):
        cells = "".join(f"{'-':>8}" if value is None else f"{value:>8.3f}" for value in row)
        lines.append(f"{place:>2} {name:<{width}} {cells}")
    return "\n".join(lines)


def _points(game: Game, episode: Episode, seat: int) -> float:
    """From 0, the worst loss, over 1/2, a draw, to 1."""
    return (1 + episode.returns[seat] / game.max_return) / 2


def _pairing(game: Game, names: tuple[str, str], both: Sequence[Sequence[Episode]]) -> Pairing:
    """both[seat]: the games in which names[0] has that seat, deal by deal."""
    returns = [(first.returns[0] + second.returns[1]) / 2 for first, second in zip(*both, strict=True)]
    outcomes = Outcomes.of(game, [(episode, seat) for seat in (0, 1) for episode in both[seat]])
    return Pairing(names, 2 * len(returns), mean_interval(returns), outcomes)


def _ratings(names: Sequence[str], points: Floats, pairings: Sequence[Pairing], seed: int) -> tuple[Rating, ...]:
    """A rating a player, the best first."""
    elo, ci95 = rate(points, seed)
    found = []
    for i, name in enumerate(names):
        seen = [p.outcomes if p.players[0] == name else p.outcomes.turned() for p in pairings if name in p.players]
        games = sum(outcomes.games for outcomes in seen)
        found.append(
            Rating(
                player=name,
                elo=float(elo[i]),
                ci95=(float(ci95[i, 0]), float(ci95[i, 1])),
                games=games,
                score=float(points[:, i].sum()) / games,
                invalid_rate=sum(outcomes.forfeited for outcomes in seen) / games,
                forfeits_won=sum(outcomes.opponent_forfeited for outcomes in seen) / games,
            )
        )
    return tuple(sorted(found, key=lambda rating: -rating.elo))


def _return(as_first: Pairing | None, as_second: Pairing | None) -> float | None:
    """The mean return of the row's player, who is the first of one pairing or the second of the other."""
    if as_first:
        return as_first.mean_return.mean
    return -as_second.mean_return.mean if as_second else None
