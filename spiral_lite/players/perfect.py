"""Perfect play where it can be written down: tic-tac-toe by minimax, nim by the nim-sum (Bouton 1901).

Among moves of equal value these players draw at random, so that their games vary; where every move of nim loses, that
is any move. Kuhn poker's equilibria are in `kuhn.py`. Read `base.py` before this, `search.py` after.
"""

from __future__ import annotations

import functools
import operator
import random
from collections.abc import Callable
from typing import Any

from spiral_lite.games import State
from spiral_lite.games.tic_tac_toe import EMPTY, MARKS, TicTacToe, TicTacToeState
from spiral_lite.players.base import Scripted


def perfect() -> Scripted:
    """Never loses tic-tac-toe, nor nim from a won position. Refuses, with ValueError, every other game at its turn."""

    def choose(state: State, rng: random.Random) -> str:
        moves = MOVES.get(state.game.name)
        if moves is None:
            raise ValueError(
                f"the perfect player cannot play {state.game.name}; it plays {', '.join(MOVES)}; try equilibrium (Kuhn "
                "poker), search:6 (games without chance and secrets) or random"
            )
        return rng.choice(moves(state))

    return Scripted(choose, "perfect")


def best_tic_tac_toe(state: State) -> list[str]:
    """The moves that keep the best value for the player to move."""
    values = {action: -_value(state.apply(action).board) for action in state.legal_actions()}  # type: ignore[attr-defined]
    return [action for action, value in values.items() if value == max(values.values())]


@functools.cache
def _value(board: str) -> int:
    """The minimax value of a tic-tac-toe board to the player to move."""
    played = 9 - board.count(EMPTY)
    state = TicTacToeState(TicTacToe(), ("",) * played, board)
    if state.winner is not None:
        return -1  # the other has just completed a line
    if EMPTY not in board:
        return 0
    me = MARKS[played % 2]
    return max(-_value(board[:i] + me + board[i + 1 :]) for i, mark in enumerate(board) if mark == EMPTY)


def best_nim(state: State) -> list[str]:
    """The moves after which the exclusive or of the piles is 0, which loses for the other player; if none, all moves.

    >>> from spiral_lite import games
    >>> best_nim(games.make("nim").initial_state())
    ['[0 2]']
    """
    winning = [action for action in state.legal_actions() if not _nim_sum(state.apply(action))]
    return winning or list(state.legal_actions())


def _nim_sum(state: Any) -> int:
    return functools.reduce(operator.xor, state.piles)


MOVES: dict[str, Callable[[State], list[str]]] = {"tic_tac_toe": best_tic_tac_toe, "nim": best_nim}
