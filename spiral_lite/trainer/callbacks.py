"""What is done between self-play steps: measuring, and adding past selves to the opponent's pool.

Read `self_play.py`, which uses them, after this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback


class Every(TrainerCallback):
    """Calls `measure(step)` before the first self-play step and after every `steps` of them."""

    def __init__(self, steps: int, measure: Callable[[int], None]) -> None:
        self.steps, self.measure = steps, measure

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 0:
            self.measure(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step, rest = divmod(state.global_step, args.num_iterations)
        if rest == 0 and step % self.steps == 0:
            self.measure(step)


class PastSelves(TrainerCallback):
    """Adds the model to the pool after every `pool_every` steps. It comes before checkpoints, which list the pool."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step, rest = divmod(state.global_step, args.num_iterations)
        if rest == 0 and step % args.pool_every == 0:
            self.trainer.add_past_self()
