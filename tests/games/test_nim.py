"""Nim against OpenSpiel and Bouton's theorem."""

from __future__ import annotations

import functools
import operator
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiral_lite import dialogue, games
from spiral_lite.games import TERMINAL


@pytest.mark.parametrize("piles", [(3, 4, 5), (1, 3, 5, 7)])
def test_random_playouts_agree_with_openspiel(piles: tuple[int, ...]) -> None:
    pyspiel = pytest.importorskip("pyspiel")
    sizes = ";".join(map(str, piles))
    theirs_game, rng, results = pyspiel.load_game(f"nim(pile_sizes={sizes},is_misere=false)"), random.Random(0), set()
    for _ in range(1000):
        ours, theirs = games.make("nim", piles=piles).initial_state(), theirs_game.new_initial_state()
        while ours.player != TERMINAL:
            assert ours.player == theirs.current_player()
            moves = {f"[{move % len(piles)} {move // len(piles) + 1}]": move for move in theirs.legal_actions()}
            assert set(ours.legal_actions()) == set(moves)
            action = rng.choice(ours.legal_actions())
            ours, theirs = ours.apply(action), theirs.child(moves[action])
            assert list(ours.returns()) == theirs.returns()
        assert theirs.is_terminal()
        results.add(ours.returns()[0])
    assert results == {1.0, -1.0}


@pytest.mark.parametrize("piles", [(3, 4, 5), (1, 2, 3), (4, 4), (7,)])
def test_the_exclusive_or_tells_who_wins(piles: tuple[int, ...]) -> None:
    """Bouton 1901: against perfect play, who faces piles whose exclusive or is 0 loses."""

    @functools.cache
    def wins(left: tuple[int, ...]) -> bool:
        state = games.make("nim", piles=left).initial_state()
        after: list[Any] = [state.apply(action) for action in state.legal_actions()]
        return any(child.player == TERMINAL or not wins(tuple(filter(None, child.piles))) for child in after)

    assert wins(piles) == (functools.reduce(operator.xor, piles) != 0)


@given(piles=st.lists(st.integers(1, 6), min_size=1, max_size=6), seed=st.integers(0, 2**32))
def test_the_last_taker_wins(piles: list[int], seed: int) -> None:
    rng, state, left, mover = random.Random(seed), games.make("nim", piles=piles).initial_state(), list(piles), 1
    while state.player != TERMINAL:
        assert len(state.legal_actions()) == sum(left)
        mover, action = state.player, rng.choice(state.legal_actions())
        pile, taken = map(int, action.strip("[]").split())
        left[pile] -= taken
        state = state.apply(action)
        assert state.information(1)["piles"] == left
    assert state.returns()[mover] == 1.0


@pytest.mark.parametrize("action", ["[0 4]", "[0 0]", "[3 1]", "[0 -1]", "[0]", "[0  1]", "[0 1 1]"])
def test_what_cannot_be_taken_is_refused(action: str) -> None:
    with pytest.raises(ValueError, match=r"player 0: .* is not legal here; legal: \[0 1\], \[0 2\]"):
        games.make("nim").initial_state().apply(action)


@pytest.mark.parametrize("piles", [(), (0,), (3, -1), (2.0,), (50, 1), "34"])
def test_wrong_piles_are_refused(piles: Any) -> None:
    with pytest.raises(ValueError, match=r"e\.g\. piles=\(3, 4, 5\)"):
        games.make("nim", piles=piles)


def test_piles_may_come_from_json() -> None:
    assert games.make("nim", piles=[3, 4, 5]) == games.make("nim")
    assert games.make("nim").options() == {"piles": [3, 4, 5]}


def test_what_a_player_reads() -> None:
    text = dialogue.observe(games.make("nim").replay(["[0 3]", "[1 2]"]), 0)
    assert text.startswith("[GAME] You are Player 0 in Nim.\n")
    assert text.splitlines()[-5:] == [
        "Pile 0: 0",
        "Pile 1: 2",
        "Pile 2: 5",
        "Available Moves: [1 1], [1 2], [2 1], [2 2], [2 3], [2 4], [2 5]",
        "Next Action:",
    ]
    assert len(dialogue.observe(games.make("nim").initial_state(), 0)) < 400
