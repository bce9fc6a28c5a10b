"""What a player of Pig reads: rules, scores, this turn's rolls, what is left. Read `games/pig_dice.py` before this."""

from __future__ import annotations

from functools import cache

from spiral_lite.dialogue.observations import describes
from spiral_lite.games.pig_dice import TARGET, TURNS, Known, PigDice


@describes("pig_dice")
def _pig_dice(known: Known) -> str:
    you, scores, rolls, turns_left, actions_left, legal = known
    return (
        f"{_rules(you)}"
        f"Your score: {scores[you]}. Player {1 - you}'s score: {scores[1 - you]}.\n"
        f"Your rolls: {', '.join(map(str, rolls)) or 'none'}. Turn total: {sum(rolls)}.\n"
        f"Left: {turns_left} turns, {actions_left} moves.\n"
        f"Available Moves: {', '.join(legal)}"
    )


@cache
def _rules(you: int) -> str:
    return (
        f"[GAME] You are Player {you} in Pig Dice.\n"
        "[roll] a die: 2 to 6 adds to your turn total, a 1 loses it and ends your turn.\n"
        "[hold] adds your turn total to your score and ends your turn.\n"
        f"The first to score {TARGET} wins; after {TURNS} turns or {PigDice.max_turns} moves, the higher score.\n"
    )
