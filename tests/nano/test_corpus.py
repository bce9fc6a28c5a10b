"""The corpus: valid, half careful, the same mixture in games and problems, apart from the evaluation problems."""

import itertools
import random
from collections import Counter, defaultdict

import pytest

from spiral_lite import dialogue, games
from spiral_lite.games.snake import MOVES
from spiral_lite.games.tic_tac_toe import LINES
from spiral_lite.nano import corpus, held_out, problems, replies
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


def test_it_has_every_game_and_little_of_the_held_out_ones():
    counts = Counter(sample.kind for sample in SAMPLES)
    assert set(held_out.CAREFUL) == set(games.names()) - {"tic_tac_toe", "kuhn_poker", "simple_negotiation"}
    for name in held_out.CAREFUL:
        assert counts[name] / len(SAMPLES) == pytest.approx(0.015, abs=0.006)


@pytest.mark.parametrize("name", [name for name in corpus.SHARES if name != "problem"])
def test_every_reply_is_a_valid_move(name):
    rng = random.Random(0)
    for _ in range(100):
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


HELD_OUT = [  # (game, history, pattern, what a careful reply says)
    ("nim", ["[0 3]", "[1 4]"], "expected_value", r"5 - 5 = 0 are left. So \boxed{[2 5]}."),
    ("nim", ["[0 3]", "[1 4]"], "pattern_recognition", r"One pile, take it all. So \boxed{[2 5]}."),
    (
        "pig_dice",
        ["[roll]", "6", "[roll]", "6"],
        "case_by_case",
        r"Hold gives 0 + 12 = 12. A 1 loses 12. So \boxed{[roll]}.",
    ),
    ("pig_dice", ["[roll]", "6"] * 4, "pattern_recognition", r"24 is enough. So \boxed{[hold]}."),
    (
        "liars_dice",
        [*"1234511456", "[Bid: 4, 2]"],
        "case_by_case",
        r"I have 0 of 2, they have 5 dice. So \boxed{[Call]}.",
    ),
    (
        "liars_dice",
        [*"1234511456", "[Bid: 4, 2]"],
        "expected_value",
        r"4 - 0 = 4 of their 5 dice. So \boxed{[Call]}.",
    ),
]


@pytest.mark.parametrize(("name", "history", "pattern", "said"), HELD_OUT)
def test_careful_replies_of_the_held_out_games_are_true(name, history, pattern, said):
    state = games.make(name).replay(history)
    assert replies.careful(state, pattern, random.Random(0)).endswith(said)


def test_careful_snakes_stay_on_the_board():
    rng, game = random.Random(0), games.make("snake")
    for _ in range(200):
        state = corpus.position(game, rng)
        known = state.information(state.player)
        (x, y), move = (
            known["snakes"][state.player][0],
            dialogue.parse(replies.careful(state, "case_by_case", rng), state),
        )
        inside = [m for m, (dx, dy) in MOVES.items() if 0 <= x + dx < 5 and 0 <= y + dy < 5]
        bodies = [cell for i, snake in enumerate(known["snakes"]) if known["alive"][i] for cell in snake]
        open_moves = [m for m in inside if [x + MOVES[m][0], y + MOVES[m][1]] not in bodies]
        assert move in (open_moves or MOVES)


def test_careful_hanabi_plays_only_what_fits():
    rng, game = random.Random(0), games.make("mini_hanabi")
    played = 0
    for _ in range(300):
        state = corpus.position(game, rng)
        move = dialogue.parse(replies.careful(state, "case_by_case", rng), state)
        if move.startswith("[Play"):
            played += 1
            after = state.apply(move)
            assert after.fuses == state.fuses
    assert played
