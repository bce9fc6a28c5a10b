"""Each game's value under perfect play, against a solver where the game is small enough to solve."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from spiral_lite import games
from spiral_lite.evaluation import exact

SMALL: list[tuple[str, dict[str, Any]]] = [
    ("kuhn_poker", {}),
    ("kuhn_poker", {"rounds": 2}),
    ("kuhn_poker", {"variant": "published"}),  # player 1 starts
    ("kuhn_poker", {"variant": "published", "rounds": 2}),  # player 0 starts the last round
    ("tic_tac_toe", {}),
    *[("nim", {"piles": piles}) for piles in [(3, 4, 5), (1, 2, 3), (2, 2), (7,), (1, 1, 1), (1, 1, 2, 2), (2, 4, 1)]],
]


@pytest.mark.parametrize(("name", "options"), SMALL, ids=str)
def test_the_value_is_the_solver_s(name: str, options: dict[str, Any]) -> None:
    pytest.importorskip("pyspiel")
    game = games.make(name, **options)
    assert game.value == pytest.approx(exact.game_value(game), abs=1e-9)


@pytest.mark.parametrize("piles", [(1,), (5, 5), (3, 4, 5), (1, 3, 5, 7), (2, 3, 4, 6), (10, 20, 20), (9, 9, 9)])
def test_the_value_of_nim_is_that_of_its_best_moves(piles: tuple[int, ...]) -> None:
    """Bouton's theorem turned round: a position is won if and only if one of its moves leads to a lost one."""

    @functools.cache
    def value(left: tuple[int, ...]) -> float:
        if not any(left):
            return -1.0  # the other player took the last
        moves = {
            tuple(sorted((*left[:pile], rest, *left[pile + 1 :])))
            for pile in range(len(left))
            for rest in range(left[pile])
        }
        return max(-value(after) for after in moves)

    assert games.make("nim", piles=piles).value == value(tuple(sorted(piles)))


def test_the_published_match_is_its_last_round() -> None:
    """Returns do not depend on what came before it, so neither does the value, however many rounds there are."""
    for rounds in (1, 2, 5, 12):
        game = games.make("kuhn_poker", rounds=rounds, variant="published")
        assert game.value == 0
    last = ("K", "Q", "[check]", "[check]")  # player 0 has the king, whoever starts
    for first in (("J", "K"), ("K", "J")):
        match = games.make("kuhn_poker", rounds=2, variant="published").replay([*first, "[bet]", "[fold]", *last])
        assert match.returns() == (1.0, -1.0)


def test_connect_four_is_won_by_the_first_player() -> None:
    assert games.make("connect_four").value == 1  # too large for our solver


@pytest.mark.parametrize("name", games.names())
def test_a_value_is_a_possible_return_of_a_zero_sum_game(name: str) -> None:
    game = games.make(name)
    assert game.value is None or (game.zero_sum and game.min_return <= game.value <= game.max_return)


def test_unsolved_games_have_none() -> None:
    unsolved = {"liars_dice", "mini_hanabi", "pig_dice", "simple_negotiation", "snake", "truth_and_deception"}
    assert {name for name in games.names() if games.make(name).value is None} >= unsolved
    assert games.make("kuhn_poker", rounds=3).value is None
