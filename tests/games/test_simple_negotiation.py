"""Simple Negotiation: reading offers, trading, who wins, and what is drawn."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest

from spiral_lite import games
from spiral_lite.games import CHANCE, TERMINAL, Invalid
from spiral_lite.games.simple_negotiation import BASE_VALUES, GOODS

OFFER = "[Offer: 3 Wood -> 2 Gold]"


def two() -> Any:
    return games.make("simple_negotiation").initial_state()


def five(seed: int = 0) -> Any:
    rng = random.Random(seed)
    state = games.make("simple_negotiation", resources="five").initial_state()
    while state.player == CHANCE:
        state = state.apply(state.sample_chance(rng))
    return state


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (OFFER, OFFER),
        ("I would like gold. [Offer: 3 Wood -> 2 Gold] Fair, is it not?", OFFER),
        ("[ Offer:  3   Wood->2 Gold ]", OFFER),
        ("[Offer:3 Wood -> 2 Gold]", OFFER),
        ("[Offer: 003 Wood -> 2 Gold]", OFFER),
        ("[Offer: 1 Wood -> 1 Gold] no: [Offer: 3 Wood -> 2 Gold]", OFFER),  # the last one counts
        ("[Accept] or better [Offer: 3 Wood -> 2 Gold]", OFFER),
        ("[Offer: 3 Wood -> 2 Gold] [I hope you like it]", OFFER),  # talk in brackets is talk
        ("[[Offer: 3 Wood -> 2 Gold]]", OFFER),
        ("] [Offer: 3 Wood -> 2 Gold] [", OFFER),
        ("[Offer: 10 Gold -> 10 Wood]", "[Offer: 10 Gold -> 10 Wood]"),
    ],
)
def test_offers_that_are_read(text: str, action: str) -> None:
    assert two().read(text) == action


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no action in brackets"),
        ("Offer: 3 Wood -> 2 Gold", "no action in brackets"),
        ("[Offer: 3 Wood -> 2 Gold", "no action in brackets"),
        ("[Hello]", "no action in brackets"),
        ("[Offer]", "is no offer; write it as [Offer: 3 Wood -> 2 Gold]"),
        ("[Offer 3 Wood -> 2 Gold]", "is no offer"),
        ("[offer: 3 Wood -> 2 Gold]", "is no offer"),
        ("[Offer: 3 Wood for 2 Gold]", "is no offer"),
        ("[Offer: 3 Wood -> 2 Gold -> 1 Wood]", "is no offer"),
        ("[Offer: 3 Sheep -> 2 Gold]", "unknown resource 'Sheep'; the resources are Wood, Gold"),
        ("[Offer: 3 wood -> 2 Gold]", "unknown resource 'wood'"),
        ("[Offer: 11 Wood -> 2 Gold]", "player 0 cannot give 11 Wood: player 0 has 10"),
        ("[Offer: 3 Wood -> 12 Gold]", "player 1 cannot give 12 Gold: player 1 has 10"),
        ("[Offer: " + "9" * 10_000 + " Wood -> 1 Gold]", "player 0 cannot give 9999"),
        ("[Offer: " + "0" * 10_000 + " Wood -> 1 Gold]", "whole numbers from 1 up"),
        ("[Offer: 0 Wood -> 2 Gold]", "whole numbers from 1 up"),
        ("[Offer: -3 Wood -> 2 Gold]", "whole numbers from 1 up"),
        ("[Offer: 1.5 Wood -> 2 Gold]", "whole numbers from 1 up"),
        ("[Offer: \u0663 Wood -> 2 Gold]", "whole numbers from 1 up"),  # an Arabic three: isdigit() says yes
        ("[Offer: \u00b2 Wood -> 2 Gold]", "whole numbers from 1 up"),  # int() would raise
        ("[Offer: three Wood -> 2 Gold]", "whole numbers from 1 up"),
        ("[Offer: Wood -> 2 Gold]", "write a number and a resource"),
        ("[Offer: -> 2 Gold]", "write a number and a resource"),
        ("[Offer: 3 Wood -> ]", "write a number and a resource"),
        ("[Offer: 3 Wood, -> 2 Gold]", "write a number and a resource"),
        ("[Offer: 3 Wood and 1 Gold -> 2 Gold]", "write a number and a resource"),
        ("[Offer: 3 Wood -> 2 Wood]", "Wood is on both sides"),
        ("[Offer: 1 Wood, 2 Wood -> 2 Gold]", "Wood is named twice"),
        ("[Offer: 3 Wood -> 2 Gold] [Offer: 99 Wood -> 1 Gold]", "cannot give 99"),  # the last one counts, good or bad
        ("[Accept]", "[Accept] is not legal here: no offer is open"),
        ("[Deny]", "[Deny] is not legal here: no offer is open"),
        ("[accept]", "[accept] is not an action; write [Accept]"),
    ],
)
def test_replies_that_are_refused(text: str, reason: str) -> None:
    read = two().read(text)
    assert isinstance(read, Invalid)
    assert reason in read.reason
    assert len(read.reason) < 300


def test_several_resources_are_written_in_the_order_of_the_game() -> None:
    state = five()
    assert state.read("[Offer: 3 Gold,1 Wood -> 2 Wheat]") == "[Offer: 1 Wood, 3 Gold -> 2 Wheat]"
    assert isinstance(state.read("[Offer: 1 Wood, 3 Gold -> 2 Wheat, 1 Gold]"), Invalid)


def test_a_trade() -> None:
    state = two().game.replay([OFFER, "[Accept]"])
    assert state.held[0] == (7, 12)
    assert state.held[1] == (13, 8)
    assert (state.gain(0), state.gain(1)) == (-3 * 5 + 2 * 15, 3 * 15 - 2 * 5)
    assert state.player == 0  # players alternate, whatever was said


def test_the_answerer_gets_what_was_offered_when_player_1_offers() -> None:
    state = two().game.replay([OFFER, "[Deny]", OFFER, "[Offer: 4 Gold -> 1 Wood]", "[Accept]"])
    assert (state.held[0], state.held[1]) == ((9, 14), (11, 6))


def test_an_offer_is_open_for_one_turn() -> None:
    game = two().game
    state = game.replay([OFFER])
    assert state.information(0)["offer"] == {"by": 0, "gives": {"Wood": 3}, "gets": {"Gold": 2}}
    assert state.legal_actions()[:2] == ("[Accept]", "[Deny]")
    countered = state.apply("[Offer: 1 Gold -> 5 Wood]")  # denies the first offer
    assert countered.information(0)["offer"]["by"] == 1
    assert countered.apply("[Accept]").held[0] == (5, 11)
    assert state.apply("[Deny]").information(0)["offer"] is None


@pytest.mark.parametrize(
    ("history", "returns"),
    [
        ([], (0.0, 0.0)),
        (["[Offer: 1 Wood -> 1 Gold]", "[Accept]"], (0.0, 0.0)),  # both gain 10
        (["[Offer: 1 Wood -> 2 Gold]", "[Accept]"], (1.0, -1.0)),  # 25 against 5 - 30 + 15
        (["[Offer: 3 Wood -> 2 Gold]", "[Accept]"], (-1.0, 1.0)),  # 15 against 35
    ],
)
def test_the_larger_gain_wins_after_ten_turns(history: list[str], returns: tuple[float, float]) -> None:
    state = two().game.replay(history)
    while state.player != TERMINAL:
        assert state.returns() == (0.0, 0.0)
        state = state.apply("[Deny]" if state.offer else "[Offer: 1 Gold -> 1 Wood]")
    assert len(state.history) == 10
    assert state.returns() == returns


def test_listed_offers_are_few_and_depend_on_public_facts_only() -> None:
    state = five(3)
    assert state.legal_actions() == five(3).legal_actions()
    assert 1 <= len(state.legal_actions()) <= 4
    assert len(two().game.replay([OFFER]).legal_actions()) == 6


@pytest.mark.parametrize("seed", range(20))
def test_five_resources_are_drawn_in_range_and_kept_private(seed: int) -> None:
    state = five(seed)
    assert all(5 <= units <= 25 for player in (0, 1) for units in state.units[player])
    for player in (0, 1):
        values = dict(zip(GOODS["five"], state.values[player], strict=True))
        assert all(abs(value - BASE_VALUES[good]) <= BASE_VALUES[good] / 5 for good, value in values.items())
        assert all(5 <= value <= 40 for value in values.values())
        information = state.information(player)
        assert information["values"] == values
        assert [list(held.values()) for held in information["inventories"]] == [
            list(state.held[0]),
            list(state.held[1]),
        ]


def test_chance_nodes_are_small_and_seen_by_the_right_players() -> None:
    state: Any = games.make("simple_negotiation", resources="five").initial_state()
    seen = []
    while state.player == CHANCE:
        assert 2 <= len(state.chance_outcomes()) <= 21
        seen.append(state.chance_seen_by())
        state = state.apply(state.chance_outcomes()[-1][0])
    assert seen == [(0, 1)] * 10 + [(0,)] * 5 + [(1,)] * 5
    assert state.units == ((25,) * 5,) * 2
    assert state.values == ((6, 12, 18, 30, 40),) * 2


def test_what_is_dealt_so_far_is_known() -> None:
    dealt = ["Player 0 has 7 Wheat", "Player 0 has 9 Wood"]
    information = games.make("simple_negotiation", resources="five").replay(dealt).information(1)
    assert information["inventories"] == [{"Wheat": 7, "Wood": 9}, {}]
    assert (information["values"], information["actions"], information["turns_left"]) == ({}, [], 10)


@pytest.mark.parametrize("resources", ["two", "five"])
def test_a_state_can_be_pickled(resources: str) -> None:
    """The types of its amounts are made in a function, where pickle does not look."""
    state = five() if resources == "five" else two()
    state = state.apply("[Offer: 1 Wood -> 2 Gold]")
    again = pickle.loads(pickle.dumps(state))
    assert again == state
    assert again.information(0) == state.information(0)


def test_there_is_always_an_offer_to_make() -> None:
    """Every trade leaves both with something, so nobody is ever stuck: greedy traders try."""
    for seed in range(200):
        rng, state = random.Random(seed), two()
        while state.player != TERMINAL:
            if state.offer:
                state = state.apply("[Accept]")
                continue
            mine, others = state.held[state.player], state.held[1 - state.player]
            i = rng.choice([i for i in (0, 1) if mine[i] and others[1 - i]])
            names = GOODS["two"]
            state = state.apply(f"[Offer: {rng.choice((1, mine[i]))} {names[i]} -> {others[1 - i]} {names[1 - i]}]")
            assert state.player == TERMINAL or len(state.legal_actions()) >= 3
