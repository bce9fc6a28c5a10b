"""Who answers: a language model, a random player, perfect and equilibrium players, a script, a person.

A player gets a batch of prompts and gives a reply to each. Scripted players read the state, not the text, and write a
bare `\\boxed{action}`; a language model reads the message. Randomness comes in with each prompt's seed.
Read `dialogue` before this, `rollout` after.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spiral_lite import dialogue
from spiral_lite.games import Invalid, State
from spiral_lite.games.kuhn_poker import LEGAL as KUHN_LEGAL
from spiral_lite.games.tic_tac_toe import EMPTY, MARKS, TicTacToe, TicTacToeState


@dataclass(frozen=True)
class Prompt:
    """A turn that waits for a reply: `message` is what the player reads, `seed` is the randomness that it may use."""

    state: State
    message: str
    seed: int


@dataclass(frozen=True)
class Reply:
    """What a player wrote. Language models add the text and the tokens of prompt and reply, and the log-probability
    (nats) of each reply token under the distribution it was sampled from; `truncated`: the token limit cut it."""

    text: str
    prompt: str = ""
    prompt_ids: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    truncated: bool = False


class Player(Protocol):
    """Anything with a name that answers prompts."""

    name: str

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]: ...


@dataclass(frozen=True)
class Sampling:
    """How a language model draws its tokens. SPIRAL trains at temperature 1 and evaluates at 0.6 with top_p 0.95."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 96
    stop_tokens: tuple[int, ...] = ()  # ids that end a reply, beside the tokenizer's end token

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(f"temperature={self.temperature}: it must be 0 (greedy) or more, e.g. temperature=1.0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: it must be in (0, 1], e.g. top_p=0.95")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens}: at least 1, e.g. max_new_tokens=96")


@dataclass(frozen=True)
class Generated:
    """One sampled reply: token ids (the end token included, if it came) and their log-probabilities in nats."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Backend(Protocol):
    """What generates: one reply a prompt, each with a seed of its own (engine, vllm), or the batch with the first one
    (transformers, whose `generate` knows one seed). `tokenizer` is a transformers tokenizer. See `rollout/backends.py`.

    A backend that writes replies while others wait also has `submit(prompt_ids, sampling, seed)`, which returns a
    request whose `reply` is None until it is finished, `step()`, and `cancel(requests)`.
    """

    tokenizer: Any

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]: ...


class LanguageModel:
    """A language model on a backend. One object may sit in both seats: then it plays itself, in one batch."""

    def __init__(self, backend: Backend, sampling: Sampling | None = None, name: str = "model") -> None:
        self.backend, self.sampling, self.name = backend, sampling or Sampling(), name
        tokens = functools.partial(_tokens, tokenizer=backend.tokenizer)
        self._tokens = functools.lru_cache(maxsize=4096)(tokens)  # openings come again and again

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply a prompt."""
        texts, prompt_ids = self._read(prompts)
        generated = self.backend.generate(prompt_ids, self.sampling, [prompt.seed for prompt in prompts])
        return self._replies(texts, prompt_ids, generated)

    def desk(self) -> Desk:
        """Where turns wait for this player: replies come one by one if the backend can, else in batches."""
        return _Stream(self) if hasattr(self.backend, "submit") else Desk(self)

    def _read(self, prompts: Sequence[Prompt]) -> tuple[list[str], list[list[int]]]:
        """The texts that the model reads, and their tokens."""
        read = [self._tokens(prompt.message) for prompt in prompts]
        return [text for text, _ in read], [ids for _, ids in read]

    def _replies(
        self, texts: Sequence[str], prompt_ids: Sequence[Sequence[int]], generated: Sequence[Generated]
    ) -> list[Reply]:
        tokenizer = self.backend.tokenizer
        ends = {tokenizer.eos_token_id, *self.sampling.stop_tokens}
        if not generated:
            return []  # batch_decode makes a text of nothing
        replies = tokenizer.batch_decode([list(g.ids) for g in generated], skip_special_tokens=True)
        return [
            Reply(reply, text, tuple(ids), g.ids, g.logprobs, truncated=g.ids[-1] not in ends)
            for reply, text, ids, g in zip(replies, texts, prompt_ids, generated, strict=True)
        ]


def _tokens(message: str, tokenizer: Any) -> tuple[str, list[int]]:
    """What the model reads for a message: the text of the prompt, and its tokens."""
    text = dialogue.prompt(message, tokenizer)
    return text, tokenizer(text, add_special_tokens=False)["input_ids"]


class Desk:
    """Where turns wait for a player: hand in prompts at any time, collect replies as they come. Here they come all at
    once, as one batch. Close it when the games are over."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self._waiting: list[tuple[Any, Prompt]] = []

    def ask(self, turns: Sequence[tuple[Any, Prompt]]) -> None:
        """turns: (anything to recognise the reply by, prompt)."""
        self._waiting += turns

    def collect(self) -> list[tuple[Any, Reply]]:
        """Replies that are ready, at least one if any turn waits."""
        turns, self._waiting = self._waiting, []
        replies = self.player.reply([prompt for _, prompt in turns]) if turns else []
        return [(key, reply) for (key, _), reply in zip(turns, replies, strict=True)]

    def close(self) -> None:
        """Forgets the turns that wait."""
        self._waiting = []


class _Stream(Desk):
    """The desk of a language model whose backend writes replies while other turns wait."""

    player: LanguageModel

    def __init__(self, player: LanguageModel) -> None:
        super().__init__(player)
        self._requests: list[tuple[Any, str, Any]] = []  # key, text, the backend's request

    def ask(self, turns: Sequence[tuple[Any, Prompt]]) -> None:
        texts, prompt_ids = self.player._read([prompt for _, prompt in turns])
        backend: Any = self.player.backend
        for (key, prompt), text, ids in zip(turns, texts, prompt_ids, strict=True):
            self._requests.append((key, text, backend.submit(ids, self.player.sampling, prompt.seed)))

    def collect(self) -> list[tuple[Any, Reply]]:
        backend: Any = self.player.backend
        while self._requests and not any(request.reply for _, _, request in self._requests):
            backend.step()
        ready = [turn for turn in self._requests if turn[2].reply]
        self._requests = [turn for turn in self._requests if not turn[2].reply]
        texts, requests = [text for _, text, _ in ready], [request for _, _, request in ready]
        replies = self.player._replies(texts, [r.prompt_ids for r in requests], [r.reply for r in requests])
        return [(key, reply) for (key, _, _), reply in zip(ready, replies, strict=True)]

    def close(self) -> None:
        backend: Any = self.player.backend
        backend.cancel([request for _, _, request in self._requests])
        self._requests = []


class Scripted:
    """A player that maps (state, rng) to an action: the base of all that need no language model."""

    def __init__(self, choose: Callable[[State, random.Random], str], name: str) -> None:
        self.choose, self.name = choose, name

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(f"\\boxed{{{self.choose(p.state, random.Random(p.seed))}}}") for p in prompts]


def random_player() -> Scripted:
    """Every legal action with the same probability."""
    return Scripted(lambda state, rng: rng.choice(state.legal_actions()), "random")


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


def perfect_tic_tac_toe() -> Scripted:
    """Minimax: never loses. Among moves of equal value it draws at random, so that its games vary."""

    def choose(state: State, rng: random.Random) -> str:
        if state.game.name != "tic_tac_toe":
            raise ValueError(f"the perfect tic-tac-toe player cannot play {state.game.name}; try 'random'")
        return rng.choice(best_moves(state.history))

    return Scripted(choose, "perfect")


def best_moves(history: tuple[str, ...]) -> list[str]:
    """The moves of tic-tac-toe that keep the best value for the player to move."""
    state = TicTacToe().replay(history)
    values = {action: -_value(state.apply(action).board) for action in state.legal_actions()}  # type: ignore[attr-defined]
    return [action for action, value in values.items() if value == max(values.values())]


@functools.cache
def _value(board: str) -> int:
    """The minimax value of a tic-tac-toe board to the player to move."""
    played = 9 - board.count(EMPTY)
    state = TicTacToeState(TicTacToe(), ("",) * played, board)
    if state.winner is not None:
        return -1  # the other has just completed a line
    if EMPTY not in board:
        return 0
    me = MARKS[played % 2]
    return max(-_value(board[:i] + me + board[i + 1 :]) for i, mark in enumerate(board) if mark == EMPTY)


def person(ask: Callable[[str], str] = input) -> Scripted:
    """Asks a person (or a script, where `ask` is one) until the answer is a legal action."""

    def choose(state: State, rng: random.Random) -> str:
        text = dialogue.observe(state, state.player)
        while True:
            action = state.read(ask(f"{text}\nYour move: ").strip())
            if not isinstance(action, Invalid):
                return action
            text = action.reason

    return Scripted(choose, "person")


def make(name: str) -> Scripted:
    """A player by name: "random", "perfect", "equilibrium" or "equilibrium:0.1". Raises ValueError for others."""
    kind, _, option = name.partition(":")
    if kind == "random" and not option:
        return random_player()
    if kind == "perfect" and not option:
        return perfect_tic_tac_toe()
    if kind == "equilibrium":
        try:
            alpha = float(option or 0.2)
        except ValueError:
            raise ValueError(f"alpha={option!r} is not a number; write e.g. equilibrium:0.2") from None
        return equilibrium_kuhn(alpha)
    raise ValueError(
        f"unknown player {name!r}; known: random, perfect (tic-tac-toe), equilibrium[:alpha] (Kuhn poker), or a model: "
        "nano, a folder, a Hub id"
    )
