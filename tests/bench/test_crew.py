"""Processes that measure: jobs in, results out, and what happens when one fails."""

import pytest

from spiral_lite.bench import crew


@pytest.fixture(scope="module")
def worker():
    worker = crew.Worker()
    yield worker
    worker.close()


def test_a_worker_answers_and_survives_a_wrong_job(worker):
    with pytest.raises(crew.WorkerFailed, match=r"AttributeError.*no attribute 'weather'"):
        worker.ask("machine.weather")
    assert worker.ask("machine.versions")["torch"]


def test_what_a_job_prints_is_no_answer(worker):
    assert worker.ask("machine.versions") == worker.ask("machine.versions")
    assert worker.ask("crew.say", text="progress") is None


def test_a_process_that_ends_says_why(monkeypatch):
    worker = crew.Worker()
    worker._process.kill()
    with pytest.raises(crew.WorkerFailed, match="its process ended"):
        worker.ask("machine.versions")
    worker.close()


def test_openmp_is_left_alone_where_that_is_measured(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    for openmp, expected in (("ours", "PASSIVE"), ("default", None)):
        worker = crew.Worker(openmp=openmp)
        assert worker.ask("machine.openmp")["OMP_WAIT_POLICY"] == expected
        worker.close()


def test_a_peer_that_fails_is_left_out_and_we_are_not(here):
    with crew.Crew("us") as team:
        team.hire("us")
        team.hire("peer")
        assert team.ask("peer", "machine.weather") is None
        assert "failed: AttributeError" in team.missing["peer"]
        assert team.ask("peer", "machine.versions") is None
        with pytest.raises(ValueError, match=r"us: AttributeError"):
            team.ask("us", "machine.weather")


def test_a_package_that_is_missing_is_named(here):
    with crew.Crew("us") as team:
        team.hire("peer")
        team.ask("peer", "games.text_arena", game="kuhn_poker", seconds=1, seed=1, wrapped=False)
    assert "not installed: make peers (ModuleNotFoundError" in team.missing["peer"]


def test_measurements_alternate_and_incomplete_ones_are_dropped():
    asked = []

    def measure(name, repeat):
        asked.append(name)
        return None if (name, repeat) == ("b", 1) else {"x": repeat}

    assert crew.in_turn(["a", "b"], 3, measure) == {"a": [{"x": 0}, {"x": 1}, {"x": 2}]}
    assert asked == ["a", "b", "b", "a", "a", "b"]
