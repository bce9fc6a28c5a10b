"""Monte Carlo tree search (UCT; Kocsis and Szepesvári 2006) for any game of ours: OpenSpiel's `MCTSBot` on our adapter.

A position is judged by one random playout. The player does not cheat: it searches positions that it cannot tell from
the real one. Where nothing is hidden, that is the position itself. Else the simulations are split over WORLDS such
positions, drawn by `worlds.py`, and the visits of each move are summed (Ginsberg's perfect-information Monte Carlo,
1999). What that costs: in each world the search takes all for known, so it neither bluffs nor seeks information, nor
does it infer anything from how the other has played. A game with an open action set is played as if only the listed
actions existed. Needs `pip install "spiral-lite[exact]"`. Read `evaluation/exact.py` and `worlds.py` before this.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

from spiral_lite.evaluation import exact
from spiral_lite.games import State
from spiral_lite.opponents.worlds import possible_worlds
from spiral_lite.players import Scripted

EXPLORATION = 2.0  # OpenSpiel's usual constant, in units of the most that can be won
WORLDS = 10


def mcts(simulations: int) -> Scripted:
    """Plays the move that most of `simulations` begin with; several worlds share them equally."""
    if simulations < 2:
        raise ValueError(f"simulations={simulations}: the first looks at no move, so at least 2, e.g. mcts:100")

    def choose(state: State, rng: random.Random) -> str:
        legal = state.legal_actions()
        if len(legal) == 1:
            return legal[0]
        worlds = list(islice(possible_worlds(state, rng), min(WORLDS, simulations // 2)))
        visits: Counter[str] = Counter()
        for world in worlds:
            visits.update(_visits(world, simulations // len(worlds), rng))
        most = max(visits[action] for action in legal)
        return rng.choice([action for action in legal if visits[action] == most])

    return Scripted(choose, f"mcts:{simulations}")


def _visits(state: State, simulations: int, rng: random.Random) -> dict[str, int]:
    """How often a search from `state` tried each move. A move that is proven to be best has them all."""
    root = exact.openspiel_state(state)
    import numpy as np
    from open_spiel.python.algorithms.mcts import MCTSBot, RandomRolloutEvaluator

    random_state = np.random.RandomState(rng.getrandbits(32))
    judge = RandomRolloutEvaluator(1, random_state)
    game = root.get_game()
    bot = MCTSBot(game, EXPLORATION * game.max_utility(), simulations, judge, random_state=random_state)
    found = bot.mcts_search(root)
    if found.outcome is not None:
        return {root.action_to_string(found.best_child().action): simulations}
    return {root.action_to_string(child.action): child.explore_count for child in found.children}
