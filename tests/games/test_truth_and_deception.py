"""Truth and Deception: the facts are as labelled, the secret stays one, and talk stays talk."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spiral_lite import dialogue, games
from spiral_lite.games import CHANCE, TERMINAL, Invalid, State, facts
from spiral_lite.games.truth_and_deception import CHOICES, LONGEST, SECRETS

GAME = games.make("truth_and_deception")
PUBLISHED = games.make("truth_and_deception", variant="published")
SENTENCES = "Fact 1: 7 x 8 = 56. Fact 2: 7 x 8 = 55."
TALK = ["[It is Fact 2.]", "[Why?]", "[Trust me.]", "[Hm.]", "[Fact 2]"]


def dealt() -> tuple[str, str]:
    """The secret and a pair of sentences that fits it."""
    after = GAME.replay([SECRETS[0]])
    return SECRETS[0], next(outcome for outcome, _ in after.chance_outcomes() if outcome.startswith(SENTENCES[:14]))


def talked(game: games.Game = GAME) -> State:
    """The guesser is to choose; Fact 1 is true."""
    return game.replay([*dealt(), *TALK])


@pytest.mark.parametrize("game", [GAME, PUBLISHED])
def test_it_keeps_every_promise(game: games.Game) -> None:
    games.check(game, playouts=20, seed=1)


def test_five_messages_then_the_choice() -> None:
    state, movers = GAME.replay(dealt()), []
    for words in TALK:
        movers.append(state.player)
        state = state.apply(words)
    assert (movers, state.player, state.legal_actions()) == ([0, 1, 0, 1, 0], 1, CHOICES)
    assert state.apply("[Fact 1]").returns() == (-1.0, 1.0)
    assert state.apply("[Fact 2]").returns() == (1.0, -1.0)


def is_true(statement: str) -> bool:
    """Arithmetic, computed here."""
    if prime := re.fullmatch(r"(\d+) is a prime number\.", statement):
        return all(int(prime[1]) % divisor for divisor in range(2, int(prime[1])))
    equation = re.fullmatch(r"(\d+) ([-+x]) (\d+) = (\d+)\.", statement)
    assert equation is not None, statement
    a, b, result = int(equation[1]), int(equation[3]), int(equation[4])
    return {"+": a + b, "-": a - b, "x": a * b}[equation[2]] == result


def test_the_arithmetic_is_as_labelled() -> None:
    for right, wrong in facts.arithmetic():
        assert (is_true(right), is_true(wrong)) == (True, False), (right, wrong)


def test_a_statement_is_either_true_or_false() -> None:
    right, wrong = zip(*facts.PAIRS, strict=True)
    assert len(facts.PAIRS) >= 100
    assert len({*right, *wrong}) == 2 * len(facts.PAIRS)
    assert all(re.fullmatch(r"[A-Z0-9][\w +=-]*\.", statement) for statement in (*right, *wrong))
    assert len(set(facts.PLANETS)) == 8


def test_either_fact_may_be_the_true_one() -> None:
    for place, secret in enumerate(SECRETS):
        assert GAME.initial_state().chance_seen_by() == (0,)
        state: Any = GAME.replay([secret])
        shown = [state.apply(outcome).information(1)["facts"] for outcome, _ in state.chance_outcomes()]
        assert [pair[place] for pair in shown] == [right for right, _ in facts.PAIRS]
        assert state.truth == place


@pytest.mark.parametrize("seed", range(20))
def test_the_guesser_cannot_tell_what_the_deceiver_knows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sentences and the same talk in a world where true is false: the guesser reads the same to the end."""
    rng, path = random.Random(seed), [GAME.initial_state()]
    while path[-1].player != TERMINAL:
        state = path[-1]
        action = state.sample_chance(rng) if state.player == CHANCE else rng.choice(state.legal_actions())
        path.append(state.apply(action))
    monkeypatch.setattr(facts, "PAIRS", tuple((wrong, right) for right, wrong in facts.PAIRS))
    swapped = {SECRETS[0]: SECRETS[1], SECRETS[1]: SECRETS[0]}[path[1].history[0]]
    for state in path[1:]:
        other = GAME.replay([swapped, *state.history[1:]])
        assert other.information(1) == state.information(1)
        assert dialogue.observe(other, 1) == dialogue.observe(state, 1)
        assert other.information(0) != state.information(0)
        assert dialogue.observe(other, 0) != dialogue.observe(state, 0)
    assert other.returns() == path[-1].returns()[::-1]


@example("[")
@example("<<|im_end|>")
@example("<[|im_end|]>")
@example("a" * LONGEST + "[]")
@example("a\u2028b\x0bc")
@given(st.text() | st.text(alphabet="[]< \n|ab", max_size=300))
def test_anything_may_be_said_and_nothing_said_looks_like_the_game(text: str) -> None:
    state = GAME.replay(dealt())
    said = state.read(text)
    if isinstance(said, Invalid):
        assert not text.strip("[] \t\n") or len(text) > 100 or not text.replace("[", "").replace("]", "").split()
        return
    assert said == state.read(said)
    assert len(said) <= LONGEST + 2
    assert len(said.splitlines()) == 1
    assert not set("[]") & set(said[1:-1])
    assert not re.search(r"<\S", said[1:-1])
    assert state.apply(text).history[-1] == said


def test_a_long_message_is_refused_with_the_limit() -> None:
    said = GAME.replay(dealt()).read("word " * 100)
    assert isinstance(said, Invalid)
    assert "has 499 characters; a message has at most 200" in said.reason


def test_a_reply_may_say_it_without_brackets() -> None:
    state = GAME.replay(dealt())
    assert dialogue.parse(r"I will lie. \boxed{Fact 2 is true, trust me on this one.}", state) == (
        "[Fact 2 is true, trust me on this one.]"
    )
    assert dialogue.parse(r"\boxed{Fact 2}", talked()) == "[Fact 2]"


@pytest.mark.parametrize("text", ["[fact 1]", "[Fact 1] [Fact 2]", "I choose [Fact 1]", "[Fact 3]", ""])
def test_the_choice_is_strict(text: str) -> None:
    assert isinstance(talked().read(text), Invalid)


def test_in_the_published_variant_naming_both_facts_wins() -> None:
    for secret in SECRETS:
        sentences = GAME.replay([secret]).chance_outcomes()[0][0]
        state = PUBLISHED.replay([secret, sentences, *TALK])
        assert state.apply("It is [fact 2] or [FACT 1]").history[-1] == "[Fact 1] [Fact 2]"
        assert state.apply("It is [fact 2] or [FACT 1]").returns() == (-1.0, 1.0)
    assert isinstance(state.read("Fact 1"), Invalid)
    assert PUBLISHED.replay([*dealt(), *TALK, "I say [fact 2]!"]).returns() == (1.0, -1.0)


def test_what_the_players_read() -> None:
    state = GAME.replay([*dealt(), "[Trust me.]"])
    deceiver, guesser = (dialogue.observe(state, player).splitlines() for player in (0, 1))
    assert deceiver[1:4] == [
        "Fact 1: 7 x 8 = 56.",
        f"Fact 2: 7 x 8 = {state.information(0)['facts'][1].split()[-1]}",
        "Only you know that Fact 1 is true. You win if Player 1 chooses the false one.",
    ]
    assert guesser[3] == "Find out which; Player 0 knows it, and wins if you choose the false one."
    assert guesser[-3:] == [
        "[Player 0] [Trust me.]",
        "Turns left: 5",
        "Available Moves: any words, such as [I think Fact 1 is true.], [I think Fact 2 is true.], [Why?]",
    ]
    assert dialogue.observe(talked(), 1).splitlines()[-1] == "Available Moves: [Fact 1], [Fact 2]"
    assert len(dialogue.observe(talked(), 1)) < 700
