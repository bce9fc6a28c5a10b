"""What a run logs: the figures of hand-made games, the glossary against what is really logged, game logs, reports."""

import contextlib
import importlib.util
import json
import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerCallback

from spiral_lite import games, imitation, models, players
from spiral_lite.metrics import advantage_metrics, lacks_reasoning, metrics_row, play_metrics, read_metrics
from spiral_lite.rollout import Episode, Played, Turn, read_jsonl
from spiral_lite.show.replay import storyboard
from spiral_lite.trainer import SelfPlayTrainer, nano_config

GLOSSARY = Path(__file__).resolve().parents[1] / "spiral_lite" / "METRICS.md"
KUHN = games.make("kuhn_poker")
TOE = games.make("tic_tac_toe")


def turn(role, reply="Against Q I win, so \\boxed{[bet]}.", tokens=4, **more):
    return Turn(role, "step 0", "", reply, "[bet]", reply_ids=(7,) * tokens, **more)


def episode(game, turns, returns):
    return Episode(game, {}, 0, (), tuple(turns), returns, "rules")


def trainer(nano, out, played=(KUHN,), callbacks=(), opponent=None, peft_config=None, **settings):
    model, tokenizer = nano
    config = nano_config(out, **({"turns_per_step": 16, "steps": 1, "beta": 0.0, "use_cpu": True} | settings))
    return SelfPlayTrainer(
        model, list(played), config, tokenizer, opponent=opponent, callbacks=list(callbacks), peft_config=peft_config
    )


# What play_metrics says of games made by hand


def test_figures_of_games_made_by_hand():
    guess = "Just guess: \\boxed{[bet]}."
    won = episode("kuhn_poker", [turn(0, tokens=2), turn(1, guess, 6), turn(0, invalid="?")], (2.0, -2.0))
    lost = episode("kuhn_poker", [turn(0, truncated=True)], (-1.0, 1.0))
    drawn = episode("tic_tac_toe", [turn(0), turn(1)], (0.0, 0.0))
    row = play_metrics([Played(won), Played(lost), Played(drawn)], seconds=2.0)
    assert row == pytest.approx(
        {
            "invalid_rate": 1 / 6, "truncated_rate": 1 / 6, "no_reasoning_rate": 1 / 6, "distinct_rate": 2 / 6,
            "reply_tokens": 4.0, "reply_tokens_std": (8 / 6) ** 0.5, "draw_rate": 1 / 3,
            "games": 3, "turns_per_game": 2.0, "tokens_per_second": 12.0,
            "kuhn_poker/role0/return": 0.5, "kuhn_poker/role1/return": -0.5, "kuhn_poker/return_std": 1.5,
            "tic_tac_toe/role0/return": 0.0, "tic_tac_toe/role1/return": 0.0, "tic_tac_toe/return_std": 0.0,
        }
    )  # fmt: skip


def test_against_an_opponent_only_the_learner_counts():
    game = episode("kuhn_poker", [turn(0, "\\boxed{[bet]}", 90), turn(1, tokens=5)], (-1.0, 1.0))
    row = play_metrics([Played(game, roles=(1,))], seconds=1.0)
    assert row["reply_tokens"] == 5
    assert row["no_reasoning_rate"] == 0
    assert row["turns_per_game"] == 2
    assert "kuhn_poker/role0/return" not in row
    assert row["kuhn_poker/role1/return"] == 1


def test_the_spread_is_within_roles_and_not_between_them():
    same = [Played(episode("kuhn_poker", [turn(0)], (1.0, -1.0)))] * 3
    assert play_metrics(same, 1.0)["kuhn_poker/return_std"] == 0, "a first mover who always wins is no spread"


@pytest.mark.parametrize(
    ("reply", "lacks"),
    [
        ("Just guess: \\boxed{[4]}.", True),  # as the nano corpus words its careless replies
        ("", True),
        ("\\boxed{[Offer: 2 Wood -> 3 Gold]}", True),  # what is in the box does not count
        ("<think>\n\n</think>\n\n<answer>\\boxed{[4]}</answer>", True),
        ("I will play \\boxed{4}", True),
        ("I will now play \\boxed{4}", False),
        ("\\boxed{4} is best as it wins", False),  # reasons may come after
        ("\\boxed{1} or rather \\boxed{4}", False),  # only the last box is the answer; these are four words
        ("I hold K and win 2 of 2 \\boxed{[bet", False),
    ],
)
def test_replies_without_reasoning(reply, lacks):
    assert lacks_reasoning(reply) is lacks


@given(st.lists(st.sampled_from(["so", "I", "win"]), max_size=6), st.text(st.sampled_from("ab{} "), max_size=20))
def test_only_words_beside_the_box_count(words, inside):
    balanced = inside.replace("{", "").replace("}", "")
    assert lacks_reasoning(f"{' '.join(words)} \\boxed{{{balanced}}}") is (len(words) <= 3)


def test_advantages_near_zero():
    scored = [("kuhn_poker", 0, 0.0), ("kuhn_poker", 0, 0.049), ("kuhn_poker", 1, -0.051), ("nim", 1, 1.0)]
    assert advantage_metrics(scored) == {
        "zero_advantage_rate": 0.5,
        "kuhn_poker/role0/advantage": 0.0245,
        "kuhn_poker/role1/advantage": -0.051,
        "kuhn_poker/advantage_std": pytest.approx(0.0408276, abs=1e-6),
        "nim/role1/advantage": 1.0,
        "nim/advantage_std": 0.0,
    }


def test_a_row_keeps_what_means_something():
    logs = {"invalid_rate": 0.1, "loss": 1.0, "reward": 3.0, "nim/role0/return": 1.0, "rewards/_game_return/mean": 2.0}
    assert metrics_row(logs, 4, 2.5) == {
        "step": 4, "seconds": 2.5, "invalid_rate": 0.1, "loss": 1.0, "nim/role0/return": 1.0,
    }  # fmt: skip


# The glossary


def glossary():
    """{name or pattern of the first column: the row's cells} of the glossary's tables."""
    tables = [part for part in GLOSSARY.read_text(encoding="utf-8").split("\n## ") if "| name | formula |" in part]
    rows = [line.strip("|").split("|") for table in tables for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {name: row for row in cells for name in re.findall(r"`([^`]+)`", row[0])}


def pattern(name):
    """`{game}/role{role}/return` as a regular expression."""
    return re.sub(r"\\\{(\w+)\\\}", lambda m: {"game": r"[a-z_]+", "role": "[01]"}[m[1]], re.escape(name)) + r"\Z"


class Logged(TrainerCallback):
    def __init__(self):
        self.names = set()

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.names |= set(logs)


SETTINGS = [
    {"beta": 0.2},
    {"num_iterations": 2, "baseline": "shared"},
    {"pack": False, "entropy_coef": 0.01, "loss_type": "cispo"},
    {"loss_type": "vespo", "per_device_train_batch_size": 8},
]
ELSEWHERE = {  # logged where a test cannot go; TRL's source must know them
    "sampling/sampling_logp_difference/mean": "vLLM", "sampling/sampling_logp_difference/max": "vLLM",
    "sampling/importance_sampling_ratio/min": "vLLM", "sampling/importance_sampling_ratio/mean": "vLLM",
    "sampling/importance_sampling_ratio/max": "vLLM", "aux_loss": "a mixture of experts",
}  # fmt: skip


def _imitated(out):
    """What one tiny imitation writes to its folder, and what it gives to `report_to`."""
    run = imitation.imitate(
        *models.load("nano", "cpu"), [KUHN], imitation.nano_imitation_config(out, steps=1, turns_per_step=4), 2
    )
    return [*read_metrics(out), *run.state.log_history]


def test_the_glossary_has_every_logged_name_and_no_other(tmp_path):
    import trl.trainer.grpo_trainer as source

    logged, rows, settings_and_lora = Logged(), [], SETTINGS
    if importlib.util.find_spec("peft"):
        from peft import LoraConfig

        settings_and_lora = [SETTINGS[0] | {"peft_config": LoraConfig(r=4, target_modules="all-linear")}, *SETTINGS[1:]]
    for number, settings in enumerate(settings_and_lora):
        nano = models.load("nano", "cpu")
        played, opponent = ([KUHN, TOE], None) if number else ([KUHN], players.random_player())
        trainer(nano, tmp_path / str(number), played, [logged], opponent, **settings).train()
        rows += read_metrics(tmp_path / str(number))
    rows += _imitated(tmp_path / "imitated")
    names = logged.names | {name for row in rows for name in row}
    known = glossary()
    missing = {name for name in names if not any(re.match(pattern(entry), name) for entry in known)}
    assert not missing, f"spiral_lite/METRICS.md lacks {sorted(missing)}: add a row for each"
    dead = {e for e in known if not any(re.match(pattern(e), n) for n in names)} - set(ELSEWHERE)
    assert not dead, f"spiral_lite/METRICS.md explains {sorted(dead)}, which no run logs: remove the rows"
    text = Path(source.__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in text for name in ELSEWHERE)
    assert set(ELSEWHERE) <= set(known)


def test_every_row_of_the_glossary_is_complete():
    widths = {len(row) for row in glossary().values()}
    assert widths == {7}, f"rows of {widths} cells; name, formula, unit, nano, large, outside, whose"
    assert all(all(row) for row in glossary().values()), "an empty cell"


# Game logs and reports


def test_logged_games_are_complete_and_open_in_the_viewer(nano, tmp_path):
    run = trainer(nano, tmp_path, [KUHN, TOE], steps=2, logged_games=5, learning_rate=1e-5)
    run.train()
    files = sorted((tmp_path / "games").iterdir())
    assert [file.name for file in files] == ["step_00000.jsonl", "step_00001.jsonl"]
    for step, file in enumerate(files):
        logged = read_jsonl(file)
        assert len(logged) == 5
        for one in logged:
            assert one.policy_version == step
            assert all(t.prompt and t.prompt_ids and len(t.reply_ids) == len(t.logprobs) > 0 for t in one.turns)
            text = storyboard(one)
            assert text.count("Turn ") == len(one.turns)
            assert all(t.reply.strip().splitlines()[0] in text for t in one.turns if t.reply.strip())
    assert all(one in run.episodes for one in read_jsonl(files[-1]))
    assert {one.game for one in read_jsonl(files[-1])} == {"kuhn_poker", "tic_tac_toe"}


def test_tensorboard_gets_all_names(nano, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed; pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged = Logged()
    trainer(nano, tmp_path, callbacks=[logged], steps=2, report_to="tensorboard").train()
    (events,) = (tmp_path / "runs").rglob("events.out.tfevents*")
    read = EventAccumulator(str(events))
    read.Reload()
    tags = set(read.Tags()["scalars"])
    assert tags == {f"train/{name}" for name in logged.names}
    row = read_metrics(tmp_path)[-1]
    for name in ("no_reasoning_rate", "kuhn_poker/role0/return", "grad_norm"):
        last = read.Scalars(f"train/{name}")[-1]
        assert last.step == 2
        assert last.value == pytest.approx(row[name])


def test_trackio_gets_all_names_without_a_network(nano, tmp_path, monkeypatch):
    pytest.importorskip("trackio", reason="trackio is not installed; pip install trackio")
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "trackio")
    logged = Logged()
    trainer(nano, tmp_path / "run", callbacks=[logged], report_to="trackio", project="kuhn").train()
    with contextlib.closing(sqlite3.connect(tmp_path / "trackio" / "kuhn.db")) as database:
        sent = [json.loads(text) for (text,) in database.execute("select metrics from metrics")]
    at_the_end = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos", "train_loss"}
    names = {name for row in sent for name in row if not name.startswith("profiling/")} - {"train/global_step"}
    assert names == {f"train/{name}" for name in logged.names - at_the_end}
