"""The negotiator trades to its gain, offers what the other could accept, and knows no more than a player does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import games, players
from spiral_lite.games import State, simple_negotiation
from spiral_lite.games.offers import said_in
from spiral_lite.players.negotiator import FIXED_VALUES, answer, fair_offers, gains
from spiral_lite.rollout import play

TWO, FIVE = games.make("simple_negotiation"), games.make("simple_negotiation", resources="five")
GAMES = pytest.mark.parametrize("game", [TWO, FIVE], ids=["two", "five"])


def dealt(game: games.Game, seed: int, moves: int = 0) -> State:
    state, rng = game.initial_state(), random.Random(seed)
    while state.player == games.CHANCE:
        state = state.apply(state.sample_chance(rng))
    for _ in range(moves):
        state = state.apply(rng.choice(state.legal_actions()))
    return state


@GAMES
@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**6), moves=st.integers(0, 9))
def test_every_answer_is_legal_and_sensible(game: games.Game, seed: int, moves: int) -> None:
    state = dealt(game, seed, moves)
    known = state.known(state.player)
    action = answer(known)
    assert state.read(action) == action
    if action == "[Accept]":
        after = state.apply(action)
        assert after.gain(state.player) > state.gain(state.player)  # type: ignore[attr-defined]
    offers = list(fair_offers(known))
    for gain, offer in offers:
        said = said_in(offer, known.resources).offer
        assert said is not None
        change = {good: said.asked[i] - said.given[i] for i, good in enumerate(known.resources)}
        mine, others = gains(known, change)
        assert gain == mine >= others > 0
        assert state.read(offer) == offer
    if action.startswith("[Offer") and offers:
        assert action in [offer for _, offer in offers]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6))
def test_it_does_not_know_the_values_of_the_other(seed: int) -> None:
    """The same deal but for what the other values: the same answer."""
    state = dealt(FIVE, seed)
    history, rng = list(state.history), random.Random(seed)
    for step in range(15, 20):  # what player 1 values
        history[step] = rng.choice(list(simple_negotiation.DEALS[step]))
    assert answer(FIVE.replay(history).known(0)) == answer(state.known(0))


def test_the_fixed_values_are_those_of_the_rules() -> None:
    assert FIXED_VALUES == tuple(tuple(TWO.initial_state().known(player).values) for player in (0, 1))


def test_it_asks_for_less_as_time_goes_by() -> None:
    state, offers = TWO.initial_state(), []
    while state.player != games.TERMINAL:
        action = answer(state.known(state.player)) if state.player == 0 else "[Deny]"
        offers += [action] if state.player == 0 else []
        state = state.apply(action)
    assert offers == [
        "[Offer: 5 Wood -> 10 Gold]",
        "[Offer: 6 Wood -> 10 Gold]",
        "[Offer: 7 Wood -> 10 Gold]",
        "[Offer: 9 Wood -> 10 Gold]",
        "[Offer: 10 Wood -> 10 Gold]",
    ]


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        ("[Offer: 1 Wood -> 9 Gold]", "[Deny or better]"),  # player 1 gains nothing
        ("[Offer: 5 Wood -> 9 Gold]", "[Deny or better]"),  # he gains 30, the other 110
        ("[Offer: 6 Wood -> 6 Gold]", "[Accept]"),  # both gain 60
        ("[Offer: 8 Wood -> 4 Gold]", "[Accept]"),  # he gains 100, the other 20
        ("[Offer: 4 Gold -> 1 Wood]", "[Accept]"),
    ],
)
def test_it_accepts_what_gains_it_no_less_than_the_other(offer: str, expected: str) -> None:
    action = answer(TWO.initial_state().apply(offer).known(1))
    assert action == "[Accept]" if expected == "[Accept]" else action.startswith("[Offer: ")


@GAMES
def test_two_of_them_trade(game: games.Game) -> None:
    episodes = play(game, (players.negotiator(), players.negotiator()), 50, seed=1)
    assert all(episode.ended == "rules" for episode in episodes)
    traded = sum("[Accept]" in episode.history for episode in episodes)
    assert traded > 40


@pytest.mark.parametrize(("game", "least"), [(TWO, 0.2), (FIVE, 0.6)], ids=["two", "five"])
def test_it_beats_random_clearly(game: games.Game, least: float) -> None:
    """In "two" random often denies all, which draws; there the other's values are known, so it never loses."""
    from spiral_lite.evaluation.intervals import mean_interval

    seats = [(players.negotiator(), players.random_player()), (players.random_player(), players.negotiator())]
    episodes = play(game, seats, 200, seed=1)
    returns = [episode.returns[index % 2] for index, episode in enumerate(episodes)]
    found = mean_interval(returns)
    assert found.low > least, found
    assert game == FIVE or min(returns) >= 0
    assert all(episode.ended == "rules" for episode in episodes)


def test_it_refuses_other_games() -> None:
    with pytest.raises(ValueError, match="the negotiator cannot play tic_tac_toe"):
        play(games.make("tic_tac_toe"), (players.negotiator(), players.negotiator()), 1)
