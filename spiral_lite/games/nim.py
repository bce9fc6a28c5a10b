"""Nim: take as many as you like from one pile; whoever takes the last object wins.

As SPIRAL and TextArena (Nim-v0) configure it: piles of 3, 4 and 5, normal play, `[0 3]` takes 3 from pile 0. The rules
as written and the published code agree. Solved by Bouton (1901): against perfect play the player to move loses if
and only if the exclusive or of the piles is 0; 3 ^ 4 ^ 5 = 2, so here the first player wins, and by `[0 2]` alone.
Read `tic_tac_toe.py` before this, `connect_four.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import xor
from typing import Any, ClassVar

from spiral_lite.games.base import TERMINAL, Game, State


@dataclass(frozen=True)
class Nim(Game):
    """`piles` are the sizes at the start; with few objects in all, a game ends within `max_turns`."""

    name: ClassVar[str] = "nim"

    piles: tuple[int, ...] = (3, 4, 5)

    def __post_init__(self) -> None:
        object.__setattr__(self, "piles", tuple(self.piles))  # a list, where it comes from JSON
        if not all(isinstance(size, int) and size > 0 for size in self.piles) or not 1 <= sum(self.piles) <= 50:
            raise ValueError(
                f"piles={self.piles!r}: sizes are whole numbers from 1 up, at most 50 in all, e.g. piles=(3, 4, 5)"
            )

    @property
    def max_return(self) -> float:
        return 1.0

    @property
    def value(self) -> float:
        return 1.0 if reduce(xor, self.piles) else -1.0  # Bouton 1901

    def options(self) -> dict[str, Any]:
        return {"piles": list(self.piles)}

    def initial_state(self) -> NimState:
        return NimState(self, (), self.piles)


@dataclass(frozen=True)
class NimState(State):
    """`piles` are the sizes that are left."""

    piles: tuple[int, ...] = ()

    @property
    def player(self) -> int:
        return len(self.history) % 2 if any(self.piles) else TERMINAL

    def legal_actions(self) -> tuple[str, ...]:
        return _legal(self.piles)

    def _next(self, action: str) -> NimState:
        pile, taken = map(int, action[1:-1].split())
        piles = self.piles
        left = (*piles[:pile], piles[pile] - taken, *piles[pile + 1 :])
        return NimState(self.game, (*self.history, action), left)

    def returns(self) -> tuple[float, float]:
        if any(self.piles):
            return (0.0, 0.0)
        return (1.0, -1.0) if len(self.history) % 2 else (-1.0, 1.0)  # an odd number of moves: player 0 took the last

    def information(self, player: int) -> dict[str, Any]:
        return {"you": player, "piles": list(self.piles), "legal": list(self.legal_actions())}


@lru_cache(maxsize=4096)
def _legal(piles: tuple[int, ...]) -> tuple[str, ...]:
    """Pile by pile, every number of objects that can be taken from it; () when nothing is left."""
    return tuple(f"[{pile} {taken}]" for pile, size in enumerate(piles) for taken in range(1, size + 1))
