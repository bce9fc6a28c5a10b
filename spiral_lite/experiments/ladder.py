"""Does a rating put players where they belong? Random, a rule of thumb, the base model, and the model after self-play.

A round robin in tic-tac-toe, both seats, Bradley-Terry ratings on the Elo scale with bootstrap intervals. The rule of
thumb is `search:1`, which takes a win that is there and else moves at random.

    python -m spiral_lite.experiments.ladder
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from spiral_lite import environment
from spiral_lite.experiments.arms import EXPERIMENTS, train

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results" / "ladder.json"
GAME, OTHERS = "tic_tac_toe", ("random", "search:1", "nano")
TRAINED = "tic_tac_toe, role"  # the arm of experiment `baselines`


def run(games_each: int, seed: int) -> dict[str, Any]:
    """The ratings, as `evaluation.ratings` gives them, and what made them."""
    environment.prepare()
    from spiral_lite import games, models
    from spiral_lite.evaluation.ratings import round_robin
    from spiral_lite.opponents import load

    arm = next(arm for arm in EXPERIMENTS["baselines"].arms if arm.name == TRAINED)
    with tempfile.TemporaryDirectory() as folder:
        trained, _ = train(arm, seed, Path(folder))
    trained.name = "trained"
    found = round_robin(games.make(GAME), [*map(load, OTHERS), trained], games_each, seed)
    return {
        "command": "python -m spiral_lite.experiments.ladder",
        "base_model_sha256": models.weights_hash(),
        "table": str(found),
        **found.to_dict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A round robin from random to trained.")
    parser.add_argument("--games", type=int, default=400, help="of each pairing (default 400)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = run(options.games, options.seed)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(found["table"])


if __name__ == "__main__":
    main()
