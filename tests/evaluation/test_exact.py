"""Exact values and best responses, against closed forms and OpenSpiel's own games."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from spiral_lite import games
from spiral_lite.evaluation import exact
from spiral_lite.games import TERMINAL, Game, State

pyspiel = pytest.importorskip("pyspiel")

KUHN = games.make("kuhn_poker")
PUBLISHED = games.make("kuhn_poker", variant="published")


def test_expected_return_is_over_both_seats() -> None:
    kuhn = games.make("kuhn_poker")

    def always(state: State) -> dict[str, float]:
        return {state.legal_actions()[1]: 1.0}  # bets and calls

    assert exact.expected_return(kuhn, exact.uniform, exact.uniform) == pytest.approx(0)
    # Against one who always bets and calls, the uniform player wins as often as it loses what it calls for, and folds
    # half of the time for a chip: -1/2 as second player; as first it bets (called) or checks, then calls or folds.
    assert exact.expected_return(kuhn, exact.uniform, always) == pytest.approx((-1 / 2 - 1 / 4) / 2)
    assert exact.expected_return(kuhn, always, exact.uniform) == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_values() -> None:
    assert exact.game_value(KUHN) == pytest.approx(-1 / 18)
    assert exact.game_value(PUBLISHED) == pytest.approx(0)
    assert exact.game_value(games.make("tic_tac_toe")) == 0


def test_a_match_of_two_rounds_is_solved_exactly() -> None:
    """Each starts once, so it is worth 0 to both; OpenSpiel's CFR finds a policy that nothing beats by much."""
    match = games.make("kuhn_poker", rounds=2)
    assert len(exact.information_sets(match)) == 300
    assert exact.game_value(match) == pytest.approx(0, abs=1e-9)
    assert exact.nash_conv(match, exact.uniform) == pytest.approx(101 / 144)
    from open_spiel.python.algorithms import cfr, exploitability

    solver = cfr.CFRPlusSolver(exact.openspiel_game(match))
    for _ in range(15):
        solver.evaluate_and_update_policy()
    assert exploitability.nash_conv(solver._game, solver.average_policy()) < 0.1


@dataclass(frozen=True)
class Meet(Game):
    """Both go to the same place or get nothing; the first says where it goes."""

    name: ClassVar[str] = "meet"
    zero_sum: ClassVar[bool] = False
    common_payoff: ClassVar[bool] = True
    max_return = 1.0
    min_return = 0.0

    def initial_state(self) -> State:
        return MeetState(self)


@dataclass(frozen=True)
class MeetState(State):
    @property
    def player(self) -> int:
        return (0, 1, TERMINAL)[len(self.history)]

    def legal_actions(self) -> tuple[str, ...]:
        return () if self.player == TERMINAL else ("[park]", "[pier]")

    def returns(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.player == TERMINAL and len(set(self.history)) == 1 else (0.0, 0.0)

    def information(self, player: int) -> dict[str, Any]:
        return {"you": player, "actions": list(self.history), "legal": list(self.legal_actions())}

    def _next(self, action: str) -> State:
        return MeetState(self.game, (*self.history, action))


def test_a_cooperative_game_has_a_nash_conv_and_no_minimax_value() -> None:
    games.check(Meet())
    kind, found = exact.openspiel_game(Meet()).get_type(), exact.exploitability(Meet(), exact.uniform)
    assert kind.utility == pyspiel.GameType.Utility.IDENTICAL
    assert (found.values, found.gains) == (pytest.approx((0.5, 0.5)), pytest.approx((0.0, 0.5)))
    with pytest.raises(ValueError, match="is not zero-sum, so it has no minimax value"):
        exact.game_value(Meet())


def test_a_match_of_two_rounds_is_fair() -> None:
    """Each player starts once, and only the sign of the chips pays."""
    match = games.make("kuhn_poker", rounds=2)
    assert exact.game_value(match) == pytest.approx(0)
    assert len(exact.information_sets(match)) == 300


def test_uniform_play() -> None:
    found = exact.exploitability(KUHN, exact.uniform)
    assert found.nash_conv == pytest.approx(11 / 12)
    assert found.values == pytest.approx((1 / 8, -1 / 8))
    assert sum(found.gains) == pytest.approx(found.nash_conv)
    assert exact.nash_conv(PUBLISHED, exact.uniform) == pytest.approx(3 / 4)
    assert found.to_dict()["nash_conv"] == found.nash_conv


def kuhn_equilibrium(alpha: float) -> exact.Policy:
    """Kuhn 1950: the one-parameter family of the first player, and the second player's only equilibrium."""
    bets = {
        "": {"J": alpha, "Q": 0.0, "K": 3 * alpha},
        "k": {"J": 1 / 3, "Q": 0.0, "K": 1.0},
        "b": {"J": 0.0, "Q": 1 / 3, "K": 1.0},
        "kb": {"J": 0.0, "Q": alpha + 1 / 3, "K": 1.0},
    }

    def policy(state: Any) -> dict[str, float]:
        passive, active = state.legal_actions()
        p = bets[state.betting][state.cards[state.player]]
        return {passive: 1 - p, active: p}

    return policy


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.2, 1 / 3])
def test_the_equilibria_of_kuhn(alpha: float) -> None:
    found = exact.exploitability(KUHN, kuhn_equilibrium(alpha))
    assert found.nash_conv == pytest.approx(0, abs=1e-9)
    assert found.values[0] == pytest.approx(-1 / 18)


def test_outside_the_family_is_exploitable() -> None:
    def bets_the_king_too_rarely(state: Any) -> Mapping[str, float]:
        honest = kuhn_equilibrium(0.2)(state)
        return {"[check]": 1.0} if "[bet]" in honest and state.cards[state.player] == "K" else honest

    assert exact.nash_conv(KUHN, bets_the_king_too_rarely) > 0.1


def test_never_folding_is_safe_in_the_published_game() -> None:
    def never_folds(state: State) -> dict[str, float]:
        return {action: float(action in ("[check]", "[call]")) for action in state.legal_actions()}

    assert exact.nash_conv(PUBLISHED, never_folds) == pytest.approx(0)
    assert exact.nash_conv(KUHN, never_folds) > 0.1


def test_information_sets_of_kuhn() -> None:
    sets = exact.information_sets(KUHN)
    assert [player for player, _ in sets] == [0] * 6 + [1] * 6
    assert all(state.player == player for player, state in sets)
    assert len({exact.information_key(state) for _, state in sets}) == 12


def test_openspiel_plays_our_game() -> None:
    """Its CFR, tabular policies and C++ best response run on the adapter, and agree with its own Kuhn poker."""
    from open_spiel.python import policy
    from open_spiel.python.algorithms import cfr, exploitability

    ours, theirs = exact.openspiel_game(KUHN), pyspiel.load_game("kuhn_poker")
    results = []
    for game in (ours, theirs):
        solver = cfr.CFRSolver(game)
        for _ in range(30):
            solver.evaluate_and_update_policy()
        results.append(exploitability.nash_conv(game, solver.average_policy()))
    assert results[0] == pytest.approx(results[1])
    assert policy.TabularPolicy(ours).action_probability_array.shape == (12, 2)
    assert pyspiel.nash_conv(ours, pyspiel.UniformRandomPolicy(ours)) == pytest.approx(11 / 12)


def test_actions_keep_their_names() -> None:
    state = exact.openspiel_game(KUHN).new_initial_state()
    assert state.is_chance_node()
    state.apply_action(2)
    state.apply_action(0)
    assert [state.action_to_string(action) for action in state.legal_actions()] == ["[check]", "[bet]"]
    copied = state.clone()
    copied.apply_action(1)
    assert (str(state), str(copied)) == ("K J", "K J [bet]")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (lambda state: {"[check]": 0.5}, "must sum to 1"),
        (lambda state: {"[raise]": 1.0}, r"plays '\[raise\]' where only"),
        (lambda state: {state.legal_actions()[0]: 1.5, state.legal_actions()[1]: -0.5}, "must sum to 1"),
    ],
)
def test_wrong_policies_are_refused(policy: exact.Policy, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact.nash_conv(KUHN, policy)


def test_large_games_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "LARGEST", 1000)
    with pytest.raises(ValueError, match="too many to solve exactly"):
        exact.openspiel_game(games.make("simple_negotiation"))


def test_forgetful_information_is_refused() -> None:
    @dataclass(frozen=True)
    class Forgetful(type(KUHN)):  # type: ignore[misc]
        def initial_state(self) -> State:
            return ForgetfulState(self)

    class ForgetfulState(type(KUHN.initial_state())):  # type: ignore[misc]
        def _next(self, action: str) -> State:
            after = super()._next(action)
            return ForgetfulState(*(getattr(after, name) for name in after.__dataclass_fields__))

        def information(self, player: int) -> dict[str, Any]:
            kept = super().information(player)
            return {"you": player, "legal": kept["legal"]}  # forgets the card

    with pytest.raises(ValueError, match="forgets what its player knew"):
        exact.nash_conv(Forgetful(), exact.uniform)


def test_without_openspiel_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    exact._adapters.cache_clear()
    with pytest.raises(ImportError, match=r'pip install "spiral-lite\[exact\]"'):
        exact.openspiel_game(KUHN)
