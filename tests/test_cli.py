"""The command line as a person meets it: the lines of the README, the JSON at the end, errors that teach."""

import json

import pytest

from spiral_lite.cli import main


def run(capsys, line):
    assert main(line.split()) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def refused(capsys, line):
    assert main(line.split()) == 2
    return capsys.readouterr().err


def test_play(capsys):
    result = run(capsys, "play --game kuhn_poker --players random random --games 1000 --seed 1 --json")
    assert result["games"] == 1000
    low, high = result["ci95"][0]
    assert low < 0.125 < high  # the value of uniform play to the first player
    assert result["mean_return"][1] == pytest.approx(-result["mean_return"][0])
    assert result["invalid_rate"] == 0
    assert result["games_per_second"] > 0


def test_play_shows_and_logs_games(capsys, tmp_path):
    log = tmp_path / "new" / "games.jsonl"
    line = f"play --game kuhn_poker --option rounds=2 --players nano equilibrium:0.1 --games 4 --show 1 --log {log}"
    assert main(line.split()) == 0
    assert "boxed" in capsys.readouterr().out
    assert len(log.read_text().splitlines()) == 4


def test_train_then_evaluate_then_exploitability(capsys, tmp_path):
    out = tmp_path / "a"
    trained = run(
        capsys,
        f"train --model nano --games kuhn_poker --steps 2 --turns-per-step 32 --seed 1 --out {out} --json",
    )
    assert trained["last_step"]["step"] == 2
    assert (out / "model.safetensors").exists()
    evaluated = run(capsys, f"evaluate --model {out} --game kuhn_poker --opponent random --games 40 --seed 1 --json")
    assert {"mean_return", "ci95", "win_rate", "invalid_rate"} <= set(evaluated)
    assert sum(evaluated["outcomes"].values()) == 40
    exploited = run(capsys, f"exploitability --model {out} --samples 4 --seed 1 --json")
    assert len(exploited["policy"]) == 12
    assert 0 <= exploited["ci95"][0] <= exploited["nash_conv"] <= exploited["ci95"][1]
    assert "holds a run; add --resume" in refused(capsys, f"train --games kuhn_poker --out {out}")


def test_rate(capsys):
    line = "rate --game kuhn_poker --players random equilibrium nano --games 20 --seed 1"
    result = run(capsys, f"{line} --json")
    assert {row["player"] for row in result["ratings"]} == {"random", "equilibrium(alpha=0.2)", "nano"}
    assert sum(row["elo"] for row in result["ratings"]) == pytest.approx(0, abs=1e-6)
    assert [row["games"] for row in result["ratings"]] == [40] * 3
    assert result["cross_table"]["games"] == [[0, 20, 20], [20, 0, 20], [20, 20, 0]]
    assert main(line.split()) == 0
    text = capsys.readouterr().out
    assert text.startswith("kuhn_poker (rounds=1, variant=textbook): 20 games a pairing")
    assert "mean return of the row against the column" in text


def test_the_same_seed_gives_the_same_result(capsys):
    line = "exploitability --model nano --samples 4 --seed 5 --json"
    assert run(capsys, line) == run(capsys, line)


def test_pretrain_makes_a_model_and_its_card(capsys, tmp_path):
    result = run(capsys, f"pretrain --out {tmp_path} --steps 2 --turns 8 --problems 2 --json")
    assert result["parameters"] < 4_000_000
    assert result["vocabulary"] <= 2000
    card = (tmp_path / "README.md").read_text()
    assert "spiral-lite pretrain" in card
    assert "| kuhn_poker" in card
    assert run(capsys, "play --game kuhn_poker --players random random --games 2 --json")["games"] == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("play --game chess --players random random", "unknown game 'chess'; known:"),
        ("play --game kuhn_poker --players random gambler", "no model at 'gambler'"),
        ("play --game kuhn_poker --players random random --games 0", "--games 0: it must be at least 1"),
        ("play --game kuhn_poker --option rounds --players random random", "not name=value"),
        ("play --game kuhn_poker --option rounds=99 --players random random", "rounds=99"),
        ("play --game kuhn_poker --option colour=red --players random random", "has no option 'colour'"),
        ("play --game kuhn_poker --players random equilibrium:0.9", "alpha=0.9 is no equilibrium"),
        ("play --game tic_tac_toe --players random equilibrium", "cannot play tic_tac_toe"),
        ("play --game kuhn_poker --players random random --temperature -1", "temperature=-1.0"),
        ("evaluate --model nano --game kuhn_poker --games 3", "n=3"),
        ("rate --game kuhn_poker --players random random", "--players random random: each of them once"),
        ("rate --game kuhn_poker --players random", "two or more players"),
        ("rate --game kuhn_poker --players random equilibrium --games 3", "n=3"),
        ("exploitability --model nano --game tic_tac_toe", "play matches instead"),
        ("train --games kuhn_poker --learning-rate -1 --out {tmp}/x", "learning_rate=-1.0: it must be positive"),
        ("train --games kuhn_poker --resume --out {tmp}/nothing", "no checkpoint in"),
        ("train --model ./nowhere --games kuhn_poker --out {tmp}/x", "no model at './nowhere'"),
    ],
)
def test_errors_teach(capsys, tmp_path, line, message):
    assert message in refused(capsys, line.format(tmp=tmp_path))


def test_a_refused_training_leaves_nothing_behind(capsys, tmp_path):
    for wrong in ("kuhn_poker --learning-rate -1", "kuhn_poker kuhn_poker"):
        refused(capsys, f"train --games {wrong} --out {tmp_path / 'x'}")
    assert not list(tmp_path.rglob("*.*"))


def test_a_resumed_run_must_have_its_settings(capsys, tmp_path):
    line = f"train --games kuhn_poker --turns-per-step 32 --save-every 1 --out {tmp_path / 'x'}"
    assert run(capsys, f"{line} --steps 1 --seed 3 --json")["steps"] == 1
    message = refused(capsys, f"{line} --steps 2 --seed 4 --resume")
    assert "was begun with" in message
    assert "'seed': 3" in message


@pytest.mark.parametrize("command", ["", "play", "train", "imitate", "evaluate", "rate", "exploitability", "pretrain"])
def test_help_has_examples(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    if command:
        assert f"examples:\n  spiral-lite {command}" in capsys.readouterr().out
