"""Every setting of a training run: TRL's, with SPIRAL's values, and what self-play adds.

Reference: SPIRAL (arXiv:2506.24119), its hyperparameters, and the published code where the paper is silent.
Read `advantages.py` before this, `collect.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from trl import GRPOConfig

from spiral_lite import advantages, rewards

BATCHES = ("draw", "keep_all")
ON_COLLAPSE = ("warn", "stop", "roll_back")
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
    baseline: str = field(default="role", metadata={"help": "role (RAE), none, shared, batch_mean, group or exact."})
    role_decay: float = field(default=0.95, metadata={"help": "Decay of the moving averages of role and shared."})
    group_size: int = field(default=8, metadata={"help": "Games with the same cards and dice, for the group baseline."})
    reward: str = field(default="returns", metadata={"help": "returns, or a control of rewards.py, e.g. random."})
    gamma: float = field(default=1.0, metadata={"help": "Discount of the advantage for each later turn of the role."})
    batch: str = field(default="draw", metadata={"help": "draw turns_per_step, or keep_all: ~1.2x as many a pass too."})
    filter_zero_adv: bool = field(default=False, metadata={"help": "Turns whose advantage is 0 are drawn last."})
    on_collapse: str = field(default="warn", metadata={"help": "warn, stop, or roll_back to a checkpoint."})
    pool_every: int = field(default=5, metadata={"help": "Steps between past selves, where the opponent is a pool."})
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
    ddp_find_unused_parameters: bool | None = False  # a dense model uses every weight; one with experts needs True
    bf16: bool | None = None  # where the GPU has it
    use_cpu: bool = False  # where there is no GPU it is used anyway
    report_to: str = "none"
    disable_tqdm: bool = True
    save_total_limit: int | None = 2
    ignore_data_skip: bool = True  # the rows of the dataset are empty

    def __post_init__(self) -> None:
        self._refuse_nonsense()
        settle(self)
        self.max_steps = self.steps * self.num_iterations
        self.logging_steps = self.num_iterations  # one row a self-play step
        self.save_strategy = "steps" if self.save_every else "no"
        self.save_steps = max(1, self.save_every) * self.num_iterations  # where no batch is half used: exact resume
        super().__post_init__()

    def _refuse_nonsense(self) -> None:
        for name, example in (
            ("steps", 20),
            ("turns_per_step", 128),
            ("max_completion_length", 96),
            ("num_iterations", 2),
            ("slots", 64),
            ("group_size", 8),
            ("pool_every", 5),
        ):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise ValueError(f"{name}={value!r}: it must be a whole number, e.g. {name}={example}")
            if value < 1:
                raise ValueError(f"{name}={value}: it must be at least 1, e.g. {name}={example}")
        if self.turns_per_step % 2:
            raise ValueError(f"turns_per_step={self.turns_per_step}: TRL needs an even number, e.g. 128")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: it must be positive, e.g. learning_rate=1e-6")
        if not self.temperature > 0:
            raise ValueError(
                f"temperature={self.temperature}: training samples; it must be positive, e.g. temperature=1.0"
            )
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma={self.gamma}: a discount lies in [0, 1], e.g. gamma=1.0")
        if self.batch not in BATCHES:
            raise ValueError(f"batch={self.batch!r} is unknown; choose draw (the published rule) or keep_all")
        if self.save_every < 0:
            raise ValueError(f"save_every={self.save_every}: 0 (only at the end) or more, e.g. save_every=5")
        if self.logged_games < 0:
            raise ValueError(f"logged_games={self.logged_games}: 0 (none) or more, e.g. logged_games=8")
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
        if self.baseline not in advantages.BASELINES:
            raise ValueError(f"baseline={self.baseline!r} is unknown; known: {', '.join(advantages.BASELINES)}")
        if self.reward not in rewards.REWARDS:
            raise ValueError(f"reward={self.reward!r} is unknown; known: {', '.join(rewards.REWARDS)}")
        if not 0 <= self.role_decay < 1:
            raise ValueError(f"role_decay={self.role_decay}: it must be in [0, 1), e.g. role_decay=0.95")
        if self.on_collapse not in ON_COLLAPSE:
            raise ValueError(f"on_collapse={self.on_collapse!r} is unknown; choose {', '.join(ON_COLLAPSE)}")
        if self.on_collapse == "roll_back" and not self.save_every:
            raise ValueError("on_collapse='roll_back' needs checkpoints to go back to, e.g. save_every=5")


def settle(config: Any) -> None:
    """What follows from `turns_per_step` and the machine, for every configuration of TRL's: forward passes of a step,
    device, precision. Raises ValueError if passes do not divide the turns."""
    config.per_device_train_batch_size = config.per_device_train_batch_size or config.turns_per_step
    if config.turns_per_step % config.per_device_train_batch_size:
        raise ValueError(
            f"turns_per_step={config.turns_per_step} is no multiple of per_device_train_batch_size="
            f"{config.per_device_train_batch_size}; e.g. 128 and 32"
        )
    config.gradient_accumulation_steps = config.turns_per_step // config.per_device_train_batch_size
    config.use_cpu = config.use_cpu or not torch.cuda.is_available()
    if config.bf16 is None:
        config.bf16 = not config.use_cpu and torch.cuda.is_bf16_supported()


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


def lora(rank: int) -> Any:
    """A LoRA adapter on every linear layer, for `SelfPlayTrainer(peft_config=...)`; SPIRAL's has rank 32 and a learning
    rate of 4e-5. Raises ImportError without peft, ValueError for a rank below 1."""
    if rank < 1:
        raise ValueError(f"rank={rank}: a LoRA adapter has rank 1 or more, e.g. 32")
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise ImportError('LoRA needs peft: pip install "spiral-lite[lora]"') from error
    return LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM")
