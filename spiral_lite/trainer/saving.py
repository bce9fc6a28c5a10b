"""A GRPOTrainer whose checkpoints are whole: all that a run needs to go on bit for bit, in folders that are never half.

What transformers writes (weights as safetensors; optimizer, schedule and random states of every process as torch files
that it reads with `weights_only=True`; its state as JSON) is written aside, joined by ours (`self_play.json`: baseline,
past selves), and put in place by `checkpoints.py`, which also keeps settings, versions and the model's fingerprint.
`training_args.bin`, a pickle that nothing reads, is left out. What a run must not begin or go on with is refused before
it begins: weights with NaN, a tokenizer or a checkpoint of another model, a folder that does not match its manifest.
Read `checkpoints.py` before this, `self_play.py` after.
"""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from transformers.trainer import TRAINING_ARGS_NAME
from trl import GRPOTrainer

from spiral_lite import checkpoints, models

STATE = "self_play.json"
LIBRARIES = ("torch", "transformers", "trl", "accelerate", "spiral-lite")


class SavingTrainer(GRPOTrainer):
    """What a subclass adds to a checkpoint: `our_state()`, and `load_our_state(state)` to go on with it."""

    def __init__(self, model: Any, *, processing_class: Any, **kwargs: Any) -> None:
        self._saving_into: Path | None = None  # the hidden folder, while a checkpoint is written
        models.refuse_tokenizer(model, processing_class)
        super().__init__(model, processing_class=processing_class, **kwargs)
        self._fingerprint = models.fingerprint(self.model)  # before the first step, of the weights it begins with

    def our_state(self) -> dict[str, Any]:
        """As JSON."""
        return {}

    def load_our_state(self, state: dict[str, Any]) -> None:
        """From `our_state` of the run that is resumed."""

    @property
    def _run(self) -> Path:
        return Path(self.args.output_dir)

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """As TRL's. `resume_from_checkpoint=True` takes the last good checkpoint; one that is given must be good."""
        if self.args.should_save:
            checkpoints.sweep(self._run)
        if resume_from_checkpoint is True:
            resume_from_checkpoint = str(checkpoints.last_good(self._run))
        if resume_from_checkpoint:
            self._refuse_pickles()
            folder = Path(str(resume_from_checkpoint))
            checkpoints.refuse_other_model(folder, checkpoints.verify(folder), self._fingerprint)
        models.refuse_nan(self.model, "the model that training would begin with")
        self.accelerator.wait_for_everyone()
        with checkpoints.disk_full_is_said(self._run):
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _refuse_pickles(self) -> None:
        """Of what transformers reads when it resumes, all but this is read without unpickling."""
        sharded = self.is_fsdp_enabled and "SHARDED" in str(self.accelerator.state.fsdp_plugin.state_dict_type)
        if self.is_deepspeed_enabled or sharded:
            what = "sharded FSDP" if sharded else "DeepSpeed"
            raise ValueError(
                f"{what} unpickles its checkpoints, which could run anything, so they are not resumed: launch with "
                "multi_gpu.yaml, or with FSDP and fsdp_state_dict_type: FULL_STATE_DICT"
            )

    def _load_from_checkpoint(self, checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(checkpoint, model)
        models.refuse_nan(model or self.model, checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.load_our_state(json.loads((Path(checkpoint) / STATE).read_text()))

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving_into or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        target = self._run / f"checkpoint-{self.state.global_step}"
        models.refuse_nan(self.model, f"{target} is not written: the model")
        with checkpoints.disk_full_is_said(self._run, self._bytes()):
            try:
                self._write_checkpoint(model, trial, target)
            except Exception:
                if self.args.should_save:
                    checkpoints.sweep(self._run)  # on a full disk, what was begun fills it
                raise

    def _write_checkpoint(self, model: Any, trial: Any, target: Path) -> None:
        if self.args.should_save:
            checkpoints.begin(target)
        self.accelerator.wait_for_everyone()
        self._saving_into = target.parent / checkpoints.ASIDE
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._saving_into = None
        self.accelerator.wait_for_everyone()  # every process has written its random state
        if self.args.should_save:
            aside = target.parent / checkpoints.ASIDE / target.name
            self._refuse_missing_processes(aside)
            (aside / STATE).write_text(json.dumps(self.our_state()))
            checkpoints.finish(target, self._facts())
            checkpoints.keep(self._run, self.args.save_total_limit, target, self._sound())
        self.accelerator.wait_for_everyone()

    def _sound(self) -> int | None:
        """The last optimizer step to whose weights a callback may go back (`guard.py`); None where none does."""
        steps = [getattr(callback, "sound_step", None) for callback in self.callback_handler.callbacks]
        return min((step for step in steps if step is not None), default=None)

    def _refuse_missing_processes(self, aside: Path) -> None:
        found = len(list(aside.glob("rng_state*.pth")))
        if found < self.args.world_size and not self.args.save_on_each_node and not self.args.save_only_model:
            raise ValueError(
                f"{aside} has the random states of {found} of {self.args.world_size} processes: all of them must see "
                "the folder of the run; put it on a file system that the machines share"
            )

    def _facts(self) -> dict[str, Any]:
        versions = {name: metadata.version(name) for name in LIBRARIES}
        return {
            "step": int(self.state.global_step),
            "processes": self.args.world_size,
            "versions": {"python": platform.python_version()} | versions,
            "config": json.loads(json.dumps(self.args.to_dict(), default=str)),
            "model": self._fingerprint,
        }

    def _bytes(self) -> int:
        """Of a checkpoint, about: the weights, and two moments of each that learns."""
        return sum(p.numel() * p.element_size() * (3 if p.requires_grad else 1) for p in self.model.parameters())

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        (Path(output_dir or self.args.output_dir) / TRAINING_ARGS_NAME).unlink(missing_ok=True)  # a pickle

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As TRL's, each file at once, and never with NaN."""
        if self._saving_into is not None:  # a part of a checkpoint
            super().save_model(output_dir, _internal_call)
            return
        folder = Path(output_dir or self.args.output_dir)
        models.refuse_nan(self.model, f"{folder} gets no model: it")
        with checkpoints.disk_full_is_said(folder, self._bytes()):
            if self.args.should_save:
                checkpoints.begin(folder / "model")
            self.accelerator.wait_for_everyone()
            super().save_model(str(folder / checkpoints.ASIDE / "model"), _internal_call=True)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                checkpoints.finish_model(folder)
            self.accelerator.wait_for_everyone()
        if self.args.push_to_hub and not _internal_call:
            self.push_to_hub(commit_message="Model save", revision=self.args.hub_revision)
