"""A short supervised warm-up that teaches a chat model the format: think briefly, then \\boxed{a legal move}.

SmolLM2-135M-Instruct as it comes answers our prompts at length and boxes nothing: every game is lost at its first
turn. The warm-up shows it the game replies of the nano corpus (half careful, half careless; `nano/corpus.py`), each
once. It is the second rung of the ladder, between the nano model and a model of the Hub that follows the format by
itself. Run: python -m spiral_lite.experiments.warm_up --model runs/smol --out runs/smol-warm
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

from spiral_lite import environment

environment.prepare()

import torch

from spiral_lite import dialogue, models, packing
from spiral_lite.nano import corpus

GAMES = ("kuhn_poker", "tic_tac_toe")


def warm_up(
    model: Any, tokenizer: Any, steps: int, replies: int = 16, learning_rate: float = 1e-4, seed: int = 1
) -> Any:
    """Trains in place on `replies` corpus replies a step, the learning rate falling linearly; returns the model."""
    stream = (sample for sample in corpus.samples(seed) if sample.kind in GAMES)
    packing.install(model)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    began = time.perf_counter()
    model.train()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * min((step + 1) / 5, 1 - step / steps)
        batch = list(itertools.islice(stream, replies))
        texts = [dialogue.prompt(sample.message, tokenizer) for sample in batch]
        prompts = tokenizer(texts, add_special_tokens=False)["input_ids"]
        texts = [sample.reply + tokenizer.eos_token for sample in batch]
        answers = tokenizer(texts, add_special_tokens=False)["input_ids"]
        log_probs = model(packed=packing.Packed(*rectangle(prompts, answers))).log_probs
        loss = -log_probs.sum() / sum(map(len, answers))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(json.dumps({"step": step + 1, "loss": loss.item(), "seconds": time.perf_counter() - began}), flush=True)
    return model.eval()


def rectangle(prompts: list[list[int]], replies: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, int]:
    """(input_ids, attention_mask, reply columns): prompts padded on the left, replies on the right."""
    widest, longest = max(map(len, prompts)), max(map(len, replies))
    ids = torch.zeros(len(prompts), widest + longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
        begin, end = widest - len(prompt), widest + len(reply)
        ids[row, begin:end] = torch.tensor(prompt + reply)
        mask[row, begin:end] = 1
    return ids, mask, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder or a Hub id")
    parser.add_argument("--out", required=True, type=Path, help="folder of the warmed-up model (bfloat16)")
    parser.add_argument("--steps", type=int, default=30, help="of 16 replies each (default 30)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model, tokenizer = models.load(options.model)
    warm_up(model, tokenizer, options.steps, seed=options.seed)
    model.to(torch.bfloat16).save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)


if __name__ == "__main__":
    main()
