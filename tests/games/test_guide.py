"""`spiral_lite/games/README.md`: the guide to a game of your own does what it says, as it stands there."""

import re
import runpy
from pathlib import Path

import pytest

import spiral_lite
from spiral_lite import games
from spiral_lite.dialogue import observe

GUIDE = Path(spiral_lite.__file__).parent / "games" / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def run(folder, monkeypatch, *blocks):
    """What the blocks define, run as one file in a folder of its own."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(games, "_REGISTRY", dict(games._REGISTRY))
    file = folder / "higher_card.py"
    file.write_text("\n".join(blocks), encoding="utf-8")
    return runpy.run_path(str(file))


def test_the_game_has_60_lines():
    assert len(BLOCKS[0].splitlines()) <= 60
    assert len(BLOCKS) == 4


def test_it_is_a_game_and_a_sensible_player_beats_a_random_one(tmp_path, monkeypatch, capsys):
    names = run(tmp_path, monkeypatch, *BLOCKS[:3])
    assert "[GAME] Your card is 2.\n[Player 0] [keep]\nAvailable Moves: [keep], [swap]" in capsys.readouterr().out
    assert names["result"].ci95[0] > 0
    assert names["result"].invalid_rate == names["result"].opponent_invalid_rate == 0


def test_the_check_finds_the_leak_that_the_guide_speaks_of(tmp_path, monkeypatch):
    leaks = BLOCKS[0].replace('"card": self.cards[player]', '"card": self.cards')
    with pytest.raises(AssertionError, match="higher_card"):
        run(tmp_path, monkeypatch, leaks, BLOCKS[1])
    names = run(tmp_path, monkeypatch, BLOCKS[0])
    assert "5" not in observe(names["HigherCard"]().replay(["5", "2", "[keep]"]), 1).split("higher card wins.")[1]


@pytest.mark.slow
def test_it_trains_for_a_few_steps(tmp_path, monkeypatch):
    names = run(tmp_path, monkeypatch, *BLOCKS)
    assert names["trainer"].state.global_step == 3
    assert len([row for row in names["trainer"].state.log_history if "loss" in row]) == 3
