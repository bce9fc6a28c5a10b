"""What a player reads: one function a game, from `information(player)` to text, in SPIRAL's style.

Kuhn poker and Negotiation show the whole public and own private history, one `[GAME]` or `[Player k]` line an event;
tic-tac-toe shows the rules and the latest board. The wording is ours, so that a small model's tokenizer can hold each
fixed sentence in one token; `describes` registers the text of a new game.
"""

from __future__ import annotations

from collections.abc import Callable
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


@describes("tic_tac_toe")
def _tic_tac_toe(information: dict[str, Any]) -> str:
    you, board = information["you"], information["board"]
    rows = [" ".join(f"{cell}={board[cell]}" for cell in range(start, start + 3)) for start in (0, 3, 6)]
    return "\n".join(
        [
            f"[GAME] You are Player {you} in Tic Tac Toe. You play {'OX'[you]}, your opponent plays {'XO'[you]}.",
            "Three in a row (across, down or diagonal) wins. A dot is a free cell; answer with its number, as in [4].",
            *rows,
            _available(information),
            "Next Action:",
        ]
    )


@describes("kuhn_poker")
def _kuhn_poker(information: dict[str, Any]) -> str:
    you, rounds = information["you"], information["rounds"]
    lines = [
        f"[GAME] You are Player {you} in Kuhn Poker.",
        "The deck is J, Q, K and K is highest. Each player antes 1 chip and gets one card.",
        "A [bet] adds 1 chip; the other must [call] with 1 chip or [fold] and lose the pot.",
    ]
    if rounds > 1 and information["variant"] == "textbook":
        lines.append(f"The match has {rounds} rounds; the player with more chips at the end wins.")
    elif rounds > 1:
        lines.append(f"The match has {rounds} rounds; try to hold more chips at the end.")
    for number, played in enumerate(information["rounds_played"], start=1):
        lines.append(f"[GAME] Round {number}: your card is {played['card']}.")
        lines += _moves(played)
        if played["other_card"]:
            lines.append(f"[GAME] Player {1 - you} shows {played['other_card']}.")
        lines.append(f"[GAME] Player {played['winner']} wins {played['chips']}.")
    if information["card"]:
        heading = f"Round {len(information['rounds_played']) + 1}: your" if rounds > 1 else "Your"
        lines.append(f"[GAME] {heading} card is {information['card']}.")
        lines += _moves(information)
    return "\n".join([*lines, _available(information)])


def _moves(played: dict[str, Any]) -> list[str]:
    """One line an action of a betting round, the starter first."""
    return [f"[Player {(played['starter'] + i) % 2}] {action}" for i, action in enumerate(played["actions"])]


@describes("simple_negotiation")
def _simple_negotiation(information: dict[str, Any]) -> str:
    you, inventories = information["you"], information["inventories"]
    return "\n".join(
        [
            f"[GAME] You are Player {you} in Simple Negotiation.",
            "Trade so that your goods gain value; the player who gains more wins.",
            "[Offer: 3 Wood -> 2 Gold] gives 3 Wood and asks for 2 Gold.",
            "Answer an offer with [Accept], [Deny] or another offer.",
            f"You have {_amounts(inventories[you])}.",
            f"You value {', '.join(f'{good} {value}' for good, value in information['values'].items())}.",
            f"Player {1 - you} has {_amounts(inventories[1 - you])}.",
            *(f"[Player {turn % 2}] {action}" for turn, action in enumerate(information["actions"])),
            f"Turns left: {information['turns_left']}",
            _available(information),
        ]
    )


def _amounts(inventory: dict[str, int]) -> str:
    return ", ".join(f"{units} {good}" for good, units in inventory.items())
