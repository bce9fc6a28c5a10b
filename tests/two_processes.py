"""What test_processes.py starts with `accelerate launch`: every process trains the same cases and writes what it saw.

Its arguments are a folder and the cases as JSON, {"name": [games, settings]}.
"""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from safetensors.torch import save_file
from transformers import TrainerCallback

from spiral_lite import games, models, packing
from spiral_lite.cli import main
from spiral_lite.trainer import SelfPlayTrainer, nano_config


class Seen(TrainerCallback):
    """What this process has at the first optimizer step, before it, and what it logs."""

    def __init__(self):
        self.gradient, self.first, self.logs = None, {}, []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        if state.global_step:
            return
        self.gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])
        trainer = self.trainer
        self.first = {
            "samples": [dataclasses.asdict(sample) for sample in trainer._samples],
            "outcomes": [[e.game, e.returns, e.seed] for e in trainer.episodes],
            "baseline": trainer.baseline.state_dict(),
        }

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs.append(dict(logs))


def train(played, settings, out, checkpoint=None):
    """The case's trainer, trained, and what it saw."""
    model, tokenizer = models.load("nano", "cpu")
    seen = Seen()
    config = nano_config(out, **settings)
    seen.trainer = SelfPlayTrainer(model, [games.make(name) for name in played], config, tokenizer, callbacks=[seen])
    seen.trainer.train(resume_from_checkpoint=checkpoint)
    return seen


def weights(model):
    """One name for all weights, to the last bit."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def cases(out, chosen):
    """Trains the cases and writes what this process saw of each."""
    for name, (played, settings) in chosen.items():
        seen = train(played, {"steps": 1} | settings, out / name)
        trainer = seen.trainer
        rank = trainer.accelerator.process_index
        record = {
            **seen.first,
            "processes": trainer.accelerator.num_processes,
            "backend": torch.distributed.get_backend(),
            "weights": weights(trainer.model),
            "last_baseline": trainer.baseline.state_dict(),
            "logs": seen.logs,
        }
        (out / f"{name}.{rank}.json").write_text(json.dumps(record))
        save_file({"gradient": seen.gradient}, out / f"{name}.{rank}.safetensors")


def resume(out):
    """Three steps, and the third once more from the checkpoint before it."""
    settings = {"steps": 3, "save_every": 2, "turns_per_step": 16}
    whole = train(["kuhn_poker"], settings, out / "whole").trainer
    resumed = train(["kuhn_poker"], settings, out / "resumed", str(out / "whole" / "checkpoint-2")).trainer
    record = {
        "steps": [whole.state.global_step, resumed.state.global_step],
        "weights": [weights(whole.model), weights(resumed.model)],
        "baseline": [whole.baseline.state_dict(), resumed.baseline.state_dict()],
    }
    (out / f"resume.{whole.accelerator.process_index}.json").write_text(json.dumps(record))


def parts(out):
    """The packed pass of a model in FSDP2's parts, wrapped by accelerate as on GPUs: its gradient, made whole."""
    rank = torch.distributed.get_rank()
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", reshard_after_forward=True
    )
    model, _ = models.load("nano", "cpu")
    packing.install(model)
    accelerator = SimpleNamespace(
        state=SimpleNamespace(fsdp_plugin=plugin), mixed_precision="no", is_main_process=rank == 0, device=model.device
    )
    model = fsdp2_prepare_model(accelerator, model)
    generator = torch.Generator().manual_seed(rank)
    ids = torch.randint(5, 60, (3, 12), generator=generator)
    scores = model(packed=packing.Packed(ids, torch.ones_like(ids), 6))
    scores.log_probs.sum().backward()
    gradient = torch.cat([p.grad.full_tensor().flatten() for p in model.parameters()])
    save_file({"gradient": gradient, "ids": ids}, out / f"parts.{rank}.safetensors")


def command_line(out):
    """`spiral-lite train`, and the same again, which must be refused; its results are what this process prints."""
    line = ["train", "--model", "nano", "--games", "kuhn_poker", "--turns-per-step", "16", "--out", str(out / "cli")]
    results = [main([*line, "--steps", "1", "--json"]), main([*line, "--steps", "1", "--json"])]
    rank = torch.distributed.get_rank()
    (out / f"cli.{rank}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    cases(folder, json.loads(sys.argv[2]))
    resume(folder)
    parts(folder)
    command_line(folder)
    torch.distributed.destroy_process_group()
