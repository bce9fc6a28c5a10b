"""How the engine grows: tokens a second, seconds a turn and memory, for 1, 2, 4 ... 512 games in flight.

Each point is a process of its own, so that its memory is its own: the increase is the most it has held, less what it
held when the model was loaded.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite.bench import report, rollout
from spiral_lite.bench.crew import Crew, Result, say

POINTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
FROM, TO = 64, 512  # the cost of a turn must not grow between them


@dataclass(frozen=True)
class Settings:
    """rounds: a point of n games in flight plays rounds x n games, and at least `least`."""

    model: str = "nano"
    dtype: str = "float32"
    points: tuple[int, ...] = POINTS
    rounds: int = 3
    least: int = 24
    max_new_tokens: int = 64
    repeats: int = 5
    seed: int = 1

    def quick(self) -> dict[str, Any]:
        return {"points": (1, 4), "rounds": 1, "least": 2, "max_new_tokens": 16, "repeats": 1}


def run(settings: Settings, command: str) -> Result:
    """The section of the report; `points` has the medians that `show.plots.scaling_curve` draws."""
    model = rollout.locate(settings.model)
    names = [str(point) for point in settings.points]
    with Crew(*names) as crew:
        for name in names:
            crew.hire(name)

        def measure(name: str, repeat: int) -> Result:
            point = int(name)
            found = crew.ask(
                name,
                "scaling.self_play",
                model=model,
                dtype=settings.dtype,
                games=max(settings.least, settings.rounds * point) if repeat >= 0 else point,
                in_flight=point,
                max_new_tokens=settings.max_new_tokens if repeat >= 0 else rollout.WARM_UP,
                seed=settings.seed + repeat,
            )
            return dict(found)

        say("warming up")
        for name in names:
            measure(name, -1)
        runs = crew.in_turn(settings.repeats, measure)
        points = [{"games_in_flight": int(name), **_medians(rows)} for name, rows in runs.items()]
        return report.section(
            "scaling", asdict(settings), command, crew, runs, points=points, comparisons=_comparisons(settings, runs)
        )


def _medians(rows: list[Result]) -> dict[str, float]:
    keys = ("tokens_per_second", "seconds_per_turn", "memory_increase", "memory_planned")
    return {key: report.spread(report.rates(rows, key))["median"] for key in keys}


def _comparisons(settings: Settings, runs: dict[str, list[Result]]) -> list[Result]:
    """Turns a second with TO games in flight, against FROM."""
    if str(FROM) not in runs or str(TO) not in runs:
        return []
    what = f"self-play, {Path(settings.model).name} {settings.dtype}, {TO} games in flight"
    ours, theirs = (report.rates(runs[str(point)], "turns_per_second") for point in (TO, FROM))
    return [report.compare(what, "turns/s", ours, f"{FROM} in flight", theirs)]


def self_play(model: str, dtype: str, games: int, in_flight: int, max_new_tokens: int, seed: int) -> Result:
    """In a worker."""
    from spiral_lite.bench import machine

    engine, held = _engine(model, dtype, in_flight)
    result = rollout.play_with(engine, games, in_flight, max_new_tokens, seed)
    return result | {
        "seconds_per_turn": 1 / result["turns_per_second"],
        "memory_increase": machine.peak_memory() - held,
        "memory_planned": engine.memory().total,
    }


@functools.lru_cache(maxsize=1)
def _engine(model: str, dtype: str, slots: int) -> tuple[Any, int]:
    """(engine, bytes that the process held when it had made nothing but the model)."""
    from spiral_lite import models
    from spiral_lite.bench import machine
    from spiral_lite.rollout.engine import Engine

    loaded, tokenizer = models.load(model, dtype=dtype)
    held = machine.memory()
    return Engine(loaded, tokenizer, slots), held
