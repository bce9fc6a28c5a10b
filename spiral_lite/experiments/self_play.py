"""Does self-play make the nano model better at the game it plays? Every seed, with intervals.

Kuhn poker: NashConv of the base model, of the last policy, and of the average of all policies that were measured, the
base model's included; their exact mean return against a random player; matches against a random and an equilibrium
player. Tic-tac-toe: mean return against a random and a perfect player.
Both: the share of games that it ends by an invalid reply, before and after.

    python -m spiral_lite.experiments.self_play --game kuhn_poker --seeds 1 2 3 4 5 --jobs 2
    python -m spiral_lite.experiments.self_play --game tic_tac_toe --seeds 1 2 3 4 5 --jobs 2

A seed whose result stands in the file is not run again, so a stopped experiment goes on where it was; a file of other
settings, another base model, machine or library versions is refused.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spiral_lite import environment

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
OPPONENTS = {"kuhn_poker": ("random", "equilibrium"), "tic_tac_toe": ("random", "perfect")}
SETTINGS = {  # Kuhn poker's are notebook 00's; a step of tic-tac-toe takes longer, and fewer are enough
    "kuhn_poker": {"steps": 60, "every": 4, "samples": 64, "match_games": 1000},
    "tic_tac_toe": {"steps": 30, "match_games": 400},
}
WHEN = ("before", "after")
VERSIONS = ("torch", "transformers", "trl", "open-spiel")


def run_seed(game_name: str, seed: int, threads: int = 1) -> dict[str, Any]:
    """One run in this process: what is measured before, along the way and after."""
    environment.prepare()
    import torch

    from spiral_lite import games, models
    from spiral_lite.evaluation import exact
    from spiral_lite.evaluation.exploitability import average_exploitability, exploitability
    from spiral_lite.trainer import Every, SelfPlayTrainer, nano_config

    torch.set_num_threads(threads)
    settings = SETTINGS[game_name]
    game = games.make(game_name)
    solved = game_name == "kuhn_poker"
    model, tokenizer = models.load("nano")
    curve: list[Any] = []
    seconds = {"measuring": 0.0}

    def measure(step: int) -> None:
        began = time.perf_counter()
        curve.append((step, exploitability(trainer.policy(), game, settings["samples"], seed + step)))
        seconds["measuring"] += time.perf_counter() - began

    with tempfile.TemporaryDirectory() as out:
        trainer = SelfPlayTrainer(
            model,
            [game],
            nano_config(out, steps=settings["steps"], seed=seed, logged_games=0),
            tokenizer,
            callbacks=[Every(settings["every"], measure)] if solved else [],
        )
        before = _matches(game, trainer.policy(), seed)
        start = exploitability(trainer.policy(), game, 4 * settings["samples"], seed) if solved else None
        began = time.perf_counter()
        trainer.train()
        seconds["training"] = time.perf_counter() - began - seconds["measuring"]
        after = _matches(game, trainer.policy(), seed)
    result: dict[str, Any] = {"seed": seed, "threads": threads, "seconds": seconds, "before": before, "after": after}
    if start is not None:
        end = exploitability(trainer.policy(), game, 4 * settings["samples"], seed)
        average = average_exploitability([policy for _, point in curve for policy in point.policies], seed=seed)
        for name, measured in (("base", start), ("last", end), ("average", average)):
            result[f"nash_conv_{name}"] = {"nash_conv": measured.nash_conv, "ci95": measured.ci95}
            result[f"return_{name}"] = exact.expected_return(game, measured.as_policy(), exact.uniform)
        result["curve"] = [{"step": step, "nash_conv": point.nash_conv} for step, point in curve]
    return result


def _matches(game: Any, player: Any, seed: int) -> dict[str, Any]:
    from spiral_lite import players
    from spiral_lite.evaluation.matches import match

    found = {
        name: match(game, player, players.make(name), SETTINGS[game.name]["match_games"], seed)
        for name in OPPONENTS[game.name]
    }
    keys = ("mean_return", "ci95", "win_rate", "draw_rate", "invalid_rate", "mean_reply_tokens")
    return {name: {key: result.to_dict()[key] for key in keys} for name, result in found.items()}


def run(game: str, seeds: list[int], jobs: int, file: Path) -> dict[str, Any]:
    """Runs the seeds that the file lacks, `jobs` at a time, and writes the file after each."""
    record = _record(game)
    if file.exists():
        stands = json.loads(file.read_text())
        differs = [name for name in record if stands.get(name) != record[name]]
        if differs:
            why = f"holds runs of another setting ({', '.join(differs)})"
            raise ValueError(f"{str(file)!r} {why}; move it away or give another --out")
        done = stands["runs"]
    else:
        done = []
    missing = [seed for seed in seeds if seed not in {row["seed"] for row in done}]
    threads = 1 if jobs > 1 else 2
    file.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_seed, game, seed, threads) for seed in missing]):
            done = sorted([*done, future.result()], key=lambda row: int(row["seed"]))
            file.write_text(json.dumps({**record, "runs": done}, indent=1) + "\n")
    return {**record, "runs": done}


def _record(game: str) -> dict[str, Any]:
    """What decides the results of all seeds; wall-clock seconds and the threads of each run stand in its row."""
    from spiral_lite import models

    return {
        "command": f"python -m spiral_lite.experiments.self_play --game {game} --seeds 1 2 3 4 5 --jobs 2",
        "settings": SETTINGS[game],
        "base_model_sha256": models.weights_hash(),
        "machine": f"{platform.machine()}, {multiprocessing.cpu_count()} cores",
        "versions": {name: version(name) for name in VERSIONS},
    }


def table(record: dict[str, Any]) -> str:
    """The runs as a Markdown table, a row a seed and one of means with 95 % intervals over the seeds."""
    from spiral_lite.evaluation.intervals import mean_interval

    runs = record["runs"]
    columns = _columns(runs[0])
    lines = ["| seed | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    cells = {name: [_at(row, path) for row in runs] for name, path in columns.items()}
    for i, row in enumerate(runs):
        lines.append(f"| {row['seed']} | " + " | ".join(f"{values[i]:.3f}" for values in cells.values()) + " |")
    if len(runs) > 1:
        means = [mean_interval(values) for values in cells.values()]
        lines.append("| mean | " + " | ".join(f"{m.mean:.3f} ({m.low:.3f} to {m.high:.3f})" for m in means) + " |")
    return "\n".join(lines)


def _columns(row: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Heading -> where the number stands in a run."""
    columns: dict[str, tuple[str, ...]] = {}
    policies = ("base", "last", "average")
    if "nash_conv_base" in row:
        columns |= {f"NashConv, {name}": (f"nash_conv_{name}", "nash_conv") for name in policies}
        columns |= {f"return, {name}": (f"return_{name}",) for name in policies}
    else:
        rivals = [(opponent, when) for opponent in row["before"] for when in WHEN]
        columns |= {f"against {opponent}, {when}": (when, opponent, "mean_return") for opponent, when in rivals}
    return columns | {f"invalid, {when}": (when, "random", "invalid_rate") for when in WHEN}


def _at(row: dict[str, Any], path: tuple[str, ...]) -> float:
    for key in path:
        row = row[key]
    return float(row)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description="Self-play of the nano model on one game, seed by seed.")
    parser.add_argument("--game", choices=sorted(OPPONENTS), required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each (a single one: two)")
    parser.add_argument("--out", type=Path, help="default: data/results/self_play_GAME.json")
    options = parser.parse_args()
    file = options.out or RESULTS / f"self_play_{options.game}.json"
    print(table(run(options.game, options.seeds, options.jobs, file)))


if __name__ == "__main__":
    main()
