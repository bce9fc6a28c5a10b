"""Bad input as a person meets it: each is refused in words that name it and say what to do, and nothing is lost."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from spiral_lite import checkpoints, games, models
from spiral_lite.cli import main
from spiral_lite.imitation import dataset
from spiral_lite.metrics import read_metrics
from spiral_lite.players.budget import EndpointError
from spiral_lite.players.endpoint import Endpoint
from spiral_lite.trainer import SelfPlayTrainer, nano_config

KUHN = games.make("kuhn_poker")


def refused(capsys, line):
    """What the command line writes when it refuses; the whole of it."""
    assert main(line.split()) == 2
    return capsys.readouterr().err.strip()


def trainer(nano, out, callbacks=(), opponent=None, **changes):
    small = {"steps": 2, "turns_per_step": 8, "save_every": 1, "use_cpu": True}
    model, tokenizer = nano
    config = nano_config(out, **(small | changes))
    return SelfPlayTrainer(model, [KUHN], config, tokenizer, opponent=opponent, callbacks=list(callbacks))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("--learning-rate -1", "learning_rate=-1.0: it must be positive, e.g. learning_rate=1e-6"),
        ("--turns-per-step 7", "turns_per_step=7: TRL needs an even number, e.g. 128"),
        ("--save-every -2", "save_every=-2: 0 (only at the end) or more, e.g. save_every=5"),
        (
            "--model ./nowhere",
            "no model at './nowhere'; give nano, a folder with config.json, a training run, or a Hub id (owner/model)",
        ),
        ("--resume", "no checkpoint in '{out}'; train with --save-every, e.g. --save-every 5"),
    ],
)
def test_settings_of_the_command_line(capsys, tmp_path, settings, message):
    out = tmp_path / "run"
    said = refused(capsys, f"train --games kuhn_poker --steps 1 {settings} --out {out}")
    assert said == f"spiral-lite train: {message.format(out=out)}"
    assert not out.exists()


def test_an_unknown_game(capsys, tmp_path):
    said = refused(capsys, f"train --games kuhn_pocker --out {tmp_path / 'run'}")
    assert said.startswith("spiral-lite train: unknown game 'kuhn_pocker'")
    assert "kuhn_poker" in said


def test_an_empty_dataset(nano):
    with pytest.raises(ValueError) as error:
        dataset([], nano[1])
    assert (
        str(error.value) == "there is no turn to imitate; give at least one game, e.g. expert_games(game, 500, seed=0)"
    )
    with pytest.raises(ValueError, match=r"games is empty; give at least one, e\.g\. \[games\.make\('kuhn_poker'\)\]"):
        SelfPlayTrainer(nano[0], [], nano_config("runs/x", use_cpu=True), nano[1])


# --- models and tokenizers


@pytest.fixture
def copy(tmp_path):
    """A copy of the nano model's folder."""
    return Path(shutil.copytree(models.NANO, tmp_path / "copy"))


def test_the_tokenizer_of_a_larger_model(capsys, copy, tmp_path):
    model, tokenizer = models.load("nano", "cpu")
    known = model.get_input_embeddings().num_embeddings
    tokenizer.add_tokens([f"<new {i}>" for i in range(known - len(tokenizer) + 1)])
    tokenizer.save_pretrained(copy)
    assert refused(capsys, f"train --model {copy} --games kuhn_poker --steps 1 --out {tmp_path / 'run'}") == (
        f"spiral-lite train: wrong tokenizer: its tokens go up to {known}, and the model knows {known}, 0 to "
        f"{known - 1}; load both from one folder, as models.load does"
    )


def test_a_tokenizer_without_an_end_token(nano, tmp_path):
    nano[1].eos_token = None
    with pytest.raises(ValueError) as error:
        trainer(nano, tmp_path)
    assert str(error.value) == (
        "wrong tokenizer: it has no end token, so no reply would ever end; set one that the model has learnt, "
        "e.g. tokenizer.eos_token = '<|endoftext|>'"
    )


def break_one(model):
    with torch.no_grad():
        model.get_input_embeddings().weight[0, 0] = torch.nan


def test_a_model_with_nan(capsys, nano, copy, tmp_path):
    break_one(nano[0])
    nano[0].save_pretrained(copy)
    count = nano[0].get_input_embeddings().weight.numel()
    said = (
        f"is broken: 1 of the {count} values of model.embed_tokens.weight are NaN or infinite. Go back to a model "
        "before it broke; a lower learning rate or max_grad_norm may keep the next one whole"
    )
    line = f"train --model {copy} --games kuhn_poker --steps 1 --out {tmp_path / 'run'}"
    assert refused(capsys, line) == f"spiral-lite train: the model {str(copy)!r} {said}"
    begun = trainer((nano[0], nano[1]), tmp_path / "run")
    with pytest.raises(ValueError) as error:
        begun.train()
    assert str(error.value) == f"the model that training would begin with {said}"
    assert not list((tmp_path / "run").rglob("checkpoint-*"))


class Break(TrainerCallback):
    """One weight becomes NaN after the second step."""

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step == 2:
            break_one(model)


def test_nan_is_never_saved_and_never_resumed(nano, tmp_path):
    run = trainer(nano, tmp_path, [Break()])
    with pytest.raises(ValueError) as error:
        run.train()
    assert str(error.value).startswith(f"{tmp_path}/checkpoint-2 is not written: the model is broken: 1 of the ")
    assert [folder.name for folder in checkpoints.good(tmp_path)] == ["checkpoint-1"]
    with pytest.raises(ValueError, match="gets no model: it is broken: 1 of the"):
        run.save_model()
    assert not (tmp_path / "model.safetensors").exists()
    aside = shutil.copytree(tmp_path / "checkpoint-1", checkpoints.begin(tmp_path / "checkpoint-2"), dirs_exist_ok=True)
    run.model.save_pretrained(aside)  # as if another program had written it
    checkpoints.finish(tmp_path / "checkpoint-2", {"model": checkpoints.verify(tmp_path / "checkpoint-1")["model"]})
    with pytest.raises(ValueError, match="checkpoint-2 is broken: 1 of the"):
        trainer(models.load("nano", "cpu"), tmp_path).train(resume_from_checkpoint=True)


# --- checkpoints


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The folder of a run with a checkpoint; not to be changed."""
    out = tmp_path_factory.mktemp("begun")
    trainer(models.load("nano", "cpu"), out, steps=1).train()
    return out


def test_the_checkpoint_of_another_architecture(begun, small_model, nano):
    checkpoint = begun / "checkpoint-1"
    other = small_model(vocab_size=len(nano[1]) + 8)
    with pytest.raises(ValueError) as error:
        trainer((other, nano[1]), begun, beta=0.0, pack=False).train(resume_from_checkpoint=str(checkpoint))
    assert str(error.value).startswith(f"{checkpoint} is a checkpoint of another model: its ")
    assert str(error.value).endswith(". Load the model that the run began with, e.g. nano")


def test_the_checkpoint_of_another_width_says_which(begun):
    manifest = checkpoints.verify(begun / "checkpoint-1")
    other = json.loads(json.dumps(manifest["model"]))
    width = other["config"]["hidden_size"]
    other["config"]["hidden_size"] = 2 * width
    with pytest.raises(ValueError, match=f"its hidden_size is {width}, here it is {2 * width}"):
        checkpoints.refuse_other_model(begun / "checkpoint-1", manifest, other)
    other = json.loads(json.dumps(manifest["model"]))
    shape = other["shapes"].pop("model.norm.weight")
    with pytest.raises(ValueError, match=rf"its model\.norm\.weight is \[{shape[0]}\], here it is missing"):
        checkpoints.refuse_other_model(begun / "checkpoint-1", manifest, other)


def test_the_checkpoint_of_another_base_model(begun, nano):
    with torch.no_grad():
        nano[0].get_input_embeddings().weight *= 1.001
    with pytest.raises(ValueError) as error:
        trainer(nano, begun).train(resume_from_checkpoint=True)
    assert str(error.value) == (
        f"{begun}/checkpoint-1 is a checkpoint of another model: its run began from other weights. Load the model that "
        "the run began with, e.g. nano"
    )


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for one checkpoint of the nano model and a half."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=27m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system is not permitted here; test_checkpoints.py has the errors by themselves")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(capsys, small_disk):
    out = small_disk / "run"
    line = f"train --games kuhn_poker --turns-per-step 8 --steps 3 --save-every 1 --out {out}"
    said = refused(capsys, line).splitlines()[-1]
    assert said.startswith(f"spiral-lite train: no space left in {str(out)!r}: about 17.7 MB are needed, ")
    assert said.endswith(" MB are free. checkpoint-1 is not touched: make room, then --resume")
    assert [folder.name for folder in checkpoints.saved(out)] == ["checkpoint-1"]
    assert checkpoints.last_good(out).name == "checkpoint-1"
    assert not (out / checkpoints.ASIDE).exists(), "what was begun still fills the disk"
    subprocess.run(["mount", "-o", "remount,size=99m", str(small_disk)], check=True)
    assert main(f"{line} --resume".split()) == 0
    assert checkpoints.last_good(out).name == "checkpoint-3"
    assert [row["step"] for row in read_metrics(out)] == [1, 2, 3]


# --- opponents


@pytest.fixture
def serve(monkeypatch):
    """serve(content) is the URL of a server that writes it as the content of each reply; None: it is silent."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    done, servers = threading.Event(), []

    def start(content):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                if content is None:
                    done.wait()
                    return
                message = {"role": "assistant", "content": content}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                """Quiet."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        servers[-1].daemon_threads = True
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1"

    yield start
    done.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_opponent_that_does_not_answer(nano, tmp_path, serve):
    silent = Endpoint("m", serve(None), timeout=0.2, tries=2, pause=0.01)
    run = trainer(nano, tmp_path, opponent=silent)
    with pytest.raises(EndpointError) as error:
        run.train()
    assert str(error.value) == "openai:m gave no reply, try 2 of 2: no answer within 0.2 seconds"
    assert run.state.global_step == 0, "nothing is learnt from games that a broken line would have decided"


def test_an_opponent_that_answers_rubbish(nano, tmp_path, serve):
    """Its invalid moves lose its games, and the model learns nothing from what it wrote."""
    run = trainer(nano, tmp_path, opponent=Endpoint("m", serve("I like cats.")), steps=1)
    run.train()
    for episode in run.episodes:
        theirs = [turn for turn in episode.turns if turn.player == "openai:m"]
        assert all(turn.invalid for turn in theirs)
        if theirs:
            assert episode.returns[theirs[-1].role] == -1.5
            assert episode.returns[1 - theirs[-1].role] == 0.5
    assert any(turn.player == "openai:m" for episode in run.episodes for turn in episode.turns)
    assert all(sample.turn.player != "openai:m" and "cats" not in sample.turn.reply for sample in run._samples)
    ours = [turn for episode in run.episodes for turn in episode.turns if turn.player != "openai:m"]
    invalid = sum(turn.invalid is not None for turn in ours) / len(ours)
    assert read_metrics(tmp_path)[0]["invalid_rate"] == pytest.approx(invalid)
