"""Exact game theory by OpenSpiel: best responses, NashConv and game values of any small game of ours.

`openspiel_game` shows a game to OpenSpiel (Lanctot et al. 2019, arXiv:1908.09453), whose algorithms then run on it:
we compute no best response ourselves. NashConv = what both players together could gain by a best response; 0 at a Nash
equilibrium. Needs `pip install "spiral-lite[exact]"`. Read `games/base.py` before this.

Conventions. An information state is the JSON text of player and `state.information(player)`. An OpenSpiel action is the
place of ours in `legal_actions()` (in Kuhn poker 0 is check or fold, 1 is bet or call, as in OpenSpiel's own game). A
game with an open action set would be solved as if only its listed actions existed; Negotiation is too large anyway.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spiral_lite.games import CHANCE, TERMINAL, Game, State

Policy = Callable[[State], Mapping[str, float]]  # at a player's turn: the probability of each action; 0 if not named
LARGEST = 100_000  # positions; a larger game is refused rather than left to run for hours


@dataclass(frozen=True)
class Exploitability:
    """How far a policy that plays both seats is from equilibrium, in the game's own points."""

    nash_conv: float  # sum of both gains; exploitability in the narrow sense is half of it
    gains: tuple[float, float]  # what each player gains by a best response to the policy
    values: tuple[float, float]  # expected returns where both play the policy

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def information_key(state: State, player: int | None = None) -> str:
    """The name of an information set: the player (default: the one to move) and all that he knows, as JSON text."""
    player = state.player if player is None else player
    return json.dumps([player, state.information(player)], sort_keys=True)


def information_sets(game: Game) -> list[tuple[int, State]]:
    """(player, state) for each information set, player 0's first: one of the states that the player cannot tell apart.

    >>> from spiral_lite import games
    >>> len(information_sets(games.make("kuhn_poker")))
    12
    """
    sets = _explore(game).sets.values()
    return [(player, state) for player in (0, 1) for state in sets if state.player == player]


def uniform(state: State) -> dict[str, float]:
    """The policy that plays every legal action with the same probability."""
    legal = state.legal_actions()
    return dict.fromkeys(legal, 1 / len(legal))


def openspiel_game(game: Game) -> Any:
    """`game` as a pyspiel.Game. Raises ValueError if it has more than LARGEST positions."""
    return _adapters()[0](game, _explore(game))


def openspiel_state(state: State) -> Any:
    """`state` as a pyspiel.State, of a game of any size: for a search, which looks at a part of it. What
    `openspiel_game` counts in the whole game (most actions, longest game) is only bounded here."""
    found = _adapters()[0](state.game, ANY_SIZE).new_initial_state()
    found.kept = _Kept(state)
    return found


def openspiel_policy(game: Game, policy: Policy) -> Any:
    """`policy` as an open_spiel Policy. It is asked once an information set, so it cannot tell more than a player."""
    return _adapters()[1](openspiel_game(game), policy)


def nash_conv(game: Game, policy: Policy) -> float:
    """NashConv of `policy`, which plays both seats; see `exploitability`.

    >>> from spiral_lite import games
    >>> round(nash_conv(games.make("kuhn_poker"), uniform), 4)
    0.9167
    """
    return exploitability(game, policy).nash_conv


def exploitability(game: Game, policy: Policy) -> Exploitability:
    """NashConv and its parts, by OpenSpiel's best response."""
    _require_recall(game)
    both = openspiel_policy(game, policy)
    from open_spiel.python.algorithms import expected_game_score
    from open_spiel.python.algorithms import exploitability as openspiel

    found = openspiel.nash_conv(both.game, both, return_only_nash_conv=False)
    values = expected_game_score.policy_value(both.game.new_initial_state(), [both, both])
    return Exploitability(
        float(found.nash_conv),
        (float(found.player_improvements[0]), float(found.player_improvements[1])),
        (float(values[0]), float(values[1])),
    )


def expected_return(game: Game, policy: Policy, opponent: Policy) -> float:
    """The mean return of `policy` against `opponent`, half of the games from each seat: a match without chance."""
    from open_spiel.python.algorithms import expected_game_score

    ours, theirs = openspiel_policy(game, policy), openspiel_policy(game, opponent)
    start = ours.game.new_initial_state()
    first = expected_game_score.policy_value(start, [ours, theirs])[0]
    second = expected_game_score.policy_value(start, [theirs, ours])[1]
    return float(first + second) / 2


def win_rate(game: Game, policy: Policy, opponent: Policy) -> float:
    """How often `policy` has a return above 0 against `opponent`, half of the games from each seat: without chance.

    >>> from spiral_lite import games
    >>> win_rate(games.make("kuhn_poker"), uniform, uniform)
    0.5
    """

    def won(state: State, seats: tuple[Policy, Policy], seat: int) -> float:
        if state.player == TERMINAL:
            return float(state.returns()[seat] > 0)
        chances = state.chance_outcomes() or tuple(seats[state.player](state).items())
        return sum(chance * won(state.apply(action), seats, seat) for action, chance in chances if chance)

    start = game.initial_state()
    return (won(start, (policy, opponent), 0) + won(start, (opponent, policy), 1)) / 2


def game_value(game: Game) -> float:
    """What player 0 gets if both play perfectly: minimax, or a linear program if something is hidden.

    Raises ValueError for a game that is not zero-sum: it has no such value.

    >>> from spiral_lite import games
    >>> round(game_value(games.make("kuhn_poker")) * 18, 6)
    -1.0
    """
    if not game.zero_sum:
        raise ValueError(f"{game} is not zero-sum, so it has no minimax value; ask e.g. for the nash_conv of a policy")
    root = openspiel_game(game).new_initial_state()
    from open_spiel.python.algorithms import minimax

    seen = _explore(game)
    if seen.hidden:
        return _sequence_form_value(game)
    if seen.chance_outcomes:
        return float(minimax.expectiminimax(root, seen.turns + 1, None, 0)[0])
    return float(minimax.alpha_beta_search(root.get_game(), state=root, maximizing_player_id=0)[0])


def _sequence_form_value(game: Game) -> float:
    """Koller, Megiddo and von Stengel 1994: max over plans x of min over plans y of x A y.

    OpenSpiel builds the payoff matrix A and the constraints E x = e, F y = f; its own solver needs cvxpy, so scipy
    (which OpenSpiel brings along) solves the dual: maximise f q where F' q <= A' x.
    """
    _require_recall(game)
    adapted = openspiel_game(game)
    import numpy as np
    from open_spiel.python.algorithms import sequence_form_utils
    from scipy.optimize import linprog

    _, sequences, actions, parents, payoffs, _ = sequence_form_utils.construct_vars(adapted)
    constraints = sequence_form_utils.construct_constraint_vars(parents, sequences, actions)
    (e, e_right), (f, f_right) = constraints[0], constraints[1]
    a = payoffs[0]
    plans, duals = e.shape[1], f.shape[0]
    solved = linprog(
        c=np.concatenate([np.zeros(plans), -f_right]),
        A_ub=np.hstack([-a.T, f.T]),
        b_ub=np.zeros(f.shape[1]),
        A_eq=np.hstack([e, np.zeros((e.shape[0], duals))]),
        b_eq=e_right,
        bounds=[(0, None)] * plans + [(None, None)] * duals,
    )
    if not solved.success:
        raise RuntimeError(f"the linear program of {game.name} was not solved: {solved.message}")
    return 0.0 - float(solved.fun)


@dataclass
class _Explored:
    """What a walk over a whole game finds."""

    sets: dict[str, State]  # information key -> the first state of the set
    hidden: bool = False  # does chance deal, or a player do, something that the other does not see?
    recall: bool = True  # does each player's information tell all that he knew and did before?
    actions: int = 1  # most legal actions
    chance_outcomes: int = 0  # most outcomes of a chance node
    turns: int = 0  # most actions and outcomes in one game


ANY_SIZE = _Explored({}, hidden=True, actions=LARGEST, chance_outcomes=LARGEST, turns=LARGEST)  # of no game


@functools.lru_cache(maxsize=32)
def _explore(game: Game) -> _Explored:
    """Visits every position once: histories with the same deals that look the same to both players are one position.

    A player's past is the sequence of (what he knew, what he did); `recall` if his information always tells it.
    """
    found, pasts_at, past_of = _Explored({}), {}, {}  # type: tuple[_Explored, dict[Any, Any], dict[str, Any]]
    other_at: dict[str, str] = {}  # what the other knows, by what the player to move knows: one thing if all is open
    waiting: list[tuple[State, Any, tuple[str, ...]]] = [(game.initial_state(), ((), ()), ())]
    while waiting:
        state, pasts, deals = waiting.pop()
        keys = (information_key(state, 0), information_key(state, 1))
        position = (*keys, state.player, deals)  # with whose move it is: what they know need not tell
        if position in pasts_at:
            found.recall &= pasts_at[position] == pasts
            continue
        pasts_at[position] = pasts
        if len(pasts_at) > LARGEST:
            raise ValueError(f"{game} has over {LARGEST} positions: too many to solve exactly; play matches instead")
        found.turns = max(found.turns, len(state.history))
        if state.player == CHANCE:
            outcomes = [outcome for outcome, _ in state.chance_outcomes()]
            found.hidden |= set(state.chance_seen_by()) != {0, 1}
            found.chance_outcomes = max(found.chance_outcomes, len(outcomes))
            waiting += [(state.apply(outcome), pasts, (*deals, outcome)) for outcome in reversed(outcomes)]
        elif state.player != TERMINAL:
            player, legal = state.player, state.legal_actions()
            key = keys[player]
            found.sets.setdefault(key, state)
            found.hidden |= other_at.setdefault(key, keys[1 - player]) != keys[1 - player]
            found.recall &= past_of.setdefault(key, pasts[player]) == pasts[player]
            found.actions = max(found.actions, len(legal))
            for action in reversed(legal):
                past = (*pasts[player], (key, action))
                waiting.append((state.apply(action), (past, pasts[1]) if player == 0 else (pasts[0], past), deals))
    return found


def _require_recall(game: Game) -> None:
    """Best responses and linear programs look at one information set at a time, so it must tell the player's past."""
    seen = _explore(game)
    if seen.hidden and not seen.recall:
        raise ValueError(f"{game}: information() forgets what its player knew or did; exact methods need all of it")


class _Kept:
    """Holds a state for OpenSpiel, which deep-copies all it finds; ours never change, so they need no copy."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self


@functools.cache
def _adapters() -> tuple[Any, Any]:
    """The OpenSpiel classes: made at the first call, so that this module imports without OpenSpiel."""
    try:
        import pyspiel
        from open_spiel.python import policy as openspiel_policies
    except ImportError as error:
        raise ImportError('exact game theory needs OpenSpiel: pip install "spiral-lite[exact]"') from error
    kinds = pyspiel.GameType

    class OpenSpielGame(pyspiel.Game):
        def __init__(self, game: Game, seen: _Explored) -> None:
            chance = kinds.ChanceMode
            other = kinds.Utility.IDENTICAL if game.common_payoff else kinds.Utility.GENERAL_SUM
            information = kinds.Information
            kind = kinds(
                short_name=f"spiral_lite_{game.name}",
                long_name=f"{game}",
                dynamics=kinds.Dynamics.SEQUENTIAL,
                chance_mode=chance.EXPLICIT_STOCHASTIC if seen.chance_outcomes else chance.DETERMINISTIC,
                information=information.IMPERFECT_INFORMATION if seen.hidden else information.PERFECT_INFORMATION,
                utility=kinds.Utility.ZERO_SUM if game.zero_sum else other,
                reward_model=kinds.RewardModel.TERMINAL,
                max_num_players=2,
                min_num_players=2,
                provides_information_state_string=True,
                provides_information_state_tensor=False,
                provides_observation_string=False,
                provides_observation_tensor=False,
                parameter_specification={},
            )
            size = pyspiel.GameInfo(
                num_distinct_actions=seen.actions,
                max_chance_outcomes=seen.chance_outcomes,
                num_players=2,
                min_utility=game.min_return,
                max_utility=game.max_return,
                utility_sum=0.0 if game.zero_sum else None,
                max_game_length=seen.turns,
            )
            super().__init__(kind, size, {})
            self.kept = _Kept(game.initial_state())

        def new_initial_state(self) -> Any:
            return OpenSpielState(self)

        def make_py_observer(self, iig_obs_type: Any = None, params: Any = None) -> Any:
            return Observer()

    class Observer:
        """Where OpenSpiel finds the name of an information state; there are no tensors."""

        def __init__(self) -> None:
            self.tensor: Any = None
            self.dict: dict[str, Any] = {}

        def set_from(self, state: Any, player: int) -> None:
            """There is no tensor to fill."""

        def string_from(self, state: Any, player: int) -> str:
            return information_key(state.kept.state, player)

    class OpenSpielState(pyspiel.State):
        """`kept.state` is our state; actions and outcomes are counted from 0."""

        def __init__(self, game: Any) -> None:
            super().__init__(game)
            self.kept = game.kept

        def current_player(self) -> int:
            return self.kept.state.player  # the numbers for chance and the end are OpenSpiel's

        def is_terminal(self) -> bool:
            return self.kept.state.player == TERMINAL

        def _legal_actions(self, player: int) -> list[int]:
            return list(range(len(self.kept.state.legal_actions())))

        def chance_outcomes(self) -> list[tuple[int, float]]:
            return [(i, probability) for i, (_, probability) in enumerate(self.kept.state.chance_outcomes())]

        def _names(self) -> list[str]:
            state = self.kept.state
            return [outcome for outcome, _ in state.chance_outcomes()] or list(state.legal_actions())

        def _apply_action(self, action: int) -> None:
            self.kept = _Kept(self.kept.state.apply(self._names()[action]))

        def _action_to_string(self, player: int, action: int) -> str:
            return self._names()[action]

        def returns(self) -> list[float]:
            return list(self.kept.state.returns())

        def __str__(self) -> str:
            return " ".join(self.kept.state.history)

    class StatePolicy(openspiel_policies.Policy):
        """A policy of ours, asked for one state of each information set; see `openspiel_policy`."""

        def __init__(self, game: Any, policy: Policy) -> None:
            super().__init__(game, [0, 1])
            self._table = {
                key: _checked(policy(state), state) for key, state in _explore(game.kept.state.game).sets.items()
            }

        def action_probabilities(self, state: Any, player_id: int | None = None) -> dict[int, float]:
            return dict(enumerate(self._table[state.information_state_string(state.current_player())]))

    return OpenSpielGame, StatePolicy


def _checked(probabilities: Mapping[str, float], state: State) -> list[float]:
    """The probabilities in the order of the legal actions. Raises ValueError if they are none."""
    legal = state.legal_actions()
    for action in probabilities:
        if action not in legal:
            raise ValueError(f"the policy plays {action!r} where only {', '.join(legal)} are legal ({state.history})")
    row = [float(probabilities.get(action, 0.0)) for action in legal]
    if min(row) < 0 or abs(math.fsum(row) - 1) > 1e-6:
        raise ValueError(f"the policy's probabilities must sum to 1, not to {math.fsum(row)}: {dict(probabilities)}")
    return row
