"""What a player reads: one function a game, from `information(player)` to text, in SPIRAL's style.

Kuhn poker and Negotiation show the whole public and own private history, one `[GAME]` or `[Player k]` line an event;
tic-tac-toe shows the rules and the latest board. The wording is ours, so that a small model's tokenizer can hold each
fixed sentence in one token; `describes` registers the text of a new game.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from spiral_lite.games import State

Describe = Callable[[dict[str, Any]], str]
_DESCRIPTIONS: dict[str, Describe] = {}


def describes(game: str) -> Callable[[Describe], Describe]:
    """Decorator: the function below turns the information of this game's players into text."""

    def keep(function: Describe) -> Describe:
        _DESCRIPTIONS[game] = function
        return function

    return keep


def observe(state: State, player: int) -> str:
    """The text that `player` reads in `state`. A game without a text of its own shows its information line by line."""
    information = state.information(player)
    return _DESCRIPTIONS.get(state.game.name, _describe_any)(information)


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
def _kuhn_poker(information: dict[str, Any]) -> str:
    you, rounds = information["you"], information["rounds"]
    text = _kuhn_rules(you, rounds, information["variant"])
    for number, played in enumerate(information["rounds_played"], start=1):
        card, other, starter, actions = played["card"], played["other_card"], played["starter"], played["actions"]
        text += _kuhn_round(number, you, card, starter, played["winner"], played["chips"], other, *actions)
    if information["card"]:
        heading = f"Round {len(information['rounds_played']) + 1}: your" if rounds > 1 else "Your"
        moves = _moves(information["starter"], *information["actions"])
        text += f"[GAME] {heading} card is {information['card']}.\n{moves}"
    return text + _available(information)


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
def _kuhn_round(
    number: int, you: int, card: str, starter: int, winner: int, chips: int, other: str | None, *actions: str
) -> str:
    """The lines of a finished round."""
    shown = f"[GAME] Player {1 - you} shows {other}.\n" if other else ""
    moves = _moves(starter, *actions)
    return f"[GAME] Round {number}: your card is {card}.\n{moves}{shown}[GAME] Player {winner} wins {chips}.\n"


@cache
def _moves(starter: int, *actions: str) -> str:
    """One line an action of a betting round, the starter first."""
    return "".join(f"[Player {(starter + i) % 2}] {action}\n" for i, action in enumerate(actions))


@describes("simple_negotiation")
def _simple_negotiation(information: dict[str, Any]) -> str:
    you, inventories = information["you"], information["inventories"]
    values = ", ".join([f"{good} {value}" for good, value in information["values"].items()])
    moves = "".join([f"[Player {turn % 2}] {action}\n" for turn, action in enumerate(information["actions"])])
    return (
        f"[GAME] You are Player {you} in Simple Negotiation.\n"
        "Trade so that your goods gain value; the player who gains more wins.\n"
        "[Offer: 3 Wood -> 2 Gold] gives 3 Wood and asks for 2 Gold.\n"
        "Answer an offer with [Accept], [Deny] or another offer.\n"
        f"You have {_amounts(inventories[you])}.\n"
        f"You value {values}.\n"
        f"Player {1 - you} has {_amounts(inventories[1 - you])}.\n"
        f"{moves}"
        f"Turns left: {information['turns_left']}\n"
        f"{_available(information)}"
    )


def _amounts(inventory: dict[str, int]) -> str:
    return ", ".join([f"{units} {good}" for good, units in inventory.items()])
