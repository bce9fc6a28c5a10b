"""The `transformers` backend: batched sampling by `model.generate`, with the model's own weights.

The plainest of the backends and the reference for the others. Prompts are padded on the left to the batch's longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from spiral_lite.players import Generated, Sampling


class TransformersBackend:
    """Samples replies from a causal language model. It holds the model itself, so every training step shows at once."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 512) -> None:
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size

    def generate(self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seed: int) -> list[Generated]:
        """One reply a prompt, with the log-probability of every token (nats, under the sampling temperature).

        The same seed, batch and device give the same replies; torch's global generators are left as they were.
        """
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        generated: list[Generated] = []
        with torch.random.fork_rng(devices), _in_eval_mode(self.model), torch.no_grad():
            torch.manual_seed(seed)
            for start in range(0, len(prompt_ids), self.batch_size):
                generated += self._batch(prompt_ids[start : start + self.batch_size], sampling)
        return generated

    def _batch(self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling) -> list[Generated]:
        end, pad = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        width = max(len(ids) for ids in prompt_ids)
        ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in prompt_ids])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompt_ids])
        greedy = sampling.temperature == 0
        out = self.model.generate(
            input_ids=ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            do_sample=not greedy,
            max_new_tokens=sampling.max_new_tokens,
            eos_token_id=end,
            pad_token_id=pad,
            return_dict_in_generate=True,
            output_logits=True,
            **({} if greedy else {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}),
        )
        sampled = out.sequences[:, width:]  # [B, T]
        logits = torch.stack(out.logits, dim=1).float() / (1 if greedy else sampling.temperature)  # [B, T, V]
        logprobs = torch.log_softmax(logits, dim=-1).gather(2, sampled[:, :, None])[:, :, 0]  # [B, T]
        return [_until_end(row, values, end) for row, values in zip(sampled.tolist(), logprobs.tolist(), strict=True)]


def _until_end(ids: list[int], logprobs: list[float], end: int) -> Generated:
    """A row of `generate`, cut after its first end token: what follows is padding."""
    length = ids.index(end) + 1 if end in ids else len(ids)
    return Generated(tuple(ids[:length]), tuple(logprobs[:length]))


@contextmanager
def _in_eval_mode(model: torch.nn.Module) -> Iterator[None]:
    """No dropout while sampling; the mode is put back afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
