"""Medians, ratios, the file, the table."""

import json

import pytest

from spiral_lite.bench import options, report


def section(kind="rollout", model="nano", **more):
    row = report.compare("self-play, nano", "tokens/s", [100.0, 300.0, 200.0], "transformers", [50.0, 100.0, 100.0])
    machine = {"gpu": None}
    settings = {"model": model, "dtype": "float32"}
    return {
        "kind": kind,
        "settings": settings,
        "machine": machine,
        "missing": {"vllm": "not installed"},
        "comparisons": [row],
        "command": "spiral-lite bench",
    } | more


def test_ratios_are_of_the_same_repeats():
    row = section()["comparisons"][0]
    assert row["ours"] == {"median": 200.0, "lowest": 100.0, "highest": 300.0}
    assert row["ratio"] == {"median": 2.0, "lowest": 2.0, "highest": 3.0}
    assert row["repeats"] == 3


def test_a_section_takes_the_place_of_its_older_self(tmp_path):
    file = tmp_path / "a" / "performance.json"
    report.save(section(date="old"), file)
    report.save(section(model="folder/smol"), file)
    report.save(section(date="new"), file)
    record = json.loads(file.read_text())
    assert list(record) == ["rollout nano float32", "rollout smol float32"]
    assert record["rollout nano float32"]["date"] == "new"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_another_number_of_games_in_flight_takes_no_section_s_place(tmp_path):
    usual, many = section(), section()
    usual["settings"]["in_flight"], many["settings"]["in_flight"] = report.USUAL_IN_FLIGHT, 512
    for one in (usual, many):
        report.save(one, tmp_path / "x.json")
    names = list(json.loads((tmp_path / "x.json").read_text()))
    assert names == ["rollout nano float32", "rollout nano float32 512 in flight"]


def test_the_table_has_a_row_for_each_comparison_and_says_what_is_missing():
    lines = report.table({"rollout nano float32": section()}).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == lines[3].count("|") == 5
    assert "| 200 tokens/s | transformers: 100 | 2.00 (2.00 to 3.00) |" in lines[2]
    assert "vllm: not installed" in lines[3]


def test_the_summary_is_for_reading():
    said = report.summary(section(gradient={"packed": 1e-7}))
    assert said["self-play, nano, against transformers"].startswith("200 and 100 tokens/s, ratio 2.00 (2.00 to 3.00")
    assert said["gradient"] == {"packed": 1e-7}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bench rollout --json --out runs/x.json --games 8", "spiral-lite bench rollout --games 8"),
        ("bench rollout --model /home/someone/models/mine", "spiral-lite bench rollout --model mine"),
        ("bench rollout --scaling --figure runs/x.png", "spiral-lite bench rollout --scaling"),
    ],
)
def test_the_command_names_no_place(line, expected):
    assert options.command(line.split()) == expected
