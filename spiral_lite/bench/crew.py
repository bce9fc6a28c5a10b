"""The processes that measure, and their turns: for each repeat, each of them once, so that a machine that slows down or
speeds up does so for all. Peers that other people's packages make live in `.venv-peers` (`make peers`)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
NOT_INSTALLED = "not installed: make peers"
PATIENCE = 60  # seconds for a process to end by itself
SETTLE = 1.5  # seconds until a process elsewhere is quiet: vLLM's look for more work for a second, with all they have

Result = dict[str, Any]


class WorkerFailed(RuntimeError):
    """A job raised, or its process died."""


class Worker:
    """One process, `worker.py`. openmp: "ours" (environment.DEFAULTS) or "default" (what OpenMP does by itself)."""

    def __init__(self, python: Path | str = sys.executable, openmp: str = "ours") -> None:
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed in close
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [str(python), "-m", "spiral_lite.bench.worker", "--openmp", openmp],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )

    def ask(self, do: str, **job: Any) -> Any:
        """What the function `do` returns there. Raises WorkerFailed with its reason."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **job}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerFailed(f"its process ended: {self.last_words(1)}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer["result"]

    def last_words(self, lines: int) -> str:
        """The end of its error stream."""
        self._log.seek(0)
        return "\n".join(self._log.read().strip().splitlines()[-lines:]) or "(nothing)"

    def close(self) -> None:
        """Lets the process end, or ends it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


class Crew:
    """Workers by name. One that is not `ours` may be missing or fail: then it is left out, and `missing` says why."""

    def __init__(self, *ours: str) -> None:
        self.ours = ours
        self.workers: dict[str, Worker] = {}
        self.missing: dict[str, str] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self._elsewhere: set[str] = set()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: Any) -> None:
        for worker in self.workers.values():
            worker.close()

    def hire(self, name: str, elsewhere: bool = False, openmp: str = "ours") -> None:
        """Starts a worker; `elsewhere`: in the peers' environment, if it is there."""
        if elsewhere and not PEERS_PYTHON.exists():
            self.missing[name] = NOT_INSTALLED
            return
        if elsewhere:
            self._elsewhere.add(name)
        self.workers[name] = Worker(PEERS_PYTHON if elsewhere else sys.executable, openmp)
        found = self.ask(name, "machine.versions")
        if found is not None:
            self.versions[name] = found

    def ask(self, name: str, do: str, **job: Any) -> Any:
        """The worker's answer, or None if it is missing."""
        if name not in self.workers:
            return None
        try:
            answer = self.workers[name].ask(do, **job)
            if name in self._elsewhere:
                time.sleep(SETTLE)
            return answer
        except WorkerFailed as error:
            if name in self.ours:
                raise ValueError(f"{name}: {error}") from error
            module = "ModuleNotFoundError" in str(error)
            self.missing[name] = f"{NOT_INSTALLED} ({error})" if module else f"failed: {error}"
            worker = self.workers.pop(name)
            say(f"{name} {self.missing[name]}; its last words:\n{worker.last_words(20)}")
            worker.close()
            return None

    def in_turn(self, repeats: int, measure: Callable[[str, int], Result | None]) -> dict[str, list[Result]]:
        """measure(name, repeat) for everyone, `repeats` times, every second time in the opposite order."""
        return in_turn(list(self.workers), repeats, measure)


def in_turn(
    names: Iterable[str], repeats: int, measure: Callable[[str, int], Result | None]
) -> dict[str, list[Result]]:
    """The results of each name, in the order of the repeats; of names that always gave one."""
    names = list(names)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names if repeat % 2 == 0 else reversed(names):
            result = measure(name, repeat)
            if result is not None:
                results[name].append(result)
                say(f"repeat {repeat + 1}/{repeats} {name}: {_brief(result)}")
    return {name: rows for name, rows in results.items() if len(rows) == repeats}


def say(text: str) -> None:
    """Progress, on the error stream."""
    print(text, file=sys.stderr, flush=True)


def _brief(result: Result) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in result.items() if isinstance(value, int | float))
