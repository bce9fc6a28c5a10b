"""The experiments: for each a question, and the arms that are compared. An arm is one way to train the base model.

`spiral-lite experiment NAME` runs one (`run.py`), every arm with every seed, and measures all of them alike
(`battery.py`). Arms of one experiment differ in what the question names and in nothing else. Read this first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXPERTS = "experts"  # an opponent that is imitated, not played
SPIRAL = ("kuhn_poker", "tic_tac_toe", "simple_negotiation")


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
class Sizes:
    """How much is measured: games of each match, replies at each of Kuhn poker's 12 information sets, problems of each
    family."""

    games: tuple[str, ...] = SPIRAL
    match_games: int = 200
    samples: int = 64
    problems_each: int = 25


@dataclass(frozen=True)
class Experiment:
    """A question, and the arms that answer it, all from one base `model`. What is measured beside `battery.measure`: a
    point of the path (`battery.point`) before training and after `every` steps, if that is not 0; matches of `held_out`
    games; how arms without games do when they are sampled at `temperatures`."""

    name: str
    question: str
    arms: tuple[Arm, ...]
    every: int = 0
    held_out: tuple[str, ...] = ()
    temperatures: tuple[float, ...] = ()
    sizes: Sizes = Sizes()
    model: str = "nano"


# As faithful as a laptop allows: no KL to the base model, a constant learning rate (one optimizer step a step).
PLAIN = {"beta": 0.0, "lr_scheduler_type": "constant", "learning_rate": 4e-4}
STEPS = {"kuhn_poker": 32, "tic_tac_toe": 16}  # of one game; about a minute each
HELD_OUT = ("nim", "connect_four", "pig_dice", "snake", "liars_dice", "truth_and_deception")
BASE = Arm("base")
BASELINES = {  # of a game with value 0, `exact` is `none`
    "kuhn_poker": ("role", "none", "shared", "batch_mean", "group", "exact"),
    "tic_tac_toe": ("role", "none", "shared", "batch_mean", "group"),
}
SMOL_STEPS = 10
SMOL = {**PLAIN, "learning_rate": 5e-5, "turns_per_step": 64, "max_completion_length": 64}
SMOL_IMITATION = {
    "learning_rate": 5e-5,
    "lr_scheduler_type": "constant",
    "turns_per_step": 64,
    "per_device_train_batch_size": 8,  # TRL's logits of 49,152 tokens are what takes memory
}
CONTROLS = ("format_only", "random", "shuffled", "length")


def _trained(
    name: str, games: tuple[str, ...], steps: int, opponent: str = "self", rival: str = "", **more: Any
) -> Arm:
    """An arm that learns by playing."""
    return Arm(name, games, opponent, {**PLAIN, "steps": steps, **more}, rival)


def _imitating(games: tuple[str, ...], steps: int, rival: str) -> Arm:
    """An arm that learns as many turns of experts, at the same learning rate."""
    settings = {name: value for name, value in PLAIN.items() if name != "beta"}
    return Arm("imitation", games, EXPERTS, {**settings, "steps": steps}, rival)


_T, _K = ("tic_tac_toe",), ("kuhn_poker",)

_EXPERIMENTS = (
    Experiment(
        "main",
        "The paper's main table: does self-play on one game make a better solver of problems than imitation of experts "
        "or play against a fixed opponent? The game is tic-tac-toe; `opponents` asks the same of Kuhn poker.",
        (
            BASE,
            _imitating(_T, STEPS["tic_tac_toe"], "base"),
            *(
                _trained(f"against {name}", _T, STEPS["tic_tac_toe"], opponent, "base")
                for name, opponent in (("random", "random"), ("perfect", "perfect"), ("its base", "nano"))
            ),
            _trained("self-play", _T, STEPS["tic_tac_toe"], rival="base", baseline="role"),
        ),
    ),
    Experiment(
        "baselines",
        "Which baseline matters, and why? The published ablation compares a role's baseline with none at all.",
        tuple(
            _trained(
                f"{game}, {baseline}",
                (game,),
                STEPS[game],
                rival="" if baseline == "role" else f"{game}, role",
                baseline=baseline,
            )
            for game, baselines in BASELINES.items()
            for baseline in baselines
        ),
    ),
    Experiment(
        "games",
        "One game against several: how do specialists and a generalist that learn from as many turns do in all games, "
        "held-out ones included, and on problems? Along the way: which reasoning patterns, how often and how well.",
        (
            BASE,
            *(_trained(name, (name,), 24, rival="base") for name in SPIRAL),
            _trained("all three", SPIRAL, 24, rival="base"),
        ),
        every=6,
        held_out=HELD_OUT,
    ),
    Experiment(
        "opponents",
        "Self-play against fixed opponents over training, in Kuhn poker, where everything is exact: past selves, "
        "distance to equilibrium, and what is learnt against one opponent only.",
        (
            BASE,
            _imitating(_K, 40, "base"),
            *(
                _trained(f"against {name}", _K, 40, opponent, "base")
                for name, opponent in (
                    ("random", "random"),
                    ("equilibrium", "equilibrium"),
                    ("its base", "nano"),
                    ("past selves", "pool"),
                )
            ),
            _trained("self-play", _K, 40, rival="base"),
        ),
        every=8,
    ),
    Experiment(
        "controls",
        "How much of the transfer is play, how much is format, length or sharpness? Self-play on tic-tac-toe that pays "
        "for something else, and the base model sampled sharper.",
        (
            BASE,
            _trained("self-play", _T, STEPS["tic_tac_toe"], rival="base", baseline="role"),
            *(
                _trained(reward, _T, STEPS["tic_tac_toe"], rival="self-play", baseline="role", reward=reward)
                for reward in CONTROLS
            ),
        ),
        temperatures=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
    ),
    Experiment(
        "smol",
        "Does a real pretrained model show the same? SmolLM2-135M-Instruct after a warm-up of minutes on the format of "
        "games (runs/smol-warm, made by: python -m spiral_lite.bench.smol), self-play on Kuhn poker, rivals, controls.",
        (
            BASE,
            Arm("imitation", _K, EXPERTS, {**SMOL_IMITATION, "steps": SMOL_STEPS}, "base"),
            Arm("against random", _K, "random", {**SMOL, "steps": SMOL_STEPS}, "base"),
            Arm("self-play", _K, settings={**SMOL, "steps": SMOL_STEPS}, rival="base"),
            *(
                Arm(reward, _K, settings={**SMOL, "steps": SMOL_STEPS, "reward": reward}, rival="self-play")
                for reward in ("format_only", "random")
            ),
        ),
        sizes=Sizes(("kuhn_poker", "tic_tac_toe"), match_games=60, samples=8, problems_each=8),
        model="runs/smol-warm",
    ),
    Experiment(
        "collapse",
        "Does thinking collapse without a role's baseline, as in the paper, where training is longer and faster? Twice "
        "the steps of `main`, at two and a half times its learning rate.",
        tuple(
            _trained(
                baseline,
                _T,
                2 * STEPS["tic_tac_toe"],
                rival="" if baseline == "role" else "role",
                baseline=baseline,
                learning_rate=1e-3,
            )
            for baseline in ("role", "none")
        ),
    ),
)
EXPERIMENTS = {experiment.name: experiment for experiment in _EXPERIMENTS}


def train(
    arm: Arm,
    seed: int,
    folder: Path,
    base: str = "nano",
    every: int = 0,
    measure: Callable[[Any, int], None] = lambda player, step: None,
) -> tuple[Any, list[dict[str, float]]]:
    """(player, metrics rows) of an arm, trained in `folder` from a base model. `measure(player, step)` is called before
    the first step and after every `every` of them, if that is not 0 and the arm plays."""
    from spiral_lite import games, models
    from spiral_lite.imitation import imitate, nano_imitation_config
    from spiral_lite.metrics import read_metrics
    from spiral_lite.opponents import load
    from spiral_lite.opponents.pool import Pool
    from spiral_lite.players import LanguageModel, Sampling
    from spiral_lite.rollout import backends
    from spiral_lite.trainer import Every, SelfPlayTrainer, nano_config

    model, tokenizer = models.load(base)
    played = [games.make(name) for name in arm.games]
    if not played:
        return LanguageModel(backends.make("engine", model, tokenizer), Sampling(), arm.name), []
    if arm.opponent == EXPERTS:
        imitate(model, tokenizer, played, nano_imitation_config(folder, seed=seed, **arm.settings))
        return LanguageModel(backends.make("engine", model, tokenizer), Sampling(), arm.name), read_metrics(folder)
    config = nano_config(folder, seed=seed, logged_games=0, **arm.settings)
    sampling = Sampling(max_new_tokens=config.max_completion_length)
    pool = Pool([models.locate(base)], sampling=sampling)
    opponent = {"self": None, "pool": pool}.get(arm.opponent, arm.opponent)
    trainer = SelfPlayTrainer(
        model,
        played,
        config,
        processing_class=tokenizer,
        opponent=load(opponent, sampling) if isinstance(opponent, str) else opponent,
    )
    if every:
        trainer.add_callback(Every(every, lambda step: measure(trainer.policy(), step)))
    trainer.train()
    return trainer.policy(), read_metrics(folder)
