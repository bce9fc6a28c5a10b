"""Every game keeps the promises; games that break one are caught, and are told which."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from spiral_lite import games
from spiral_lite.games import CHANCE, TERMINAL, Game, State

GAMES = [
    ("tic_tac_toe", {}, 100),
    ("kuhn_poker", {}, 200),
    ("kuhn_poker", {"rounds": 2}, 50),
    ("kuhn_poker", {"rounds": 5}, 25),
    ("kuhn_poker", {"variant": "published"}, 100),
    ("kuhn_poker", {"rounds": 5, "variant": "published"}, 25),
    ("simple_negotiation", {}, 40),
    ("simple_negotiation", {"resources": "five"}, 20),
    ("nim", {}, 100),
    ("nim", {"piles": [1, 3, 5, 7]}, 40),
    ("connect_four", {}, 20),
    ("pig_dice", {}, 10),
]


@pytest.mark.parametrize(("name", "options", "playouts"), GAMES)
def test_our_games_keep_every_promise(name: str, options: dict[str, Any], playouts: int) -> None:
    games.check(games.make(name, **options), playouts=playouts, seed=1)


@dataclass(frozen=True)
class Guess(Game):
    """A student's game: player 0 sees a coin and says something; player 1 guesses the coin."""

    name: ClassVar[str] = "guess"
    max_turns: ClassVar[int] = 2
    state_class: ClassVar[type[State]]

    @property
    def max_return(self) -> float:
        return 1.0

    def initial_state(self) -> State:
        return self.state_class(self)


@dataclass(frozen=True)
class GuessState(State):
    @property
    def player(self) -> int:
        return (CHANCE, 0, 1, TERMINAL)[len(self.history)]

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return (("heads", 0.5), ("tails", 0.5)) if self.player == CHANCE else ()

    def chance_seen_by(self) -> tuple[int, ...]:
        return (0,)

    def legal_actions(self) -> tuple[str, ...]:
        return {0: ("[high]", "[low]"), 1: ("[heads]", "[tails]")}.get(self.player, ())

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        return (-1.0, 1.0) if self.history[2] == f"[{self.history[0]}]" else (1.0, -1.0)

    def information(self, player: int) -> dict[str, Any]:
        known = list(self.history) if player == 0 or self.player == TERMINAL else list(self.history[1:])
        return {"you": player, "known": known, "legal": list(self.legal_actions())}

    def _next(self, action: str) -> State:
        return type(self)(self.game, (*self.history, action))


@dataclass(frozen=True)
class Together(Guess):
    """The same as a cooperative game: both win if the guess is right."""

    zero_sum: ClassVar[bool] = False
    common_payoff: ClassVar[bool] = True

    @property
    def min_return(self) -> float:
        return 0.0


class TogetherState(GuessState):
    def returns(self) -> tuple[float, float]:
        right = self.player == TERMINAL and self.history[2] == f"[{self.history[0]}]"
        return (1.0, 1.0) if right else (0.0, 0.0)


class PaysOneMore(TogetherState):
    def returns(self) -> tuple[float, float]:
        return (0.5, 1.0) if self.player == TERMINAL else (0.0, 0.0)


class PaysBelowZero(TogetherState):
    def returns(self) -> tuple[float, float]:
        return (-1.0, -1.0) if self.player == TERMINAL else (0.0, 0.0)


class LeaksTheCoin(GuessState):
    def information(self, player: int) -> dict[str, Any]:
        return {**super().information(player), "known": list(self.history)}


class KnowsMoreThanItSays(GuessState):
    def known(self, player: int) -> Any:
        return {**self.information(player), "secret": self.history[:1] == ("tails",)}


class LeaksByTheOrderOfActions(GuessState):
    def legal_actions(self) -> tuple[str, ...]:
        legal = super().legal_actions()
        return legal[::-1] if self.history[:1] == ("tails",) and self.player == 1 else legal


class IsNotZeroSum(GuessState):
    def returns(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.player == TERMINAL else (0.0, 0.0)


class PaysTooMuch(GuessState):
    def returns(self) -> tuple[float, float]:
        return (3.0, -3.0) if self.player == TERMINAL else (0.0, 0.0)


class PaysEarly(GuessState):
    def returns(self) -> tuple[float, float]:
        return (1.0, -1.0)


class UsesTheGlobalGenerator(GuessState):
    def _next(self, action: str) -> State:
        random.random()
        return super()._next(action)


@dataclass(frozen=True)
class IsNotRepeatable(GuessState):
    noise: float = 0.0

    def _next(self, action: str) -> State:
        return type(self)(self.game, (*self.history, action), random.Random().random())


@dataclass(frozen=True)
class Mutates(GuessState):
    said: list[str] = field(default_factory=list)

    def _next(self, action: str) -> State:
        self.said.append(action)
        return type(self)(self.game, (*self.history, action), self.said)


class ListsAnIllegalAction(GuessState):
    def _next(self, action: str) -> State:
        if action == "[low]":
            raise ValueError("one does not say low")
        return super()._next(action)


class AcceptsAnything(GuessState):
    def apply(self, action: str) -> State:
        return self._next(action)


class RefusesWithKeyError(GuessState):
    def apply(self, action: str) -> State:
        if action not in self.legal_actions() and self.player != CHANCE:
            raise KeyError(action)
        return super().apply(action)


class HasNothingToPlay(GuessState):
    def legal_actions(self) -> tuple[str, ...]:
        return () if self.player == 1 else super().legal_actions()


class IsMissingAProbability(GuessState):
    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return (("heads", 0.5), ("tails", 0.4)) if self.player == CHANCE else ()


class KnowsTuples(GuessState):
    def information(self, player: int) -> dict[str, Any]:
        return {**super().information(player), "legal": self.legal_actions()}


class HasActionsWithoutBrackets(GuessState):
    def legal_actions(self) -> tuple[str, ...]:
        return tuple(action.strip("[]") for action in super().legal_actions())

    def returns(self) -> tuple[float, float]:
        return (0.0, 0.0)


class ForgetsItsHistory(GuessState):
    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "history": []}


class NeverEnds(GuessState):
    @property
    def player(self) -> int:
        return len(self.history) % 2 if self.history else CHANCE

    def information(self, player: int) -> dict[str, Any]:
        return {"you": player, "legal": list(self.legal_actions())}


def student_game(state_class: type[State], kind: type[Game] = Guess, **declared: Any) -> Game:
    broken = type(state_class.__name__, (kind,), {"state_class": state_class, **declared})
    return broken()


def test_an_unregistered_game_of_a_student_passes() -> None:
    games.check(student_game(GuessState))
    games.check(student_game(TogetherState, Together))


@pytest.mark.parametrize(
    ("state_class", "message"),
    [
        (PaysOneMore, "promised: both players get the same (common_payoff)\n  happened: the returns are [0.5, 1.0]"),
        (PaysBelowZero, "two returns from 0.0 to 1.0"),
    ],
)
def test_broken_cooperative_games_are_caught(state_class: type[State], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        games.check(student_game(state_class, Together))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"zero_sum": True}, "zero-sum or pays both the same, not both"),
        ({"zero_sum": True, "common_payoff": False}, "in a zero-sum game min_return is -max_return"),
        ({"min_return": 0.5}, "0, which a game over its turn limit pays, is in the range"),
    ],
)
def test_declarations_that_cannot_be_are_caught(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        games.check(student_game(TogetherState, Together, **declared))
    assert message in str(caught.value)


def test_an_invalid_move_in_a_cooperative_game_hurts_both() -> None:
    together, guess = student_game(TogetherState, Together), student_game(GuessState)
    assert together.loss_forfeit().returns(1) == (0.0, 0.0)
    assert together.forfeit(games.TRAINING_FORFEIT).returns(1) == (-1.5, -1.5)
    assert guess.loss_forfeit().returns(1) == (1.0, -1.0)
    assert guess.forfeit(games.TRAINING_FORFEIT).returns(1) == (0.5, -1.5)


@pytest.mark.parametrize(
    ("state_class", "message"),
    [
        (LeaksTheCoin, "player 1 cannot tell that chance dealt"),
        (KnowsMoreThanItSays, "holds the facts of information(0), all and no others"),
        (LeaksByTheOrderOfActions, "player 1 cannot tell that chance dealt"),
        (IsNotZeroSum, "the game is zero-sum"),
        (PaysTooMuch, "two returns from -1.0 to 1.0"),
        (PaysEarly, "before the end"),
        (UsesTheGlobalGenerator, "process-wide generators"),
        (IsNotRepeatable, "is a function of the state"),
        (Mutates, "leaves this state as it was"),
        (ListsAnIllegalAction, "listed as possible, so it applies"),
        (AcceptsAnything, "is illegal here and raises ValueError"),
        (RefusesWithKeyError, "is refused with ValueError"),
        (HasNothingToPlay, "player 1 has a legal action"),
        (IsMissingAProbability, "sum to 1"),
        (KnowsTuples, "survives JSON"),
        (HasActionsWithoutBrackets, "is read as 'high'"),
        (ForgetsItsHistory, "gives an equal state"),
        (NeverEnds, "ends within max_turns=2"),
    ],
)
def test_broken_games_are_caught(state_class: type[State], message: str) -> None:
    with pytest.raises(AssertionError, match="promised: ") as caught:
        games.check(student_game(state_class))
    assert message in str(caught.value)
    assert str(caught.value).startswith("guess, after ")  # names the game and the history


def test_a_secret_may_come_out_at_a_showdown() -> None:
    """Kuhn poker shows the other card after a call; the suite must not take that for a leak, nor miss a real one."""
    state = games.make("kuhn_poker", rounds=2).replay(["K", "J", "[bet]", "[call]"])
    assert state.information(1)["rounds_played"][0]["other_card"] == "K"
    state = games.make("kuhn_poker", rounds=2).replay(["K", "J", "[bet]", "[fold]"])
    assert state.information(1)["rounds_played"][0]["other_card"] is None
