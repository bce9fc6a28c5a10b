"""What cannot work where each process holds only a part of the weights: refused before it deadlocks or plays nonsense.

DDP and ZeRO-2 leave the whole model in each process, and nothing here concerns them. ZeRO-3 and FSDP do not: their
parts come together only while TRL trains, and while it sends the weights to vLLM. Which way of launching is which:
`spiral_lite/launch/README.md`. Read `config.py` before.
"""

from __future__ import annotations

import os
from typing import Any

WHOLE = "launch with multi_gpu.yaml or zero2.yaml"


def kind(args: Any) -> str:
    """ "ZeRO-3" or "FSDP" where the weights are in parts, else ""."""
    if args.deepspeed_plugin is not None and args.deepspeed_plugin.zero_stage == 3:
        return "ZeRO-3"
    return "FSDP" if args.fsdp or os.environ.get("ACCELERATE_USE_FSDP") == "true" else ""


def refuse_parts(args: Any, pool: bool = False) -> None:
    """Raises ValueError for settings that need whole weights where there are only parts, with what to do instead."""
    parts = kind(args)
    if not parts:
        return
    if not args.use_vllm:
        raise ValueError(
            f"backend={args.backend!r} plays with the weights of its process, and {parts} leaves a part of them in "
            f"each: set use_vllm=True, or {WHOLE}"
        )
    if args.vllm_mode == "colocate" and args.vllm_enable_sleep_mode:
        raise ValueError(
            f"vllm_enable_sleep_mode=True sends the weights before each round of moves; with {parts} all processes "
            f"must take part, and each plays another number of rounds: set it to False, or {WHOLE}"
        )
    if args.pack and parts == "ZeRO-3":
        raise ValueError(f"pack=True reads the size of weights that ZeRO-3 has taken apart: set pack=False, or {WHOLE}")
    if pool:
        raise ValueError(f"a pool saves past selves from whole weights, and {parts} has only parts: {WHOLE}")
