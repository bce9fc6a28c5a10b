"""From returns to the advantage of each turn: role-conditioned advantage estimation (RAE), and no baseline at all.

SPIRAL (arXiv:2506.24119, section 3.3): A(game, role) = R(role) - b(game, role), then b <- decay b + (1 - decay) R.
The two seats of a game are not alike (one moves first), so each (game, role) has a baseline of its own: a shared one
has expectation 0 in a zero-sum game and would leave each seat a permanent bias.

The baseline starts at 0, is read BEFORE it is updated, and is updated once per finished game and role. Every turn of a
role gets the role's final advantage (no discount).
Differs from the published code: one baseline for the whole job, not one an actor process.
Read `rollout` before this, `trainer.py` after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Outcome = tuple[str, tuple[float, float]]  # (game, returns of both roles): what a baseline needs of a finished game


class Baseline(Protocol):
    """Maps finished games, in order, to the advantage of each role in each, and carries its state across steps."""

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class RoleBaseline:
    """RAE: an exponential moving average of the return of each (game, role).

    >>> baseline = RoleBaseline(decay=0.95)
    >>> baseline.advantages([("kuhn_poker", (1.0, -1.0)), ("kuhn_poker", (1.0, -1.0))])
    [(1.0, -1.0), (0.95, -0.95)]
    >>> {key: round(value, 4) for key, value in baseline.values.items()}
    {'kuhn_poker/role0': 0.0975, 'kuhn_poker/role1': -0.0975}
    """

    def __init__(self, decay: float = 0.95) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay}: the baseline's decay must be in [0, 1), e.g. decay=0.95")
        self.decay = decay
        self.values: dict[str, float] = {}

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        """(advantage of role 0, of role 1) for each game, in order."""
        return [(self._one(game, 0, returns[0]), self._one(game, 1, returns[1])) for game, returns in outcomes]

    def _one(self, game: str, role: int, value: float) -> float:
        key = f"{game}/role{role}"
        before = self.values.get(key, 0.0)  # read before the update, or the game would be part of its own baseline
        self.values[key] = self.decay * before + (1 - self.decay) * value
        return value - before

    def state_dict(self) -> dict[str, Any]:
        return {"baseline": "role", "decay": self.decay, "values": dict(self.values)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for the state of another kind of baseline, or of another decay."""
        mine = {"baseline": "role", "decay": self.decay}
        if {name: state.get(name) for name in mine} != mine:
            raise ValueError(f"the checkpoint's baseline is {state}, this run's is {mine}: resume with its settings")
        self.values = dict(state["values"])


class NoBaseline:
    """The return itself: what SPIRAL's ablation calls "without RAE"."""

    def advantages(self, outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
        return [returns for _, returns in outcomes]

    def state_dict(self) -> dict[str, Any]:
        return {"baseline": "none"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for the state of another kind of baseline."""
        if state.get("baseline") != "none":
            raise ValueError(f"the checkpoint's baseline is {state}, this run has none: resume with its settings")


BASELINES = ("role", "none")


def make(name: str, decay: float = 0.95) -> Baseline:
    """A baseline by name. Raises ValueError for an unknown one."""
    if name not in BASELINES:
        raise ValueError(f"baseline={name!r} is unknown; known: {', '.join(BASELINES)} (role is SPIRAL's RAE)")
    return RoleBaseline(decay) if name == "role" else NoBaseline()
