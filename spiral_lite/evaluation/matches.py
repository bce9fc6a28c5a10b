"""Matches: many games between two players, half from each seat, with 95 % intervals.

The rule for invalid moves is that of evaluation: whoever makes one takes the worst loss that the game knows. (Training
pays -1.5 and +0.5.) So a win may be a gift: `Outcomes` keeps forfeits apart from what was won and lost by the rules.
Read `intervals` and `rollout` before this.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from spiral_lite.evaluation.intervals import Interval, finite, mean_interval, wilson
from spiral_lite.games import Game
from spiral_lite.players import Player
from spiral_lite.rollout import Episode, Turn, play


@dataclass(frozen=True)
class Outcomes:
    """How games ended, as one of the players sees them: every game is counted once.

    `won`, `drawn` and `lost` are by the rules: a return above, at and below 0, or in a cooperative game the full score
    (won) and less (lost). `opponent_forfeited` and `forfeited` games ended by an invalid move; one that reached its
    `turn_limit` was stopped and counts as a draw.
    """

    won: int
    drawn: int
    lost: int
    opponent_forfeited: int
    forfeited: int
    turn_limit: int

    @classmethod
    def of(cls, game: Game, played: Iterable[tuple[Episode, int]]) -> Outcomes:
        """played: (episode, the player's seat)."""
        seen = Counter(_outcome(game, episode, seat) for episode, seat in played)
        return cls(**{outcome.name: seen[outcome.name] for outcome in fields(cls)})

    @property
    def games(self) -> int:
        return sum(vars(self).values())

    def turned(self) -> Outcomes:
        """The same games as the opponent sees them, in a zero-sum game."""
        return Outcomes(self.lost, self.drawn, self.won, self.forfeited, self.opponent_forfeited, self.turn_limit)


@dataclass(frozen=True)
class MatchResult:
    """How `player` did against `opponent`; all figures are the player's unless they say otherwise.

    A win is a return above 0 and a draw is a return of 0, so a drawn game counts in `win_rate` as not won, and one that
    the opponent forfeited as won: `outcomes` tells them apart. In a cooperative game, where the return is the
    opponent's too, a win is the full score and nothing is a draw. Intervals of returns are by the t-distribution, those
    of shares Wilson's. `mean_reply_tokens` is None for a scripted player.
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
    outcomes: Outcomes
    invalid_rate: float  # share of the games that the player ended by an invalid move
    invalid_rate_ci95: tuple[float, float]
    opponent_invalid_rate: float
    opponent_invalid_rate_ci95: tuple[float, float]
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
            "outcomes": asdict(self.outcomes),
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
    outcomes = Outcomes.of(game, [(episode, index % 2) for index, episode in enumerate(episodes)])
    lengths = [len(turn.reply_ids) for turn in _turns_of_player(episodes) if turn.reply_ids]
    won = [value == game.max_return if game.common_payoff else value > 0 for value in returns]
    overall, wins = mean_interval(returns), wilson(sum(won), n)
    invalid, opponent_invalid = wilson(outcomes.forfeited, n), wilson(outcomes.opponent_forfeited, n)
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
        draw_rate=0.0 if game.common_payoff else sum(value == 0 for value in returns) / n,
        by_seat=(mean_interval(returns[0::2]), mean_interval(returns[1::2])),
        outcomes=outcomes,
        invalid_rate=invalid.mean,
        invalid_rate_ci95=invalid.ci95,
        opponent_invalid_rate=opponent_invalid.mean,
        opponent_invalid_rate_ci95=opponent_invalid.ci95,
        mean_reply_tokens=sum(lengths) / len(lengths) if lengths else None,
        seconds=seconds,
        games_per_second=n / seconds if seconds > 0 else 0.0,
        episodes=tuple(episodes),
    )


def _outcome(game: Game, episode: Episode, seat: int) -> str:
    """The field of `Outcomes` that counts this game, seen from `seat`."""
    if episode.ended == "invalid":
        return "forfeited" if episode.turns[-1].role == seat else "opponent_forfeited"
    if episode.ended == "turn_limit":
        return "turn_limit"
    value = episode.returns[seat]
    if game.common_payoff:
        return "won" if value == game.max_return else "lost"
    return "won" if value > 0 else "lost" if value < 0 else "drawn"


def _turns_of_player(episodes: Sequence[Episode]) -> list[Turn]:
    return [turn for index, episode in enumerate(episodes) for turn in episode.turns if turn.role == index % 2]
