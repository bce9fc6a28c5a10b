"""What a training run measures of itself: one row a self-play step, in `metrics.jsonl` and to whoever listens.

`METRICS.md` has the formula, the healthy range and the meaning of every name; a test holds it to what is logged.
The rows hold what the games show (`play_metrics`), what is left to learn from them (`advantage_metrics`), and those of
TRL's metrics that mean something in self-play. Read `trainer/` before this, `collapse.py` after.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from spiral_lite import checkpoints
from spiral_lite.dialogue.replies import OPENING, boxed
from spiral_lite.rollout import Played

METRICS_FILE = "metrics.jsonl"
FEW_WORDS = 3  # beside the box: as many are no reasoning ("Just guess: \boxed{4}" has two)
NEAR_ZERO = 0.05  # of an advantage: a decisive game pays 1 or so
MARKUP = re.compile(r"</?\w+>")  # <think>, </answer>
WORD = re.compile(r"\w+")

OF_LEARNER = (  # of the step's games and of the learner's turns in them
    "invalid_rate",
    "truncated_rate",
    "no_reasoning_rate",
    "distinct_rate",
    "reply_tokens",
    "reply_tokens_std",
    "draw_rate",
    "zero_advantage_rate",
    "games",
    "turns_per_game",
    "tokens_per_second",
)
# how the names end that begin with a game's
OF_GAME = ("/return", "/return_std", "/baseline", "/advantage", "/advantage_std")
TRL_METRICS = ("loss", "grad_norm", "entropy", "learning_rate", "clip_ratio/region_mean", "kl")


def play_metrics(played: Sequence[Played], seconds: float) -> dict[str, float]:
    """What a step's games show of the learner: its replies and their lengths (tokens), draws, speed, returns."""
    turns = [turn for game in played for turn in game.turns]
    lengths = [len(turn.reply_ids) for turn in turns]
    metrics = {
        "invalid_rate": _share([turn.invalid is not None for turn in turns]),
        "truncated_rate": _share([turn.truncated for turn in turns]),
        "no_reasoning_rate": _share([lacks_reasoning(turn.reply) for turn in turns]),
        "distinct_rate": len({turn.reply for turn in turns}) / len(turns),
        "reply_tokens": statistics.fmean(lengths),
        "reply_tokens_std": statistics.pstdev(lengths),
        "draw_rate": _share([game.episode.returns[0] == game.episode.returns[1] for game in played]),
        "games": float(len(played)),
        "turns_per_game": statistics.fmean(len(game.episode.turns) for game in played),
        "tokens_per_second": sum(lengths) / seconds,
    }
    for game in sorted({one.episode.game for one in played}):
        metrics |= _returns(game, [one for one in played if one.episode.game == game])
    return metrics


def _returns(game: str, played: Sequence[Played]) -> dict[str, float]:
    """The learner's mean return in each role that it had, and how far returns spread about these means."""
    of_role = {role: [one.episode.returns[role] for one in played if role in one.roles] for role in (0, 1)}
    of_role = {role: returns for role, returns in of_role.items() if returns}
    means = {f"{game}/role{role}/return": statistics.fmean(returns) for role, returns in of_role.items()}
    spread = statistics.fmean(statistics.pvariance(returns) for returns in of_role.values()) ** 0.5
    return means | {f"{game}/return_std": spread}


def advantage_metrics(scored: Sequence[tuple[str, int, float]]) -> dict[str, float]:
    """What is left to learn from a step's turns, (game, role, advantage) of each: the share whose advantage is nearly
    0; of each game the mean advantage of each role, which is the bias of its baseline, and the spread of all."""
    metrics = {"zero_advantage_rate": _share([abs(advantage) < NEAR_ZERO for _, _, advantage in scored])}
    for game in sorted({name for name, _, _ in scored}):
        mine = [(role, advantage) for name, role, advantage in scored if name == game]
        for role in sorted({role for role, _ in mine}):
            metrics[f"{game}/role{role}/advantage"] = statistics.fmean(a for r, a in mine if r == role)
        metrics[f"{game}/advantage_std"] = statistics.pstdev(advantage for _, advantage in mine)
    return metrics


def lacks_reasoning(reply: str) -> bool:
    r"""Whether a reply has no more than FEW_WORDS words beside its last box. Markup is no word.

    >>> lacks_reasoning(r"Just guess: \boxed{[4]}."), lacks_reasoning(r"I hold K, so I bet: \boxed{[bet]}.")
    (True, False)
    """
    start, answer = reply.rfind(OPENING), boxed(reply)
    end = len(reply) if answer is None else start + len(OPENING) + len(answer) + 1
    beside = reply if start < 0 else f"{reply[:start]} {reply[end:]}"
    return len(WORD.findall(MARKUP.sub(" ", beside))) <= FEW_WORDS


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found)


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
        checkpoints.write(self.path, "".join(json.dumps(row) + "\n" for row in kept))  # a kill now loses no row

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if not state.is_world_process_zero or not logs or "invalid_rate" not in logs:
            return
        row = metrics_row(logs, state.global_step // args.num_iterations, time.perf_counter() - self._began)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.listener(row)


def metrics_row(logs: dict[str, float], step: int, seconds: float) -> dict[str, float]:
    """Our metrics and those of TRL's that mean something in self-play."""
    of_games = {name: value for name, value in logs.items() if name.endswith(OF_GAME)}
    others = {name: logs[name] for name in (*OF_LEARNER, *TRL_METRICS) if name in logs}
    return {"step": step, "seconds": seconds} | of_games | others


def read_metrics(run: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics file; a last line that was cut off by a kill is left out."""
    path = run / METRICS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
