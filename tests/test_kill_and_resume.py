"""The short form of kill_and_resume.py, and what its run in full has recorded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "data" / "results" / "kill_and_resume.json"


@pytest.mark.slow
def test_three_kills_of_one_run(tmp_path):
    """One early, one later, one while it saves: the script itself says what must hold."""
    line = f"tests/kill_and_resume.py --kills 3 --steps 4 --turns 8 --save-every 1 --out {tmp_path / 'kills'}"
    done = subprocess.run([sys.executable, *line.split()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'equal': {'weights': True, 'metrics': True, 'games': True}" in done.stdout


def test_the_record_of_twenty_kills():
    record = json.loads(RECORD.read_text())
    assert len(record["kills"]) == 20
    assert record["equal"] == {"weights": True, "metrics": True, "games": True}
    assert record["most_steps_lost"] <= 2
    assert record["broken_checkpoints"] == 0
    assert record["during_a_save"] >= 3
    assert len({kill["last_checkpoint"] for kill in record["kills"]}) >= 4, "they were all at one place of the run"
