"""Tree search beats random, plays won positions to the end, and plays the same whatever is hidden from it."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from spiral_lite import games, opponents, players
from spiral_lite.evaluation.intervals import mean_interval
from spiral_lite.games import State
from spiral_lite.opponents.mcts import _visits, mcts
from spiral_lite.opponents.worlds import hidden_steps, possible_worlds
from spiral_lite.players import Player, Prompt
from spiral_lite.rollout import play

pytest.importorskip("pyspiel")

TIC_TAC_TOE, KUHN = games.make("tic_tac_toe"), games.make("kuhn_poker")


def moves(player: Player, state: State, n: int) -> Counter[str]:
    return Counter(reply.text[7:-1] for reply in player.reply([Prompt(state, "", seed) for seed in range(n)]))


def against_random(game: games.Game, player: Player, n: int) -> list[float]:
    seats = [(player, players.random_player()), (players.random_player(), player)]
    episodes = play(game, seats, n, seed=1)
    assert all(episode.ended != "invalid" for episode in episodes)
    return [episode.returns[index % 2] for index, episode in enumerate(episodes)]


@pytest.mark.parametrize(
    ("name", "simulations", "n", "least"),
    [
        ("tic_tac_toe", 50, 40, 0.5),
        ("nim", 100, 30, 0.5),
        ("connect_four", 50, 30, 0.6),
        ("kuhn_poker", 40, 200, 0.05),
        ("simple_negotiation", 40, 30, 0.1),
    ],
)
def test_it_beats_random(name: str, simulations: int, n: int, least: float) -> None:
    found = mean_interval(against_random(games.make(name), mcts(simulations), n))
    assert found.low > least, found


@pytest.mark.parametrize("name", games.names())
def test_it_plays_every_game(name: str) -> None:
    against_random(games.make(name), mcts(6), 2)


def test_it_solves_what_it_can() -> None:
    state = TIC_TAC_TOE.replay(["[0]", "[3]", "[1]", "[4]"])
    assert moves(mcts(300), state, 5) == {"[2]": 5}
    assert moves(mcts(300), state.apply("[8]"), 5) == {"[5]": 5}
    assert moves(mcts(500), games.make("nim", piles=(1, 2, 2)).initial_state(), 5) == {"[0 1]": 5}


def test_the_same_seed_gives_the_same_games() -> None:
    played = [play(KUHN, (mcts(20), players.random_player()), 10, seed=3) for _ in range(2)]
    assert played[0] == played[1]


def test_it_does_not_see_the_other_card() -> None:
    """Facing a bet with a queen: one who sees the other card calls a jack and folds to a king; the player cannot."""
    facing = {card: KUHN.replay([card, "Q", "[bet]"]) for card in "JK"}
    seeing = {card: _visits(state, 200, random.Random(0)) for card, state in facing.items()}
    assert seeing["J"]["[call]"] > seeing["J"].get("[fold]", 0)
    assert seeing["K"]["[fold]"] > seeing["K"].get("[call]", 0)
    n, player = 100, mcts(40)
    calls = {card: moves(player, state, n)["[call]"] / n for card, state in facing.items()}
    assert abs(calls["J"] - calls["K"]) < 0.25, calls  # 3.5 standard deviations


def test_worlds_look_the_same_to_the_player() -> None:
    """In every game, at random positions: known, legal and to move are the same; something hidden varies."""
    varied = set()
    for name in games.names():
        game, rng = games.make(name), random.Random(name)
        for _ in range(6):
            state = _random_position(game, rng)
            if state.player not in (0, 1):
                continue
            worlds = list(islice(possible_worlds(state, rng), 6))
            if not hidden_steps(state, state.player):
                assert worlds == [state]
            for world in worlds:
                assert world.player == state.player
                assert world.known(state.player) == state.known(state.player)
                assert world.legal_actions() == state.legal_actions()
            if len({world.history for world in worlds}) > 1:
                varied.add(name)
    hidden = {"kuhn_poker", "liars_dice", "mini_hanabi", "snake", "truth_and_deception"} & set(games.names())
    assert varied >= hidden - {"truth_and_deception"}
    assert not varied & {"tic_tac_toe", "connect_four", "nim", "pig_dice"}


def _random_position(game: games.Game, rng: random.Random) -> State:
    state, acted, most = game.initial_state(), 0, rng.randrange(1, 8)
    while state.player != games.TERMINAL and (acted < most or state.player == games.CHANCE):
        if state.player == games.CHANCE:
            state = state.apply(state.sample_chance(rng))
        else:
            state, acted = state.apply(rng.choice(state.legal_actions())), acted + 1
    return state


def test_worlds_are_as_frequent_as_chance_makes_them() -> None:
    """The dice of the other: uniform over 36 ordered pairs. A chi-squared test, on every fifth step of the walk."""
    game = games.make("liars_dice", dice=2)
    state = game.replay(["1", "1", "6", "6", "[Bid: 1, 2]"])
    assert state.player == 1
    draws = Counter(world.history[:2] for world in islice(possible_worlds(state, random.Random(1)), 0, 9000, 5))
    n = sum(draws.values())
    assert len(draws) == 36
    assert sum((count - n / 36) ** 2 / (n / 36) for count in draws.values()) < 66.6  # 99.9 % at 35 degrees of freedom


def test_a_secret_move_is_redrawn() -> None:
    snake, rng = games.make("snake"), random.Random(0)
    state = _random_position(snake, rng)
    while state.player != 0:
        state = _random_position(snake, rng)
    secret = state.apply("[up]")
    worlds = {world.history[-1] for world in islice(possible_worlds(secret, rng), 60)}
    assert worlds == {"[up]", "[down]", "[left]", "[right]"}
    assert hidden_steps(state, 0) == []


def test_by_name() -> None:
    assert opponents.load("mcts:50").name == "mcts:50"
    with pytest.raises(ValueError, match="simulations=1: the first looks at no move"):
        opponents.load("mcts:1")
