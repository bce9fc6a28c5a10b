"""What must be set before torch is imported, and which device to use. Imported first by the CLI and the notebooks."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings

DEFAULTS = {
    "OMP_WAIT_POLICY": "PASSIVE",  # two threads that spin on two shared cores are 15 times slower than two that sleep
    "GOMP_SPINCOUNT": "2000",  # after some microseconds: waking for every small operation costs more
    "TOKENIZERS_PARALLELISM": "false",  # its threads do not survive a fork, and warn
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",  # no file of tensors is unpickled, whichever library reads it
    "TRL_EXPERIMENTAL_SILENCE": "1",  # `rollout_func` is marked experimental; we pin TRL instead
    "TRANSFORMERS_VERBOSITY": "error",
}


def prepare() -> None:
    """Sets the environment variables that are not set yet. Call it before torch is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    _keep_freed_memory()
    for noise in ("pin_memory.*no accelerator", "gradient_checkpointing"):  # that a reader can do nothing about
        warnings.filterwarnings("ignore", message=f".*{noise}.*")


def _keep_freed_memory() -> None:
    """Lets glibc keep freed blocks of up to 32 MiB for the next tensor of that size, instead of giving them back to the
    kernel and clearing every page anew."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3
        libc.mallopt(m_mmap_threshold, 32 << 20)
        libc.mallopt(m_trim_threshold, 1 << 30)


def first_process() -> bool:
    """Whether this is the process that speaks: the only one, or the first that `accelerate launch` started."""
    return os.environ.get("RANK", "0") == "0"


def device() -> str:
    """ "cuda" where there is a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
