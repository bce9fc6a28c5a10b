"""From games to turns: who learns, discounts, which turns are drawn."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import games
from spiral_lite.games import TRAINING_FORFEIT
from spiral_lite.players import Scripted, random_player
from spiral_lite.rollout import Played
from spiral_lite.trainer import collect
from spiral_lite.trainer.collect import Plan, Sample

KUHN, TTT = games.make("kuhn_poker"), games.make("tic_tac_toe")


def plan(game=KUHN, turns=100, same_deal=1):
    return Plan(game, turns, same_deal, TRAINING_FORFEIT, in_flight=16, version=3)


def named(name):
    return Scripted(lambda state, rng: rng.choice(state.legal_actions()), name)


def test_self_play_learns_from_both_roles():
    played = collect.play_turns(plan(), random_player(), None, random.Random(0))
    assert {one.roles for one in played} == {(0, 1)}
    assert sum(len(one.turns) for one in played) >= 100
    assert {one.episode.policy_version for one in played} == {3}


def test_against_an_opponent_the_learner_has_both_seats_in_turn_and_learns_its_own():
    played = collect.play_turns(plan(), named("learner"), named("opponent"), random.Random(0))
    assert Counter(one.roles for one in played)[(0,)] == pytest.approx(len(played) / 2, abs=1)
    assert sum(len(one.turns) for one in played) >= 100
    for one in played:
        assert {turn.player for turn in one.turns} <= {"learner"}
        others = [turn for turn in one.episode.turns if turn.role not in one.roles]
        assert {turn.player for turn in others} <= {"opponent"}


def test_missing_turns_are_made_up_by_few_games():
    """An opponent who forfeits half of the games at its first turn leaves the learner with fewer turns than planned."""
    silly = Scripted(lambda state, rng: "[9]" if rng.random() < 0.5 else rng.choice(state.legal_actions()), "silly")
    for seed in range(20):
        played = collect.play_turns(plan(TTT, turns=100), named("learner"), silly, random.Random(seed))
        assert 100 <= sum(len(one.turns) for one in played) < 140


@pytest.mark.parametrize("opponent", [None, named("opponent")])
@pytest.mark.parametrize("turns", [10, 100, 300])
def test_groups_are_whole_and_have_the_same_deals(turns, opponent):
    played = collect.play_turns(plan(turns=turns, same_deal=4), random_player(), opponent, random.Random(0))
    sizes = Counter((one.episode.seed, one.roles) for one in played)
    assert set(sizes.values()) == {4}


def test_groups_differ_in_their_play():
    played = collect.play_turns(plan(same_deal=4), random_player(), None, random.Random(0))
    deals = {}
    for one in played:
        deals.setdefault(one.episode.seed, []).append(one.episode)
    assert Counter(map(len, deals.values())).most_common(1)[0][0] == 4
    for group in deals.values():
        assert len({episode.history[:2] for episode in group}) == 1
    assert any(len({episode.history for episode in group}) > 1 for group in deals.values())


def test_the_same_seed_collects_the_same_games_and_leaves_the_global_generator():
    before = random.getstate()
    first, again = (collect.play_turns(plan(), random_player(), None, random.Random(5)) for _ in range(2))
    assert [one.episode.history for one in first] == [one.episode.history for one in again]
    assert random.getstate() == before


def test_the_advantage_is_discounted_for_each_later_turn_of_the_role():
    episode = Played(one_game([2, 1]).episode)
    found = collect.samples([episode], [(1.0, -1.0)], [(0.8, -0.6)], gamma=0.5)
    assert [(s.turn.role, s.advantage) for s in found] == [(0, 0.4), (1, -0.6), (0, 0.8)]
    assert [s.value for s in found] == [1.0, -1.0, 1.0]


def one_game(turns_of):
    """A Kuhn game with this many turns of each role."""
    for seed in range(1000):
        played = collect.play_turns(plan(turns=1), random_player(), None, random.Random(seed))
        for one in played:
            if [sum(t.role == role for t in one.turns) for role in (0, 1)] == turns_of:
                return one
    raise AssertionError("no such game")


def test_only_the_learner_s_turns_are_samples():
    game = one_game([2, 1])
    found = collect.samples([Played(game.episode, (1,))], [(1.0, -1.0)], [(0.0, -0.6)])
    assert [(s.turn.role, s.advantage) for s in found] == [(1, -0.6)]


def sample(game, advantage, number):
    return Sample(game, number, advantage, advantage)  # a number in place of the turn


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0]), min_size=8, max_size=40),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 99),
)
def test_the_draw_is_even_over_games_and_without_replacement(advantages, share, filter_zero, seed):
    found = [sample(("a", "b")[i % 2], value, i) for i, value in enumerate(advantages)]
    drawn = collect.draw(found, 2 * share, ["a", "b"], random.Random(seed), filter_zero)
    assert Counter(s.game for s in drawn) == {"a": share, "b": share}
    assert len({s.turn for s in drawn}) == 2 * share
    if filter_zero:
        for name in "ab":
            useful = sum(s.advantage != 0 for s in found if s.game == name)
            assert sum(s.advantage != 0 for s in drawn if s.game == name) == min(share, useful)


def test_every_turn_is_as_likely_to_be_drawn():
    found = [sample("a", 1.0, i) for i in range(10)]
    counts = Counter(s.turn for i in range(3000) for s in collect.draw(found, 3, ["a"], random.Random(i), False))
    assert all(count / 3000 == pytest.approx(0.3, abs=0.04) for count in counts.values())


def test_keep_all_keeps_all_and_drops_zeros_first():
    found = [sample("a", float(i % 2), i) for i in range(10)]
    assert {s.turn for s in collect.keep_all(found, 10, random.Random(0), False)} == set(range(10))
    kept = collect.keep_all(found, 6, random.Random(0), filter_zero=True)
    assert sum(s.advantage != 0 for s in kept) == 5
