"""Two processes learn what one would from the same turns, and hold one baseline: `accelerate launch` on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from spiral_lite import games, models, packing
from spiral_lite.advantages import Outcome, RoleBaseline
from spiral_lite.rollout import Turn
from spiral_lite.trainer import Sample, SelfPlayTrainer, nano_config

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = ROOT / "spiral_lite" / "launch"
BOTH = ["kuhn_poker", "tic_tac_toe"]
SMALL = {"turns_per_step": 12, "max_grad_norm": 1e9, "learning_rate": 1e-4}
CASES = {
    "packed": [["kuhn_poker"], SMALL],
    "packed_twice": [BOTH, SMALL | {"num_iterations": 2}],
    "padded": [BOTH, SMALL | {"pack": False, "num_iterations": 2, "per_device_train_batch_size": 4}],
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """(folder of what both processes wrote, what they printed): all cases in one launch, whose start takes longest."""
    out = tmp_path_factory.mktemp("processes")
    program = [str(ROOT / "tests" / "two_processes.py"), str(out), json.dumps(CASES)]
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(LAUNCH / "cpu.yaml"), *program],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
        cwd=out,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out, done.stdout


def records(launched, name):
    return [json.loads((launched[0] / f"{name}.{rank}.json").read_text()) for rank in (0, 1)]


def gradients(launched, name):
    return [load_file(launched[0] / f"{name}.{rank}.safetensors")["gradient"] for rank in (0, 1)]


def samples(record):
    rows = json.loads(json.dumps(record["samples"]))
    for row in rows:
        row["turn"] = Turn(**{k: tuple(v) if isinstance(v, list) else v for k, v in row["turn"].items()})
    return [Sample(**row) for row in rows]


def relative_error(ours, theirs):
    return ((ours - theirs).norm() / theirs.norm()).item()


def by_hand(model, turns, longest):
    """REINFORCE, one unpadded turn at a time."""
    loss = 0.0
    for sample in turns:
        prompt, reply = list(sample.turn.prompt_ids), list(sample.turn.reply_ids)
        logits = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1]
        logprob = logits.log_softmax(-1).gather(1, torch.tensor(reply)[:, None]).sum()
        loss = loss - sample.advantage * logprob / (len(turns) * longest)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


class Gradient(TrainerCallback):
    """Keeps the gradient of the first optimizer step."""

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        if not state.global_step:
            self.first = torch.cat([p.grad.flatten() for p in model.parameters()])


class OneProcess(SelfPlayTrainer):
    """Learns from given turns instead of playing."""

    def play_step(self, n):
        assert n == len(self.given)
        return self.given


@pytest.mark.parametrize("name", CASES)
def test_two_processes_have_the_gradient_of_one_on_the_same_turns(launched, nano, tmp_path, name):
    first, second = records(launched, name)
    assert (first["processes"], second["processes"], first["backend"]) == (2, 2, "gloo")
    ours = gradients(launched, name)
    assert torch.equal(*ours), "the processes would drift apart"
    turns = samples(first) + samples(second)
    played, settings = CASES[name]
    config = nano_config(tmp_path, **(settings | {"turns_per_step": len(turns), "steps": 1}))
    gradient = Gradient()
    one = OneProcess(nano[0], [games.make(game) for game in played], config, nano[1], callbacks=[gradient])
    one.given = turns
    one.train()
    assert relative_error(ours[0], gradient.first) < 1e-5

    exact = by_hand(models.load("nano", "cpu")[0].double(), turns, 96)
    assert relative_error(ours[0].double(), exact) < 1e-4, "float32 rounds what an all but certain reply teaches"


@pytest.mark.parametrize("name", CASES)
def test_each_process_plays_games_of_its_own(launched, name):
    first, second = ({tuple(outcome[::2]) for outcome in record["outcomes"]} for record in records(launched, name))
    assert first
    assert second
    assert not first & second
    for record in records(launched, name):
        assert [sample.game for sample in samples(record)].count("kuhn_poker") == 12 // len(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_both_hold_the_baseline_of_all_games_in_the_order_of_the_processes(launched, name):
    first, second = records(launched, name)
    replay = RoleBaseline()
    outcomes = [
        Outcome(game, tuple(returns), seed, (0, 1)) for game, returns, seed in first["outcomes"] + second["outcomes"]
    ]
    scored = replay.advantages(outcomes)
    assert first["baseline"] == second["baseline"] == replay.state_dict()
    known = len(first["outcomes"])
    for record, mine in ((first, scored[:known]), (second, scored[known:])):
        possible = {(o[0], role, round(a[role], 9)) for o, a in zip(record["outcomes"], mine) for role in (0, 1)}
        assert {(s.game, s.turn.role, round(s.advantage, 9)) for s in samples(record)} <= possible


@pytest.mark.parametrize("name", CASES)
def test_both_log_the_same_and_end_with_the_same_weights(launched, name):
    first, second = records(launched, name)
    assert first["weights"] == second["weights"]
    assert first["last_baseline"] == second["last_baseline"]
    (ours,), (theirs,) = ([log for log in record["logs"] if "invalid_rate" in log] for record in (first, second))
    clock = {"step_time"}
    assert {k: v for k, v in ours.items() if k not in clock} == {k: v for k, v in theirs.items() if k not in clock}


def test_a_resumed_run_equals_the_uninterrupted_one_on_both(launched):
    first, second = records(launched, "resume")
    for record in (first, second):
        assert record["steps"] == [3, 3]
        assert record["weights"][0] == record["weights"][1]
        assert record["baseline"][0] == record["baseline"][1]
    assert first == second


def test_a_packed_pass_is_right_where_fsdp_holds_the_weights_in_parts(launched, nano):
    model = nano[0]
    packing.install(model)
    files = [load_file(launched[0] / f"parts.{rank}.safetensors") for rank in (0, 1)]
    loss = sum(model(packed=packing.Packed(f["ids"], torch.ones_like(f["ids"]), 6)).log_probs.sum() for f in files) / 2
    whole = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
    assert not torch.equal(files[0]["ids"], files[1]["ids"])
    for file in files:
        assert relative_error(file["gradient"], whole) < 1e-5


def test_the_command_line_speaks_with_one_voice(launched):
    out, printed = launched
    assert records(launched, "cli") == [[0, 2], [0, 2]], "the second run must be refused by both"
    results = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [result["steps"] for result in results] == [1]
    assert printed.count("return (baseline)") == 2, "one line a step, of the first process alone (two roles)"
    assert json.loads((out / "cli" / "run.json").read_text())["games"] == ["kuhn_poker"]
    assert models.locate(str(out / "cli")) == str(out / "cli")
