"""The equilibria of one-round textbook Kuhn poker (Kuhn 1950), as a player. Read `games/kuhn_poker.py` before this."""

from __future__ import annotations

import functools
import random

from spiral_lite.games import State
from spiral_lite.games.kuhn_poker import LEGAL as KUHN_LEGAL
from spiral_lite.players.base import Scripted


def equilibrium_kuhn(alpha: float = 0.2) -> Scripted:
    """A Nash equilibrium of one-round textbook Kuhn poker; `alpha` in [0, 1/3] is the probability that the first player
    bets with a jack (Kuhn 1950). In a match it plays every round as if it stood alone."""
    policy = functools.partial(equilibrium_bet, alpha=alpha)
    equilibrium_bet("", "J", alpha)  # refuses a wrong alpha now, not in the first game

    def choose(state: State, rng: random.Random) -> str:
        if state.game.name != "kuhn_poker":
            raise ValueError(f"the Kuhn equilibrium player cannot play {state.game.name}; try 'random' or 'perfect'")
        card = state.information(state.player)["card"]
        betting = state.betting  # type: ignore[attr-defined]
        return KUHN_LEGAL[betting][rng.random() < policy(betting, card)]

    return Scripted(choose, f"equilibrium(alpha={alpha:g})")


def equilibrium_policy(state: State) -> dict[str, float]:
    """The same for alpha = 0.2, as an `exact.Policy`: the probability of each legal action."""
    betting = state.betting  # type: ignore[attr-defined]
    bet = equilibrium_bet(betting, state.information(state.player)["card"], 0.2)
    return dict(zip(KUHN_LEGAL[betting], (1 - bet, bet), strict=True))


def equilibrium_bet(betting: str, card: str, alpha: float) -> float:
    """Probability that the equilibrium player bets or calls, by the betting so far ("", k, b, kb) and its card."""
    if not 0 <= alpha <= 1 / 3 + 1e-12:
        raise ValueError(f"alpha={alpha} is no equilibrium: it must lie in [0, 1/3], e.g. alpha=0.2")
    return {
        "": {"J": alpha, "Q": 0.0, "K": 3 * alpha},
        "k": {"J": 1 / 3, "Q": 0.0, "K": 1.0},
        "b": {"J": 0.0, "Q": 1 / 3, "K": 1.0},
        "kb": {"J": 0.0, "Q": alpha + 1 / 3, "K": 1.0},
    }[betting][card]
