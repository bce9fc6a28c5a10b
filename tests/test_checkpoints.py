"""Folders that are whole or not there, whenever the writing stops; a real checkpoint has all that a run needs."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import checkpoints, games, models
from spiral_lite.metrics import read_metrics
from spiral_lite.trainer import SelfPlayTrainer, nano_config

FILES = {"model.safetensors": b"weights" * 9, "self_play.json": b'{"baseline": 1}', "part/rng_state.pth": b"\0" * 40}


def put(run, step, files=FILES):
    folder = run / f"checkpoint-{step}"
    aside = checkpoints.begin(folder)
    for name, content in files.items():
        (aside / name).parent.mkdir(exist_ok=True)
        (aside / name).write_bytes(content)
    checkpoints.finish(folder, {"step": step, "config": {"learning_rate": 0.1}})
    return folder


def names(folders):
    return [folder.name for folder in folders]


def test_a_manifest_says_what_is_there(tmp_path):
    manifest = checkpoints.verify(put(tmp_path, 4))
    assert manifest["step"] == 4
    assert manifest["config"] == {"learning_rate": 0.1}
    assert manifest["format"] == checkpoints.FORMAT
    assert {name: fact["bytes"] for name, fact in manifest["files"].items()} == {n: len(c) for n, c in FILES.items()}
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert checkpoints.verify(put(tmp_path, 5, {"a": b""}))["files"]["a"]["sha256"] == empty


def test_the_names_of_checkpoints(tmp_path):
    for step in (2, 10, 4):
        put(tmp_path, step)
    (tmp_path / "checkpoint-12").write_text("a file")
    (tmp_path / "checkpoint-12.bak").mkdir()
    (tmp_path / "checkpoint-last").mkdir()
    assert names(checkpoints.saved(tmp_path)) == ["checkpoint-2", "checkpoint-4", "checkpoint-10"]
    assert checkpoints.last_good(tmp_path).name == "checkpoint-10"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_is_refused_by_name(data):
    """Cut anywhere, one byte changed anywhere, or gone: folder and file are in the message."""
    with tempfile.TemporaryDirectory() as run:
        folder = put(Path(run), 4)
        name = data.draw(st.sampled_from([*FILES, checkpoints.MANIFEST]))
        content = (folder / name).read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        damage = data.draw(st.sampled_from(["cut", "changed", "gone"]))
        if damage == "gone":
            (folder / name).unlink()
        elif damage == "cut":
            (folder / name).write_bytes(content[:at])
        else:
            (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        if name == checkpoints.MANIFEST and damage == "cut" and at == len(content) - 1:
            checkpoints.verify(folder)  # only the last line's end is missing
            return
        with pytest.raises(ValueError) as refused:
            checkpoints.verify(folder)
        assert str(refused.value).startswith(f"{folder}: {name} ")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(b"weig"), "model.safetensors has 4 bytes of 63: it was cut off"),
        (
            lambda file: file.write_bytes(b"WEIGHTS" * 9),
            "model.safetensors is not what was written (its SHA-256 differs)",
        ),
        (lambda file: file.unlink(), "model.safetensors is missing"),
        (lambda file: (file.parent / "manifest.json").unlink(), "manifest.json is missing, so it was never finished"),
        (
            lambda file: (file.parent / "manifest.json").write_text("{"),
            "manifest.json cannot be read (JSONDecodeError)",
        ),
    ],
)
def test_what_is_said_of_damage(tmp_path, damage, message):
    folder = put(tmp_path, 4)
    damage(folder / "model.safetensors")
    with pytest.raises(ValueError) as refused:
        checkpoints.verify(folder)
    assert str(refused.value).startswith(f"{folder}: {message}")


def test_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 2)
    folder = put(tmp_path, 4)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has format 2, this version reads 1"):
        checkpoints.verify(folder)


def test_the_checkpoint_before_a_damaged_one_is_used(tmp_path):
    for step in (2, 4, 6):
        put(tmp_path, step)
    (tmp_path / "checkpoint-6" / "self_play.json").unlink()
    with pytest.warns(UserWarning, match="refused: .*checkpoint-6: self_play.json is missing"):
        assert checkpoints.last_good(tmp_path).name == "checkpoint-4"
    with pytest.warns(UserWarning, match="refused: .*checkpoint-6"):
        assert names(checkpoints.good(tmp_path)) == ["checkpoint-2", "checkpoint-4"]
    put(tmp_path, 6)  # the run comes to that step again
    assert names(checkpoints.good(tmp_path)) == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]


@pytest.mark.filterwarnings("ignore:refused")
def test_no_checkpoint_at_all(tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint in '.*'; train with --save-every, e\.g\. --save-every 5"):
        checkpoints.last_good(tmp_path)
    (put(tmp_path, 2) / "self_play.json").unlink()
    with pytest.raises(ValueError, match=r"no checkpoint in '.*' is whole; begin anew in another folder"):
        checkpoints.last_good(tmp_path)


def test_the_oldest_are_removed_but_never_the_newest_good_one(tmp_path):
    for step in (2, 4, 6, 8):
        put(tmp_path, step)
    checkpoints.keep(tmp_path, None, tmp_path / "checkpoint-8")
    assert len(checkpoints.saved(tmp_path)) == 4
    checkpoints.keep(tmp_path, 2, tmp_path / "checkpoint-8")
    assert names(checkpoints.saved(tmp_path)) == ["checkpoint-6", "checkpoint-8"]
    checkpoints.keep(tmp_path, 1, tmp_path / "checkpoint-6")  # checkpoint-8 was refused, and 6 was written after it
    assert names(checkpoints.saved(tmp_path)) == ["checkpoint-6"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the code under test runs after it."""


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(n): from the n-th change of the file system on, each raises Killed; text is written by half."""
    count = {"left": 10**9}

    def watch(module, name):
        real = getattr(module, name)

        def call(*arguments, **options):
            count["left"] -= 1
            if count["left"] < 0:
                raise Killed
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    for module, name in ((os, "fsync"), (os, "replace"), (os, "mkdir"), (os, "unlink"), (os, "rmdir")):
        watch(module, name)
    write = Path.write_text

    def half(path, text, **options):
        count["left"] -= 1
        if count["left"] < 0:
            write(path, text[: len(text) // 2])
            raise Killed
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", half)

    def at(n):
        count["left"] = n

    return at


def stops(killed_at, work):
    """Does the work again and again, stopped one change later each time; the last time it is not stopped."""
    for n in range(1000):
        killed_at(n)
        try:
            work(n)
        except Killed:
            stopped = True
        else:
            stopped = False
        killed_at(10**9)
        yield n
        if not stopped:
            return
    raise AssertionError("it never came to its end")


def test_whenever_a_save_is_stopped_all_that_is_there_is_whole(tmp_path, killed_at):
    def save(n):
        put(tmp_path / str(n), 4)
        checkpoints.keep(tmp_path / str(n), 1, tmp_path / str(n) / "checkpoint-4")

    for n in range(100):
        put(tmp_path / str(n), 2)
    seen = set()
    for n in stops(killed_at, save):
        run = tmp_path / str(n)
        assert names(checkpoints.good(run)) == names(checkpoints.saved(run)), "a part of a checkpoint is to be seen"
        seen.add(tuple(names(checkpoints.saved(run))))
        checkpoints.sweep(run)
        assert names(run.iterdir()) == [] or not (run / checkpoints.ASIDE).exists()
        put(run, 4)  # and the resumed run can go on
        assert checkpoints.last_good(run).name == "checkpoint-4"
    assert seen == {("checkpoint-2",), ("checkpoint-2", "checkpoint-4"), ("checkpoint-4",)}


def test_whenever_the_final_model_is_stopped_it_is_whole_or_not_a_model(tmp_path, killed_at):
    old, new = ({"config.json": f"{version} config", "model.safetensors": f"{version} weights"} for version in "ab")

    def save(run, files):
        aside = checkpoints.begin(run / "model")
        for name, content in files.items():
            (aside / name).write_bytes(content.encode())
        checkpoints.finish_model(run)

    for n in range(100):
        save(tmp_path / str(n), old)
    for n in stops(killed_at, lambda n: save(tmp_path / str(n), new)):
        found = {path.name: path.read_text() for path in (tmp_path / str(n)).glob("*") if path.is_file()}
        assert "config.json" not in found or found in (old, new)
    assert found == new


def test_whenever_a_file_is_stopped_it_is_the_old_or_the_new_one(tmp_path, killed_at):
    file = tmp_path / "run.json"
    file.write_text("old")
    for _ in stops(killed_at, lambda n: checkpoints.write(file, "new")):
        assert file.read_text() in ("old", "new")
    assert file.read_text() == "new"


def test_disk_errors_of_every_library_say_the_same(tmp_path):
    put(tmp_path, 2)
    for error in (
        OSError(28, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),  # as safetensors says it
    ):
        with pytest.raises(checkpoints.DiskFull) as full, checkpoints.disk_full_is_said(tmp_path, 17_400_000):
            raise error
        assert str(full.value).startswith(f"no space left in {str(tmp_path)!r}: about 17.4 MB are needed, ")
        assert str(full.value).endswith(" MB are free. checkpoint-2 is not touched: make room, then --resume")
    with pytest.raises(RuntimeError, match="failed writing"), checkpoints.disk_full_is_said(tmp_path, 1):
        raise RuntimeError("PytorchStreamWriter failed writing file")  # there is room: it is something else
    with pytest.raises(checkpoints.DiskFull), checkpoints.disk_full_is_said(tmp_path, 10**18):
        raise RuntimeError("PytorchStreamWriter failed writing file")


# --- a real run


def trainer(out, **changes):
    model, tokenizer = models.load("nano", "cpu")
    small = {"steps": 2, "turns_per_step": 8, "save_every": 1, "use_cpu": True}
    return SelfPlayTrainer(model, [games.make("kuhn_poker")], nano_config(out, **(small | changes)), tokenizer)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run with checkpoints 1 and 2; not to be changed."""
    out = tmp_path_factory.mktemp("finished")
    run = trainer(out)
    run.train()
    run.save_model()
    return out


@pytest.fixture
def run(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_checkpoint_has_all_that_a_run_needs(finished):
    folder = checkpoints.last_good(finished)
    assert folder.name == "checkpoint-2"
    needed = "config.json model.safetensors optimizer.pt rng_state.pth scheduler.pt self_play.json tokenizer.json "
    assert {*needed.split(), "trainer_state.json"} <= {path.name for path in folder.iterdir()}
    manifest = checkpoints.verify(folder)
    assert manifest["step"] == 2
    assert manifest["processes"] == 1
    assert manifest["config"]["learning_rate"] == 6e-4
    assert {"python", "torch", "transformers", "trl", "spiral-lite"} <= manifest["versions"].keys()
    assert manifest["model"] == models.fingerprint(models.load("nano", "cpu")[0])
    state = json.loads((folder / "self_play.json").read_text())
    assert state["baseline"]["values"].keys() == {"kuhn_poker/role0", "kuhn_poker/role1"}
    assert state["pool"] == []


def test_no_pickle_and_no_rest_is_left(finished):
    assert not list(finished.rglob("training_args.bin"))
    assert not list(finished.rglob(f"{checkpoints.ASIDE}/*/*"))
    for file in checkpoints.last_good(finished).glob("*.pt"):
        torch.load(file, weights_only=True)


class Bomb:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_nothing_is_unpickled(run, tmp_path, name):
    """Someone has put code into a checkpoint, and a manifest that agrees."""
    last, bomb = run / "checkpoint-2", tmp_path / "it went off"
    aside = shutil.copytree(last, checkpoints.begin(last), dirs_exist_ok=True)
    torch.save(Bomb(bomb), aside / name)
    checkpoints.finish(last, {"step": 2, "model": checkpoints.verify(last)["model"]})
    with pytest.raises(Exception, match="Weights only load failed"):
        trainer(run, steps=3).train(resume_from_checkpoint=True)
    assert not bomb.exists()


def test_a_run_goes_on_from_the_checkpoint_before_a_truncated_one(run, finished):
    weights = run / "checkpoint-2" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    again = trainer(run)
    with pytest.warns(UserWarning, match=r"refused: .*checkpoint-2: model.safetensors has 1000 bytes of \d+"):
        again.train(resume_from_checkpoint=True)
    again.save_model()
    assert (run / "model.safetensors").read_bytes() == (finished / "model.safetensors").read_bytes()
    assert checkpoints.last_good(run).name == "checkpoint-2", "it has been written anew"
    assert [row["step"] for row in read_metrics(run)] == [1, 2]


def test_a_damaged_checkpoint_that_is_named_is_refused(run):
    (run / "checkpoint-2" / "optimizer.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"checkpoint-2: optimizer.pt has 0 bytes of \d+: it was cut off"):
        trainer(run).train(resume_from_checkpoint=str(run / "checkpoint-2"))
    with pytest.raises(ValueError, match=r"checkpoint-2: optimizer\.pt has 0 bytes"):
        models.load(str(run / "checkpoint-2"))


def test_a_finished_run_that_is_resumed_has_its_model(run, finished):
    (run / "config.json").unlink()
    (run / "model.safetensors").unlink()
    again = trainer(run)
    again.train(resume_from_checkpoint=True)
    again.save_model()
    assert (run / "model.safetensors").read_bytes() == (finished / "model.safetensors").read_bytes()


def test_a_run_without_a_final_model_stands_for_its_last_good_checkpoint(run):
    (run / "config.json").unlink()
    assert models.locate(str(run)) == str(run / "checkpoint-2")
    (run / "checkpoint-2" / "scheduler.pt").unlink()
    with pytest.warns(UserWarning, match="refused: .*checkpoint-2: scheduler.pt is missing"):
        assert models.locate(str(run)) == str(run / "checkpoint-1")
