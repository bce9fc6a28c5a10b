"""Mini Hanabi against OpenSpiel's Hanabi (the Hanabi Learning Environment), and what each player may know."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from spiral_lite import dialogue, games
from spiral_lite.games import CHANCE, TERMINAL, Invalid
from spiral_lite.games.mini_hanabi import DECK, FULL_SCORE, KINDS, NO_CARD

SMALL = {"hand_size": 2, "hint_tokens": 3, "fuse_tokens": 1}  # the Learning Environment's Hanabi-Small
LAVISH = {"hand_size": 3, "hint_tokens": 8, "fuse_tokens": 3}
OPTIONS: list[dict[str, int]] = [{}, SMALL, LAVISH]


@pytest.mark.parametrize("options", OPTIONS)
def test_it_keeps_every_promise(options: dict[str, int]) -> None:
    games.check(games.make("mini_hanabi", **options), playouts=15, seed=1)


def in_our_words(move: str) -> str:
    """(Play 0) is [Play 0], (Reveal player +1 color R) is [Hint R]."""
    return f"[{move[1:-1].replace('Reveal player +1 color', 'Hint').replace('Reveal player +1 rank', 'Hint')}]"


def table(state: Any) -> list[str]:
    """All of a position, in OpenSpiel's words: of each card what it is and what its holder has been told."""
    hands = [
        f"{card}|{known}"
        for player in (0, 1)
        for card, known in zip(state.hands[player], state.known_of[player], strict=True)
    ]
    return [
        f"Life tokens: {state.fuses}",
        f"Info tokens: {state.hints}",
        f"Fireworks: R{state.played[0]} Y{state.played[1]}",
        *hands,
        f"Deck size: {sum(state.deck)}",
        f"Discards: {' '.join(state.discarded)}".strip(),
    ]


def their_table(state: Any) -> list[str]:
    """Without whose turn it is, and without what a player was told in so many words, which the rest implies."""
    lines = [re.sub(r" \|\| ..\|", "|", line.strip()) for line in str(state).splitlines()]
    return [line for line in lines if line not in ("Hands:", "Cur player", "-----", "")]


@pytest.mark.parametrize(("options", "playouts"), [({}, 1000), (SMALL, 300), (LAVISH, 300)])
def test_random_playouts_agree_with_openspiel(options: dict[str, int], playouts: int) -> None:
    pyspiel = pytest.importorskip("pyspiel")
    if "hanabi" not in pyspiel.registered_names():
        pytest.skip("this build of OpenSpiel has no Hanabi")
    game: Any = games.make("mini_hanabi", **options)
    theirs_game = pyspiel.load_game(
        "hanabi",
        {
            "players": 2,
            "colors": 2,
            "ranks": 5,
            "hand_size": game.hand_size,
            "max_information_tokens": game.hint_tokens,
            "max_life_tokens": game.fuse_tokens,
        },
    )
    rng, scores, ends = random.Random(0), set(), set()
    for _ in range(playouts):
        ours, theirs, turns = game.initial_state(), theirs_game.new_initial_state(), 0
        careful = rng.random() < 0.5  # half of the games go on for long, and score
        while ours.player != TERMINAL:
            if [outcome for outcome, _ in ours.chance_outcomes()] == [NO_CARD]:
                ours = ours.apply(NO_CARD)
                continue
            assert ours.player == theirs.current_player()
            assert not theirs.is_terminal()
            assert table(ours) == their_table(theirs)
            if ours.player == CHANCE:
                outcomes = theirs.chance_outcomes()
                mine = dict(ours.chance_outcomes())
                assert mine == pytest.approx({KINDS[card]: probability for card, probability in outcomes})
                card = rng.choices(*zip(*outcomes, strict=True))[0]
                ours = ours.apply(KINDS[card])
                theirs.apply_action(card)
                continue
            legal = theirs.legal_actions()
            moves = [ours.read(in_our_words(theirs.action_to_string(ours.player, action))) for action in legal]
            assert moves == list(ours.legal_actions())
            action, move = rng.choice([both for both in zip(legal, moves) if not careful or is_sound(ours, both[1])])
            ours, turns = ours.apply(move), turns + 1
            theirs.apply_action(action)
        assert theirs.is_terminal()
        assert theirs.returns() == pytest.approx([FULL_SCORE * value for value in ours.returns()])
        assert turns <= 2 * (sum(DECK) - 2 * game.hand_size) + game.hint_tokens + 2 <= game.max_turns
        scores.add(ours.score)
        ends.add("fuses" if not ours.fuses else "full score" if ours.score == FULL_SCORE else "deck")
    assert {0, 7, 8} < scores
    assert {"fuses", "deck"} <= ends
    assert playouts < 1000 or "full score" in ends


def is_sound(state: Any, move: str) -> bool:
    """Plays what fits (as one who sees his cards would), else anything that is no play."""
    hand = state.hands[state.player]
    fits = [f"[Play {place}]" for place, card in enumerate(hand) if is_next(state, card)]
    return move in fits if fits else "Play" not in move or state.legal_actions()[0].startswith("[Play")


def is_next(state: Any, card: str) -> bool:
    return int(card[1]) == state.played["RY".index(card[0])] + 1


RED = ["R1", "R2", "R3", "R4", "R5"]
YELLOW = ["Y1", "Y2", "Y3", "Y4", "Y5"]


def dealt(*moves: str) -> Any:
    """Player 0 holds all reds, player 1 all yellows."""
    return games.make("mini_hanabi").replay([*RED, *YELLOW, *moves])


def test_a_card_is_seen_by_all_but_its_holder() -> None:
    game = games.make("mini_hanabi")
    assert game.initial_state().chance_seen_by() == (1,)
    assert game.replay(RED).chance_seen_by() == (0,)
    assert dealt().information(0)["others"] == YELLOW
    assert dealt().information(0)["yours"] == ["RY12345"] * 5
    assert not any(card in dialogue.observe(dealt(), 0) for card in RED)
    assert dealt().information(1)["legal"] == [], "player 0's hints would tell player 1 what he holds"


def test_a_hint_tells_which_cards_are_meant_and_which_are_not() -> None:
    state = dealt("[Hint 3]")
    assert state.history[-1] == "[Hint 3 at 2]"
    assert state.information(1)["yours"] == ["RY1245", "RY1245", "RY3", "RY1245", "RY1245"]
    assert state.information(0)["others_know"] == state.information(1)["yours"]
    state = state.apply("[Hint R]")
    assert state.information(0)["yours"] == ["R12345"] * 5
    assert state.hints == 1


@pytest.mark.parametrize(
    "text",
    ["[Hint R]", "[Hint 6]", "[Hint Y at 0]", "[Hint Y", "[Hint Y!", "[Discard 0]", "[Play 5]", "[play 0]"],
)
def test_what_is_refused(text: str) -> None:
    """Player 1 has no red card, all cards are yellow, and all tokens are there."""
    assert isinstance(dealt().read(text), Invalid)


def test_a_five_regains_a_hint_and_ten_points_end_the_game() -> None:
    history = [
        "[Play 0]",
        "R1",
        "[Play 0]",
        "Y1",
        "[Play 0]",
        "R1",
        "[Play 0]",
        "Y1",
        "[Play 0]",
        "R2",
        "[Play 0]",
        "Y2",
    ]
    state = dealt(*history, "[Hint 1]", "[Hint 4]", "[Play 0]", "R3", "[Play 0]", "Y3")
    assert (state.played, state.hints) == ((4, 4), 1)
    state = state.apply("[Play 0]")
    assert (state.played, state.hints) == ((5, 4), 2)
    state = state.apply("R4").apply("[Play 0]")
    assert (state.player, state.score, state.returns()) == (TERMINAL, 10, (1.0, 1.0))


def test_the_last_fuse_loses_all_points() -> None:
    state = dealt("[Play 0]", "R1", "[Play 1]", "Y1", "[Play 4]", "R1")
    assert (state.score, state.fuses, state.discarded) == (1, 1, ("Y2", "R1"))
    state = state.apply("[Play 3]")
    assert (state.player, state.score, state.returns()) == (TERMINAL, 0, (0.0, 0.0))


def test_what_a_player_reads() -> None:
    text = dialogue.observe(dealt("[Hint Y]", "[Hint 1]", "[Play 0]", "R1"), 1)
    assert text.splitlines()[-8:] == [
        "Played: R 1, Y 0. Hints: 1. Fuses: 3. Deck: 9.",
        "Thrown away: none",
        "Player 0 has: 0=R2 1=R3 2=R4 3=R5 4=R1",
        "Player 0 knows: 0=RY2345 1=RY2345 2=RY2345 3=RY2345 4=RY12345",
        "You know of yours: 0=Y12345 1=Y12345 2=Y12345 3=Y12345 4=Y12345",
        "[Player 1] [Hint 1 at 0]",
        "[Player 0] [Play 0] is R1",
        "Available Moves: [Discard 0], [Discard 1], [Discard 2], [Discard 3], [Discard 4], [Play 0], [Play 1], "
        "[Play 2], [Play 3], [Play 4], [Hint R at 0 1 2 3 4], [Hint 1 at 4], [Hint 2 at 0], [Hint 3 at 1], "
        "[Hint 4 at 2], [Hint 5 at 3]",
    ]
    assert len(text) < 1100


@pytest.mark.parametrize("options", [{"hand_size": 6}, {"hint_tokens": 0}, {"fuse_tokens": 1.0}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=re.escape(f"{name}={value!r}: it must be from")):
        games.make("mini_hanabi", **options)
