"""Pig: roll as often as you dare and hold to keep the points; a 1 loses the points of the turn. First to 50 wins.

As SPIRAL configures it (PigDice-v1: to 50, 50 turns): `[roll]` adds 2 to 6 to the turn total, while a 1 loses the total
and ends the turn; `[hold]` adds the total to the score and ends the turn; only a score wins, not a total. Where what is
published leaves its own rules text, which is just "first to 50":
1. The limit is nowhere in the text that its players read. Ours tells them, as the end of the game depends on it.
2. SPIRAL counts a player's whole turn as one, as we do: 25 for each. TextArena 0.7.4 (PigDice-v0-50) counts single
   actions, and only looks when a turn ends: that cuts off 63 % of random games, and 9 % of those between players who
   hold at 20 points.
3. At the limit the higher score wins, and equal scores draw. OpenSpiel's pig calls its limit (of actions) a draw,
   and takes `[roll]` away where `[hold]` wins at once; here, as published, one may still throw the win away.
4. Nothing there stops a player who rolls for ever. Here a game ends after 200 actions too, again with the higher
   score: random players need 58 on average, and seldom 90, so this only meets those who hardly ever hold.
5. Its dice come from the process-wide random generator; ours are chance nodes.
Read `connect_four.py` before this. Its strategy: Neller & Presser, "Optimal Play of the Dice Game Pig" (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, State, as_json

TARGET = 50  # points
TURNS = 50  # of both players together
ROLL, HOLD = LEGAL = ("[roll]", "[hold]")
BUST = "1"
DIE = Chance.among([(face, 1 / 6) for face in "123456"])
FACES = tuple(DIE.probability.items())


@dataclass(frozen=True)
class PigDice(Game):
    """The game; it has no options. `max_turns` counts actions."""

    name: ClassVar[str] = "pig_dice"
    max_turns: ClassVar[int] = 200

    @property
    def max_return(self) -> float:
        return 1.0

    def initial_state(self) -> PigDiceState:
        return PigDiceState(self)


class Known(NamedTuple):
    """All that a player may know, which is everything: `rolls` are those of the turn that is being played."""

    you: int
    scores: tuple[int, int]
    rolls: tuple[int, ...]
    turns_left: int
    actions_left: int
    legal: tuple[str, ...]


@dataclass(frozen=True)
class PigDiceState(State):
    """`turns` and `actions` count those that are over; `rolls` are this turn's; `rolling`: the die is in the air."""

    scores: tuple[int, int] = (0, 0)
    turns: int = 0
    actions: int = 0
    rolls: tuple[int, ...] = ()
    rolling: bool = False

    @property
    def player(self) -> int:
        if self.rolling:
            return CHANCE
        over = self.turns == TURNS or max(self.scores) >= TARGET or self.actions == self.game.max_turns
        return TERMINAL if over else self.turns % 2

    def legal_actions(self) -> tuple[str, ...]:
        return LEGAL if self.player >= 0 else ()

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return FACES if self.rolling else ()

    def _chance(self) -> Chance:
        return DIE if self.rolling else super()._chance()

    def _next(self, action: str) -> PigDiceState:
        game, history, scores = self.game, (*self.history, action), self.scores
        if action == ROLL:
            return PigDiceState(game, history, scores, self.turns, self.actions + 1, self.rolls, rolling=True)
        if action == HOLD:
            total = sum(self.rolls)
            scores = (scores[0] + total, scores[1]) if self.turns % 2 == 0 else (scores[0], scores[1] + total)
            return PigDiceState(game, history, scores, self.turns + 1, self.actions + 1)
        if action == BUST:
            return PigDiceState(game, history, scores, self.turns + 1, self.actions)
        return PigDiceState(game, history, scores, self.turns, self.actions, (*self.rolls, int(action)))

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL or self.scores[0] == self.scores[1]:
            return (0.0, 0.0)
        return (1.0, -1.0) if self.scores[0] > self.scores[1] else (-1.0, 1.0)

    def known(self, player: int) -> Known:
        left = (TURNS - self.turns, self.game.max_turns - self.actions)
        return Known(player, self.scores, self.rolls, *left, self.legal_actions())

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))
