"""Snake: who dies, the move that the other may not see, where apples appear. Also test_textarena_lockstep.py."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import dialogue, games
from spiral_lite.games import CHANCE, TERMINAL
from spiral_lite.games.snake import BOARD, LEGAL, NAME, VARIANTS, Snake, SnakeState, survivors

FAR = ((0, 4), (4, 4))  # two apples in the upper corners


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_keeps_every_promise(variant: str) -> None:
    games.check(games.make("snake", variant=variant), playouts=30, seed=1)


def random_game(variant: str, seed: int, care: float = 0.95) -> list[Any]:
    """The states of a game whose players mostly keep off walls and bodies, so that it goes on and apples are eaten."""
    rng = random.Random(seed)
    state: Any = games.make("snake", variant=variant).initial_state()
    path = [state]
    while state.player != TERMINAL:
        if state.player == CHANCE:
            action = state.sample_chance(rng)
        else:
            safe = [move for move in LEGAL if survives_alone(state, move)] if rng.random() < care else []
            action = rng.choice(safe or LEGAL)
        state = state.apply(action)
        path.append(state)
    return path


def survives_alone(state: SnakeState, move: str) -> bool:
    cell = after(state.snakes[state.player][0], move)
    return cell in NAME and not any(cell in snake for snake in state.snakes)


def after(cell: tuple[int, int], move: str) -> tuple[int, int]:
    x, y = cell
    return {"[up]": (x, y + 1), "[down]": (x, y - 1), "[left]": (x - 1, y), "[right]": (x + 1, y)}[move]


@pytest.mark.parametrize(
    ("what", "first", "second", "apples", "moves", "alive"),
    [
        ("nothing", [(1, 1)], [(3, 3)], FAR, ("[up]", "[up]"), (True, True)),
        ("a wall", [(0, 1)], [(3, 3)], FAR, ("[left]", "[up]"), (False, True)),
        ("the floor and the ceiling", [(1, 0)], [(3, 4)], FAR, ("[down]", "[up]"), (False, False)),
        ("heads on one cell", [(1, 1)], [(3, 1)], FAR, ("[right]", "[left]"), (False, False)),
        ("heads that change places", [(1, 1)], [(2, 1)], FAR, ("[right]", "[left]"), (False, False)),
        ("a body", [(1, 1)], [(2, 2), (2, 1), (2, 0)], FAR, ("[right]", "[up]"), (False, True)),
        ("the own body", [(1, 1), (1, 2), (2, 2), (2, 1), (3, 1)], [(4, 4)], FAR, ("[right]", "[down]"), (False, True)),
        ("a turn on the spot, three long", [(1, 1), (1, 2), (1, 3)], [(4, 4)], FAR, ("[up]", "[down]"), (False, True)),
        ("a turn on the spot, two long", [(1, 1), (1, 2)], [(4, 4)], FAR, ("[up]", "[down]"), (True, True)),
        ("a tail that moves on", [(1, 1)], [(2, 2), (2, 1)], FAR, ("[right]", "[up]"), (True, True)),
        ("a tail that stays", [(1, 1)], [(2, 2), (2, 1)], ((2, 3),), ("[right]", "[up]"), (False, True)),
        ("a head that stays as a tail", [(1, 1)], [(2, 1)], ((3, 1),), ("[right]", "[right]"), (False, True)),
        ("a body that is gone", [(1, 2)], [(0, 3), (0, 2), (0, 1)], FAR, ("[left]", "[left]"), (True, False)),
        ("each a body", [(1, 1), (1, 2), (0, 2)], [(0, 1), (0, 2), (1, 2)], FAR, ("[up]", "[up]"), (False, False)),
    ],
)
def test_who_dies(what: str, first: Any, second: Any, apples: Any, moves: tuple[str, str], alive: Any) -> None:
    for order in (1, -1):  # it makes no difference who of the two is player 0
        snakes = (tuple(first), tuple(second))[::order]
        heads = tuple(after(snake[0], move) for snake, move in zip(snakes, moves[::order]))
        assert survivors(snakes, apples, heads) == alive[::order], what  # type: ignore[arg-type]


LONG, SHORT = ((1, 1), (1, 0), (0, 0)), ((3, 1), (3, 0))


@pytest.mark.parametrize(
    ("snakes", "turns", "moves", "returns"),
    [
        ((SHORT, LONG), 0, ("[right]", "[left]"), None),  # both live
        ((SHORT, LONG), 0, ("[right]", "[down]"), (1.0, -1.0)),  # who lives wins, short or long
        ((SHORT, LONG), 0, ("[down]", "[up]"), None),  # its tail has moved on
        ((SHORT, LONG), 0, ("[left]", "[right]"), (-1.0, 1.0)),  # both die: the longer wins
        ((SHORT, ((1, 1), (0, 1))), 0, ("[left]", "[right]"), (0.0, 0.0)),
        ((LONG, SHORT), 38, ("[up]", "[up]"), (1.0, -1.0)),  # the last turn: the longer wins
        ((SHORT, ((1, 1), (0, 1))), 38, ("[up]", "[up]"), (0.0, 0.0)),
    ],
)
def test_who_wins(snakes: Any, turns: int, moves: tuple[str, str], returns: tuple[float, float] | None) -> None:
    state = SnakeState(Snake(), (), snakes, FAR, turns=turns)
    for move in moves:
        assert state.player == state.turns % 2
        state = state.apply(move)  # type: ignore[assignment]
    assert (state.player == TERMINAL) == (returns is not None)
    assert state.returns() == (returns or (0.0, 0.0))


def test_a_game_ends_after_forty_turns() -> None:
    dance = ["[up]", "[up]", "[down]", "[down]"] * 10
    state: Any = games.make("snake").replay(["1,1", "3,3", "0,4", "4,0", *dance])
    assert (state.player, state.turns, state.returns()) == (TERMINAL, 40, (0.0, 0.0))
    assert games.make("snake").replay(state.history[:-1]).player == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), variant=st.sampled_from(VARIANTS))
def test_player_1_cannot_see_the_move_that_he_must_answer(seed: int, variant: str) -> None:
    for state in random_game(variant, seed):
        if state.player != 0:
            continue
        seen = {repr((s.information(1), s.known(1), dialogue.observe(s, 1))) for s in map(state.apply, LEGAL)}
        assert seen == {repr((state.information(1), state.known(1), dialogue.observe(state, 1)))}
        assert [state.apply(move).information(0)["chosen"] for move in LEGAL] == list(LEGAL)
        assert "[Player 0] [left]" in dialogue.observe(state.apply("[left]"), 0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_board_stays_whole(seed: int) -> None:
    """In the textbook game nothing overlaps, snakes hang together, and two apples wait whenever a player moves."""
    eaten, path = 0, random_game("textbook", seed)
    for before, state in itertools.pairwise(path):
        cells = [cell for snake in state.snakes for cell in snake] + list(state.apples)
        if all(state.alive):
            assert len(set(cells)) == len(cells)
            assert set(cells) <= set(BOARD)
        for snake in state.snakes:
            assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in itertools.pairwise(snake))
        if state.player in (0, 1):
            assert len(state.apples) == 2
        eaten += max(0, len(before.apples) - len(state.apples))
        assert sum(map(len, state.snakes)) == len(state.snakes) + eaten


def test_where_things_start() -> None:
    state: Any = games.make("snake").initial_state()
    assert {name for name, _ in state.chance_outcomes()} == {f"{x},{y}" for x in (1, 2, 3) for y in (1, 2, 3)}
    farthest = {"1,1": {"3,3"}, "1,2": {"3,1", "3,3"}, "2,2": {"1,1", "1,3", "3,1", "3,3"}}
    for first, others in farthest.items():
        assert {name for name, _ in state.apply(first).chance_outcomes()} == others
    for variant, left in (("textbook", 22), ("published", 23)):
        placed = games.make("snake", variant=variant).replay(["1,1", "3,3", "0,0"])
        assert len(placed.chance_outcomes()) == left  # the published first apples may share a cell


ROUND = ["1,1", "3,3", "1,2", "0,0", "[up]", "[left]"]  # player 0 eats at 1,2 while player 1 goes to 2,3


def test_the_published_apple_may_lie_before_the_other_head() -> None:
    state: Any = games.make("snake", variant="published").replay(ROUND)
    assert "2,3" in dict(state.chance_outcomes())  # player 1 has not moved yet
    assert "3,3" not in dict(state.chance_outcomes())
    state = state.apply("2,3")
    assert [len(snake) for snake in state.snakes] == [2, 2]
    textbook = games.make("snake").replay(ROUND)
    assert "2,3" not in dict(textbook.chance_outcomes())
    assert "3,3" in dict(textbook.chance_outcomes())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("order", [1, -1])
def test_no_apple_appears_on_a_full_board(variant: str, order: int) -> None:
    """One snake fills four rows and bites at its tail, the other eats the last cell of the fifth."""
    ring = [(0, y) for y in range(4)]
    for y in (3, 2, 1, 0):
        ring += [(x, y) for x in range(1, 5)][:: 1 if y % 2 else -1]
    top = [(x, 4) for x in range(4)]
    snakes = (tuple(ring[::-1]), tuple(top[::-1]))[::order]
    state: Any = SnakeState(Snake(variant), (), snakes, ((4, 4),))
    for move in ("[left]", "[right]")[::order]:
        state = state.apply(move)
    assert [len(snake) for snake in state.snakes] == [20, 5][::order]
    assert (state.player, state.alive, state.apples, state.heads) == (0, (True, True), (), ())


def test_what_a_player_reads() -> None:
    state = games.make("snake").replay(["1,1", "3,3", "1,2", "0,0", "[up]", "[left]", "4,4"])
    text = dialogue.observe(state, 1)
    assert text.startswith("[GAME] You are Player 1 in Snake. Your head is 1 and your body i; Player 0 is 0 and o.\n")
    assert text.splitlines()[-8:] == [
        ". . . . A",
        ". . 1 . .",
        ". 0 . . .",
        ". o . . .",
        "A . . . .",
        "Score: you 0, Player 0 1. Moves left: 19",
        "Available Moves: [up], [down], [left], [right]",
        "Next Action:",
    ]
    assert len(text) < 600


def test_wrong_variant() -> None:
    with pytest.raises(ValueError, match="variant='large' is unknown; known: textbook, published"):
        games.make("snake", variant="large")
