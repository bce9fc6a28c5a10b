"""Drawing by one uniform number: exactly the softmax, exactly transformers' top_p, and nothing global."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TopPLogitsWarper

from spiral_lite.rollout.sampling import BELOW_ONE, draw, keep_top_p, uniforms

GRID = 1 << 14


def random_logits(rows, words, seed=0, scale=3.0):
    return torch.randn(rows, words, generator=torch.Generator().manual_seed(seed)) * scale


def ones(n, value=1.0):
    return torch.full((n,), float(value))


def draw_grid(logits, temperature=None, top_p=None, n=GRID):
    """(tokens, log-probabilities) that `n` uniform numbers at equal distances draw from one distribution."""
    grid = (torch.arange(n) + 0.5) / n
    temperature, top_p = (None if x is None else ones(n, x) for x in (temperature, top_p))
    return draw(logits.expand(n, -1), temperature, top_p, grid)


def shaped(logits, temperature, top_p):
    """What transformers would draw from."""
    return TopPLogitsWarper(top_p)(None, logits / temperature) if top_p < 1 else logits / temperature


@pytest.mark.parametrize(("temperature", "top_p"), [(None, None), (1.0, 1.0), (0.6, 0.95), (2.0, 0.5), (1.0, 1e-9)])
def test_the_share_of_every_token_is_its_probability(temperature, top_p):
    """Within one step of the grid: the interval of a token is as long as its probability."""
    logits = random_logits(1, 50)
    tokens, logprobs = draw_grid(logits, temperature, top_p)
    expected = shaped(logits, temperature or 1.0, top_p or 1.0).log_softmax(-1)[0]
    share = tokens.bincount(minlength=50) / GRID
    torch.testing.assert_close(share, expected.exp(), atol=1.5 / GRID, rtol=0)
    torch.testing.assert_close(logprobs, expected[tokens], atol=1e-5, rtol=0)


def test_the_draws_of_one_seed_are_distributed_as_the_softmax():
    """A chi-squared test with 19 degrees of freedom: 43.8 is its 99.9 % quantile."""
    n, logits = 20_000, random_logits(1, 20, scale=1.0)
    tokens, _ = draw(logits.expand(n, -1), None, None, uniforms(5, n))
    expected = logits.softmax(-1)[0] * n
    assert ((tokens.bincount(minlength=20) - expected) ** 2 / expected).sum() < 43.8


@pytest.mark.parametrize("uniform", [0.0, 2.0**-24, 0.5, 1 - 2.0**-12, BELOW_ONE])
def test_a_token_without_probability_is_never_drawn(uniform):
    """Wherever they stand: at the ends, where the smallest and the largest uniform number fall, and in between."""
    impossible = torch.tensor([0, 1, 5, 6, 7, 30, 31])
    logits = random_logits(1000, 32).index_fill(1, impossible, float("-inf"))
    tokens, logprobs = draw(logits, None, None, ones(1000, uniform))
    assert not torch.isin(tokens, impossible).any()
    assert torch.isfinite(logprobs).all()


def test_the_ends_of_the_uniform_numbers_draw_the_first_and_the_last_token():
    logits = torch.zeros(2, 1000)
    tokens, logprobs = draw(logits, None, None, torch.tensor([0.0, BELOW_ONE]))
    assert tokens.tolist() == [0, 999]
    torch.testing.assert_close(logprobs, torch.full((2,), -6.907755), atol=1e-5, rtol=0)


def test_temperature_0_is_the_likeliest_token_whatever_the_uniform_number():
    logits = random_logits(200, 50)
    tokens, logprobs = draw(logits, ones(200, 0), ones(200, 0.3), uniforms(0, 200))
    assert torch.equal(tokens, logits.argmax(-1))
    torch.testing.assert_close(logprobs, logits.log_softmax(-1).max(-1).values)


@settings(deadline=None)  # a shared machine
@given(st.integers(0, 10_000), st.floats(1e-6, 0.999), st.sampled_from([2, 50, 500]), st.floats(0.1, 8))
def test_top_p_keeps_what_transformers_keeps(seed, top_p, words, scale):
    logits = random_logits(3, words, seed, scale)
    mine, theirs = keep_top_p(logits, ones(3, top_p)), TopPLogitsWarper(top_p)(None, logits)
    differ = torch.isinf(mine) != torch.isinf(theirs)
    at_the_edge = (logits.softmax(-1).sort(-1, descending=True).values.cumsum(-1) - top_p).abs().min(-1).values < 1e-5
    assert not (differ.any(-1) & ~at_the_edge).any(), "they add up from the other end, so an edge may round otherwise"
    assert torch.equal(mine[~differ], theirs[~differ])


@pytest.mark.parametrize("top_p", [1e-30, 1e-6, 0.01])
def test_a_tiny_top_p_is_the_likeliest_token(top_p):
    logits = random_logits(100, 50)
    tokens, logprobs = draw(logits, ones(100), ones(100, top_p), uniforms(0, 100))
    assert torch.equal(tokens, logits.argmax(-1))
    assert (logprobs == 0).all()


def test_top_p_1_keeps_everything():
    """However the probabilities of 50,000 words are rounded as they are added up."""
    logits = random_logits(32, 50_000, scale=1.0)
    assert torch.equal(keep_top_p(logits, ones(32)), logits)


def test_a_row_does_not_depend_on_the_settings_of_others():
    logits, uniform = random_logits(4, 500).repeat(1, 40), uniforms(3, 4)
    plain = draw(logits, None, None, uniform)
    mixed = draw(logits, torch.tensor([1.0, 0.0, 1.0, 0.5]), torch.tensor([1.0, 1.0, 1.0, 0.2]), uniform)
    for mine, theirs in zip(plain, mixed, strict=True):
        assert torch.equal(mine[[0, 2]], theirs[[0, 2]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_log_probabilities_are_float32_whatever_the_model_is(dtype):
    logits = random_logits(50, 200).to(dtype)
    tokens, logprobs = draw(logits, ones(50, 0.7), ones(50, 0.9), uniforms(0, 50))
    expected = shaped(logits.float(), 0.7, 0.9).log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    assert logprobs.dtype == torch.float32
    torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)


def test_logits_are_not_changed():
    logits = random_logits(5, 50)
    before = logits.clone()
    draw(logits, None, None, uniforms(0, 5))
    draw(logits, ones(5, 0.5), ones(5, 0.5), uniforms(0, 5))
    assert torch.equal(logits, before)


def test_uniforms_come_from_the_seed_alone():
    assert torch.equal(uniforms(3, 50), uniforms(3, 50))
    assert torch.equal(uniforms(3, 50)[:7], uniforms(3, 7)), "a longer reply begins with the same numbers"
    assert not torch.equal(uniforms(3, 50), uniforms(4, 50))
    many = uniforms(1 << 47, 100_000)
    assert many.dtype == torch.float32
    assert 0 <= many.min()
    assert many.max() <= np.float32(BELOW_ONE)
    assert abs(many.mean() - 0.5) < 0.005


def test_the_global_generators_are_untouched():
    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    draw(random_logits(5, 50), ones(5), ones(5, 0.9), uniforms(0, 5))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
