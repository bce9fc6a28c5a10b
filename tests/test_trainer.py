"""The trainer's contract: TRL's gradient is REINFORCE with RAE, and a killed run goes on as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from spiral_lite import advantages, games, models, players, rewards
from spiral_lite.advantages import Outcome, RoleBaseline
from spiral_lite.metrics import read_metrics
from spiral_lite.opponents.pool import Pool
from spiral_lite.players import Sampling
from spiral_lite.rollout import read_jsonl
from spiral_lite.trainer import SelfPlayConfig, SelfPlayTrainer, last_checkpoint, nano_config

KUHN, TTT = games.make("kuhn_poker"), games.make("tic_tac_toe")


def trainer(nano, out, played=(KUHN,), callbacks=(), on_metrics=lambda row: None, opponent=None, **settings):
    model, tokenizer = nano
    config = nano_config(out, **({"turns_per_step": 32, "learning_rate": 1e-4, "use_cpu": True} | settings))
    return SelfPlayTrainer(model, list(played), config, tokenizer, opponent, list(callbacks), on_metrics)


@pytest.mark.parametrize(
    "settings",
    [{}, {"per_device_train_batch_size": 8}, {"num_iterations": 2}, {"pack": False}, {"backend": "transformers"}],
)
def test_the_gradient_is_reinforce_with_role_advantages(nano, tmp_path, gradient_check, settings):
    check = gradient_check
    check.trainer = trainer(
        nano, tmp_path, [KUHN, games.make("tic_tac_toe")], [check], steps=1, max_grad_norm=1e9, **settings
    )
    check.trainer.train()
    assert check.roles == {0, 1}
    assert check.relative_error < 1e-5


def test_a_step_writes_metrics_and_games(nano, tmp_path):
    run = trainer(nano, tmp_path, steps=2)
    run.train()
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == [1, 2]
    for key in ("kuhn_poker/role0/return", "kuhn_poker/role1/baseline", "invalid_rate", "reply_tokens", "entropy"):
        assert key in rows[0]
    logged = read_jsonl(tmp_path / "games" / "step_00000.jsonl")
    assert len(logged) == 8
    assert logged[0].turns[0].reply_ids


def test_the_baseline_sees_every_game_and_the_batch_only_its_turns(nano, tmp_path):
    run = trainer(nano, tmp_path, steps=1)
    run.train()
    again = RoleBaseline()
    scored = again.advantages([Outcome(e.game, e.returns) for e in run.episodes])
    assert run.baseline.values == again.values
    expected = {id(t): both[t.role] for e, both in zip(run.episodes, scored, strict=True) for t in e.turns}
    assert len(run._samples) == 32 < len(expected)
    assert all(sample.advantage == expected[id(sample.turn)] for sample in run._samples)


def test_the_batch_is_split_evenly_over_the_games(nano, tmp_path):
    run = trainer(nano, tmp_path, [KUHN, games.make("tic_tac_toe")], steps=1)
    run.train()
    assert Counter(sample.game for sample in run._samples) == {"kuhn_poker": 16, "tic_tac_toe": 16}


def test_without_a_baseline_the_advantage_is_the_return(nano, tmp_path):
    run = trainer(nano, tmp_path, steps=1, baseline="none")
    run.train()
    assert all(sample.advantage == sample.value for sample in run._samples)


@pytest.mark.parametrize("baseline", advantages.BASELINES)
def test_every_baseline_trains_and_reaches_the_loss(nano, tmp_path, gradient_check, baseline):
    check = gradient_check
    check.trainer = trainer(
        nano, tmp_path, [KUHN, TTT], [check], steps=1, max_grad_norm=1e9, beta=0.0, baseline=baseline
    )
    check.trainer.train()
    assert check.relative_error < 1e-5
    if baseline == "group":
        deals = Counter(episode.seed for episode in check.trainer.episodes)
        assert set(deals.values()) == {8}


@pytest.mark.parametrize("reward", rewards.REWARDS)
def test_every_reward_is_what_is_learnt_from(nano, tmp_path, reward):
    run = trainer(nano, tmp_path, steps=1, reward=reward, baseline="none")
    run.train()
    paid = {id(turn): episode.returns[turn.role] for episode in run.episodes for turn in episode.turns}
    as_played = [sample.value == paid[id(sample.turn)] for sample in run._samples]
    assert all(as_played) == (reward == "returns")
    assert all(sample.advantage == sample.value for sample in run._samples)


@pytest.mark.parametrize("settings", [{}, {"baseline": "group"}, {"batch": "keep_all"}, {"filter_zero_adv": True}])
def test_against_an_opponent_it_learns_its_own_turns(nano, tmp_path, settings):
    run = trainer(nano, tmp_path, [KUHN, TTT], opponent=players.make("random"), steps=2, **settings)
    run.train()
    assert {sample.turn.player for sample in run._samples} == {"step 1"}
    assert {sample.turn.role for sample in run._samples} == {0, 1}
    assert len(run._samples) >= 32
    assert {turn.player for episode in run.episodes for turn in episode.turns} == {"step 1", "random"}


def test_keep_all_learns_from_all_turns(nano, tmp_path):
    run = trainer(nano, tmp_path, steps=1, batch="keep_all")
    run.train()
    played = sum(len(episode.turns) for episode in run.episodes)
    assert len(run._samples) == played - played % 2 > 32


def test_past_selves_fill_the_pool_and_a_resumed_run_has_the_same_ones(nano, tmp_path):
    def begin(folder, steps, **more):
        pool = Pool([models.NANO], sampling=Sampling(max_new_tokens=96))
        return trainer(nano, folder, opponent=pool, steps=steps, pool_every=1, save_every=1, **more)

    whole = begin(tmp_path / "whole", 3)
    whole.train()
    names = [Path(folder).name for folder in whole.opponent.folders]
    assert names == ["nano", "step_00001", "step_00002", "step_00003"]
    final = whole.model.state_dict()
    first = models.load(str(tmp_path / "whole" / "pool" / "step_00001"), "cpu")[0].state_dict()
    assert not torch.equal(first["model.embed_tokens.weight"], final["model.embed_tokens.weight"])
    met = {turn.player for episode in whole.episodes for turn in episode.turns} - {"step 2"}
    assert met == {"pool of 3 (uniform)"}, "the third step's opponents are the base and two past selves"

    nano = models.load("nano", "cpu")
    alone = trainer(nano, tmp_path / "whole", steps=3, save_every=1)
    with pytest.raises(ValueError, match="this run played against a pool of its past selves"):
        alone.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    nano = models.load("nano", "cpu")
    again = trainer(
        nano, tmp_path / "whole", opponent=Pool([models.NANO], sampling=Sampling(max_new_tokens=96)),
        steps=3, pool_every=1, save_every=1,
    )  # fmt: skip
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert [Path(folder).name for folder in again.opponent.folders] == names
    assert all(torch.equal(final[name], weight) for name, weight in again.model.state_dict().items())


@pytest.fixture
def adapted(tmp_path):
    """The command of a LoRA run in a process of its own: adapters change the model that they are put on."""
    pytest.importorskip("peft", reason='needs pip install "spiral-lite[lora]"')
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    settings = ["--games", "kuhn_poker", "--turns-per-step", "32", "--lora-rank", "4", "--save-every", "1"]
    pool = ["--opponent", "pool", "--set", "pool_every=1"]

    def run(out, *more):
        command = [sys.executable, "-m", "spiral_lite", "train", *settings, *pool, "--out", str(tmp_path / out)]
        subprocess.run([*command, *more], check=True, capture_output=True, env=environment, timeout=300)
        return tmp_path / out

    return run


@pytest.mark.slow
def test_a_lora_run_is_saved_loaded_pooled_and_resumed(nano, adapted):
    whole = adapted("whole", "--steps", "2")
    model, _ = models.load(str(whole), "cpu")
    assert set(dict(model.named_parameters())) == set(dict(nano[0].named_parameters())), "merged: no adapter is left"
    assert not torch.equal(model.model.layers[0].mlp.up_proj.weight, nano[0].model.layers[0].mlp.up_proj.weight)
    assert sorted(folder.name for folder in (whole / "pool").glob("step_*")) == ["step_00001", "step_00002"]
    models.load(str(whole / "pool" / "step_00001"), "cpu")
    for file in (*whole.glob("*.safetensors"), whole / "checkpoint-2", whole / "run.json"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    adapted("whole", "--steps", "2", "--resume")
    again, _ = models.load(str(whole), "cpu")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(("zero_sum", "other"), [(False, 0.5), (True, 1.5)])
def test_an_invalid_reply_pays_the_forfeit(nano, tmp_path, zero_sum, other):
    run = trainer(nano, tmp_path, steps=1, max_completion_length=1, zero_sum_forfeit=zero_sum)
    run.train()
    assert {episode.returns for episode in run.episodes} == {(-1.5, other)}  # one token is no move
    assert read_metrics(tmp_path)[0]["invalid_rate"] == 1


def test_every_process_has_the_baseline_of_all_games(nano, tmp_path, monkeypatch):
    """The second of two processes: its advantages come after those of the first one's games."""
    from spiral_lite.trainer import self_play as module

    run = trainer(nano, tmp_path, steps=1)
    played = run._play(KUHN, 16)
    values = [one.episode.returns for one in played]
    theirs = [Outcome("kuhn_poker", (2.0, -2.0))] * 3
    mine = [Outcome("kuhn_poker", paid) for paid in values]
    monkeypatch.setattr(module, "gather_object", lambda outcomes: [theirs, *outcomes])
    monkeypatch.setattr(type(run.accelerator), "process_index", property(lambda self: 1))
    together = RoleBaseline()
    assert run._advantages(played, values) == together.advantages(theirs + mine)[3:]
    assert run.baseline.values == together.values


def test_importing_the_trainer_alone_turns_telemetry_off():
    program = "import spiral_lite.trainer, os; print(os.environ['HF_HUB_DISABLE_TELEMETRY'])"
    clean = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_second_iteration_is_off_policy_and_clipped(nano, tmp_path):
    run = trainer(nano, tmp_path, steps=2, num_iterations=2, learning_rate=3e-3)
    run.train()
    assert run.state.global_step == 4
    assert len(read_metrics(tmp_path)) == 2
    assert max(row["clip_ratio/region_mean"] for row in read_metrics(tmp_path)) > 0


class Stop(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_an_interrupted_run_resumes_bit_for_bit(nano, tmp_path):
    from spiral_lite import models

    whole = trainer(nano, tmp_path / "whole", steps=4, save_every=2)
    whole.train()
    broken = trainer(models.load("nano", "cpu"), tmp_path / "broken", callbacks=[Stop()], steps=4, save_every=2)
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    assert [row["step"] for row in read_metrics(tmp_path / "broken")] == [1, 2, 3]
    seen = []
    resumed = trainer(models.load("nano", "cpu"), tmp_path / "broken", on_metrics=seen.append, steps=4, save_every=2)
    resumed.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "broken")))
    assert [row["step"] for row in read_metrics(tmp_path / "broken")] == [1, 2, 3, 4]
    assert [row["step"] for row in seen] == [3, 4], "it began again instead of going on"
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert whole.baseline.state_dict() == resumed.baseline.state_dict()


def train_command(out, *more):
    settings = ["--games", "kuhn_poker", "--steps", "6", "--turns-per-step", "64", "--save-every", "2", "--seed", "3"]
    return [sys.executable, "-m", "spiral_lite", "train", "--model", "nano", *settings, "--out", str(out), *more]


def test_a_killed_process_resumes_bit_for_bit(tmp_path):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run(train_command(tmp_path / "whole"), check=True, capture_output=True, env=environment, timeout=300)
    with subprocess.Popen(
        train_command(tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as run:
        wait_for(tmp_path / "killed" / "checkpoint-2", run)
        run.send_signal(signal.SIGKILL)
    assert not (tmp_path / "killed" / "model.safetensors").exists(), "the run ended before it was killed"
    before = (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()[:2]
    subprocess.run(
        train_command(tmp_path / "killed", "--resume"), check=True, capture_output=True, env=environment, timeout=300
    )
    after = (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()[:2]
    assert after == before, "it began again instead of going on: even the seconds of the first steps would stand"
    whole, killed = (tmp_path / name / "model.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == killed.read_bytes()
    assert [row["step"] for row in read_metrics(tmp_path / "killed")] == [1, 2, 3, 4, 5, 6]


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, "the training process ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -1e-3}, "learning_rate=-0.001: it must be positive"),
        ({"turns_per_step": 7}, "turns_per_step=7: TRL needs an even number"),
        ({"turns_per_step": 32, "per_device_train_batch_size": 12}, "no multiple of per_device_train_batch_size=12"),
        ({"steps": 0}, "steps=0: it must be at least 1"),
        ({"baseline": "critic"}, "baseline='critic' is unknown"),
        ({"role_decay": 1.5}, "role_decay=1.5"),
        ({"steps": 2.5}, "steps=2.5: it must be a whole number"),
        ({"logged_games": -1}, "logged_games=-1"),
        ({"save_every": -1}, "save_every=-1"),
        ({"eval_strategy": "steps"}, "eval_strategy must stay 'no'"),
        ({"max_steps": 5}, "max_steps=5 has no effect in self-play: set steps"),
        ({"backend": "vllm"}, "for vLLM set use_vllm=True"),
        ({"cast_lm_head_to_fp32": True}, "set pack=False"),
        ({"top_k": 5}, "top_k=5 has no effect"),
        ({"gamma": 1.5}, "gamma=1.5: a discount lies in"),
        ({"batch": "all"}, "batch='all' is unknown"),
        ({"reward": "wins"}, "reward='wins' is unknown"),
        ({"group_size": 0}, "group_size=0: it must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        nano_config(tmp_path, **settings)


def test_the_defaults_are_spiral_s(tmp_path):
    config = SelfPlayConfig(output_dir=str(tmp_path))
    facts = {
        "loss_type": "dr_grpo", "scale_rewards": "none", "beta": 0.0, "num_iterations": 2, "epsilon": 0.2,
        "temperature": 1.0, "learning_rate": 1e-6, "turns_per_step": 128, "role_decay": 0.95, "adam_beta1": 0.9,
        "adam_beta2": 0.95, "weight_decay": 0.0, "max_grad_norm": 1.0, "max_completion_length": 4096,
    }  # fmt: skip
    assert {name: getattr(config, name) for name in facts} == facts
    assert str(config.lr_scheduler_type) in ("constant", "SchedulerType.CONSTANT")


def test_no_game_and_no_checkpoint_are_refused(nano, tmp_path):
    with pytest.raises(ValueError, match="games is empty"):
        trainer(nano, tmp_path, played=())
    with pytest.raises(ValueError, match="each name once"):
        trainer(nano, tmp_path, played=(KUHN, games.make("kuhn_poker", rounds=5)))
    with pytest.raises(ValueError, match="no checkpoint in"):
        last_checkpoint(tmp_path)


def test_a_metrics_line_cut_by_a_kill_is_left_out(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2, "inv')
    assert read_metrics(tmp_path) == [{"step": 1}]
