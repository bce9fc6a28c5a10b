"""A two-player TextArena environment (Guertler et al. 2025, arXiv:2504.11442) as a game of ours.

    game = TextArenaGame("TicTacToe-v0", moves=("[0]", "[1]", ..., "[8]"))

What of our contract it keeps:
- states never change: a state is its history, which is played again in a fresh environment whenever something is asked;
- the process-wide generators, which TextArena draws from, are put back as they were;
- `read` accepts what the environment accepts, which is found out by trying it; a move that it would call invalid is
  `Invalid`, while there a first one is forgiven. `legal_actions` are those of `moves` that it accepts.
What it cannot keep:
- chance has one node, at the start, that draws the environment's seed: no later event is a node of its own. It counts
  as seen by both players, as nothing tells who sees what it decides. So secrets cannot be checked here, and `mcts`,
  which elsewhere does not look at them, knows all that is to come;
- nothing says that a game ends within `max_turns`, that it is zero-sum, or what it does beyond the seed (the order of
  sets may differ between processes).
It is in no registry (its `moves` are yours to give): `games.register(TextArenaGame)` puts it there, for `from_dict`.
Needs `pip install textarena`. Read `games/base.py` before this.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from spiral_lite.dialogue import describes
from spiral_lite.games import CHANCE, TERMINAL, Game, Invalid, State

INVALID = "Reason: "  # TextArena's words before the reason of an invalid move


class Position(NamedTuple):
    """What the environment shows after a history: `invalid` says why its last move was refused."""

    player: int
    returns: tuple[float, float]
    lines: tuple[tuple[str, ...], tuple[str, ...]]  # what player 0 and player 1 have read
    invalid: str | None


@dataclass(frozen=True)
class TextArenaGame(Game):
    """`env_id` is TextArena's; `moves` are what random players and searches choose from; `seeds` different deals."""

    name: ClassVar[str] = "textarena"
    zero_sum: ClassVar[bool] = False

    env_id: str = "TicTacToe-v0"
    moves: tuple[str, ...] = ()
    seeds: int = 1000

    def __post_init__(self) -> None:
        object.__setattr__(self, "moves", tuple(self.moves))  # a list, where it comes from JSON
        if not self.moves or self.seeds < 1:
            raise ValueError(
                f"moves={self.moves!r}, seeds={self.seeds}: TextArena lists no moves, so give some, and at least one "
                "seed, e.g. moves=('[0]', '[1]'), seeds=1000"
            )

    @property
    def max_return(self) -> float:
        return 1.0

    def options(self) -> dict[str, Any]:
        return {"env_id": self.env_id, "moves": list(self.moves), "seeds": self.seeds}

    def initial_state(self) -> TextArenaState:
        return TextArenaState(self)


@dataclass(frozen=True)
class TextArenaState(State):
    """A history: the seed, then moves."""

    @property
    def position(self) -> Position:
        """What the environment shows here."""
        return _position(self.game.env_id, self.history)

    @property
    def player(self) -> int:
        return self.position.player if self.history else CHANCE

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        n = self.game.seeds
        return () if self.history else tuple((f"seed {seed}", 1 / n) for seed in range(n))

    def legal_actions(self) -> tuple[str, ...]:
        if self.player not in (0, 1):
            return ()
        return tuple(move for move in self.game.moves if not isinstance(self.read(move), Invalid))

    def read(self, text: str) -> str | Invalid:
        if self.player not in (0, 1):
            return Invalid("nobody is to move: the game is over or waits for chance")
        reason = _position(self.game.env_id, (*self.history, text)).invalid
        return text if reason is None else Invalid(reason)

    def _next(self, action: str) -> TextArenaState:
        return TextArenaState(self.game, (*self.history, action))

    def returns(self) -> tuple[float, float]:
        return self.position.returns if self.history else (0.0, 0.0)

    def information(self, player: int) -> dict[str, Any]:
        lines = list(self.position.lines[player]) if self.history else []
        return {"you": player, "lines": lines, "legal": list(self.legal_actions())}


@describes(TextArenaGame.name)
def _textarena(information: dict[str, Any]) -> str:
    moves = ", ".join(information["legal"])
    return "\n".join([*information["lines"], f"Some Available Moves: {moves}"])


@lru_cache(maxsize=4096)
def _position(env_id: str, history: tuple[str, ...]) -> Position:
    """Plays `history` in a fresh environment."""
    try:
        import textarena
    except ImportError as error:
        raise ImportError("this needs TextArena: pip install textarena (here: make peers)") from error

    with _own_chance(int(history[0].split()[1])):
        raw = f"{env_id}-raw"  # without the wrappers that read observations away
        env = textarena.make(raw)
        try:
            env.reset(num_players=2, seed=int(history[0].split()[1]))
        except AssertionError as error:
            raise ValueError(f"{env_id} is no game for two players: {error}") from error
        for move in history[1:]:
            env.step(move)
        return _shown(env)


def _shown(env: Any) -> Position:
    """What an environment shows. It notes an invalid move as an error or, where it forgives none, in `game_info`."""
    state = env.state
    names = {-1: "GAME", 0: "Player 0", 1: "Player 1"}
    lines = tuple(
        tuple(f"[{names.get(sender, sender)}] {text}" for sender, text, _ in state.observations[player])
        for player in (0, 1)
    )
    refused = state.error_count > 0 or any(state.game_info[player]["invalid_move"] for player in (0, 1))
    reason = None
    if refused:
        last = next((text for text in reversed(lines[state.current_player_id]) if INVALID in text), "an invalid move")
        reason = last.split(INVALID)[-1]
    rewards = state.rewards or {}
    returns = (float(rewards.get(0, 0)), float(rewards.get(1, 0))) if state.done else (0.0, 0.0)
    return Position(TERMINAL if state.done else state.current_player_id, returns, (lines[0], lines[1]), reason)


@contextmanager
def _own_chance(seed: int) -> Iterator[None]:
    """The process-wide generators begin at `seed` inside, and are afterwards as they were."""
    import numpy as np

    before, numpy_before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)
