"""Tic-tac-toe against OpenSpiel."""

from __future__ import annotations

import random
from typing import Any

import pytest

from spiral_lite import games
from spiral_lite.games import TERMINAL


def test_random_playouts_agree_with_openspiel() -> None:
    pyspiel = pytest.importorskip("pyspiel")
    theirs_game, rng = pyspiel.load_game("tic_tac_toe"), random.Random(0)
    results = set()
    for _ in range(1000):
        ours, theirs = games.make("tic_tac_toe").initial_state(), theirs_game.new_initial_state()
        while ours.player != TERMINAL:
            assert ours.player == theirs.current_player()
            assert ours.legal_actions() == tuple(f"[{cell}]" for cell in theirs.legal_actions())
            cell = rng.choice(theirs.legal_actions())
            ours, theirs = ours.apply(f"[{cell}]"), theirs.child(cell)
            assert list(ours.returns()) == theirs.returns()
        assert theirs.is_terminal()
        results.add(ours.returns()[0])
    assert results == {1.0, 0.0, -1.0}


def test_a_taken_cell_is_refused() -> None:
    state: Any = games.make("tic_tac_toe").initial_state().apply("[4]")
    assert state.board == "....O...."
    with pytest.raises(ValueError, match=r"player 1: '\[4\]' is not legal here"):
        state.apply("[4]")


def test_three_in_a_row_ends_the_game() -> None:
    state: Any = games.make("tic_tac_toe").replay(["[0]", "[3]", "[1]", "[4]", "[2]"])
    assert (state.player, state.winner, state.returns()) == (TERMINAL, 0, (1.0, -1.0))
