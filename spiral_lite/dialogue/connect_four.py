"""What a player of connect four reads: the rules, the board, the free columns. Read `games/connect_four.py` first."""

from __future__ import annotations

from functools import cache
from typing import Any

from spiral_lite.dialogue.observations import describes


@cache  # 3^7 of them
def _row(cells: str) -> str:
    return " ".join(cells)


@describes("connect_four")
def _connect_four(information: dict[str, Any]) -> str:
    you = information["you"]
    board = "\n".join(map(_row, information["rows"]))
    return (
        f"[GAME] You are Player {you} in Connect Four. You play {'XO'[you]}, your opponent plays {'OX'[you]}.\n"
        "Four in a row (across, down or diagonal) wins. A disc falls to the lowest dot of its column; "
        "answer with the column, as in [3].\n"
        f"0 1 2 3 4 5 6\n{board}\n"
        f"Available Moves: {', '.join(information['legal'])}\n"
        "Next Action:"
    )
