"""bfloat16 weights on a CPU that cannot multiply bfloat16: multiply in float32, layer by layer.

Without the instructions (avx512_bf16, AMX) a bfloat16 matrix product is emulated, several times slower than float32. A
layer's weights are widened when they are needed and forgotten at once, so that nothing is held twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

FEW = 16  # fewer rows than these are bound by reading the weights, which are half as long in bfloat16
CHUNK = 8192  # output features widened at a time: of a vocabulary, what stays in the processor's cache


def suited(model: Any) -> AbstractContextManager[Any]:
    """What to compute the model in: WidenedLinear, where it is faster, or nothing special."""
    emulated = model.device.type == "cpu" and model.dtype == torch.bfloat16 and not multiplies_bfloat16()
    return WidenedLinear() if emulated else nullcontext()


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for it; True where that is not known."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(known.get("architecture") != "x86_64" or known.get("avx512_bf16") or known.get("amx_bf16"))


class WidenedLinear(TorchFunctionMode):
    """While it is on, linear layers in bfloat16 multiply and add in float32 and round once, at the end."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.linear and not kwargs and args[0].dtype == args[1].dtype == torch.bfloat16:
            rows = args[0].numel() // args[0].shape[-1]
            if rows >= FEW:
                return _linear(*args)
        return func(*args, **(kwargs or {}))


def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x: [..., I]; weight: [O, I]; bias: [O]. Returns [..., O] in bfloat16."""
    wide = x.reshape(-1, x.shape[-1]).float()
    out = wide.new_empty(wide.shape[0], weight.shape[0])
    for begin in range(0, weight.shape[0], CHUNK):
        some = slice(begin, begin + CHUNK)
        torch.mm(wide, weight[some].float().t(), out=out[:, some])
    if bias is not None:
        out += bias.float()
    return out.to(x.dtype).view(*x.shape[:-1], -1)
