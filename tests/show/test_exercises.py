"""Exercises: what a check says of a right, a wrong, a missing and a broken answer; solutions in place of blanks."""

import pytest

from spiral_lite.show import exercises


def said(answer):
    @exercises.check(answer)
    def verdict(mine):
        assert mine(1.0, 0.25) == 0.75, "an advantage is the return less the baseline"

    return verdict


def blank(value, baseline):
    """What a student finds."""
    ...


def test_a_check_says_what_it_thinks_of_an_answer(capsys):
    assert said(lambda value, baseline: value - baseline) == exercises.CORRECT
    assert said(lambda value, baseline: value) == "Not yet: an advantage is the return less the baseline"
    assert said(blank) == exercises.OPEN
    assert said(lambda value, baseline: ...) == exercises.OPEN
    assert said(lambda value: value).startswith("Not yet: <lambda> raises TypeError")
    assert capsys.readouterr().out.count("\n") == 5


def notebook(*sources):
    cells = [{"cell_type": "code", "id": str(i), "metadata": {}, "source": text} for i, text in enumerate(sources)]
    return {"cells": cells, "metadata": {}}


def test_solutions_take_the_place_of_blanks(tmp_path):
    file = tmp_path / "05.py"
    file.write_text("# Exercise 1\ndef f(x):\n    return x\n\n\n# Exercise 2\nb = 2\n")
    asked = notebook("a = 1", "# Exercise 1\ndef f(x):\n    ...", "f(1)", "# Exercise 2\nb = ...")
    filled = exercises.solved(asked, file)
    assert [cell["source"] for cell in filled["cells"]] == [
        "a = 1",
        "# Exercise 1\ndef f(x):\n    return x",
        "f(1)",
        "# Exercise 2\nb = 2",
    ]
    assert asked["cells"][1]["source"].endswith("...")


@pytest.mark.parametrize("text", ["", "# Exercise 2\nb = 2\n", "# Exercise 1\na = 1\n# Exercise 2\nb = 2\n"])
def test_solutions_and_blanks_must_pair_off(tmp_path, text):
    file = tmp_path / "05.py"
    file.write_text(text)
    with pytest.raises(ValueError, match="and the notebook asks"):
        exercises.solved(notebook("# Exercise 1\na = ..."), file)


def test_no_file_and_no_blank_is_no_problem(tmp_path):
    assert exercises.solved(notebook("1 + 1"), tmp_path / "00.py") == notebook("1 + 1")


def test_a_heading_twice_is_refused():
    with pytest.raises(ValueError, match="a heading comes twice"):
        exercises.solutions("# Exercise 1\na = 1\n# Exercise 1\na = 2\n")
