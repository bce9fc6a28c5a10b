r"""How the nano corpus answers a position: careful replies in three patterns, and careless ones.

A careful reply computes what it says (which lines are open, what a call is worth) and then moves on it; a careless one
names a random legal move. Nothing but the reasoning itself marks which is better. Careful Kuhn replies are sensible but
no equilibrium (`KUHN_BETS`), so that self-play has both to learn: to reason, and how to mix.
Read `problems.py` for the same patterns on problems, `held_out.py` after this.
"""

from __future__ import annotations

import random
from typing import Any

from spiral_lite.games import State
from spiral_lite.games.kuhn_poker import CARDS
from spiral_lite.games.kuhn_poker import LEGAL as KUHN_LEGAL
from spiral_lite.games.offers import said_in
from spiral_lite.games.tic_tac_toe import EMPTY, LINES, MARKS
from spiral_lite.nano import held_out
from spiral_lite.nano.problems import OPENINGS

CELL_WORTH = (3, 2, 3, 2, 4, 2, 3, 2, 3)  # lines through each cell of tic-tac-toe
WIN, BLOCK = 9, 8  # worth of a cell that ends the game, or stops the other from ending it
MOST_RATED = 5  # cells that an expected-value reply rates

# Probability that a careful reply bets (or calls), by situation and card.
KUHN_BETS = {
    "": {"J": 0.35, "Q": 0.30, "K": 0.70},  # first to act
    "k": {"J": 0.40, "Q": 0.35, "K": 0.90},  # after a check
    "b": {"J": 0.03, "Q": 0.50, "K": 0.97},  # facing a bet
    "kb": {"J": 0.03, "Q": 0.50, "K": 0.97},
}


def careful(state: State, pattern: str, rng: random.Random) -> str:
    """A careful reply of the player to move, in one of `problems.PATTERNS`."""
    return _written(pattern, *_CAREFUL[state.game.name](state, pattern, rng))


def explained(state: State, pattern: str, rng: random.Random, action: str) -> str:
    """The careful reply that ends with this action of an expert (`imitation.py`), reasoning as it must to get there.
    For the games in EXPLAINED; in tic-tac-toe the action must be one of `urgent`, if there are any."""
    return _written(pattern, *EXPLAINED[state.game.name](state, pattern, rng, action))


def _written(pattern: str, reasoning: str, action: str) -> str:
    return f"{OPENINGS[pattern]} {reasoning} So \\boxed{{{action}}}."


def careless(state: State, rng: random.Random) -> str:
    """A random legal move after two words."""
    return f"{OPENINGS['careless']} \\boxed{{{held_out.short(rng.choice(state.legal_actions()))}}}."


def urgent(state: State) -> list[str]:
    """The moves of tic-tac-toe that win at once; where there are none, those that keep the other from it."""
    board, marks = state.information(state.player)["board"], (MARKS[state.player], MARKS[1 - state.player])
    return [f"[{cell}]" for cell in _completing(board, marks[0]) or _completing(board, marks[1])]


def _tic_tac_toe(state: State, pattern: str, rng: random.Random, given: str | None = None) -> tuple[str, str]:
    board, me = state.information(state.player)["board"], MARKS[state.player]
    mine, theirs = _cells(board, me), _cells(board, MARKS[1 - state.player])
    free = _cells(board, EMPTY)
    wins, blocks = _completing(board, me), _completing(board, MARKS[1 - state.player])
    choice = int(given[1:-1]) if given else None
    seen = f"mine {_numbers(mine)}, theirs {_numbers(theirs)}."
    if pattern == "case_by_case":
        best = _best(wins or blocks or free, rng) if choice is None else choice
        cases = f"I win with {_numbers(wins)}."
        if not wins:
            cases += f" They win with {_numbers(blocks)}."
        if not wins and not blocks:
            cases += f" Best free is {best}."
        return f"{seen} {cases}", f"[{best}]"
    if pattern == "expected_value":
        worths = {cell: WIN if cell in wins else BLOCK if cell in blocks else CELL_WORTH[cell] for cell in free}
        rated = set(wins or blocks)
        if choice is not None:  # against cells that are worth no more: the others may lose later, and are left out
            rated = {choice}
            free = [cell for cell in free if (worths[cell], -cell) <= (worths[choice], -choice)]
        rated |= set(rng.sample(sorted(set(free) - rated), min(len(free), MOST_RATED) - len(rated)))
        worth = {cell: worths[cell] for cell in sorted(rated)}
        best = max(worth, key=lambda cell: worth[cell])
        rating = ", ".join(f"{cell} is {value}" for cell, value in worth.items())
        return f"{seen} {rating}. Best is {best}.", f"[{best}]"
    best = _best(wins or blocks or free, rng) if choice is None else choice
    if wins or blocks:
        owner, marks = ("mine", me) if wins else ("theirs", MARKS[1 - state.player])
        line = rng.choice([line for line in LINES if _gap(board, line, marks) == best])
        return f"{seen} Line {_numbers(line)} is {owner}.", f"[{best}]"
    return f"{seen} No line is open. Best free is {best}.", f"[{best}]"


def _cells(board: str, mark: str) -> list[int]:
    return [cell for cell, held in enumerate(board) if held == mark]


def _numbers(cells: list[int] | tuple[int, ...]) -> str:
    return " ".join(str(cell) for cell in cells) if cells else "none"


def _gap(board: str, line: tuple[int, int, int], mark: str) -> int | None:
    """The free cell of a line whose two other cells hold `mark`."""
    held = [board[cell] for cell in line]
    return line[held.index(EMPTY)] if sorted(held) == sorted([mark, mark, EMPTY]) else None


def _completing(board: str, mark: str) -> list[int]:
    """The cells with which `mark` would have three in a row."""
    gaps = {_gap(board, line, mark) for line in LINES}
    return sorted(cell for cell in gaps if cell is not None)


def _best(cells: list[int], rng: random.Random) -> int:
    """One of the cells with the most lines through it."""
    most = max(CELL_WORTH[cell] for cell in cells)
    return rng.choice([cell for cell in cells if CELL_WORTH[cell] == most])


def _kuhn_poker(state: State, pattern: str, rng: random.Random, given: str | None = None) -> tuple[str, str]:
    card, betting = state.information(state.player)["card"], state.betting  # type: ignore[attr-defined]
    action = given or KUHN_LEGAL[betting][rng.random() < KUHN_BETS[betting][card]]
    beaten = CARDS.index(card)
    if pattern == "case_by_case":
        first, second = [other for other in CARDS if other != card]
        outcome = {other: "win" if CARDS.index(other) < beaten else "lose" for other in CARDS}
        return f"I hold {card}. Against {first} I {outcome[first]}, against {second} I {outcome[second]}.", action
    if pattern == "expected_value":
        stake = 2 if state.game.variant == "textbook" else 1
        facing = f"call is worth {stake * (beaten - 1)}, fold is worth -1" if "b" in betting else f"worth {beaten - 1}"
        return f"I hold {card} and win {beaten} of 2, {facing}.", action
    return f"I hold {card}, the {('lowest', 'middle', 'highest')[beaten]} card.", action


def _simple_negotiation(state: State, pattern: str, rng: random.Random, given: str | None = None) -> tuple[str, str]:
    information = state.information(state.player)
    values, offer = information["values"], information["offer"]
    ranked = sorted(values, key=lambda good: values[good])
    proposed = said_in(given, tuple(values)).offer if given else None
    if given is not None and proposed is not None:
        action, gets, gives = given, proposed.gets._asdict(), proposed.gives._asdict()
    elif offer is None:
        action, gets, gives = _make_offer(information, rng)
    else:
        gets, gives = offer["gives"], offer["gets"]  # the other's offer, seen from here
        action = given or ("[Accept]" if _worth(gets, values) > _worth(gives, values) else "[Deny]")
    income, cost = _worth(gets, values), _worth(gives, values)
    if pattern == "case_by_case":
        return f"Take it: I get {income} and give {cost}. Leave it: I get 0.", action
    if pattern == "expected_value":
        return f"{_valued(gets, values)}. {_valued(gives, values)}. {income} - {cost} = {income - cost}.", action
    return f"{ranked[-1]} is my best, {ranked[0]} my worst. I get {' '.join(gets)}.", action


def _make_offer(information: dict[str, Any], rng: random.Random) -> tuple[str, dict[str, int], dict[str, int]]:
    """An offer that gives a little of a bad good for a little of the best to be had: (action, gets, gives)."""
    mine, theirs = information["inventories"][information["you"]], information["inventories"][1 - information["you"]]
    values = information["values"]
    pairs = [(give, get) for give in values for get in values if give != get and mine[give] and theirs[get]]
    give, get = max(pairs, key=lambda pair: values[pair[1]] - values[pair[0]])
    gives, gets = {give: rng.randint(1, min(3, mine[give]))}, {get: rng.randint(1, min(3, theirs[get]))}
    return f"[Offer: {gives[give]} {give} -> {gets[get]} {get}]", gets, gives


def _worth(amounts: dict[str, int], values: dict[str, int]) -> int:
    return sum(units * values[good] for good, units in amounts.items())


def _valued(amounts: dict[str, int], values: dict[str, int]) -> str:
    """ "2 Gold at 15 is 30"."""
    return ", ".join(f"{units} {good} at {values[good]} is {units * values[good]}" for good, units in amounts.items())


EXPLAINED = {  # writers that reason for a given action, or else choose one
    "tic_tac_toe": _tic_tac_toe,
    "kuhn_poker": _kuhn_poker,
    "simple_negotiation": _simple_negotiation,
    "nim": held_out.nim,
}
_CAREFUL = {**EXPLAINED, **held_out.CAREFUL}
