"""What a player of liar's dice reads: the rules, the last call, his dice, this round's bids, in SPIRAL's style.

Legal bids are given as ranges: sixty moves in a list are more than a small model can read. Rounds before the last are
left out. Read `games/liars_dice.py` before this.
"""

from __future__ import annotations

from functools import cache

from spiral_lite.dialogue.observations import describes
from spiral_lite.games.liars_dice import BIDS, FACES, Bid, Known, Played


@describes("liars_dice")
def _liars_dice(known: Known) -> str:
    you, other, left = known.you, 1 - known.you, known.dice_left
    dice = f"[GAME] Your dice are {' '.join(map(str, known.dice))}.\n" if known.dice else ""
    moves = "".join(f"[Player {(known.starter + i) % 2}] {action}\n" for i, action in enumerate(known.actions))
    last = _last_round(known.rounds_played[-1]) if known.rounds_played else ""
    bid = BIDS[known.actions[-1]] if known.actions else None
    available = _available(known.variant, sum(left), bid) if known.legal else ""
    return (
        f"[GAME] You are Player {you} in Liar's Dice. Dice left: you {left[you]}, Player {other} {left[other]}.\n"
        f"{_rules(known.variant)}{last}{dice}{moves}Available Moves: {available}"
    )


def _rules(variant: str) -> str:
    bid = "[Bid: 3, 4] says that all dice together show at least three 4s"
    if variant == "openspiel":
        return (
            f"{bid}; a 6 counts as any face.\n"
            "A new bid must raise the quantity, or keep it and raise the face.\n"
            "[Call] tests the last bid: if it is true the caller loses, else the bidder does.\n"
        )
    return (
        f"{bid}.\n"
        "A new bid must raise the quantity or the face and lower neither.\n"
        "[Call] tests the last bid: if it is true the caller loses a die, else the bidder does. "
        "Who has no dice left loses.\n"
    )


def _last_round(played: Played) -> str:
    caller = (played.starter + len(played.actions) - 1) % 2
    return (
        f"[GAME] Last round: Player {caller} called {played.actions[-2]}; the count was {played.showing}. "
        f"Player {played.loser} lost a die.\n"
    )


@cache  # two variants, ten sizes of the table, at most 60 bids
def _available(variant: str, on_the_table: int, bid: Bid | None) -> str:
    if bid is None:
        return f"[Bid: q, f] with q from 1 to {on_the_table} and f from 1 to {len(FACES)}"
    quantity, face = bid
    bids = []
    if variant == "published":
        if bid != (on_the_table, len(FACES)):
            bids = [f"q from {quantity} to {on_the_table} and f from {face} to {len(FACES)}, except {bid}"]
    else:
        if quantity < on_the_table:
            bids.append(f"q from {quantity + 1} to {on_the_table} and any f")
        if face < len(FACES):
            bids.append(f"q {quantity} and f above {face}")
    return f"[Call], or [Bid: q, f] with {', or '.join(bids)}" if bids else "[Call]"
