"""What must be set before torch is imported, and which device to use. Imported first by the CLI and the notebooks."""

from __future__ import annotations

import os
import warnings

DEFAULTS = {
    "OMP_WAIT_POLICY": "PASSIVE",  # two threads that spin on two shared cores are 15 times slower than two that sleep
    "TOKENIZERS_PARALLELISM": "false",  # its threads do not survive a fork, and warn
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRL_EXPERIMENTAL_SILENCE": "1",  # `rollout_func` is marked experimental; we pin TRL instead
    "TRANSFORMERS_VERBOSITY": "error",
}


def prepare() -> None:
    """Sets the environment variables that are not set yet. Call it before torch is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for noise in ("pin_memory.*no accelerator", "gradient_checkpointing"):  # that a reader can do nothing about
        warnings.filterwarnings("ignore", message=f".*{noise}.*")


def device() -> str:
    """ "cuda" where there is a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
