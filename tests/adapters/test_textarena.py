"""TextArena's environments as games of ours: `make peers`, then .venv-peers/bin/python -m pytest tests/adapters."""

from __future__ import annotations

import random
import sys

import pytest

from spiral_lite import dialogue, games, players
from spiral_lite.adapters.textarena import TextArenaGame
from spiral_lite.games import Invalid, State
from spiral_lite.rollout import play

pytest.importorskip("textarena", reason="TextArena lives in .venv-peers: make peers")

CELLS = tuple(f"[{cell}]" for cell in range(9))
TIC_TAC_TOE = TextArenaGame("TicTacToe-v0", CELLS, seeds=3)
KUHN = TextArenaGame("KuhnPoker-v0", ("[check]", "[bet]", "[call]", "[fold]"), seeds=50)
NIM = TextArenaGame("Nim-v0", tuple(f"[{pile} {taken}]" for pile in range(3) for taken in range(1, 6)), seeds=2)
GAMES = pytest.mark.parametrize("game", [TIC_TAC_TOE, KUHN, NIM], ids=lambda game: game.env_id)


@GAMES
def test_it_keeps_the_contract(game: TextArenaGame) -> None:
    games.check(game, playouts=3)


def test_tic_tac_toe_is_ours() -> None:
    """Move for move: legal actions, player to move, end and returns."""
    ours, rng = games.make("tic_tac_toe"), random.Random(0)
    for seed in range(8):
        mine: State = ours.initial_state()
        theirs: State = TIC_TAC_TOE.initial_state().apply(f"seed {seed % 3}")
        while mine.player != games.TERMINAL:
            assert (mine.player, mine.legal_actions()) == (theirs.player, theirs.legal_actions())
            action = rng.choice(mine.legal_actions())
            mine, theirs = mine.apply(action), theirs.apply(action)
        assert (mine.player, mine.returns()) == (theirs.player, theirs.returns())


@GAMES
def test_players_play_it(game: TextArenaGame) -> None:
    episodes = play(game, (players.random_player(), players.random_player()), 6, seed=1)
    assert all(episode.ended == "rules" for episode in episodes)
    assert {abs(value) for episode in episodes for value in episode.returns} <= {0.0, 1.0}
    again = play(game, (players.random_player(), players.random_player()), 6, seed=1)
    assert [episode.history for episode in again] == [episode.history for episode in episodes]


def test_a_player_reads_what_textarena_tells_him_and_no_more() -> None:
    cards = set()
    for seed in range(12):
        state = KUHN.initial_state().apply(f"seed {seed}")
        mine, others = (dialogue.observe(state, player) for player in (0, 1))
        mine_card, others_card = (text.split("Your card is: '")[1][0] for text in (mine, others))
        assert mine_card != others_card
        assert f"Your card is: '{others_card}'" not in mine
        cards.add((mine_card, others_card))
    assert len(cards) > 2, "the seed deals"


def test_states_do_not_change_and_can_be_taken_up_again() -> None:
    state = KUHN.initial_state().apply("seed 7")
    before = (state.information(0), state.information(1))
    state.apply("[bet]").apply("[fold]")
    state.apply("[check]")
    assert (state.information(0), state.information(1)) == before


def test_an_invalid_move_is_told_with_textarenas_reason() -> None:
    state = TIC_TAC_TOE.initial_state().apply("seed 0").apply("[4]")
    for wrong, reason in (("[4]", "already occupied"), ("[9]", "Must be between 0 and 8"), ("four", "correct format")):
        read = state.read(wrong)
        assert isinstance(read, Invalid)
        assert reason in read.reason
    assert state.read("I take [5]") == "I take [5]", "what the environment accepts is an action"
    with pytest.raises(ValueError, match="already occupied"):
        state.apply("[4]")


def test_the_process_wide_generators_are_left_alone() -> None:
    random.seed(5)
    before = random.getstate()
    play(KUHN, (players.random_player(), players.random_player()), 2, seed=9)
    assert random.getstate() == before


def test_only_games_for_two() -> None:
    with pytest.raises(ValueError, match="is no game for two players"):
        TextArenaGame("GuessTheNumber-v0", ("[1]",)).initial_state().apply("seed 0").legal_actions()


def test_moves_are_yours_to_give() -> None:
    with pytest.raises(ValueError, match="TextArena lists no moves, so give some"):
        TextArenaGame("TicTacToe-v0")


def test_without_textarena_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textarena", None)
    with pytest.raises(ImportError, match="pip install textarena"):
        TextArenaGame("Chess-v0", ("[e2e4]",)).initial_state().apply("seed 0").legal_actions()
