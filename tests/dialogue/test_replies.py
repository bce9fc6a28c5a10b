r"""Replies: hand-written examples, any string whatever, and linear time."""

from __future__ import annotations

import random
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiral_lite import games
from spiral_lite.dialogue import boxed, parse
from spiral_lite.games import CHANCE, Invalid, State


def negotiation(resources: str, *actions: str) -> State:
    rng, state = random.Random(0), games.make("simple_negotiation", resources=resources).initial_state()
    while state.player == CHANCE:
        state = state.apply(state.sample_chance(rng))
    for action in actions:
        state = state.apply(action)
    return state


OFFER = "[Offer: 3 Wood -> 2 Gold]"
KUHN = games.make("kuhn_poker").replay(["K", "J"])
STATES = [
    games.make("tic_tac_toe").replay(["[4]"]),
    KUHN,
    games.make("kuhn_poker", rounds=2).replay(["Q", "J", "[bet]"]),
    negotiation("two"),
    negotiation("two", OFFER),
    negotiation("five"),
    games.make("kuhn_poker").initial_state(),  # chance is to move
    games.make("kuhn_poker").replay(["K", "J", "[bet]", "[fold]"]),  # the game is over
]


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        (r"\boxed{[bet]}", "[bet]"),
        (r"so \boxed{[bet]}. Good.", "[bet]"),
        (r"\boxed{[check]} no, \boxed{[bet]}", "[bet]"),  # two different boxed actions: the last wins
        (r"\boxed{a{b}c}", "a{b}c"),
        (r"\boxed{}", ""),
        (r"\boxed{[bet]", None),
        (r"\boxed{[check]} \boxed{[bet]", None),  # the last box never closes
        (r"\boxed {[bet]}", None),
        (r"boxed{[bet]}", None),
        ("", None),
        (r"\boxed{\boxed{[bet]}}", "[bet]"),
    ],
)
def test_boxed(reply: str, content: str | None) -> None:
    assert boxed(reply) == content


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        (r"\boxed{[bet]}", "[bet]"),
        (r"\boxed{bet}", "[bet]"),  # bare words are put in brackets
        ("\\boxed{ \n[bet]\t}", "[bet]"),
        (r"\boxed{[bet]} or \boxed{[check]}", "[check]"),
    ],
)
def test_replies_that_are_read(reply: str, action: str) -> None:
    assert parse(reply, KUHN) == action


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("[bet]", r"no \boxed{...} in the reply; write e.g. \boxed{[check]}"),
        (r"\boxed{[bet]", r"the last \boxed{ never closes"),
        (r"\boxed{[raise]}", "'[raise]' is not legal here; legal: [check], [bet]"),
        (r"\boxed{[Bet]}", "is not legal here"),  # case counts
        (r"\boxed{[call]}", "is not legal here"),  # legal only after a bet
        (r"\boxed{[bet] because it wins}", "is not legal here"),
        (r"\boxed{i think that i should bet}", "is not legal here"),
        (r"\boxed{}", "is not legal here"),
    ],
)
def test_replies_that_are_refused(reply: str, reason: str) -> None:
    read = parse(reply, KUHN)
    assert isinstance(read, Invalid)
    assert reason in read.reason


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        (r"\boxed{[Offer: 2 Gold -> 4 Wood]}", "[Offer: 2 Gold -> 4 Wood]"),
        (r"\boxed{Good day! [Offer: 2 Gold -> 4 Wood] Deal?}", "[Offer: 2 Gold -> 4 Wood]"),
        ("\\boxed{[Offer: 2 Gold\n-> 4 Wood]}", "[Offer: 2 Gold -> 4 Wood]"),
        (r"\boxed{Accept}", "[Accept]"),
        (r"\boxed{[Accept] rather [Deny]}", "[Deny]"),  # two bracketed actions: the last wins
    ],
)
def test_replies_in_a_negotiation(reply: str, action: str) -> None:
    assert parse(reply, negotiation("two", OFFER)) == action


def test_nobody_answers_for_chance() -> None:
    for state in STATES[-2:]:
        assert "nobody is to move" in parse(r"\boxed{[bet]}", state).reason  # type: ignore[union-attr]


FRAGMENTS = st.sampled_from(
    [
        *("\\boxed{", "\\boxed", "boxed{", "{", "}", "[", "]", "]}", " ", "\n", ",", ":", "->", "-", "\\", "0", "10"),
        *("[4]", "[bet]", "[check]", "fold", "call", "Accept", "[Deny]", "Offer:", "[Offer: ", "offer", OFFER),
        *("3 Wood", "2 Gold", "Sheep", "1 Wheat", "9" * 5000, "\u0663", "\u00b2", "\ud800", "\x00", "\u2028", "ﬀ"),
    ]
)
ANY_STRING = st.one_of(
    st.text(st.characters()),  # with lone surrogates
    st.lists(FRAGMENTS, max_size=12).map("".join),
    st.lists(FRAGMENTS, max_size=12).map(lambda parts: "\\boxed{" + "".join(parts) + "}"),
    st.lists(FRAGMENTS, max_size=8).map(lambda parts: "\\boxed{[Offer: " + " ".join(parts) + "]}"),
)


@settings(
    max_examples=10_000,  # about ten seconds
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(state=st.sampled_from(STATES), reply=ANY_STRING)
def test_any_string_gives_an_action_or_a_reason(state: State, reply: str) -> None:
    read = parse(reply, state)
    if isinstance(read, Invalid):
        assert read.reason
        assert len(read.reason) < 500
    else:
        assert state.apply(read).history == (*state.history, read)
        assert parse(f"\\boxed{{{read}}}", state) == read


ADVERSARIES = {
    "letters": lambda n: "a" * n,
    "boxes": lambda n: "\\boxed{" * (n // 7),
    "closed boxes": lambda n: "\\boxed{}" * (n // 8),
    "open braces": lambda n: "\\boxed{" + "{" * n,
    "pairs of braces": lambda n: "\\boxed{" + "{}" * (n // 2) + "}",
    "spaces": lambda n: "\\boxed{" + " " * n + "}",
    "words": lambda n: "\\boxed{" + "a " * (n // 2) + "}",
    "open brackets": lambda n: "\\boxed{" + "[" * n + "}",
    "closed brackets": lambda n: "\\boxed{" + "]" * n + "}",
    "pairs of brackets": lambda n: "\\boxed{" + "[]" * (n // 2) + "}",
    "half of each": lambda n: "\\boxed{" + "]" * (n // 2) + "[" * (n // 2) + "}",
    "answers": lambda n: "\\boxed{" + "[ accept ]" * (n // 10) + "}",
    "offers": lambda n: "\\boxed{" + "[Offer:" * (n // 7) + "}",
    "arrows": lambda n: "\\boxed{[Offer: " + "->" * (n // 2) + "]}",
    "commas": lambda n: "\\boxed{[Offer: " + "," * n + " -> 1 Gold]}",
    "digits": lambda n: "\\boxed{[Offer: " + "9" * n + " Wood -> 1 Gold]}",
    "zeros": lambda n: "\\boxed{[Offer: " + "0" * n + "1 Wood -> 1 Gold]}",
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_a_million_characters_are_read(name: str) -> None:
    """Anything quadratic would take minutes here."""
    reply = ADVERSARIES[name](1_000_000)
    for state in (KUHN, negotiation("two", OFFER)):
        read = parse(reply, state)
        assert isinstance(read, str if name == "zeros" and state is not KUHN else Invalid)


def lines_run(reply: str, state: State) -> int:
    """How many lines of Python it takes to read a reply."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        parse(reply, state)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", ADVERSARIES)
def test_work_grows_no_faster_than_the_reply(name: str) -> None:
    state = negotiation("two", OFFER)
    short, long = (lines_run(ADVERSARIES[name](n), state) for n in (2_000, 8_000))
    assert long <= 4 * short + 10
