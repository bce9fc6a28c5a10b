r"""The nano tokenizer: byte-level BPE whose merges, and whose sentence tokens, are learnt on our own prompts.

Two devices keep prompts short, so that a laptop can train on them:
1. words, single digits, `[4]`, `[bet]`, `0=X` and ` \boxed{[` are the pieces inside which BPE merges;
2. sentences that recur in prompts ("Your card is K.", SPIRAL's instructions) become one token each.
Bytes are the fallback, so every string can be written and comes back unchanged. Replies are spelled in words: a reply's
length in tokens is about its length in words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
PIECES = (
    r" ?[0-8]=[OX.]"  # a cell of a board
    r"| ?\\boxed\{\[?|\]?\}\.?"  # around an answer
    r"|\[Player [01]\]| ?\[[A-Za-z0-9]+\],?"  # a name, an action
    r"| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s"
)
SENTENCE = re.compile(r"[^.:\n]*[.:\n]+")  # up to and with what ends it
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train(prompts: Iterable[str], replies: Iterable[str], words: int = 1000, sentences: int = 256) -> Tokenizer:
    """A tokenizer of at most `words` pieces and `sentences` sentence tokens (at least one in 500 prompts)."""
    prompts = list(prompts)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        min_frequency=5,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*prompts, *replies], trainer)
    common = recurring_sentences(prompts, most=sentences)
    tokenizer.add_tokens([AddedToken(sentence, normalized=False) for sentence in common])
    return tokenizer


def recurring_sentences(prompts: list[str], most: int) -> list[str]:
    """The sentences with two words or more that occur at least once in 500 prompts, the commonest first."""
    counts = Counter(
        sentence
        for prompt in prompts
        for part in re.split(r"<\|im_\w+\|>", prompt)
        for sentence in SENTENCE.findall(part)
        if len(re.findall(r"[A-Za-z]{2,}", sentence)) >= 2
    )
    return [sentence for sentence, count in counts.most_common(most) if count >= len(prompts) / 500]


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The same tokenizer as transformers and TRL want it, with the chat template of SPIRAL's Qwen3 prompts."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped
