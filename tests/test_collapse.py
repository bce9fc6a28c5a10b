"""Early warning: hand-made rows for each finding, real runs of the nano model that collapse, one that does not."""

import dataclasses
import json
import logging
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainerControl, TrainerState

from spiral_lite import checkpoints, games
from spiral_lite.collapse import Limits, explain
from spiral_lite.metrics import read_metrics
from spiral_lite.trainer import SelfPlayTrainer, nano_config
from spiral_lite.trainer.guard import CollapseGuard

HEALTHY = {  # a row as nano's on Kuhn poker
    "invalid_rate": 0.01, "truncated_rate": 0.0, "no_reasoning_rate": 0.5, "distinct_rate": 0.3, "reply_tokens": 15.0,
    "draw_rate": 0.0, "zero_advantage_rate": 0.0, "games": 32.0, "turns_per_game": 2.3, "loss": 0.01,
    "grad_norm": 0.02, "entropy": 0.12, "kl": 0.02, "clip_ratio/region_mean": 0.0, "kuhn_poker/return_std": 1.4,
    "kuhn_poker/role0/return": -0.1, "kuhn_poker/role1/return": 0.1,
}  # fmt: skip

LOST_BY_PLAYER_1 = {"kuhn_poker/return_std": 0.0, "kuhn_poker/role0/return": 1.0, "kuhn_poker/role1/return": -1.0}


def run(steps=8, bad_from=5, **changes):
    """Rows of a run that is healthy before step `bad_from`, and has `changes` from there on."""
    return [{"step": s, **HEALTHY, **(changes if s >= bad_from else {})} for s in range(1, steps + 1)]


def signs(rows, **kwargs):
    return [finding.sign for finding in explain(rows, **kwargs)]


@pytest.mark.parametrize(
    ("changes", "sign", "grave", "says"),
    [
        ({"loss": math.nan}, "not_a_number", True, "loss of step 8 is not a finite number"),
        ({"entropy": None, "grad_norm": math.inf}, "not_a_number", True, "grad_norm and entropy of step 8"),
        (
            {"zero_advantage_rate": 0.99, **LOST_BY_PLAYER_1},
            "ended_alike",
            True,
            "All 32 games ended alike (player 0 +1.00, player 1 -1.00), so every advantage is near zero",
        ),
        ({"zero_advantage_rate": 0.95}, "idle", False, "95% of the turns have an advantage near zero"),
        ({"no_reasoning_rate": 0.97}, "no_reasoning", True, "97% of the replies hold next to nothing but the box"),
        ({"reply_tokens": 6.0}, "shorter", False, "from 15 to 6 tokens"),
        ({"reply_tokens": 3.0}, "shorter", True, "from 15 to 3 tokens"),
        ({"invalid_rate": 0.3}, "invalid", False, "30% of the replies are invalid; at the start 1% were"),
        ({"invalid_rate": 0.6}, "invalid", True, "60% of the replies are invalid"),
        ({"truncated_rate": 0.4}, "truncated", False, "40% of the replies are cut at the token limit"),
        ({"distinct_rate": 0.05}, "repetitive", False, "Only 5% of the replies differ"),
        ({"entropy": 0.01}, "certain", False, "from 0.120 to 0.010 nats"),
        ({"entropy": 2.0}, "noisy", False, "from 0.120 to 2.000 nats"),
        ({"kl": 1.7}, "drift", False, "1.70 nats a token away"),
        ({"grad_norm": 5.0}, "spike", False, "250 times what is usual"),
        ({"grad_norm": 0.0}, "no_gradient", False, "the step changes nothing"),
        ({"clip_ratio/region_mean": 0.45}, "clipped", False, "45% of the tokens are clipped"),
    ],
)
def test_each_finding_alone(changes, sign, grave, says):
    bad_from = 8 if sign == "spike" else 5
    (finding,) = explain(run(bad_from=bad_from, **changes))
    assert (finding.sign, finding.grave) == (sign, grave)
    assert says in str(finding)
    assert finding.cause in str(finding)
    assert finding.advice in str(finding)


def test_a_model_that_never_knew_the_format_is_not_said_to_have_lost_it():
    assert signs(run(bad_from=1, invalid_rate=0.9)) == ["unknown_format"]


def test_what_is_normal_for_a_model_from_its_start_is_no_finding():
    for changes in ({"no_reasoning_rate": 0.95}, {"truncated_rate": 0.5}, {"reply_tokens": 2.0}, {"entropy": 0.01}):
        assert signs(run(bad_from=1, **changes)) == []


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"invalid_rate": 0.4}, "invalid reply"),
        ({"draw_rate": 1.0}, "every game is a draw"),
        ({}, "strategies of both roles have become pure"),
    ],
)
def test_why_games_ended_alike(more, cause):
    rows = run(bad_from=1, **{"kuhn_poker/return_std": 0.0, **more})
    assert cause in explain(rows)[0].cause


WON = {"kuhn_poker/return_std": 0.0, "kuhn_poker/role0/return": 1.0, "kuhn_poker/role1/return": 1.0}
DRAWN = {"kuhn_poker/return_std": 0.0, "kuhn_poker/role0/return": 0.0, "kuhn_poker/role1/return": 0.0}


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (WON, "the learner gains in every game"),  # against a weak opponent
        (DRAWN | {"draw_rate": 1.0}, "every game is a draw"),  # one role's return falls where all is drawn
    ],
)
def test_games_that_end_alike_and_well_are_no_collapse(changes, cause):
    (finding,) = explain(run(**changes))
    assert (finding.sign, finding.grave) == ("ended_alike", False)
    assert finding.cause.startswith(cause)
    assert "opponent" in finding.advice
    (finding,) = explain(run(invalid_rate=0.15, **changes))
    assert finding.grave, "a third of the games are lost by an invalid reply: no success"


@pytest.mark.parametrize(
    "changes",
    [
        LOST_BY_PLAYER_1,
        {name: value - 1.0 for name, value in DRAWN.items()},  # every game is lost to a fixed opponent
        {**DRAWN, "kuhn_poker/role0/return": -0.5, "kuhn_poker/role1/return": -0.5},  # all fail together
    ],
)
def test_games_that_end_alike_and_badly_are_a_collapse(changes):
    (finding,) = explain(run(**changes))
    assert (finding.sign, finding.grave) == ("ended_alike", True)


@pytest.mark.parametrize("mode", ["stop", "roll_back"])
def test_a_guard_leaves_a_success_alone(mode):
    asked, control, state = [], TrainerControl(), TrainerState(is_world_process_zero=True)
    guard = CollapseGuard(mode, lambda step: asked.append(step))
    for state.global_step, row in enumerate(run(20, **WON), 1):
        guard.on_log(SimpleNamespace(num_iterations=1), state, control, row)
    assert not asked
    assert not control.should_training_stop


def test_nothing_left_to_learn_is_said_only_where_advantages_say_so():
    """With baseline none or shared, games that end alike have advantages all the same."""
    assert [f.seen for f in explain(run(zero_advantage_rate=0.1, **LOST_BY_PLAYER_1))] == [
        "All 32 games ended alike (player 0 +1.00, player 1 -1.00)"
    ]
    (finding,) = explain(run(zero_advantage_rate=0.95, **LOST_BY_PLAYER_1))
    assert finding.seen.endswith(", so every advantage is near zero and nothing is left to learn")


def test_of_two_games_the_one_that_ended_alike_is_named():
    rows = run(**{"nim/return_std": 0.0, "nim/role0/return": 1.0, "nim/role1/return": -1.0})
    (finding,) = explain(rows)
    assert "All games of nim ended alike (player 0 +1.00" in finding.seen


def test_the_gravest_comes_first():
    found = explain(run(reply_tokens=6.0, no_reasoning_rate=0.99, entropy=0.01))
    assert [finding.grave for finding in found] == [True, False, False]


@given(st.integers(1, 30), st.lists(st.floats(0.8, 1.25), min_size=30, max_size=30))
def test_nothing_is_said_of_a_steady_run(steps, noise):
    rows = [{n: v * noise[i] for n, v in HEALTHY.items()} | {"step": i + 1} for i in range(steps)]
    assert explain(rows) == []


@given(st.lists(st.dictionaries(st.sampled_from(list(HEALTHY)), st.none() | st.floats() | st.just(0.0)), max_size=6))
def test_no_rows_are_too_odd(odd):
    for finding in explain([{"step": i, **row} for i, row in enumerate(odd)]):
        assert str(finding)


def test_nothing_is_said_of_no_rows():
    assert explain([]) == []


def test_limits_can_be_changed_and_a_few_steps_are_averaged():
    rows = run(bad_from=8, no_reasoning_rate=1.0)  # one step of three
    assert signs(rows) == []
    assert signs(rows, limits=Limits(window=1)) == ["no_reasoning"]
    assert dataclasses.asdict(Limits())["window"] == 3


# Real runs


def build(nano, out, callbacks=(), **settings):
    model, tokenizer = nano
    defaults = {"turns_per_step": 32, "beta": 0.0, "lr_scheduler_type": "constant", "use_cpu": True}
    config = nano_config(out, **(defaults | settings))
    return SelfPlayTrainer(model, [games.make("kuhn_poker")], config, tokenizer, callbacks=list(callbacks))


def train(nano, out, callbacks=(), **settings):
    trainer = build(nano, out, callbacks, **settings)
    trainer.train()
    return trainer


def test_a_healthy_run_raises_nothing(nano, tmp_path, caplog):
    train(nano, tmp_path, steps=8, turns_per_step=64, beta=0.2, learning_rate=3e-4)
    rows = read_metrics(tmp_path)
    assert len(rows) == 8
    assert [str(finding) for row in range(1, 9) for finding in explain(rows[:row])] == []
    assert not [record for record in caplog.records if record.name.startswith("spiral_lite")]


def test_a_run_with_steps_far_too_large_is_stopped(nano, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "spiral_lite"):
        trainer = train(nano, tmp_path, steps=30, learning_rate=3e-2, on_collapse="stop")
    assert 2 < trainer.state.global_step < 30
    assert len(read_metrics(tmp_path)) == trainer.state.global_step
    assert any(finding.grave for finding in explain(read_metrics(tmp_path)))
    assert "Training stops here" in caplog.text


class Sabotage(TrainerCallback):
    """After step 4 the weights are ruined, as by one step that was far too large."""

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step == 4:
            with torch.no_grad():
                for weights in model.parameters():
                    weights.add_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)))


class AfterTheGuard(TrainerCallback):
    """What there is at step 6, when the guard has acted; and a copy of the checkpoint that it has gone back to.
    `trainer` is set by the test."""

    def on_log(self, args, state, control, model=None, optimizer=None, **kwargs):
        if state.global_step == 6:
            self.weights = {name: value.clone() for name, value in model.state_dict().items()}
            self.moments = [s["exp_avg"].clone() for s in optimizer.state.values()]
            self.rate = optimizer.param_groups[0]["lr"]
            self.baseline = json.loads(json.dumps(self.trainer.baseline.state_dict()))
            run = Path(args.output_dir)
            self.saved = [folder.name for folder in checkpoints.saved(run)]
            self.folder = shutil.copytree(run / "checkpoint-3", run / "copy")


def test_roll_back_returns_to_sound_weights_with_half_the_rate(nano, tmp_path, caplog):
    after = AfterTheGuard()
    settings = {"steps": 8, "learning_rate": 1e-5, "save_every": 1}  # with the default limit of checkpoints
    trainer = build(nano, tmp_path, [Sabotage(), after], on_collapse="roll_back", **settings)
    after.trainer = trainer
    with caplog.at_level(logging.WARNING, "spiral_lite"):
        trainer.train()
    assert "Step 6: Back to the weights of step 3" in caplog.text, "those of step 4 are ruined, row 4 is not"
    assert after.saved == ["checkpoint-3", "checkpoint-5"], "two, and not the two newest"
    folder = after.folder
    saved = load_file(folder / "model.safetensors")
    assert all(torch.equal(after.weights[name], saved[name]) for name in saved)
    moments = torch.load(folder / "optimizer.pt", weights_only=True)["state"]
    assert all(torch.equal(a, b["exp_avg"]) for a, b in zip(after.moments, moments.values(), strict=True))
    assert after.baseline == json.loads((folder / "self_play.json").read_text())["baseline"]
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 9)), "the count of steps goes on"
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-5] * 6 + [5e-6] * 2)
    assert after.rate == pytest.approx(5e-6)
    assert [row["invalid_rate"] > 0.5 for row in rows] == [False] * 4 + [True] * 2 + [False] * 2
    assert [folder.name for folder in checkpoints.saved(tmp_path)] == ["checkpoint-7", "checkpoint-8"]


def test_rotation_spares_the_newest_sound_checkpoint(tmp_path):
    def rotate(limit, sound):
        for step in (2, 4, 6, 8):
            (tmp_path / f"checkpoint-{step}").mkdir(exist_ok=True)
        checkpoints.keep(tmp_path, limit, tmp_path / "checkpoint-8", sound)
        return [int(folder.name.partition("-")[2]) for folder in checkpoints.saved(tmp_path)]

    assert rotate(2, 5) == [4, 8]
    assert rotate(3, 5) == [4, 6, 8]
    assert rotate(1, 5) == [4, 8], "one more than the limit, or there would be none to go back to"
    assert rotate(2, 7) == rotate(2, 1) == rotate(2, None) == [6, 8]
    assert rotate(1, 8) == [8]
    assert rotate(None, 5) == [2, 4, 6, 8]


def test_where_there_is_nothing_to_go_back_to_the_run_stops(nano, tmp_path, caplog):
    settings = {"steps": 8, "learning_rate": 1e-5, "save_every": 5}
    with caplog.at_level(logging.WARNING, "spiral_lite"):
        trainer = train(nano, tmp_path, [Sabotage()], on_collapse="roll_back", **settings)
    assert trainer.state.global_step == 6
    assert "Training stops here" in caplog.text


def test_a_guard_goes_back_only_a_few_times():
    asked, control, state = [], TrainerControl(), TrainerState(is_world_process_zero=True)
    guard = CollapseGuard("roll_back", lambda step: asked.append(step) or 1)
    guard.rows = run(1)
    for step in range(2, 30):
        state.global_step = step
        guard.on_log(SimpleNamespace(num_iterations=1), state, control, {**HEALTHY, "no_reasoning_rate": 1.0})
        if control.should_training_stop:
            break
    assert len(asked) == 3
    assert control.should_training_stop


def test_a_warning_is_given_once_until_it_goes_away(caplog):
    guard = CollapseGuard("warn", lambda step: None)
    state = TrainerState(is_world_process_zero=True)
    with caplog.at_level(logging.WARNING, "spiral_lite"):
        for step, kl in enumerate([0.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 9.0], 1):
            state.global_step = step
            guard.on_log(SimpleNamespace(num_iterations=1), state, TrainerControl(), {**HEALTHY, "kl": kl})
    assert [record.getMessage()[:6] for record in caplog.records] == ["Step 2", "Step 8"]


def test_a_resumed_run_is_compared_with_its_own_start(tmp_path):
    rows = run(4)
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    guard = CollapseGuard("warn", lambda step: None)
    args = SimpleNamespace(output_dir=str(tmp_path), num_iterations=2)
    guard.on_train_begin(args, TrainerState(global_step=8), TrainerControl())
    assert (guard.rows, guard.sound, guard.sound_step) == (rows[:1], 4, None)
    guard = CollapseGuard("roll_back", lambda step: None)
    guard.on_train_begin(args, TrainerState(global_step=8), TrainerControl())
    assert (guard.sound, guard.sound_step) == (4, 8), "checkpoints count optimizer steps"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"on_collapse": "pray"}, "on_collapse='pray' is unknown; choose warn, stop, roll_back"),
        ({"on_collapse": "roll_back"}, "needs checkpoints to go back to, e.g. save_every=5"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        nano_config(tmp_path, **settings)
