"""What a player of Nim reads: the rules, the piles, the moves. Read `games/nim.py` before this."""

from __future__ import annotations

from typing import Any

from spiral_lite.dialogue.observations import describes


@describes("nim")
def _nim(information: dict[str, Any]) -> str:
    piles = "".join([f"Pile {pile}: {size}\n" for pile, size in enumerate(information["piles"])])
    return (
        f"[GAME] You are Player {information['you']} in Nim.\n"
        "Take 1 or more from one pile: [0 2] takes 2 from pile 0. Whoever takes the last one of all wins.\n"
        f"{piles}"
        f"Available Moves: {', '.join(information['legal'])}\n"
        "Next Action:"
    )
