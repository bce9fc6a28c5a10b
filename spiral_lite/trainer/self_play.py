"""Self-play training on TRL: play games, hand each turn to GRPOTrainer as a sample, put RAE in place of its advantages.

SPIRAL (arXiv:2506.24119, sections 3.2-3.3 and its hyperparameters) on `trl.GRPOTrainer` (TRL 1.16). One model plays
both roles; each turn is an independent (prompt, reply) sample, with the role's return less its baseline as advantage.
Against an opponent (a fixed player, or a pool of past selves) the model has both seats in turn and learns its own.
The loss, importance ratios, optimizer, mixed precision, several processes, tables and checkpoints are TRL's.

Differs from the published code: the baseline is one for the whole job, the observations are worded anew, Kuhn poker is
the textbook game unless asked otherwise, and turns whose advantage is 0 are kept.
What is ours is one override of the training step, `_generate_and_score_completions`, which delegates to TRL's; one
that computes the same log-probabilities without padding; two that give checkpoints the baseline and the past selves.
Read `collect.py` and `saving.py` before this.
"""

from __future__ import annotations

import functools
import math
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from spiral_lite import advantages, checkpoints, packing, rewards
from spiral_lite.advantages import Outcome
from spiral_lite.estimate import PROMPT_TOKENS, estimate
from spiral_lite.games import TRAINING_FORFEIT, ZERO_SUM_FORFEIT, Game
from spiral_lite.metrics import MetricsFile, advantage_metrics, play_metrics
from spiral_lite.players import Backend, LanguageModel, Player, Sampling
from spiral_lite.rollout import Episode, backends, write_jsonl
from spiral_lite.rollout.play import typical_turns
from spiral_lite.rollout.vllm_backend import TrlVllmBackend
from spiral_lite.trainer import collect, sharding
from spiral_lite.trainer.callbacks import PastSelves
from spiral_lite.trainer.collect import Played, Sample
from spiral_lite.trainer.config import SelfPlayConfig
from spiral_lite.trainer.guard import CollapseGuard, go_back
from spiral_lite.trainer.saving import SavingTrainer

GAMES_FOLDER, POOL_FOLDER = "games", "pool"


class SelfPlayTrainer(SavingTrainer):
    """`SelfPlayTrainer(model, [game], nano_config("runs/a"), processing_class=tokenizer).train()`.

    model: a transformers causal language model; games: one or several, played in turn; opponent: who has the other
    seat, None for the model itself. An opponent with a method `add(folder)`, as `opponents.pool.Pool` has, gets the
    model as it is after every `pool_every` steps: fictitious self-play. Metrics go to `output_dir/metrics.jsonl` and to
    `on_metrics`, a row a step. All other keyword arguments are TRL's.
    """

    _tag_names = ["trl", "self-play", "spiral"]  # noqa: RUF012 - TRL's class attribute
    _name = "SelfPlay"

    def __init__(
        self,
        model: Any,
        games: Sequence[Game],
        args: SelfPlayConfig,
        processing_class: Any,
        opponent: Player | None = None,
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
                f"beta={args.beta} needs the starting model once more, and this one stands in no folder and on no Hub "
                "(an adapter merged into its model does not): load one with models.load, or set beta=0.0"
            )
        sharding.refuse_parts(args, pool=hasattr(opponent, "add"))
        self.games, self.opponent = list(games), opponent
        values = {game.name: game.value for game in games if game.value is not None}
        self.baseline = advantages.make(args.baseline, args.role_decay, values)
        if args.baseline == "exact" and len(values) < len(games):
            unsolved = ", ".join(game.name for game in games if game.value is None)
            raise ValueError(f"baseline='exact' needs a game's value under perfect play, unknown for {unsolved}")
        self._reward = rewards.make(args.reward)
        self.episodes: list[Episode] = []  # of the latest step, on this process
        self._samples: list[Sample] = []
        self._past_selves: list[str] = []  # what the pool got, by name
        self._typical_turns = {game.name: typical_turns(game) for game in self.games}
        super().__init__(
            model,
            reward_funcs=[_game_return],
            args=args,
            processing_class=processing_class,
            # TRL wants a dataset: one round of empty prompts, cycled until max_steps, as for its own environments.
            train_dataset=Dataset.from_dict({"prompt": [""] * (args.generation_batch_size // args.num_generations)}),
            rollout_func=_hand_over,
            callbacks=[
                MetricsFile(Path(args.output_dir), on_metrics),
                CollapseGuard(args.on_collapse, functools.partial(go_back, self)),
                *self._pool_callbacks(),
                *callbacks,
            ],
            **kwargs,
        )
        self.remove_callback(PrinterCallback)
        if args.pack:
            if self.aux_loss_enabled:
                raise ValueError("packed training has no load-balancing loss for mixtures of experts; set pack=False")
            for prepared in (self.model, self.ref_model):
                if prepared is not None:
                    packed = self.accelerator.unwrap_model(prepared)  # DeepSpeed's reference model is wrapped by now
                    packing.install(packed.get_base_model() if hasattr(packed, "get_base_model") else packed)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As TRL's, once it is said what that will take. Raises ValueError where memory is certainly too small."""
        if self.is_world_process_zero() and not sharding.kind(self.args):
            print(estimate(self), file=sys.stderr, flush=True)
        return super().train(*args, **kwargs)

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
        self._samples = self.play_step(len(inputs))
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

    def play_step(self, n: int) -> list[Sample]:
        """Plays whole games, updates the baseline with all of them, and chooses the turns of this step: `n`, or with
        batch="keep_all" at least `n`."""
        began = time.perf_counter()
        names = [game.name for game in self.games]
        share = collect.shares(n, names)
        played = [one for game in self.games for one in self._play(game, share[game.name])]
        self.episodes = [one.episode for one in played]
        if isinstance(self._backend, TrlVllmBackend):
            self._backend.finish()  # other processes may still play
        values = self._reward(self.episodes, self._rng("reward"))
        found = collect.samples(played, values, self._advantages(played, values), self.args.gamma)
        self._log_play(played, found, time.perf_counter() - began)
        rng, filter_zero = self._rng("batch"), self.args.filter_zero_adv
        if self.args.batch == "draw":
            return collect.draw(found, n, names, rng, filter_zero)
        every = math.lcm(self.args.num_generations, self.args.gradient_accumulation_steps)
        alike = min(gather_object([len(found)]))  # TRL wants as many on each process
        return collect.keep_all(found, alike - alike % every, rng, filter_zero)

    def _play(self, game: Game, turns: int) -> list[Played]:
        """Whole games, with at least `turns` turns of the model."""
        seats = 1 if self.opponent is None else 2
        same_deal = self.args.group_size if self.args.baseline == "group" else 1
        games = math.ceil(1.2 * seats * turns / self._typical_turns[game.name])  # mostly one round is enough
        plan = collect.Plan(
            game,
            turns,
            same_deal,
            forfeit=ZERO_SUM_FORFEIT if self.args.zero_sum_forfeit else TRAINING_FORFEIT,
            in_flight=games,
            version=self.self_play_step,
        )
        return collect.play_turns(plan, self.policy(), self.opponent, self._rng(game.name))

    def _rng(self, purpose: str) -> random.Random:
        """Randomness of this step and process: a resumed run draws as the first one did."""
        return random.Random(f"{self.args.seed}/{self.accelerator.process_index}/{self.state.global_step}/{purpose}")

    def _advantages(self, played: Sequence[Played], values: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Of each of our games. All processes score the games of all, in rank order, so that the baseline is one and
        the same everywhere."""
        mine = [
            Outcome(one.episode.game, paid, one.episode.seed, one.roles)
            for one, paid in zip(played, values, strict=True)
        ]
        everyones = gather_object([mine])
        begin = sum(len(outcomes) for outcomes in everyones[: self.accelerator.process_index])
        scored = self.baseline.advantages([outcome for outcomes in everyones for outcome in outcomes])
        return scored[begin : begin + len(mine)]

    def _log_play(self, played: Sequence[Played], found: Sequence[Sample], seconds: float) -> None:
        scored = [(sample.game, sample.turn.role, sample.advantage) for sample in found]
        for name, value in (play_metrics(played, seconds) | advantage_metrics(scored)).items():
            self._log_metric(name, value)
        for key, value in self.baseline.state_dict().get("values", {}).items():
            self._log_metric(f"{key}/baseline", value)
        if self.args.should_save and self.args.logged_games:
            folder = Path(self.args.output_dir) / GAMES_FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"step_{self.self_play_step:05d}.jsonl"
            file.unlink(missing_ok=True)  # of a run that was killed in this step
            count = min(self.args.logged_games, len(self.episodes))
            spread = [self.episodes[i * len(self.episodes) // count] for i in range(count)]  # some of every game
            write_jsonl(spread, file)

    def _correct_logs(self, ours: list[float]) -> None:
        """TRL has logged its own advantages and a statistic of its groups: put ours in their place."""
        everyones = gather_object(ours)
        for _ in range(min(len(everyones), len(self._logs["advantages"]))):  # the table forgets what is too much for it
            self._logs["advantages"].pop()
        self._logs["advantages"].extend(everyones)
        self._metrics["train"].pop("frac_reward_zero_std", None)

    def our_state(self) -> dict[str, Any]:
        return {"baseline": self.baseline.state_dict(), "pool": self._past_selves}

    def load_our_state(self, state: dict[str, Any]) -> None:
        self.baseline.load_state_dict(state["baseline"])
        if state["pool"] and not hasattr(self.opponent, "add"):
            raise ValueError(
                "this run played against a pool of its past selves: give it one to go on, e.g. "
                "opponent=Pool(['runs/base']), or --opponent pool"
            )
        pool = Path(self.args.output_dir) / POOL_FOLDER
        if self.args.should_save:  # those of steps that are about to be done again may become others
            for folder in pool.glob("step_*"):
                if folder.name not in state["pool"]:
                    shutil.rmtree(folder)
        self.accelerator.wait_for_everyone()
        for name in state["pool"]:
            if name not in self._past_selves:
                self.opponent.add(pool / name)  # type: ignore[union-attr]
        self._past_selves = state["pool"]

    def add_past_self(self) -> None:
        """Saves the model as it is now, and hands it to the pool."""
        folder = Path(self.args.output_dir) / POOL_FOLDER / f"step_{self.self_play_step:05d}"
        if self.args.should_save:
            aside = checkpoints.begin(folder)
            self.accelerator.unwrap_model(self.model).save_pretrained(aside)
            self.processing_class.save_pretrained(aside)
            checkpoints.finish(folder, {"step": int(self.state.global_step)})
        self.accelerator.wait_for_everyone()
        self._past_selves.append(folder.name)
        self.opponent.add(folder)  # type: ignore[union-attr]

    def _pool_callbacks(self) -> list[TrainerCallback]:
        return [PastSelves(self)] if hasattr(self.opponent, "add") else []


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
