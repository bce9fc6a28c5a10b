"""Who answers: a language model, an endpoint, scripts that play by chance, by rules or perfectly, a person.

`base.py` says what a player is; every other file is one kind of player. `make` has those by name that need no model of
ours; `opponents.load` has all. A player sees a prompt and writes a reply: `dialogue` says what these are, and `rollout`
is who asks.

>>> [make(name).name for name in ("random", "equilibrium:0.1", "search:4")]
['random', 'equilibrium(alpha=0.1)', 'search:4']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from spiral_lite.players.base import Desk, Player, Prompt, Reply, Scripted, person, random_player
from spiral_lite.players.budget import Budget, EndpointError
from spiral_lite.players.endpoint import Endpoint
from spiral_lite.players.kuhn import equilibrium_bet, equilibrium_kuhn
from spiral_lite.players.language_model import Backend, Generated, LanguageModel, Sampling
from spiral_lite.players.negotiator import negotiator
from spiral_lite.players.perfect import best_tic_tac_toe, perfect
from spiral_lite.players.search import search

__all__ = [
    "KINDS",
    "Backend",
    "Budget",
    "Desk",
    "Endpoint",
    "EndpointError",
    "Generated",
    "LanguageModel",
    "Player",
    "Prompt",
    "Reply",
    "Sampling",
    "Scripted",
    "best_tic_tac_toe",
    "equilibrium_bet",
    "equilibrium_kuhn",
    "make",
    "negotiator",
    "perfect",
    "person",
    "random_player",
    "search",
]

Number = TypeVar("Number", int, float)

KINDS = {  # the first word of a name: how the name is written
    "random": "random",
    "perfect": "perfect (tic-tac-toe, nim)",
    "equilibrium": "equilibrium[:alpha] (Kuhn poker)",
    "search": "search:DEPTH (games without chance and secrets)",
    "negotiator": "negotiator (simple negotiation)",
    "openai": "openai:MODEL (at OPENAI_BASE_URL)",
}
BARE: dict[str, Callable[[], Player]] = {"random": random_player, "perfect": perfect, "negotiator": negotiator}


def make(name: str, sampling: Sampling | None = None) -> Player:
    """A player by name; KINDS says how they are written. `sampling` is for endpoints. Raises ValueError for others."""
    kind, colon, option = name.partition(":")
    if kind in BARE and not colon:
        return BARE[kind]()
    if kind == "equilibrium":
        return equilibrium_kuhn(_number(float, option or "0.2", "alpha", "equilibrium:0.2"))
    if kind == "search":
        return search(_number(int, option, "depth", "search:4"))
    if kind == "openai":
        return Endpoint(option, sampling=sampling)
    raise ValueError(f"unknown player {name!r}; known: {', '.join(KINDS.values())}")


def _number(kind: Callable[[str], Number], text: str, what: str, example: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{what}={text!r} is not a number; write e.g. {example}") from None
