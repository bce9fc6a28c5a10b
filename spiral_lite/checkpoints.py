"""Checkpoints that lose nothing: a folder is there as a whole, with the hash of every file in it, or it is not there.

A kill can come at any moment, also while a checkpoint is written. So it is written aside, in a hidden folder of the
run; flushed to the disk; listed in `manifest.json` with the size and SHA-256 of each file, the step, the settings, the
versions and the model it belongs to; and only then renamed, which the file system does at once. What does not match its
manifest is refused, by name, and the checkpoint before it is used. Nothing here is ever unpickled.
Differs from `transformers.Trainer`, which writes in place: its last checkpoint may be half a one.
These are functions on folders, without torch. Read `trainer/saving.py` after.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FORMAT = 1  # of the manifest
ASIDE = ".saving"  # in a run's folder: what is being written, and what is being removed
FULL = ("No space left", "Disk quota exceeded")  # what libraries say that lose the error's number


class DiskFull(OSError):
    """There is no space for what was to be written."""


def begin(target: Path) -> Path:
    """An empty folder to write `target` into, until `finish(target)`."""
    aside = _aside(target)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    return aside


def finish(target: Path, facts: Mapping[str, Any]) -> None:
    """Lists what has been written aside, and renames it to `target`. facts: what else the manifest says, as JSON."""
    aside = _aside(target)
    files = {}
    for file in sorted(path for path in aside.rglob("*") if path.is_file() and path != aside / MANIFEST):
        _flush(file)
        files[file.relative_to(aside).as_posix()] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
    body = json.loads(json.dumps({"format": FORMAT, **facts, "files": files}))
    (aside / MANIFEST).write_text(_as_text({"sha256": _hash_of(body), **body}), encoding="utf-8")
    _flush(aside / MANIFEST)
    for folder in [path for path in aside.rglob("*") if path.is_dir()] + [aside]:
        _flush(folder)
    if target.exists():  # refused, or of a run that was resumed from an earlier checkpoint
        remove(target)
    os.replace(aside, target)
    _flush(target.parent)


def finish_model(folder: Path) -> None:
    """Moves a model written aside into `folder`, which has other files too, each at once; `config.json`, by which a
    model is recognised, goes first and comes last."""
    aside = _aside(folder / "model")
    (folder / "config.json").unlink(missing_ok=True)
    for file in sorted(aside.iterdir(), key=lambda file: file.name == "config.json"):
        _flush(file)
        if (folder / file.name).is_dir():
            remove(folder / file.name)
        os.replace(file, folder / file.name)
    _flush(folder)
    sweep(folder)


def write(file: Path, text: str) -> None:
    """Writes a file at once: after a kill it holds what it held before, or all of `text`."""
    aside = file.with_name(f".{file.name}")
    aside.write_text(text, encoding="utf-8")
    _flush(aside)
    os.replace(aside, file)


def saved(run: Path) -> list[Path]:
    """The checkpoints of a run by step, unchecked."""
    found = [path for path in run.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name) and path.is_dir()]
    return sorted(found, key=_step)


def verify(folder: Path) -> dict[str, Any]:
    """The manifest of a folder in which everything is as it was written. Raises ValueError with folder, file and what
    is wrong."""
    manifest = _read_manifest(folder)
    for name, fact in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{folder}: {name} is missing")
        if file.stat().st_size != fact["bytes"]:
            raise ValueError(f"{folder}: {name} has {file.stat().st_size} bytes of {fact['bytes']}: it was cut off")
        if _sha256(file) != fact["sha256"]:
            raise ValueError(f"{folder}: {name} is not what was written (its SHA-256 differs)")
    return manifest


def good(run: Path) -> list[Path]:
    """The checkpoints of a run that are whole, oldest first; warns of each that is not."""
    return [folder for folder in saved(run) if not _refused(folder)]


def last_good(run: Path) -> Path:
    """The newest checkpoint of a run that is whole; warns of newer ones that are not. Raises ValueError if none is."""
    for folder in reversed(saved(run)):
        if not _refused(folder):
            return folder
    if saved(run):
        raise ValueError(f"no checkpoint in {str(run)!r} is whole; begin anew in another folder")
    raise ValueError(f"no checkpoint in {str(run)!r}; train with --save-every, e.g. --save-every 5")


def keep(run: Path, limit: int | None, newest: Path, sound: int | None = None) -> None:
    """Removes the oldest checkpoints beyond `limit`; never `newest`, the one that was just written, nor the last one of
    at most step `sound`, to which a run may go back."""
    folders = saved(run)
    spared = {newest, *[folder for folder in folders if sound is not None and _step(folder) <= sound][-1:]}
    others = [folder for folder in folders if folder not in spared]
    for folder in others[: max(0, len(others) + len(spared) - limit)] if limit else []:
        remove(folder)


def remove(folder: Path) -> None:
    """Removes a folder at once: a kill leaves no half of it where it was."""
    gone = folder.parent / ASIDE / f"removed-{folder.name}"
    shutil.rmtree(gone, ignore_errors=True)
    gone.parent.mkdir(exist_ok=True)
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(run: Path) -> None:
    """Removes what a killed save has left behind."""
    shutil.rmtree(run / ASIDE, ignore_errors=True)


@contextmanager
def disk_full_is_said(run: Path, needed: int = 0) -> Iterator[None]:
    """Whatever a library raises when the disk is full becomes a DiskFull that names the folder, the space and the way
    out. needed: bytes that are to be written, where that is known."""
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        free = shutil.disk_usage(run).free if run.exists() else 0
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(text in str(error) for text in FULL)
        if not full and not (isinstance(error, RuntimeError) and free < needed):  # torch.save forgets why it failed
            raise
        there = saved(run)
        raise DiskFull(
            f"no space left in {str(run)!r}: "
            + (f"about {_megabytes(needed)} are needed, " if needed else "")
            + f"{_megabytes(free)} are free. "
            + (f"{there[-1].name} is not touched: make room, then --resume" if there else "Make room, then begin again")
        ) from error


def refuse_other_model(folder: Path, manifest: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Raises ValueError if a checkpoint is of another model than `mine` (`models.fingerprint`), with the difference."""
    theirs = manifest["model"]
    for name in sorted(theirs["config"].keys() & mine["config"].keys()):
        if theirs["config"][name] != mine["config"][name]:
            _refuse_model(folder, f"its {name} is {theirs['config'][name]}, here it is {mine['config'][name]}")
    for name in [*theirs["shapes"], *mine["shapes"]]:
        if theirs["shapes"].get(name) != mine["shapes"].get(name):
            there, here = (shapes.get(name, "missing") for shapes in (theirs["shapes"], mine["shapes"]))
            _refuse_model(folder, f"its {name} is {there}, here it is {here}")
    if theirs["base"] != mine["base"]:
        _refuse_model(folder, "its run began from other weights")


def _refuse_model(folder: Path, why: str) -> None:
    raise ValueError(
        f"{folder} is a checkpoint of another model: {why}. Load the model that the run began with, e.g. nano"
    )


def _refused(folder: Path) -> bool:
    try:
        verify(folder)
    except ValueError as error:
        warnings.warn(f"refused: {error}", stacklevel=3)
        return True
    return False


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise ValueError(f"{folder}: {MANIFEST} is missing, so it was never finished, or spiral_lite did not write it")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        claimed = manifest.pop("sha256")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{folder}: {MANIFEST} cannot be read ({type(error).__name__})") from error
    if claimed != _hash_of(manifest):
        raise ValueError(f"{folder}: {MANIFEST} is not what was written (its SHA-256 differs)")
    if manifest["format"] != FORMAT:
        raise ValueError(f"{folder}: {MANIFEST} has format {manifest['format']}, this version reads {FORMAT}")
    return dict(manifest)


def _as_text(manifest: Mapping[str, Any]) -> str:
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in manifest.items()) + "\n}\n"


def _hash_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Has the file system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _aside(target: Path) -> Path:
    return target.parent / ASIDE / target.name


def _step(folder: Path) -> int:
    return int(folder.name.partition("-")[2])


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
