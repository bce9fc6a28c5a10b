"""RAE against the paper's recursion written out by hand, and its properties."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiral_lite import advantages
from spiral_lite.advantages import NoBaseline, RoleBaseline

RETURNS = st.floats(-2, 2, allow_nan=False)
OUTCOMES = st.lists(st.tuples(st.sampled_from(["kuhn_poker", "tic_tac_toe"]), st.tuples(RETURNS, RETURNS)), max_size=30)


def test_three_games_by_hand():
    baseline = RoleBaseline(decay=0.9)
    games = [("kuhn_poker", (2.0, -2.0)), ("tic_tac_toe", (1.0, -1.0)), ("kuhn_poker", (-1.5, 0.5))]
    # b starts at 0; after the first game b0 = 0.1 * 2 = 0.2 and b1 = -0.2; tic-tac-toe has baselines of its own
    expected = [(2.0, -2.0), (1.0, -1.0), (-1.5 - 0.2, 0.5 + 0.2)]
    assert baseline.advantages(games) == [pytest.approx(both) for both in expected]
    assert baseline.values["kuhn_poker/role0"] == pytest.approx(0.9 * 0.2 + 0.1 * -1.5)
    assert baseline.values["kuhn_poker/role1"] == pytest.approx(0.9 * -0.2 + 0.1 * 0.5)


@given(OUTCOMES)
def test_the_baseline_is_the_weighted_sum_of_the_past(outcomes):
    baseline = RoleBaseline(0.95)
    scored = baseline.advantages(outcomes)
    for index, (game, returns) in enumerate(outcomes):
        past = [r for g, r in outcomes[:index] if g == game]
        for role in (0, 1):
            weights = [0.05 * 0.95 ** (len(past) - 1 - i) for i in range(len(past))]
            before = sum(w * r[role] for w, r in zip(weights, past, strict=True))
            assert scored[index][role] == pytest.approx(returns[role] - before, abs=1e-12)


@given(OUTCOMES, OUTCOMES)
def test_state_survives_json_and_goes_on(first, second):
    whole, half = RoleBaseline(), RoleBaseline()
    whole.advantages(first)
    half.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert half.advantages(second) == whole.advantages(second)


def test_a_draw_has_minus_the_baseline_as_advantage():
    baseline = RoleBaseline(0.95)
    baseline.advantages([("tic_tac_toe", (1.0, -1.0))])
    assert baseline.advantages([("tic_tac_toe", (0.0, 0.0))]) == [pytest.approx((-0.05, 0.05))]


def test_no_baseline_is_the_return():
    assert NoBaseline().advantages([("x", (0.5, -1.5))]) == [(0.5, -1.5)]


@pytest.mark.parametrize(
    ("mine", "other"),
    [(RoleBaseline(0.95), RoleBaseline(0.9)), (RoleBaseline(), NoBaseline()), (NoBaseline(), RoleBaseline())],
)
def test_another_baseline_s_state_is_refused(mine, other):
    with pytest.raises(ValueError, match="resume with its settings"):
        mine.load_state_dict(other.state_dict())


@pytest.mark.parametrize("decay", [1.0, -0.1, 2])
def test_a_wrong_decay_is_refused(decay):
    with pytest.raises(ValueError, match=f"decay={decay}.*e.g. decay=0.95"):
        RoleBaseline(decay)


def test_an_unknown_baseline_is_refused():
    with pytest.raises(ValueError, match="baseline='critic' is unknown; known: role, none"):
        advantages.make("critic")
