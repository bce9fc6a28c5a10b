"""Workers of the tests: the same jobs, in this process, which saves a dozen imports of torch."""

import importlib
import json

import pytest

from spiral_lite.bench import crew


class Here:
    """A worker that is no process. What goes in and out is JSON all the same."""

    def __init__(self, python=None, openmp="ours"):
        self.openmp = openmp

    def ask(self, do, **job):
        module, _, function = do.partition(".")
        job = json.loads(json.dumps(job))
        try:
            result = getattr(importlib.import_module(f"spiral_lite.bench.{module}"), function)(**job)
        except Exception as error:
            raise crew.WorkerFailed(f"{type(error).__name__}: {error}") from error
        return json.loads(json.dumps(result, allow_nan=False))

    def last_words(self, lines):
        return ""

    def close(self):
        pass


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(crew, "Worker", Here)


@pytest.fixture
def no_peers(monkeypatch, tmp_path):
    monkeypatch.setattr(crew, "PEERS_PYTHON", tmp_path / "nowhere" / "python")
