"""Self-play training on TRL: play games, hand each turn to GRPOTrainer as a sample, put RAE in place of its advantages.

SPIRAL (arXiv:2506.24119, sections 3.2-3.3 and its hyperparameters) on `trl.GRPOTrainer` (TRL 1.16). One model plays
both roles; each turn is an independent (prompt, reply) sample, with the role's return less its baseline as advantage.
The loss, importance ratios, optimizer, mixed precision, several processes, tables and checkpoints are TRL's.

Differs from the published code: the baseline is one for the whole job, the observations are worded anew, Kuhn poker is
the textbook game unless asked otherwise, and turns whose advantage is 0 are kept.
What is ours is one override of the training step, `_generate_and_score_completions`, which delegates to TRL's; one that
computes the same log-probabilities without padding; two that keep the baseline in checkpoints. Read `advantages.py` and
`packing.py` before.
"""

from __future__ import annotations

import functools
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spiral_lite import environment

environment.prepare()  # before torch is imported, and before TRL would report its use

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from spiral_lite import advantages, models, packing
from spiral_lite.games import TRAINING_FORFEIT, ZERO_SUM_FORFEIT, Game
from spiral_lite.metrics import MetricsFile, play_metrics
from spiral_lite.players import Backend, LanguageModel, Sampling
from spiral_lite.rollout import Episode, Turn, backends, play, write_jsonl
from spiral_lite.rollout.play import typical_turns
from spiral_lite.rollout.vllm_backend import TrlVllmBackend

GAMES_FOLDER = "games"
PROMPT_TOKENS = 160  # what memory is planned for; longer prompts are read too, if they fit


INERT = {  # settings of TRL's that ours decide, or that our sampling does not read
    "max_steps": "set steps",
    "gradient_accumulation_steps": "set turns_per_step and per_device_train_batch_size",
    "steps_per_generation": "set turns_per_step",
    "generation_batch_size": "set turns_per_step",
    "logging_steps": "every step is logged",
    "save_steps": "set save_every",
    "use_transformers_continuous_batching": "set backend",
    "top_k": "set temperature and top_p",
    "min_p": "set temperature and top_p",
    "repetition_penalty": "set temperature and top_p",
}


@dataclass
class SelfPlayConfig(GRPOConfig):
    """TRL's configuration with SPIRAL's values, and what self-play adds. All sizes are per process.

    A step plays games and learns from `turns_per_step` of their turns in `num_iterations` optimizer steps.
    """

    steps: int = field(default=400, metadata={"help": "Self-play steps."})
    turns_per_step: int = field(default=128, metadata={"help": "Turns learnt from in a step."})
    save_every: int = field(default=0, metadata={"help": "Steps between checkpoints; 0 saves the final model only."})
    backend: str = field(default="engine", metadata={"help": "What plays: engine or transformers; use_vllm is vLLM."})
    slots: int = field(default=256, metadata={"help": "Replies written at a time, if memory allows."})
    pack: bool = field(default=True, metadata={"help": "Compute what turns begin with once, and no padding."})
    baseline: str = field(default="role", metadata={"help": "role (RAE) or none."})
    role_decay: float = field(default=0.95, metadata={"help": "Decay of RAE's moving averages."})
    zero_sum_forfeit: bool = field(default=False, metadata={"help": "An invalid move pays -1.5/+1.5, not -1.5/+0.5."})
    logged_games: int = field(default=8, metadata={"help": "Games of each step written to games/."})

    # SPIRAL's recipe (arXiv:2506.24119)
    learning_rate: float = 1e-6
    lr_scheduler_type: str = "constant"
    adam_beta2: float = 0.95
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    temperature: float = 1.0
    max_completion_length: int = 4096
    num_iterations: int = 2
    epsilon: float = 0.2
    loss_type: str = "dr_grpo"  # token sum / (turns x max_completion_length)
    scale_rewards: str = "none"
    beta: float = 0.0
    vllm_importance_sampling_correction: bool = False  # of what vLLM computes otherwise than the training model

    # what of TRL's defaults does not suit us
    per_device_train_batch_size: int = 0  # turns a forward pass; 0: all of them
    num_generations: int = 2  # TRL insists on 2 or more; its groups are not used
    gradient_checkpointing: bool = False
    bf16: bool | None = None  # where the GPU has it
    use_cpu: bool = False  # where there is no GPU it is used anyway
    report_to: str = "none"
    disable_tqdm: bool = True
    save_total_limit: int | None = 2
    ignore_data_skip: bool = True  # the rows of the dataset are empty

    def __post_init__(self) -> None:
        self._refuse_nonsense()
        self.per_device_train_batch_size = self.per_device_train_batch_size or self.turns_per_step
        if self.turns_per_step % self.per_device_train_batch_size:
            raise ValueError(
                f"turns_per_step={self.turns_per_step} is no multiple of per_device_train_batch_size="
                f"{self.per_device_train_batch_size}; e.g. 128 and 32"
            )
        self.gradient_accumulation_steps = self.turns_per_step // self.per_device_train_batch_size
        self.max_steps = self.steps * self.num_iterations
        self.logging_steps = self.num_iterations  # one row a self-play step
        self.save_strategy = "steps" if self.save_every else "no"
        self.save_steps = max(1, self.save_every) * self.num_iterations  # where no batch is half used: exact resume
        self.use_cpu = self.use_cpu or not torch.cuda.is_available()
        if self.bf16 is None:
            self.bf16 = not self.use_cpu and torch.cuda.is_bf16_supported()
        super().__post_init__()

    def _refuse_nonsense(self) -> None:
        for name, example in (
            ("steps", 20),
            ("turns_per_step", 128),
            ("max_completion_length", 96),
            ("num_iterations", 2),
            ("slots", 64),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: it must be at least 1, e.g. {name}={example}")
        if self.turns_per_step % 2:
            raise ValueError(f"turns_per_step={self.turns_per_step}: TRL needs an even number, e.g. 128")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: it must be positive, e.g. learning_rate=1e-6")
        if not self.temperature > 0:
            raise ValueError(
                f"temperature={self.temperature}: training samples; it must be positive, e.g. temperature=1.0"
            )
        if self.save_every < 0:
            raise ValueError(f"save_every={self.save_every}: 0 (only at the end) or more, e.g. save_every=5")
        if self.eval_strategy != "no":
            raise ValueError("eval_strategy must stay 'no': measure with the callback trainer.Every instead")
        for name in INERT:
            default = GRPOConfig.__dataclass_fields__[name].default
            if getattr(self, name) != default:
                raise ValueError(f"{name}={getattr(self, name)} has no effect in self-play: {INERT[name]}")
        if self.backend not in ("engine", "transformers"):
            raise ValueError(f"backend={self.backend!r}: choose engine or transformers; for vLLM set use_vllm=True")
        if self.pack and self.cast_lm_head_to_fp32:
            raise ValueError("cast_lm_head_to_fp32=True has no effect on packed turns; set pack=False")
        advantages.make(self.baseline, self.role_decay)


def nano_config(output_dir: str | Path, **changes: Any) -> SelfPlayConfig:
    """Settings for the nano model on a laptop: a step takes a few seconds on two cores.

    Three differ from SPIRAL's in kind, not in size. `beta=0.2` holds the model near its base by a KL penalty: without
    it, a trial of 48 steps of Kuhn poker ended with 6 % invalid replies, and in nearly pure strategies, from which a
    policy returns slowly. The learning rate falls linearly to 0, so that the policy settles. `num_iterations=1`
    spends the time on fresh games.
    """
    settings: dict[str, Any] = {
        "steps": 60,
        "turns_per_step": 256,
        "learning_rate": 6e-4,
        "lr_scheduler_type": "linear",
        "beta": 0.2,
        "num_iterations": 1,
        "max_completion_length": 96,
    }
    return SelfPlayConfig(output_dir=str(output_dir), **(settings | changes))


@dataclass(frozen=True)
class Sample:
    """One turn as the loss sees it: the turn, its game, the role's return and its advantage."""

    game: str
    turn: Turn
    value: float
    advantage: float


class SelfPlayTrainer(GRPOTrainer):
    """`SelfPlayTrainer(model, [game], nano_config("runs/a"), processing_class=tokenizer).train()`.

    model: a transformers causal language model; games: one or several, played in turn. Metrics go to
    `output_dir/metrics.jsonl` and to `on_metrics`, a row a step. All other keyword arguments are TRL's.
    """

    _tag_names = ["trl", "self-play", "spiral"]  # noqa: RUF012 - TRL's class attribute
    _name = "SelfPlay"

    def __init__(
        self,
        model: Any,
        games: Sequence[Game],
        args: SelfPlayConfig,
        processing_class: Any,
        callbacks: Sequence[TrainerCallback] = (),
        on_metrics: Callable[[dict[str, float]], None] = lambda row: None,
        **kwargs: Any,
    ) -> None:
        if not games:
            raise ValueError("games is empty; give at least one, e.g. [games.make('kuhn_poker')]")
        if len({game.name for game in games}) < len(games):
            raise ValueError(f"games: {', '.join(game.name for game in games)}: each name once; it keys the baselines")
        if args.turns_per_step < len(games):
            raise ValueError(
                f"turns_per_step={args.turns_per_step} is less than one turn for each of {len(games)} games"
            )
        if args.beta and not model.config._name_or_path:
            raise ValueError(
                f"beta={args.beta} needs the starting model once more, and this one came from no folder and no Hub: "
                "load it with models.load, or set beta=0.0"
            )
        self.games = list(games)
        self.baseline = advantages.make(args.baseline, args.role_decay)
        self.episodes: list[Episode] = []  # of the latest step, on this process
        self._samples: list[Sample] = []
        self._typical_turns = {game.name: typical_turns(game) for game in self.games}
        super().__init__(
            model,
            reward_funcs=[_game_return],
            args=args,
            processing_class=processing_class,
            # TRL wants a dataset: one round of empty prompts, cycled until max_steps, as for its own environments.
            train_dataset=Dataset.from_dict({"prompt": [""] * (args.generation_batch_size // args.num_generations)}),
            rollout_func=_hand_over,
            callbacks=[MetricsFile(Path(args.output_dir), on_metrics), *callbacks],
            **kwargs,
        )
        self.remove_callback(PrinterCallback)
        if args.pack:
            if self.aux_loss_enabled:
                raise ValueError("packed training has no load-balancing loss for mixtures of experts; set pack=False")
            for packed in (self.model, self.ref_model):
                if packed is not None:
                    packing.install(packed.get_base_model() if hasattr(packed, "get_base_model") else packed)

    def policy(self) -> LanguageModel:
        """The model as it is now, as a player that samples as in training."""
        sampling = Sampling(self.args.temperature, self.args.top_p, self.args.max_completion_length)
        return LanguageModel(self._backend, sampling, f"step {self.self_play_step}")

    @functools.cached_property
    def _backend(self) -> Backend:
        """What plays the games: one for the whole run, as it keeps its memory and what it knows of the prompts."""
        if self.args.use_vllm:
            return TrlVllmBackend(self)
        model = self.accelerator.unwrap_model(self.model)
        context = self.args.max_completion_length + PROMPT_TOKENS
        return backends.make(self.args.backend, model, self.processing_class, self.args.slots, context)

    @property
    def self_play_step(self) -> int:
        """Self-play steps that are finished."""
        return int(self.state.global_step) // int(self.args.num_iterations)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._samples = self.collect(len(inputs))
        rows = [{"prompt": s.turn.prompt, "value": s.value, "game": s.game, "role": s.turn.role} for s in self._samples]
        batch: dict[str, Any] = super()._generate_and_score_completions(rows)  # pads, log-probabilities, tables
        ours = [sample.advantage for sample in self._samples]
        batch["advantages"] = torch.tensor(ours, device=self.accelerator.device)
        self._correct_logs(ours)
        return batch

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **_no_images: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """As TRL's, in [B, C] and nats, without padding and repetition (`packing.py`)."""
        if not self.args.pack:
            return super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, compute_aux_loss
            )
        parts = []
        rows = batch_size or len(input_ids)
        for begin in range(0, len(input_ids), rows):
            some = slice(begin, begin + rows)
            packed = packing.Packed(input_ids[some], attention_mask[some], logits_to_keep, self.temperature)
            with self.accelerator.autocast():
                parts.append(model(packed=packed))
        log_probs, entropy = (torch.cat(column) for column in zip(*parts, strict=True))
        return log_probs, entropy if compute_entropy else None, None

    def collect(self, n: int) -> list[Sample]:
        """Plays whole games, updates the baseline with all of them, and draws exactly `n` of their turns at random,
        split evenly over the games."""
        began = time.perf_counter()
        shares = [n // len(self.games) + (i < n % len(self.games)) for i in range(len(self.games))]
        self.episodes = [e for game, share in zip(self.games, shares, strict=True) for e in self._play(game, share)]
        if isinstance(self._backend, TrlVllmBackend):
            self._backend.finish()  # other processes may still play
        pools: dict[str, list[Sample]] = {game.name: [] for game in self.games}
        for episode, both in zip(self.episodes, self._advantages(), strict=True):
            pools[episode.game] += [
                Sample(episode.game, turn, episode.returns[turn.role], both[turn.role]) for turn in episode.turns
            ]
        self._log_play(time.perf_counter() - began)
        rng = self._rng("batch")
        return [s for game, share in zip(self.games, shares, strict=True) for s in rng.sample(pools[game.name], share)]

    def _play(self, game: Game, turns: int) -> list[Episode]:
        """Whole games of the model against itself, at least `turns` turns of them."""
        player = self.policy()
        return play(
            game,
            (player, player),
            seed=self._rng(game.name).getrandbits(48),
            turns=turns,
            forfeit=ZERO_SUM_FORFEIT if self.args.zero_sum_forfeit else TRAINING_FORFEIT,
            in_flight=math.ceil(1.2 * turns / self._typical_turns[game.name]),  # mostly one round is enough
            policy_version=self.self_play_step,
        )

    def _rng(self, purpose: str) -> random.Random:
        """Randomness of this step and process: a resumed run draws as the first one did."""
        return random.Random(f"{self.args.seed}/{self.accelerator.process_index}/{self.state.global_step}/{purpose}")

    def _advantages(self) -> list[tuple[float, float]]:
        """Of each of our games, after every process's games: all replay all outcomes in rank order, so that the
        baseline is one and the same everywhere."""
        mine = [(episode.game, episode.returns) for episode in self.episodes]
        of_rank = [self.baseline.advantages(outcomes) for outcomes in gather_object([mine])]
        return of_rank[self.accelerator.process_index]

    def _log_play(self, seconds: float) -> None:
        for name, value in play_metrics(self.episodes, seconds).items():
            self._log_metric(name, value)
        for key, value in self.baseline.state_dict().get("values", {}).items():
            self._log_metric(f"{key}/baseline", value)
        if self.args.should_save and self.args.logged_games:
            folder = Path(self.args.output_dir) / GAMES_FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"step_{self.self_play_step:05d}.jsonl"
            file.unlink(missing_ok=True)  # of a run that was killed in this step
            write_jsonl(self.episodes[: self.args.logged_games], file)

    def _correct_logs(self, ours: list[float]) -> None:
        """TRL has logged its own advantages and a statistic of its groups: put ours in their place."""
        everyones = gather_object(ours)
        for _ in everyones:
            self._logs["advantages"].pop()
        self._logs["advantages"].extend(everyones)
        self._metrics["train"].pop("frac_reward_zero_std", None)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
            aside = folder / f"{models.COMPLETE}.part"
            aside.write_text(json.dumps(self.baseline.state_dict()))
            aside.replace(folder / models.COMPLETE)  # written last and at once: its presence says that all is there

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.baseline.load_state_dict(json.loads((Path(checkpoint) / models.COMPLETE).read_text()))


def _hand_over(prompts: list[str], trainer: SelfPlayTrainer) -> dict[str, Any]:
    """TRL's `rollout_func`: the tokens that were already sampled while playing."""
    turns = [sample.turn for sample in trainer._samples]
    corrected = trainer.args.use_vllm and trainer.args.vllm_importance_sampling_correction
    sampled = [list(turn.logprobs) for turn in turns] if corrected else None
    return {
        "prompt_ids": [list(turn.prompt_ids) for turn in turns],
        "completion_ids": [list(turn.reply_ids) for turn in turns],
        "logprobs": sampled,  # None: TRL computes its own, where a second optimizer step needs them
    }


def _game_return(prompts: list[str], completions: list[str], value: list[float], **row: Any) -> list[float]:
    """TRL's reward function: the return of the turn's role, which the row carries."""
    return value


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


def last_checkpoint(run: Path) -> Path:
    """The newest checkpoint of a run that can be resumed. Raises ValueError if there is none."""
    found = models.checkpoints(run)
    if not found:
        raise ValueError(f"no checkpoint in {str(run)!r}; train with --save-every, e.g. --save-every 5")
    return found[-1]
