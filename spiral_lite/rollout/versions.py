"""Has a model been trained since? What was computed with weights is only good for these."""

from __future__ import annotations

from typing import Any

import torch


def counters(model: Any) -> tuple[tuple[int, int], ...]:
    """(address, torch's count of changes in place) of each parameter: quick, and blind to `param.data`."""
    return tuple((p.data_ptr(), p._version) for p in model.parameters())


def checksums(model: Any) -> list[int]:
    """One number a parameter, from all its bits and the order of its rows: weights can also be changed behind torch's
    version counters (`param.data`, as DeepSpeed and FSDP do)."""
    sums = [_checksum(p.detach()) for p in model.parameters()]
    return torch.stack(sums).tolist() if sums else []


def _checksum(weights: torch.Tensor) -> torch.Tensor:
    """The sum of the rows, each an odd multiple of the sum of its words of 8 bytes: quick, and nothing is copied."""
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    whole = weights.is_contiguous() and weights.dim() and weights.shape[-1] * weights.element_size() % 8 == 0
    words = weights.view(torch.int64 if whole else integers[weights.element_size()])
    rows = words.flatten() if words.dim() < 2 else words.sum(-1).flatten()
    return (rows * torch.arange(1, 2 * len(rows), 2, device=rows.device)).sum()
