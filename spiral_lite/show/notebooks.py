"""Committed notebooks: are their outputs those of the present code, and what did a run of one leave behind?

A notebook is committed executed, so that it can be read without running it. `stamp` writes a hash of its code cells
into its metadata after an execution; a test recomputes the hash, so code that changed since shows up. `execute` runs
notebooks in place, one after the other, stamps them and says what each took.

    python -m spiral_lite.show.notebooks execute notebooks/[0-9][0-9]_*.ipynb
    python -m spiral_lite.show.notebooks report runs/quickstart
"""

import argparse
import hashlib
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MINUTES = Path(__file__).resolve().parents[2] / "data" / "results" / "notebooks.json"
Notebook = dict[str, Any]  # the JSON of an .ipynb file, nbformat 4


def read(path: str | Path) -> Notebook:
    notebook: Notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    return notebook


def source(cell: dict[str, Any]) -> str:
    """The text of a cell, which nbformat stores as one string or as a list of lines.

    >>> source({"source": ["a = 1\\n", "a"]})
    'a = 1\\na'
    """
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """The author's code cells: papermill's own cell of injected parameters is none of them."""
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "injected-parameters" not in cell["metadata"].get("tags", [])
    ]


def code_hash(notebook: Notebook) -> str:
    """SHA-256 of the code cells in order. Prose and outputs do not count.

    >>> cell = {"cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": []}
    >>> code_hash({"cells": [cell]}) == code_hash({"cells": [{**cell, "outputs": ["2"]}]})
    True
    >>> code_hash({"cells": [cell]}) == code_hash({"cells": [{**cell, "source": "1 + 2"}]})
    False
    """
    sources = json.dumps([source(cell) for cell in code_cells(notebook)], ensure_ascii=False)
    return hashlib.sha256(sources.encode()).hexdigest()


def execution_problems(notebook: Notebook) -> list[str]:
    """Why the saved outputs are not those of one clean run from top to bottom; empty if they are."""
    problems = []
    if any("injected-parameters" in cell["metadata"].get("tags", []) for cell in notebook["cells"]):
        problems.append("it holds a cell of injected parameters: execute it with the parameters it declares")
    expected = 0
    for number, cell in enumerate(code_cells(notebook), start=1):
        if not source(cell).strip():
            continue
        expected += 1
        if cell["execution_count"] != expected:
            problems.append(f"code cell {number} ran as [{cell['execution_count']}], not [{expected}]")
        problems += [
            f"code cell {number} saved an error: {output['ename']}: {output['evalue']}"
            for output in cell["outputs"]
            if output["output_type"] == "error"
        ]
    return problems


def stamp(path: str | Path) -> str:
    """Record in the notebook that its outputs are those of its present code; refuses if they cannot be.

    Also drops papermill's time stamps, which would make every execution a different file.
    """
    notebook = read(path)
    problems = execution_problems(notebook)
    if problems:
        raise ValueError(f"{path} is not one clean execution: {'; '.join(problems)}. Execute it first: make notebooks")
    for metadata in [notebook["metadata"], *(cell["metadata"] for cell in notebook["cells"])]:
        metadata.pop("papermill", None)
        metadata.pop("execution", None)
    digest = code_hash(notebook)
    notebook["metadata"]["spiral_lite"] = {"executed_code_sha256": digest}
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    Path(path).write_text(text + "\n", encoding="utf-8")
    return digest


def is_current(notebook: Notebook) -> bool:
    """Whether `stamp` was called after the last change of a code cell."""
    stamped: dict[str, str] = notebook["metadata"].get("spiral_lite", {})
    return stamped.get("executed_code_sha256") == code_hash(notebook)


def execute(paths: Sequence[Path], minutes: Path) -> dict[str, float]:
    """Executes notebooks in place and stamps them; {name: minutes}, which also goes to a JSON file, where the notebooks
    that are not executed now keep theirs. Raises what papermill raises at the first cell that fails."""
    import papermill

    found: dict[str, float] = json.loads(minutes.read_text()) if minutes.exists() else {}
    taken = {}
    for path in paths:
        began = time.perf_counter()
        papermill.execute_notebook(path, path, cwd=path.parent, kernel_name="python3", progress_bar=False)
        stamp(path)
        taken[path.stem] = round((time.perf_counter() - began) / 60, 1)
        print(f"{path.stem}: {taken[path.stem]} minutes", flush=True)
        minutes.write_text(json.dumps(dict(sorted((found | taken).items())), indent=1) + "\n")
    print(f"{sum(taken.values()):.1f} minutes together")
    return taken


def title(notebook: Notebook) -> str:
    """The first heading.

    >>> title({"cells": [{"source": "# 01 · Games\\n\\n**You will** play."}]})
    '01 · Games'
    """
    return source(notebook["cells"][0]).splitlines()[0].removeprefix("# ").strip()


def aim(notebook: Notebook) -> str:
    """What its first cell promises.

    >>> aim({"cells": [{"source": "# 01\\n\\n**You will** play\\na game.\\n\\n**Time** a minute"}]})
    'play a game.'
    """
    found = re.search(r"\*\*You will\*\*(.*?)(?:\n\n|\Z)", source(notebook["cells"][0]), re.S)
    return " ".join(found[1].split()) if found else ""


def table(paths: Sequence[Path], minutes: Path) -> str:
    """The map of the notebooks for the README, with the minutes that `execute` measured."""
    taken = json.loads(minutes.read_text())
    rows = [
        f"| [{title(read(path))}](notebooks/{path.name}) | {aim(read(path))} | {taken[path.stem]} |" for path in paths
    ]
    return "\n".join(["| notebook | you will | minutes |", "|---|---|---|", *rows])


def summary(result: Any, name: str = "") -> list[str]:
    """A record in lines for people: one per value, dotted names, long lists by their ends.

    >>> summary({"nash_conv": {"before": 0.91234, "after": 0.2}, "steps": [0, 10, 20, 30, 40, 50, 60]})
    ['nash_conv.before: 0.912', 'nash_conv.after: 0.2', 'steps: 0 ... 60 (7 values)']
    """
    if isinstance(result, dict):
        return [line for key, value in result.items() for line in summary(value, f"{name}.{key}" if name else str(key))]
    if isinstance(result, list):
        if any(isinstance(item, dict | list) for item in result):
            return [f"{name}: {len(result)} records"]
        if len(result) > 6:
            return [f"{name}: {_brief(result[0])} ... {_brief(result[-1])} ({len(result)} values)"]
        return [f"{name}: {', '.join(map(_brief, result))}"]
    return [f"{name}: {_brief(result)}"]


def _brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def report(out: str | Path) -> str:
    """What a notebook executed into the folder `out` found, and where its files are."""
    out = Path(out)
    result = out / "result.json"
    if not result.exists():
        raise FileNotFoundError(
            f"no {result}: the notebook stopped before it wrote its result; its copy in {out} says why"
        )
    lines = ["Result"] + [f"  {line}" for line in summary(json.loads(result.read_text(encoding="utf-8")))]
    for title, pattern in [("Executed notebook", "*.ipynb"), ("Figures", "figures/*.png"), ("All numbers", "*.json")]:
        lines += [title] + [f"  {path}" for path in sorted(out.glob(pattern))]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m spiral_lite.show.notebooks", description="Look after notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    again = commands.add_parser("execute", help="run notebooks in place, in the mode that they declare")
    again.add_argument("paths", nargs="+", type=Path)
    again.add_argument("--minutes", type=Path, default=MINUTES, help="where the minutes of each are kept")
    commands.add_parser("report", help="print what an execution into a folder found").add_argument("path")
    arguments = parser.parse_args()
    try:
        if arguments.command == "execute":
            execute(arguments.paths, arguments.minutes)
        else:
            print(report(arguments.path))
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
