"""Writing alone: tokens a second at a given batch, against `model.generate` and against what the machine allows.

The rate is that of the last k tokens of a reply: batch x k / (time of n + k tokens - time of n). All rows have the same
random prompt, already read, sample at temperature 1, and cannot end early.

The modelled limit of a decode step is the time of all the model's linear layers alone (`F.linear` on its own weights,
at this batch and precision; the vocabulary's included) plus the time to read the batch's keys and values once, at the
memory bandwidth that was measured. Where bfloat16 is emulated, float32 weights are timed too, and the shorter time
counts. It leaves out what no decode can: the arithmetic of attention, norms, rotary
embeddings, sampling, and Python.
"""

from __future__ import annotations

import copy
import functools
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite.bench import report
from spiral_lite.bench.crew import Crew, Result, in_turn, say
from spiral_lite.bench.rollout import OURS, locate

PEER = "transformers"
BATCHES = (1, 8, 32, 64, 128)
PROMPT = {"nano": 40}  # tokens; of other models PROMPT_OF_OTHERS
PROMPT_OF_OTHERS = 160


@dataclass(frozen=True)
class Settings:
    """before, tokens: n and k."""

    model: str = "nano"
    dtype: str = "float32"
    batches: tuple[int, ...] = BATCHES
    before: int = 4
    tokens: int = 32
    repeats: int = 5
    seed: int = 1

    def quick(self) -> dict[str, Any]:
        return {"batches": (1, 4), "before": 2, "tokens": 4, "repeats": 1}


def run(settings: Settings, command: str) -> Result:
    """The section of the report. The peer is always transformers: of the others no step can be timed alone."""
    job = {
        "model": locate(settings.model),
        "dtype": settings.dtype,
        "before": settings.before,
        "tokens": settings.tokens,
        "seed": settings.seed,
    }
    with Crew(OURS, PEER) as crew:
        for name in crew.ours:
            crew.hire(name)
        limits = crew.ask(OURS, "machine.limits", **({"size": 256, "mib": 64} if settings.repeats == 1 else {}))
        cases = [f"{name} {batch}" for batch in settings.batches for name in crew.ours]

        def measure(case: str, repeat: int) -> Result:
            name, batch = case.split()
            found = crew.ask(name, "decode.rate", peer=name, batch=int(batch), **job)
            if name == OURS:
                found |= crew.ask(name, "decode.limit", batch=int(batch), read_gb_s=limits["read_gb_s"], **job)
            return dict(found)

        say("warming up")
        for case in cases:
            measure(case, -1)
        runs = in_turn(cases, settings.repeats, measure)
        comparisons = [row for batch in settings.batches for row in _comparisons(settings, batch, runs)]
        return report.section("decode", asdict(settings), command, crew, runs, limits=limits, comparisons=comparisons)


def _comparisons(settings: Settings, batch: int, runs: dict[str, list[Result]]) -> list[Result]:
    ours, peer = (runs[f"{name} {batch}"] for name in (OURS, PEER))
    what = f"decode, {Path(settings.model).name} {settings.dtype}, batch {batch}"
    rates = report.rates(ours, "tokens_per_second")
    return [
        report.compare(what, "tokens/s", rates, PEER, report.rates(peer, "tokens_per_second")),
        report.compare(what, "tokens/s", rates, "modelled limit", report.rates(ours, "limit_tokens_per_second")),
    ]


def rate(peer: str, model: str, dtype: str, batch: int, before: int, tokens: int, seed: int) -> Result:
    """In a worker: the decode rate of one batch."""
    write = _writer(peer, model, dtype, batch, seed, before + tokens)
    seconds = write(before + tokens) - write(before)
    return {"seconds_per_step": seconds / tokens, "tokens_per_second": batch * tokens / seconds}


def limit(model: str, dtype: str, batch: int, before: int, tokens: int, seed: int, read_gb_s: float) -> Result:
    """In a worker: what the machine allows."""
    import torch
    import torch.nn.functional as F

    from spiral_lite.bench import machine
    from spiral_lite.rollout.slots import Shape

    loaded, _ = _load(model, dtype)
    weights = [module.weight for module in loaded.modules() if isinstance(module, torch.nn.Linear)]

    def all_layers(dtype: torch.dtype) -> float:
        matrices = [weight.detach().to(dtype) for weight in weights]
        inputs = {n: torch.randn(batch, n).to(loaded.device, dtype) for n in {x.shape[1] for x in matrices}}
        return machine.seconds(lambda: [F.linear(inputs[x.shape[1]], x) for x in matrices])

    linear = all_layers(loaded.dtype)
    if loaded.dtype == torch.bfloat16 and not machine.describe()["bf16_instructions"]:
        linear = min(linear, all_layers(torch.float32))
    read = batch * (_prompt_length(model) + before + tokens / 2) * Shape.of(loaded, loaded.dtype).bytes_per_token
    cache = read / read_gb_s / 1e9
    return {
        "linear_seconds": linear,
        "cache_seconds": cache,
        "limit_tokens_per_second": batch / (linear + cache),
    }


def _prompt_length(model: str) -> int:
    return PROMPT.get(Path(model).name, PROMPT_OF_OTHERS)


@functools.lru_cache(maxsize=1)
def _load(model: str, dtype: str) -> tuple[Any, Any]:
    from spiral_lite import models

    return models.load(model, dtype=dtype)


@functools.cache
def _writer(peer: str, model: str, dtype: str, batch: int, seed: int, most: int) -> Any:
    """A function that writes n tokens for each row and returns the seconds it took."""
    import torch

    loaded, _ = _load(model, dtype)
    shape = (_prompt_length(model),)
    prompt = torch.randint(loaded.config.vocab_size, shape, generator=torch.Generator().manual_seed(seed)).tolist()
    writer = _engine_writer if peer == OURS else _generate_writer
    return writer(loaded, prompt, batch, most)


def _engine_writer(model: Any, prompt: list[int], batch: int, most: int) -> Any:
    from types import SimpleNamespace

    from spiral_lite.players import Sampling
    from spiral_lite.rollout.engine import Engine

    endless: Any = SimpleNamespace(eos_token_id=-1)  # no token ends a reply
    engine = Engine(model, endless, batch)

    def write(tokens: int) -> float:
        began = time.perf_counter()
        engine.generate([prompt] * batch, Sampling(max_new_tokens=tokens), range(batch))
        return time.perf_counter() - began

    write(most)  # reads the prompt
    return write


def _generate_writer(model: Any, prompt: list[int], batch: int, most: int) -> Any:
    import torch
    from transformers import DynamicCache, GenerationConfig

    model.generation_config = GenerationConfig()
    ids = torch.tensor([prompt], device=model.device)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=ids[:, :-1], past_key_values=cache)  # all but the last token, as the engine has it
    cache.batch_repeat_interleave(batch)
    ids = ids.repeat(batch, 1)

    def write(tokens: int) -> float:
        settings = GenerationConfig(
            do_sample=True, top_k=0, max_new_tokens=tokens, pad_token_id=0, disable_compile=True
        )
        past = copy.deepcopy(cache)
        began = time.perf_counter()
        with torch.no_grad():
            model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), past_key_values=past, generation_config=settings
            )
        return time.perf_counter() - began

    return write
