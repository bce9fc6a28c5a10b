"""Snake and liar's dice in lockstep with TextArena's environments, whose random draws are replaced by ours.

TextArena is in the peers' environment: .venv-peers/bin/python -m pytest tests/games/test_textarena_lockstep.py
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from spiral_lite import games
from spiral_lite.games import CHANCE, TERMINAL, State
from spiral_lite.games.liars_dice import BIDS, CALL
from spiral_lite.games.snake import CELL, LEGAL, MOVES, NAME, VARIANTS

GAMES = 1000


def random_path(game: games.Game, seed: int, choose: Callable[[Any, random.Random], str]) -> list[Any]:
    """The states of one game."""
    rng, state = random.Random(seed), game.initial_state()
    path: list[State] = [state]
    while state.player != TERMINAL:
        state = state.apply(state.sample_chance(rng) if state.player == CHANCE else choose(state, rng))
        path.append(state)
    return path


def drawn_in(path: list[Any]) -> list[tuple[Any, str]]:
    """(chance node, outcome) of a game."""
    return [(state, new.history[-1]) for state, new in itertools.pairwise(path) if state.player == CHANCE]


def mostly_careful(state: Any, rng: random.Random) -> str:
    """A move of a snake that often keeps off walls and bodies, so that games go on, and sometimes bites."""
    x, y = state.snakes[state.player][0]
    cells = {move: (x + dx, y + dy) for move, (dx, dy) in MOVES.items()}
    taken = {cell for snake in state.snakes for cell in snake}
    inside = [move for move, cell in cells.items() if cell in NAME]
    safe = [move for move in inside if cells[move] not in taken]
    care = rng.random()
    return rng.choice(safe if safe and care < 0.7 else inside if care < 0.95 else LEGAL)


def raise_or_call(state: Any, rng: random.Random) -> str:
    """A call, a bid a little higher than the last, or any."""
    legal = state.legal_actions()
    if CALL in legal and rng.random() < 0.2:
        return CALL
    return rng.choice(legal[: rng.choice((3, 60))])


class Cells:
    """Stands in for the `random` of TextArena's Snake: it draws our cells, and notes which it might have drawn."""

    def __init__(self, cells: list[tuple[int, int]]) -> None:
        self.first, self.second, *apples = cells
        self.apples, self.offered = iter(apples), []

    def shuffle(self, cells: list[tuple[int, int]]) -> None:
        cells.sort(key=lambda cell: (cell == self.first) - (cell == self.second))  # it takes the last, then the first

    def choice(self, cells: list[tuple[int, int]]) -> tuple[int, int]:
        self.offered.append(set(cells))
        return next(self.apples, cells[0])  # it draws even when the game is over


@pytest.mark.parametrize("variant", VARIANTS)
def test_snake(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("textarena.envs.Snake.env")
    seen: Counter[Any] = Counter()
    for seed in range(GAMES):
        path = random_path(games.make("snake", variant=variant), seed, mostly_careful)
        drawn = drawn_in(path)
        cells = Cells([CELL[outcome] for _, outcome in drawn])
        monkeypatch.setattr(published, "random", cells)
        theirs, done = published.SnakeEnv(width=5, height=5, num_apples=2, max_turns=40), False
        theirs.reset(num_players=2, seed=0)
        board = theirs.state.game_state
        for state, new in itertools.pairwise(path):
            if state.player in (0, 1):
                assert theirs.state.current_player_id == state.player
                assert not done
                done, _ = theirs.step(new.history[-1])
            if new.player in (0, TERMINAL):
                assert tuple(tuple(board["snakes"][p].positions) for p in (0, 1)) == new.snakes
                assert tuple(board["snakes"][p].alive for p in (0, 1)) == new.alive
                assert sorted(board["apples"]) == sorted(new.apples) or new.player == TERMINAL
        assert done == (not all(path[-1].alive))
        if not done:
            theirs.step("[up]")  # its 41st move
        assert (theirs.state.rewards[0], theirs.state.rewards[1]) == path[-1].returns()
        if variant == "published":
            ours = [{CELL[name] for name, _ in state.chance_outcomes()} for state, _ in drawn[2:]]
            assert cells.offered[: len(ours)] == ours
        seen["result", path[-1].returns()[0]] += 1
        seen["dead", path[-1].alive.count(False)] += 1
        seen["eaten"] += sum(map(len, path[-1].snakes)) - 2
        seen["before a head"] += sum((1, CELL[outcome]) in state.heads for state, outcome in drawn)
    assert (seen.pop("before a head") > 10) == (variant == "published")
    assert len(seen) == 3 + 3 + 1  # every result, and 0, 1 and 2 dead at the end
    assert min(seen.values()) > 10


def test_liars_dice(monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("textarena.envs.LiarsDice.env")
    results: Counter[float] = Counter()
    for seed in range(GAMES):
        path = random_path(games.make("liars_dice"), seed, raise_or_call)
        rolls = iter([int(outcome) for _, outcome in drawn_in(path)])

        class Rolls:  # stands in for its `random`; it rolls even when the game is over
            @staticmethod
            def randint(low: int, high: int, rolls: Any = rolls) -> int:
                assert (low, high) == (1, 6)
                return next(rolls, 1)

        monkeypatch.setattr(published, "random", Rolls)
        theirs, done = published.LiarsDiceEnv(num_dice=5), False
        theirs.reset(num_players=2, seed=0)
        losses: list[tuple[int, str]] = []
        lose = theirs._apply_die_loss
        theirs._apply_die_loss = lambda *said, lose=lose, losses=losses: (losses.append(said), lose(*said))
        for ours, new in itertools.pairwise(path):
            if ours.player == CHANCE:
                continue
            table = theirs.state.game_state
            assert not done
            assert theirs.state.current_player_id == ours.player
            assert tuple(table["remaining_dice"].values()) == ours.dice_left
            assert [tuple(sorted(table["dice_rolls"][p])) for p in (0, 1)] == [ours.dice_of(p) for p in (0, 1)]
            bids = {text for text, bid in BIDS.items() if theirs._is_valid_bid(*bid, table["current_bid"])[0]}
            possible = {text for text in bids if BIDS[text].quantity <= sum(ours.dice_left)}
            assert possible == set(ours.legal_actions()) - {CALL}
            done, _ = theirs.step(new.history[-1])
            if new.history[-1] == CALL:
                (loser, message), played = losses.pop(), new.finished[0][-1]
                assert loser == played.loser
                assert f" is {played.showing}, which is " in message
        assert done
        assert (theirs.state.rewards[0], theirs.state.rewards[1]) == path[-1].returns()
        results[path[-1].returns()[0]] += 1
    assert min(results[1.0], results[-1.0]) > GAMES / 4
