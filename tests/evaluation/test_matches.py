"""Matches: balanced seats, the rule for invalid moves, and what the record says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest

from spiral_lite import games, players
from spiral_lite.evaluation.intervals import wilson
from spiral_lite.evaluation.matches import Outcomes, match, summary
from spiral_lite.players import Prompt, Reply

TIC_TAC_TOE, KUHN = games.make("tic_tac_toe"), games.make("kuhn_poker")


class Wordy:
    """Plays the first legal action, or something illegal, in a reply of `tokens` tokens."""

    def __init__(self, invalid: bool = False, tokens: int = 7) -> None:
        self.name, self.invalid, self.tokens = "wordy", invalid, tokens

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        texts = ["\\boxed{[resign]}" if self.invalid else f"\\boxed{{{p.state.legal_actions()[0]}}}" for p in prompts]
        return [Reply(text, ids=tuple(range(self.tokens))) for text in texts]


def test_seats_are_balanced() -> None:
    found = match(TIC_TAC_TOE, Wordy(), players.random_player(), 40)
    for index, episode in enumerate(found.episodes):
        assert {turn.player for turn in episode.turns if turn.role == index % 2} <= {"wordy"}
    assert [seat.n for seat in found.by_seat] == [20, 20]
    assert found.mean_return == pytest.approx(sum(seat.mean for seat in found.by_seat) / 2)
    assert found.mean_reply_tokens == 7
    assert match(TIC_TAC_TOE, players.random_player(), Wordy(), 4).mean_reply_tokens is None


@pytest.mark.parametrize("n", [0, 1, 7])
def test_an_odd_number_of_games_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n={n}: play an even number of games"):
        match(KUHN, players.random_player(), players.random_player(), n)


def test_perfect_against_random() -> None:
    found = match(TIC_TAC_TOE, players.make("perfect"), players.random_player(), 200, seed=1)
    assert found.win_rate > 0.8
    assert found.win_rate + found.draw_rate == 1
    assert found.by_seat[0].mean > found.by_seat[1].mean
    assert found.ci95[0] < found.mean_return < found.ci95[1]


def test_the_equilibrium_loses_nothing_to_a_random_player() -> None:
    found = match(KUHN, players.equilibrium_kuhn(), players.random_player(), 2000, seed=1)
    assert found.ci95[0] > 0
    assert found.draw_rate == 0


def test_an_invalid_move_is_the_worst_loss() -> None:
    found = match(KUHN, Wordy(invalid=True), players.random_player(), 20)
    assert (found.mean_return, found.win_rate) == (-2.0, 0.0)
    assert (found.invalid_rate, found.opponent_invalid_rate) == (1.0, 0.0)
    turned = match(KUHN, players.random_player(), Wordy(invalid=True), 20)
    assert (turned.invalid_rate, turned.opponent_invalid_rate) == (0.0, 1.0)
    assert turned.mean_return == 2.0


def test_every_game_is_counted_once_and_forfeits_apart() -> None:
    """Hand-made: games that were won, lost and drawn by the rules, given away by either player, and stopped."""
    found = match(TIC_TAC_TOE, players.make("perfect"), players.random_player(), 20, seed=1)
    won = next(index for index, episode in enumerate(found.episodes) if episode.returns[index % 2] > 0)
    play = found.episodes[won]
    mine, theirs = ([turn for turn in play.turns if turn.role == role][:1] for role in (won % 2, 1 - won % 2))
    endings = [
        play,
        dataclasses.replace(play, returns=play.returns[::-1]),
        dataclasses.replace(play, returns=(0.0, 0.0)),
        dataclasses.replace(play, ended="invalid", turns=tuple(mine), returns=play.returns[::-1]),
        dataclasses.replace(play, ended="invalid", turns=tuple(theirs)),
        dataclasses.replace(play, ended="invalid", turns=tuple(theirs)),
        dataclasses.replace(play, ended="turn_limit", returns=(0.0, 0.0)),
    ]
    seen = Outcomes.of(TIC_TAC_TOE, [(episode, won % 2) for episode in endings])
    assert seen == Outcomes(won=1, drawn=1, lost=1, opponent_forfeited=2, forfeited=1, turn_limit=1)
    assert seen.games == 7
    assert seen.turned() == Outcomes.of(TIC_TAC_TOE, [(episode, 1 - won % 2) for episode in endings])


def test_a_win_by_forfeit_is_visible() -> None:
    found = match(TIC_TAC_TOE, players.random_player(), Wordy(invalid=True), 300)
    assert found.win_rate == 1.0
    assert found.outcomes == Outcomes(0, 0, 0, opponent_forfeited=300, forfeited=0, turn_limit=0)
    assert found.opponent_invalid_rate_ci95 == wilson(300, 300).ci95
    assert found.invalid_rate_ci95 == wilson(0, 300).ci95
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["outcomes"]["opponent_forfeited"] == 300
    assert record["invalid_rate_ci95"][0] == 0


def test_in_a_cooperative_game_a_win_is_the_full_score() -> None:
    """Scores of random players are between nothing and everything, and are neither wins nor draws."""
    found = match(games.make("mini_hanabi"), players.random_player(), players.random_player(), 40)
    assert (found.win_rate, found.draw_rate) == (0.0, 0.0)
    assert 0 < found.mean_return < 1
    full = [dataclasses.replace(episode, returns=(1.0, 1.0)) for episode in found.episodes]
    assert summary(games.make("mini_hanabi"), ("a", "b"), full).win_rate == 1.0
    assert found.outcomes.lost == found.games
    assert summary(games.make("mini_hanabi"), ("a", "b"), full).outcomes.won == found.games
    assert match(games.make("mini_hanabi"), Wordy(invalid=True), players.random_player(), 4).mean_return == 0.0


def test_a_player_can_meet_itself() -> None:
    player = players.random_player()
    found = match(KUHN, player, player, 200, seed=4)
    assert found.ci95[0] <= 0 <= found.ci95[1]


def test_the_record_is_json_without_the_episodes() -> None:
    found = match(KUHN, players.random_player(), players.random_player(), 2, seed=5)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "episodes" not in record
    assert len(found.episodes) == 2
    assert record["by_seat"][0]["ci95"] == [None, None]
    assert record["games_per_second"] > 0
    assert {"mean_return", "ci95", "win_rate", "draw_rate", "invalid_rate", "opponent_invalid_rate"} <= set(record)


def test_the_same_seed_gives_the_same_games() -> None:
    runs = [match(KUHN, players.random_player(), players.random_player(), 20, seed) for seed in (1, 1, 2)]
    assert runs[0].episodes == runs[1].episodes
    assert runs[0].episodes != runs[2].episodes
