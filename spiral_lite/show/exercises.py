"""Exercises in notebooks: a blank to fill in, and a check that says what is wrong with an answer.

In a notebook, a cell that begins with `# Exercise 1` holds the blank, a function whose body is `...`; the next one
checks it, and runs on whatever it finds, so that a notebook can be executed with its blanks:

    @exercises.check(advantage)
    def _(mine):
        assert mine(1.0, 0.25) == 0.75, "an advantage is the return less the baseline"

Solutions stand in `notebooks/solutions/NN.py` under the same first lines; `solved` puts them into a copy of the
notebook, which the tests run: every check must call its solution correct.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spiral_lite.show.notebooks import Notebook, code_cells, source

CORRECT, OPEN, WRONG = "Correct.", "Open: fill in the blank above, and run both cells again.", "Not yet: "
HEADING = re.compile(r"# Exercise \d+")


class Blank(Exception):
    """A function without an answer in it was called."""


def check(answer: Callable[..., Any]) -> Callable[[Callable[[Any], None]], str]:
    """Runs the decorated check at once and prints what came of it, in a sentence; its name then holds that sentence.

    A function that gives back nothing, or the dots, is a blank. Whatever an answer or an assertion of the check raises
    is told, never raised, so give each assertion a message: what holds, and a hint.
    """

    def ask(*arguments: Any, **options: Any) -> Any:
        given = answer(*arguments, **options)
        if given is None or given is ...:
            raise Blank
        return given

    def run(test: Callable[[Any], None]) -> str:
        said = CORRECT
        try:
            test(ask)
        except Blank:
            said = OPEN
        except AssertionError as error:
            said = WRONG + str(error).split("\n")[0]
        except Exception as error:  # of the student's own code: the check goes on to say where to look
            said = f"{WRONG}{answer.__name__} raises {type(error).__name__}: {error}"
        print(said)
        return said

    return run


def solutions(text: str) -> dict[str, str]:
    """{heading: code} of a file of solutions. Raises ValueError where one heading comes twice.

    >>> solutions("# Exercise 1\\na = 1\\n\\n\\n# Exercise 2\\nb = 2\\n")
    {'# Exercise 1': '# Exercise 1\\na = 1', '# Exercise 2': '# Exercise 2\\nb = 2'}
    """
    _, *parts = re.split(rf"^(?={HEADING.pattern}$)", text, flags=re.M)
    found = {part.splitlines()[0]: part.strip() for part in parts}
    if len(found) < len(parts):
        raise ValueError(f"a heading comes twice: {', '.join(part.splitlines()[0] for part in parts)}")
    return found


def headings(notebook: Notebook) -> list[str]:
    """The first lines of the notebook's blanks, in order."""
    firsts = [source(cell).split("\n")[0] for cell in code_cells(notebook)]
    return [line for line in firsts if HEADING.fullmatch(line)]


def solved(notebook: Notebook, file: Path) -> Notebook:
    """A copy with the solutions of a file in place of the blanks. Raises ValueError if they do not pair off."""
    found = solutions(file.read_text(encoding="utf-8")) if file.exists() else {}
    if list(found) != headings(notebook):
        raise ValueError(f"{file.name} solves {list(found)}, and the notebook asks {headings(notebook)}")
    filled = copy.deepcopy(notebook)
    for cell in code_cells(filled):
        cell["source"] = found.get(source(cell).split("\n")[0], cell["source"])
    return filled
