"""Past selves: who is drawn, how many are in memory, and that real checkpoints play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from spiral_lite import checkpoints, games, models, opponents, players
from spiral_lite.opponents.pool import Pool, past_selves
from spiral_lite.players import Prompt, Reply
from spiral_lite.rollout import play

KUHN, TIC_TAC_TOE = games.make("kuhn_poker"), games.make("tic_tac_toe")


class Loaded:
    """Stands for models: replies with a legal action and counts who was read, and how often."""

    def __init__(self, pool: Pool) -> None:
        self.read: list[str] = []
        self.most = 0
        self.pool = pool
        pool._load = self.load

    def load(self, folder: str) -> players.Player:
        self.read.append(folder)
        self.most = max(self.most, len(self.pool.in_memory()) + 1)
        loaded = self

        class Self:
            name = folder

            def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
                assert folder in loaded.pool.in_memory(), "a model that has made room does not answer"
                return [Reply(f"{folder} \\boxed{{{prompt.state.legal_actions()[0]}}}") for prompt in prompts]

        return Self()


def test_one_is_drawn_for_a_whole_game() -> None:
    pool = Pool(["a", "b", "c", "d"])
    Loaded(pool)
    episodes = play(TIC_TAC_TOE, (pool, pool), 40, seed=1)
    for episode in episodes:
        assert {turn.reply.split()[0] for turn in episode.turns} == {pool.drawn(episode.seed)}
    assert len({pool.drawn(episode.seed) for episode in episodes}) == 4


def test_the_same_seed_draws_the_same_selves() -> None:
    games_of = []
    for in_flight in (1, 7, 40):
        pool = Pool(["a", "b", "c"])
        Loaded(pool)
        games_of.append(play(KUHN, (pool, players.random_player()), 40, seed=2, in_flight=in_flight))
    assert games_of[0] == games_of[1] == games_of[2]


@pytest.mark.parametrize(
    ("weighting", "expected"), [("uniform", [1 / 4] * 4), ("recent", [1 / 10, 2 / 10, 3 / 10, 4 / 10])]
)
def test_weights(weighting: str, expected: list[float]) -> None:
    pool, n = Pool(["a", "b", "c", "d"], weighting), 20_000
    counts = Counter(pool.drawn(seed) for seed in range(n))
    chi2 = sum((counts[name] - n * p) ** 2 / (n * p) for name, p in zip("abcd", expected, strict=True))
    assert chi2 < 16.3  # the 99.9 % quantile with 3 degrees of freedom


@pytest.mark.parametrize("held", [1, 2, 3])
def test_no_more_models_are_held_and_few_are_read_twice(held: int) -> None:
    pool = Pool(list("abcdef"), held=held)
    loaded = Loaded(pool)
    play(TIC_TAC_TOE, (pool, players.random_player()), 100, seed=1, in_flight=50)
    assert loaded.most <= held
    assert len(loaded.read) <= 40, "not one a turn: games of a model go on while it is in memory"


def test_replies_are_in_the_order_of_the_prompts() -> None:
    pool = Pool(["a", "b", "c"], held=1)
    Loaded(pool)
    prompts = [Prompt(TIC_TAC_TOE.initial_state(), "", 0, game_seed=seed) for seed in range(30)]
    assert [reply.text.split()[0] for reply in pool.reply(prompts)] == [pool.drawn(seed) for seed in range(30)]
    assert pool.reply([]) == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run: two checkpoints that are the nano model, and one that was not finished."""
    for step in (2, 10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        aside = checkpoints.begin(folder)
        for file in models.NANO.iterdir():
            (aside / file.name).symlink_to(file)
        checkpoints.finish(folder, {"step": step})
    (folder / checkpoints.MANIFEST).unlink()
    return tmp_path


def test_the_checkpoints_of_a_run(run: Path) -> None:
    with pytest.warns(UserWarning, match="refused: .*checkpoint-20: manifest.json is missing"):
        assert [folder.name for folder in past_selves(run)] == ["checkpoint-2", "checkpoint-10"]
    pool = opponents.load(f"pool-recent:{run}")
    assert isinstance(pool, Pool)
    assert pool.name == "pool of 2 (recent)"
    assert pool.weighting == "recent"


def test_folders_of_models(run: Path) -> None:
    for file in run.glob(f"*/{checkpoints.MANIFEST}"):
        file.unlink()
    assert [folder.name for folder in past_selves(run)] == ["checkpoint-10", "checkpoint-2", "checkpoint-20"]


def test_real_checkpoints_play(run: Path) -> None:
    """They are the same model, so whoever is drawn plays as nano does."""
    pool = opponents.load(f"pool:{run}")
    episodes = play(KUHN, (pool, players.random_player()), 8, seed=1)
    nano = play(KUHN, (opponents.load("nano"), players.random_player()), 8, seed=1)
    assert [episode.history for episode in episodes] == [episode.history for episode in nano]
    assert len({pool.drawn(episode.seed) for episode in episodes}) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pool:", "no checkpoints in ''"),
        ("pool:no/where", "no checkpoints in 'no/where'; name the folder of a run"),
        ("mcts:many", "simulations='many' is not a whole number"),
        ("mcts", "write e.g. mcts:100"),
        ("clever", "no model at 'clever'.*search:DEPTH.*mcts:SIMULATIONS.*pool:FOLDER"),
    ],
)
def test_names_teach(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opponents.load(name)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"folders": []}, "at least one model"),
        ({"weighting": "old"}, "weighting='old' is unknown; known: uniform, recent"),
        ({"held": 0}, "held=0"),
    ],
    ids=str,
)
def test_wrong_pools_teach(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pool(**{"folders": ["a"], **wrong})  # type: ignore[arg-type]
