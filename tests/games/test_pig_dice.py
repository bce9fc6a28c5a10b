"""Pig against OpenSpiel, and its two limits."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from spiral_lite import dialogue, games
from spiral_lite.games import CHANCE, TERMINAL
from spiral_lite.games.pig_dice import TURNS

PIG = games.make("pig_dice")


def play(seed: int, roll: float = 0.5) -> Any:
    """A game of players who roll with this probability."""
    rng, state = random.Random(seed), PIG.initial_state()
    while state.player != TERMINAL:
        chosen = "[roll]" if rng.random() < roll else "[hold]"
        state = state.apply(state.sample_chance(rng) if state.player == CHANCE else chosen)
    return state


def test_random_playouts_agree_with_openspiel() -> None:
    """OpenSpiel's pig has no limit of turns, so its game goes on where ours ends there: then its scores must agree. It
    takes [roll] away where [hold] wins at once."""
    pyspiel = pytest.importorskip("pyspiel")
    theirs_game, rng = pyspiel.load_game("pig(winscore=50,horizon=1000)"), random.Random(0)
    ended = {"by score": 0, "by turns": 0}
    for game in range(1000):
        ours: Any = PIG.initial_state()
        theirs, roll = theirs_game.new_initial_state(), rng.choice((0.5, 0.8))
        while ours.player != TERMINAL:
            assert ours.player == theirs.current_player(), game
            if ours.player == CHANCE:
                outcomes = {str(face + 1): chance for face, chance in theirs.chance_outcomes()}
                assert dict(ours.chance_outcomes()) == pytest.approx(outcomes)
                action = ours.sample_chance(rng)
                ours, theirs = ours.apply(action), theirs.child(int(action) - 1)
            else:
                assert ours.legal_actions() == ("[roll]", "[hold]")
                wins = ours.scores[ours.player] + sum(ours.rolls) >= 50
                assert theirs.legal_actions() == ([1] if wins else [0, 1])
                held = wins or rng.random() > roll
                ours, theirs = ours.apply(("[roll]", "[hold]")[held]), theirs.child(int(held))
            first, second, total = map(int, re.findall(r"\d+", str(theirs))[:3])
            assert (ours.scores, sum(ours.rolls)) == ((first, second), total)
        if theirs.is_terminal():
            ended["by score"] += 1
            assert list(ours.returns()) == theirs.returns()
        else:
            ended["by turns"] += 1
            assert ours.turns == TURNS
            assert ours.returns()[0] == (ours.scores[0] > ours.scores[1]) - (ours.scores[0] < ours.scores[1])
    assert min(ended.values()) > 20


def test_a_score_wins_and_a_total_does_not() -> None:
    state = PIG.replay(["[roll]", "6"] * 9)
    assert (state.player, state.returns()) == (0, (0.0, 0.0))
    assert PIG.replay(["[roll]", "6"] * 9 + ["[roll]", "1"]).player == 1
    won = state.apply("[hold]")
    assert (won.player, won.returns(), won.legal_actions()) == (TERMINAL, (1.0, -1.0), ())


def test_a_one_loses_the_turn_but_not_the_score() -> None:
    state: Any = PIG.replay(["[roll]", "5", "[hold]", "[hold]", "[roll]", "6", "[roll]", "1"])
    assert (state.scores, state.player, state.rolls) == ((5, 0), 1, ())


@pytest.mark.parametrize(
    ("opening", "returns"),
    [
        (["[hold]", "[hold]"], (0.0, 0.0)),
        (["[roll]", "2", "[hold]", "[hold]"], (1.0, -1.0)),
        (["[roll]", "2", "[hold]", "[roll]", "3", "[hold]"], (-1.0, 1.0)),
    ],
)
def test_after_fifty_turns_the_higher_score_wins(opening: list[str], returns: tuple[float, float]) -> None:
    state = PIG.replay(opening + ["[hold]"] * 47)
    assert (state.player, state.returns()) == (1, (0.0, 0.0))
    assert (state.apply("[hold]").player, state.apply("[hold]").returns()) == (TERMINAL, returns)
    assert state.apply("[roll]").apply("1").returns() == returns


def test_who_never_holds_meets_the_limit_of_actions() -> None:
    state = PIG.replay(["[roll]", "4", "[hold]"] + ["[roll]", "2"] * 197 + ["[roll]"])
    assert state.player == CHANCE  # the last die is still thrown
    assert state.apply("2").player == state.apply("1").player == TERMINAL
    assert state.apply("2").returns() == state.apply("1").returns() == (1.0, -1.0)
    assert state.information(1)["actions_left"] == 0


def test_a_random_game_is_far_from_the_limit_of_actions() -> None:
    actions = [play(seed).actions for seed in range(500)]
    assert 54 < sum(actions) / len(actions) < 62
    assert max(actions) < 120


def test_what_a_player_reads() -> None:
    text = dialogue.observe(PIG.replay(["[roll]", "6", "[hold]", "[roll]", "2", "[roll]", "5"]), 1)
    assert text.startswith("[GAME] You are Player 1 in Pig Dice.\n")
    assert text.splitlines()[-4:] == [
        "Your score: 0. Player 0's score: 6.",
        "Your rolls: 2, 5. Turn total: 7.",
        "Left: 49 turns, 196 moves.",
        "Available Moves: [roll], [hold]",
    ]
    assert "Your rolls: none. Turn total: 0.\n" in dialogue.observe(PIG.initial_state(), 0)
    assert len(text) < 500
