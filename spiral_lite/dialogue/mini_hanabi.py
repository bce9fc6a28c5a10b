"""What a player of Mini Hanabi reads: the rules, the table, what hints say of each card, and the two latest turns."""

from __future__ import annotations

from spiral_lite.dialogue.observations import describes
from spiral_lite.games.mini_hanabi import COLOURS, Event, Known


@describes("mini_hanabi")
def mini_hanabi(known: Known) -> str:
    other = 1 - known.you
    played = ", ".join(f"{colour} {rank}" for colour, rank in zip(COLOURS, known.played, strict=True))
    turns = "".join(_turn(event) for event in known.latest)
    return (
        f"[GAME] You are Player {known.you} in Mini Hanabi. Player {other} is your partner; you score together.\n"
        "Play each colour, R and Y, in the order 1 2 3 4 5; a card that fits is a point.\n"
        "You see your partner's cards, not your own. [Play 0] plays your card 0.\n"
        "[Hint R] or [Hint 1] shows your partner all R cards or all 1s, and costs a hint.\n"
        "[Discard 0] throws your card 0 away and regains a hint.\n"
        "A card that does not fit burns a fuse; with no fuse left all points are lost.\n"
        f"Played: {played}. Hints: {known.hints}. Fuses: {known.fuses}. Deck: {known.deck}.\n"
        f"Thrown away: {' '.join(known.discarded) or 'none'}\n"
        f"Player {other} has: {_row(known.others)}\n"
        f"Player {other} knows: {_row(known.others_know)}\n"
        f"You know of yours: {_row(known.yours)}\n"
        f"{turns}"
        f"Available Moves: {', '.join(known.legal)}"
    )


def _row(cards: tuple[str, ...]) -> str:
    return " ".join([f"{place}={card}" for place, card in enumerate(cards)]) or "none"


def _turn(event: Event) -> str:
    shown = f" is {event.card}" if event.card else ""
    return f"[Player {event.player}] {event.action}{shown}\n"
