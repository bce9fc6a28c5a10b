"""Depth-limited alpha-beta search (Knuth and Moore 1975) over the `State` interface: an opponent for any zero-sum game
of perfect information without chance, such as connect four.

Fail-soft negamax. A result counts the less the more moves it takes (a millionth a move), so the player does not dawdle
when it has won and holds out when it has lost. Moves of equal value are drawn at random, so that its games vary.
At the horizon a position is worth what a heuristic says, or else nothing. Read `base.py` before this, `mcts.py` after.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from spiral_lite.games import CHANCE, TERMINAL, State
from spiral_lite.players import connect_four_lines
from spiral_lite.players.base import Scripted

Heuristic = Callable[[State], float]  # what an unfinished position is worth to player 0, within ±game.max_return
HEURISTICS: dict[str, Heuristic] = {"connect_four": connect_four_lines.worth}  # by game, where the caller gives none
DELAY = 1e-6  # the part of a result that each move up to it costs


def search(depth: int, heuristic: Heuristic | None = None) -> Scripted:
    """Looks `depth` moves ahead; `heuristic` is HEURISTICS' unless given. At its turn it refuses, with ValueError, a
    game that it cannot search."""
    if depth < 1:
        raise ValueError(f"depth={depth}: look at least one move ahead, e.g. search:4")

    def choose(state: State, rng: random.Random) -> str:
        return rng.choice(best_moves(state, depth, heuristic or HEURISTICS.get(state.game.name)))

    return Scripted(choose, f"search:{depth}")


def best_moves(state: State, depth: int, heuristic: Heuristic | None = None) -> list[str]:
    """The moves of the highest value at this depth, in the order of `legal_actions`.

    >>> from spiral_lite import games
    >>> state = games.make("tic_tac_toe").replay(["[0]", "[3]", "[1]", "[4]"])
    >>> best_moves(state, 1), best_moves(state.apply("[8]"), 2)
    (['[2]'], ['[5]'])
    """
    _require_open(state)
    best, moves = -math.inf, []  # type: tuple[float, list[str]]
    for action in state.legal_actions():
        below = math.nextafter(best, -math.inf)  # so that a value as good as the best is exact, and not a bound
        value = _value(state.apply(action), state.player, depth - 1, 1, below, math.inf, heuristic)
        if value > best:
            best, moves = value, []
        if value == best:
            moves.append(action)
    return moves


def _value(
    state: State, player: int, depth: int, plies: int, alpha: float, beta: float, heuristic: Heuristic | None
) -> float:
    """What `state`, `plies` moves from the root, is worth to `player`: exact between alpha and beta, else a bound."""
    if state.player == TERMINAL:
        return state.returns()[player] * (1 - DELAY * plies)
    if state.player == CHANCE:
        raise ValueError(f"search cannot play {state.game.name}, a game with chance; try mcts:100")
    if depth == 0:
        worth = heuristic(state) if heuristic else 0.0
        return worth if player == 0 else -worth
    if state.player != player:
        return -_value(state, state.player, depth, plies, -beta, -alpha, heuristic)
    best = -math.inf
    for action in state.legal_actions():
        value = _value(state.apply(action), player, depth - 1, plies + 1, max(alpha, best), beta, heuristic)
        best = max(best, value)
        if best >= beta:
            break
    return best


def _require_open(state: State) -> None:
    """Raises ValueError unless the game is zero-sum, begins without chance, and both players know the same of it."""
    game = state.game
    if not game.zero_sum:
        raise ValueError(f"search cannot play {game.name}, which is not zero-sum; try mcts:100")
    if game.initial_state().player == CHANCE:
        raise ValueError(f"search cannot play {game.name}, a game with chance; try mcts:100")
    mine, others = ({**state.information(player), "you": None} for player in (0, 1))
    if mine != others:
        hidden = ", ".join(key for key in mine if mine[key] != others.get(key))
        raise ValueError(
            f"search cannot play {game.name}: the players know different things ({hidden}), and a search that sees "
            "both would cheat; try mcts:100"
        )
