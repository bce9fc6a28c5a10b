"""Tic-tac-toe: player 0 is O and moves first, cells are 0-8 from the top left, three in a row wins.

As SPIRAL configures it (reference: arXiv:2506.24119 and its code). Read `base.py` before this, `kuhn_poker.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from spiral_lite.games.base import TERMINAL, Game, State

MARKS = "OX"
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
EMPTY = "."


@cache  # a few thousand boards
def winner_on(board: str) -> int | None:
    """The player with three in a row, if there is one."""
    for a, b, c in LINES:
        if board[a] != EMPTY and board[a] == board[b] == board[c]:
            return MARKS.index(board[a])
    return None


@cache
def legal_on(board: str) -> tuple[str, ...]:
    """The free cells, in brackets; () when the game is over."""
    if winner_on(board) is not None:
        return ()
    return tuple(f"[{cell}]" for cell, mark in enumerate(board) if mark == EMPTY)


@dataclass(frozen=True)
class TicTacToe(Game):
    """The game; it has no options."""

    name: ClassVar[str] = "tic_tac_toe"
    max_turns: ClassVar[int] = 9

    @property
    def max_return(self) -> float:
        return 1.0

    @property
    def value(self) -> float:
        return 0.0  # by minimax over its 5,478 positions

    def initial_state(self) -> TicTacToeState:
        return TicTacToeState(self)


@dataclass(frozen=True)
class TicTacToeState(State):
    """`board` is nine characters: O, X or a dot."""

    board: str = EMPTY * 9

    @property
    def winner(self) -> int | None:
        """The player with three in a row, if there is one."""
        return winner_on(self.board)

    @property
    def player(self) -> int:
        return len(self.history) % 2 if legal_on(self.board) else TERMINAL

    def legal_actions(self) -> tuple[str, ...]:
        return legal_on(self.board)

    def _next(self, action: str) -> TicTacToeState:
        cell = int(action[1])
        board = self.board[:cell] + MARKS[len(self.history) % 2] + self.board[cell + 1 :]
        return TicTacToeState(self.game, (*self.history, action), board)

    def returns(self) -> tuple[float, float]:
        if self.winner is None:
            return (0.0, 0.0)
        return (1.0, -1.0) if self.winner == 0 else (-1.0, 1.0)

    def information(self, player: int) -> dict[str, Any]:
        return {"you": player, "board": self.board, "legal": list(legal_on(self.board))}
