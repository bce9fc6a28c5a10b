"""The commands that train: train, imitate, pretrain."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from spiral_lite.cli.command import Result, at_least, declare, pairs

RUN_FILE = "run.json"
SMALL_MODEL = 20_000_000  # parameters; below it, training uses the laptop's settings


def add(commands: Any) -> None:
    """Declares them."""
    for one in (_add_train, _add_imitate, _add_pretrain):
        one(commands)


def _train(options: argparse.Namespace) -> Result:
    from spiral_lite import games, models
    from spiral_lite.metrics import read_metrics
    from spiral_lite.show.progress import print_progress
    from spiral_lite.trainer import SelfPlayConfig, SelfPlayTrainer, lora, nano_config

    _refuse_a_lone_process()
    played = [games.make(name) for name in options.games]
    checkpoint = _last_checkpoint(options.out) if options.resume else None
    changes = {
        "steps": options.steps,
        "turns_per_step": options.turns_per_step,
        "learning_rate": options.learning_rate,
        "baseline": options.baseline,
        "reward": options.reward,
        "backend": options.backend,
        "seed": options.seed,
        "save_every": options.save_every,
    }
    changes = {name: value for name, value in changes.items() if value is not None} | _settings(options)
    model, tokenizer = models.load(options.model, device="cpu")  # the trainer takes it to the GPU of its process
    if model.num_parameters() < SMALL_MODEL:
        config = nano_config(options.out, **changes)
    else:
        config = SelfPlayConfig(output_dir=str(options.out), **changes)
    trainer = SelfPlayTrainer(
        model,
        played,
        config,
        processing_class=tokenizer,
        opponent=_opponent(options, config),
        on_metrics=print_progress,
        peft_config=lora(options.lora_rank) if options.lora_rank is not None else None,
    )
    _settle_run(options, changes, trainer.accelerator)
    began = time.perf_counter()
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(str(options.out))
    rows = read_metrics(options.out)
    return {
        "model": options.model,
        "games": options.games,
        "steps": config.steps,
        "seed": options.seed,
        "seconds": time.perf_counter() - began,
        "out": str(options.out),
        "last_step": rows[-1] if rows else {},
    }


def _last_checkpoint(run: Path) -> str | None:
    """The last good checkpoint of a run; None if the run was killed before there was one, and so begins again."""
    from spiral_lite import checkpoints

    if (run / RUN_FILE).exists() and not checkpoints.saved(run):
        print(f"{str(run)!r} has no checkpoint yet: the run begins again", file=sys.stderr, flush=True)
        return None
    return str(checkpoints.last_good(run))


def _settings(options: argparse.Namespace) -> Result:
    """The settings of `--set name=value`."""
    from difflib import get_close_matches

    from spiral_lite.trainer import SelfPlayConfig

    chosen = {}
    for name, value in pairs("--set", options.set, "gamma=0.9"):
        setting = f"{name}={value}"
        if name == "output_dir":
            raise ValueError(f"--set {setting!r}: the folder of the run is --out")
        if name not in SelfPlayConfig.__dataclass_fields__:
            near = " or ".join(get_close_matches(name, SelfPlayConfig.__dataclass_fields__)) or "gamma or loss_type"
            raise ValueError(f"--set {setting!r}: there is no setting {name!r}; did you mean {near}?")
        try:
            chosen[name] = json.loads(value)
        except json.JSONDecodeError:
            chosen[name] = value
        default = SelfPlayConfig.__dataclass_fields__[name].default
        if isinstance(default, bool) and not isinstance(chosen[name], bool):
            raise ValueError(
                f"--set {setting!r}: {name} is true or false, e.g. --set {name}={str(not default).lower()}"
            )
        if isinstance(default, int | float) and not isinstance(chosen[name], int | float):
            raise ValueError(f"--set {setting!r}: {name} is a number, e.g. --set {name}={default}")
    return chosen


def _opponent(options: argparse.Namespace, config: Any) -> Any:
    """The player of the other seat; None for the model itself. Past selves and other models sample as the policy."""
    from spiral_lite import models
    from spiral_lite.opponents import load
    from spiral_lite.opponents.pool import Pool
    from spiral_lite.players import Sampling

    if options.opponent == "self":
        return None
    sampling = Sampling(config.temperature, config.top_p, config.max_completion_length)
    if options.opponent in ("pool", "pool-recent"):
        weighting = "recent" if options.opponent == "pool-recent" else "uniform"
        return Pool([models.locate(options.model)], weighting, sampling)
    return load(options.opponent, sampling)


def _refuse_a_lone_process() -> None:
    """`accelerate launch --cpu --num_processes 2` prepares for two processes and starts one."""
    known = os.environ
    several = "MASTER_ADDR" in known and known.get("ACCELERATE_USE_CPU") == "True"
    if several and not {"WORLD_SIZE", "LOCAL_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"} & set(known):
        raise ValueError(
            "accelerate launch --cpu starts one process, whatever --num_processes says (without mpirun): "
            "use --config_file spiral_lite/launch/cpu.yaml instead of --cpu"
        )


def _settle_run(options: argparse.Namespace, changes: Result, processes: Any) -> None:
    """Writes what decides the run into its folder; a resumed run must agree with what stands there. All processes look
    before the first one writes."""
    from spiral_lite import checkpoints

    file = options.out / RUN_FILE
    mine = {"model": options.model, "games": options.games, "opponent": options.opponent, **changes}
    mine |= {"lora_rank": options.lora_rank} if options.lora_rank is not None else {}
    mine = {name: value for name, value in mine.items() if name not in ("steps", "save_every")}
    if not options.resume:
        hidden = ".*"  # of a run that was killed before it began
        if options.out.exists() and any(not path.match(hidden) for path in options.out.iterdir()):
            raise ValueError(
                f"{str(options.out)!r} holds a run; add --resume to go on with it, or choose another --out"
            )
        processes.wait_for_everyone()
        if processes.is_main_process:
            options.out.mkdir(parents=True, exist_ok=True)
            checkpoints.write(file, json.dumps(mine) + "\n")
        return
    if file.exists() and (begun := json.loads(file.read_text())) != mine:
        raise ValueError(
            f"the run in {str(options.out)!r} was begun with {begun}, not {mine}; resume with its settings"
        )


def _imitate(options: argparse.Namespace) -> Result:
    from spiral_lite import games, models
    from spiral_lite.imitation import ImitationConfig, expert, imitate, nano_imitation_config, save

    shown = [games.make(name) for name in options.games]
    for game in shown:
        expert(game)  # refuses now, not after a large model is read
    if options.out.exists() and any(options.out.iterdir()):
        raise ValueError(f"{str(options.out)!r} holds a run; choose another --out")
    changes = {
        "steps": options.steps,
        "turns_per_step": options.turns_per_step,
        "learning_rate": options.learning_rate,
        "seed": options.seed,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    model, tokenizer = models.load(options.model, device="cpu")  # the trainer takes it to the GPU of its process
    if model.num_parameters() < SMALL_MODEL:
        config = nano_imitation_config(options.out, **changes)
    else:
        config = ImitationConfig(output_dir=str(options.out), **changes)
    rows: list[dict[str, float]] = []

    def report(row: dict[str, float]) -> None:
        rows.append(row)
        print(json.dumps(row), flush=True)

    began = time.perf_counter()
    save(imitate(model, tokenizer, shown, config, options.games_played, report), options.out)
    return {
        "model": options.model,
        "games": options.games,
        "games_played": options.games_played,
        "steps": config.steps,
        "turns_learnt": config.steps * config.turns_per_step * config.world_size,
        "seed": options.seed,
        "seconds": time.perf_counter() - began,
        "out": str(options.out),
        "last_step": rows[-1] if rows else {},
    }


def _pretrain(options: argparse.Namespace) -> Result:
    from dataclasses import replace

    from spiral_lite import models
    from spiral_lite.evaluation import card
    from spiral_lite.nano import pretrain
    from spiral_lite.rollout.transformers_backend import TransformersBackend

    at_least(options, turns=1, problems=1)
    if not options.card_only:
        config = pretrain.PretrainConfig(seed=options.seed)
        if options.steps is not None:
            at_least(options, steps=1)
            config = replace(config, steps=options.steps)
        began = time.perf_counter()
        options.out.mkdir(parents=True, exist_ok=True)
        pretrain.save(*pretrain.pretrain(config, lambda row: print(json.dumps(row), flush=True)), options.out)
        card.write_recipe(options.out, config, (time.perf_counter() - began) / 60)
    model, tokenizer = models.load(str(options.out))
    figures = card.measure(TransformersBackend(model, tokenizer), options.turns, options.problems, options.seed)
    figures |= {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}
    card.write(options.out, figures)
    return {"out": str(options.out), **figures}


def _add_train(commands: Any) -> None:
    command = declare(
        commands,
        "train",
        _train,
        "Train a model by self-play (SPIRAL with RAE, on TRL).",
        "train --model nano --games kuhn_poker --steps 20 --seed 1 --out runs/a --json",
        "train --model nano --games kuhn_poker tic_tac_toe --steps 40 --save-every 5 --out runs/b",
        "train --model nano --games kuhn_poker tic_tac_toe --steps 40 --save-every 5 --out runs/b --resume",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, or a Hub id (default nano)")
    command.add_argument("--games", nargs="+", required=True, help="one or several, e.g. kuhn_poker tic_tac_toe")
    command.add_argument("--steps", type=int, help="self-play steps")
    command.add_argument("--turns-per-step", type=int, help="turns learnt from in a step")
    command.add_argument(
        "--learning-rate", type=float, help="of AdamW; the nano model's falls linearly to 0, a larger one's is constant"
    )
    command.add_argument("--baseline", help="role (RAE, the default), none, shared, batch_mean, group or exact")
    command.add_argument("--reward", help="returns (the default), or a control: random, format_only, shuffled, length")
    command.add_argument(
        "--opponent",
        default="self",
        help="who has the other seat: self (the default), pool or pool-recent (its past selves: fictitious self-play), "
        "or a fixed player as in play: random, perfect, equilibrium, nano, runs/a ...",
    )
    command.add_argument("--lora-rank", type=int, metavar="R", help="train a LoRA adapter of this rank (needs peft)")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting of trainer/config.py or of TRL's GRPOConfig: --set gamma=0.9 --set loss_type=grpo",
    )
    command.add_argument("--backend", help="what generates: engine (the default) or transformers")
    command.add_argument("--save-every", type=int, default=0, metavar="N", help="a checkpoint every N steps")
    command.add_argument("--out", type=Path, required=True, help="folder of the run: model, metrics.jsonl, games/")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in --out, with its settings (other --steps change the schedule)",
    )


def _add_imitate(commands: Any) -> None:
    command = declare(
        commands,
        "imitate",
        _imitate,
        "Train a model on games of experts, by supervised learning (TRL's SFTTrainer): the rival of self-play.",
        "imitate --model nano --games kuhn_poker tic_tac_toe --games-played 500 --steps 100 --out runs/imitated",
        "imitate --model nano --games kuhn_poker --steps 20 --turns-per-step 128 --out runs/b --json",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, or a Hub id (default nano)")
    command.add_argument(
        "--games", nargs="+", required=True, help="with an expert: kuhn_poker, tic_tac_toe, nim, simple_negotiation"
    )
    command.add_argument("--games-played", type=int, default=500, metavar="N", help="of each game (default 500)")
    command.add_argument("--steps", type=int, help="optimizer steps")
    command.add_argument("--turns-per-step", type=int, help="turns learnt from in a step, as in train")
    command.add_argument("--learning-rate", type=float, help="of AdamW; it falls linearly to 0")
    command.add_argument("--out", type=Path, required=True, help="folder of the run: model, metrics.jsonl")


def _add_pretrain(commands: Any) -> None:
    command = declare(
        commands,
        "pretrain",
        _pretrain,
        "Make the nano base model from its seed: tokenizer, weights, model card. About an hour on two cores.",
        "pretrain --out runs/nano",
        "pretrain --out data/nano --card-only      # only measure again",
        "pretrain --out runs/tiny --steps 20 --turns 50 --problems 5",
    )
    command.add_argument("--out", type=Path, required=True, help="folder of the model")
    command.add_argument("--steps", type=int, help="of pretraining (default: the recipe's)")
    command.add_argument("--card-only", action="store_true", help="measure the model in --out, train nothing")
    command.add_argument(
        "--turns", type=int, default=2000, help="turns played for each game of the card (default 2000)"
    )
    command.add_argument("--problems", type=int, default=200, help="problems of each family for the card (default 200)")
