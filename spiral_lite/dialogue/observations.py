"""What a player reads: one function a game, from what the player knows to text, in SPIRAL's style.

Kuhn poker and Negotiation show the whole public and own private history, one `[GAME]` or `[Player k]` line an event;
tic-tac-toe shows the rules and the latest board. The wording is ours, so that a small model's tokenizer can hold each
fixed sentence in one token; `describes` registers the text of a new game.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from spiral_lite.games import State, kuhn_poker
from spiral_lite.games import simple_negotiation as negotiation

Goods = tuple[str, ...]
Describe = Callable[[Any], str]  # takes `state.known(player)`
_DESCRIPTIONS: dict[str, Describe] = {}


def describes(game: str) -> Callable[[Describe], Describe]:
    """Decorator: the function below turns what a player of this game knows into text."""

    def keep(function: Describe) -> Describe:
        _DESCRIPTIONS[game] = function
        return function

    return keep


def observe(state: State, player: int) -> str:
    """The text that `player` reads in `state`. A game without a text of its own shows its information line by line."""
    describe = _DESCRIPTIONS.get(state.game.name)
    return describe(state.known(player)) if describe else _describe_any(state.information(player))


def _describe_any(information: dict[str, Any]) -> str:
    lines = [f"[GAME] You are Player {information.get('you')}."]
    lines += [f"{key}: {value}" for key, value in information.items() if key not in ("you", "legal")]
    return "\n".join([*lines, _available(information)])


def _available(information: dict[str, Any]) -> str:
    return "Available Moves: " + ", ".join(information["legal"])


BOARD = "0={} 1={} 2={}\n3={} 4={} 5={}\n6={} 7={} 8={}"


@describes("tic_tac_toe")
def _tic_tac_toe(information: dict[str, Any]) -> str:
    you = information["you"]
    return (
        f"[GAME] You are Player {you} in Tic Tac Toe. You play {'OX'[you]}, your opponent plays {'XO'[you]}.\n"
        "Three in a row (across, down or diagonal) wins. A dot is a free cell; answer with its number, as in [4].\n"
        f"{BOARD.format(*information['board'])}\n"
        f"{_available(information)}\n"
        "Next Action:"
    )


@describes("kuhn_poker")
def _kuhn_poker(known: kuhn_poker.Known) -> str:
    you, rounds, variant, rounds_played, card, starter, actions, legal = known
    text = _kuhn_rules(you, rounds, variant)
    for number, played in enumerate(rounds_played, start=1):
        text += _kuhn_round(number, you, played)
    number = len(rounds_played) + 1 if rounds > 1 else 0
    return text + _kuhn_now(number, card, starter, actions, legal)


@cache
def _kuhn_rules(you: int, rounds: int, variant: str) -> str:
    lines = [
        f"[GAME] You are Player {you} in Kuhn Poker.",
        "The deck is J, Q, K and K is highest. Each player antes 1 chip and gets one card.",
        "A [bet] adds 1 chip; the other must [call] with 1 chip or [fold] and lose the pot.",
    ]
    if rounds > 1 and variant == "textbook":
        lines.append(f"The match has {rounds} rounds; the player with more chips at the end wins.")
    elif rounds > 1:
        lines.append(f"The match has {rounds} rounds; try to hold more chips at the end.")
    return "".join(f"{line}\n" for line in lines)


@cache
def _kuhn_round(number: int, you: int, played: kuhn_poker.Played) -> str:
    """The lines of a finished round."""
    card, starter, actions, winner, chips, other = played
    shown = f"[GAME] Player {1 - you} shows {other}.\n" if other else ""
    moves = _moves(starter, actions)
    return f"[GAME] Round {number}: your card is {card}.\n{moves}{shown}[GAME] Player {winner} wins {chips}.\n"


@cache
def _kuhn_now(number: int, card: str | None, starter: int, actions: tuple[str, ...], legal: tuple[str, ...]) -> str:
    """The lines of the round that is being played; `number` is 0 where it is the only one."""
    available = "Available Moves: " + ", ".join(legal)
    if not card:
        return available
    heading = f"Round {number}: your" if number else "Your"
    return f"[GAME] {heading} card is {card}.\n{_moves(starter, actions)}{available}"


def _moves(starter: int, actions: tuple[str, ...]) -> str:
    """One line an action of a betting round, the starter first."""
    return "".join(f"[Player {(starter + i) % 2}] {action}\n" for i, action in enumerate(actions))


@describes("simple_negotiation")
def _simple_negotiation(known: negotiation.Known) -> str:
    you, actions, values = known.you, known.actions, known.values
    yours, theirs = known.inventories[you], known.inventories[1 - you]
    form = _negotiation_form(you, yours._fields, values._fields, theirs._fields, len(actions))
    return form % (*yours, *values, *theirs, *actions, known.turns_left, ", ".join(known.legal))


@lru_cache(maxsize=1024)
def _negotiation_form(you: int, yours: Goods, valued: Goods, theirs: Goods, actions: int) -> str:
    """The text with a %s for each number and action; few things change its wording, and filling it in is fast."""
    have, has = (", ".join([f"%s {good}" for good in goods]) for goods in (yours, theirs))
    value = ", ".join([f"{good} %s" for good in valued])
    moves = "".join([f"[Player {turn % 2}] %s\n" for turn in range(actions)])
    return (
        f"[GAME] You are Player {you} in Simple Negotiation.\n"
        "Trade so that your goods gain value; the player who gains more wins.\n"
        "[Offer: 3 Wood -> 2 Gold] gives 3 Wood and asks for 2 Gold.\n"
        "Answer an offer with [Accept], [Deny] or another offer.\n"
        f"You have {have}.\n"
        f"You value {value}.\n"
        f"Player {1 - you} has {has}.\n"
        f"{moves}"
        "Turns left: %s\n"
        "Available Moves: %s"
    )
