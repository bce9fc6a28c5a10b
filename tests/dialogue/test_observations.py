"""What players read: SPIRAL's lines, everything a player may know and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

from spiral_lite import dialogue, games
from spiral_lite.games import CHANCE, State
from spiral_lite.games.tic_tac_toe import TicTacToe


def test_kuhn_shows_the_history_and_the_own_card() -> None:
    text = dialogue.observe(games.make("kuhn_poker").replay(["K", "J", "[check]", "[bet]"]), 0)
    assert text.startswith("[GAME] You are Player 0 in Kuhn Poker.")
    assert text.splitlines()[-4:] == [
        "[GAME] Your card is K.",
        "[Player 0] [check]",
        "[Player 1] [bet]",
        "Available Moves: [fold], [call]",
    ]
    assert "card is J" not in text


def test_kuhn_match_shows_finished_rounds() -> None:
    state = games.make("kuhn_poker", rounds=3).replay(
        ["K", "J", "[bet]", "[call]", "Q", "K", "[bet]", "[fold]", "J", "Q"]
    )
    text = dialogue.observe(state, 1)
    assert text.splitlines()[-11:] == [
        "[GAME] Round 1: your card is J.",
        "[Player 0] [bet]",
        "[Player 1] [call]",
        "[GAME] Player 0 shows K.",
        "[GAME] Player 0 wins 2.",
        "[GAME] Round 2: your card is K.",
        "[Player 1] [bet]",
        "[Player 0] [fold]",
        "[GAME] Player 1 wins 1.",
        "[GAME] Round 3: your card is Q.",
        "Available Moves: [check], [bet]",
    ]


def test_tic_tac_toe_shows_the_latest_board() -> None:
    text = dialogue.observe(games.make("tic_tac_toe").replay(["[4]", "[0]"]), 0)
    assert "0=X 1=. 2=." in text
    assert "3=. 4=O 5=." in text
    assert "Available Moves: [1], [2], [3], [5], [6], [7], [8]" in text


def test_negotiation_shows_goods_own_values_and_the_history() -> None:
    state = games.make("simple_negotiation").replay(
        ["[Offer: 3 Wood -> 2 Gold]", "[Accept]", "[Offer: 1 Gold -> 1 Wood]"]
    )
    text = dialogue.observe(state, 1)
    assert text.startswith("[GAME] You are Player 1 in Simple Negotiation.\n")
    assert text.splitlines()[-8:] == [
        "You have 13 Wood, 8 Gold.",
        "You value Wood 15, Gold 5.",
        "Player 0 has 7 Wood, 12 Gold.",
        "[Player 0] [Offer: 3 Wood -> 2 Gold]",
        "[Player 1] [Accept]",
        "[Player 0] [Offer: 1 Gold -> 1 Wood]",
        "Turns left: 7",
        "Available Moves: " + ", ".join(state.legal_actions()),
    ]
    assert "Wood 5" not in text  # the other's values


def test_observations_are_short() -> None:
    """A small model reads every token of them."""
    assert len(dialogue.observe(games.make("kuhn_poker").replay(["K", "J"]), 0)) < 400
    assert len(dialogue.observe(games.make("tic_tac_toe").initial_state(), 0)) < 500
    assert len(dialogue.observe(games.make("simple_negotiation").initial_state(), 0)) < 600


def test_a_game_without_a_text_shows_its_information() -> None:
    class Unknown:
        name = "unknown"

    class Anything:
        game = Unknown()

        def information(self, player: int) -> dict[str, Any]:
            return {"you": player, "pile": 7, "legal": ["[1]", "[2]"]}

    text = dialogue.observe(Anything(), 1)  # type: ignore[arg-type]
    assert text.splitlines() == ["[GAME] You are Player 1.", "pile: 7", "Available Moves: [1], [2]"]


def test_observations_exist_at_every_state() -> None:
    for name in ("kuhn_poker", "simple_negotiation", "tic_tac_toe"):
        state: State = games.make(name).initial_state()
        while state.player in (0, 1, CHANCE):
            assert all(dialogue.observe(state, player) for player in (0, 1))
            state = state.apply((*[o for o, _ in state.chance_outcomes()], *state.legal_actions())[0])


def test_the_prompt_is_spirals() -> None:
    text = dialogue.prompt(dialogue.game_message("OBSERVATION"))
    assert text == (
        "<|im_start|>user\nYou are playing a two-player zero-sum game. Make valid actions to win.\n"
        "Observation: OBSERVATION\n"
        "Please reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert dialogue.question_message("1 + 1?").startswith("Question: 1 + 1?\nPlease reason")


def test_the_first_line_says_what_kind_of_game_it_is() -> None:
    """Nothing but the first line differs, and for a zero-sum game nothing at all."""

    class General(TicTacToe):
        zero_sum: ClassVar[bool] = False

    class Cooperative(General):
        common_payoff: ClassVar[bool] = True

    zero_sum = dialogue.game_message("OBSERVATION")
    assert dialogue.game_message("OBSERVATION", TicTacToe()) == zero_sum
    general, cooperative = (dialogue.game_message("OBSERVATION", kind()) for kind in (General, Cooperative))
    assert general == zero_sum.replace("two-player zero-sum", "two-player")
    assert cooperative.splitlines()[0] == (
        "You are playing a two-player cooperative game. Make valid actions to score together."
    )
    assert cooperative.splitlines()[1:] == zero_sum.splitlines()[1:]
