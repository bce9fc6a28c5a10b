"""The engine: batched generation for self-play on one device, with the training model's own weights.

Four ideas, each a few lines here and measured in `spiral-lite bench rollout`:
- static slots: every reply in flight has a row of a preallocated cache; a finished row is refilled at once from the
  turns that wait (continuous batching; Orca, OSDI 2022), so a batch never idles for its longest reply;
- prefix reuse: what prompts have begun with before, the rules or the game so far, is kept as a tree of tokens and
  computed once per version of the weights (RadixAttention, arXiv:2312.07104);
- one uniform number a token, from the reply's own seed (`sampling.py`);
- a decode step of fixed shapes that never asks the device anything: on CUDA it is captured as a graph and replayed.

A reply depends on its prompt, its seed and the weights, and on the rest of the batch only through rounding: matrix
products of another batch size may differ in the last bits. In float32 that changes a token only where its uniform
number lies within 1e-5 of a boundary (test); in bfloat16 more often. Read `attention.py`, `slots.py`, `rows.py` and
`sampling.py` before, `play.py` after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from spiral_lite.attention import NO_MASK, PrefixTree, TreePlan, attending, refuse_windows
from spiral_lite.players import Generated, Sampling
from spiral_lite.rollout.memory import PASS, PREFIXES, Memory, free_memory, most_slots, plan
from spiral_lite.rollout.precision import suited
from spiral_lite.rollout.rows import STOPS, Request, Snapshot, State
from spiral_lite.rollout.sampling import draw
from spiral_lite.rollout.slots import Shape, SlotCache
from spiral_lite.rollout.versions import checksums, counters

GRAIN = 16  # the context is read in steps of so many tokens, and grows by them
WINDOW = 8  # decode steps between two looks at a CUDA device


class Engine:
    """`Engine(model, tokenizer).generate(prompt_ids, Sampling(), seeds)`; or `submit` and `step` for a stream of turns.

    slots: replies in flight; context: tokens (prompt and reply) that a slot holds at first, more are made when a
    request needs them; prefix_tokens: tokens of shared prefixes that are kept; memory_limit: bytes that the engine may
    hold (default: what is free). Raises ValueError if the plan does not fit, with the largest that would.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        slots: int = 64,
        context: int = 256,
        prefix_tokens: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots={slots}: at least one reply must be in flight, e.g. slots=64")
        refuse_windows(model)
        self.model, self.tokenizer, self.slots, self.device = model, tokenizer, slots, model.device
        self.shape = Shape.of(model, model.dtype)
        self.longest = int(model.config.get_text_config().max_position_embeddings)
        self.prefix_tokens = prefix_tokens or PREFIXES
        self.memory_limit = memory_limit
        self.computed = self.reused = 0  # prompt tokens, since the engine was made
        self._waiting: deque[Request] = deque()
        self._rows: list[Request | None] = []  # row i writes for request i; None: finished, to be filled again
        self._clock = 0  # decode steps so far
        self._weights: tuple[Any, ...] = ()
        self._finite = True
        self._graphs: dict[tuple[int, int, bool], Any] = {}
        self.window = WINDOW if self.device.type == "cuda" else 1
        self._unread: Snapshot | None = None
        self._allocate(min(_up(context, GRAIN), _up(self.longest, GRAIN)), 128)

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]:
        """One reply a prompt, each drawn with its own seed."""
        requests: list[Request] = []
        try:
            for ids, seed in zip(prompt_ids, seeds, strict=True):
                requests.append(self.submit(ids, sampling, seed))
            return [self.finish(request) for request in requests]
        finally:
            self.cancel(requests)

    def finish(self, request: Request) -> Generated:
        """Steps until the request has its reply. Raises RuntimeError if it was cancelled."""
        while request.reply is None:
            if not self._rows and not self._waiting:
                raise RuntimeError("the request was cancelled, so it will have no reply; submit it again")
            self.step()
        return request.reply

    def submit(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int) -> Request:
        """Queues a reply, which `step` writes. Raises ValueError if prompt and reply are longer than the model can
        read, or than memory allows."""
        needed = len(prompt_ids) + sampling.max_new_tokens
        if not prompt_ids:
            raise ValueError("the prompt is empty; give at least one token")
        if needed > self.longest:
            raise ValueError(
                f"{len(prompt_ids)} prompt tokens and max_new_tokens={sampling.max_new_tokens} make {needed}, but the "
                f"model reads {self.longest}; the longest reply that fits: {max(0, self.longest - len(prompt_ids))}"
            )
        if len(sampling.stop_tokens) >= STOPS:
            raise ValueError(f"{len(sampling.stop_tokens)} stop tokens: the engine takes {STOPS - 1} and the end token")
        context, new_tokens = max(_up(needed, GRAIN), self.cache.context), max(sampling.max_new_tokens, self.new_tokens)
        if (context, new_tokens) != (self.cache.context, self.new_tokens):
            while self._rows:  # what is being written is finished where it stands
                self.step(admit=False)
            self._allocate(context, new_tokens)
        request = Request(tuple(prompt_ids), sampling, seed)
        self._waiting.append(request)
        return request

    def cancel(self, requests: Sequence[Request]) -> None:
        """Forgets requests that nobody waits for any more; finished ones are left alone."""
        gone = {id(request) for request in requests}
        self._waiting = deque(request for request in self._waiting if id(request) not in gone)
        for request in requests:
            self._free(request)

    @torch.inference_mode()  # as no_grad, and quicker for small operators
    def step(self, admit: bool = True) -> None:
        """Gives waiting turns to free rows, then decodes one token for every row (on CUDA WINDOW tokens, and the device
        works ahead while the caller steps games). Raises RuntimeError if the weights change under replies in flight."""
        with self._evaluating():
            self._forget_if_trained()
            if admit:
                self._admit()
            if not self._rows:
                return
            self._close_ranks()
            for _ in range(self.window):
                self._clock += 1
                self._decode_or_replay(*self._extent())
            self._collect()

    # Memory

    def memory(self, slots: int | None = None, context: int | None = None) -> Memory:
        """The plan for `slots` replies of `context` tokens (default: this engine's own)."""
        return plan(self.model, slots or self.slots, context or self.cache.context, self.prefix_tokens)

    def _allocate(self, context: int, new_tokens: int) -> None:
        """Takes the memory, or refuses; there are no rows in flight."""
        self.cache: SlotCache
        self.state: State
        needed, limit = self.memory(context=context), self.memory_limit
        now = self.memory() if hasattr(self, "cache") else None
        if limit is None:
            limit = free_memory(self.device) + (now.replies + now.prefixes if now else 0)
        if needed.total > limit:
            most = most_slots(self.model, self.slots, context, self.prefix_tokens, limit)
            raise ValueError(
                f"{self.slots} slots of {context} tokens need {needed.total / 2**20:,.0f} MiB beside the weights, and "
                f"{limit / 2**20:,.0f} MiB are there; "
                + (f"the largest that fits: slots={most}" if most else "not even one slot fits")
            )
        self._forget_graphs()
        if now:
            del self.cache, self.state  # before the new ones are made, or both would be held at once
        self.cache = SlotCache(self.shape, self.slots, context, needed.prefix_tokens, self.device)
        self.state = State(self.slots, context, new_tokens, self.device)
        self.new_tokens = new_tokens
        self._tree = PrefixTree()

    def _forget_graphs(self) -> None:
        """With their pool: what the last graph let go of may not be captured into again."""
        self._graphs.clear()
        self._pool = torch.cuda.graph_pool_handle() if self.device.type == "cuda" else None

    def _forget_if_trained(self) -> None:
        """Prefixes are only good for the weights that computed them."""
        cheap = counters(self.model)
        if self._rows and cheap != self._weights[0]:
            raise RuntimeError("the weights changed while replies were being written; finish or cancel them first")
        if not self._rows:
            weights = (cheap, checksums(self.model))
            if self._weights and weights != self._weights:
                self._tree = PrefixTree()
                if not self._finite:
                    self.cache.clear()  # NaN hurts even behind a mask
                if [address for address, _ in cheap] != [address for address, _ in self._weights[0]]:
                    self._forget_graphs()  # they would read the old weights, where these were
            if weights != self._weights:
                self._finite = all(bool(p.sum().isfinite()) for p in self.model.parameters())
            self._weights = weights

    # Prompts

    def _admit(self) -> None:
        """Reads the prompts of waiting turns into free rows, many at a time. A pass over them takes about as long as a
        decode step, in which `busy` rows would each have written a token: it is worth it when the waiting turns have
        lost as much. Where rows end in turn, after some twenty tokens, that is when a quarter as many wait."""
        while self._waiting:
            busy = sum(request is not None for request in self._rows)
            free = self.slots - busy
            if min(free, len(self._waiting)) < max(1, busy // 4):
                return
            paths: list[tuple[Request, list[int], int]] = []
            news = 0
            while self._waiting and len(paths) < free and news < PASS:
                prefix = self._waiting[0].prompt_ids[:-1]  # the last token is decoded: its output is the first word
                if len(self._tree) + len(prefix) - self._tree.known(prefix) > self.cache.prefixes:
                    if paths:
                        break
                    self._tree = PrefixTree()  # rows have copies, so nothing that is in use is lost
                path, new = self._tree.insert(prefix)
                paths.append((self._waiting.popleft(), path, new))
                news += new
            try:
                self._read([(path, new) for _, path, new in paths])
            except BaseException:  # an interrupt, say: the tree holds what was not computed
                self._tree = PrefixTree()
                self._waiting.extendleft(request for request, _, _ in reversed(paths))
                raise
            self._seat(paths)

    def _read(self, rows: Sequence[tuple[list[int], int]]) -> None:
        """One pass over all new nodes of the prefix tree."""
        self.computed += sum(new for _, new in rows)
        self.reused += sum(len(path) - new for path, new in rows)
        if not any(new for _, new in rows):
            return
        tree = TreePlan(rows, self.device)
        nodes = tree.nodes.tolist()
        tokens = torch.tensor([[self._tree.tokens[node] for node in nodes]], device=self.device)
        depths = torch.tensor([[self._tree.depths[node] for node in nodes]], device=self.device)
        self.cache.read(tree.nodes)
        self.model(
            input_ids=tokens,
            position_ids=depths,
            attention_mask=NO_MASK,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
            tree=tree,
        )

    def _seat(self, paths: Sequence[tuple[Request, list[int], int]]) -> None:
        """Gives each request a row with a copy of its prefix."""
        holes = [row for row, request in enumerate(self._rows) if request is None]
        slots: list[int] = []
        positions: list[int] = []
        nodes: list[int] = []
        for request, path, _ in paths:
            if holes:
                request.row = holes.pop(0)
                self._rows[request.row] = request
            else:
                request.row = len(self._rows)
                self._rows.append(request)
            request.begun = self._clock
            slots += [request.row] * len(path)
            positions += range(len(path))
            nodes += path
        self._extent()  # makes room
        self.cache.fill(*torch.tensor([slots, positions, nodes], dtype=torch.long, device=self.device))
        self.state.seat([request for request, _, _ in paths], self.tokenizer.eos_token_id)

    # Replies

    def _close_ranks(self) -> None:
        """Moves the last rows into holes, where that makes the batch smaller."""
        used = [row for row, request in enumerate(self._rows) if request is not None]
        if self._width(len(used)) == self._width(len(self._rows)):
            return
        movers, holes = [row for row in used if row >= len(used)], sorted(set(range(len(used))) - set(used))
        for row, hole in zip(movers, holes, strict=True):
            request = self._rows[row]
            assert request is not None
            self._rows[hole], request.row = request, hole
        del self._rows[len(used) :]
        self.cache.move(*torch.tensor([movers, holes], device=self.device))
        self.state.move(movers, holes)

    def _width(self, rows: int) -> int:
        """Rows that a step computes: few different sizes, as each is a graph on CUDA and a plan in oneDNN."""
        step = 8 if self.device.type == "cpu" else max(8, 1 << (max(1, rows) - 1).bit_length())
        return min(self.slots, _up(rows, step))

    def _length(self, row: int) -> int:
        """An upper bound of the tokens in a row, known without asking the device."""
        request = self._rows[row]
        if request is None:
            return 0
        return len(request.prompt_ids) + min(self._clock - request.begun, request.sampling.max_new_tokens)

    def _extent(self) -> tuple[int, int, bool]:
        """Of the next step: rows, tokens of each, and whether all draw at temperature 1 from the whole distribution."""
        length = _up(max(self._length(row) for row in range(len(self._rows))), GRAIN)
        plain = all((r.sampling.temperature, r.sampling.top_p) == (1, 1) for r in self._rows if r is not None)
        return self._width(len(self._rows)), self.cache.fit(len(self._rows), length), plain

    def _decode(self, rows: int, length: int, plain: bool) -> None:
        """One token for the first `rows` rows, which read `length` tokens each. Nothing here has a shape that depends
        on data, makes a tensor that lives on, or reads the device: it can be captured."""
        s = self.state
        position, written = s.length[:rows], s.written[:rows]
        self.cache.decode(position, length)
        hidden = s.ruler[:length] > position[:, None]
        bias = torch.zeros(rows, length, dtype=self.shape.dtype, device=self.device).masked_fill_(hidden, float("-inf"))
        output = self.model(
            input_ids=s.token[:rows, None],
            position_ids=position[:, None],
            attention_mask=bias[:, None, None],
            past_key_values=self.cache,
            use_cache=True,
            slots=True,
        )
        uniform = s.uniforms[:rows].gather(1, written[:, None])[:, 0]
        temperature, top_p = (None, None) if plain else (s.temperature[:rows], s.top_p[:rows])
        token, logprob = draw(output.logits[:, 0], temperature, top_p, uniform)
        s.ids[:rows].scatter_(1, written[:, None], token[:, None])  # a finished row writes behind its end
        s.logprobs[:rows].scatter_(1, written[:, None], logprob[:, None])
        writing = ~s.done[:rows]
        written += writing
        position += writing
        s.token[:rows].copy_(token)
        s.done[:rows] |= (token[:, None] == s.stops[:rows]).any(1) | (written >= s.limit[:rows])

    def _decode_or_replay(self, rows: int, length: int, plain: bool) -> None:
        """On CUDA a step of a new size runs as it is the first time, is captured the second, and replayed after."""
        if self.device.type != "cuda":
            self._decode(rows, length, plain)
            return
        key = (rows, length, plain)
        if key not in self._graphs:
            self._graphs[key] = None
            self._decode(rows, length, plain)
            return
        if self._graphs[key] is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):  # one pool: graphs run one after another
                self._decode(rows, length, plain)
            self._graphs[key] = graph
        self._graphs[key].replay()

    def _collect(self) -> None:
        """Hands out finished replies; after a window of many steps those of the one before, which has arrived while
        the device went on with this one."""
        fresh = Snapshot(self.state, list(self._rows))
        ready, self._unread = (self._unread, fresh) if self.window > 1 else (fresh, None)
        for request, reply in ready.finished() if ready else []:
            if request.row is not None:
                request.reply = reply
                self._free(request)

    def _free(self, request: Request) -> None:
        if request.row is not None:
            self._rows[request.row] = None
            request.row = None
        while self._rows and self._rows[-1] is None:
            self._rows.pop()

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """The model without dropout, attending as the engine needs; both are put back."""
        training = self.model.training
        if training:
            self.model.eval()
        try:
            with attending(self.model), suited(self.model):
                yield
        finally:
            if training:
                self.model.train()


def _up(n: int, step: int) -> int:
    """`n` rounded up to a multiple of `step`."""
    return -(-n // step) * step
