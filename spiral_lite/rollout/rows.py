"""The rows of the engine: what each is to write, what a decode step knows of it, and the copy that is read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from spiral_lite.players import Generated, Sampling
from spiral_lite.rollout.sampling import uniforms

STOPS = 8  # tokens that may end a reply


@dataclass(eq=False)
class Request:
    """A reply to be written: `reply` is None until it is finished."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    reply: Generated | None = None
    row: int | None = None
    begun: int = 0  # the engine's clock when its first token was decoded


class State:
    """What a decode step reads and writes, one row a slot, at addresses that stay."""

    def __init__(self, slots: int, context: int, new_tokens: int, device: Any) -> None:
        def zeros(*shape: int, dtype: torch.dtype = torch.long) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self.device = device
        self.token, self.length, self.written, self.limit = zeros(slots), zeros(slots), zeros(slots), zeros(slots)
        self.temperature, self.top_p = zeros(slots, dtype=torch.float), zeros(slots, dtype=torch.float)
        self.done = torch.ones(slots, dtype=torch.bool, device=device)
        self.stops = zeros(slots, STOPS)
        self.uniforms = zeros(slots, new_tokens + 1, dtype=torch.float)
        self.ids = zeros(slots, new_tokens + 1)
        self.logprobs = zeros(slots, new_tokens + 1, dtype=torch.float)
        self.ruler = torch.arange(context, device=device)
        names = "token length written limit temperature top_p done stops uniforms ids logprobs"
        self._per_row = [getattr(self, name) for name in names.split()]

    def seat(self, requests: Sequence[Request], end: int) -> None:
        """Fills the rows of new requests, each column in one transfer."""
        n = len(requests)
        random = torch.zeros(n, self.uniforms.shape[1])
        stops = torch.full((n, STOPS), end)
        for i, request in enumerate(requests):
            sampling = request.sampling
            random[i, : sampling.max_new_tokens] = uniforms(request.seed, sampling.max_new_tokens)
            stops[i, : len(sampling.stop_tokens)] = torch.tensor(sampling.stop_tokens, dtype=torch.long)
        columns = {
            "token": torch.tensor([request.prompt_ids[-1] for request in requests]),
            "length": torch.tensor([len(request.prompt_ids) - 1 for request in requests]),
            "written": torch.zeros(n, dtype=torch.long),
            "limit": torch.tensor([request.sampling.max_new_tokens for request in requests]),
            "temperature": torch.tensor([float(request.sampling.temperature) for request in requests]),
            "top_p": torch.tensor([float(request.sampling.top_p) for request in requests]),
            "done": torch.zeros(n, dtype=torch.bool),
            "stops": stops,
            "uniforms": random,
        }
        rows = _to(torch.tensor([request.row for request in requests]), self.device)
        for name, values in columns.items():
            getattr(self, name).index_copy_(0, rows, _to(values, self.device))

    def move(self, source: Sequence[int], target: Sequence[int]) -> None:
        """Copies whole rows."""
        rows, places = (_to(torch.tensor(x, dtype=torch.long), self.device) for x in (source, target))
        for column in self._per_row:
            column.index_copy_(0, places, column.index_select(0, rows))


class Snapshot:
    """A copy of the state after a window. On CUDA it travels to pinned memory while the device goes on."""

    def __init__(self, state: State, requests: list[Request | None]) -> None:
        self.requests = requests
        columns = [x[: len(requests)] for x in (state.done, state.written, state.ids, state.logprobs)]
        self.event = None
        if state.device.type == "cuda":
            pinned = [torch.empty(x.shape, dtype=x.dtype, pin_memory=True) for x in columns]
            for host, x in zip(pinned, columns, strict=True):
                host.copy_(x, non_blocking=True)
            columns = pinned
            self.event = torch.cuda.Event()
            self.event.record()
        else:
            columns = [x.clone() for x in columns]
        self.done, self.written, self.ids, self.logprobs = columns

    def finished(self) -> Iterator[tuple[Request, Generated]]:
        """The rows that have ended, with what they wrote."""
        if self.event is not None:
            self.event.synchronize()
        for row in self.done.nonzero()[:, 0].tolist():
            request = self.requests[row]
            if request is not None:
                n = int(self.written[row])
                yield request, Generated(tuple(self.ids[row, :n].tolist()), tuple(self.logprobs[row, :n].tolist()))


def _to(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """To the device, without waiting for it."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values
