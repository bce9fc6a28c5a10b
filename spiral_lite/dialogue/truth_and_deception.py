"""What a player of Truth and Deception reads: role and facts, what was said, what may be said or chosen."""

from __future__ import annotations

from spiral_lite.dialogue.observations import describes
from spiral_lite.games.truth_and_deception import CHOICES, LONGEST, Known

CHOOSE = f"the last turn is Player 1's choice, {CHOICES[0]} or {CHOICES[1]}"


@describes("truth_and_deception")
def truth_and_deception(known: Known) -> str:
    text = f"[GAME] You are Player {known.you} in Truth and Deception. One of two facts is true.\n"
    text += "".join(f"Fact {number}: {fact}\n" for number, fact in enumerate(known.facts, start=1))
    if known.you == 1:
        text += "Find out which; Player 0 knows it, and wins if you choose the false one.\n"
    elif known.truth is not None:
        text += f"Only you know that Fact {known.truth + 1} is true. You win if Player 1 chooses the false one.\n"
    text += f"You talk in turn, at most {LONGEST} characters each; {CHOOSE}.\n"
    text += "".join(f"[Player {turn % 2}] {words}\n" for turn, words in enumerate(known.said))
    listed = ", ".join(known.legal)
    moves = f"any words, such as {listed}" if known.turns_left > 1 else listed
    return f"{text}Turns left: {known.turns_left}\nAvailable Moves: {moves}"
