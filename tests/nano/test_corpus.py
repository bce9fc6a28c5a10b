"""The corpus: valid, half careful, the same mixture in games and problems, apart from the evaluation problems."""

import itertools
import random
from collections import Counter, defaultdict

import pytest

from spiral_lite import dialogue, games
from spiral_lite.games.tic_tac_toe import LINES
from spiral_lite.nano import corpus, problems, replies
from spiral_lite.nano.problems import PATTERNS
from spiral_lite.players import best_tic_tac_toe

SAMPLES = list(itertools.islice(corpus.samples(0), 6000))


def test_the_same_seed_gives_the_same_corpus_and_leaves_the_global_generator():
    before = random.getstate()
    assert list(itertools.islice(corpus.samples(0), 50)) == SAMPLES[:50]
    assert list(itertools.islice(corpus.samples(1), 50)) != SAMPLES[:50]
    assert random.getstate() == before


def test_half_is_careless_and_the_patterns_are_equal_in_games_and_problems():
    by_kind = defaultdict(Counter)
    for sample in SAMPLES:
        by_kind["game" if sample.kind in games.names() else "problem"][sample.style] += 1
    for counts in by_kind.values():
        total = sum(counts.values())
        assert counts["careless"] / total == pytest.approx(0.5, abs=0.03)
        for pattern in PATTERNS:
            assert counts[pattern] / total == pytest.approx(1 / 6, abs=0.03)


def test_the_style_can_be_read_off_the_reply():
    assert all(problems.pattern_of(sample.reply) == sample.style for sample in SAMPLES)


def test_evaluation_problems_are_not_in_it():
    asked = {s.message.split("Question: ")[1].split("\n")[0] for s in SAMPLES if "Question: " in s.message}
    assert asked
    assert not any(problems.held_out(question) for question in asked)


@pytest.mark.parametrize("name", ["tic_tac_toe", "kuhn_poker", "simple_negotiation"])
def test_every_reply_is_a_valid_move(name):
    rng = random.Random(0)
    for _ in range(200):
        state = corpus.position(games.make(name), rng)
        for style in (*PATTERNS, "careless"):
            assert isinstance(dialogue.parse(corpus.reply(state, style, rng), state), str)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_careful_tic_tac_toe_is_true_and_takes_wins_and_blocks(pattern):
    rng = random.Random(1)
    good = 0
    for _ in range(300):
        state = corpus.position(games.make("tic_tac_toe"), rng)
        text = replies.careful(state, pattern, rng)
        me, other = "OX"[state.player], "XO"[state.player]
        wins, blocks = completing(state.board, me), completing(state.board, other)
        chosen = int(dialogue.parse(text, state)[1])
        assert chosen in (wins or blocks or range(9)), text
        seen = text.split("mine ")[1].split(".")[0].split(", theirs ")
        assert [numbers(part) for part in seen] == [
            [i for i, mark in enumerate(state.board) if mark == wanted] for wanted in (me, other)
        ]
        good += f"[{chosen}]" in best_tic_tac_toe(state)
    assert good > 240  # careful play is good, not perfect


def completing(board, mark):
    held = [(line, [board[cell] for cell in line]) for line in LINES]
    return {line[marks.index(".")] for line, marks in held if marks.count(mark) == 2 and "." in marks}


def numbers(text):
    return [] if text == "none" else [int(word) for word in text.split()]


def test_careful_kuhn_says_the_odds():
    state = games.make("kuhn_poker").replay(["Q", "J", "[check]", "[bet]"])
    text = replies.careful(state, "expected_value", random.Random(0))
    assert "I hold Q and win 1 of 2, call is worth 0, fold is worth -1." in text


def test_careful_negotiation_accepts_a_gain_and_denies_a_loss():
    game, rng = games.make("simple_negotiation"), random.Random(0)
    good, bad = (game.replay([f"[Offer: {offer}]"]) for offer in ("1 Gold -> 1 Wood", "1 Wood -> 1 Gold"))
    # player 1 values Wood 15 and Gold 5; the first offer takes Wood for Gold
    assert dialogue.parse(replies.careful(good, "expected_value", rng), good) == "[Deny]"
    assert dialogue.parse(replies.careful(bad, "expected_value", rng), bad) == "[Accept]"
