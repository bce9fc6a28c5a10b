"""Pictures show the position, and never more of it than the seat may know."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest

from spiral_lite import games, players
from spiral_lite.games import CHANCE, TERMINAL, State
from spiral_lite.rollout import play
from spiral_lite.show.boards import drawing


def cells(page: str) -> list[str]:
    return re.findall(r"<td[^>]*>(?:<span[^>]*>)?([^<]*)<", page)


def test_a_board_has_the_marks_the_free_cells_and_the_last_move() -> None:
    page = drawing(games.make("tic_tac_toe").replay(["[4]", "[0]"]))
    assert cells(page) == ["X", "1", "2", "3", "O", "5", "6", "7", "8"]
    assert re.findall(r"font-weight:bold[^>]*>(.)<", page) == ["X"]
    assert 'aria-label="tic-tac-toe: X.. / .O. / ..."' in page


def test_connect_four_fills_from_below() -> None:
    page = cells(drawing(games.make("connect_four").replay(["[3]", "[3]"])))
    marks = games.make("connect_four").replay(["[3]", "[3]"]).board
    assert page[:42] == [mark.replace(".", "") for mark in marks]
    assert page[42:] == list("0123456")


def test_a_card_is_face_down_for_the_other() -> None:
    state = games.make("kuhn_poker").replay(["K", "J", "[check]"])
    for seat, cards in ((0, "K?"), (1, "?J"), (None, "KJ")):
        page = drawing(state, seat)
        assert re.findall(r"line-height:1.2\">(.)<", page) == list(cards)
        assert "Player 0 played [check]" in page


@pytest.mark.parametrize(("ending", "seen"), [("[call]", "KJ"), ("[fold]", "K?")])
def test_a_showdown_turns_the_cards_and_a_fold_does_not(ending: str, seen: str) -> None:
    state = games.make("kuhn_poker").replay(["K", "J", "[bet]", ending])
    assert re.findall(r"line-height:1.2\">(.)<", drawing(state, 0)) == list(seen)
    assert re.findall(r"line-height:1.2\">(.)<", drawing(state)) == ["K", "J"]


def test_goods_have_the_values_of_the_seat_alone() -> None:
    state = games.make("simple_negotiation").replay(["[Offer: 3 Wood -> 2 Gold]", "[Accept]"])
    assert cells(drawing(state)) == ["Wood", "7", "5", "13", "15", "Gold", "12", "15", "8", "5"]
    assert cells(drawing(state, 1)) == ["Wood", "7", "?", "13", "15", "Gold", "12", "?", "8", "5"]
    assert "player 0 +15, player 1 +35" in drawing(state)
    assert "player 0" not in drawing(state, 1)
    assert "Player 0 played [Offer: 3 Wood -&gt; 2 Gold]" in drawing(state, 1)


def test_equal_knowledge_gives_equal_pictures_in_kuhn_poker() -> None:
    """All positions of two rounds: whatever the cards that a seat has not seen, it sees the same picture."""
    pictures: dict[tuple[int, str], str] = {}

    def walk(state: State) -> None:
        for seat in (0, 1):
            page = drawing(state, seat)
            facts = repr({**state.information(seat), "moves": len(state.history)})
            assert pictures.setdefault((seat, facts), page) == page
        actions = [o for o, _ in state.chance_outcomes()] if state.player == CHANCE else state.legal_actions()
        for action in actions:
            walk(state.apply(action))

    walk(games.make("kuhn_poker", rounds=2).initial_state())
    assert len(pictures) > 100


def test_the_other_s_values_change_no_picture() -> None:
    game, rng = games.make("simple_negotiation", resources="five"), random.Random(1)
    histories = []
    for _ in range(2):
        state: Any = game.initial_state()
        while state.player == CHANCE:
            state = state.apply(state.sample_chance(rng))
        histories.append(state.history)
    one, other = histories
    mixed = tuple(b if "Player 1 values" in a else a for a, b in zip(one, other, strict=True))
    assert mixed != one
    assert drawing(game.replay(mixed), 0) == drawing(game.replay(one), 0)
    assert drawing(game.replay(mixed)) != drawing(game.replay(one))


@pytest.mark.parametrize("name", games.names())
def test_every_position_of_a_game_has_a_picture_or_none(name: str) -> None:
    episode = play(games.make(name), (players.random_player(), players.random_player()), 1, 2)[0]
    game = games.make(name)
    pages = [
        drawing(game.replay(episode.history[:n]), seat) for n in range(len(episode.history) + 1) for seat in (0, None)
    ]
    assert game.replay(episode.history).player == TERMINAL
    for page in itertools.chain(pages):
        for tag in ("table", "tr", "td", "div", "span"):
            assert page.count(f"<{tag}") == page.count(f"</{tag}>")
    has_one = name in ("tic_tac_toe", "connect_four", "kuhn_poker", "simple_negotiation")
    assert bool(pages[-1]) == has_one
