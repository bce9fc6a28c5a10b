"""The shipped tokenizer: small, lossless, and short prompts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from spiral_lite import dialogue, games, models
from spiral_lite.dialogue import game_message, observe
from spiral_lite.nano import corpus, pretrain, tokenizer

NANO = AutoTokenizer.from_pretrained(models.locate("nano"))


def ids(text):
    return NANO(text, add_special_tokens=False)["input_ids"]


def test_it_is_small():
    assert len(NANO) <= 2000


@given(st.text(max_size=200))
def test_every_text_comes_back(text):
    assert NANO.decode(ids(text)) == text


def test_the_chat_template_is_the_prompt_that_was_pretrained():
    message = game_message("[GAME] x")
    assert dialogue.prompt(message, NANO) == dialogue.prompt(message)


@pytest.mark.parametrize("history", [["K", "J"], ["K", "J", "[check]", "[bet]"]])
def test_a_kuhn_prompt_is_short(history):
    state = games.make("kuhn_poker").replay(history)
    assert len(ids(dialogue.prompt(game_message(observe(state, state.player)), NANO))) <= 60


def test_single_digits_cells_and_actions_are_single_tokens():
    for piece in (" 4", "4", " 4=X", "0=.", " \\boxed{[", "]}.", "[Player 0]", " case", " [4],"):
        assert len(ids(piece)) == 1, piece


def test_replies_are_spelled_in_words():
    for sample in itertools.islice(corpus.samples(5), 50):
        assert len(ids(sample.reply)) >= len(sample.reply.split())


def test_training_it_again_gives_the_same_tokens():
    config = pretrain.PretrainConfig(tokenizer_samples=300)
    first, second = (pretrain.learn_tokenizer(config).get_vocab() for _ in range(2))
    assert first == second


def test_only_sentences_that_recur_become_tokens():
    prompts = ["A fixed sentence here. 4 is new.", "A fixed sentence here. 5 is new."] * 600
    assert tokenizer.recurring_sentences([*prompts, "Seen only once now."], most=9)[0] == "A fixed sentence here."
    assert "Seen only once now." not in tokenizer.recurring_sentences([*prompts, "Seen only once now."], most=9)
