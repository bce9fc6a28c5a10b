"""The `transformers` backend: batched sampling by `model.generate`, with the model's own weights.

Prompts are padded on the left to the batch's longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from spiral_lite.players import Generated, Sampling


class TransformersBackend:
    """Samples replies from a causal language model. It holds the model itself, so every training step shows at once."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 512) -> None:
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]:
        """One reply a prompt, with the log-probability of each token (nats) under the distribution it was drawn from.

        The same first seed, batch and device give the same replies; torch's global generators are left as they were.
        """
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        generated: list[Generated] = []
        with torch.random.fork_rng(devices), _plain(self.model), torch.no_grad():
            torch.manual_seed(seeds[0] if seeds else 0)
            for start in range(0, len(prompt_ids), self.batch_size):
                generated += self._batch(prompt_ids[start : start + self.batch_size], sampling)
        return generated

    def _batch(self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling) -> list[Generated]:
        ends, pad = [self.tokenizer.eos_token_id, *sampling.stop_tokens], self.tokenizer.pad_token_id
        ids, mask = padded(prompt_ids, pad, self.model.device)
        greedy = sampling.temperature == 0
        recorder = _ChosenLogprobs()
        shaping = (
            [] if greedy else [TemperatureLogitsWarper(float(sampling.temperature)), TopPLogitsWarper(sampling.top_p)]
        )
        config = GenerationConfig(
            do_sample=not greedy, max_new_tokens=sampling.max_new_tokens, eos_token_id=ends, pad_token_id=pad, top_k=0
        )
        sequences = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=LogitsProcessorList([*shaping, recorder]),
        )
        logprobs = recorder.finish(sequences)
        sampled = sequences[:, ids.shape[1] :]  # [B, T]
        return [until_end(row, values, ends) for row, values in zip(sampled.tolist(), logprobs.tolist(), strict=True)]


class _ChosenLogprobs(LogitsProcessor):
    """Keeps the log-probability of each token that was drawn, and of the whole distribution only the latest step's."""

    def __init__(self) -> None:
        self._latest: torch.Tensor | None = None  # [B, V]
        self._chosen: list[torch.Tensor] = []  # T of [B, 1]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._look_up(input_ids)
        self._latest = scores.float().log_softmax(-1)
        return scores

    def _look_up(self, sequences: torch.Tensor) -> None:
        if self._latest is not None:
            self._chosen.append(self._latest.gather(1, sequences[:, -1:]))

    def finish(self, sequences: torch.Tensor) -> torch.Tensor:
        """[B, T] in nats, once the last token is there."""
        self._look_up(sequences)
        return torch.cat(self._chosen, dim=1)


def padded(prompt_ids: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both [B, T], padded on the left to the longest prompt."""
    width = max(map(len, prompt_ids))
    ids = [[pad] * (width - len(row)) + list(row) for row in prompt_ids]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in prompt_ids]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def until_end(ids: list[int], logprobs: list[float], ends: Sequence[int]) -> Generated:
    """A row of `generate`, cut after its first end token: what follows is padding."""
    length = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
    return Generated(tuple(ids[:length]), tuple(logprobs[:length]))


@contextmanager
def _plain(model: Any) -> Iterator[None]:
    """While sampling: no dropout, and none of the model's own sampling defaults (`generate` would fill in a top_k or a
    repetition penalty where our settings are silent). Both are put back afterwards."""
    training, defaults = model.training, model.generation_config
    model.eval()
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.train(training)
        model.generation_config = defaults
