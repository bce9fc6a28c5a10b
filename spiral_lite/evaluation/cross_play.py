"""Cross-play: do players that were trained apart understand, or withstand, each other as they do themselves?

Every player sits first against every player, itself included. The diagonal of the matrix is self-play, the rest is
cross-play; in a cooperative game a score that falls from the one to the other shows habits that only the player itself
knows (Hu et al. 2020, arXiv:2003.02979, for Hanabi). In a zero-sum game the mean over both seats is 0 in self-play,
whoever plays, so the returns of each seat are compared; at an equilibrium of the game they do not differ.

The players are the sample (seeds of one training), so intervals are over players: another set of seeds would fall in
there. Every cell has deals of its own: shared ones would move all cells alike, and no interval over players would see
it. Cells of one player depend on each other, which the jackknife allows for: the mean of the off-diagonal is a
U-statistic, and its pseudo-values are nearly independent (Arvesen 1969). Read `matches` before this.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spiral_lite.evaluation.intervals import Interval, mean_interval
from spiral_lite.games import Game
from spiral_lite.players import Player
from spiral_lite.rollout import Episode, play

Matrix = tuple[tuple[float, ...], ...]  # [first player][second player]


@dataclass(frozen=True)
class Scores:
    """The returns of one seat. `gap` is self-play less cross-play, player by player.

    Two players give a cross-play score without an interval (the whole line), as they make one pair only.
    """

    returns: Matrix  # mean over the games of each cell
    self_play: Interval
    cross_play: Interval
    gap: Interval

    def to_dict(self) -> dict[str, Any]:
        intervals = {name: getattr(self, name).to_dict() for name in ("self_play", "cross_play", "gap")}
        return {"returns": [list(row) for row in self.returns], **intervals}


@dataclass(frozen=True)
class CrossPlay:
    """What cross-play found: `by_seat[0]` are the returns of player 0, who is the row's player in every cell.

    `games` is that of one cell. `episodes` go round the cells, row by row.
    """

    game: str
    options: dict[str, Any]
    players: tuple[str, ...]
    games: int
    seed: int
    by_seat: tuple[Scores, Scores]
    seconds: float
    episodes: tuple[Episode, ...] = field(default=(), repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the episodes."""
        record = {name: value for name, value in vars(self).items() if name != "episodes"}
        return record | {"by_seat": [scores.to_dict() for scores in self.by_seat]}

    def __str__(self) -> str:
        return table(self)


def cross_play(game: Game, players: Sequence[Player], n: int, seed: int = 0) -> CrossPlay:
    """Plays `n` games of each player first against each player second, all in one batch.

    >>> from spiral_lite import games, players
    >>> one, other = players.make("equilibrium:0"), players.make("equilibrium:0.3")
    >>> cross_play(games.make("kuhn_poker"), [one, other], 4).players
    ('equilibrium(alpha=0)', 'equilibrium(alpha=0.3)')
    """
    names = tuple(player.name for player in players)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"cross-play needs two or more players with different names; given: {', '.join(names)}")
    if n < 1:
        raise ValueError(f"n={n}: play at least one game of each two players, e.g. n=100")
    seats = [(first, second) for first in players for second in players]
    began = time.perf_counter()
    episodes = play(game, seats, n * len(seats), seed, forfeit=None)
    seconds = time.perf_counter() - began
    cells = [episodes[place :: len(seats)] for place in range(len(seats))]
    first, second = (
        scores([[_mean(cells[i * len(names) + j], seat) for j in range(len(names))] for i in range(len(names))])
        for seat in (0, 1)
    )
    return CrossPlay(game.name, game.options(), names, n, seed, (first, second), seconds, tuple(episodes))


def scores(returns: Sequence[Sequence[float]]) -> Scores:
    """Self-play, cross-play and the gap of a matrix [first player][second player], with intervals over players.

    >>> found = scores([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> found.self_play.mean, found.cross_play.mean, found.gap.mean
    (1.0, 0.0, 1.0)
    """
    k = len(returns)
    own = [returns[i][i] for i in range(k)]
    others = [sum(returns[i][j] + returns[j][i] for j in range(k) if j != i) for i in range(k)]  # 2 (k - 1) cells each
    mean = sum(others) / (2 * k * (k - 1))
    if k == 2:
        return Scores(_matrix(returns), mean_interval(own), mean_interval([mean]), mean_interval([sum(own) / 2 - mean]))
    without = [(sum(others) / 2 - row) / ((k - 1) * (k - 2)) for row in others]  # cross-play if player i were not there
    pseudo = [k * mean - (k - 1) * rest for rest in without]
    gaps = [alone - together for alone, together in zip(own, pseudo, strict=True)]
    return Scores(_matrix(returns), mean_interval(own), mean_interval(pseudo), mean_interval(gaps))


def table(found: CrossPlay) -> str:
    """The matrix and the scores as text, for people; one seat's if both players always get the same."""
    lines = [f"{found.game}: {found.games} games a cell, seed {found.seed}; the row's player is player 0"]
    same = found.by_seat[0].returns == found.by_seat[1].returns
    width = max(len(name) for name in found.players)
    for seat, result in enumerate(found.by_seat[: 1 if same else 2]):
        columns = "".join(f"{place:>8}" for place in range(1, len(found.players) + 1))
        lines += ["", "mean return" if same else f"mean return of player {seat}", f"   {'':<{width}} {columns}"]
        for place, (name, row) in enumerate(zip(found.players, result.returns, strict=True), start=1):
            lines.append(f"{place:>2} {name:<{width}} " + "".join(f"{value:>8.3f}" for value in row))
        lines.append(f"self-play {result.self_play}, cross-play {result.cross_play}, gap {result.gap}")
    return "\n".join(lines)


def _mean(episodes: Sequence[Episode], seat: int) -> float:
    return sum(episode.returns[seat] for episode in episodes) / len(episodes)


def _matrix(returns: Sequence[Sequence[float]]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in returns)
