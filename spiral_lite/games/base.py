"""What a game is: frozen states, legal actions, chance, returns, and what each player may know.

The interface is OpenSpiel's, made immutable: `apply` returns a new state and leaves the old one as it was, so a search,
a replay and an exact solver may all hold on to positions. Actions are the strings that a player writes, such as `[4]`.
Text (observations, prompts) is not here: see `dialogue`. Read this first, then `tic_tac_toe.py`, the smallest game.
"""

from __future__ import annotations

import dataclasses
import random
from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple

CHANCE = -1  # `state.player` when the next move is a deal or a die
TERMINAL = -4  # `state.player` when the game is over (the numbers are OpenSpiel's)


@dataclasses.dataclass(frozen=True)
class Invalid:
    """A reply that is no action here, and why: the reason is shown to people and written to the logs."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Forfeit:
    """What an invalid move pays: SPIRAL's training rule punishes more than it gives: not zero-sum, on purpose."""

    offender: float
    other: float

    def returns(self, player: int) -> tuple[float, float]:
        """(r0, r1) when `player` made the invalid move."""
        return (self.offender, self.other) if player == 0 else (self.other, self.offender)


class Chance(NamedTuple):
    """A chance node, ready to draw from."""

    probability: dict[str, float]  # of each outcome
    outcomes: tuple[str, ...]
    bounds: tuple[float, ...]  # the running sum of the probabilities, up to the last but one
    total: float  # the whole sum: 1, but for rounding

    @classmethod
    def among(cls, outcomes: Iterable[tuple[str, float]]) -> Chance:
        """The node that has these (outcome, probability)."""
        names, probabilities = zip(*outcomes, strict=True)
        *bounds, total = accumulate(probabilities)
        return cls(dict(zip(names, probabilities)), names, tuple(bounds), total)


def as_json(record: Any) -> Any:
    """A record as JSON data: NamedTuples become dicts and other tuples lists, all the way down."""
    if not isinstance(record, tuple):
        return record
    values = [as_json(value) if isinstance(value, tuple) else value for value in record]
    return dict(zip(record._fields, values)) if hasattr(record, "_fields") else values


TRAINING_FORFEIT = Forfeit(-1.5, +0.5)  # reference: SPIRAL's code
ZERO_SUM_FORFEIT = Forfeit(-1.5, +1.5)  # the same punishment, for those who want the sum to be 0


@dataclasses.dataclass(frozen=True)
class Game(ABC):
    """The rules, with their options as fields. Two games with equal options are equal.

    A subclass sets `name` (register it with `games.register`) and `max_return`, and writes `initial_state`. In a
    cooperative game both players get the same return: it sets `zero_sum = False`, `common_payoff = True` and, where no
    game ends below 0, `min_return`.
    """

    name: ClassVar[str]
    zero_sum: ClassVar[bool] = True
    common_payoff: ClassVar[bool] = False
    max_turns: ClassVar[int] = 50  # players' actions; a longer game is a draw (0, 0)

    @abstractmethod
    def initial_state(self) -> State:
        """The state before the first deal or move."""

    @property
    @abstractmethod
    def max_return(self) -> float:
        """The most that a player can win; returns lie in [min_return, max_return]."""

    @property
    def min_return(self) -> float:
        """The worst that can befall a player; in a zero-sum game what the other one wins."""
        return -self.max_return

    @property
    def value(self) -> float | None:
        """What player 0 gets in a zero-sum game if both play perfectly, where that is known; None elsewhere."""
        return None

    def options(self) -> dict[str, Any]:
        """The fields, ready for JSON: `games.make(game.name, **game.options()) == game`."""
        return dataclasses.asdict(self)

    def loss_forfeit(self) -> Forfeit:
        """In evaluation an invalid move is the worst loss that the game knows."""
        return self.forfeit(Forfeit(self.min_return, self.max_return))

    def forfeit(self, rule: Forfeit) -> Forfeit:
        """What an invalid move pays here by this rule: in a cooperative game both get what the offender gets."""
        return Forfeit(rule.offender, rule.offender) if self.common_payoff else rule

    def replay(self, history: tuple[str, ...] | list[str]) -> State:
        """The state after `history` (actions and chance outcomes in order). Raises ValueError at the first bad one."""
        state = self.initial_state()
        for action in history:
            state = state.apply(action)
        return state


@dataclasses.dataclass(frozen=True)
class State(ABC):
    """A position. `history` holds every action and chance outcome so far and determines everything else.

    A subclass may add fields that it derives as it goes (a board, the chips), for speed.
    """

    game: Any
    history: tuple[str, ...] = ()

    @property
    @abstractmethod
    def player(self) -> int:
        """Whose move: 0, 1, CHANCE or TERMINAL."""

    @abstractmethod
    def legal_actions(self) -> tuple[str, ...]:
        """The actions of the player to move, in a fixed order; () at chance and terminal states.

        A game whose action set is open (an offer in a negotiation) lists a few typical ones and overrides `read`.
        """

    @abstractmethod
    def returns(self) -> tuple[float, float]:
        """(r0, r1) of a finished game; (0, 0) before."""

    @abstractmethod
    def information(self, player: int) -> dict[str, Any]:
        """All that `player` may know, as JSON data, and nothing else. Observations are rendered from this alone."""

    def known(self, player: int) -> Any:
        """The facts of `information(player)`, in the form that observations are rendered from.

        A game may give them as a record of NamedTuples and tuples, faster to make and to render than JSON data; its
        `information` is then `as_json` of the record, which leaves nothing out. `games.check` compares the two.
        """
        return self.information(player)

    @abstractmethod
    def _next(self, action: str) -> State:
        """The state after `action`, which is known to be valid here."""

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        """(outcome, probability) at a chance node; () elsewhere."""
        return ()

    def chance_seen_by(self) -> tuple[int, ...]:
        """The players who see the outcome of this chance node: (0,) for a card dealt to player 0."""
        return (0, 1)

    def read(self, text: str) -> str | Invalid:
        """The action that `text` names here, in canonical form, or why it names none. Strict and case-sensitive."""
        legal = self.legal_actions()
        if text in legal:
            return text
        return Invalid(f"{text[:60]!r} is not legal here; legal: {', '.join(legal)}")

    def apply(self, action: str) -> State:
        """A new state after an action, or an outcome at a chance node. Raises ValueError if it is not possible."""
        player = self.player
        if player == CHANCE:
            possible = self._chance().probability
            if action not in possible:
                raise ValueError(f"{action!r} is not an outcome of this chance node; outcomes: {', '.join(possible)}")
            return self._next(action)
        if player == TERMINAL:
            raise ValueError(f"{action!r} cannot be played: the game is over after {len(self.history)} moves")
        read = self.read(action)
        if isinstance(read, Invalid):
            raise ValueError(f"player {player}: {read.reason}")
        return self._next(read)

    def sample_chance(self, rng: random.Random) -> str:
        """One outcome of a chance node, drawn with `rng`."""
        _, outcomes, bounds, total = self._chance()
        return outcomes[bisect(bounds, rng.random() * total)]  # as rng.choices does

    def _chance(self) -> Chance:
        """This chance node. A game that has few of them may keep them ready."""
        return Chance.among(self.chance_outcomes())

    def to_dict(self) -> dict[str, Any]:
        """JSON data that `games.from_dict` turns back into an equal state."""
        return {"game": self.game.name, "options": self.game.options(), "history": list(self.history)}
