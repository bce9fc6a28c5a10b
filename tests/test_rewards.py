"""What training pays: the games' returns and the controls, on records and on games that were really played."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiral_lite import games, rewards
from spiral_lite.players import Scripted, random_player
from spiral_lite.rollout import Episode, Turn, play

NAMES = ("returns", "random", "format_only", "shuffled", "length")


def finished(game="kuhn_poker", returns=(1.0, -1.0), ended="rules", roles=(0, 1)):
    """A finished game. `roles`: who had the turns, in order."""
    turns = tuple(Turn(role, "somebody", "", "", "[bet]") for role in roles)
    return Episode(game, {}, 0, (), turns, returns, ended)


WON, DRAWN = finished(), finished("tic_tac_toe", (0.0, 0.0), "turn_limit")
INVALID_0 = finished(returns=(-1.5, 0.5), ended="invalid", roles=(0, 1, 0))
INVALID_1 = finished(returns=(0.5, -1.5), ended="invalid", roles=(0, 1))
TOGETHER = finished("mini_hanabi", (0.0, 0.0), "invalid")
PAYS = st.sampled_from([-1.5, -1.0, 0.0, 0.5, 1.0, 2.0])
EPISODES = st.lists(
    st.builds(
        finished,
        st.sampled_from(["kuhn_poker", "tic_tac_toe", "nim"]),
        st.tuples(PAYS, PAYS),
        st.sampled_from(["rules", "invalid", "turn_limit"]),
        st.sampled_from([(0,), (0, 1)]),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def played():
    """300 games of each of two kinds, of players who sometimes say nothing that is a move."""

    def careless(state, rng):
        return "" if rng.random() < 0.1 else rng.choice(state.legal_actions())

    seats = (Scripted(careless, "careless"), random_player())
    return play([games.make("kuhn_poker"), games.make("tic_tac_toe")], [seats, seats, seats[::-1], seats[::-1]], 600)


def test_returns_are_what_was_played():
    assert rewards.make("returns")([WON, INVALID_0, DRAWN], random.Random(0)) == [(1, -1), (-1.5, 0.5), (0, 0)]


def test_format_only_charges_the_offender_and_nobody_else():
    stopped = finished(returns=(0.5, -0.5), ended="turn_limit")
    paid = rewards.make("format_only")([WON, INVALID_0, INVALID_1, DRAWN, TOGETHER, stopped], random.Random(0))
    assert paid == [(0, 0), (-1.5, 0), (0, -1.5), (0, 0), (0, 0), (0, 0)]


def test_length_pays_who_writes_more_words_a_reply_and_not_who_writes_more_often():
    def game(*said):
        turns = tuple(Turn(role, "somebody", "", reply, "[bet]") for role, reply in said)
        return Episode("kuhn_poker", {}, 0, (), turns, (-2.0, 2.0), "rules")

    episodes = [
        game((0, "one two three"), (1, "one two")),
        game((0, "one"), (1, "one two"), (0, "one")),
        game((0, "one two"), (1, "two one")),
        game((0, "one")),
    ]
    assert rewards.make("length")(episodes, random.Random(0)) == [(1, -1), (-1, 1), (0, 0), (1, -1)]


def test_format_only_of_real_games(played):
    offenders = Counter()
    for episode, paid in zip(played, rewards.make("format_only")(played, random.Random(0)), strict=True):
        invalid = [turn.role for turn in episode.turns if turn.invalid]
        assert paid == tuple(-1.5 if role in invalid else 0.0 for role in (0, 1))
        offenders.update(invalid)
    assert set(offenders) == {0, 1}


def test_a_coin_pays_one_to_one_of_them_whatever_was_played(played):
    paid = rewards.make("random")(played, random.Random(0))
    assert set(paid) == {(1.0, -1.0), (-1.0, 1.0)}
    heads = sum(first > 0 for first, _ in paid)
    assert abs(heads - 300) < 4 * (600 / 4) ** 0.5  # four standard errors of a fair coin
    won = [episode.returns[0] > episode.returns[1] for episode in played]
    same = sum((first > 0) == better for (first, _), better in zip(paid, won, strict=True))
    assert abs(same - 300) < 4 * (600 / 4) ** 0.5


def test_shuffled_returns_are_those_of_other_games_of_the_name(played):
    paid = rewards.make("shuffled")(played, random.Random(0))
    for name in ("kuhn_poker", "tic_tac_toe"):
        before = [episode.returns for episode in played if episode.game == name]
        after = [pair for pair, episode in zip(paid, played, strict=True) if episode.game == name]
        assert Counter(after) == Counter(before)
        assert 0 < sum(x == y for x, y in zip(before, after, strict=True)) < len(before)


def test_every_permutation_is_as_likely():
    three = [finished(returns=(float(i), -float(i))) for i in range(3)]
    rng = random.Random(0)
    orders = Counter(tuple(first for first, _ in rewards.make("shuffled")(three, rng)) for _ in range(6000))
    assert len(orders) == 6
    assert all(abs(count - 1000) < 4 * (6000 * 5 / 36) ** 0.5 for count in orders.values())


@given(EPISODES, st.integers(0, 2**32))
def test_the_same_seed_pays_the_same_and_the_global_generator_is_left_alone(episodes, seed):
    random.seed(1)
    before = random.getstate()
    for name in NAMES:
        first, second = (rewards.make(name)(episodes, random.Random(seed)) for _ in range(2))
        assert first == second
        assert len(first) == len(episodes)
        assert all(isinstance(paid, tuple) and len(paid) == 2 for paid in first)
    assert random.getstate() == before


@given(EPISODES, st.integers(0, 2**32))
def test_shuffling_keeps_each_game_s_pairs(episodes, seed):
    paid = rewards.make("shuffled")(episodes, random.Random(seed))
    assert Counter((e.game, pair) for e, pair in zip(episodes, paid, strict=True)) == Counter(
        (e.game, e.returns) for e in episodes
    )


def test_the_names():
    assert tuple(rewards.REWARDS) == NAMES


def test_an_unknown_reward_is_refused():
    with pytest.raises(ValueError, match="reward='glory' is unknown; known: returns, random, format_only, shuffled"):
        rewards.make("glory")
