"""A callback that reads every step's metrics as `collapse.explain` does, and warns, stops, or goes back.

Nothing of this is in SPIRAL's code, whose runs without a baseline collapse unseen until the next evaluation.
Read `collapse.py` before this, `self_play.py` after.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from transformers import Trainer, TrainerCallback

from spiral_lite import checkpoints
from spiral_lite.collapse import explain
from spiral_lite.metrics import metrics_row, read_metrics
from spiral_lite.trainer.saving import STATE

ROLL_BACKS = 3  # of one run, each with half the learning rate of the one before; then it stops

logger = logging.getLogger(__name__)


class CollapseGuard(TrainerCallback):
    """Explains each step, and acts when a finding is grave.

    `warn` says what it finds, each sign once until it goes away. `stop` ends training after that step. `roll_back`
    calls `go_back(step)` with the last step whose weights are known to be sound, and goes on from there; it stops where
    that returns None, and after ROLL_BACKS times. Every process comes to the same decision: all have the same metrics.
    """

    def __init__(self, mode: str, go_back: Callable[[int], int | None]) -> None:
        self.mode, self.go_back = mode, go_back
        self.rows: list[dict[str, float]] = []
        self.sound = 0  # the last step whose weights have played games in which nothing was found
        self.roll_backs = 0
        self.sound_step: int | None = None  # `sound` in optimizer steps, whose checkpoint must stay for a roll-back
        self._said: set[str] = set()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A resumed run is compared with its own start."""
        first = read_metrics(Path(args.output_dir))[:1] if state.global_step else []
        (self.rows,) = broadcast_object_list([first])  # one process's file is all processes' start
        self._is_sound(state.global_step // args.num_iterations, args)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if not logs or "invalid_rate" not in logs:
            return
        step = state.global_step // args.num_iterations
        self.rows.append(metrics_row(logs, step, 0.0))
        found = explain(self.rows)
        if not found:
            self._is_sound(step - 1, args)  # a step plays with the weights of the one before
        self._say(step, [finding for finding in found if finding.sign not in self._said], state)
        self._said = {finding.sign for finding in found}
        if self.mode == "warn" or not any(finding.grave for finding in found):
            return
        back = self._roll_back() if self.mode == "roll_back" else None
        if back is None:
            self._say(step, ["Training stops here: the run has collapsed"], state)
            control.should_training_stop = True
        else:
            self._say(step, [f"Back to the weights of step {back}, with half the learning rate"], state)

    def _is_sound(self, step: int, args: Any) -> None:
        self.sound = step
        if self.mode == "roll_back":
            self.sound_step = step * args.num_iterations

    def _roll_back(self) -> int | None:
        """The step whose weights have been loaded; None if there is none, or it was tried too often."""
        if self.roll_backs == ROLL_BACKS:
            return None
        self.roll_backs += 1
        back = self.go_back(self.sound)
        if back is not None:
            self.rows = [row for row in self.rows if row["step"] <= back]
            self._said = set()
        return back

    def _say(self, step: int, what: Sequence[Any], state: Any) -> None:
        if state.is_world_process_zero:
            for text in what:
                logger.warning("Step %d: %s", step, text)


def go_back(trainer: Any, step: int) -> int | None:
    """Loads weights, optimizer state and baseline of the newest whole checkpoint of at most `step` self-play steps, and
    halves the learning rate. Returns its step; None if there is none, or where DeepSpeed or FSDP hold the weights.

    The count of steps goes on, and with it the schedule of the learning rate: what was learnt since is lost, and the
    games that follow are new ones. Past selves stay in the opponent's pool.
    """
    counted = {int(folder.name.partition("-")[2]): folder for folder in checkpoints.good(Path(trainer.args.output_dir))}
    early = [count for count in counted if count <= step * trainer.args.num_iterations]
    if not early or trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        return None
    folder = counted[max(early)]
    schedule = trainer.lr_scheduler.state_dict()
    for name in ("base_lrs", "_last_lr"):
        schedule[name] = [rate / 2 for rate in schedule[name]]
    trainer._load_from_checkpoint(str(folder))
    Trainer._load_optimizer_and_scheduler(trainer, str(folder))  # not ours, which would fill the opponent's pool again
    trainer.baseline.load_state_dict(json.loads((folder / STATE).read_text())["baseline"])
    trainer.lr_scheduler.load_state_dict(schedule)
    for group, rate in zip(trainer.optimizer.param_groups, schedule["_last_lr"], strict=True):
        group["lr"] = rate  # of the next step; the scheduler sets those after it
    return int(max(early)) // int(trainer.args.num_iterations)
