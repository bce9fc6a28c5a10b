"""`spiral-lite bench --quick` from the command line: every measurement, on the nano model, without `make peers`."""

import json

import pytest

from spiral_lite.bench import crew, games, report
from spiral_lite.cli import main


def run(capsys, line):
    assert main(f"bench {line} --json".split()) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def check(section, *whats):
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["machine"]["cores"] >= 1
    assert section["versions"]["torch"]
    assert section["command"].startswith("spiral-lite bench")
    assert {row["what"] for row in section["comparisons"]} == set(whats)
    for row in section["comparisons"]:
        assert row["ratio"]["lowest"] > 0


@pytest.fixture(autouse=True)
def _in_this_process(here, no_peers):
    """Of all tests below."""


def test_rollout(capsys):
    section = run(capsys, "rollout --quick")
    check(section, "self-play, nano float32, 4 in flight")
    assert section["missing"] == {"vllm": crew.NOT_INSTALLED}
    assert [row["peer"] for row in section["comparisons"]] == ["transformers", "continuous"]
    for (first,) in section["runs"].values():
        assert first["turns"] >= 6
        assert first["tokens"] <= 16 * first["turns"]


def test_decode(capsys):
    section = run(capsys, "rollout --decode --quick --batches 2 --dtype bfloat16")
    check(section, "decode, nano bfloat16, batch 2")
    assert [row["peer"] for row in section["comparisons"]] == ["transformers", "modelled limit"]
    assert set(section["limits"]) >= {"read_gb_s", "copy_gb_s", "matmul_float32_gflop_s", "matmul_bfloat16_gflop_s"}


def test_scaling_and_its_figure(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    section = run(capsys, f"rollout --scaling --quick --points 1 3 --figure {tmp_path / 'x.png'}")
    check(section)
    assert [point["games_in_flight"] for point in section["points"]] == [1, 3]
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_contention(capsys):
    section = run(capsys, "rollout --contention --quick")
    check(section, "self-play, nano float32, alone", "self-play, nano float32, beside a busy core")
    assert len(section["runs"]) == 4


def test_train_gives_the_same_gradient(capsys):
    section = run(capsys, "train --quick --batch-sizes 4 8")
    sizes = ("4 a pass", "8 a pass", "the best size of each")
    check(section, *(f"training step, nano float32, 8 turns, {size}" for size in sizes))
    assert max(section["gradient"].values()) < 1e-5
    assert section["tokens"]["trl, 8 turns a pass"] >= section["tokens"]["packed, 8 turns a pass"]


def test_games_without_textarena(capsys):
    section = run(capsys, "games --quick --games tic_tac_toe simple_negotiation")
    assert section["missing"] == {"textarena": crew.NOT_INSTALLED}
    assert set(section["runs"]) == {"ours: tic_tac_toe", "ours: simple_negotiation"}


def test_a_result_goes_into_its_file_and_is_said_in_words(capsys, tmp_path):
    file = tmp_path / "new" / "performance.json"
    line = f"bench games --quick --games kuhn_poker --out {file}"
    assert main(line.split()) == 0
    assert "not installed: make peers" in capsys.readouterr().out
    (section,) = json.loads(file.read_text()).values()
    assert section["command"] == "spiral-lite bench games --quick --games kuhn_poker"
    assert str(tmp_path) not in file.read_text()


@pytest.mark.parametrize("game", list(games.GAMES))
def test_scripts_are_whole_games_of_ours(game):
    assert games.ours(game, seconds=0.02, seed=1)["games"] >= 1  # raises if one is not over after its script
    assert len(games.scripts(game, 1)) == games.SCRIPTS
    assert games.scripts(game, 1) == games.scripts(game, 1) != games.scripts(game, 2)


@pytest.mark.skipif(not crew.PEERS_PYTHON.exists(), reason="TextArena is in .venv-peers: make peers")
def test_scripts_are_whole_games_of_textarena(monkeypatch):
    monkeypatch.undo()
    worker = crew.Worker(crew.PEERS_PYTHON)
    try:
        for game in games.GAMES:
            assert worker.ask("games.check", game=game, seed=1) is True
            assert worker.ask("games.text_arena", game=game, seconds=0.01, seed=1, wrapped=True)["games"] >= 1
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rollout --batches 8", "--batches has no effect on this measurement"),
        ("rollout --decode --games 8", "--games has no effect"),
        ("rollout --games 0", "--games 0: it must be positive"),
        ("rollout --figure x.png", "add --scaling"),
        ("rollout --model ./nowhere --quick", "no model at './nowhere'"),
        ("train --turns 8 --batch-sizes 3", "batch sizes [3] do not divide 8 turns"),
        ("games --games chess", "no comparison for chess; there is one for tic_tac_toe"),
    ],
)
def test_errors_teach(capsys, line, message):
    assert main(f"bench {line}".split()) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["", "rollout", "train", "games"])
def test_help_has_examples(capsys, kind):
    with pytest.raises(SystemExit):
        main(["bench", *kind.split(), "--help"])
    assert f"examples:\n  spiral-lite bench {kind}" in capsys.readouterr().out


def test_the_default_file_is_the_one_that_is_shipped():
    assert report.RESULTS.parts[-3:] == ("data", "results", "performance.json")
