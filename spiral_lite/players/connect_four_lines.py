"""What a position of connect four is worth to a search that stops there: who can still fill which lines of four.

A line that holds discs of both players is dead. Any other is worth more the fuller it is. Read `search.py` before this.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from spiral_lite.games.connect_four import COLUMNS, IN_A_ROW, MARKS, ROWS

PER_DISC = (0, 1, 4, 16, 0)  # points of a line with so many discs of one player and none of the other
MOST = 2000  # points that count as a win: 69 lines of at most 16 are fewer


def _lines() -> list[tuple[int, ...]]:
    """The cells of every line of four: across, down and both diagonals."""
    found = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for row in range(ROWS):
            for column in range(COLUMNS):
                cells = [(row + step * down, column + step * right) for step in range(IN_A_ROW)]
                if all(r < ROWS and 0 <= c < COLUMNS for r, c in cells):
                    found.append(tuple(COLUMNS * r + c for r, c in cells))
    return found


LINES = [itemgetter(*cells) for cells in _lines()]


def worth(state: Any) -> float:
    """To player 0, between -1 and 1.

    >>> from spiral_lite import games
    >>> worth(games.make("connect_four").replay(["[3]", "[0]"]))  # 7 lines go through one disc, 3 through the other
    0.002
    """
    board: str = state.board
    points = 0
    for line in LINES:
        discs = line(board)
        mine, others = discs.count(MARKS[0]), discs.count(MARKS[1])
        if not others:
            points += PER_DISC[mine]
        elif not mine:
            points -= PER_DISC[others]
    return points / MOST
