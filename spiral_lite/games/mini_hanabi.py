"""Mini Hanabi: both hold cards that only the other one sees, and score together: the cooperative contrast.

Hanabi (Antoine Bauza 2010) as in the Hanabi Learning Environment (Bard et al. 2020, arXiv:1902.00506) and OpenSpiel,
with 2 colours of the 5: 20 cards (of each colour three 1s, two each of 2, 3 and 4, one 5), 5 in each hand, as usual for
two players. Of the 8 tokens for hints there are 3; all 3 fuses stay, as with fewer a beginner never scores (random play
keeps its points in 1 game of 13, with two fuses in 1 of 50). `MiniHanabi(hand_size=2, hint_tokens=3, fuse_tokens=1)` is
the Learning Environment's Hanabi-Small.
How it differs from those:
1. Both returns are the share of the 10 points (`state.score`), so that they are as large as other games' returns.
2. A hint names the cards that it is about, `[Hint R at 0 2]`: history alone tells what each player has been told, and
   `games.check` can swap hidden cards. A player may write `[Hint R]`; `read` adds the places.
3. Once the deck is empty, a chance node with one outcome stands for the card that cannot be drawn.
As in the written rules a hint is about at least one card and all such cards, a discard needs a token to regain, a 5
regains one, the last fuse loses all points, and after the last card is drawn each has one turn more. TextArena's Hanabi
keeps the last of these only: a hint there is about one card and is not held against it, a discard with all tokens is
allowed, a 5 regains none, the game ends at the fuse after the last, and the points stay. (Not reproduced: SPIRAL does
not use it.)
Read `kuhn_poker.py` before this.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, Invalid, State, as_json

COLOURS, RANKS = "RY", "12345"  # red and yellow
COPIES = {"1": 3, "2": 2, "3": 2, "4": 2, "5": 1}
KINDS = tuple(colour + rank for colour in COLOURS for rank in RANKS)
DECK = tuple(COPIES[kind[1]] for kind in KINDS)  # how many of each kind
FULL_SCORE = len(KINDS)
ANYTHING = COLOURS + RANKS  # what a card may be of which nobody has said anything
NO_CARD = "no card left"
PLAYERS = (0, 1)


@dataclass(frozen=True)
class MiniHanabi(Game):
    """Both get the share of the points that they have scored. A game lasts at most 2 x deck + hint_tokens + 2 turns,
    where the deck is what is not dealt: each card drawn means a turn, and a hint each token and each token regained."""

    name: ClassVar[str] = "mini_hanabi"
    zero_sum: ClassVar[bool] = False
    common_payoff: ClassVar[bool] = True

    hand_size: int = 5
    hint_tokens: int = 3
    fuse_tokens: int = 3

    def __post_init__(self) -> None:
        for name, least, most in (("hand_size", 2, 5), ("hint_tokens", 1, 8), ("fuse_tokens", 1, 3)):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"{name}={value!r}: it must be from {least} to {most}, e.g. {name}={most}")

    @property
    def max_return(self) -> float:
        return 1.0

    @property
    def min_return(self) -> float:
        return 0.0

    def initial_state(self) -> HanabiState:
        return HanabiState(self, hints=self.hint_tokens, fuses=self.fuse_tokens)


class Event(NamedTuple):
    """A turn that both saw; `card` is what was played or discarded."""

    player: int
    action: str
    card: str | None


class Known(NamedTuple):
    """All that a player may know: of his own cards only what hints say that they may be ("R45": a red 4 or 5)."""

    you: int
    played: tuple[int, ...]  # the highest card of each colour
    hints: int
    fuses: int
    deck: int
    yours: tuple[str, ...]
    others: tuple[str, ...]
    others_know: tuple[str, ...]
    discarded: tuple[str, ...]
    latest: tuple[Event, ...]  # one turn of each player
    legal: tuple[str, ...]


@dataclass(frozen=True)
class HanabiState(State):
    """`hands` are the cards and `known_of` what hints say of them, of player 0 and 1, oldest card first; `deck` counts
    each of KINDS; `drawer` is who gets the next card, if a card is due."""

    hands: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    known_of: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    deck: tuple[int, ...] = DECK
    played: tuple[int, ...] = (0,) * len(COLOURS)
    discarded: tuple[str, ...] = ()
    hints: int = 0
    fuses: int = 0
    turn: int = 0  # how many the players have had
    last_turns: int = len(PLAYERS)  # left once the deck is empty
    drawer: int | None = 0
    latest: tuple[Event, ...] = ()

    @property
    def score(self) -> int:
        """Points: 0 to FULL_SCORE."""
        return sum(self.played) if self.fuses else 0

    @property
    def player(self) -> int:
        if not self.fuses or not self.last_turns or self.score == FULL_SCORE:
            return TERMINAL
        return self.turn % 2 if self.drawer is None else CHANCE

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._chance().probability.items()) if self.player == CHANCE else ()

    def _chance(self) -> Chance:
        return _draw(self.deck)

    def chance_seen_by(self) -> tuple[int, ...]:
        """A card is seen by everybody but the one who holds it."""
        return tuple(player for player in PLAYERS if player != self.drawer or not any(self.deck))

    def legal_actions(self) -> tuple[str, ...]:
        """Discards, plays, hints of a colour, hints of a rank: OpenSpiel's order."""
        player = self.player
        if player not in PLAYERS:
            return ()
        places = range(len(self.hands[player]))
        discards = [f"[Discard {place}]" for place in places] if self.hints < self.game.hint_tokens else []
        plays = [f"[Play {place}]" for place in places]
        return (*discards, *plays, *(_hints(self.hands[1 - player]) if self.hints else ()))

    def read(self, text: str) -> str | Invalid:
        """A hint may leave out the places of the cards."""
        if len(text) == len("[Hint R]"):
            for action in self.legal_actions():
                if action.startswith(f"{text[:-1]} at ") and text.endswith("]"):
                    return action
        return super().read(text)

    def _next(self, action: str) -> HanabiState:
        history = (*self.history, action)
        if self.drawer is not None:
            return self._drawn(history, self.drawer, action)
        verb, what, *places = action[1:-1].replace(" at", "").split()
        player = self.turn % 2
        after: dict[str, Any] = {
            "history": history,
            "turn": self.turn + 1,
            "last_turns": self.last_turns if any(self.deck) else self.last_turns - 1,
        }
        card = None
        if verb == "Hint":
            after |= self._hinted(1 - player, what, {int(place) for place in places})
        else:
            card = self.hands[player][int(what)]
            after |= {"drawer": player} | self._without(player, int(what))
            after |= self._played(card) if verb == "Play" else self._discarded(card)
        return dataclasses.replace(self, latest=(*self.latest[-1:], Event(player, action, card)), **after)

    def _drawn(self, history: tuple[str, ...], drawer: int, card: str) -> HanabiState:
        """A card is dealt; in the beginning all of player 0's, then all of player 1's."""
        hands, known_of, deck = self.hands, self.known_of, self.deck
        if card != NO_CARD:
            hands = _replaced(hands, drawer, (*hands[drawer], card))
            known_of = _replaced(known_of, drawer, (*known_of[drawer], ANYTHING))
            kind = KINDS.index(card)
            deck = (*deck[:kind], deck[kind] - 1, *deck[kind + 1 :])
        short = [player for player in PLAYERS if len(hands[player]) < self.game.hand_size]
        following = short[0] if short and not self.turn else None
        return dataclasses.replace(self, history=history, hands=hands, known_of=known_of, deck=deck, drawer=following)

    def _hinted(self, hearer: int, what: str, places: set[int]) -> dict[str, Any]:
        known = tuple(_told(known, what, place in places) for place, known in enumerate(self.known_of[hearer]))
        return {"hints": self.hints - 1, "known_of": _replaced(self.known_of, hearer, known)}

    def _without(self, player: int, place: int) -> dict[str, Any]:
        """A card leaves the hand, and the newer ones move up."""
        return {
            name: _replaced(both, player, both[player][:place] + both[player][place + 1 :])
            for name, both in (("hands", self.hands), ("known_of", self.known_of))
        }

    def _played(self, card: str) -> dict[str, Any]:
        colour, rank = COLOURS.index(card[0]), int(card[1])
        if rank != self.played[colour] + 1:
            return {"fuses": self.fuses - 1, "discarded": (*self.discarded, card)}
        regained = 1 if rank == len(RANKS) else 0
        played = (*self.played[:colour], rank, *self.played[colour + 1 :])
        return {"played": played, "hints": min(self.hints + regained, self.game.hint_tokens)}

    def _discarded(self, card: str) -> dict[str, Any]:
        return {"hints": self.hints + 1, "discarded": (*self.discarded, card)}

    def returns(self) -> tuple[float, float]:
        share = self.score / FULL_SCORE if self.player == TERMINAL else 0.0
        return (share, share)

    def known(self, player: int) -> Known:
        return Known(
            player,
            self.played,
            self.hints,
            self.fuses,
            sum(self.deck),
            self.known_of[player],
            self.hands[1 - player],
            self.known_of[1 - player],
            self.discarded,
            self.latest,
            self.legal_actions() if player == self.player else (),  # those of the other tell what this one holds
        )

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


@lru_cache(maxsize=4096)
def _draw(deck: tuple[int, ...]) -> Chance:
    """Every card of the deck is as likely."""
    left = sum(deck)
    if not left:
        return Chance.among([(NO_CARD, 1.0)])
    return Chance.among([(kind, count / left) for kind, count in zip(KINDS, deck) if count])


@lru_cache(maxsize=4096)
def _hints(hand: tuple[str, ...]) -> tuple[str, ...]:
    """Every hint that is about a card of this hand."""
    places = {what: [str(place) for place, card in enumerate(hand) if what in card] for what in ANYTHING}
    return tuple(f"[Hint {what} at {' '.join(where)}]" for what, where in places.items() if where)


@lru_cache(maxsize=4096)
def _told(known: str, what: str, is_so: bool) -> str:
    """What a card may be, of which it is now known whether it has this colour or rank."""
    alike = COLOURS if what in COLOURS else RANKS
    return "".join(one for one in known if one not in alike or (one == what) == is_so)


def _replaced(both: tuple[Any, Any], player: int, value: Any) -> tuple[Any, Any]:
    return (value, both[1]) if player == 0 else (both[0], value)
