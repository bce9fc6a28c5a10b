"""Sampling by transformers: log-probabilities, seeds, limits, and what is left untouched."""

import pytest
import torch

from spiral_lite import dialogue, games
from spiral_lite.dialogue import game_message, observe
from spiral_lite.players import LanguageModel, Prompt, Sampling
from spiral_lite.rollout.transformers_backend import TransformersBackend

POSITIONS = [("kuhn_poker", ["K", "J"]), ("kuhn_poker", ["Q", "J", "[bet]"]), ("tic_tac_toe", ["[4]"])]


def prompts():
    states = [games.make(name).replay(history) for name, history in POSITIONS]
    return [Prompt(state, game_message(observe(state, state.player)), 7) for state in states]


def prompt_ids(tokenizer):
    return tokenizer([dialogue.prompt(p.message, tokenizer) for p in prompts()], add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (0.6, 0.95)])
def test_logprobs_are_those_of_the_sampling_distribution(nano, temperature, top_p):
    model, tokenizer = nano
    asked = prompt_ids(tokenizer)
    for ids, reply in zip(
        asked,
        TransformersBackend(model, tokenizer).generate(asked, Sampling(temperature, top_p), [3] * len(asked)),
        strict=True,
    ):
        with torch.no_grad():
            logits = model(torch.tensor([[*ids, *reply.ids]])).logits[0, len(ids) - 1 : -1] / temperature
        ordered, places = logits.softmax(-1).sort(descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p  # the tokens after those that make up top_p
        logits = logits.masked_fill(torch.zeros_like(outside).scatter(1, places, outside), -torch.inf)
        by_hand = logits.log_softmax(-1).gather(1, torch.tensor(reply.ids)[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(reply.logprobs), by_hand, atol=2e-4, rtol=0)


def test_the_same_seed_gives_the_same_replies_and_leaves_the_global_generator(nano):
    model, tokenizer = nano
    backend, asked = TransformersBackend(model, tokenizer), prompt_ids(tokenizer) * 4
    before = torch.get_rng_state()
    first = backend.generate(asked, Sampling(), [3] * len(asked))
    assert torch.equal(torch.get_rng_state(), before)
    assert backend.generate(asked, Sampling(), [3] * len(asked)) == first
    assert backend.generate(asked, Sampling(), [4] * len(asked)) != first


def test_the_model_s_own_sampling_defaults_do_not_shape_the_replies(nano):
    model, tokenizer = nano
    asked = prompt_ids(tokenizer) * 4
    plain = TransformersBackend(model, tokenizer).generate(asked, Sampling(), [3] * len(asked))
    defaults = model.generation_config
    defaults.update(temperature=0.3, top_p=0.5, top_k=2, repetition_penalty=1.3)
    assert TransformersBackend(model, tokenizer).generate(asked, Sampling(), [3] * len(asked)) == plain
    assert model.generation_config is defaults


def test_greedy_replies_do_not_depend_on_the_batch(nano):
    model, tokenizer = nano
    asked, greedy = prompt_ids(tokenizer), Sampling(temperature=0)
    together = TransformersBackend(model, tokenizer).generate(asked, greedy, [0] * len(asked))
    alone = TransformersBackend(model, tokenizer, batch_size=1).generate(asked, greedy, [0] * len(asked))
    assert [g.ids for g in together] == [g.ids for g in alone]


def test_a_reply_at_the_token_limit_is_truncated_and_the_mode_is_kept(nano):
    model, tokenizer = nano
    model.train()
    player = LanguageModel(TransformersBackend(model, tokenizer), Sampling(max_new_tokens=2))
    replies = player.reply(prompts())
    assert all(reply.truncated and len(reply.ids) == 2 for reply in replies)
    assert model.training


def test_what_was_written_is_what_was_sampled(nano):
    model, tokenizer = nano
    for reply in LanguageModel(TransformersBackend(model, tokenizer)).reply(prompts()):
        assert not reply.truncated
        assert tokenizer.decode(list(reply.ids)) == reply.text + tokenizer.eos_token
        assert len(reply.logprobs) == len(reply.ids)
        assert max(reply.logprobs) <= 0
