"""Snake: two snakes on a 5 x 5 board move at the same time, eat apples to grow, and try to outlive each other.

As SPIRAL configures TextArena's Snake-v0: 2 apples, 40 turns, which are 20 rounds of one move each. In a round,
1. leaving the board kills; so does a cell that both heads enter, and heads that change places;
2. the bodies of those are gone; then entering a body kills. A tail is no obstacle as it moves on, unless its snake
   goes for an apple and so stays where it is;
3. the living move; an apple adds 1 to length and score, and another appears on a free cell.
Who lives on alone wins. Where both die in one round, or both live to the end, the higher score wins; equal is a draw.

Our players move one after the other, so player 0's move is a secret until player 1 has moved: `known` keeps it from
him. Where the apples come from differs from the published code, which `variant="published"` follows:
1. its two first apples may lie on one cell, where they feed one bite and the next;
2. it replaces the apple of player 0 before player 1's snake moves: the new one may lie just where that snake goes, who
   eats it in the same round, and never where that snake's tail has been. Here apples appear when both have moved.
Not reproduced: its moves may also be written w, a, s, d; any other reply kills the snake, while here it forfeits the
game; and it asks player 0 for a 41st move, which has no effect. Reproduced: player 0 starts anywhere in the middle,
player 1 as far from him as can be, so in a corner of it: of 10,000 random games player 0 won 4,783 and player 1 4,078.
Read `tic_tac_toe.py` before this, `dialogue/snake.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, State, as_json

Cell = tuple[int, int]  # x to the right and y upwards, both from 0
Cells = tuple[Cell, ...]

SIZE, APPLES = 5, 2
MOVES = {"[up]": (0, 1), "[down]": (0, -1), "[left]": (-1, 0), "[right]": (1, 0)}
LEGAL = tuple(MOVES)
BOARD = tuple((x, y) for x in range(SIZE) for y in range(SIZE))
INNER = tuple((x, y) for x, y in BOARD if 0 < x < SIZE - 1 and 0 < y < SIZE - 1)  # where snakes start
CELL = {f"{x},{y}": (x, y) for x, y in BOARD}  # chance outcomes: where something is put
NAME = {cell: name for name, cell in CELL.items()}
VARIANTS = ("textbook", "published")


class Known(NamedTuple):
    """All that a player may know: the board, and the move that he has made and the other has not seen."""

    you: int
    snakes: tuple[Cells, ...]  # of player 0 and 1, head first
    apples: Cells
    alive: tuple[bool, bool]
    moves_left: int  # of each player, this round's included
    chosen: str | None
    legal: tuple[str, ...]


@dataclass(frozen=True)
class Snake(Game):
    """A win pays 1, a draw 0."""

    name: ClassVar[str] = "snake"
    max_turns: ClassVar[int] = 40

    variant: str = "textbook"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant={self.variant!r} is unknown; known: {', '.join(VARIANTS)}")

    @property
    def max_return(self) -> float:
        return 1.0

    def initial_state(self) -> SnakeState:
        return SnakeState(self)


@dataclass(frozen=True)
class SnakeState(State):
    """`snakes` are those on the board, player 0's first, each with its head first. `chosen` is player 0's move until
    player 1 has moved; `heads` are (player, cell) that are still to enter it in this round."""

    snakes: tuple[Cells, ...] = ()
    apples: Cells = ()
    alive: tuple[bool, bool] = (True, True)
    turns: int = 0
    chosen: str | None = None
    heads: tuple[tuple[int, Cell], ...] = ()

    @property
    def player(self) -> int:
        if len(self.snakes) < 2:
            return CHANCE
        if not all(self.alive):
            return TERMINAL
        if _owed(self.game, self.snakes, self.apples):
            return CHANCE
        return self.turns % 2 if self.turns < self.game.max_turns else TERMINAL

    def legal_actions(self) -> tuple[str, ...]:
        return LEGAL if self.player in (0, 1) else ()

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._chance().probability.items()) if self.player == CHANCE else ()

    def _chance(self) -> Chance:
        if len(self.snakes) < 2:
            return _evenly(_spawns(self.snakes))
        return _evenly(_free(self.game, self.snakes, self.apples))

    def _next(self, action: str) -> SnakeState:
        game, history, turns = self.game, (*self.history, action), self.turns
        if len(self.snakes) < 2:
            return SnakeState(game, history, (*self.snakes, (CELL[action],)))
        if action in CELL:
            return self._advance(history, (*self.apples, CELL[action]), self.alive, turns, self.heads)
        if self.chosen is None:
            return SnakeState(game, history, self.snakes, self.apples, self.alive, turns + 1, action)
        heads = (_beside(self.snakes[0][0], self.chosen), _beside(self.snakes[1][0], action))
        alive = survivors(self.snakes, self.apples, heads)
        steps = tuple((player, heads[player]) for player in (0, 1) if alive[player])
        return self._advance(history, self.apples, alive, turns + 1, steps)

    def _advance(
        self,
        history: tuple[str, ...],
        apples: Cells,
        alive: tuple[bool, bool],
        turns: int,
        heads: tuple[tuple[int, Cell], ...],
    ) -> SnakeState:
        """Moves the snakes of `heads`. The published game stops between them where it owes an apple."""
        game, snakes = self.game, self.snakes
        at_once = game.variant == "textbook" or not all(alive)
        while heads and (at_once or not _owed(game, snakes, apples)):
            (player, head), heads = heads[0], heads[1:]
            moved = (head, *snakes[player][:-1])
            if head in apples:
                moved, place = (head, *snakes[player]), apples.index(head)
                apples = apples[:place] + apples[place + 1 :]
            snakes = (moved, snakes[1]) if player == 0 else (snakes[0], moved)
        return SnakeState(game, history, snakes, apples, alive, turns, None, heads)

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        mine, others = ((alive, len(snake)) for alive, snake in zip(self.alive, self.snakes))
        result = float((mine > others) - (mine < others))
        return (result, -result)

    def known(self, player: int) -> Known:
        rounds_left = (self.game.max_turns - self.turns + 1) // 2
        chosen = self.chosen if player == 0 else None
        return Known(player, self.snakes, self.apples, self.alive, rounds_left, chosen, self.legal_actions())

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


def survivors(snakes: tuple[Cells, ...], apples: Cells, heads: tuple[Cell, Cell]) -> tuple[bool, bool]:
    """Who lives when the two heads go to these cells."""
    swap = heads == (snakes[1][0], snakes[0][0])
    if heads[0] == heads[1] or swap:
        return (False, False)
    inside = [head in NAME for head in heads]
    bodies: set[Cell] = set()
    for snake, head, lives in zip(snakes, heads, inside):
        if lives:
            bodies.update(snake if head in apples else snake[:-1])
    first, second = (lives and head not in bodies for lives, head in zip(inside, heads))
    return (first, second)


def _beside(cell: Cell, move: str) -> Cell:
    return (cell[0] + MOVES[move][0], cell[1] + MOVES[move][1])


def _spawns(snakes: tuple[Cells, ...]) -> Cells:
    """Where the next snake may start: the first on any inner cell, the second on one that is farthest from it."""
    if not snakes:
        return INNER
    x, y = snakes[0][0]
    distance = {cell: (cell[0] - x) ** 2 + (cell[1] - y) ** 2 for cell in INNER}
    return tuple(cell for cell in INNER if distance[cell] == max(distance.values()))


def _owed(game: Snake, snakes: tuple[Cells, ...], apples: Cells) -> bool:
    """Whether an apple is to appear now. None does on a full board."""
    return len(apples) < APPLES and bool(_free(game, snakes, apples))


def _free(game: Snake, snakes: tuple[Cells, ...], apples: Cells) -> Cells:
    """Where an apple may appear."""
    first_ones = game.variant == "published" and all(len(snake) == 1 for snake in snakes)
    taken = {cell for snake in snakes for cell in snake}
    if not first_ones:
        taken.update(apples)
    return tuple(cell for cell in BOARD if cell not in taken)


@lru_cache(maxsize=4096)
def _evenly(cells: Cells) -> Chance:
    """The chance node that puts something on one of these cells."""
    return Chance.among([(NAME[cell], 1 / len(cells)) for cell in cells])
