"""Does anything collapse when another process uses a core? The engine alone, and beside a process that only spins, with
our OpenMP settings (`environment.DEFAULTS`: waiting threads sleep) and with OpenMP's own (they spin)."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite.bench import report, rollout
from spiral_lite.bench.crew import Crew, Result, in_turn, say

SETTINGS = {"our OpenMP settings": "ours", "OpenMP's defaults": "default"}
WHERE = ("alone", "beside a busy core")


@dataclass(frozen=True)
class Settings:
    """As of `rollout.Settings`, for the engine alone."""

    model: str = "nano"
    dtype: str = "float32"
    games: int = 128
    in_flight: int = 64
    max_new_tokens: int = 64
    repeats: int = 5
    seed: int = 1

    def quick(self) -> dict[str, Any]:
        return {"games": 6, "in_flight": 4, "max_new_tokens": 16, "repeats": 1}


def run(settings: Settings, command: str) -> Result:
    """The section of the report."""
    job = asdict(settings) | {"peer": rollout.OURS, "model": rollout.locate(settings.model)}
    with Crew(*SETTINGS) as crew:
        for name, openmp in SETTINGS.items():
            crew.hire(name, openmp=openmp)
            say(f"{name}: warming up")
            rollout.ask(crew, name, job, games=settings.in_flight, max_new_tokens=rollout.WARM_UP)

        def measure(case: str, repeat: int) -> Result | None:
            name, _, where = case.partition(", ")
            with _busy_core() if where != WHERE[0] else contextlib.nullcontext():
                return rollout.ask(crew, name, job, seed=settings.seed + repeat)

        cases = [f"{name}, {where}" for where in WHERE for name in SETTINGS]
        runs = in_turn(cases, settings.repeats, measure)
        return report.section(
            "contention", asdict(settings), command, crew, runs, comparisons=_comparisons(settings, runs)
        )


def _comparisons(settings: Settings, runs: dict[str, list[Result]]) -> list[Result]:
    ours, theirs = SETTINGS
    what = f"self-play, {Path(settings.model).name} {settings.dtype}"
    rates = {case: report.rates(rows, "tokens_per_second") for case, rows in runs.items()}
    rows = [
        report.compare(f"{what}, {where}", "tokens/s", rates[f"{ours}, {where}"], theirs, rates[f"{theirs}, {where}"])
        for where in WHERE
    ]
    alone, beside = (rates[f"{ours}, {where}"] for where in WHERE)
    return [*rows, report.compare(f"{what}, {WHERE[1]}", "tokens/s", beside, WHERE[0], alone)]


@contextlib.contextmanager
def _busy_core() -> Iterator[None]:
    """While it lasts, another process spins."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()
