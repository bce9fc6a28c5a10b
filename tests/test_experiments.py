"""Experiments: what an arm trains, what is measured, and that a stopped one goes on."""

import json
from types import SimpleNamespace

import pytest

from spiral_lite import games, players
from spiral_lite.experiments import arms, battery, run
from spiral_lite.experiments.arms import EXPERTS, Arm, Experiment, Sizes

TINY = {"steps": 1, "turns_per_step": 16}


SIZES = Sizes(("kuhn_poker", "nim"), match_games=4, samples=2, problems_each=1)


def test_every_experiment_names_games_players_and_settings_that_exist():
    from spiral_lite.imitation import ImitationConfig
    from spiral_lite.trainer import SelfPlayConfig

    for name, experiment in arms.EXPERIMENTS.items():
        assert experiment.name == name
        assert len({arm.name for arm in experiment.arms}) == len(experiment.arms)
        for arm in experiment.arms:
            assert set(arm.games) <= set(games.names())
            config = ImitationConfig if arm.opponent == EXPERTS else SelfPlayConfig
            assert set(arm.settings) <= set(config.__dataclass_fields__)
            assert arm.rival in {"", *(other.name for other in experiment.arms)}
            assert arm.opponent.partition(":")[0] in {"self", "nano", "pool", EXPERTS, *players.KINDS}


def test_arms_that_are_compared_differ_in_the_baseline_alone():
    for arm in arms.EXPERIMENTS["baselines"].arms:
        game, baseline = arm.name.split(", ")
        twin = arms.EXPERIMENTS["baselines"].arms[
            [a.name for a in arms.EXPERIMENTS["baselines"].arms].index(f"{game}, role")
        ]
        assert arm.settings["baseline"] == baseline
        assert {**arm.settings, "baseline": "role"} == dict(twin.settings)


@pytest.mark.parametrize(
    "arm",
    [
        Arm("base"),
        Arm("self", ("kuhn_poker",), settings=TINY),
        Arm("random", ("kuhn_poker",), "random", TINY),
        Arm("pool", ("kuhn_poker",), "pool", TINY),
        Arm("experts", ("kuhn_poker",), EXPERTS, TINY),
    ],
    ids=lambda arm: arm.name,
)
def test_an_arm_is_trained_and_measured(arm):
    row = run.run_one(Experiment("x", "?", (arm,), sizes=SIZES), arm, seed=1)
    assert (row["arm"], row["seed"]) == (arm.name, 1)
    assert set(row["games"]) == {"kuhn_poker", "nim"}
    for path in run.COLUMNS.values():
        if path[1:2] != ("tic_tac_toe",) and ((arm.games and arm.opponent != EXPERTS) or path[0] != "curve"):
            assert run.at(row, path) == run.at(row, path)  # a number, and no NaN
    assert len(row["curve"]) == (1 if arm.games else 0)
    json.dumps(row, allow_nan=False)


def test_what_an_experiment_asks_for_more(monkeypatch):
    for name, value in (("POINT_GAMES", 4), ("POINT_SAMPLES", 4), ("POINT_PROBLEMS_EACH", 1)):
        monkeypatch.setattr(battery, name, value)
    base, learner = Arm("base"), Arm("self", ("kuhn_poker",), settings={**TINY, "steps": 2})
    asks = Experiment("x", "?", (base, learner), 1, ("nim",), (0.1, 1.0), SIZES)
    row = run.run_one(asks, base, seed=1)
    assert [one["temperature"] for one in row["sharpness"]] == [0.1, 1.0]
    assert row["sharpness"][0]["corpus"]["entropy"] < row["sharpness"][1]["corpus"]["entropy"]
    assert "path" not in row
    row = run.run_one(asks, learner, seed=1)
    assert [point["step"] for point in row["path"]] == [0, 1, 2]
    assert [list(point["wins"]) for point in row["path"]] == [[], ["0"], ["0", "1"]]
    assert row["path"][0]["returns"]["base"] == pytest.approx(0)
    assert "sharpness" not in row
    assert "nim" in row["games"]
    json.dumps(row, allow_nan=False)


def fake_runs(monkeypatch):
    made = []

    def run_one(experiment, arm, seed):
        made.append((arm.name, seed))
        return {"arm": arm.name, "seed": seed}

    class Here:  # a pool of this process
        def __init__(self, *_, **__): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def shutdown(self, **_): ...
        def submit(self, function, *args):
            result = function(*args)
            return SimpleNamespace(result=lambda: result)

    monkeypatch.setattr(run, "run_one", run_one)
    monkeypatch.setattr(run, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(run, "as_completed", list)
    return made


def test_a_stopped_experiment_goes_on(tmp_path, monkeypatch):
    experiment = Experiment("x", "?", (Arm("a"), Arm("b")))
    made = fake_runs(monkeypatch)
    file = tmp_path / "x.json"
    run.run(experiment, 1, 1, file)
    assert made == [("a", 1), ("b", 1)]
    found = run.run(experiment, 2, 1, file)
    assert made[2:] == [("a", 2), ("b", 2)]
    assert [(row["arm"], row["seed"]) for row in found["runs"]] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert json.loads(file.read_text()) == found
    assert found["command"] == "spiral-lite experiment x --seeds 2"


def test_a_file_of_other_arms_is_refused(tmp_path, monkeypatch):
    fake_runs(monkeypatch)
    file = tmp_path / "x.json"
    run.run(Experiment("x", "?", (Arm("a"),)), 1, 1, file)
    with pytest.raises(ValueError, match=r"holds runs of another setting \(arms\)"):
        run.run(Experiment("x", "?", (Arm("a", ("kuhn_poker",)),)), 1, 1, file)


@pytest.mark.parametrize("gpu", ["", "NVIDIA H100 80GB HBM3"])
def test_a_result_names_the_gpu_that_it_is_of(monkeypatch, gpu):
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(gpu))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: gpu)
    machine = run.describe(arms.EXPERIMENTS["main"], 1)["machine"]
    assert machine.endswith(f" cores, {gpu}" if gpu else " cores")


def test_arms_are_compared_seed_by_seed():
    numbers = {"a": {1: 0.1, 2: 0.5}, "b": {1: 0.3, 2: 0.7, 3: 9.0}}
    runs = []
    for arm, seeds in numbers.items():
        for seed, number in seeds.items():
            row = {"arm": arm, "seed": seed}
            row["curve"] = [{"kuhn_poker/role0/advantage": number}]
            for first, *rest in run.COLUMNS.values():
                if first == "curve":
                    continue
                place = row
                for key in (first, *rest)[:-1]:
                    place = place.setdefault(key, {})
                place[(first, *rest)[-1]] = number
            runs.append(row)
    record = {"arms": [{"name": "a", "rival": ""}, {"name": "b", "rival": "a"}], "runs": runs}
    assert "| b | 3 |" in run.table(record)
    (line,) = run.differences(record).splitlines()[2:]
    assert line.startswith("| b less a | 2 | +0.200 (+0.200 to +0.200) |")


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ValueError, match="there is no experiment 'x'; there are: main, baselines"):
        run.find("x")
