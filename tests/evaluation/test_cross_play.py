"""Cross-play: matrices made by hand, coverage over players, a convention that others do not share, and Kuhn poker."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from spiral_lite import games, players
from spiral_lite.dialogue import describes
from spiral_lite.evaluation.cross_play import cross_play, scores
from spiral_lite.evaluation.intervals import mean_interval
from spiral_lite.games import TERMINAL, Game, State

KUHN = games.make("kuhn_poker")


@dataclass(frozen=True)
class Meet(Game):
    """Both say a word, one after the other and unheard; both get 1 if it is the same word: a convention and no more."""

    name: ClassVar[str] = "meet"
    zero_sum: ClassVar[bool] = False
    common_payoff: ClassVar[bool] = True
    max_return: ClassVar[float] = 1.0  # type: ignore[misc]

    def initial_state(self) -> State:
        return Meeting(self)


@dataclass(frozen=True)
class Meeting(State):
    @property
    def player(self) -> int:
        return (0, 1, TERMINAL)[len(self.history)]

    def legal_actions(self) -> tuple[str, ...]:
        return ("[a]", "[b]", "[c]") if self.player != TERMINAL else ()

    def returns(self) -> tuple[float, float]:
        met = float(self.player == TERMINAL and self.history[0] == self.history[1])
        return (met, met)

    def information(self, player: int) -> dict[str, Any]:
        return {"legal": list(self.legal_actions())}

    def _next(self, action: str) -> State:
        return Meeting(self.game, (*self.history, action))


@describes("meet")
def _describe(facts: dict[str, Any]) -> str:
    return "Say a word."


def creature(word: str) -> players.Scripted:
    return players.Scripted(lambda state, rng: word, word)


def test_a_matrix_by_hand() -> None:
    """Off the diagonal 2, 3 | 4, 5 | 6, 10: mean 5. Without player 0 the rest is 5, 10; without 1: 3, 6; 2: 2, 4."""
    found = scores([[7, 2, 3], [4, 8, 5], [6, 10, 9]])
    assert found.self_play == mean_interval([7, 8, 9])
    pseudo = [3 * 5 - 2 * 7.5, 3 * 5 - 2 * 4.5, 3 * 5 - 2 * 3]
    assert found.cross_play == mean_interval(pseudo)
    assert found.cross_play.mean == 5
    assert found.gap == mean_interval([7 - pseudo[0], 8 - pseudo[1], 9 - pseudo[2]])
    assert found.gap.mean == 3


def test_two_players_give_no_interval_of_cross_play() -> None:
    found = scores([[1.0, 0.0], [0.5, 1.0]])
    assert (found.self_play.mean, found.cross_play.mean, found.gap.mean) == (1.0, 0.25, 0.75)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["cross_play"] == {"mean": 0.25, "ci95": [None, None], "n": 1}
    assert record["returns"] == [[1.0, 0.0], [0.5, 1.0]]


def test_the_interval_covers_what_other_players_would_score() -> None:
    """Cells a_i + a_j + noise for players drawn anew: the true mean is 0. As if cells were independent: half."""
    rng, inside = np.random.default_rng(2), 0
    for _ in range(600):
        skill = rng.normal(size=6)
        found = scores((skill[:, None] + skill + 0.3 * rng.normal(size=(6, 6))).tolist())
        inside += found.cross_play.low <= 0 <= found.cross_play.high
    assert 0.92 < inside / 600 < 0.975


def test_the_order_of_players_makes_no_difference() -> None:
    rng = random.Random(3)
    matrix = [[rng.random() for _ in range(5)] for _ in range(5)]
    order = [3, 1, 4, 0, 2]
    one, other = scores(matrix), scores([[matrix[i][j] for j in order] for i in order])
    for name in ("self_play", "cross_play", "gap"):
        assert getattr(one, name).ci95 == pytest.approx(getattr(other, name).ci95)


def test_a_convention_works_with_oneself_only() -> None:
    found = cross_play(Meet(), [creature("[a]"), creature("[b]"), creature("[c]")], 5)
    for seat in found.by_seat:
        assert seat.returns == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        assert (seat.self_play.mean, seat.cross_play.mean, seat.gap.mean) == (1, 0, 1)
    lines = str(found).splitlines()
    assert lines[0] == "meet: 5 games a cell, seed 0; the row's player is player 0"
    assert lines[-1] == "self-play 1 [1, 1], cross-play 0 [0, 0], gap 1 [1, 1]"
    assert len(lines) == 8, "both seats get the same, so one matrix is enough"


def test_kuhn_by_seat() -> None:
    """Equilibria are interchangeable: about -1/18 for player 0 in every cell; self-play and cross-play agree."""
    equilibria = [players.equilibrium_kuhn(alpha) for alpha in (0.0, 0.1, 0.2, 0.3)]
    found = cross_play(KUHN, equilibria, 600, seed=1)
    first, second = found.by_seat
    matrix = np.array(first.returns)
    assert (np.array(second.returns) == -matrix).all()
    assert matrix.mean() == pytest.approx(-1 / 18, abs=0.04)  # three standard errors of 9,600 games
    assert first.gap.low < 0 < first.gap.high
    assert second.cross_play.mean == pytest.approx(-first.cross_play.mean)
    assert "mean return of player 1" in str(found)


def test_rows_sit_first_and_every_cell_has_deals_of_its_own() -> None:
    weak, strong = players.random_player(), players.equilibrium_kuhn()
    found = cross_play(KUHN, [weak, strong], 400, seed=3)
    cells = [found.episodes[place::4] for place in range(4)]
    assert [[turn.player for turn in cell[0].turns[:2]] for cell in cells] == [
        [one.name, other.name] for one in (weak, strong) for other in (weak, strong)
    ]
    assert len({episode.seed for episode in found.episodes}) == 1600
    assert found.by_seat[0].returns[0][1] == sum(episode.returns[0] for episode in cells[1]) / 400
    assert found.by_seat[0].returns[1][0] > found.by_seat[0].returns[0][1]


def test_the_record_is_json() -> None:
    found = cross_play(KUHN, [players.random_player(), players.equilibrium_kuhn()], 2)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "episodes" not in record
    assert record["players"] == ["random", "equilibrium(alpha=0.2)"]
    assert record["games"] == 2
    assert len(record["by_seat"]) == 2


def test_errors_teach() -> None:
    one = players.random_player()
    with pytest.raises(ValueError, match="two or more players with different names; given: random, random"):
        cross_play(KUHN, [one, one], 2)
    with pytest.raises(ValueError, match="n=0: play at least one game"):
        cross_play(KUHN, [one, players.equilibrium_kuhn()], 0)
