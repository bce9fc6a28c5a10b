"""What the engine remembers: shared prefixes, never of other weights, in memory that is planned beforehand."""

import gc
import random
import weakref

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from spiral_lite.players import Sampling
from spiral_lite.rollout import engine as engine_module
from spiral_lite.rollout.engine import Engine

GREEDY = Sampling(temperature=0, max_new_tokens=12)
DOUBLE = torch.float64
RULES = list(range(10, 40))


def ids(replies):
    return [reply.ids for reply in replies]


def counted(engine, asked, sampling=GREEDY):
    """(prompt tokens computed, prompt tokens reused) for these prompts."""
    before = engine.computed, engine.reused
    engine.generate(asked, sampling, range(len(asked)))
    return engine.computed - before[0], engine.reused - before[1]


# Prefix reuse: the last token of a prompt is decoded, so a prompt of n tokens has n - 1 to compute or reuse


def test_what_was_computed_is_not_computed_again(small_model, tokens):
    engine = Engine(small_model(), tokens)
    assert counted(engine, [[*RULES, 50]]) == (30, 0)
    assert counted(engine, [[*RULES, 50]]) == (0, 30)
    assert counted(engine, [[*RULES, 60, 61, 62]]) == (2, 30), "another position under the same rules"
    assert counted(engine, [[*RULES[:20], 60, 61]]) == (1, 20), "the rules change after 20 tokens"
    assert counted(engine, [[5, *RULES]]) == (30, 0), "the same words after another beginning"
    assert counted(engine, [[5]]) == (0, 0)


def test_prompts_of_one_batch_share(small_model, tokens):
    engine = Engine(small_model(), tokens)
    assert counted(engine, [[*RULES, 50]] * 20) == (30, 19 * 30)
    engine = Engine(small_model(), tokens)
    assert counted(engine, [[*RULES, 50, i, 60] for i in range(2, 12)]) == (30 + 1 + 10, 9 * 31)


def test_a_longer_history_reuses_the_former_prompt(small_model, tokens):
    """A game of five turns: every prompt begins with the one before."""
    engine, history, computed = Engine(small_model(), tokens), list(RULES), []
    for turn in range(5):
        computed.append(counted(engine, [history])[0])
        history += [60 + turn] * 4
    assert computed == [29, 4, 4, 4, 4]


def test_reused_prefixes_are_right(small_model, tokens, random_prompts):
    """Prompt by prompt, each on what those before have left: as each on an engine of its own."""
    model, engine = small_model("qwen3", DOUBLE), None
    engine = Engine(model, tokens, slots=4)
    for seed, prompt in enumerate(random_prompts(30)):
        fresh = Engine(model, tokens, slots=4).generate([prompt], GREEDY, [seed])
        assert engine.generate([prompt], GREEDY, [seed])[0].ids == fresh[0].ids
    assert engine.reused > engine.computed


@pytest.mark.parametrize("prefix_tokens", [1, 300])
def test_more_prefixes_than_there_is_memory_for(small_model, tokens, random_prompts, prefix_tokens):
    """The memory holds a context at least. Old prefixes make room; those of one prompt that comes again stay."""
    model, asked = small_model(dtype=DOUBLE), random_prompts(30)
    engine = Engine(model, tokens, slots=8, context=128, prefix_tokens=prefix_tokens)
    assert engine.cache.prefixes == max(prefix_tokens, engine.cache.context)
    expected = Engine(model, tokens).generate(asked * 2, GREEDY, range(60))
    assert ids(engine.generate(asked * 2, GREEDY, range(60))) == ids(expected)
    long = [5 + i % 80 for i in range(engine.cache.context - 20)]
    computed, _ = counted(engine, [long] * 20)
    assert computed <= len(long), "it fits, so it is computed once"


# Never of other weights


def by_an_optimizer(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model(torch.tensor([RULES]), labels=torch.tensor([RULES])).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def behind_the_counters(model):
    for p in model.parameters():
        p.data.copy_(p.data.flip(0) * 1.5)


def by_load_state_dict(model):
    model.load_state_dict({name: value.roll(1, 0) for name, value in model.state_dict().items()})


def with_new_tensors(model):
    for p in model.parameters():
        p.data = p.data * 0.5


def by_swapping_two_words(model):
    weights = model.get_input_embeddings().weight.data
    weights[[10, 11]] = weights[[11, 10]].clone()


def in_one_bit(model):
    weights = model.model.layers[0].self_attn.v_proj.weight.data.flatten()
    weights[3:4].view(torch.uint8)[0] ^= 1


def by_an_adapter(model):
    layer = model.model.layers[0].mlp
    layer.down_proj = torch.nn.Sequential(layer.down_proj, torch.nn.Linear(32, 32, dtype=model.dtype))


CHANGES = [
    by_an_optimizer,
    behind_the_counters,
    by_load_state_dict,
    with_new_tensors,
    by_swapping_two_words,
    by_an_adapter,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_after_the_weights_change_nothing_old_is_read(small_model, tokens, random_prompts, change):
    """The old prefixes and the old replies are overwritten with nonsense on top: nobody looks at them."""
    model, asked = small_model(dtype=DOUBLE), [[*RULES, 50 + i] for i in range(4)] + random_prompts(10)
    engine = Engine(model, tokens, slots=8)
    before = engine.generate(asked, GREEDY, range(14))
    change(model)
    for layer in engine.cache.layers:
        for block in layer.blocks:
            block.fill_(1e4)
    after = engine.generate(asked, GREEDY, range(14))
    assert ids(after) == ids(Engine(model, tokens).generate(asked, GREEDY, range(14)))
    assert ids(after) != ids(before)
    again, _ = counted(engine, asked)
    assert again == 0, "and what is new is kept"


def test_the_smallest_change_is_seen(small_model, tokens):
    model = small_model()
    engine = Engine(model, tokens)
    assert counted(engine, [RULES]) == (29, 0)
    assert counted(engine, [RULES]) == (0, 29)
    in_one_bit(model)
    assert counted(engine, [RULES]) == (29, 0)


def test_a_poisoned_prefix_would_show(small_model, tokens):
    """The test above can fail: with the same weights, what lies in the memory of prefixes is read."""
    model, asked = small_model(), [[*RULES, 50 + i] for i in range(4)]
    engine = Engine(model, tokens, slots=8)
    before = engine.generate(asked, GREEDY, range(4))
    for layer in engine.cache.layers:
        layer.prefix_values += 1.0
    assert ids(engine.generate(asked, GREEDY, range(4))) != ids(before)


def test_weights_that_are_not_finite_leave_nothing_behind(small_model, tokens, random_prompts):
    """A training run that diverged and went back to its checkpoint: NaN hurts even where it counts 0 times."""
    model, asked = small_model(), random_prompts(8)
    engine = Engine(model, tokens, slots=4)
    expected, weights = engine.generate(asked, GREEDY, range(8)), {k: v.clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        model.model.layers[0].self_attn.v_proj.weight.fill_(float("nan"))
    engine.generate(asked, GREEDY, range(8))
    model.load_state_dict(weights)
    assert ids(engine.generate(asked, GREEDY, range(8))) == ids(expected)


def test_weights_that_change_under_a_reply_are_refused(small_model, tokens, random_prompts):
    model, asked = small_model(dtype=DOUBLE), random_prompts(8)
    engine = Engine(model, tokens, slots=4)
    requests = [engine.submit(prompt, GREEDY, i) for i, prompt in enumerate(asked)]
    engine.step()
    by_an_optimizer(model)
    for _ in range(2):
        with pytest.raises(
            RuntimeError, match="the weights changed while replies were being written; finish or cancel"
        ):
            engine.step()
    engine.cancel(requests)
    assert not engine._rows
    assert not engine._waiting
    expected = Engine(model, tokens).generate(asked, GREEDY, range(8))
    assert ids(engine.generate(asked, GREEDY, range(8))) == ids(expected)


def test_weights_changed_behind_the_counters_are_seen_when_no_reply_is_in_flight(small_model, tokens, random_prompts):
    """A look at every weight before every token would cost more than the token."""
    model, asked = small_model(dtype=DOUBLE), random_prompts(4)
    engine = Engine(model, tokens, slots=4)
    requests = [engine.submit(prompt, GREEDY, i) for i, prompt in enumerate(asked)]
    engine.step()
    behind_the_counters(model)
    for request in requests:
        engine.finish(request)
    expected = Engine(model, tokens).generate(asked, GREEDY, range(4))
    assert ids(engine.generate(asked, GREEDY, range(4))) == ids(expected)


@pytest.mark.parametrize("layer", [0, 1])
def test_an_interrupt_leaves_no_prefix_that_was_not_computed(small_model, tokens, random_prompts, layer):
    model, asked = small_model(), random_prompts(8)
    expected = Engine(model, tokens).generate(asked, GREEDY, range(8))
    for interrupted_pass in (0, 1, 5):
        engine, passes = Engine(model, tokens, slots=4), iter(range(100))

        def interrupt(*_, passes=passes, at=interrupted_pass):
            if next(passes) == at:
                raise KeyboardInterrupt

        hook = model.model.layers[layer].register_forward_pre_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.generate(asked, GREEDY, range(8))
        hook.remove()
        assert not engine._rows
        assert not engine._waiting
        assert model.config._attn_implementation == "sdpa"
        assert ids(engine.generate(asked, GREEDY, range(8))) == ids(expected)


def test_graphs_of_weights_that_have_moved_are_forgotten(small_model, tokens):
    """A CUDA graph reads where the weights were: new values there are welcome, new tensors are not."""
    model = small_model()
    engine = Engine(model, tokens)
    engine.generate([RULES], GREEDY, [0])
    engine._graphs[8, 32, False] = object()
    for change, kept in ((by_an_optimizer, 1), (behind_the_counters, 1), (with_new_tensors, 0)):
        change(model)
        engine.generate([RULES], GREEDY, [0])
        assert len(engine._graphs) == kept


# Planned beforehand


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_the_plan_is_what_the_cache_takes(small_model, tokens, family, dtype):
    engine = Engine(small_model(family, dtype), tokens, slots=5, context=100)
    for _ in range(2):
        blocks = [block for layer in engine.cache.layers for block in layer.blocks]
        plan = engine.memory()
        assert sum(block.nbytes for block in blocks) == plan.replies + plan.prefixes
        assert len(blocks) == 8
        assert str(plan).count("MiB") == 4
        assert f"{plan.slots} slots of {plan.context} tokens" in str(plan)
        engine.generate([[5] * 150], Sampling(max_new_tokens=100), [0])  # makes room, and the plan says so
    assert engine.memory().context >= 250


def test_the_plan_of_other_slots_is_that_of_such_an_engine(small_model, tokens):
    model = small_model()
    assert Engine(model, tokens, slots=4).memory(slots=99) == Engine(model, tokens, slots=99).memory()


@pytest.mark.parametrize("prefix_tokens", [None, 500])
@pytest.mark.parametrize("mebibytes", [20, 45])
def test_what_does_not_fit_is_refused_with_the_largest_that_does(small_model, tokens, mebibytes, prefix_tokens):
    model, limit = small_model(), mebibytes << 20
    options = {"memory_limit": limit, "prefix_tokens": prefix_tokens, "context": 64}
    with pytest.raises(
        ValueError, match=r"10000 slots of 64 tokens need .* MiB .*; the largest that fits: slots=\d+"
    ) as e:
        Engine(model, tokens, slots=10_000, **options)
    fits = int(str(e.value).rpartition("=")[2])
    assert Engine(model, tokens, slots=fits, **options).memory().total <= limit
    with pytest.raises(ValueError, match=f"slots={fits}$"):
        Engine(model, tokens, slots=fits + 1, **options)


def test_where_not_even_one_slot_fits(small_model, tokens):
    with pytest.raises(ValueError, match="not even one slot fits"):
        Engine(small_model(), tokens, memory_limit=1000)


def test_a_request_that_does_not_fit_is_refused_and_the_rest_goes_on(small_model, tokens):
    model = small_model()
    engine = Engine(model, tokens, slots=8, context=64)
    engine.memory_limit = engine.memory(slots=5, context=240).total
    first = engine.submit(RULES, GREEDY, 0)
    engine.step()
    with pytest.raises(ValueError, match=r"the largest that fits: slots=5$"):
        engine.submit([5] * 150, Sampling(max_new_tokens=90), 0)
    engine.submit([5] * 100, GREEDY, 0)
    assert [engine.finish(first).ids] == ids(Engine(model, tokens).generate([RULES], GREEDY, [0]))


def test_the_former_cache_is_given_back_before_a_larger_one_is_made(small_model, tokens, monkeypatch):
    engine = Engine(small_model(), tokens, slots=4, context=64)
    engine.generate([RULES], GREEDY, [0])
    former = [weakref.ref(engine.cache.layers[0].keys), weakref.ref(engine.state.ids)]
    make, alive = engine_module.SlotCache, []

    def watch(*args):
        alive.extend(ref() is not None for ref in former)
        return make(*args)

    monkeypatch.setattr(engine_module, "SlotCache", watch)
    gc.disable()  # nothing that only the collector of cycles would free
    try:
        engine.generate([[5] * 150], GREEDY, [0])
    finally:
        gc.enable()
    assert alive == [False, False]


def peak(function):
    """The most bytes that torch holds at a time on the CPU while `function` runs, beyond what it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        function()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


@pytest.mark.parametrize("shared", [0, 470])
@pytest.mark.parametrize(("words", "sampling"), [(50, Sampling(max_new_tokens=4)), (8000, Sampling(0.9, 0.9, 4))])
def test_a_step_takes_no_more_than_the_plan_says(small_model, tokens, shared, words, sampling):
    """The first reads prompts, few long ones or the ends of many, and decodes; the second decodes."""
    model, rng = small_model(vocab_size=words, max_position_embeddings=512), random.Random(0)
    engine = Engine(model, tokens, slots=64, context=512)
    rules = [rng.randrange(2, words) for _ in range(shared)]
    for seed in range(64):
        engine.submit(rules + [rng.randrange(2, words) for _ in range(480 - shared)], sampling, seed)
    assert max(peak(engine.step), peak(engine.step)) <= engine.memory().working


def test_slots_keep_their_tokens_when_they_are_packed_anew(small_model, tokens):
    """Longer, shorter, and not for a difference that is not worth it; behind what was kept anything may lie."""
    cache = Engine(small_model("qwen3"), tokens, slots=6, context=128).cache
    cache.fit(6, 16)
    written = [[x.normal_().clone() for x in layer.packed(16)] for layer in cache.layers]
    for rows, needed, length in ((6, 48, 48), (6, 32, 48), (5, 112, 112), (5, 96, 112), (5, 16, 16), (4, 1000, 128)):
        assert cache.fit(rows, needed) == length
        for layer, blocks in zip(cache.layers, written, strict=True):
            for now, before in zip(layer.packed(length), blocks, strict=True):
                assert torch.equal(now[:rows, :, :16], before[:rows])
