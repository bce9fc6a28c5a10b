r"""Supervised imitation of experts: they play themselves, and the model learns to write what they wrote.

The rival of self-play in SPIRAL's main table (arXiv:2506.24119, "SFT on 25k expert game trajectories"). Its experts are
a larger model; ours are players whose moves are known to be best (an equilibrium of Kuhn poker, perfect tic-tac-toe and
nim, a careful negotiator), and the reasoning before each move is written by the nano corpus' writers
(`nano/replies.py`), in one of its three patterns at random. Experts never err, so their games lack what an opponent's
errors would show: how to win from them. Training is TRL's SFTTrainer (TRL 1.16), with the loss on the reply alone.

To compare the arms: `steps` and `turns_per_step` mean here what they mean in `SelfPlayConfig`, the turns of a step are
split evenly over the games, and a prompt has the very tokens that it has in self-play.

    >>> from spiral_lite import games
    >>> [episode] = expert_games(games.make("tic_tac_toe"), 1, seed=0)
    >>> episode.returns
    (0.0, 0.0)

Read `nano/replies.py` and `trainer/collect.py` before this.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spiral_lite import environment

environment.prepare()  # before torch is imported, and before TRL would report its use

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from transformers.trainer import TRAINING_ARGS_NAME
from trl import SFTConfig, SFTTrainer

from spiral_lite import checkpoints, dialogue, models, players
from spiral_lite.games import Game, State
from spiral_lite.games.kuhn_poker import KuhnPoker
from spiral_lite.metrics import METRICS_FILE
from spiral_lite.nano import replies
from spiral_lite.nano.problems import PATTERNS
from spiral_lite.players import Player, Prompt, Reply, Scripted
from spiral_lite.rollout import Episode, play
from spiral_lite.trainer.collect import shares
from spiral_lite.trainer.config import settle

EXPERTS: dict[str, Callable[[], Scripted]] = {
    "kuhn_poker": players.equilibrium_kuhn,
    "tic_tac_toe": players.perfect,
    "nim": players.perfect,
    "simple_negotiation": players.negotiator,
}
LOGGED = {  # name in our rows: TRL's
    "loss": "loss",
    "token_accuracy": "mean_token_accuracy",
    "entropy": "entropy",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
}
NOT_LEARNT = -100  # the label of a token that the loss leaves out


class Expert:
    """A scripted player that gives the reasons for its moves."""

    def __init__(self, script: Scripted) -> None:
        self.script, self.name = script, f"expert: {script.name}"

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(self._write(prompt.state, random.Random(prompt.seed))) for prompt in prompts]

    def _write(self, state: State, rng: random.Random) -> str:
        action = self.script.choose(state, rng)
        if state.game.name == "tic_tac_toe" and (urgent := replies.urgent(state)) and action not in urgent:
            # as good by minimax, but the reasoning looks one move ahead: a win that is there, a threat that can wait
            action = rng.choice([move for move in urgent if move in players.best_tic_tac_toe(state)])
        return replies.explained(state, rng.choice(PATTERNS), rng, action)


def expert(game: Game) -> Player:
    """The expert of a game. Raises ValueError if it has none."""
    if game.name not in EXPERTS:
        raise ValueError(f"{game.name} has no expert to imitate; these have: {', '.join(EXPERTS)}")
    if isinstance(game, KuhnPoker) and game.variant != "textbook":
        raise ValueError(f"variant={game.variant!r}: the expert knows the textbook game; leave the variant away")
    return Expert(EXPERTS[game.name]())


def expert_games(game: Game, n: int, seed: int) -> list[Episode]:
    """`n` games of the game's expert against itself."""
    player = expert(game)
    return play(game, (player, player), n, seed)


def dataset(episodes: Sequence[Episode], tokenizer: Any) -> Dataset:
    """The turns of scripted players' games, a row each: prompt and completion for people; input_ids and labels, with
    the loss on the completion and its end token alone, as SFTTrainer would make them, but token for token as in play
    (it would add a Llama's begin token a second time); game.

    Raises ValueError where there is no turn.
    """
    turns = [(episode.game, turn) for episode in episodes for turn in episode.turns]
    if not turns:
        raise ValueError("there is no turn to imitate; give at least one game, e.g. expert_games(game, 500, seed=0)")
    prompts = [dialogue.prompt(turn.prompt, tokenizer) for _, turn in turns]
    completions = [turn.reply + tokenizer.eos_token for _, turn in turns]
    both = (tokenizer(texts, add_special_tokens=False)["input_ids"] for texts in (prompts, completions))
    pairs = list(zip(*both, strict=True))
    return Dataset.from_dict(
        {
            "game": [name for name, _ in turns],
            "prompt": prompts,
            "completion": completions,
            "input_ids": [read + written for read, written in pairs],
            "labels": [[NOT_LEARNT] * len(read) + written for read, written in pairs],
        }
    )


@dataclass
class ImitationConfig(SFTConfig):
    """TRL's configuration. A step is one optimizer step, on `turns_per_step` turns of each process, as in self-play."""

    steps: int = field(default=400, metadata={"help": "Optimizer steps."})
    turns_per_step: int = field(default=128, metadata={"help": "Turns learnt from in a step."})

    learning_rate: float = 1e-5
    lr_scheduler_type: str = "linear"
    adam_beta2: float = 0.95
    weight_decay: float = 0.0
    per_device_train_batch_size: int = 0  # turns a forward pass; 0: all of them
    max_length: int | None = None  # a cut reply would lose its action
    train_sampling_strategy: str = "sequential"  # the rows come as they are to be learnt
    bf16: bool | None = None  # where the GPU has it
    use_cpu: bool = False  # where there is no GPU it is used anyway
    logging_steps: float = 1
    save_strategy: str = "no"
    report_to: str = "none"
    disable_tqdm: bool = True

    def __post_init__(self) -> None:
        for name, example in (("steps", 100), ("turns_per_step", 128)):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: it must be at least 1, e.g. {name}={example}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: it must be positive, e.g. learning_rate=1e-5")
        settle(self)
        self.max_steps = self.steps
        super().__post_init__()


def nano_imitation_config(output_dir: str | Path, **changes: Any) -> ImitationConfig:
    """Settings for the nano model on a laptop: as many turns a step as its self-play, one or two seconds a step."""
    settings: dict[str, Any] = {
        "steps": 60,
        "turns_per_step": 256,
        "learning_rate": 6e-4,
        "gradient_checkpointing": False,
    }
    settings |= changes
    settings.setdefault("per_device_train_batch_size", math.gcd(settings["turns_per_step"], 64))
    return ImitationConfig(output_dir=str(output_dir), **settings)


def imitate(
    model: Any,
    tokenizer: Any,
    games: Sequence[Game],
    config: ImitationConfig,
    games_played: int = 500,
    on_metrics: Callable[[dict[str, float]], None] = lambda row: None,
) -> SFTTrainer:
    """Trains the model in place on `games_played` expert games of each game; returns TRL's trainer, for `save`.

    A row a step goes to `output_dir/metrics.jsonl` and to `on_metrics`. Raises ValueError for games without an expert.
    """
    if not games:
        raise ValueError("games is empty; give at least one, e.g. [games.make('kuhn_poker')]")
    if games_played < 1:
        raise ValueError(f"games_played={games_played}: experts must play at least one game, e.g. games_played=500")
    if config.turns_per_step < len(games):
        raise ValueError(f"turns_per_step={config.turns_per_step} is less than one turn for each of {len(games)} games")
    rows = dataset([one for game in games for one in expert_games(game, games_played, config.seed)], tokenizer)
    order = [row for step in _steps(list(rows["game"]), config) for row in step]
    trainer = SFTTrainer(
        model,
        args=config,
        train_dataset=rows.select(order),
        processing_class=tokenizer,
        callbacks=[_Rows(Path(config.output_dir), on_metrics)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    trainer.model.eval()
    return trainer


def save(trainer: SFTTrainer, folder: Path) -> None:
    """Writes the model that `imitate` has trained as a self-play trainer does: each file at once, never with NaN, and
    no pickle."""
    models.refuse_nan(trainer.model, f"{folder} gets no model: it")
    with checkpoints.disk_full_is_said(folder):
        if trainer.args.should_save:
            checkpoints.begin(folder / "model")
        trainer.accelerator.wait_for_everyone()
        aside = folder / checkpoints.ASIDE / "model"
        trainer.save_model(str(aside))
        trainer.accelerator.wait_for_everyone()
        if trainer.args.should_save:
            (aside / TRAINING_ARGS_NAME).unlink(missing_ok=True)
            checkpoints.finish_model(folder)
        trainer.accelerator.wait_for_everyone()


def _steps(names: Sequence[str], config: ImitationConfig) -> Iterator[list[int]]:
    """The rows of each step, by the game of each row: every game has an equal share, and all of its turns come before
    one comes again."""
    rng = random.Random(f"{config.seed}/imitation")
    games = list(dict.fromkeys(names))
    rows = {game: _forever([row for row, name in enumerate(names) if name == game], rng) for game in games}
    share = shares(config.turns_per_step, games)
    for _ in range(config.steps):
        step = [next(rows[game]) for _ in range(config.world_size) for game in games for _ in range(share[game])]
        yield rng.sample(step, len(step))


def _forever(rows: Sequence[int], rng: random.Random) -> Iterator[int]:
    while True:
        yield from rng.sample(rows, len(rows))


class _Rows(TrainerCallback):
    """A row a step in `metrics.jsonl`, as self-play's, of what imitation shares with it."""

    def __init__(self, folder: Path, listener: Callable[[dict[str, float]], None]) -> None:
        self.path, self.listener = folder / METRICS_FILE, listener
        self._began = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began = time.perf_counter()
        if state.is_world_process_zero:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        row = {"step": state.global_step, "seconds": time.perf_counter() - self._began}
        row |= {name: logs[theirs] for name, theirs in LOGGED.items() if theirs in logs}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.listener(row)
