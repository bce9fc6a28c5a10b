"""Any game of ours as a PettingZoo AEC environment (Terry et al. 2021, arXiv:2009.14471), for multi-agent libraries.

An agent, `player_0` or `player_1`, observes {"observation": the text of `dialogue.observe` as UTF-8 bytes, zeros at
the end, "action_mask": which actions are legal}; its info holds the text, and the legal actions in words. As in our
OpenSpiel adapter an action is a place in `legal_actions()`, and of an open action set only the listed actions exist.
Rewards come at the end. A game over its turn limit is truncated and pays nothing. Chance draws by the seed of `reset`.
Needs `pip install "spiral-lite[pettingzoo]"`. Read `games/base.py` before this.
"""

from __future__ import annotations

import functools
import random
from typing import Any

from spiral_lite.dialogue import observe
from spiral_lite.games import CHANCE, TERMINAL, Game, State

AGENTS = ("player_0", "player_1")
PLAYOUTS = 100  # random games that tell how many legal actions there are at most


def pettingzoo_env(game: Game, length: int = 4096, most_actions: int | None = None) -> Any:
    """`game` as a pettingzoo.AECEnv.

    length: bytes of an observation; most_actions: the size of the action space, by default as many as were legal at any
    time in some random games. A longer text, and more legal actions than that, raise ValueError when they come up.
    """
    return _environment()(game, length, most_actions or _most_actions(game))


def _most_actions(game: Game) -> int:
    """The most legal actions in some random games."""
    rng, most = random.Random(0), 1
    for _ in range(PLAYOUTS):
        state, turns = _after_chance(game.initial_state(), rng), 0
        while state.player != TERMINAL and turns < game.max_turns:
            legal = state.legal_actions()
            most, turns = max(most, len(legal)), turns + 1
            state = _after_chance(state.apply(rng.choice(legal)), rng)
    return most


def _after_chance(state: State, rng: random.Random) -> State:
    """The state when chance has dealt and rolled what is due."""
    while state.player == CHANCE:
        state = state.apply(state.sample_chance(rng))
    return state


@functools.cache
def _environment() -> Any:
    """The class: made at the first call, so that this module imports without PettingZoo."""
    try:
        import numpy as np
        from gymnasium import spaces
        from pettingzoo import AECEnv
    except ImportError as error:
        raise ImportError('this needs PettingZoo: pip install "spiral-lite[pettingzoo]"') from error

    class Environment(AECEnv):
        def __init__(self, game: Game, length: int, most_actions: int) -> None:
            super().__init__()
            self.game, self.length, self.most_actions = game, length, most_actions
            self.metadata = {"name": f"spiral_lite_{game.name}", "render_modes": ["ansi"], "is_parallelizable": False}
            self.render_mode = "ansi"
            self.possible_agents = list(AGENTS)
            self.rng = random.Random()
            seen = {
                "observation": spaces.Box(0, 255, (length,), np.uint8),
                "action_mask": spaces.Box(0, 1, (most_actions,), np.int8),
            }
            self.observation_spaces = {agent: spaces.Dict(seen) for agent in AGENTS}
            self.action_spaces = {agent: spaces.Discrete(most_actions) for agent in AGENTS}

        def observation_space(self, agent: str) -> Any:
            return self.observation_spaces[agent]

        def action_space(self, agent: str) -> Any:
            return self.action_spaces[agent]

        def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
            if seed is not None:
                self.rng = random.Random(seed)
            self.agents, self.turns = list(AGENTS), 0
            self.rewards = dict.fromkeys(AGENTS, 0.0)
            self._cumulative_rewards = dict.fromkeys(AGENTS, 0.0)
            self.terminations, self.truncations = dict.fromkeys(AGENTS, False), dict.fromkeys(AGENTS, False)
            self._enter(self.game.initial_state())

        def _enter(self, state: State) -> None:
            """The game goes on in `state`, or what chance makes of it."""
            self.state_of_game = state = _after_chance(state, self.rng)
            over = state.player == TERMINAL
            self.terminations = dict.fromkeys(AGENTS, over)
            self.truncations = dict.fromkeys(AGENTS, not over and self.turns >= self.game.max_turns)
            if over:
                self.rewards = dict(zip(AGENTS, state.returns()))
            self.agent_selection = AGENTS[0 if over else state.player]
            self.infos = {
                agent: {"text": observe(state, i), "legal": state.legal_actions() if state.player == i else ()}
                for i, agent in enumerate(AGENTS)
            }

        def observe(self, agent: str) -> dict[str, Any]:
            text, legal = str(self.infos[agent]["text"]).encode(), self.infos[agent]["legal"]
            for name, needed in (("length", len(text)), ("most_actions", len(legal))):
                if needed > getattr(self, name):
                    raise ValueError(f"{name}={getattr(self, name)} is too small for {self.game}: {needed} are needed")
            seen = {"observation": np.zeros(self.length, np.uint8), "action_mask": np.zeros(self.most_actions, np.int8)}
            seen["observation"][: len(text)] = np.frombuffer(text, np.uint8)
            seen["action_mask"][: len(legal)] = 1
            return seen

        def step(self, action: Any) -> None:
            agent = self.agent_selection
            if self.terminations[agent] or self.truncations[agent]:
                self._was_dead_step(action)
                return
            legal = self.state_of_game.legal_actions()
            if not 0 <= action < len(legal):
                listed = ", ".join(f"{i} {name}" for i, name in enumerate(legal))
                raise ValueError(f"action {action} is not legal here; legal: {listed} (see the action mask)")
            self._cumulative_rewards[agent] = 0.0
            self._clear_rewards()
            self.turns += 1
            self._enter(self.state_of_game.apply(legal[int(action)]))
            self._accumulate_rewards()

        def render(self) -> str:
            return observe(self.state_of_game, max(0, self.state_of_game.player))

        def close(self) -> None:
            """Nothing is open."""

    return Environment
