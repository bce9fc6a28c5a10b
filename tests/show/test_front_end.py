"""In a real kernel: widgets where a person runs the cell, static text and one picture where nobody does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CELL = """
from spiral_lite import games, players
from spiral_lite.show.dashboard import Dashboard
from spiral_lite.show.play import Play
from spiral_lite.show.replay_widget import Replay
display(Dashboard({run!r}), Replay({run!r}), Play(games.make("kuhn_poker"), players.random_player()))
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.mark.slow
def test_a_kernel_with_and_without_a_person(run_folder: Path) -> None:
    manager = pytest.importorskip("jupyter_client.manager")
    kernel, client = manager.start_new_kernel(kernel_name="python3")
    outputs: dict[bool, list[dict[str, Any]]] = {}
    try:
        for person in (False, True):
            messages: list[dict[str, Any]] = []
            reply = client.execute_interactive(
                CELL.format(run=str(run_folder)), allow_stdin=person, output_hook=messages.append, timeout=120
            )
            assert reply["content"]["status"] == "ok", reply["content"]
            outputs[person] = [m for m in messages if m["msg_type"] in ("display_data", "stream")]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    kinds = [sorted(m["content"].get("data", {"stdout": ""})) for m in outputs[False]]
    assert all(WIDGET not in kind for kind in kinds)
    assert sum("image/png" in kind for kind in kinds) == 1
    text = "".join(m["content"].get("text", "") for m in outputs[False])
    assert text.count("kuhn_poker, player 0: ") == 3
    assert len(outputs[False]) <= 6
    assert [WIDGET in m["content"].get("data", {}) for m in outputs[True]] == [True, True, True]
