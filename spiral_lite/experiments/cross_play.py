"""Do models that were trained apart play with each other as well as each with itself?

Self-play can agree on conventions that only a copy of oneself understands (Hu et al. 2020, "Other-Play", arXiv:
2003.02979): in a cooperative game, mini Hanabi, a lower score between seeds than within one shows it. In Kuhn poker,
which is zero-sum, every policy gets 0 against itself over both seats, and what it wins from others is strength.

    python -m spiral_lite.experiments.cross_play
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from spiral_lite import environment
from spiral_lite.experiments.arms import PLAIN, Arm, train

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results" / "cross_play.json"
STEPS = {"kuhn_poker": 32, "mini_hanabi": 12}
SEEDS = (1, 2, 3)
GAMES_EACH = 200  # of each pair of seeds, in each order of the seats


def run(game_name: str) -> dict[str, Any]:
    """Trains a model with each seed and lets every one play with every one."""
    environment.prepare()
    import torch

    from spiral_lite import games
    from spiral_lite.evaluation.cross_play import cross_play

    torch.set_num_threads(1)
    arm = Arm(game_name, (game_name,), settings={**PLAIN, "steps": STEPS[game_name]})
    players = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            player, rows = train(arm, seed, Path(folder))
        player.name = f"seed {seed}"
        players.append(player)
        print(f"{game_name}, seed {seed}: {len(rows)} steps", flush=True)
    found = cross_play(games.make(game_name), players, GAMES_EACH, seed=0)
    return {"steps": STEPS[game_name], "table": str(found), **found.to_dict()}


def main() -> None:
    from spiral_lite import models

    parser = argparse.ArgumentParser(description="Cross-play between seeds, in Kuhn poker and mini Hanabi.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = dict(zip(STEPS, pool.map(run, STEPS), strict=True))
    record = {
        "command": "python -m spiral_lite.experiments.cross_play",
        "base_model_sha256": models.weights_hash(),
        **found,
    }
    options.out.write_text(json.dumps(record, indent=1) + "\n")
    for name in STEPS:
        print(found[name]["table"])


if __name__ == "__main__":
    main()
