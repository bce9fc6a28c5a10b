"""The engine on a CUDA device: captured graphs are replayed, the numbers are those of the CPU, memory is as planned."""

import pytest
import torch

from spiral_lite import models
from spiral_lite.players import Sampling
from spiral_lite.rollout.engine import Engine
from spiral_lite.rollout.transformers_backend import TransformersBackend

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
GREEDY, PLAIN, SHAPED = Sampling(0, 1, 48), Sampling(1, 1, 48), Sampling(0.6, 0.95, 48)
LIBRARIES = 96 << 20  # what cuBLAS takes for itself, once for eager steps and once while a graph is captured


def ids(replies):
    return [reply.ids for reply in replies]


def replayed(engine):
    return [key for key, graph in engine._graphs.items() if graph is not None]


def share_of_equal(a, b):
    return sum(x == y for x, y in zip(ids(a), ids(b), strict=True)) / len(a)


@pytest.fixture
def on_gpu():
    return models.load("nano", device="cuda")


def test_replayed_graphs_give_the_greedy_replies_of_the_cpu(nano, on_gpu, game_prompts):
    asked = game_prompts(nano[1]) * 4
    expected = Engine(*nano).generate(asked, GREEDY, range(40))
    for slots in (64, 16):  # all at once; and rows that are filled again and moved
        engine = Engine(*on_gpu, slots=slots)
        assert ids(engine.generate(asked, GREEDY, range(40))) == ids(expected)
        assert replayed(engine), "steps were captured"
        graphs = dict(engine._graphs)
        assert ids(engine.generate(asked, GREEDY, range(40))) == ids(expected)
        assert all(engine._graphs[key] is graph for key, graph in graphs.items() if graph is not None)


def test_replays_draw_what_the_cpu_draws(nano, on_gpu, game_prompts):
    """Up to rounding: the uniform numbers are the same on every device."""
    asked = game_prompts(nano[1]) * 8
    for sampling in (PLAIN, SHAPED):
        expected = Engine(*nano).generate(asked, sampling, range(80))
        engine = Engine(*on_gpu, slots=32)
        assert share_of_equal(engine.generate(asked, sampling, range(80)), expected) > 0.9
        assert share_of_equal(engine.generate(asked, sampling, range(80)), expected) > 0.9
        assert replayed(engine)


def test_greedy_replies_are_those_of_transformers(on_gpu, game_prompts):
    asked = game_prompts(on_gpu[1])
    expected = TransformersBackend(*on_gpu).generate(asked, GREEDY, range(10))
    assert ids(Engine(*on_gpu).generate(asked, GREEDY, range(10))) == ids(expected)


def test_bfloat16_log_probabilities(on_gpu, game_prompts, distributions):
    """Against the same weights without a cache or a graph: about a twentieth of a nat."""
    model, tokenizer = on_gpu
    model, asked = model.bfloat16(), game_prompts(tokenizer) * 4
    engine, errors = Engine(model, tokenizer), []
    engine.generate(asked, PLAIN, range(100, 140))  # captures
    for prompt, reply in zip(asked, engine.generate(asked, PLAIN, range(40)), strict=True):
        logprobs = distributions(model, prompt, reply.ids, PLAIN).cpu()
        errors.append(logprobs.gather(1, torch.tensor(reply.ids)[:, None])[:, 0] - torch.tensor(reply.logprobs))
    assert replayed(engine)
    assert torch.cat(errors).abs().mean() < 0.05
    assert torch.cat(errors).abs().max() < 0.5


@pytest.mark.parametrize("words", [1, 60])
def test_a_token_without_probability_is_never_drawn(words):
    """The device adds probabilities up in pieces; where it adds nothing, no rounding may make room for a draw."""
    from spiral_lite.rollout.sampling import draw

    logits = torch.full((256, 50_000), float("-inf"), device="cuda")
    spots = torch.randint(50_000, (256, words), generator=torch.Generator().manual_seed(0)).cuda()
    logits.scatter_(1, spots, torch.randn(256, words, generator=torch.Generator().manual_seed(1)).cuda())
    for i in range(200):
        token, logprob = draw(
            logits, None, None, torch.rand(256, generator=torch.Generator().manual_seed(i)).cuda() * 0.999
        )
        assert torch.isfinite(logprob).all()
        assert torch.isfinite(logits.gather(1, token[:, None])).all()


def test_graphs_see_trained_weights_and_forget_those_that_moved(on_gpu, game_prompts):
    model, tokenizer = on_gpu
    asked = game_prompts(tokenizer) * 4
    engine = Engine(model, tokenizer, slots=16)
    for _ in range(2):
        before = engine.generate(asked, GREEDY, range(40))
    graphs = replayed(engine)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + 0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)).cuda())
    after = engine.generate(asked, GREEDY, range(40))
    assert set(graphs) <= set(replayed(engine)), "in place: the graphs stay"
    assert share_of_equal(after, Engine(model, tokenizer, slots=16).generate(asked, GREEDY, range(40))) > 0.9
    assert share_of_equal(after, before) < 0.5
    for _ in range(3):
        for p in model.parameters():
            p.data = p.data * 0.9
        for _ in range(2):  # forgets all graphs, and captures anew
            moved = engine.generate(asked, GREEDY, range(40))
        assert replayed(engine)
        assert share_of_equal(moved, Engine(model, tokenizer, slots=16).generate(asked, GREEDY, range(40))) > 0.9


def test_memory_is_as_planned_and_addresses_stay(on_gpu, game_prompts):
    model, tokenizer = on_gpu
    asked = game_prompts(tokenizer) * 20
    TransformersBackend(model, tokenizer).generate(asked[:4], PLAIN, range(4))  # what the libraries take for themselves
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    engine = Engine(model, tokenizer, slots=64)
    tensors = [block for layer in engine.cache.layers for block in layer.blocks]
    tensors += [x for x in vars(engine.state).values() if isinstance(x, torch.Tensor)]
    addresses = [x.data_ptr() for x in tensors]
    for sampling in (PLAIN, SHAPED, PLAIN, SHAPED):
        engine.generate(asked, sampling, range(200))
    assert len(replayed(engine)) >= 4
    assert len({engine._graphs[key].pool() for key in replayed(engine)}) == 1, "graphs share what they work in"
    assert torch.cuda.max_memory_allocated() - before <= engine.memory().total + LIBRARIES
    assert [x.data_ptr() for x in tensors] == addresses


def test_a_longer_request_makes_new_graphs(on_gpu, game_prompts):
    model, tokenizer = on_gpu
    asked = game_prompts(tokenizer)
    engine = Engine(model, tokenizer, slots=8)
    expected = ids(engine.generate(asked, GREEDY, range(10)))
    context = engine.cache.context
    engine.generate([(asked[0] * 20)[:600]], Sampling(0, 1, 64), [0])
    assert engine.cache.context > context
    for _ in range(2):
        assert ids(engine.generate(asked, GREEDY, range(10))) == expected


def test_a_cancelled_window_leaves_nothing(on_gpu, game_prompts):
    """Replies are read back one window late: what was cancelled meanwhile must not come back in another's row."""
    model, tokenizer = on_gpu
    asked = game_prompts(tokenizer)
    expected = Engine(model, tokenizer).generate(asked, GREEDY, range(10))
    engine = Engine(model, tokenizer, slots=8)
    for steps in (1, 2, 3):
        requests = [engine.submit(prompt, PLAIN, seed) for seed, prompt in enumerate(asked)]
        for _ in range(steps):
            engine.step()
        engine.cancel(requests)
        assert not engine._rows
        assert not engine._waiting
        assert ids(engine.generate(asked, GREEDY, range(10))) == ids(expected)
