"""The endpoint player against a real server, `transformers serve` of .venv-peers (make peers), with the nano model."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spiral_lite import games, models, players
from spiral_lite.players import Endpoint, Sampling
from spiral_lite.rollout import play

pytest.importorskip("openai")

SERVE = Path(__file__).resolve().parents[2] / ".venv-peers" / "bin" / "transformers"
START = 120  # seconds, at most

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SERVE.exists(), reason="no .venv-peers: make peers")]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(SERVE), "serve", str(models.NANO), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (tmp_path / "log").open("w") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        _wait(server, port, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until the server listens."""
    for _ in range(START * 4):
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def test_the_nano_model_plays_over_the_wire(url: str) -> None:
    player = Endpoint(str(models.NANO), url, sampling=Sampling(max_new_tokens=96), concurrency=2, timeout=30.0, tries=3)
    episodes = play(games.make("kuhn_poker"), (player, players.random_player()), 4, seed=1)
    turns = [turn for episode in episodes for turn in episode.turns if turn.player == player.name]
    assert turns
    assert all(turn.reply for turn in turns)
    assert sum(turn.invalid is None for turn in turns) > len(turns) / 2, [turn.reply for turn in turns]
    assert player.budget.used_tokens > 0
