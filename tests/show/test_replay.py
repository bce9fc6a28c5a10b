"""Replays show every turn, and never let model text become markup."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spiral_lite import games, players
from spiral_lite.players import Prompt, Reply
from spiral_lite.rollout import Episode, play
from spiral_lite.show.replay import moment, moments, side_by_side, storyboard

RANDOM = players.random_player()


class Attacker:
    name = "<b>evil</b>"

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply('<script>alert("1")</script></pre>\n\\boxed{<img src=x onerror=alert(1)>}') for _ in prompts]


def one(name: str, seats: tuple[players.Player, players.Player] = (RANDOM, RANDOM), seed: int = 1) -> Episode:
    return play(games.make(name), seats, 1, seed)[0]


@pytest.mark.parametrize("name", games.names())
def test_a_storyboard_has_every_turn(name: str) -> None:
    episode = one(name)
    text = storyboard(episode)
    assert [f"Turn {i}, " in text for i in range(1, len(episode.turns) + 2)] == [True] * len(episode.turns) + [False]
    assert all(f"= plays {turn.action}" in text for turn in episode.turns)
    assert text.splitlines()[-1].startswith("Over. Returns: player 0 ")


def test_a_storyboard_tells_what_was_dealt_and_seen() -> None:
    episode = one("kuhn_poker")
    text = storyboard(episode)
    assert f"Chance: {episode.history[0]} (seen by player 0)" in text
    assert f"| [GAME] Your card is {episode.history[0]}." in text


def test_the_last_moment_shows_the_position_of_a_game_without_a_picture() -> None:
    (episode,) = play(games.make("nim"), (players.random_player(), players.random_player()), 1, 1)
    last = moment(episode, len(list(moments(episode))) - 1)
    assert "Pile 0: 0\nPile 1: 0\nPile 2: 0" in last
    assert "Available Moves" not in last
    assert "Over. Returns: " in last


def test_an_invalid_reply_is_shown_with_its_reason() -> None:
    text = storyboard(one("tic_tac_toe", (RANDOM, Attacker())))
    assert "= invalid: " in text
    assert "legal: [" in text
    assert text.endswith("Over by an invalid move. Returns: player 0 +0.5, player 1 -1.5")


def test_an_empty_reply_is_shown() -> None:
    episode = one("kuhn_poker")
    silent = Episode.from_json(episode.to_json().replace(episode.turns[0].reply.replace("\\", "\\\\"), ""))
    assert "> (nothing)" in storyboard(silent)


def test_model_text_is_escaped() -> None:
    page = side_by_side(one("tic_tac_toe", (Attacker(), RANDOM)), one("kuhn_poker"))
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>evil" not in page
    assert "&lt;script&gt;alert(&quot;1&quot;)" in page
    assert page.count("<pre") == page.count("</pre>")
    assert "Before training" in page
    assert "After training" in page
    assert page.count("<section") == 2
