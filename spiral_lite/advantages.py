"""From returns to the advantage of each role: role-conditioned advantage estimation (RAE) and its rivals, by one name.

SPIRAL (arXiv:2506.24119, section 3.3): A(game, role) = R(role) - b(game, role), then b <- decay b + (1 - decay) R.
The two seats of a game are not alike (one moves first), so each (game, role) has a baseline of its own. What else b
may be, and what that is good for:

- `none`: 0, which is what the paper's ablation runs as "without RAE". Seats and luck are all in the advantage.
- `shared`: one moving average a game, over both roles. In self-play of a zero-sum game the mean of both returns is 0,
  so it stays where it is, and each seat keeps a permanent bias: a baseline, but not a role's.
- `batch_mean`: the mean of the same game and role in this step: RAE without a memory.
- `group`: GRPO (arXiv:2402.03300, section 4.1): the mean over games with the same cards and dice, in units of their
  standard deviation. It takes out the luck of the deal, and plays each deal several times for it.
- `exact`: the value of the game under perfect play, where somebody has solved it: RAE's average, were play perfect.

RAE's baseline starts at 0, is read BEFORE it is updated, and is updated once per finished game and role. A role that is
not the learner's (an opponent had it) moves no baseline, and its advantage is 0.
Differs from the published code: one baseline for the whole job, not one an actor process.
Read `rollout` before this, `rewards.py` and `trainer` after.
"""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

EPSILON = 1e-4  # what TRL adds to a group's standard deviation


class Outcome(NamedTuple):
    """What a baseline needs of a finished game. `deal`: games of a call with the same one had the same cards and dice;
    `roles`: those of the learner, both in self-play."""

    game: str
    returns: tuple[float, float]
    deal: int = 0
    roles: tuple[int, ...] = (0, 1)


class Baseline(ABC):
    """Maps finished games, in order, to the advantage of each role in each, and carries its state across steps."""

    @abstractmethod
    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        """(advantage of role 0, of role 1) for each game, in order; 0.0 for a role that is not the learner's.

        Give all games of a step in one call, those of all processes in the order of their ranks: `batch_mean` and
        `group` compare the games of a call, and the averages of `role` and `shared` depend on the order.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What a checkpoint's baseline must have in common with this one."""

    def state_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return self.settings()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for the state of another kind of baseline, or of other settings."""
        mine = self.settings()
        if {name: state.get(name) for name in mine} != mine:
            raise ValueError(f"the checkpoint's baseline is {state}, this run's is {mine}: resume with its settings")


class _Averages(Baseline):
    """Exponential moving averages by name, which start at 0."""

    def __init__(self, decay: float = 0.95) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay}: the baseline's decay must be in [0, 1), e.g. decay=0.95")
        self.decay = decay
        self.values: dict[str, float] = {}

    def _read_and_update(self, key: str, value: float) -> float:
        before = self.values.get(key, 0.0)  # read before the update, or the game would be part of its own baseline
        self.values[key] = self.decay * before + (1 - self.decay) * value
        return before

    def state_dict(self) -> dict[str, Any]:
        return self.settings() | {"values": dict(self.values)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.values = dict(state["values"])


class RoleBaseline(_Averages):
    """RAE: a moving average of the return of each (game, role).

    >>> baseline = RoleBaseline(decay=0.95)
    >>> baseline.advantages([Outcome("kuhn_poker", (1.0, -1.0)), Outcome("kuhn_poker", (1.0, -1.0))])
    [(1.0, -1.0), (0.95, -0.95)]
    >>> {key: round(value, 4) for key, value in baseline.values.items()}
    {'kuhn_poker/role0': 0.0975, 'kuhn_poker/role1': -0.0975}
    """

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        return [_by_role(outcome, self._one) for outcome in outcomes]

    def _one(self, outcome: Outcome, role: int) -> float:
        value = outcome.returns[role]
        return value - self._read_and_update(f"{outcome.game}/role{role}", value)

    def settings(self) -> dict[str, Any]:
        return {"baseline": "role", "decay": self.decay}


class SharedBaseline(_Averages):
    """One moving average for both roles of a game, of the mean of the learner's returns.

    >>> baseline = SharedBaseline(decay=0.95)
    >>> baseline.advantages([Outcome("kuhn_poker", (1.0, -1.0)), Outcome("kuhn_poker", (1.0, -1.0))])
    [(1.0, -1.0), (1.0, -1.0)]
    """

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        return [self._one(outcome) for outcome in outcomes]

    def _one(self, outcome: Outcome) -> tuple[float, float]:
        mean = statistics.mean(outcome.returns[role] for role in outcome.roles)
        before = self._read_and_update(outcome.game, mean)
        return _by_role(outcome, lambda game, role: game.returns[role] - before)

    def settings(self) -> dict[str, Any]:
        return {"baseline": "shared", "decay": self.decay}


class NoBaseline(Baseline):
    """The return itself: what SPIRAL's ablation calls "without RAE"."""

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        return [_by_role(outcome, lambda game, role: game.returns[role]) for outcome in outcomes]

    def settings(self) -> dict[str, Any]:
        return {"baseline": "none"}


class BatchMean(Baseline):
    """The mean return of the same game and role in this call. A game that is alone in it has advantage 0.

    >>> BatchMean().advantages([Outcome("kuhn_poker", (2.0, -2.0)), Outcome("kuhn_poker", (-1.0, 1.0))])
    [(1.5, -1.5), (-1.5, 1.5)]
    """

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        found = _collect(outcomes, _batch)
        means = {key: statistics.mean(returns) for key, returns in found.items()}
        return [_by_role(one, lambda game, role: game.returns[role] - means[_batch(game, role)]) for one in outcomes]

    def settings(self) -> dict[str, Any]:
        return {"baseline": "batch_mean"}


class GroupBaseline(Baseline):
    """GRPO's: (R - mean) / (standard deviation + 1e-4) over the games of this call with the same deal, for each role.

    The deviation is the sample's (n - 1), as in TRL. A game that is alone in its group has advantage 0, and so have
    games that all ended alike: neither says what was better.

    >>> scored = GroupBaseline().advantages([Outcome("kuhn_poker", (2.0, -2.0)), Outcome("kuhn_poker", (-1.0, 1.0))])
    >>> [(round(a, 3), round(b, 3)) for a, b in scored]
    [(0.707, -0.707), (-0.707, 0.707)]
    """

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        found = _collect(outcomes, _group)
        measured = {
            key: (statistics.mean(returns), statistics.stdev(returns) if len(returns) > 1 else 0.0)
            for key, returns in found.items()
        }

        def one(outcome: Outcome, role: int) -> float:
            mean, deviation = measured[_group(outcome, role)]
            return (outcome.returns[role] - mean) / (deviation + EPSILON)

        return [_by_role(outcome, one) for outcome in outcomes]

    def settings(self) -> dict[str, Any]:
        return {"baseline": "group"}


class ExactBaseline(Baseline):
    """The value of a zero-sum game under perfect play, for either role. `values`: player 0's, by the game's name.

    >>> ExactBaseline({"nim": 1.0}).advantages([Outcome("nim", (1.0, -1.0)), Outcome("nim", (-1.0, 1.0))])
    [(0.0, 0.0), (-2.0, 2.0)]
    """

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = dict(values)

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        """As everywhere. Raises ValueError for a game whose value was not given."""
        unknown = sorted({outcome.game for outcome in outcomes} - set(self.values))
        if unknown:
            raise ValueError(f"the values {self.values} lack {', '.join(unknown)}; e.g. values={{'tic_tac_toe': 0.0}}")
        return [_by_role(outcome, self._one) for outcome in outcomes]

    def _one(self, outcome: Outcome, role: int) -> float:
        value = self.values[outcome.game]
        return outcome.returns[role] - (value if role == 0 else -value)

    def settings(self) -> dict[str, Any]:
        return {"baseline": "exact", "game_values": dict(self.values)}


BASELINES: dict[str, Callable[[float, Mapping[str, float]], Baseline]] = {  # of the decay and the games' values
    "role": lambda decay, values: RoleBaseline(decay),
    "none": lambda decay, values: NoBaseline(),
    "shared": lambda decay, values: SharedBaseline(decay),
    "batch_mean": lambda decay, values: BatchMean(),
    "group": lambda decay, values: GroupBaseline(),
    "exact": lambda decay, values: ExactBaseline(values),
}


def make(name: str, decay: float = 0.95, values: Mapping[str, float] | None = None) -> Baseline:
    """A baseline by name. `decay`: of role and shared; `values`: player 0's in each game, for exact.

    Raises ValueError for an unknown name.
    """
    if name not in BASELINES:
        raise ValueError(f"baseline={name!r} is unknown; known: {', '.join(BASELINES)} (role is SPIRAL's RAE)")
    return BASELINES[name](decay, values or {})


def _by_role(outcome: Outcome, one: Callable[[Outcome, int], float]) -> tuple[float, float]:
    """`one` of the game and each role of the learner; 0.0 for a role that is not."""
    first, second = (one(outcome, role) if role in outcome.roles else 0.0 for role in (0, 1))
    return first, second


def _batch(outcome: Outcome, role: int) -> Hashable:
    return outcome.game, role


def _group(outcome: Outcome, role: int) -> Hashable:
    return outcome.game, outcome.deal, role


def _collect(outcomes: Sequence[Outcome], key: Callable[[Outcome, int], Hashable]) -> dict[Hashable, list[float]]:
    """The learner's returns of all games, by `key`. Their mean and deviation are then taken exactly (`statistics`), so
    that returns which are all alike have advantage 0.0 and not a rounding error, which filter_zero_adv would keep."""
    found: dict[Hashable, list[float]] = {}
    for outcome in outcomes:
        for role in outcome.roles:
            found.setdefault(key(outcome, role), []).append(outcome.returns[role])
    return found
