"""What the rollout bench compares: our engine, `model.generate`, transformers' continuous batching, and vLLM.

All are backends of `players.py`, and each peer is used as well as its interface allows: one that batches by itself gets
turns when they come. The peers of transformers are as bare as TRL's GRPOTrainer has them (TRL 1.16): they keep no
log-probabilities, while the engine and vLLM return one for each token.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from spiral_lite import models
from spiral_lite.players import Backend, Generated, Sampling
from spiral_lite.rollout.transformers_backend import padded, until_end

NAMES = ("engine", "transformers", "continuous", "vllm")
ELSEWHERE = ("vllm",)  # live in the peers' virtual environment
PAGE = 32  # tokens of a page of transformers' paged cache; its default of 256 suits GPUs
PASS = 2048  # tokens of one forward pass there, as in our engine


def make(name: str, model: str, dtype: str, slots: int, context: int) -> Backend:
    """The backend `name` with its model loaded. slots: replies in flight; context: tokens of the longest prompt and
    reply together, where a backend must know it beforehand."""
    if name == "vllm":
        from spiral_lite.rollout.vllm_backend import VllmBackend

        options = {"dtype": dtype, "max_num_seqs": slots, "max_model_len": context, "enable_prefix_caching": True}
        options["block_size"] = 32  # its CPU build's own 128 tokens would share nothing of prompts as short as ours
        return VllmStream(VllmBackend(models.locate(model), **options))
    loaded, tokenizer = models.load(model, dtype=dtype)
    if name == "engine":
        from spiral_lite.rollout.engine import Engine

        return Engine(loaded, tokenizer, slots)
    if name == "transformers":
        return Generate(loaded, tokenizer)
    if name == "continuous":
        return Continuous(loaded, tokenizer, slots, context)
    raise ValueError(f"unknown peer {name!r}; known: {', '.join(NAMES[1:])}")


def forget(backend: Any) -> None:
    """Makes the backend forget the prompts it has read, as an optimizer step would. Its turns must be finished."""
    if hasattr(backend, "model"):
        with torch.no_grad():
            next(backend.model.parameters()).add_(0)  # the same weights, of another version
    if isinstance(backend, Continuous):
        backend.close()
    if hasattr(backend, "llm"):
        backend.llm.reset_prefix_cache()


def trl_config(tokenizer: Any, sampling: Sampling) -> GenerationConfig:
    """The generation settings that GRPOTrainer makes of its own."""
    return GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        do_sample=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=[tokenizer.eos_token_id],
        temperature=float(sampling.temperature),
        top_p=sampling.top_p,
        top_k=0,
        repetition_penalty=1.0,
        disable_compile=True,
    )


class Generate:
    """`model.generate` on all turns that wait, padded on the left to the longest, until the last reply has ended."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        model.generation_config = GenerationConfig()  # `generate` would fill gaps in our settings from the model's own

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]:
        torch.manual_seed(seeds[0])
        ids, mask = padded(prompt_ids, self.tokenizer.pad_token_id, self.model.device)
        with torch.no_grad():
            both = self.model.generate(
                input_ids=ids, attention_mask=mask, generation_config=trl_config(self.tokenizer, sampling)
            )
        ends = [self.tokenizer.eos_token_id]
        return [until_end(row, [], ends) for row in both[:, ids.shape[1] :].tolist()]


@dataclass(eq=False)
class _Waiting:
    """A turn that waits for its reply."""

    prompt_ids: tuple[int, ...]
    reply: Generated | None = None


class _Stream(ABC):
    """What the two streams below share: turns by the name under which they wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    @abstractmethod
    def submit(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int) -> _Waiting:
        """Queues a reply."""

    @abstractmethod
    def step(self) -> None:
        """Works, or waits, until something has happened."""

    def cancel(self, requests: Sequence[_Waiting]) -> None:
        """Forgets turns that nobody waits for; a run waits for all of its own."""
        gone = {id(request) for request in requests}
        self._waiting = {name: turn for name, turn in self._waiting.items() if id(turn) not in gone}

    def _answer(self, name: str, reply: Generated) -> None:
        if name in self._waiting:  # else it was cancelled
            self._waiting.pop(name).reply = reply

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]:
        turns = [self.submit(ids, sampling, seed) for ids, seed in zip(prompt_ids, seeds, strict=True)]
        while any(turn.reply is None for turn in turns):
            self.step()
        return [turn.reply for turn in turns if turn.reply is not None]


class VllmStream(_Stream):
    """vLLM, fed turn by turn; `VllmBackend.generate` waits for the longest reply of a batch, as TRL does."""

    def __init__(self, backend: Any) -> None:
        super().__init__()
        self.backend, self.tokenizer, self.llm = backend, backend.tokenizer, backend.llm
        self._names = (f"turn {i}" for i in itertools.count())

    def submit(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int) -> _Waiting:
        from vllm.sampling_params import RequestOutputKind

        settings = self.backend.settings(sampling, seed)
        settings.output_kind = RequestOutputKind.FINAL_ONLY
        turn, name = _Waiting(tuple(prompt_ids)), next(self._names)
        self._waiting[name] = turn
        self.llm.llm_engine.add_request(name, {"prompt_token_ids": list(prompt_ids)}, settings)
        return turn

    def step(self) -> None:
        from spiral_lite.rollout.vllm_backend import generated

        for output in self.llm.llm_engine.step():
            if output.finished:
                self._answer(output.request_id, generated(output.outputs[0]))


class Continuous(_Stream):
    """transformers' continuous batching as a stream: turns join when they come, and share what they begin with.

    `generate_batch`, which TRL calls, makes a new manager for every call. Here one manager lives as long as the weights
    do, which is the best that its interface allows.
    """

    def __init__(self, model: Any, tokenizer: Any, slots: int, context: int) -> None:
        from transformers import ContinuousBatchingConfig

        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        self._config = ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=(slots + 8) * -(-context // PAGE),
            max_batch_tokens=PASS,
            max_requests_per_batch=slots,
        )
        self._manager: Any = None

    def submit(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int) -> _Waiting:
        """Queues a reply. Seeds are ignored: a manager has one for all."""
        if self._manager is None:
            self._manager = self.model.init_continuous_batching(
                generation_config=trl_config(self.tokenizer, sampling), continuous_batching_config=self._config
            )
            self._manager.start()
        turn = _Waiting(tuple(prompt_ids))
        name = self._manager.add_request(list(prompt_ids), max_new_tokens=sampling.max_new_tokens)
        self._waiting[name] = turn
        return turn

    def step(self) -> None:
        """Waits for a reply, then takes all that are there. Raises RuntimeError if the manager has stopped."""
        result = self._manager.get_result(timeout=600)
        if result is None:
            raise RuntimeError("continuous batching gives no more replies: its thread has stopped")
        while result is not None:
            if result.error is not None:
                raise RuntimeError(f"continuous batching failed: {result.error}")
            if result.is_finished():
                self._answer(result.request_id, Generated(tuple(result.generated_tokens), ()))
            empty = self._manager.output_router.output_queue.empty()
            result = None if empty else self._manager.get_result(timeout=1)

    def close(self) -> None:
        """Ends the manager: its cache is of weights that are no longer the model's."""
        if self._manager is not None:
            self._manager.stop(block=True)
            self._manager.destroy()
            self._manager = None
