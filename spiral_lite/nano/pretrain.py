"""Pretraining of the nano base model: next-token prediction of replies, on a corpus made as it goes.

Only the reply is learnt (the prompt is given, as it will be in play). A sample is about 60 tokens; what the prompts of
a batch share is computed once (`packing.py`). Read `corpus.py` and `tokenizer.py` before this,
`evaluation/card.py` after.

    spiral-lite pretrain --out runs/nano
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from spiral_lite import packing
from spiral_lite.dialogue import prompt
from spiral_lite.nano import corpus, tokenizer

Row = tuple[list[int], list[int]]  # the tokens of a prompt and of its reply


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides the weights."""

    steps: int = 4000
    batch_size: int = 128  # samples
    learning_rate: float = 2e-3  # at its highest; linear warm-up, then cosine to a tenth
    warmup_steps: int = 100
    weight_decay: float = 0.1
    hidden_size: int = 160
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 448
    tokenizer_samples: int = 20_000
    seed: int = 0


def pretrain(
    config: PretrainConfig, report: Callable[[dict[str, float]], None] = lambda row: None
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Trains a tokenizer and a model from the seed. `report` receives step, loss (nats a reply token) and seconds."""
    words = learn_tokenizer(config)
    torch.manual_seed(config.seed)
    model = LlamaForCausalLM(model_config(config, words))
    packing.install(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=config.weight_decay
    )
    began, losses = time.perf_counter(), []
    for step, rows in enumerate(itertools.islice(batches(config, words), config.steps), start=1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        optimizer.zero_grad()
        loss = reply_loss(model, rows, words.pad_token_id) / sum(len(reply) for _, reply in rows)
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == config.steps:
            recent = losses[-50:]
            report({"step": step, "loss": sum(recent) / len(recent), "seconds": time.perf_counter() - began})
    return model.eval(), words


def learn_tokenizer(config: PretrainConfig) -> PreTrainedTokenizerFast:
    """The tokenizer, from the first samples of a stream of its own."""
    sample = list(itertools.islice(corpus.samples(config.seed + 1), config.tokenizer_samples))
    return tokenizer.wrap(tokenizer.train([prompt(s.message) for s in sample], [s.reply for s in sample]))


def model_config(config: PretrainConfig, words: PreTrainedTokenizerFast) -> LlamaConfig:
    """A Llama with tied embeddings; the vocabulary is padded to a multiple of 32 for the matrix kernels."""
    return LlamaConfig(
        vocab_size=32 * math.ceil(len(words) / 32),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )


def learning_rate(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, then cosine decay to a tenth."""
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))


def batches(config: PretrainConfig, words: PreTrainedTokenizerFast) -> Iterator[list[Row]]:
    """Random batches of samples."""
    stream, backend = corpus.samples(config.seed), words.backend_tokenizer
    while True:
        batch = list(itertools.islice(stream, config.batch_size))
        prompts = backend.encode_batch([prompt(sample.message) for sample in batch])
        replies = backend.encode_batch([sample.reply + tokenizer.END for sample in batch])
        yield [(p.ids, r.ids) for p, r in zip(prompts, replies, strict=True)]


def reply_loss(model: LlamaForCausalLM, rows: list[Row], pad: int) -> torch.Tensor:
    """Summed cross-entropy of the reply tokens, in nats, of a model that `packing.install` has prepared."""
    left, right = (max(len(row[part]) for row in rows) for part in (0, 1))
    ids = torch.full((len(rows), left + right), pad)
    seen = torch.zeros_like(ids)
    for i, (prompt_ids, reply_ids) in enumerate(rows):
        mine = slice(left - len(prompt_ids), left + len(reply_ids))
        ids[i, mine] = torch.tensor(prompt_ids + reply_ids)
        seen[i, mine] = 1
    log_probs: torch.Tensor = model(packed=packing.Packed(ids, seen, right)).log_probs
    return -log_probs.sum()


def save(model: LlamaForCausalLM, words: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes weights (safetensors), configuration and tokenizer, as transformers reads them."""
    model.save_pretrained(folder)
    words.save_pretrained(folder)
