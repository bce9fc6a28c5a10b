"""The scripted players do what their names promise."""

from __future__ import annotations

import functools
import math
import operator
from collections import Counter

import pytest

from spiral_lite import games, players
from spiral_lite.dialogue import parse
from spiral_lite.games import State
from spiral_lite.players import Prompt, Sampling
from spiral_lite.players.perfect import MOVES
from spiral_lite.players.search import best_moves
from spiral_lite.rollout import play

TIC_TAC_TOE, KUHN = games.make("tic_tac_toe"), games.make("kuhn_poker")


def action(player: players.Player, state: State, seed: int) -> str:
    read = parse(player.reply([Prompt(state, "", seed)])[0].text, state)
    assert isinstance(read, str), read
    return read


def test_random_is_uniform() -> None:
    """A chi-squared test with 8 degrees of freedom: 26.1 is its 99.9 % quantile."""
    state, n = TIC_TAC_TOE.initial_state(), 9000
    counts = Counter(action(players.random_player(), state, seed) for seed in range(n))
    assert sum((counts[a] - n / 9) ** 2 / (n / 9) for a in state.legal_actions()) < 26.1


@pytest.mark.parametrize("alpha", [0, 0.1, 0.2, 1 / 3])
def test_every_alpha_is_an_equilibrium(alpha: float) -> None:
    pytest.importorskip("pyspiel")
    from spiral_lite.evaluation import exact

    def policy(state: State) -> dict[str, float]:
        card = state.information(state.player)["card"]
        bet = players.equilibrium_bet(state.betting, card, alpha)  # type: ignore[attr-defined]
        return dict(zip(state.legal_actions(), (1 - bet, bet), strict=True))

    assert exact.nash_conv(KUHN, policy) < 1e-6


def test_the_equilibrium_player_plays_its_table() -> None:
    player, n = players.equilibrium_kuhn(0.2), 2000
    for cards in ("JQ", "QK", "KJ"):
        for betting in ((), ("[check]",), ("[bet]",), ("[check]", "[bet]")):
            state = KUHN.replay([*cards, *betting])
            expected = players.equilibrium_bet(state.betting, cards[state.player], 0.2)  # type: ignore[attr-defined]
            bets = sum(action(player, state, seed) in ("[bet]", "[call]") for seed in range(n))
            assert abs(bets / n - expected) <= 4 * math.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("alpha", [-0.1, 0.34, 1.0, math.nan])
def test_a_wrong_alpha_is_refused_at_once(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"it must lie in \[0, 1/3\], e.g. alpha=0.2"):
        players.equilibrium_kuhn(alpha)


def test_perfect_tic_tac_toe_never_loses() -> None:
    perfect, random = players.perfect(), players.random_player()
    episodes = play(TIC_TAC_TOE, [(perfect, random), (random, perfect)], 1000, seed=1)
    results = [episode.returns[index % 2] for index, episode in enumerate(episodes)]
    assert min(results) >= 0
    assert results.count(1.0) > 800


def test_perfect_players_draw() -> None:
    episodes = play(TIC_TAC_TOE, (players.perfect(), players.perfect()), 200, seed=1)
    assert {episode.returns for episode in episodes} == {(0.0, 0.0)}
    assert len({episode.history for episode in episodes}) > 50, "equal moves are drawn at random"


@pytest.mark.parametrize("piles", [(3, 4, 5), (1, 2, 3, 4), (7,), (2, 2), (1, 5, 4)])
def test_perfect_nim_wins_every_won_position(piles: tuple[int, ...]) -> None:
    """Every position, by Bouton's theorem and by search to the end, and 1,000 games from both seats."""
    nim = games.make("nim", piles=piles)
    perfect, random = players.perfect(), players.random_player()
    won = [_nim_sum(piles) != 0, _nim_sum(piles) == 0]  # for the perfect player as player 0 and as player 1
    episodes = play(nim, [(perfect, random), (random, perfect)], 1000, seed=1)
    for seat in (0, 1):
        results = {episode.returns[seat] for episode in episodes[seat::2]}
        assert results == {1.0} if won[seat] else 1.0 in results


def test_perfect_nim_keeps_every_won_position() -> None:
    waiting, seen = [games.make("nim", piles=(2, 3, 3)).initial_state()], set()
    while waiting:
        state = waiting.pop()
        if state.player == games.TERMINAL or state.piles in seen:  # type: ignore[attr-defined]
            continue
        seen.add(state.piles)  # type: ignore[attr-defined]
        best = MOVES["nim"](state)
        expected = best_moves(state, depth=8)  # deep enough for every end
        if _nim_sum(state.piles):  # type: ignore[attr-defined]
            assert all(_nim_sum(state.apply(move).piles) == 0 for move in best)  # type: ignore[attr-defined]
            assert set(expected) <= set(best), "search takes the quickest of the wins"
        else:
            assert best == list(state.legal_actions())
        waiting += [state.apply(move) for move in state.legal_actions()]
    assert len(seen) == 3 * 4 * 4 - 1


def _nim_sum(piles: tuple[int, ...]) -> int:
    return functools.reduce(operator.xor, piles)


@pytest.mark.parametrize(
    ("name", "game", "message"),
    [
        ("perfect", KUHN, "cannot play kuhn_poker; it plays tic_tac_toe, nim; try equilibrium"),
        ("equilibrium", TIC_TAC_TOE, "cannot play tic_tac_toe"),
    ],
)
def test_a_player_refuses_a_game_that_it_does_not_know(name: str, game: games.Game, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        play(game, (players.make(name), players.make(name)), 1)


def test_a_person_is_asked_until_the_answer_is_legal() -> None:
    answers, asked = iter(["", "bet", " [bet] "]), []

    def ask(text: str) -> str:
        asked.append(text)
        return next(answers)

    state = KUHN.replay(["K", "J"])
    assert action(players.person(ask), state, 0) == "[bet]"
    assert "Your card is K" in asked[0]
    assert "legal: [check], [bet]" in asked[2]


def test_make() -> None:
    names = ["random", "perfect", "equilibrium", "equilibrium:0.1", "search:4", "negotiator"]
    assert [players.make(name).name for name in names] == [
        "random",
        "perfect",
        "equilibrium(alpha=0.2)",
        "equilibrium(alpha=0.1)",
        "search:4",
        "negotiator",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clever", "unknown player 'clever'; known: random, perfect"),
        ("random:3", "unknown player"),
        ("search", "depth='' is not a number; write e.g. search:4"),
        ("search:2.5", "depth='2.5' is not a number"),
        ("search:0", "depth=0: look at least one move ahead"),
        ("openai:", "an endpoint needs a model and a URL"),
        ("equilibrium:much", "alpha='much' is not a number; write e.g. equilibrium:0.2"),
        ("equilibrium:0.5", "is no equilibrium"),
    ],
)
def test_make_teaches(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        players.make(name)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": -1.0}, "temperature=-1.0: it must be 0"),
        ({"temperature": math.nan}, "temperature=nan"),
        ({"top_p": 0.0}, r"top_p=0.0: it must be in \(0, 1\]"),
        ({"top_p": 1.5}, "top_p=1.5"),
        ({"max_new_tokens": 0}, "max_new_tokens=0: at least 1"),
    ],
)
def test_sampling_refuses_what_makes_no_sense(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**wrong)  # type: ignore[arg-type]
