"""Our games pass PettingZoo's own test of its interface, and are the same games there."""

from __future__ import annotations

import random
import sys
import warnings

import pytest

from spiral_lite import games
from spiral_lite.adapters import pettingzoo as adapter
from spiral_lite.dialogue import observe

pytest.importorskip("pettingzoo")

KUHN, TIC_TAC_TOE = games.make("kuhn_poker"), games.make("tic_tac_toe")


@pytest.mark.parametrize("name", games.names())
def test_every_game_passes_the_api_test(name: str) -> None:
    from pettingzoo.test import api_test

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        # advice, not failures: a dict with an action mask is no bare array, which it says of PettingZoo's own games too
        warnings.filterwarnings("ignore", message="Observation is not a NumPy array")
        warnings.filterwarnings("ignore", message="Observation space for each agent probably should be")
        warnings.filterwarnings("ignore", message="Action mask numpy array is all zeros")  # of one who is not to move
        api_test(adapter.pettingzoo_env(games.make(name)), num_cycles=100)


@pytest.mark.parametrize("name", ["kuhn_poker", "tic_tac_toe", "liars_dice", "pig_dice"])
def test_playing_through_it_is_playing_the_game(name: str) -> None:
    """The same actions on our own states: mover, mask, text, legal actions, rewards and end agree."""
    game, rng = games.make(name), random.Random(name)
    env = adapter.pettingzoo_env(game)
    for seed in range(10):
        env.reset(seed=seed)
        total = dict.fromkeys(adapter.AGENTS, 0.0)
        state, chance = game.initial_state(), random.Random(seed)
        while True:
            while state.player == games.CHANCE:
                state = state.apply(state.sample_chance(chance))
            if state.player == games.TERMINAL:
                break
            observation, reward, terminated, truncated, info = env.last()
            assert env.agent_selection == adapter.AGENTS[state.player]
            assert (reward, terminated, truncated) == (0, False, False)
            legal, text = state.legal_actions(), observe(state, state.player)
            assert info == {"text": text, "legal": legal}
            assert bytes(observation["observation"]).rstrip(b"\0").decode() == text == env.render()
            assert observation["action_mask"].tolist() == [1] * len(legal) + [0] * (env.most_actions - len(legal))
            choice = rng.randrange(len(legal))
            env.step(choice)
            state = state.apply(legal[choice])
        for agent in env.agent_iter():
            _, reward, terminated, _, _ = env.last()
            assert terminated
            total[agent] += reward
            env.step(None)
        assert tuple(total.values()) == state.returns()


def test_seeds_decide_chance() -> None:
    texts = []
    env = adapter.pettingzoo_env(KUHN)
    for seed in (1, 1, 2, 3, 4):
        env.reset(seed=seed)
        texts.append(env.render())
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


def test_the_other_player_sees_no_card() -> None:
    env = adapter.pettingzoo_env(KUHN)
    env.reset(seed=1)
    cards = [env.state_of_game.cards[player] for player in (0, 1)]
    texts = [bytes(env.observe(agent)["observation"]).decode() for agent in adapter.AGENTS]
    assert all(f"Your card is {card}." in text for card, text in zip(cards, texts, strict=True))
    assert not env.observe("player_1")["action_mask"].any()


def test_an_illegal_action_is_refused_with_those_that_are_legal() -> None:
    env = adapter.pettingzoo_env(KUHN)
    env.reset(seed=1)
    for wrong in (2, -1):
        with pytest.raises(ValueError, match=r"action -?\d is not legal here; legal: 0 \[check\], 1 \[bet\]"):
            env.step(wrong)


def test_a_game_over_its_turn_limit_is_truncated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(TIC_TAC_TOE), "max_turns", 2)
    env = adapter.pettingzoo_env(TIC_TAC_TOE)
    env.reset(seed=0)
    env.step(0)
    assert not any(env.truncations.values())
    env.step(0)
    assert all(env.truncations.values())
    assert not any(env.terminations.values())
    assert set(env.rewards.values()) == {0.0}


@pytest.mark.parametrize(
    ("options", "message"), [({"length": 20}, "length=20 is too small"), ({"most_actions": 3}, "most_actions=3 is too")]
)
def test_what_does_not_fit_is_refused(options: dict[str, int], message: str) -> None:
    env = adapter.pettingzoo_env(TIC_TAC_TOE, **options)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.last()


def test_without_pettingzoo_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    adapter._environment.cache_clear()
    with pytest.raises(ImportError, match=r'pip install "spiral-lite\[pettingzoo\]"'):
        adapter.pettingzoo_env(KUHN)
    adapter._environment.cache_clear()
