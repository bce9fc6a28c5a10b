"""The memory that a training run will take, by part, in one process; and a word on its time.

Certain are the weights, their gradients, AdamW's two moments, the other models, and room for one reply: a run that has
no room for them is refused. The engine's cache has as many slots as are set; should memory allow fewer, it takes what
is free when it first plays, and leaves nothing to learn with. What a forward-backward pass keeps is estimated, from a
few real turns (`trial.py`). Where all this does not fit, the estimate names settings that would. Time is right within
a factor of about 2 where a step is long against what happens once. On a CPU the cache takes memory only as it fills,
so the sum is too high there: by 28 % for the nano model (542 MiB for 423) and by 35 % for 27M random parameters.

Left out: sharding (FSDP, DeepSpeed), buffers of several processes, what libraries take for themselves.
Read `rollout/memory.py` and `trial.py` before this, `trainer/self_play.py` after.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch

from spiral_lite import packing
from spiral_lite.estimate.trial import Turns, learnt, measure, prompts_of, sample, seconds
from spiral_lite.rollout import memory

PROMPT_TOKENS = 160  # what the engine's memory is planned for; longer prompts are read too, if they fit
HEAD_COPIES = 4  # of the logits: themselves, their exponentials, and the gradients of both


@dataclass(frozen=True)
class Estimate:
    """Bytes of one process, by part. Print it.

    weights, reference, opponents: models that are there already; past_selves: those that a pool will hold, with their
    engines. one_slot: of the cache, with a single slot. playing: what the engine works with beside its cache; learning:
    what a pass over `turns` keeps; they are never there at once. seconds: of a self-play step, None if not measured.
    """

    turns: Turns
    weights: int
    reference: int
    opponents: int
    past_selves: int
    gradients: int
    optimizer: int
    cache: int
    one_slot: int
    playing: int
    learning: int
    available: int
    advice: str = ""
    seconds: float | None = None

    @property
    def certain(self) -> int:
        """Still to be taken, whatever the slots and the batch."""
        return self.past_selves + self.gradients + self.optimizer + self.one_slot

    @property
    def needed(self) -> int:
        """All that is still to be taken."""
        return self.certain - self.one_slot + self.cache + max(self.playing, self.learning)

    @property
    def total(self) -> int:
        return self.weights + self.reference + self.opponents + self.needed

    @property
    def fits(self) -> bool:
        return self.needed <= self.available

    def refuse(self) -> None:
        """Raises ValueError if not even the certain parts fit."""
        if self.certain > self.available:
            raise ValueError(
                f"training needs {_mib(self.certain)} beside the weights for gradients, optimizer and a single reply, "
                f"and {_mib(self.available)} are there; {self.advice}"
            )

    def __str__(self) -> str:
        turns = self.turns
        rows = [
            ("weights", self.weights),
            ("reference model, for beta", self.reference),
            ("models of opponents", self.opponents),
            ("past selves of the pool", self.past_selves),
            ("gradients", self.gradients),
            ("AdamW's two moments", self.optimizer),
            ("the engine's cache", self.cache),
            ("playing, at most", self.playing),
            (f"or learning from {turns.n} turns (*), about", self.learning),
            ("together, about", self.total),
            ("still to be taken", self.needed),
            ("free", self.available),
        ]
        lines = [f"{name:<42}{_mib(size):>12}" for name, size in rows if size]
        lines.append(
            f"(*) at once, of {turns.prompt_tokens:.0f} tokens read and {turns.reply_tokens:.0f} written; "
            f"{turns.computed:,.0f} tokens are computed"
        )
        if self.seconds is not None:
            lines.append(f"a step takes about {_seconds(self.seconds)}, within a factor of 2 or so")
        if not self.fits:
            lines.append(f"this may not fit; {self.advice}")
        return "\n".join(lines)


def estimate(trainer: Any) -> Estimate:
    """Of a SelfPlayTrainer, before it trains. Plays and learns from a few turns to see how fast that is, and leaves the
    model, its gradients and the random generators as they were. Raises ValueError if training cannot fit."""
    args = trainer.args
    n = learnt(args, args.per_device_train_batch_size)
    prompts = prompts_of(trainer)
    longest = plan(trainer, sample(n, prompts, [()] * len(prompts), args.max_completion_length, args.pack))
    longest.refuse()  # before anything is tried
    if args.use_vllm:
        return longest
    trial = measure(trainer)
    turns = sample(n, trial.prompts, trial.replies, trial.more, args.pack)
    return replace(plan(trainer, turns), seconds=seconds(args, turns, trial))


def plan(trainer: Any, turns: Turns, available: int | None = None) -> Estimate:
    """The sizes; `available`: bytes, what is free now unless given."""
    model, args = trainer.model, trainer.args
    gradients = size(p for p in model.parameters() if p.requires_grad)
    free = memory.free_memory(model.device) if available is None else available
    cache, playing = _engine(trainer, args.slots)
    past_selves = _past_selves(trainer)
    return Estimate(
        turns,
        weights=size(model.parameters()),
        reference=size(trainer.ref_model.parameters()) if trainer.ref_model is not None else 0,
        opponents=_opponents(trainer.opponent),
        past_selves=past_selves,
        gradients=gradients,
        optimizer=2 * gradients,
        cache=cache,
        one_slot=_engine(trainer, 1)[0],
        playing=playing,
        learning=learning(model, args, turns),
        available=free,
        advice=_advice(trainer, turns, free - 3 * gradients - past_selves),
    )


def size(parameters: Iterable[torch.Tensor]) -> int:
    """Bytes."""
    return sum(p.numel() * p.element_size() for p in parameters)


def learning(model: Any, args: Any, turns: Turns) -> int:
    """Bytes that a forward pass over the turns keeps for its backward pass.

    A layer keeps of each computed token: what goes into both norms, normalised and scaled (6 x hidden); queries,
    attention and its output (3 x query size); four states of the width of its MLP; and of each turn its own copy of
    the keys and values that it reads. With gradient checkpointing: the inputs of all layers, and one layer.
    """
    config = model.config.get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    queries = config.num_attention_heads * head
    keys = (getattr(config, "num_key_value_heads", None) or config.num_attention_heads) * head
    hidden, wide = config.hidden_size, config.intermediate_size
    narrow = 2 if args.bf16 or args.fp16 else model.dtype.itemsize  # of what matrix products read and give
    read = turns.n * (turns.prompt_tokens + turns.reply_tokens)
    layer = turns.computed * (4 * 6 * hidden + narrow * (3 * queries + 4 * wide)) + read * narrow * 2 * keys
    layers = config.num_hidden_layers
    kept = layers * turns.computed * 4 * hidden + layer if args.gradient_checkpointing else layers * layer
    logits = min(turns.n * turns.reply_tokens * config.vocab_size, packing.CHUNK)
    return int(kept + turns.computed * 4 * 4 * hidden + HEAD_COPIES * 4 * logits)


def _engine(trainer: Any, slots: int) -> tuple[int, int]:
    """(bytes of its cache, bytes it works with)."""
    if trainer.args.use_vllm:
        return 0, 0  # it has taken its own already, or runs elsewhere
    taken = memory.plan(trainer.model, slots, trainer.args.max_completion_length + PROMPT_TOKENS, memory.PREFIXES)
    return taken.replies + taken.prefixes, taken.working


def _advice(trainer: Any, turns: Turns, room: int) -> str:
    """The settings with which engine and pass would fit into `room` bytes: as many slots, then turns, as possible."""
    args, model = trainer.args, trainer.model
    batches = [n for n in range(turns.n, 0, -1) if args.turns_per_step % n == 0 and learnt(args, n) <= turns.n]
    slots = args.slots
    while slots:
        cache, playing = _engine(trainer, slots)
        for n in batches:
            several = learnt(args, n)
            part = Turns(several, turns.prompt_tokens, turns.reply_tokens, turns.computed * several / turns.n)
            if cache + max(playing, learning(model, args, part)) <= room:
                chosen = [f"slots={slots}"] * (slots < args.slots) + [f"per_device_train_batch_size={n}"] * (
                    several < turns.n
                )
                return f"this would: {', '.join(chosen)}"
        slots //= 2
    ways = [
        ("a LoRA adapter, e.g. --lora-rank 32", not hasattr(model, "peft_config")),
        ("bfloat16 weights, as the base of an adapter", model.dtype == torch.float32),
        ("gradient_checkpointing=True", not args.gradient_checkpointing),
        ("beta=0.0", trainer.ref_model is not None),
    ]
    return f"no slots and no batch would make it fit; try {', '.join(way for way, open_ in ways if open_)}"


def _opponents(opponent: Any) -> int:
    """Bytes of the model that a fixed opponent plays with."""
    model = getattr(getattr(opponent, "backend", None), "model", None)
    return 0 if model is None else size(model.parameters())


def _past_selves(trainer: Any) -> int:
    """Bytes of the models that a pool will hold: they are read in halves on a GPU, and each has an engine."""
    held, model = getattr(trainer.opponent, "held", 0), trainer.model
    numbers = sum(p.numel() for p in model.parameters())
    engine = memory.plan(model, 64, 256, memory.PREFIXES)
    return int(held * (numbers * (2 if model.device.type == "cuda" else 4) + engine.replies + engine.prefixes))


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _seconds(seconds: float) -> str:
    return (
        f"{seconds:.1g} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    )
