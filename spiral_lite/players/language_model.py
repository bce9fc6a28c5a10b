"""A language model as a player: how it samples, and the backend that generates for it.

Read `base.py` before this, `rollout/backends.py` after.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spiral_lite import dialogue
from spiral_lite.players.base import Desk, Prompt, Reply


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
