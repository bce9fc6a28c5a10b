"""Connect four against OpenSpiel and all 69 lines of four."""

from __future__ import annotations

import random
from typing import Any

import pytest

from spiral_lite import dialogue, games
from spiral_lite.games import TERMINAL
from spiral_lite.games.connect_four import CELLS, COLUMNS, ROWS, lines_through

DRAWN = "361313645534311043046626105524515600224220"


def test_random_playouts_agree_with_openspiel() -> None:
    pyspiel = pytest.importorskip("pyspiel")
    theirs_game, rng, results = pyspiel.load_game("connect_four"), random.Random(0), set()
    for _ in range(1000):
        ours: Any = games.make("connect_four").initial_state()
        theirs = theirs_game.new_initial_state()
        while ours.player != TERMINAL:
            assert ours.player == theirs.current_player()
            assert ours.legal_actions() == tuple(f"[{column}]" for column in theirs.legal_actions())
            column = rng.choice(theirs.legal_actions())
            ours, theirs = ours.apply(f"[{column}]"), theirs.child(column)
            assert list(ours.returns()) == theirs.returns()
            assert ours.board.lower() == str(theirs).replace("\n", "")
        assert theirs.is_terminal()
        results.add(ours.returns()[0])
    assert results >= {1.0, -1.0}


def test_the_lines_are_all_lines_of_four() -> None:
    directions = ((0, 1), (1, 0), (1, 1), (1, -1))
    expected = {
        tuple(COLUMNS * (row + i * down) + column + i * right for i in range(4))
        for row in range(ROWS)
        for column in range(COLUMNS)
        for down, right in directions
        if row + 3 * down < ROWS and 0 <= column + 3 * right < COLUMNS
    }
    assert len(expected) == 69
    found = set()
    for cell in range(CELLS):
        through = {
            line[i : i + 4]
            for line in (tuple(range(CELLS)[piece]) for piece in lines_through(cell))
            for i in range(len(line) - 3)
        }
        assert {line for line in expected if cell in line} <= through
        found |= through
    assert found == expected


def test_a_full_column_is_refused() -> None:
    state: Any = games.make("connect_four").replay(["[3]"] * 6)
    assert state.board[3::COLUMNS] == "OXOXOX"
    assert "[3]" not in state.legal_actions()
    with pytest.raises(ValueError, match=r"player 0: '\[3\]' is not legal here; legal: \[0\], \[1\], \[2\], \[4\]"):
        state.apply("[3]")


def test_a_full_board_is_a_draw() -> None:
    state: Any = games.make("connect_four").replay([f"[{column}]" for column in DRAWN])
    assert (len(state.history), state.player, state.returns()) == (CELLS, TERMINAL, (0.0, 0.0))


def test_the_last_disc_may_win() -> None:
    state = games.make("connect_four").replay(["[0]", "[6]", "[1]", "[6]", "[3]", "[6]", "[2]"])
    assert (state.player, state.returns(), state.legal_actions()) == (TERMINAL, (1.0, -1.0), ())


def test_what_a_player_reads() -> None:
    text = dialogue.observe(games.make("connect_four").replay(["[3]"] * 6 + ["[0]"]), 1)
    assert text.startswith("[GAME] You are Player 1 in Connect Four. You play O, your opponent plays X.\n")
    assert text.splitlines()[-9:] == [
        "0 1 2 3 4 5 6",
        ". . . O . . .",
        ". . . X . . .",
        ". . . O . . .",
        ". . . X . . .",
        ". . . O . . .",
        "X . . X . . .",
        "Available Moves: [0], [1], [2], [4], [5], [6]",
        "Next Action:",
    ]
    assert len(text) < 500
