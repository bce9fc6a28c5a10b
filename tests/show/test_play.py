"""A person plays by buttons: each does what it says, thoughts stay hidden until the end, and scripts stand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from spiral_lite import games, players
from spiral_lite.players import Prompt, Reply, Scripted
from spiral_lite.rollout import play
from spiral_lite.show.play import Play, Sitting, is_open, play_script, position
from spiral_lite.show.replay import storyboard

KUHN, BOARD, TRADE = (games.make(name) for name in ("kuhn_poker", "tic_tac_toe", "simple_negotiation"))


class Thinker:
    """Says what it thinks, and plays the last legal action."""

    name = "thinker"

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(f"my secret plan \\boxed{{{p.state.legal_actions()[-1]}}}") for p in prompts]


def opened(game: games.Game, opponent: Any = None, seat: int = 0, seed: int = 0) -> Play:
    table = Play(game, opponent or Thinker(), seat, seed, headless=False)
    table.widget()
    return table


def labels(table: Play) -> dict[str, Any]:
    """The buttons by their text."""
    found = {}
    for child in table.moves.children:
        for button in getattr(child, "children", (child,)):
            found[button.description] = button
    return found


@pytest.mark.parametrize("name", games.names())
@pytest.mark.parametrize("seat", [0, 1])
def test_a_sitting_is_the_game_that_play_plays(name: str, seat: int) -> None:
    """Same seed, same cards, same replies of the other player, same record but for the person's name."""
    person, other = Scripted(lambda state, rng: state.legal_actions()[0], "person"), players.random_player()
    seats = (person, other) if seat == 0 else (other, person)
    (expected,) = play(games.make(name), seats, 1, 5, forfeit=None)
    assert play_script(Sitting(games.make(name), other, seat, 5), []) == expected


def test_a_cell_of_the_board_plays_it() -> None:
    table = opened(BOARD)
    assert list(labels(table)) == list("012345678")
    labels(table)["4"].click()
    assert table.sitting.state.history == ("[4]", "[8]")
    assert labels(table)["O"].disabled
    assert labels(table)["X"].disabled
    assert not labels(table)["0"].disabled


def test_a_late_click_plays_nothing() -> None:
    table = opened(BOARD)
    old = labels(table)["0"]
    labels(table)["4"].click()
    old.click()
    assert table.sitting.state.history == ("[4]", "[8]")


def test_thoughts_and_cards_are_shown_when_the_game_is_over_and_not_before() -> None:
    table = opened(KUHN, seat=1, seed=3)
    card = table.sitting.state.history[0]
    assert "Player 0 played [bet]" in table.page.value
    assert "secret" not in table.page.value + table.status.value
    assert f">{card}<" not in table.page.value
    assert "You are Player 1 in Kuhn Poker." in table.page.value
    assert "Your move." in table.status.value
    labels(table)["[call]"].click()
    assert "my secret plan" in table.page.value
    assert f">{card}<" in table.page.value
    mine = table.sitting.episode.returns[1]
    assert f"{'You won' if mine > 0 else 'You lost'}: {mine:+g}" in table.page.value
    assert table.moves.children == ()
    assert table.status.value == ""


def test_new_game_deals_again() -> None:
    table = opened(KUHN)
    for _ in range(8):
        table.new.click()
        assert table.sitting.turns == 0
    assert table.seed == 8
    deals = {Sitting(KUHN, Thinker(), 0, seed).state.history for seed in range(9)}
    assert len(deals) > 1


def test_an_offer_of_one_s_own_goes_into_the_box() -> None:
    table = opened(TRADE)
    assert is_open(table.sitting.state)
    assert table.open_move.layout.display == "flex"
    assert "[Accept]" not in labels(table)
    table.entry.value = "[Offer: 99 Wood -> 2 Gold]"
    table.say.click()
    assert "Not possible: player 0 cannot give 99 Wood: player 0 has 10" in table.status.value
    assert table.sitting.turns == 0
    assert table.entry.value == "[Offer: 99 Wood -> 2 Gold]", "to be mended"
    table.entry.value = "How about [Offer: 3 Wood -> 2 Gold]?"
    table.say.click()
    assert table.sitting.state.history[0] == "[Offer: 3 Wood -> 2 Gold]"
    assert table.sitting.turns == 2
    assert table.entry.value == ""
    labels(table)["[Deny]"].click()
    assert table.sitting.state.history[2] == "[Deny]"


def test_enter_in_the_box_plays_what_it_says() -> None:
    table = opened(TRADE)
    table.entry.value = "[Offer: 3 Wood -> 2 Gold]"
    table.entry._handle_custom_msg({"event": "focus"}, [])
    assert table.sitting.turns == 0
    table.entry._handle_custom_msg({"event": "submit"}, [])  # what the front end sends
    assert table.sitting.state.history[0] == "[Offer: 3 Wood -> 2 Gold]"


def test_closed_games_have_no_box() -> None:
    assert not is_open(KUHN.initial_state())
    assert opened(KUHN).open_move.layout.display == "none"


def test_the_values_of_the_other_stay_hidden() -> None:
    page = position(TRADE.initial_state(), 0)
    assert page.count("?</td>") == 2
    assert "Available Moves" not in page


def test_an_attack_is_text_while_playing_and_in_the_end(attacker: Any, check_page: Any) -> None:
    for valid in (True, False):
        table = opened(BOARD, attacker(valid))
        while table.sitting.episode is None:
            check_page(table.page.value)
            next(button for button in labels(table).values() if not button.disabled).click()
        literal = check_page(table.page.value)
        assert '<script>alert("1")</script></pre>' in literal
        assert ("invalid: " in literal) != valid
        assert table.sitting.episode.returns == ((1.0, -1.0) if not valid else table.sitting.episode.returns)


class Broken:
    """Fails once, then plays."""

    name = "<i>endpoint</i>"

    def __init__(self) -> None:
        self.calls = 0

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("no <b>answer</b> in 60 s")
        return Thinker().reply(prompts)


def test_a_player_that_fails_is_reported_and_may_be_asked_again() -> None:
    table = opened(BOARD, Broken(), seat=1)
    assert "RuntimeError: no &lt;b&gt;answer&lt;/b&gt; in 60 s" in table.status.value
    assert "<i>" not in table.status.value
    assert list(labels(table)) == ["Ask again"]
    labels(table)["Ask again"].click()
    assert table.sitting.turns == 1
    assert "Your move" in table.status.value


def test_a_script_plays_what_is_possible_in_its_order() -> None:
    episode = play_script(Sitting(TRADE, Thinker(), 0), ["[Accept]", "[Offer: 3 Wood -> 2 Gold]", "[Deny]"])
    mine = [turn.action for turn in episode.turns if turn.role == 0]
    assert mine[:3] == ["[Offer: 3 Wood -> 2 Gold]", "[Accept]", "[Deny]"]
    assert len(mine) == 5


def test_headless_it_prints_a_storyboard(shown: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    Play(KUHN, Thinker(), seed=2, script=["[bet]"])._ipython_display_()
    assert capsys.readouterr().out.strip() == storyboard(play_script(Sitting(KUHN, Thinker(), 0, 2), ["[bet]"]))
    assert shown == []


def test_with_a_front_end_it_is_a_widget(shown: list[Any]) -> None:
    table = Play(KUHN, Thinker(), headless=False)
    table._ipython_display_()
    assert shown == [table.widget()]


def test_a_seat_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="seat=2: the seats are 0 "):
        Play(KUHN, Thinker(), seat=2)
