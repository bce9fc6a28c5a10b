"""The experiments: for each a question, and the arms that are compared. An arm is one way to train the nano model.

`spiral-lite experiment NAME` runs one (`run.py`), every arm with every seed, and measures all of them alike
(`battery.py`). Arms of one experiment differ in what the question names and in nothing else. Read this first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXPERTS = "experts"  # an opponent that is imitated, not played


@dataclass(frozen=True)
class Arm:
    """games: trained on; none leaves the base model as it is. opponent: self, pool, a player by name, or EXPERTS.
    settings: what differs from `trainer.nano_config`, or from `imitation.nano_imitation_config` for EXPERTS.
    rival: the arm that this one is compared with, seed by seed."""

    name: str
    games: tuple[str, ...] = ()
    opponent: str = "self"
    settings: Mapping[str, Any] = field(default_factory=dict)
    rival: str = ""


@dataclass(frozen=True)
class Experiment:
    """A question, and the arms that answer it."""

    name: str
    question: str
    arms: tuple[Arm, ...]


# As faithful as a laptop allows: no KL to the base model, a constant learning rate (one optimizer step a step).
PLAIN = {"beta": 0.0, "lr_scheduler_type": "constant", "learning_rate": 4e-4}
STEPS = {"kuhn_poker": 32, "tic_tac_toe": 16}
BASELINES = {  # of a game with value 0, `exact` is `none`
    "kuhn_poker": ("role", "none", "shared", "batch_mean", "group", "exact"),
    "tic_tac_toe": ("role", "none", "shared", "batch_mean", "group"),
}

_EXPERIMENTS = (
    Experiment(
        "baselines",
        "Which baseline matters, and why? The published ablation compares a role's baseline with none at all.",
        tuple(
            Arm(
                f"{game}, {baseline}",
                (game,),
                settings={**PLAIN, "steps": STEPS[game], "baseline": baseline},
                rival="" if baseline == "role" else f"{game}, role",
            )
            for game, baselines in BASELINES.items()
            for baseline in baselines
        ),
    ),
)
EXPERIMENTS = {experiment.name: experiment for experiment in _EXPERIMENTS}


def train(arm: Arm, seed: int, folder: Path) -> tuple[Any, list[dict[str, float]]]:
    """(player, metrics rows) of an arm, trained in `folder` from the shipped base model."""
    from spiral_lite import games, models
    from spiral_lite.imitation import imitate, nano_imitation_config
    from spiral_lite.metrics import read_metrics
    from spiral_lite.opponents import load
    from spiral_lite.opponents.pool import Pool
    from spiral_lite.players import LanguageModel, Sampling
    from spiral_lite.rollout import backends
    from spiral_lite.trainer import SelfPlayTrainer, nano_config

    model, tokenizer = models.load("nano")
    played = [games.make(name) for name in arm.games]
    if not played:
        return LanguageModel(backends.make("engine", model, tokenizer), Sampling(), arm.name), []
    if arm.opponent == EXPERTS:
        imitate(model, tokenizer, played, nano_imitation_config(folder, seed=seed, **arm.settings))
        return LanguageModel(backends.make("engine", model, tokenizer), Sampling(), arm.name), read_metrics(folder)
    config = nano_config(folder, seed=seed, logged_games=0, **arm.settings)
    sampling = Sampling(max_new_tokens=config.max_completion_length)
    opponent = {"self": None, "pool": Pool([models.NANO], sampling=sampling)}.get(arm.opponent, arm.opponent)
    trainer = SelfPlayTrainer(
        model,
        played,
        config,
        processing_class=tokenizer,
        opponent=load(opponent, sampling) if isinstance(opponent, str) else opponent,
    )
    trainer.train()
    return trainer.policy(), read_metrics(folder)
