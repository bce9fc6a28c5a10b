"""Matches: many games between two players, half from each seat, with 95 % intervals.

The rule for invalid moves is that of evaluation: whoever makes one takes the worst loss that the game knows. (Training
pays -1.5 and +0.5.) Read `intervals` and `rollout` before this.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spiral_lite.evaluation.intervals import Interval, finite, mean_interval, wilson
from spiral_lite.games import Game
from spiral_lite.players import Player
from spiral_lite.rollout import Episode, Turn, play


@dataclass(frozen=True)
class MatchResult:
    """How `player` did against `opponent`; all figures are the player's unless they say otherwise.

    A win is a return above 0 and a draw is a return of 0, so a drawn game counts in `win_rate` as not won. Intervals of
    returns are by the t-distribution, those of shares Wilson's. `mean_reply_tokens` is None for a scripted player.
    """

    game: str
    options: dict[str, Any]
    player: str
    opponent: str
    games: int
    seed: int
    mean_return: float
    ci95: tuple[float, float]
    win_rate: float
    win_rate_ci95: tuple[float, float]
    draw_rate: float
    by_seat: tuple[Interval, Interval]  # mean return as player 0 and as player 1
    invalid_rate: float  # share of the games that the player ended by an invalid move
    opponent_invalid_rate: float
    mean_reply_tokens: float | None
    seconds: float
    games_per_second: float
    episodes: tuple[Episode, ...] = field(default=(), repr=False, compare=False)  # in even ones the player is player 0

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the episodes (`rollout.write_jsonl` keeps those)."""
        record = {name: value for name, value in vars(self).items() if name != "episodes"}
        return record | {
            "ci95": finite(self.ci95),
            "win_rate_ci95": finite(self.win_rate_ci95),
            "by_seat": [seat.to_dict() for seat in self.by_seat],
        }


def match(game: Game, player: Player, opponent: Player, n: int, seed: int = 0) -> MatchResult:
    """Plays `n` games in batches, the player first in games 0, 2, ... and second in games 1, 3, ...

    `n` must be even, or one seat would count more: player 0 of Kuhn poker loses 1/18 of a chip a game even when both
    play perfectly. Raises ValueError if it is not.

    >>> from spiral_lite import games, players
    >>> match(games.make("tic_tac_toe"), players.make("perfect"), players.make("random"), 20).invalid_rate
    0.0
    """
    if n < 2 or n % 2:
        raise ValueError(f"n={n}: play an even number of games, half from each seat, e.g. n={max(2, n + n % 2)}")
    started = time.perf_counter()
    episodes = play(game, [(player, opponent), (opponent, player)], n, seed, forfeit=None)
    seconds = time.perf_counter() - started
    names = (player.name, opponent.name)
    return summary(game, names, episodes, seed, seconds)


def summary(
    game: Game, names: tuple[str, str], episodes: Sequence[Episode], seed: int = 0, seconds: float = 0.0
) -> MatchResult:
    """The figures of episodes in which names[0] sits as player 0 in the even ones and as player 1 in the odd ones."""
    n = len(episodes)
    returns = [episode.returns[index % 2] for index, episode in enumerate(episodes)]
    offenders = [_offender(episode, index % 2) for index, episode in enumerate(episodes)]
    lengths = [len(turn.reply_ids) for turn in _turns_of_player(episodes) if turn.reply_ids]
    overall, wins = mean_interval(returns), wilson(sum(value > 0 for value in returns), n)
    return MatchResult(
        game=game.name,
        options=game.options(),
        player=names[0],
        opponent=names[1],
        games=n,
        seed=seed,
        mean_return=overall.mean,
        ci95=overall.ci95,
        win_rate=wins.mean,
        win_rate_ci95=wins.ci95,
        draw_rate=sum(value == 0 for value in returns) / n,
        by_seat=(mean_interval(returns[0::2]), mean_interval(returns[1::2])),
        invalid_rate=offenders.count("player") / n,
        opponent_invalid_rate=offenders.count("opponent") / n,
        mean_reply_tokens=sum(lengths) / len(lengths) if lengths else None,
        seconds=seconds,
        games_per_second=n / seconds if seconds > 0 else 0.0,
        episodes=tuple(episodes),
    )


def _offender(episode: Episode, seat: int) -> str | None:
    """Who ended the game by an invalid move, seen from the player in `seat`."""
    if episode.ended != "invalid":
        return None
    return "player" if episode.turns[-1].role == seat else "opponent"


def _turns_of_player(episodes: Sequence[Episode]) -> list[Turn]:
    return [turn for index, episode in enumerate(episodes) for turn in episode.turns if turn.role == index % 2]
