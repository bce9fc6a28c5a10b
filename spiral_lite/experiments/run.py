"""Runs an experiment: every arm with every seed, in processes side by side, each result written as it comes.

    spiral-lite experiment baselines --seeds 5 --jobs 2

A run whose result stands in the file is not made again, so a stopped experiment goes on where it was; a file of other
settings, another base model, machine or library versions is refused. Read `arms.py` and `battery.py` before this.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spiral_lite import environment
from spiral_lite.evaluation.intervals import Interval, mean_interval
from spiral_lite.experiments import arms, battery
from spiral_lite.experiments.arms import EXPERIMENTS, Arm, Experiment

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
VERSIONS = ("torch", "transformers", "trl", "open-spiel")


def find(name: str) -> Experiment:
    """An experiment by name. Raises ValueError with the names there are."""
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}; there are: {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def run_one(experiment: Experiment, arm: Arm, seed: int) -> dict[str, Any]:
    """One arm with one seed, in this process and one thread: trained and measured. The minutes of a path count as
    training's."""
    environment.prepare()
    import torch

    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path: list[dict[str, Any]] = []

        def measure(player: Any, step: int) -> None:
            path.append(battery.point(player, arm, step, seed))

        player, rows = arms.train(arm, seed, Path(folder), experiment.model, experiment.every, measure)
    trained = time.perf_counter()
    measured = battery.measure(player, experiment, arm, seed)
    if path:
        measured["path"] = battery.follow(path)
    minutes = {"training": (trained - began) / 60, "measuring": (time.perf_counter() - trained) / 60}
    return {"arm": arm.name, "seed": seed, "minutes": minutes, **measured, "curve": battery.curve(rows)}


def run(experiment: Experiment, seeds: int, jobs: int, file: Path) -> dict[str, Any]:
    """Makes the runs that the file lacks, `jobs` at a time, seed by seed; returns the file's record."""
    record = describe(experiment, seeds)
    done = _done(record, file)
    missing = [(arm, seed) for seed in range(1, seeds + 1) for arm in experiment.arms]
    missing = [(arm, seed) for arm, seed in missing if (arm.name, seed) not in {(r["arm"], r["seed"]) for r in done}]
    order = {arm.name: place for place, arm in enumerate(experiment.arms)}
    file.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(run_one, experiment, arm, seed) for arm, seed in missing]
        try:
            for future in as_completed(waiting):
                last = future.result()
                done = sorted([*done, last], key=lambda row: (order[row["arm"]], row["seed"]))
                aside = file.with_suffix(".part")
                aside.write_text(json.dumps({**record, "runs": done}, indent=1) + "\n")
                aside.replace(file)
                print(f"{len(done)} of {len(experiment.arms) * seeds}: {last['arm']}, seed {last['seed']}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what is running ends, and is lost; what waits is not begun
            raise
    return {**record, "runs": done}


def describe(experiment: Experiment, seeds: int) -> dict[str, Any]:
    """What decides the results of all runs; each run's minutes stand in its row."""
    from spiral_lite import models

    return {
        "command": f"spiral-lite experiment {experiment.name} --seeds {seeds}",
        "question": experiment.question,
        "arms": json.loads(json.dumps([asdict(arm) for arm in experiment.arms])),
        "measured": battery.settings(experiment),
        "base_model_sha256": models.weights_hash(experiment.model),
        "machine": _machine(),
        "versions": {name: version(name) for name in VERSIONS},
    }


def _machine() -> str:
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{platform.machine()}, {multiprocessing.cpu_count()} cores{gpu}"


def _done(record: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    """The runs that stand in the file, which must be of the same experiment."""
    if not file.exists():
        return []
    stands = json.loads(file.read_text())
    differs = [name for name in record if name != "command" and stands.get(name) != record[name]]
    if differs:
        raise ValueError(
            f"{str(file)!r} holds runs of another setting ({', '.join(differs)}); move it away or give another --out"
        )
    return list(stands["runs"])


def table(record: dict[str, Any], names: Sequence[str] = ()) -> str:
    """The arms as a Markdown table, of all columns or of those named: means over the seeds with 95 % intervals."""
    columns = {name: COLUMNS[name] for name in names} or _columns(record)
    lines = ["| arm | seeds | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for arm in record["arms"]:
        runs = [row for row in record["runs"] if row["arm"] == arm["name"]]
        if not runs:
            continue
        found = [mean_interval([at(row, path) for row in runs]) for path in columns.values()]
        cells = [f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})" for one in found]
        lines.append(f"| {arm['name']} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def differences(record: dict[str, Any]) -> str:
    """Each arm less its rival, as a Markdown table: means over the seeds that both have, with 95 % intervals."""
    columns = _columns(record)
    lines = ["| arm less its rival | seeds | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for arm in record["arms"]:
        both = pairs(record, arm["name"], arm["rival"])
        if not both:
            continue
        found = [compare(record, arm["name"], arm["rival"], partial(at, path=path)) for path in columns.values()]
        cells = [f"{one.mean:+.3f} ({one.low:+.3f} to {one.high:+.3f})" for one in found]
        lines.append(f"| {arm['name']} less {arm['rival'].rpartition(', ')[2]} | {len(both)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def compare(record: dict[str, Any], arm: str, rival: str, measure: Callable[[dict[str, Any]], float]) -> Interval:
    """What an arm has more of a `measure` than its rival: the mean over the seeds that both have, with its interval."""
    return mean_interval([measure(mine) - measure(theirs) for mine, theirs in pairs(record, arm, rival)])


def pairs(record: dict[str, Any], arm: str, rival: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The runs of two arms with the same seed."""
    runs = {(row["arm"], row["seed"]): row for row in record["runs"]}
    seeds = [seed for name, seed in runs if name == arm and (rival, seed) in runs]
    return [(runs[arm, seed], runs[rival, seed]) for seed in seeds]


def _columns(record: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What all runs have been measured of: untrained and imitating arms have no advantages."""
    return {
        name: path for name, path in COLUMNS.items() if not any(math.isnan(at(row, path)) for row in record["runs"])
    }


BRIEF = (
    "problems right",
    "unseen problems right",
    "careful on problems",
    "tic-tac-toe return",
    "invalid in tic-tac-toe",
)
COLUMNS = {
    "Kuhn NashConv": ("nash_conv",),
    "Kuhn return": ("kuhn_return",),
    "tic-tac-toe return": ("games", "tic_tac_toe", "return"),
    "invalid in tic-tac-toe": ("games", "tic_tac_toe", "invalid"),
    "problems right": ("corpus", "right"),
    "unseen problems right": ("unseen", "right"),
    "careful on problems": ("corpus", "careful"),
    "tokens on problems": ("corpus", "tokens"),
    "first player's mean advantage": ("curve", "/role0/advantage"),  # over the run: the bias that a baseline leaves
}


def at(row: dict[str, Any], path: tuple[str, ...]) -> float:
    """The number that stands at `path` in a run; of a curve the mean of what ends so, nan where nothing was trained."""
    if path[0] == "curve":
        found = [value for point in row["curve"] for name, value in point.items() if name.endswith(path[1])]
        return sum(found) / len(found) if found else math.nan
    value: Any = row
    for key in path:
        value = value[key]
    return float(value)
