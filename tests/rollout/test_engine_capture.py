"""A decode step can be captured as a CUDA graph, as far as that shows on a CPU: it never asks the device anything, its
shapes are fixed, and what it reads and writes stays where it is. `test_engine_gpu.py` captures it."""

from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spiral_lite.players import Sampling
from spiral_lite.rollout.engine import Engine

GREEDY, PLAIN, SHAPED = Sampling(0, 1, 16), Sampling(1, 1, 16), Sampling(0.8, 0.9, 16)
EXTENT = (8, 64)  # rows, tokens of each

READS = {  # operators that read the device back, or whose output's shape depends on data
    "_local_scalar_dense": "item(), int(), bool(), if tensor",
    "is_nonzero": "bool()",
    "equal": "torch.equal",
    "allclose": "torch.allclose",
    "nonzero": "nonzero, where(condition)",
    "argwhere": "argwhere",
    "masked_select": "masked_select",
    "_unique": "unique",
    "_unique2": "unique",
    "unique_dim": "unique",
    "unique_consecutive": "unique_consecutive",
    "bincount": "bincount",
    "repeat_interleave": "repeat_interleave with a tensor",
}


class Watch(TorchDispatchMode):
    """Records every operator with the shapes of its outputs, and refuses those that cannot be captured."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        picked = args[1] if name in ("index", "index_put", "index_put_") else ()
        if name in READS or any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in picked):
            raise AssertionError(f"{name} cannot be captured ({READS.get(name, 'a mask as an index')})")
        out = func(*args, **(kwargs or {}))
        shapes = [(tuple(x.shape), x.dtype, x.nbytes) for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        self.seen[name, tuple(shapes)] += 1
        return out


def running(model, tokens, sampling=PLAIN, n=6, slots=8):
    """An engine with `n` replies in flight."""
    engine = Engine(model, tokens, slots=slots)
    engine.requests = [engine.submit([5, 6, 7 + i], sampling, i) for i in range(n)]
    engine.step()
    return engine


@contextmanager
def decoding(engine):
    with torch.no_grad(), engine._evaluating():
        yield


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_a_step_has_no_operator_that_reads_the_device(small_model, tokens, family, plain):
    engine = running(small_model(family), tokens, PLAIN if plain else SHAPED)
    with decoding(engine), Watch() as watch:
        engine._decode(*EXTENT, plain)
    names = {name for name, _ in watch.seen}
    assert {"searchsorted", "cumsum_", "index_copy_"} <= names, "the watch saw the step"
    assert ("sort" in names) is not plain


CAUGHT = [
    lambda x: x.sum().item(),
    lambda x: bool(x.any()),
    lambda x: int(x[0] > 0),
    lambda x: float(x[0]),
    lambda x: x if x.sum() > 0 else -x,
    lambda x: x[x > 0],
    lambda x: x.nonzero(),
    lambda x: torch.where(x > 0),
    lambda x: x.masked_select(x > 0),
    lambda x: x.unique(),
    lambda x: torch.unique_consecutive(x),
    lambda x: torch.equal(x, x + 1),
    lambda x: x.long().bincount(),
    lambda x: x.repeat_interleave(torch.ones(8, dtype=torch.long)),
    lambda x: x.index_put_((x > 0,), x.new_zeros(())),
    lambda x: x.__setitem__(x > 0, x[:1].expand(4)),
]


@pytest.mark.parametrize("function", CAUGHT)
def test_the_watch_catches_what_cannot_be_captured(function):
    with pytest.raises(AssertionError, match="cannot be captured"), Watch():
        function(torch.tensor([1.0, -1, 1, -1, 1, -1, 1, -1]))


@pytest.mark.parametrize("plain", [True, False])
def test_a_step_runs_where_there_is_nothing_to_read(small_model, tokens, plain):
    """On the meta device a tensor has a shape and no values, and reading one (`tolist`, too) is an error."""
    engine = Engine(small_model().to("meta"), tokens, slots=8)
    with decoding(engine):
        engine._decode(*EXTENT, plain)
    with pytest.raises(RuntimeError):
        engine.state.token.tolist()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_step_compiles_without_a_break(small_model, tokens, random_prompts, backend):
    model, asked = small_model(), random_prompts(12)
    torch.compiler.reset()
    for sampling in (PLAIN, SHAPED):
        expected = Engine(model, tokens, slots=8).generate(asked, sampling, range(12))
        engine = Engine(model, tokens, slots=8)
        steps = []
        compiled = torch.compile(engine._decode, fullgraph=True, backend=backend, dynamic=False)

        def decode(*extent, compiled=compiled, steps=steps):
            steps.append(extent)
            compiled(*extent)

        engine._decode = decode
        assert [r.ids for r in engine.generate(asked, sampling, range(12))] == [r.ids for r in expected]
        assert len(steps) > 16
    torch.compiler.reset()


def test_an_operator_that_reads_the_device_would_break_the_compilation(small_model, tokens):
    engine = running(small_model(), tokens)

    def reads(rows, length, plain):
        engine._decode(rows, length, plain)
        if engine.state.done.all():
            engine.state.token.zero_()

    with decoding(engine), pytest.raises(torch._dynamo.exc.TorchDynamoException):
        torch.compile(reads, fullgraph=True, backend="eager")(*EXTENT, True)
    torch.compiler.reset()


@pytest.mark.parametrize("sampling", [PLAIN, SHAPED])
def test_steps_of_one_extent_make_the_same_tensors(small_model, tokens, sampling):
    """The same operators with outputs of the same shapes, whether rows write, are done or are empty: nothing grows."""
    engine = running(small_model(), tokens, sampling)
    seen = []
    with decoding(engine):
        for done in (0, 0, 3, 8):
            engine.state.done[:done] = True
            with Watch() as watch:
                engine._decode(*EXTENT, sampling is PLAIN)
            seen.append(watch.seen)
    assert seen[1:] == seen[:-1]
    largest = max(nbytes for _, shapes in seen[0] for _, _, nbytes in shapes)
    block = engine.cache.layers[0].keys.nbytes
    assert largest == block, "the largest output is a block of the cache itself, written in place"


def addresses(engine):
    state = {name: x for name, x in vars(engine.state).items() if isinstance(x, torch.Tensor)}
    blocks = {f"{i}, {j}": block for i, layer in enumerate(engine.cache.layers) for j, block in enumerate(layer.blocks)}
    assert len(state) > 10
    assert len(blocks) == 8
    return {name: x.data_ptr() for name, x in (state | blocks).items()}


def test_every_tensor_keeps_its_address(small_model, tokens, random_prompts):
    """While replies finish, rows are filled again and moved, requests are cancelled and the weights are trained."""
    model = small_model()
    engine = Engine(model, tokens, slots=24)
    before, moved, move = addresses(engine), [], engine.state.move
    engine.state.move = lambda source, target: (moved.append(len(source)), move(source, target))
    for seed in range(3):
        settings = [Sampling(max_new_tokens=2 + 3 * i % 30, top_p=1 - i % 2 / 4) for i in range(40)]
        requests = [
            engine.submit(p, s, i) for i, (p, s) in enumerate(zip(random_prompts(40, seed), settings, strict=True))
        ]
        for _ in range(5):
            engine.step()
        engine.cancel(requests[3:6])
        for request in requests[:3] + requests[6:]:
            engine.finish(request)
            assert addresses(engine) == before
        with torch.no_grad():
            model.lm_head.weight.mul_(1.1)
    assert sum(moved) > 3
