"""The command that makes results: experiment."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spiral_lite.cli.command import Result, at_least, declare
from spiral_lite.experiments.arms import EXPERIMENTS


def add(commands: Any) -> None:
    """Declares it."""
    command = declare(
        commands,
        "experiment",
        _experiment,
        "Run an experiment: every arm with every seed, resumable; the results go to data/results/.",
        "experiment baselines --seeds 5 --jobs 2",
        "experiment baselines --seeds 1 --out runs/baselines.json",
        seeded=False,
    )
    command.add_argument("name", choices=sorted(EXPERIMENTS), help="; ".join(_questions()))
    command.add_argument("--seeds", type=int, default=5, help="runs of each arm, seeds 1, 2, ... (default 5)")
    command.add_argument("--jobs", type=int, default=2, help="runs side by side (default 2, one thread each)")
    command.add_argument("--out", type=Path, help="default: data/results/NAME.json")


def _questions() -> list[str]:
    return [f"{experiment.name}: {experiment.question}" for experiment in EXPERIMENTS.values()]


def _experiment(options: argparse.Namespace) -> Result | str:
    from spiral_lite.experiments import run

    at_least(options, seeds=1, jobs=1)
    experiment = run.find(options.name)
    found = run.run(experiment, options.seeds, options.jobs, options.out or run.RESULTS / f"{options.name}.json")
    return found if options.json else f"{run.table(found)}\n\n{run.differences(found)}"
