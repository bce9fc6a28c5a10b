"""Pretraining: what is learnt, that it learns, that the seed decides; and the card of the shipped model."""

import itertools
import json
import math

import pytest
import torch

from spiral_lite import models
from spiral_lite.evaluation import card
from spiral_lite.nano import pretrain, problems
from spiral_lite.nano.pretrain import PretrainConfig

SMALL = PretrainConfig(
    steps=30, batch_size=32, hidden_size=32, heads=2, layers=1, tokenizer_samples=300, warmup_steps=5
)


def test_the_loss_falls_and_the_seed_decides():
    rows = []
    first, _ = pretrain.pretrain(SMALL, rows.append)
    assert [row["step"] for row in rows] == [30]
    words = pretrain.learn_tokenizer(SMALL)
    assert rows[0]["loss"] < 0.9 * math.log(len(words))
    again, _ = pretrain.pretrain(SMALL)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_a_batch_is_prompts_and_replies():
    words = pretrain.learn_tokenizer(SMALL)
    rows = next(pretrain.batches(SMALL, words))
    assert len(rows) == SMALL.batch_size
    for prompt_ids, reply_ids in rows:
        assert words.decode(prompt_ids).endswith("<|im_start|>assistant\n")
        assert reply_ids[-1] == words.eos_token_id


def test_the_loss_is_the_cross_entropy_of_the_replies_alone():
    """Packed, with a prompt that two rows share and one that is shorter, against one row at a time by hand."""
    words = pretrain.learn_tokenizer(SMALL)
    torch.manual_seed(0)
    model = pretrain.LlamaForCausalLM(pretrain.model_config(SMALL, words))
    rows = [([5, 6, 7], [8, 9]), ([5, 6, 7], [8, 10, 2]), ([5, 6, 7, 8, 9, 10], [11, 12, 13])]
    by_hand = torch.zeros(())
    for prompt_ids, reply_ids in rows:
        logits = model(torch.tensor([prompt_ids + reply_ids])).logits[0, len(prompt_ids) - 1 : -1]
        by_hand = by_hand + torch.nn.functional.cross_entropy(logits, torch.tensor(reply_ids), reduction="sum")
    expected = torch.autograd.grad(by_hand, model.parameters())
    pretrain.packing.install(model)
    loss = pretrain.reply_loss(model, rows, words.pad_token_id)
    torch.testing.assert_close(loss, by_hand)
    for ours, theirs in zip(torch.autograd.grad(loss, model.parameters()), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_learning_rate_rises_then_falls():
    config = PretrainConfig()
    rates = [pretrain.learning_rate(step, config) for step in range(1, config.steps + 1)]
    assert max(rates) == pytest.approx(config.learning_rate)
    assert rates[-1] == pytest.approx(config.learning_rate / 10, rel=0.01)


FIGURES = json.loads((models.NANO / "figures.json").read_text())


def test_the_shipped_model_is_what_its_card_says():
    model, words = models.load("nano", "cpu")
    assert model.num_parameters() == FIGURES["parameters"] <= 4_000_000
    assert len(words) == FIGURES["vocabulary"]
    assert sum(file.stat().st_size for file in models.NANO.iterdir()) <= 10_000_000
    assert (models.NANO / "README.md").read_text() == card.render(FIGURES)


def test_the_card_meets_what_was_asked():
    for name in ("kuhn_poker (rounds=1, variant=textbook)", "tic_tac_toe", "simple_negotiation (resources=two)"):
        assert FIGURES["games"][name]["valid"] >= 0.97, name
    assert len(FIGURES["problems"]) >= 8
    assert FIGURES["gap"] >= 0.30


def test_the_card_s_figures_are_measured(nano):
    """A small sample of the same measurement agrees with the card within its noise."""
    from spiral_lite.rollout.transformers_backend import TransformersBackend

    backend = TransformersBackend(*nano)
    row = card.measure_game(backend, card.CARD_GAMES[0], 200, seed=5)
    stated = FIGURES["games"]["kuhn_poker (rounds=1, variant=textbook)"]
    assert row["valid"] == pytest.approx(stated["valid"], abs=0.05)
    assert row["styles"]["careless"] == pytest.approx(stated["styles"]["careless"], abs=0.15)
    family = card.measure_family(backend, "counting", 60, seed=5)
    assert family["right"] == pytest.approx(FIGURES["problems"]["counting"]["right"], abs=0.3)


def test_card_problems_are_held_out(nano, monkeypatch):
    asked = []
    monkeypatch.setattr(
        card, "answer", lambda backend, questions, seed: asked.extend(questions) or [""] * len(questions)
    )
    card.measure_family(None, "counting", 20, seed=0)
    assert len(asked) == 20
    assert all(itertools.starmap(problems.held_out, ((question,) for question in asked)))
