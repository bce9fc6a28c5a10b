"""The training step on the turns of real self-play: forward and backward of the loss, without the playing.

Both variants are our trainer with one model, one batch and one loss: TRL's own padding (`pack=False`) against each
distinct prefix once and no padding (`pack=True`, see `packing.py`). Turns are played once, by the model, and handed to
both. A run that does not count comes first, and compares the gradients: ||ours - TRL's|| / ||TRL's||.
"""

from __future__ import annotations

import functools
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite.bench import report
from spiral_lite.bench.crew import Crew, Result, in_turn, say
from spiral_lite.bench.rollout import GAMES, locate

OURS, PEER = "packed", "trl"
VARIANTS = {PEER: False, OURS: True}
WORKER = "trainer"


@dataclass(frozen=True)
class Settings:
    """turns: learnt from in a step; batch_sizes: turns a forward pass, each measured; dtype: of the weights."""

    model: str = "nano"
    dtype: str = "float32"
    turns: int = 128
    batch_sizes: tuple[int, ...] = (128,)
    max_new_tokens: int = 64
    repeats: int = 5
    seed: int = 1
    peers: tuple[str, ...] = (PEER,)

    def quick(self) -> dict[str, Any]:
        return {"turns": 8, "batch_sizes": (8,), "max_new_tokens": 16, "repeats": 1}


def run(settings: Settings, command: str) -> Result:
    """The section of the report; `gradient` has the relative differences, `tokens` what goes through the model."""
    wrong = [size for size in settings.batch_sizes if settings.turns % size]
    if wrong or not settings.batch_sizes:
        raise ValueError(f"batch sizes {wrong} do not divide {settings.turns} turns; e.g. --batch-sizes 8 128")
    names = ("model", "dtype", "turns", "max_new_tokens", "seed")
    job = asdict(settings) | {"model": locate(settings.model)}
    job = {name: job[name] for name in names}
    cases = [f"{variant}, {size} turns a pass" for size in settings.batch_sizes for variant in VARIANTS]
    with Crew(WORKER) as crew:
        crew.hire(WORKER)
        say("playing, and comparing gradients")

        def measure(case: str, repeat: int) -> Result:
            variant, _, size = case.partition(", ")
            asked = {"pack": VARIANTS[variant], "batch_size": int(size.split()[0]), "compare": repeat < 0}
            return dict(crew.ask(WORKER, "train.step", **asked, **job))

        first = {case: measure(case, -1) for case in cases}
        runs = in_turn(cases, settings.repeats, measure)
        return report.section(
            "train",
            asdict(settings),
            command,
            crew,
            runs,
            gradient={case: row["difference"] for case, row in first.items()},
            tokens={case: row["tokens"] for case, row in first.items()},
            turns=crew.ask(WORKER, "train.turns", **job),
            comparisons=_comparisons(settings, runs),
        )


def _comparisons(settings: Settings, runs: dict[str, list[Result]]) -> list[Result]:
    """At each batch size, and the best of ours against the best of TRL's where there are several."""
    what = f"training step, {Path(settings.model).name} {settings.dtype}, {settings.turns} turns"
    rates = {case: report.rates(rows, "turns_per_second") for case, rows in runs.items()}
    rows = [
        report.compare(
            f"{what}, {size} a pass",
            "turns/s",
            rates[f"{OURS}, {size} turns a pass"],
            PEER,
            rates[f"{PEER}, {size} turns a pass"],
        )
        for size in settings.batch_sizes
    ]
    if len(settings.batch_sizes) > 1:
        best = [
            max((rates[case] for case in rates if case.startswith(variant)), key=lambda r: report.spread(r)["median"])
            for variant in (OURS, PEER)
        ]
        rows.append(report.compare(f"{what}, the best size of each", "turns/s", best[0], PEER, best[1]))
    return rows


def turns(**job: Any) -> Result:
    """In a worker: what the turns are that are trained on."""
    played = _session(**job).samples
    return {
        "turns": len(played),
        "prompt_tokens": sum(len(sample.turn.prompt_ids) for sample in played),
        "reply_tokens": sum(len(sample.turn.reply_ids) for sample in played),
    }


def step(pack: bool, batch_size: int, compare: bool, **job: Any) -> Result:
    """In a worker: forward and backward over the whole batch. With `compare`, the relative difference of the gradient
    to the first one that was compared (0 for the first)."""
    from spiral_lite.bench import machine

    session = _session(**job)
    passes = session.passes(pack, batch_size)
    trainer = session.trainers[pack, batch_size]
    session.tokens = 0
    trainer.model.zero_grad()
    began = time.perf_counter()
    loss = 0.0
    for inputs in passes:
        part = trainer.compute_loss(trainer.model, inputs)
        part.backward()
        loss += part.item()
    machine.wait()
    seconds = time.perf_counter() - began
    result = {
        "seconds": seconds,
        "turns_per_second": len(session.samples) / seconds,
        "tokens": session.tokens,
        "loss": loss,
    }
    return result | ({"difference": session.difference()} if compare else {})


class _Session:
    """One model, one batch of turns, and a trainer for each variant."""

    def __init__(self, model: str, dtype: str, turns: int, max_new_tokens: int, seed: int) -> None:
        from spiral_lite import models

        self.model, self.tokenizer = models.load(model, dtype=dtype)
        self.turns, self.max_new_tokens, self.seed = turns, max_new_tokens, seed
        self.trainers: dict[tuple[bool, int], Any] = {}
        self._passes: dict[tuple[bool, int], list[Any]] = {}
        self._first: Any = None
        self._folder = tempfile.TemporaryDirectory(prefix="spiral-bench-")
        self.tokens = 0  # that have gone through the model
        self.model.get_input_embeddings().register_forward_hook(self._count)
        self.samples = self._trainer(False, turns).play_step(turns)

    def _count(self, module: Any, inputs: Any, output: Any) -> None:
        self.tokens += inputs[0].numel()

    def _trainer(self, pack: bool, batch_size: int) -> Any:
        from spiral_lite import games
        from spiral_lite.trainer import SelfPlayConfig, SelfPlayTrainer

        config = SelfPlayConfig(
            output_dir=self._folder.name,
            turns_per_step=self.turns,
            per_device_train_batch_size=batch_size,
            max_completion_length=self.max_new_tokens,
            num_iterations=1,
            pack=pack,
            seed=self.seed,
            logged_games=0,
            bf16=False,  # the weights have the precision that is asked for
        )
        return SelfPlayTrainer(self.model, [games.make(name) for name in GAMES], config, self.tokenizer)

    def passes(self, pack: bool, batch_size: int) -> list[Any]:
        """What `compute_loss` takes, one after another: the batch as the trainer itself prepares and splits it."""
        key = (pack, batch_size)
        if key not in self.trainers:
            import torch

            trainer = self.trainers[key] = self._trainer(pack, batch_size)
            trainer.collect = lambda n: self.samples
            trainer.model.train()
            trainer.current_gradient_accumulation_steps = self.turns // batch_size
            torch.manual_seed(self.seed)  # TRL shuffles the batch
            empty = [{"prompt": ""}] * self.turns
            self._passes[key] = []
            for trainer._step in range(self.turns // batch_size):  # the buffered batch's next part
                self._passes[key].append(trainer._prepare_inputs(empty))
        return self._passes[key]

    def difference(self) -> float:
        """||g - g0|| / ||g0|| of the gradient that the model has now to the first one."""
        import torch

        grads = [p.grad.float().flatten() for p in self.model.parameters() if p.grad is not None]
        gradient = torch.cat(grads)
        if self._first is None:
            self._first = gradient
        return float((gradient - self._first).norm() / self._first.norm())


@functools.lru_cache(maxsize=1)
def _session(**job: Any) -> _Session:
    return _Session(**job)
