"""Our games as OpenSpiel games: its values, best responses, CFR and NashConv on nim, liar's dice and secret moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from spiral_lite import games
from spiral_lite.evaluation import exact
from spiral_lite.games import TERMINAL, Game, State
from spiral_lite.players.kuhn import equilibrium_bet
from spiral_lite.players.perfect import MOVES

pyspiel = pytest.importorskip("pyspiel")

NIM = games.make("nim", piles=(1, 2, 3))


def perfect(state: State) -> dict[str, float]:
    """As the perfect player draws."""
    best = MOVES[state.game.name](state)
    return dict.fromkeys(best, 1 / len(best))


@pytest.mark.parametrize(("piles", "value"), [((3, 4, 5), 1), ((1, 2, 3), -1), ((2, 2), -1), ((7,), 1)])
def test_the_value_of_nim_is_boutons(piles: tuple[int, ...], value: int) -> None:
    assert exact.game_value(games.make("nim", piles=piles)) == value


@pytest.mark.parametrize("game", [NIM, games.make("nim", piles=(2, 3))], ids=str)
def test_perfect_players_cannot_be_exploited(game: Game) -> None:
    assert exact.nash_conv(game, perfect) < 1e-6
    assert exact.nash_conv(game, exact.uniform) > 0.5


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_the_equilibrium_player_of_kuhn_cannot_be_exploited(alpha: float) -> None:
    def policy(state: Any) -> dict[str, float]:
        bet = equilibrium_bet(state.betting, state.information(state.player)["card"], alpha)
        return dict(zip(state.legal_actions(), (1 - bet, bet), strict=True))

    assert exact.exploitability(games.make("kuhn_poker"), policy).nash_conv < 1e-6


def test_nim_is_that_of_openspiel() -> None:
    """NashConv of uniform play, by its C++ best response on its own game and on ours."""
    theirs = pyspiel.load_game("nim(pile_sizes=1;2;3,is_misere=False)")
    expected = pyspiel.nash_conv(theirs, pyspiel.UniformRandomPolicy(theirs))
    assert exact.nash_conv(NIM, exact.uniform) == pytest.approx(expected)
    ours = exact.openspiel_game(NIM)
    assert pyspiel.nash_conv(ours, pyspiel.UniformRandomPolicy(ours)) == pytest.approx(expected)


def test_cfr_solves_nim() -> None:
    from open_spiel.python.algorithms import cfr, exploitability

    game = exact.openspiel_game(games.make("nim", piles=(1, 2)))
    solver = cfr.CFRSolver(game)
    for _ in range(100):
        solver.evaluate_and_update_policy()
    assert exploitability.nash_conv(game, solver.average_policy()) < 0.05


def test_best_response_of_openspiel() -> None:
    from open_spiel.python.algorithms import best_response

    both = exact.openspiel_policy(NIM, exact.uniform)
    second = best_response.BestResponsePolicy(both.game, 1, both)
    assert second.value(both.game.new_initial_state()) > 0.5


@dataclass(frozen=True)
class Pennies(Game):
    """Matching pennies: player 1 does not see what player 0 has shown. Nothing is left to chance."""

    name: ClassVar[str] = "pennies"

    @property
    def max_return(self) -> float:
        return 1.0

    def initial_state(self) -> State:
        return PenniesState(self)


@dataclass(frozen=True)
class PenniesState(State):
    @property
    def player(self) -> int:
        return len(self.history) if len(self.history) < 2 else TERMINAL

    def legal_actions(self) -> tuple[str, ...]:
        return ("[heads]", "[tails]") if len(self.history) < 2 else ()

    def _next(self, action: str) -> State:
        return PenniesState(self.game, (*self.history, action))

    def returns(self) -> tuple[float, float]:
        if len(self.history) < 2:
            return (0.0, 0.0)
        return (1.0, -1.0) if self.history[0] == self.history[1] else (-1.0, 1.0)

    def information(self, player: int) -> dict[str, Any]:
        seen = list(self.history) if len(self.history) == 2 else list(self.history[: 1 - player])
        return {"you": player, "shown": seen, "turn": len(self.history), "legal": list(self.legal_actions())}


def test_secret_moves_are_hidden_information() -> None:
    """Minimax, which sees them, would find -1."""
    games.check(Pennies())
    assert exact.game_value(Pennies()) == pytest.approx(0)
    assert exact.nash_conv(Pennies(), exact.uniform) == pytest.approx(0)
    assert exact.nash_conv(Pennies(), lambda state: {"[heads]": 1.0}) == pytest.approx(2)
    information = exact.openspiel_game(Pennies()).get_type().information
    assert information == pyspiel.GameType.Information.IMPERFECT_INFORMATION


@pytest.mark.parametrize("game", [NIM, games.make("tic_tac_toe")], ids=str)
def test_open_games_stay_open(game: Game) -> None:
    information = exact.openspiel_game(game).get_type().information
    assert information == pyspiel.GameType.Information.PERFECT_INFORMATION


@pytest.mark.parametrize("name", games.names())
def test_a_state_of_any_game_can_be_searched(name: str) -> None:
    """OpenSpiel plays it to the end by itself."""
    import numpy as np

    state, rng = exact.openspiel_state(games.make(name).initial_state()), np.random.RandomState(0)
    for _ in range(2000):
        if state.is_terminal():
            break
        copied = state.clone()
        if state.is_chance_node():
            outcomes, odds = zip(*state.chance_outcomes(), strict=True)
            state.apply_action(int(rng.choice(outcomes, p=np.array(odds) / sum(odds))))
        else:
            state.apply_action(int(rng.choice(state.legal_actions())))
        assert str(copied) != str(state), "the copy has not moved along"
    assert state.is_terminal()
