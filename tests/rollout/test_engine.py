"""The engine writes what transformers writes, and each reply as if it were alone.

What is guaranteed: a reply depends on its prompt, its seed, its sampling and the weights. The rest of the batch enters
through rounding alone, so that replies are the same to the last token where rounding is too small to matter (float64
below), and in float32 wherever no uniform number falls within rounding of the boundary between two tokens.
"""

import dataclasses

import numpy as np
import pytest
import torch

from spiral_lite.players import Sampling
from spiral_lite.rollout.engine import Engine
from spiral_lite.rollout.sampling import uniforms
from spiral_lite.rollout.transformers_backend import TransformersBackend

FAMILIES = ("llama", "qwen2", "qwen3")
GREEDY = Sampling(temperature=0, max_new_tokens=24)
SHAPES = [Sampling(1, 1, 24), Sampling(0.6, 0.95, 24), Sampling(1.3, 0.5, 24), GREEDY]
DOUBLE = torch.float64


def ids(replies):
    return [reply.ids for reply in replies]


def is_empty(engine):
    return not engine._rows and not engine._waiting


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_replies_are_those_of_transformers(small_model, tokens, random_prompts, family, tied):
    model, asked = small_model(family, tie_word_embeddings=tied), random_prompts(30)
    mine = Engine(model, tokens, slots=8).generate(asked, GREEDY, range(30))
    theirs = TransformersBackend(model, tokens).generate(asked, GREEDY, range(30))
    assert ids(mine) == ids(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
    assert len(set(ids(mine))) > 20, "the replies differ, or there would be nothing to see"


def test_nano_replies_as_with_transformers(nano, game_prompts):
    model, tokenizer = nano
    asked = game_prompts(tokenizer)
    mine, theirs = (
        backend.generate(asked, GREEDY, [0] * len(asked))
        for backend in (Engine(model, tokenizer), TransformersBackend(model, tokenizer))
    )
    assert ids(mine) == ids(theirs)
    assert {tokenizer.eos_token_id} == {reply[-1] for reply in ids(mine)}, "they end by themselves"


@pytest.mark.parametrize("sampling", SHAPES, ids=lambda s: f"{s.temperature}-{s.top_p}")
@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_are_the_model_s(small_model, tokens, random_prompts, distributions, family, sampling):
    model, asked = small_model(family), random_prompts(12, seed=1)
    for prompt, reply in zip(asked, Engine(model, tokens, 8).generate(asked, sampling, range(12)), strict=True):
        logprobs = distributions(model, prompt, reply.ids, sampling)
        by_hand = logprobs.gather(1, torch.tensor(reply.ids)[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(reply.logprobs), by_hand, atol=1e-4, rtol=0)


def test_every_token_is_where_its_uniform_number_falls(nano, game_prompts, distributions):
    """The contract of sampling by hand: token t of a reply is the one whose interval holds number t of its seed."""
    model, tokenizer = nano
    asked = game_prompts(tokenizer)
    for seed, (prompt, reply) in enumerate(
        zip(asked, Engine(model, tokenizer).generate(asked, Sampling(), range(len(asked))), strict=True)
    ):
        upper = distributions(model, prompt, reply.ids, Sampling()).exp().cumsum(-1)
        numbers = uniforms(seed, len(reply.ids))
        for bounds, token, number in zip(upper, reply.ids, numbers, strict=True):
            assert (bounds[token - 1] if token else 0) - 1e-5 <= number <= bounds[token] + 1e-5


def alone(model, tokens, asked, settings):
    return [
        Engine(model, tokens, slots=1).generate([prompt], sampling, [seed])[0]
        for seed, (prompt, sampling) in enumerate(zip(asked, settings, strict=True))
    ]


def together(engine, asked, settings, order):
    """The same replies from one engine, submitted in another order; in the order of `asked`."""
    requests = {i: engine.submit(asked[i], settings[i], i) for i in order}
    return [engine.finish(requests[i]) for i in range(len(asked))]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reply_does_not_depend_on_its_companions(small_model, tokens, random_prompts, family):
    """Alone, or among 40 of mixed sampling in any order and any number of slots: the same to the last token."""
    model, asked = small_model(family, DOUBLE), random_prompts()
    settings = [dataclasses.replace(SHAPES[i % 4], max_new_tokens=4 + 5 * i % 17) for i in range(40)]
    expected = alone(model, tokens, asked, settings)
    for slots, order in (
        (2, range(40)),
        (7, range(39, -1, -1)),
        (40, range(40)),
        (64, np.random.RandomState(0).permutation(40)),
    ):
        replies = together(Engine(model, tokens, slots=slots), asked, settings, order)
        assert ids(replies) == ids(expected)
        for a, b in zip(replies, expected, strict=True):
            assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


@pytest.mark.parametrize("slots", [1, 7, 20])
def test_in_float32_rounding_alone_may_change_a_token(nano, game_prompts, distributions, slots):
    model, tokenizer = nano
    asked = game_prompts(tokenizer) * 2
    expected = Engine(model, tokenizer).generate(asked, Sampling(), range(20))
    replies = Engine(model, tokenizer, slots=slots).generate(asked, Sampling(), range(20))
    for seed, (prompt, a, b) in enumerate(zip(asked, replies, expected, strict=True)):
        at = next((i for i, pair in enumerate(zip(a.ids, b.ids)) if pair[0] != pair[1]), None)
        if at is None:
            assert a.ids == b.ids
        else:
            bounds = distributions(model, prompt, a.ids[: at + 1], Sampling())[at].exp().cumsum(-1)
            assert (bounds - uniforms(seed, at + 1)[at]).abs().min() < 1e-5
    assert sum(a.ids == b.ids for a, b in zip(replies, expected, strict=True)) >= 18


def test_bfloat16_replies_have_their_own_log_probabilities(nano, game_prompts, distributions):
    """Eight bits of a number: the model computes the same reply in another batch to about a twentieth of a nat."""
    model, tokenizer = nano
    model, asked = model.bfloat16(), game_prompts(tokenizer)
    replies = Engine(model, tokenizer).generate(asked, Sampling(), range(len(asked)))
    errors = []
    for prompt, reply in zip(asked, replies, strict=True):
        logprobs = distributions(model, prompt, reply.ids, Sampling())
        errors.append(logprobs.gather(1, torch.tensor(reply.ids)[:, None])[:, 0] - torch.tensor(reply.logprobs))
    assert torch.cat(errors).abs().mean() < 0.05
    assert torch.cat(errors).abs().max() < 0.5


@pytest.mark.parametrize("slots", [1, 4, 16])
def test_finished_rows_are_filled_again(small_model, tokens, random_prompts, slots):
    """As many steps as any schedule that leaves no row empty while turns wait, but for the fifth that it waits for."""
    model, asked = small_model(), random_prompts(30)
    settings = [Sampling(max_new_tokens=1 + 7 * i % 40, stop_tokens=(5, 6, 7, 8)) for i in range(30)]
    engine = Engine(model, tokens, slots=slots)
    replies = together(engine, asked, settings, range(30))
    lengths = [len(reply.ids) for reply in replies]
    assert [n <= s.max_new_tokens for n, s in zip(lengths, settings, strict=True)] == [True] * 30
    ideal = sum(lengths) / (slots - slots // 5) + max(lengths)
    assert engine._clock <= ideal, "decode steps"
    assert slots == 1 or engine._clock < 0.5 * sum(lengths)
    assert is_empty(engine)


def test_every_request_has_its_own_sampling(small_model, tokens, random_prompts):
    model, prompt = small_model(dtype=DOUBLE), random_prompts(3)[0]
    settings = [
        Sampling(max_new_tokens=30),
        Sampling(max_new_tokens=3),
        Sampling(max_new_tokens=30, stop_tokens=tuple(range(50, 57))),
        Sampling(max_new_tokens=30, top_p=1e-6),
        Sampling(max_new_tokens=30, temperature=0),
        Sampling(max_new_tokens=30, temperature=50.0),
    ]
    engine = Engine(model, tokens, slots=8)
    requests = [engine.submit(prompt, sampling, 11) for sampling in settings]
    free, short, stopped, nucleus, greedy, hot = (engine.finish(request).ids for request in requests)
    assert short == free[:3]
    end = next(i for i, token in enumerate(free) if 50 <= token < 57)
    assert stopped == free[: end + 1], "the stop token is the last"
    assert nucleus == greedy
    assert len({free, greedy, hot}) == 3


def test_the_end_token_always_ends(small_model, tokens, random_prompts):
    model = small_model()
    replies = Engine(model, tokens).generate(random_prompts(), Sampling(3.0, max_new_tokens=90), range(40))
    ended = [reply.ids for reply in replies if tokens.eos_token_id in reply.ids]
    assert len(ended) > 5
    assert {reply.index(tokens.eos_token_id) - len(reply) for reply in ended} == {-1}


@pytest.mark.parametrize("prompt", [[5], [5, 6]])
def test_the_shortest_prompts(small_model, tokens, prompt):
    model = small_model()
    mine = Engine(model, tokens).generate([prompt], GREEDY, [0])
    assert ids(mine) == ids(TransformersBackend(model, tokens).generate([prompt], GREEDY, [0]))


def test_a_prompt_and_reply_as_long_as_the_model_reads(small_model, tokens):
    model, prompt = small_model(), [5 + i % 80 for i in range(200)]
    sampling = Sampling(temperature=0, max_new_tokens=56)
    mine = Engine(model, tokens, slots=2, context=32).generate([prompt], sampling, [0])
    assert ids(mine) == ids(TransformersBackend(model, tokens).generate([prompt], sampling, [0]))


def test_cancelled_requests_leave_their_place(small_model, tokens, random_prompts):
    model, asked = small_model(dtype=DOUBLE), random_prompts(20)
    expected = Engine(model, tokens).generate(asked, GREEDY, range(20))
    engine = Engine(model, tokens, slots=4)
    requests = [engine.submit(prompt, GREEDY, i) for i, prompt in enumerate(asked)]
    for _ in range(5):
        engine.step()
    engine.cancel(requests[1:3] + requests[10:15])
    kept = [i for i in range(20) if i not in (1, 2, *range(10, 15))]
    assert [engine.finish(requests[i]).ids for i in kept] == [expected[i].ids for i in kept]
    assert is_empty(engine)
    with pytest.raises(RuntimeError, match="cancelled"):
        engine.finish(requests[1])
    engine.cancel(requests)
    assert requests[0].reply is not None, "finished ones are left alone"


def test_a_longer_request_makes_room_and_running_replies_go_on(small_model, tokens, random_prompts):
    model = small_model(dtype=DOUBLE)
    asked = [*random_prompts(10), [5 + i % 80 for i in range(150)], *random_prompts(5, seed=3)]
    settings = [Sampling(max_new_tokens=40)] * 10 + [Sampling(max_new_tokens=100)] + [Sampling(max_new_tokens=40)] * 5
    expected = alone(model, tokens, asked, settings)
    engine = Engine(model, tokens, slots=4, context=96)
    before = engine.cache.context
    requests = []
    for i, (prompt, sampling) in enumerate(zip(asked, settings, strict=True)):
        requests.append(engine.submit(prompt, sampling, i))
        engine.step()
    assert engine.cache.context > before
    assert [engine.finish(request).ids for request in requests] == ids(expected)


def test_windows_of_many_steps_read_late(small_model, tokens, random_prompts):
    """As on CUDA, where the state is read every few steps, one window late: rows that are done wait, and are cancelled,
    moved and filled again before anybody has looked."""
    model, asked = small_model(dtype=DOUBLE), random_prompts(30)
    settings = [dataclasses.replace(SHAPES[i % 4], max_new_tokens=1 + 7 * i % 40) for i in range(30)]
    expected = ids(
        Engine(model, tokens, slots=1).generate([p], s, [i])[0] for i, (p, s) in enumerate(zip(asked, settings))
    )
    for slots in (3, 24):
        engine = Engine(model, tokens, slots=slots)
        engine.window = 8
        assert ids(together(engine, asked, settings, range(30))) == expected
        dropped = [engine.submit(prompt, Sampling(max_new_tokens=12), 99) for prompt in asked]
        for _ in range(2):
            engine.step()
        unread = [request for request in dropped if request.reply is None]
        engine.cancel(dropped)
        assert is_empty(engine)
        assert ids(together(engine, asked, settings, range(29, -1, -1))) == expected
        assert is_empty(engine)
        assert not any(request.reply for request in unread), "cancelled is cancelled"


def test_the_model_and_the_generators_are_as_before(small_model, tokens, random_prompts):
    """Dropout is off while the engine writes, however the model was set."""
    model = small_model(attention_dropout=0.5).train()
    model.set_attn_implementation("eager")
    defaults = model.generation_config
    defaults.update(top_k=2, repetition_penalty=1.5)
    model.activation_checkpointing_enable()
    torch.manual_seed(3)
    np.random.seed(3)
    before = (
        torch.get_rng_state(),
        np.random.get_state()[1].tolist(),
        {n: p.clone() for n, p in model.named_parameters()},
    )
    replies = Engine(model, tokens).generate(random_prompts(), Sampling(max_new_tokens=8), range(40))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert all(torch.equal(p, before[2][n]) and p.grad is None for n, p in model.named_parameters())
    assert all(module.training for module in model.modules())
    assert model.config._attn_implementation == "eager"
    assert model.generation_config is defaults
    assert ids(replies) == ids(
        Engine(small_model(), tokens).generate(random_prompts(), Sampling(max_new_tokens=8), range(40))
    )


def test_refusals_teach(small_model, tokens):
    model = small_model()
    with pytest.raises(ValueError, match="slots=0: at least one reply must be in flight"):
        Engine(model, tokens, slots=0)
    engine = Engine(model, tokens)
    for prompt, sampling, message in (
        ([], Sampling(), "the prompt is empty"),
        ([5] * 250, Sampling(max_new_tokens=20), "250 prompt tokens .* the longest reply that fits: 6"),
        ([5] * 300, Sampling(), "the longest reply that fits: 0"),
        ([5], Sampling(stop_tokens=tuple(range(8))), "8 stop tokens: the engine takes 7"),
    ):
        with pytest.raises(ValueError, match=message):
            engine.generate([[5, 6], prompt], sampling, [0, 1])
        assert is_empty(engine), "nothing of a refused batch stays"
    with pytest.raises(ValueError, match="zip"):
        engine.generate([[5, 6], [7]], Sampling(), [0])
    assert is_empty(engine)
    assert len(engine.generate([[5]], Sampling(stop_tokens=tuple(range(7))), [0])) == 1
