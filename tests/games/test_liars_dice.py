"""Liar's dice against OpenSpiel's, and what a player may know of the dice. Also test_textarena_lockstep.py."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import dialogue, games
from spiral_lite.games import CHANCE, TERMINAL, Invalid
from spiral_lite.games.liars_dice import BIDS, CALL

GAMES = [{}, {"dice": 2}, {"dice": 1}, {"variant": "openspiel"}, {"dice": 1, "variant": "openspiel"}]


@pytest.mark.parametrize("options", GAMES)
def test_it_keeps_every_promise(options: dict[str, Any]) -> None:
    games.check(games.make("liars_dice", **options), playouts=10 if not options else 30, seed=1)


def random_game(seed: int, call: float = 0.2, **options: Any) -> list[Any]:
    """The states of a game whose players mostly raise by little."""
    rng = random.Random(seed)
    state: Any = games.make("liars_dice", **options).initial_state()
    path = [state]
    while state.player != TERMINAL:
        legal = state.legal_actions()
        if state.player == CHANCE:
            action = state.sample_chance(rng)
        elif CALL in legal and rng.random() < call:
            action = CALL
        else:
            action = rng.choice(legal[: rng.choice((3, 60))])
        state = state.apply(action)
        path.append(state)
    return path


def test_random_playouts_agree_with_openspiel() -> None:
    pyspiel = pytest.importorskip("pyspiel")
    theirs_games = [pyspiel.load_game("liars_dice", {"players": 2, "numdice": dice}) for dice in range(1, 6)]
    results: Counter[tuple[int, float]] = Counter()
    for seed in range(1000):
        dice = 1 + seed % 5
        path = random_game(seed, dice=dice, variant="openspiel")
        theirs = theirs_games[dice - 1].new_initial_state()
        liar = 2 * dice * 6  # their last action; the others are bids from the lowest up
        for ours, after_it in itertools.pairwise(path):
            assert ours.player == theirs.current_player()
            assert list(ours.returns()) == theirs.returns()
            action = after_it.history[-1]
            if ours.player == CHANCE:
                chances = {str(face + 1): probability for face, probability in theirs.chance_outcomes()}
                assert dict(ours.chance_outcomes()) == pytest.approx(chances)
                theirs.apply_action(int(action) - 1)
                continue
            assert ours.legal_actions() == tuple(
                CALL if theirs_action == liar else f"[Bid: {theirs_action // 6 + 1}, {theirs_action % 6 + 1}]"
                for theirs_action in theirs.legal_actions()
            )
            for player in (0, 1):
                assert theirs.information_state_string(player).split()[0] == "".join(map(str, ours.dice_of(player)))
            bid = BIDS.get(action)
            theirs.apply_action(liar if bid is None else (bid.quantity - 1) * 6 + bid.face - 1)
        assert theirs.is_terminal()
        assert list(path[-1].returns()) == theirs.returns()
        results[dice, path[-1].returns()[0]] += 1
    assert len(results) == 10  # both players win with any number of dice
    assert min(results.values()) > 20


def test_the_longest_game_has_as_many_turns_as_it_says() -> None:
    """All dice show 1, and each bid is the lowest above the last: every round ends by a call of all dice as sixes."""
    state: Any = games.make("liars_dice").initial_state()
    turns = 0
    while state.player != TERMINAL:
        turns += state.player != CHANCE
        state = state.apply("1" if state.player == CHANCE else state.legal_actions()[0])
    assert turns == games.make("liars_dice").max_turns == 108


ROLL = [*"11123", *"34566"]


@pytest.mark.parametrize(
    ("bids", "showing", "loser"),
    [
        (["[Bid: 2, 3]"], 2, 1),  # exactly as many: the caller loses
        (["[Bid: 3, 3]"], 2, 0),
        (["[Bid: 2, 3]", "[Bid: 3, 3]"], 2, 1),
        (["[Bid: 1, 1]", "[Bid: 2, 6]"], 2, 0),
        (["[Bid: 1, 4]", "[Bid: 1, 5]", "[Bid: 4, 5]"], 1, 0),  # no wild dice
    ],
)
def test_who_loses_a_die_and_who_begins(bids: list[str], showing: int, loser: int) -> None:
    state: Any = games.make("liars_dice").replay([*ROLL, *bids, CALL])
    bidder = (len(bids) - 1) % 2
    assert (state.player, state.dice_left) == (CHANCE, (4, 5) if loser == 0 else (5, 4))
    for player, dice in ((0, [1, 1, 1, 2, 3]), (1, [3, 4, 5, 6, 6])):
        assert state.information(player)["rounds_played"] == [
            {"dice": dice, "starter": 0, "actions": [*bids, CALL], "showing": showing, "loser": loser}
        ]
    assert state.information(0)["dice"] == []
    for _ in range(9):
        assert state.chance_seen_by() == ((0,) if len(state.dice) < state.dice_left[0] else (1,))
        state = state.apply("6")
    assert state.player == bidder  # who did not call
    assert len(state.legal_actions()) == 9 * 6


def test_sixes_are_wild_in_openspiels_game_alone() -> None:
    history = [*ROLL, "[Bid: 4, 3]", CALL]  # two 3s and two 6s
    assert games.make("liars_dice", variant="openspiel").replay(history).returns() == (1.0, -1.0)
    published: Any = games.make("liars_dice").replay(history)
    assert (published.dice_left, published.returns()) == ((4, 5), (0.0, 0.0))


def test_who_loses_the_last_die_loses_the_game() -> None:
    game = games.make("liars_dice", dice=1)
    assert game.replay(["3", "5", "[Bid: 1, 5]", CALL]).returns() == (1.0, -1.0)
    assert game.replay(["3", "5", "[Bid: 2, 5]", CALL]).returns() == (-1.0, 1.0)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_the_others_dice_make_no_difference_to_what_a_player_knows(seed: int, data: st.DataObject) -> None:
    """In every round, whatever all of them show: games.check swaps all of them in the first round only."""
    path = random_game(seed)
    rolled = data.draw(st.sampled_from([s for s in path if s.player in (0, 1)]))
    for player in (0, 1):
        hidden = data.draw(st.lists(st.sampled_from("123456"), min_size=5, max_size=5))
        start = len(rolled.history) - rolled.bids - sum(rolled.dice_left)
        first, n = (start, rolled.dice_left[0]) if player == 1 else (start + rolled.dice_left[0], rolled.dice_left[1])
        other = rolled.game.replay([*rolled.history[:first], *hidden[:n], *rolled.history[first + n :]])
        assert other.information(player) == rolled.information(player)
        assert other.known(player) == rolled.known(player)
        assert other.legal_actions() == rolled.legal_actions()
        assert dialogue.observe(other, player) == dialogue.observe(rolled, player)


def test_the_order_of_the_own_dice_means_nothing() -> None:
    game = games.make("liars_dice")
    assert game.replay([*"32111", *ROLL[5:]]).information(0) == game.replay(ROLL).information(0)


@pytest.mark.parametrize(
    ("history", "text", "reason"),
    [
        ([], CALL, "legal: [Bid: 1, 1], [Bid: 1, 2], ..., [Bid: 10, 5], [Bid: 10, 6]"),
        (["[Bid: 2, 5]"], "[Bid: 3, 4]", "legal after [Bid: 2, 5]: [Bid: 2, 6], [Bid: 3, 5], ..., [Bid: 10, 6], "),
        (["[Bid: 2, 5]"], "[Bid: 2, 5]", "is not legal here"),
        (["[Bid: 2, 5]"], "[Bid: 2,6]", "is not legal here"),
        (["[Bid: 2, 5]"], "[Bid: 11, 6]", "is not legal here"),
        (["[Bid: 10, 6]"], "[Bid: 10, 6]", "legal after [Bid: 10, 6]: [Call]"),
        ([], "[Bid: 0, 6]", "is not legal here"),
    ],
)
def test_replies_that_are_refused(history: list[str], text: str, reason: str) -> None:
    read = games.make("liars_dice").replay([*ROLL, *history]).read(text)
    assert isinstance(read, Invalid)
    assert reason in read.reason
    assert len(read.reason) < 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dice": 0}, "dice=0: each player starts with 1 to 5 dice"),
        ({"dice": 6}, "dice=6"),
        ({"dice": 2.0}, "dice=2.0"),
        ({"variant": "wild"}, "variant='wild' is unknown; known: published, openspiel"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        games.make("liars_dice", **options)


def test_what_a_player_reads() -> None:
    state = games.make("liars_dice").replay([*ROLL, "[Bid: 3, 3]", CALL, *"1245", *"16666", "[Bid: 2, 4]"])
    text = dialogue.observe(state, 1)
    assert text.startswith("[GAME] You are Player 1 in Liar's Dice. Dice left: you 5, Player 0 4.\n")
    assert text.splitlines()[-4:] == [
        "[GAME] Last round: Player 1 called [Bid: 3, 3]; the count was 2. Player 0 lost a die.",
        "[GAME] Your dice are 1 6 6 6 6.",
        "[Player 0] [Bid: 2, 4]",
        "Available Moves: [Call], or [Bid: q, f] with q from 2 to 9 and f from 4 to 6, except [Bid: 2, 4]",
    ]
    assert len(text) < 600


@pytest.mark.parametrize("options", GAMES)
def test_the_ranges_in_the_text_are_the_legal_bids(options: dict[str, Any]) -> None:
    for seed in range(20):
        for state in random_game(seed, call=0.05, **options):
            if state.player not in (0, 1):
                continue
            line = dialogue.observe(state, state.player).splitlines()[-1].removeprefix("Available Moves: ")
            assert set(state.legal_actions()) == bids_in(line)


def bids_in(line: str) -> set[str]:
    """The actions that the last line of the text allows, read as a person would."""
    found = {CALL} if "[Call]" in line else set()
    if box := re.search(r"q from (\d+) to (\d+) and (?:any f|f from (\d+) to 6)", line):
        low, high, face = (int(number or 1) for number in box.groups())
        found |= {f"[Bid: {q}, {f}]" for q in range(low, high + 1) for f in range(face, 7)}
    if same := re.search(r"q (\d+) and f above (\d+)", line):
        found |= {f"[Bid: {same[1]}, {f}]" for f in range(int(same[2]) + 1, 7)}
    return found - set(re.findall(r"except (.*)", line))
