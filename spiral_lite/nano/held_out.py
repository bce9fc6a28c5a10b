r"""How the nano corpus answers positions of the games that self-play never trains on: legal, mostly random play.

The base model must be able to move in them, as a large pretrained model can, or nothing could be measured there. So
replies come in the same styles as elsewhere; a careful one says one true thing or two and moves on a rule of thumb
(take the centre, hold at 20 points), which is better than a random move and far from good play.
Read `replies.py` before this, `corpus.py` after.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations

from spiral_lite.games import State, liars_dice
from spiral_lite.games.connect_four import COLUMNS
from spiral_lite.games.mini_hanabi import COLOURS
from spiral_lite.games.pig_dice import HOLD, ROLL, TARGET
from spiral_lite.games.snake import MOVES, SIZE
from spiral_lite.games.truth_and_deception import CHOICES

Answer = tuple[str, str]  # (reasoning, action)
Writer = Callable[[State, str, random.Random], Answer]

ENOUGH = 20  # points of a turn at which a careful player of pig holds
CENTRE = (3, 4, 5, 7, 5, 4, 3)  # fours through the lowest cell of each column of connect four


def nim(state: State, pattern: str, rng: random.Random, given: str | None = None) -> Answer:
    """Takes the last pile, or anything; or what is given."""
    piles = state.information(state.player)["piles"]
    left = [pile for pile, size in enumerate(piles) if size]
    action = given or (rng.choice(state.legal_actions()) if len(left) > 1 else f"[{left[0]} {piles[left[0]]}]")
    taken, total = int(action[3:-1]), sum(piles)
    if pattern == "case_by_case":
        return ", ".join(f"pile {pile} has {piles[pile]}" for pile in left) + ".", action
    if pattern == "expected_value":
        return f"{total} - {taken} = {total - taken} are left.", action
    return "One pile, take it all." if len(left) == 1 else f"{len(left)} piles.", action


def _connect_four(state: State, pattern: str, rng: random.Random) -> Answer:
    """The column nearest to the centre, of three free ones."""
    free = [column for column in range(COLUMNS) if f"[{column}]" in state.legal_actions()]
    seen = sorted(rng.sample(free, min(3, len(free))))
    best = rng.choice([column for column in seen if CENTRE[column] == max(CENTRE[c] for c in seen)])
    if pattern == "case_by_case":
        return f"Free are {' '.join(map(str, seen))}. Best free is {best}.", f"[{best}]"
    if pattern == "expected_value":
        return f"{', '.join(f'{column} is {CENTRE[column]}' for column in seen)}. Best is {best}.", f"[{best}]"
    return f"Column {best} is {abs(best - COLUMNS // 2)} from the centre.", f"[{best}]"


def _pig_dice(state: State, pattern: str, rng: random.Random) -> Answer:
    """Holds at ENOUGH points, or where they win."""
    known = state.information(state.player)
    total, score = sum(known["rolls"]), known["scores"][known["you"]]
    wins, enough = score + total >= TARGET, total >= ENOUGH
    action = HOLD if wins or enough else ROLL
    if pattern == "case_by_case":
        return f"Hold gives {score} + {total} = {score + total}. A 1 loses {total}.", action
    if pattern == "expected_value":
        return f"{ENOUGH} - {total} = {ENOUGH - total}, a roll is worth {ENOUGH - total} / 6.", action
    return "It wins." if wins else f"{total} is {'not ' if not enough else ''}enough.", action


def _snake(state: State, pattern: str, rng: random.Random) -> Answer:
    """Any move that stays on the board and off the bodies."""
    known = state.information(state.player)
    x, y = known["snakes"][known["you"]][0]
    taken = {
        tuple(cell) for snake, alive in zip(known["snakes"], known["alive"], strict=True) if alive for cell in snake
    }
    ends = {move: (x + right, y + up) for move, (right, up) in MOVES.items()}
    inside = [move for move, cell in ends.items() if min(cell) >= 0 and max(cell) < SIZE]
    safe = [move for move in inside if ends[move] not in taken] or list(MOVES)
    action = rng.choice(safe)
    if pattern == "case_by_case":
        return f"Walls {_names(m for m in MOVES if m not in inside)}. Free {_names(safe)}.", action
    if pattern == "expected_value":
        return f"{', '.join(f'{move[1:-1]} is {int(move in safe)}' for move in MOVES)}.", action
    return f"My head is in row {SIZE - 1 - y} column {x}.", action


def _names(moves: object) -> str:
    return " ".join(move[1:-1] for move in moves) or "none"  # type: ignore[attr-defined]


def _liars_dice(state: State, pattern: str, rng: random.Random) -> Answer:
    """Calls a bid of more than half of the other's dice above what it holds; otherwise bids, seldom high."""
    known = state.information(state.player)
    legal = state.legal_actions()
    theirs = known["dice_left"][1 - known["you"]]
    bids = [liars_dice.BIDS[action] for action in legal if action in liars_dice.BIDS]
    last = liars_dice.BIDS[known["actions"][-1]] if known["actions"] else None
    if last and (not bids or last.quantity > known["dice"].count(last.face) + (theirs + 1) // 2):
        action, about = "[Call]", last
    else:
        lowest = min(bid.quantity for bid in bids)
        about = rng.choice([bid for bid in bids if bid.quantity <= lowest + 1])
        action = str(about)
    mine = known["dice"].count(about.face)
    if pattern == "case_by_case":
        return f"I have {mine} of {about.face}, they have {theirs} dice.", action
    if pattern == "expected_value":
        need = about.quantity - mine
        return f"{about.quantity} - {mine} = {need} of their {theirs} dice.", action
    return f"My dice are {' '.join(map(str, known['dice']))}.", action


def _truth_and_deception(state: State, pattern: str, rng: random.Random) -> Answer:
    """The deceiver names the wrong fact; the guesser chooses the right one, as far as a model knows the world."""
    truth = state.truth  # type: ignore[attr-defined]
    deceives = state.player == 0
    named = 1 - truth if deceives else truth
    if CHOICES[named] in state.legal_actions():
        action = CHOICES[named]
    else:
        action = f"[Fact {named + 1} is true.]" if deceives else f"[I think Fact {named + 1} is true.]"
    if pattern == "case_by_case":
        order = [f"Fact {place + 1} is {'right' if place == truth else 'wrong'}" for place in (0, 1)]
        return f"{', '.join(order)}.", action
    if pattern == "expected_value":
        return f"Fact {truth + 1} is worth {'-1' if deceives else '1'}.", action
    return f"Fact {truth + 1} fits.", action


def _mini_hanabi(state: State, pattern: str, rng: random.Random) -> Answer:
    """Plays a card that is known to fit, else hints at one of the partner's, else throws one away."""
    known = state.information(state.player)
    due = {colour + str(played + 1) for colour, played in zip(COLOURS, known["played"], strict=True)}
    mine = [place for place, may_be in enumerate(known["yours"]) if _cards(may_be) <= due]
    theirs = [place for place, card in enumerate(known["others"]) if card in due]
    if mine:
        action = f"[Play {mine[0]}]"
    elif theirs and known["hints"]:
        action = f"[Hint {rng.choice(known['others'][theirs[0]])}]"
    else:
        action = short(rng.choice([move for move in state.legal_actions() if "Play" not in move]))
    if pattern == "case_by_case":
        return f"Mine that fit: {_numbers(mine)}. Theirs that fit: {_numbers(theirs)}.", action
    if pattern == "expected_value":
        return f"{len(mine)} of mine fit, {len(theirs)} of theirs.", action
    return f"Next are {' '.join(sorted(due))}.", action


def _cards(may_be: str) -> set[str]:
    """What "RY12" stands for."""
    return {a + b for a, b in combinations(may_be, 2) if a in COLOURS and b not in COLOURS}


def _numbers(places: list[int]) -> str:
    return " ".join(map(str, places)) or "none"


def short(action: str) -> str:
    """An action as a player writes it: a hint without the places of the cards."""
    return action.split(" at ")[0] + "]" if " at " in action else action


CAREFUL: dict[str, Writer] = {
    "nim": nim,
    "connect_four": _connect_four,
    "pig_dice": _pig_dice,
    "snake": _snake,
    "liars_dice": _liars_dice,
    "truth_and_deception": _truth_and_deception,
    "mini_hanabi": _mini_hanabi,
}
