"""Connect four: drop discs into columns; four in a row (across, down or diagonal) win.

As SPIRAL and TextArena (ConnectFour-v0) configure it: 6 rows, 7 columns numbered from 0 at the left, player 0 is X and
moves first, a full board is a draw. The rules as written and the published code agree; it accepts `[col 3]` and `[3]`,
we only the latter, which looks like tic-tac-toe's. With perfect play the first player wins (Allis 1988).
Read `tic_tac_toe.py` before this, `pig_dice.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from spiral_lite.games.base import TERMINAL, Game, State

ROWS, COLUMNS, IN_A_ROW = 6, 7, 4
CELLS = ROWS * COLUMNS  # row by row from the top left, so cell = COLUMNS * row + column
MARKS = "XO"
FOUR = tuple(mark * IN_A_ROW for mark in MARKS)
EMPTY = "."


@cache
def lines_through(cell: int) -> tuple[slice, ...]:
    """The row, the column and the two diagonals of a cell, as slices of the board."""
    row, column = divmod(cell, COLUMNS)
    lines = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        step = COLUMNS * down + right
        before = min(_room(-down, row, ROWS), _room(-right, column, COLUMNS))
        after = min(_room(down, row, ROWS), _room(right, column, COLUMNS))
        if before + after + 1 >= IN_A_ROW:
            lines.append(slice(cell - before * step, cell + after * step + 1, step))
    return tuple(lines)


def _room(direction: int, place: int, size: int) -> int:
    """How many steps in `direction` (-1, 0, 1) stay on an axis of `size` places."""
    return {-1: place, 0: size, 1: size - 1 - place}[direction]


@cache  # a column is open while its top cell is empty: 3^7 top rows
def _open_columns(top: str) -> tuple[str, ...]:
    return tuple(f"[{column}]" for column, mark in enumerate(top) if mark == EMPTY)


@dataclass(frozen=True)
class ConnectFour(Game):
    """The game; it has no options."""

    name: ClassVar[str] = "connect_four"
    max_turns: ClassVar[int] = CELLS

    @property
    def max_return(self) -> float:
        return 1.0

    @property
    def value(self) -> float:
        return 1.0  # Allis 1988, "A Knowledge-based Approach of Connect-Four"; Allen, the same year

    def initial_state(self) -> ConnectFourState:
        return ConnectFourState(self)


@dataclass(frozen=True)
class ConnectFourState(State):
    """`board` is 42 characters, X, O or a dot; `winner` is the player with four in a row, if there is one."""

    board: str = EMPTY * CELLS
    winner: int | None = None

    @property
    def player(self) -> int:
        moves = len(self.history)
        return moves % 2 if self.winner is None and moves < CELLS else TERMINAL

    def legal_actions(self) -> tuple[str, ...]:
        return _open_columns(self.board[:COLUMNS]) if self.winner is None else ()

    def _next(self, action: str) -> ConnectFourState:
        player, column = len(self.history) % 2, int(action[1])
        free = self.board[column::COLUMNS].count(EMPTY)
        cell = COLUMNS * (free - 1) + column
        board = self.board[:cell] + MARKS[player] + self.board[cell + 1 :]
        won = any(FOUR[player] in board[line] for line in lines_through(cell))
        return ConnectFourState(self.game, (*self.history, action), board, player if won else None)

    def returns(self) -> tuple[float, float]:
        if self.winner is None:
            return (0.0, 0.0)
        return (1.0, -1.0) if self.winner == 0 else (-1.0, 1.0)

    def information(self, player: int) -> dict[str, Any]:
        rows = [self.board[start : start + COLUMNS] for start in range(0, CELLS, COLUMNS)]
        return {"you": player, "rows": rows, "legal": list(self.legal_actions())}
