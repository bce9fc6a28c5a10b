"""A rule-based negotiator for `simple_negotiation`: it trades what is worth less to it for what is worth more.

It knows what a player may know: its own values and both inventories. What the other values it takes from the rules: in
"two" they fix it, in "five" they give the middle of what chance deals. Whoever gains MORE wins, so
- it accepts an offer that gains it value and by that estimate does not gain the other more, and denies any other;
- it offers trades from which both gain, so that the other could accept. Its first offer leaves the other a tenth of
  what the two gain together; that share grows with each of its turns, to half in its last.
Where no trade gains both, it denies, or without an offer to deny makes the one that favours it most.
Read `games/simple_negotiation.py` before this.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from spiral_lite.games import State
from spiral_lite.games.offers import ARROW, said_in
from spiral_lite.games.simple_negotiation import BASE_VALUES, Known, SimpleNegotiation
from spiral_lite.players.base import Scripted

FIRST_SHARE, LAST_SHARE = 0.1, 0.5  # the other's part of what both gain
FIXED_VALUES = ((5, 15), (15, 5))  # of Wood and Gold to player 0 and 1, where the rules fix them


def negotiator() -> Scripted:
    """The player. Refuses, with ValueError, other games than `simple_negotiation`."""

    def choose(state: State, rng: random.Random) -> str:
        if state.game.name != SimpleNegotiation.name:
            raise ValueError(f"the negotiator cannot play {state.game.name}; try random, or mcts:100")
        return answer(state.known(state.player))

    return Scripted(choose, "negotiator")


def answer(known: Known) -> str:
    """What the player to move does, given what he knows.

    >>> from spiral_lite import games
    >>> start = games.make("simple_negotiation").initial_state()
    >>> answer(start.known(0))
    '[Offer: 5 Wood -> 10 Gold]'
    >>> [answer(start.apply(offer).known(1)) for offer in ("[Offer: 5 Wood -> 10 Gold]", "[Offer: 8 Wood -> 4 Gold]")]
    ['[Offer: 5 Gold -> 10 Wood]', '[Accept]']
    """
    if known.offer is not None:
        gives, gets = (side._asdict() for side in (known.offer.gives, known.offer.gets))
        mine, others = gains(known, {good: gives.get(good, 0) - gets.get(good, 0) for good in known.resources})
        if mine > 0 and mine >= others:
            return "[Accept]"
    best = max(fair_offers(known), default=None)
    if best is not None:
        return best[1]
    return "[Deny]" if known.offer is not None else max(known.legal, key=lambda action: _lead(known, action))


def others_values(known: Known) -> dict[str, int]:
    """What the other values each good at, as far as the rules tell."""
    if len(known.resources) == len(FIXED_VALUES[0]):
        return dict(zip(known.resources, FIXED_VALUES[1 - known.you], strict=True))
    return BASE_VALUES


def gains(known: Known, change: dict[str, int]) -> tuple[int, int]:
    """What I gain by getting `change` (units of each good) from the other, and what he gains by my estimate."""
    values, theirs = known.values._asdict(), others_values(known)
    return (
        sum(values[good] * units for good, units in change.items()),
        -sum(theirs[good] * units for good, units in change.items()),
    )


def fair_offers(known: Known) -> Iterator[tuple[int, str]]:
    """(my gain, offer) of the trades of one good for another from which both gain, the other not more than I, and at
    least his share of this turn of what both gain."""
    mine, theirs = known.values._asdict(), others_values(known)
    have, has = (known.inventories[player]._asdict() for player in (known.you, 1 - known.you))
    turn, turns = (known.turns - known.turns_left) // 2, known.turns // 2
    share = FIRST_SHARE + (LAST_SHARE - FIRST_SHARE) * turn / (turns - 1)
    for give in known.resources:
        for get in known.resources:
            # units to give for one: at this price the other gains exactly his share, whatever the number of units
            price = ((1 - share) * theirs[get] + share * mine[get]) / ((1 - share) * theirs[give] + share * mine[give])
            for got in range(1, has[get] + 1):
                given = math.ceil(price * got - 1e-9)
                gain, others = gains(known, {get: got, give: -given}) if give != get else (0, 0)
                if given <= have[give] and gain >= others > 0:
                    yield gain, f"[Offer: {given} {give} {ARROW} {got} {get}]"


def _lead(known: Known, offer: str) -> int:
    """By how much an offer of mine, if accepted, gains me more than the other."""
    said = said_in(offer, known.resources).offer
    assert said is not None, "where no offer is open, only offers are listed"
    change = [asked - given for asked, given in zip(said.asked, said.given, strict=True)]
    mine, others = gains(known, dict(zip(known.resources, change, strict=True)))
    return mine - others
