"""Games as data: `make`, `register`, `check`, and the games: three that SPIRAL trains on, others that it holds out.

>>> game = make("tic_tac_toe")
>>> state = game.initial_state().apply("[4]")
>>> state.player, state.legal_actions()[:3]
(1, ('[0]', '[1]', '[2]'))
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from spiral_lite.games.base import (
    CHANCE,
    TERMINAL,
    TRAINING_FORFEIT,
    ZERO_SUM_FORFEIT,
    Forfeit,
    Game,
    Invalid,
    State,
)
from spiral_lite.games.connect_four import ConnectFour
from spiral_lite.games.kuhn_poker import KuhnPoker
from spiral_lite.games.liars_dice import LiarsDice
from spiral_lite.games.mini_hanabi import MiniHanabi
from spiral_lite.games.nim import Nim
from spiral_lite.games.pig_dice import PigDice
from spiral_lite.games.simple_negotiation import SimpleNegotiation
from spiral_lite.games.snake import Snake
from spiral_lite.games.tic_tac_toe import TicTacToe
from spiral_lite.games.truth_and_deception import TruthAndDeception

__all__ = [
    "CHANCE",
    "TERMINAL",
    "TRAINING_FORFEIT",
    "ZERO_SUM_FORFEIT",
    "Forfeit",
    "Game",
    "Invalid",
    "State",
    "check",
    "from_dict",
    "make",
    "names",
    "register",
]

AnyGame = TypeVar("AnyGame", bound=type[Game])
_REGISTRY: dict[str, type[Game]] = {}


def register(game: AnyGame) -> AnyGame:
    """Class decorator: makes a game available to `make` under its `name`. Raises ValueError if the name is taken."""
    taken = _REGISTRY.get(game.name)
    if taken is not None and taken.__qualname__ != game.__qualname__:
        raise ValueError(f"a game called {game.name!r} exists already ({taken.__qualname__}); choose another name")
    _REGISTRY[game.name] = game
    return game


def names() -> list[str]:
    """The registered games, sorted."""
    return sorted(_REGISTRY)


def make(name: str, **options: Any) -> Game:
    """A game by name, with its options: `make("kuhn_poker", rounds=5)`. Raises ValueError for what it does not know."""
    if name not in _REGISTRY:
        raise ValueError(f"unknown game {name!r}; known: {', '.join(names())} (e.g. 'kuhn_poker')")
    known = [field.name for field in dataclasses.fields(_REGISTRY[name])]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}; it has: {', '.join(known) or 'none'}")
    return _REGISTRY[name](**options)


def from_dict(data: dict[str, Any]) -> State:
    """The state that `State.to_dict` wrote down."""
    return make(data["game"], **data["options"]).replay(data["history"])


def check(game: Game, playouts: int = 100, seed: int = 0) -> None:
    """The conformance suite that every game must pass; raises AssertionError with the first broken promise."""
    from spiral_lite.conformance import check as run

    run(game, playouts=playouts, seed=seed)


for _game in (
    TicTacToe,
    KuhnPoker,
    SimpleNegotiation,
    Nim,
    ConnectFour,
    PigDice,
    LiarsDice,
    Snake,
    TruthAndDeception,
    MiniHanabi,
):
    register(_game)
