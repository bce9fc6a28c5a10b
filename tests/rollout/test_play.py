"""Many games at once: the same whatever is in flight, and complete on record."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from spiral_lite import games, players
from spiral_lite.dialogue import game_message, observe
from spiral_lite.games import CHANCE, TERMINAL, ZERO_SUM_FORFEIT, Forfeit
from spiral_lite.games.tic_tac_toe import TicTacToe
from spiral_lite.players import Prompt, Reply
from spiral_lite.rollout import Episode, play, read_jsonl, write_jsonl

TIC_TAC_TOE, KUHN = games.make("tic_tac_toe"), games.make("kuhn_poker", rounds=5)
RANDOM = (players.random_player(), players.random_player())


class Recorder:
    """A fake language model: random legal moves by the prompt's seed, with tokens; it remembers its batches."""

    def __init__(self, name: str = "model", words: str = "") -> None:
        self.name, self.words, self.batches = name, words, list[list[Prompt]]()

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        self.batches.append(list(prompts))
        return [self.one(prompt) for prompt in prompts]

    def one(self, prompt: Prompt) -> Reply:
        action = random.Random(prompt.seed).choice(prompt.state.legal_actions())
        text = self.words or f"\\boxed{{{action}}}"
        return Reply(text, f"<user>{prompt.message}", (1, 2, 3), (4, 5), (-0.5, -0.25), truncated=bool(self.words))


def played_by(episode: Episode) -> list[str]:
    return [next((turn.player for turn in episode.turns if turn.role == role), "") for role in (0, 1)]


def test_the_same_seed_gives_the_same_games() -> None:
    runs = [play([KUHN, TIC_TAC_TOE], RANDOM, 30, seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert len({episode.seed for episode in runs[0]}) == 30


@pytest.mark.parametrize("in_flight", [1, 3, 1000])
def test_games_do_not_depend_on_what_else_is_in_flight(in_flight: int) -> None:
    assert play([KUHN, TIC_TAC_TOE], RANDOM, 40, 7, in_flight=in_flight) == play([KUHN, TIC_TAC_TOE], RANDOM, 40, 7)


def test_more_games_begin_with_the_same_games() -> None:
    assert play(KUHN, RANDOM, 20, 3)[:5] == play(KUHN, RANDOM, 5, 3)


def test_games_and_seats_take_turns() -> None:
    a, b = Recorder("a"), Recorder("b")
    episodes = play([TIC_TAC_TOE], [(a, b), (b, a)], 6)
    assert [played_by(episode) for episode in episodes] == [["a", "b"], ["b", "a"]] * 3
    assert [episode.game for episode in play([TIC_TAC_TOE, KUHN], RANDOM, 4)] == ["tic_tac_toe", "kuhn_poker"] * 2


def test_one_player_in_both_seats_is_one_batch() -> None:
    player = Recorder()
    play(TIC_TAC_TOE, (player, player), 8)
    assert len(player.batches[0]) == 8
    assert len(player.batches) <= 9, "one batch a ply"
    both = Recorder("a"), Recorder("b")
    play(TIC_TAC_TOE, [both, both[::-1]], 8)
    assert [len(player.batches[0]) for player in both] == [4, 4]


def test_a_prompt_is_what_its_player_may_see() -> None:
    player = Recorder()
    play(KUHN, (player, player), 5)
    for prompt in (prompt for batch in player.batches for prompt in batch):
        assert prompt.message == game_message(observe(prompt.state, prompt.state.player), prompt.state.game)


def test_turns_are_complete() -> None:
    player = Recorder()
    episode = play(TIC_TAC_TOE, (player, player), 1, policy_version=12)[0]
    turn = episode.turns[0]
    assert turn.prompt.startswith("<user>")
    assert (turn.prompt_ids, turn.reply_ids, turn.logprobs) == ((1, 2, 3), (4, 5), (-0.5, -0.25))
    assert (turn.role, turn.player, turn.action) == (0, "model", episode.history[0])
    assert (episode.policy_version, episode.ended) == (12, "rules")


@dataclasses.dataclass(frozen=True)
class Short(TicTacToe):
    """Tic-tac-toe that stops after three moves, before anybody can win."""

    max_turns: ClassVar[int] = 3


def test_a_game_over_its_turn_limit_is_a_draw() -> None:
    episode = play(Short(), RANDOM, 1)[0]
    assert (episode.ended, episode.returns, len(episode.turns)) == ("turn_limit", (0.0, 0.0), 3)


@pytest.mark.parametrize(
    ("game", "forfeit", "expected"),
    [
        (TIC_TAC_TOE, games.TRAINING_FORFEIT, (0.5, -1.5)),
        (TIC_TAC_TOE, ZERO_SUM_FORFEIT, (1.5, -1.5)),
        (TIC_TAC_TOE, Forfeit(-3, 0), (0, -3)),
        (TIC_TAC_TOE, None, (1.0, -1.0)),
        (games.make("kuhn_poker"), None, (2.0, -2.0)),
    ],
)
def test_an_invalid_reply_ends_the_game(
    game: games.Game, forfeit: Forfeit | None, expected: tuple[float, float]
) -> None:
    for episode in play(game, (players.random_player(), Recorder(words="I pass.")), 5, forfeit=forfeit):
        assert (episode.ended, episode.returns) == ("invalid", expected)
        last = episode.turns[-1]
        assert (last.role, last.action, last.truncated) == (1, None, True)
        assert last.invalid is not None
        assert "no \\boxed{...} in the reply" in last.invalid
        assert game.replay(episode.history).player == 1, "the invalid reply is not in the history"


def test_in_a_cooperative_game_both_pay_for_an_invalid_reply_and_both_are_told_that_it_is_one() -> None:
    hanabi, player = games.make("mini_hanabi"), Recorder(words="?")
    assert play(hanabi, (RANDOM[0], player), 1)[0].returns == (-1.5, -1.5)
    assert play(hanabi, (RANDOM[0], player), 1, forfeit=None)[0].returns == (0.0, 0.0)
    for prompt in (prompt for batch in player.batches for prompt in batch):
        assert "cooperative game" in prompt.message
        assert "zero-sum" not in prompt.message


def test_the_rule_of_training_is_the_default() -> None:
    assert play(TIC_TAC_TOE, (Recorder(words="?"), RANDOM[1]), 1)[0].returns == (-1.5, 0.5)


def test_jsonl_round_trip(tmp_path: Path) -> None:
    player = Recorder(words="ünfug \n")
    episodes = play([KUHN, TIC_TAC_TOE], [RANDOM, (player, RANDOM[0])], 6, policy_version=3)
    write_jsonl(episodes[:4], tmp_path / "games.jsonl")
    write_jsonl(episodes[4:], tmp_path / "games.jsonl")
    assert read_jsonl(tmp_path / "games.jsonl") == episodes


@pytest.mark.parametrize("turns", [1, 50, 333])
def test_a_number_of_turns_is_filled_with_whole_games(turns: int) -> None:
    episodes = play([TIC_TAC_TOE, KUHN], RANDOM, turns=turns, seed=2, in_flight=16)
    assert sum(len(episode.turns) for episode in episodes) >= turns
    assert {episode.ended for episode in episodes} == {"rules"}
    assert episodes == play([TIC_TAC_TOE, KUHN], RANDOM, len(episodes), seed=2), "a prefix of the stream of games"


def test_games_or_turns_but_not_both() -> None:
    for wrong in ({}, {"n": 3, "turns": 3}):
        with pytest.raises(ValueError, match="give how many games or how many turns"):
            play(KUHN, RANDOM, **wrong)


def test_the_global_generators_are_untouched() -> None:
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    play([KUHN, TIC_TAC_TOE], RANDOM, 20)
    after = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    assert before == after


def test_the_history_replays_to_the_same_returns() -> None:
    for episode in play([KUHN, TIC_TAC_TOE, games.make("kuhn_poker")], RANDOM, 60, seed=5):
        state = games.make(episode.game, **episode.options).replay(episode.history)
        assert (state.player, state.returns()) == (TERMINAL, episode.returns)


def test_the_actions_of_the_turns_are_the_history_without_chance() -> None:
    for episode in play(KUHN, RANDOM, 20, seed=6):
        state, actions = games.make(episode.game, **episode.options).initial_state(), []
        for action in episode.history:
            actions += [] if state.player == CHANCE else [(state.player, action)]
            state = state.apply(action)
        assert actions == [(turn.role, turn.action) for turn in episode.turns]


def test_the_same_deals_go_round_the_seats_with_other_replies() -> None:
    """Dice too: a chance node in mid-game has the same outcome, whatever was replied."""
    a, b = Recorder("a"), Recorder("b")
    episodes = play(KUHN, [(a, b), (b, a), (a, a)], 12, 5, same_deals=True)
    for begun in range(0, 12, 3):
        rounds = [[action for action in episode.history if action in "JQK"] for episode in episodes[begun : begun + 3]]
        assert rounds[0] == rounds[1] == rounds[2]
    assert len({episode.history[:2] for episode in episodes}) > 1
    assert any(episodes[i].history != episodes[i + 1].history for i in range(0, 12, 3)), "replies are drawn anew"
    assert play(KUHN, [(a, b), (b, a), (a, a)], 12, 5, same_deals=True, in_flight=1) == episodes
