"""Where models come from: "nano" (ships in `data/`), a folder, a training run, or an id on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

COMPLETE = "baseline.json"
NANO = Path(__file__).resolve().parent.parent / "data" / "nano"


def locate(name: str) -> str:
    """The folder or Hub id of a model. A training run's folder stands for its last checkpoint if it has no final model.

    Raises ValueError with the names that are possible if a folder holds no model.
    """
    if name == "nano":
        if not (NANO / "model.safetensors").exists():
            raise ValueError(
                "the nano model is not beside the package: clone the repository, install with pip install -e ."
            )
        return str(NANO)
    folder = Path(name)
    if not folder.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith((".", "runs/")):
        return name  # owner/model on the Hub
    if (folder / "config.json").exists():
        return name
    saved = checkpoints(folder)
    if saved:
        return str(saved[-1])
    raise ValueError(
        f"no model at {name!r}; give nano, a folder with config.json, a training run, or a Hub id (owner/model)"
    )


def checkpoints(run: Path) -> list[Path]:
    """The complete checkpoints of a training run, oldest first: a checkpoint's last file is COMPLETE."""
    found = [path for path in run.glob("checkpoint-*") if (path / COMPLETE).exists()]
    return sorted(found, key=lambda path: int(path.name.split("-")[1]))


def load(name: str, device: str | None = None, dtype: str = "float32") -> tuple[Any, Any]:
    """(model, tokenizer) in evaluation mode; device: CUDA where there is a GPU. Raises ValueError if there is no model.

    Keep float32 weights for training, which mixes precision by itself: AdamW on bfloat16 weights loses small updates.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from spiral_lite import environment

    logging.disable_progress_bar()  # of reading and writing weights; downloads from the Hub still show theirs
    device = device or environment.device()
    where = locate(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(where, dtype=getattr(torch, dtype)).to(device)
    except OSError as error:
        raise ValueError(f"cannot load {name!r}: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer
