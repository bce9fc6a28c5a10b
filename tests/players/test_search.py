"""Search is exact where it sees the end, prunes without changing a move, and refuses what it cannot play."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import games, players
from spiral_lite.evaluation.matches import match
from spiral_lite.games import CHANCE, TERMINAL, State
from spiral_lite.players import connect_four_lines, search
from spiral_lite.players.perfect import best_nim, best_tic_tac_toe
from spiral_lite.players.search import DELAY, best_moves

TIC_TAC_TOE, CONNECT_FOUR = games.make("tic_tac_toe"), games.make("connect_four")


def after_random_moves(game: games.Game, moves: int, seed: int) -> State:
    state, rng = game.initial_state(), random.Random(seed)
    for _ in range(moves):
        if state.player != TERMINAL:
            state = state.apply(rng.choice(state.legal_actions()))
    return state


def plain_minimax(state: State, player: int, depth: int, plies: int) -> float:
    """Without pruning; positions at the horizon as `connect_four_lines` has them."""
    if state.player == TERMINAL:
        return state.returns()[player] * (1 - DELAY * plies)
    if depth == 0:
        return connect_four_lines.worth(state) * (1 if player == 0 else -1)
    values = [plain_minimax(state.apply(move), player, depth - 1, plies + 1) for move in state.legal_actions()]
    return max(values) if state.player == player else min(values)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 30), st.integers(0, 10**6), st.integers(1, 3))
def test_pruning_changes_nothing(moves: int, seed: int, depth: int) -> None:
    state = after_random_moves(CONNECT_FOUR, moves, seed)
    if state.player == TERMINAL:
        return
    values = {move: plain_minimax(state.apply(move), state.player, depth - 1, 1) for move in state.legal_actions()}
    expected = [move for move in values if values[move] == max(values.values())]
    assert best_moves(state, depth, connect_four_lines.worth) == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 8), st.integers(0, 10**6))
def test_a_search_to_the_end_is_perfect_play(moves: int, seed: int) -> None:
    state = after_random_moves(TIC_TAC_TOE, moves, seed)
    if state.player != TERMINAL:
        assert set(best_moves(state, 9)) <= set(best_tic_tac_toe(state)), "the quickest of the moves of equal value"


def test_it_finds_the_only_move_of_nim() -> None:
    state = games.make("nim").initial_state()
    assert best_moves(state, 12) == best_nim(state) == ["[0 2]"]


def test_it_wins_at_once_and_blocks_at_once() -> None:
    three = CONNECT_FOUR.replay(["[0]", "[6]", "[0]", "[6]", "[0]", "[6]"])
    assert best_moves(three, 4) == ["[0]"], "not [1] first, which wins later"
    assert best_moves(three.apply("[1]"), 1) == ["[6]"]
    assert best_moves(CONNECT_FOUR.replay(["[0]", "[6]", "[0]", "[5]", "[0]"]), 2) == ["[0]"]


def test_it_beats_random_clearly() -> None:
    result = match(CONNECT_FOUR, search(2), players.random_player(), 60, seed=1)
    assert result.ci95[0] > 0.7
    assert result.invalid_rate == 0


def test_deeper_beats_shallower() -> None:
    result = match(CONNECT_FOUR, search(3), search(1), 40, seed=1)
    assert result.ci95[0] > 0


def test_the_middle_is_worth_more_than_the_edge() -> None:
    values = [connect_four_lines.worth(CONNECT_FOUR.replay([f"[{column}]"])) for column in range(7)]
    assert values == sorted(values[:4]) + sorted(values[:3], reverse=True)
    assert len(connect_four_lines.LINES) == 69
    assert connect_four_lines.PER_DISC[3] * 69 < connect_four_lines.MOST, "a win is always more"


def test_the_worth_of_a_position_changes_sign_with_the_players() -> None:
    state = after_random_moves(CONNECT_FOUR, 9, 3)
    swapped = type(state)(state.game, state.history, state.board.translate(str.maketrans("XO", "OX")))  # type: ignore[attr-defined]
    assert connect_four_lines.worth(swapped) == -connect_four_lines.worth(state) != 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kuhn_poker", "a game with chance; try mcts:100"),
        ("liars_dice", "a game with chance"),
        ("snake", "a game with chance"),
        ("pig_dice", "a game with chance"),
        ("mini_hanabi", "which is not zero-sum"),
    ],
)
def test_it_refuses_what_it_cannot_search(name: str, message: str) -> None:
    state, rng = games.make(name).initial_state(), random.Random(0)
    while state.player == CHANCE:
        state = state.apply(state.sample_chance(rng))
    with pytest.raises(ValueError, match=message):
        best_moves(state, 3)


def test_it_does_not_look_at_secrets() -> None:
    with pytest.raises(ValueError, match=r"know different things \(resources|values"):
        best_moves(games.make("simple_negotiation").initial_state(), 2)
