"""What a training run measures of itself: one row a self-play step, in `metrics.jsonl` and to whoever listens.

The rows hold returns and baselines per (game, role), invalid and truncated replies, reply length, speed, and those of
TRL's metrics that mean something in self-play. Read `trainer/` with this.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from spiral_lite.rollout import Played

METRICS_FILE = "metrics.jsonl"


def play_metrics(played: Sequence[Played], seconds: float) -> dict[str, float]:
    """What a step's games show of the learner: returns per (game, role), invalid replies, lengths (tokens), speed."""
    turns = [turn for game in played for turn in game.turns]
    tokens = sum(len(turn.reply_ids) for turn in turns)
    metrics = {
        "invalid_rate": sum(turn.invalid is not None for turn in turns) / len(turns),
        "reply_tokens": tokens / len(turns),
        "truncated_rate": sum(turn.truncated for turn in turns) / len(turns),
        "games": float(len(played)),
        "turns_per_game": sum(len(game.episode.turns) for game in played) / len(played),
        "tokens_per_second": tokens / seconds,
    }
    for game in sorted({one.episode.game for one in played}):
        for role in (0, 1):
            returns = [
                one.episode.returns[role] for one in played if one.episode.game == game and role in one.roles
            ]
            if returns:
                metrics[f"{game}/role{role}/return"] = sum(returns) / len(returns)
    return metrics


TRL_METRICS = ("loss", "grad_norm", "entropy", "learning_rate", "clip_ratio/region_mean", "kl")


class MetricsFile(TrainerCallback):
    """Appends one JSON row a step to `metrics.jsonl`, and hands it to whoever listens. A resumed run drops the rows
    that its checkpoint has not seen."""

    def __init__(self, folder: Path, listener: Callable[[dict[str, float]], None]) -> None:
        self.path, self.listener = folder / METRICS_FILE, listener
        self._began = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began = time.perf_counter()
        if not state.is_world_process_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        done = state.global_step // args.num_iterations
        kept = [row for row in read_metrics(self.path.parent) if row["step"] <= done]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if not state.is_world_process_zero or not logs or "invalid_rate" not in logs:
            return
        row = metrics_row(logs, state.global_step // args.num_iterations, time.perf_counter() - self._began)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.listener(row)


def metrics_row(logs: dict[str, float], step: int, seconds: float) -> dict[str, float]:
    """Our metrics and those of TRL's that mean something in self-play, under short names."""
    ours = {k: v for k, v in logs.items() if k.endswith(("/return", "/baseline")) and k.count("/") == 2}
    names = (
        "invalid_rate",
        "reply_tokens",
        "truncated_rate",
        "games",
        "turns_per_game",
        "tokens_per_second",
        *TRL_METRICS,
    )
    return {"step": step, "seconds": seconds} | ours | {name: logs[name] for name in names if name in logs}


def read_metrics(run: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics file; a last line that was cut off by a kill is left out."""
    path = run / METRICS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
