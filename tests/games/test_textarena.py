"""Held-out games against TextArena, move for move: `make peers`, then
`.venv-peers/bin/python -m pytest tests/games/test_textarena.py`."""

from __future__ import annotations

import random
from typing import Any

import pytest

from spiral_lite import games
from spiral_lite.games import CHANCE, TERMINAL

textarena = pytest.importorskip("textarena")

PUBLISHED = {"nim": "Nim-v0-raw", "connect_four": "ConnectFour-v0-raw"}


def public(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """The board in our state and in TextArena's."""
    shown = theirs.state.game_state
    if ours.game.name == "nim":
        return list(ours.piles), shown["piles"]
    return ours.board, "".join("".join(row) for row in shown["board"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_board_games_agree(name: str) -> None:
    rng = random.Random(0)
    for seed in range(200):
        ours, theirs, done = games.make(name).initial_state(), textarena.make(PUBLISHED[name]), False
        theirs.reset(num_players=2, seed=seed)
        while ours.player != TERMINAL:
            assert not done
            assert ours.player == theirs.state.current_player_id
            action = rng.choice(ours.legal_actions())
            ours, (done, _) = ours.apply(action), theirs.step(action)
            our_board, their_board = public(ours, theirs)
            assert our_board == their_board
        assert done
        assert ours.returns() == tuple(theirs.state.rewards[player] for player in (0, 1))


def test_pig_agrees_but_for_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """TextArena's limit counts actions, so it is set far away; its dice are ours."""
    from textarena.envs.PigDice.env import PigDiceEnv

    by_score = 0
    for seed in range(200):
        rng, ours = random.Random(seed), games.make("pig_dice").initial_state()
        theirs, done = PigDiceEnv(winning_score=50, max_turns=10**6), False
        theirs.reset(num_players=2)
        while ours.player != TERMINAL:
            assert not done
            assert ours.player == theirs.state.current_player_id
            action = rng.choice(ours.legal_actions())
            ours = ours.apply(action)
            if ours.player == CHANCE:
                face = ours.sample_chance(rng)
                monkeypatch.setattr("random.randint", lambda low, high, face=face: int(face))
                ours = ours.apply(face)
            done, _ = theirs.step(action)
            assert ours.information(0)["scores"] == theirs.state.game_state["scores"]
        assert done == (max(ours.information(0)["scores"]) >= 50)
        if done:
            by_score += 1
            assert ours.returns() == tuple(theirs.state.rewards[player] for player in (0, 1))
    assert 100 < by_score < 200
