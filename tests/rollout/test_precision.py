"""bfloat16 products in float32 are closer to the truth, never further; everything else is left alone."""

import pytest
import torch
import torch.nn.functional as F

from spiral_lite.rollout import precision
from spiral_lite.rollout.precision import FEW, WidenedLinear


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("features", [5, 70])  # below and above a chunk
def test_it_rounds_once(monkeypatch, features, bias):
    monkeypatch.setattr(precision, "CHUNK", 32)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, FEW, 48, generator=rng).bfloat16()
    weight = torch.randn(features, 48, generator=rng).bfloat16()
    offset = torch.randn(features, generator=rng).bfloat16()
    with WidenedLinear():
        out = F.linear(x, weight, offset if bias else None)
    truth = F.linear(x.double(), weight.double(), offset.double() if bias else None)
    assert out.shape == (2, FEW, features)
    torch.testing.assert_close(out, truth.bfloat16(), atol=0, rtol=2**-7)  # the last bit, where float32 sums differ


def test_few_rows_and_other_types_are_left_alone(monkeypatch):
    monkeypatch.setattr(precision, "_linear", None)  # calling it would fail
    weight = torch.randn(3, 4)
    with WidenedLinear():
        F.linear(torch.randn(FEW, 4), weight)
        F.linear(torch.randn(FEW - 1, 4).bfloat16(), weight.bfloat16())
        torch.ones(3).bfloat16() @ weight.bfloat16()
        with pytest.raises(TypeError):
            F.linear(torch.randn(FEW, 4).bfloat16(), weight.bfloat16())  # and it would have been called here


@pytest.mark.parametrize(
    ("capabilities", "multiplies"),
    [
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, True),
        ({"architecture": "aarch64"}, True),  # not known: as it is
        ({}, True),
    ],
)
def test_it_is_on_only_where_bfloat16_is_emulated(monkeypatch, nano, capabilities, multiplies):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision.multiplies_bfloat16() == multiplies
    model, _ = nano
    assert not isinstance(precision.suited(model), WidenedLinear)  # float32
    assert isinstance(precision.suited(model.bfloat16()), WidenedLinear) != multiplies
