"""Where models come from: "nano" (ships in `data/`), a folder, a training run, or an id on the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from spiral_lite import checkpoints

ADAPTER = "adapter_config.json"  # of peft
NANO = Path(__file__).resolve().parent.parent / "data" / "nano"


def locate(name: str) -> str:
    """The folder or Hub id of a model. A training run's folder stands for its last good checkpoint if it has no final
    model.

    Raises ValueError with the names that are possible if a folder holds no model, or one that is not what was saved.
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
    if (folder / checkpoints.MANIFEST).exists():
        checkpoints.verify(folder)
    if (folder / "config.json").exists() or (folder / ADAPTER).exists():
        return name
    if checkpoints.saved(folder):
        return str(checkpoints.last_good(folder))
    raise ValueError(
        f"no model at {name!r}; give nano, a folder with config.json, a training run, or a Hub id (owner/model)"
    )


def weights_hash(name: str = "nano") -> str:
    """SHA-256 of a model's weights in a folder: a result says with it which base model it is of."""
    return hashlib.sha256((Path(locate(name)) / "model.safetensors").read_bytes()).hexdigest()


def load(name: str, device: str | None = None, dtype: str = "float32") -> tuple[Any, Any]:
    """(model, tokenizer) in evaluation mode; device: CUDA where there is a GPU. Raises ValueError if there is no model.

    A LoRA adapter comes merged into the model that it was trained on, which must still be where it was.
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
        if (Path(where) / ADAPTER).exists():
            model = _merged(where, getattr(torch, dtype)).to(device)
        else:
            model = AutoModelForCausalLM.from_pretrained(where, dtype=getattr(torch, dtype)).to(device)
    except OSError as error:
        raise ValueError(f"cannot load {name!r}: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    refuse_tokenizer(model, tokenizer)
    refuse_nan(model, f"the model {name!r}")
    return model.eval(), tokenizer


def _merged(folder: str, dtype: Any) -> Any:
    """The model of an adapter's folder. It has no name: its own weights stand in no folder as they are."""
    try:
        from peft import AutoPeftModelForCausalLM
    except ImportError as error:
        raise ImportError(f'{folder} holds a LoRA adapter: pip install "spiral-lite[lora]"') from error
    model = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=dtype).merge_and_unload()
    model.config._name_or_path = ""
    return model


def refuse_tokenizer(model: Any, tokenizer: Any) -> None:
    """Raises ValueError if a tokenizer is not one for this model: it writes tokens that the model does not know, or
    none that ends a reply."""
    highest, known = max(tokenizer.get_vocab().values()), model.get_input_embeddings().num_embeddings
    if highest >= known:
        raise ValueError(
            f"wrong tokenizer: its tokens go up to {highest}, and the model knows {known}, 0 to {known - 1}; "
            "load both from one folder, as models.load does"
        )
    if tokenizer.eos_token_id is None:
        raise ValueError(
            "wrong tokenizer: it has no end token, so no reply would ever end; set one that the model has learnt, "
            "e.g. tokenizer.eos_token = '<|endoftext|>'"
        )


def refuse_nan(model: Any, what: str) -> None:
    """Raises ValueError if a weight is NaN or infinite. what: the model in words, with which the message begins."""
    import torch

    for name, weight in model.named_parameters():
        if weight.is_floating_point() and weight.element_size() > 1 and not torch.isfinite(weight).all():
            bad = int((~torch.isfinite(weight)).sum())
            raise ValueError(
                f"{what} is broken: {bad} of the {weight.numel()} values of {name} are NaN or infinite. Go back to a "
                "model before it broke; a lower learning rate or max_grad_norm may keep the next one whole"
            )


def fingerprint(model: Any) -> dict[str, Any]:
    """By what a checkpoint knows its model again: configuration, names and shapes of its weights, and a hash of the
    first values of each weight that it began with; of the frozen ones where there are any, as a new adapter is random.
    """
    passing = ("transformers_version", "use_cache")
    config = {key: value for key, value in model.config.to_dict().items() if key[0] != "_" and key not in passing}
    config = json.loads(json.dumps(config, default=str))  # as a checkpoint gives it back
    weights = dict(model.named_parameters())
    base, frozen = hashlib.sha256(), {name: weight for name, weight in weights.items() if not weight.requires_grad}
    for name, weight in (frozen or weights).items():
        base.update(name.encode() + str(weight.detach().flatten()[:256].tolist()).encode())
    return {
        "config": config,
        "shapes": {name: list(weight.shape) for name, weight in weights.items()},
        "base": base.hexdigest(),
    }
