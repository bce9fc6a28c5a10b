"""Every notebook runs, offline, in `smoke` mode; and what is committed is a clean execution of its present code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spiral_lite.show import exercises, notebooks

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
HANG = 300  # seconds; a guard, not a measure: a smoke run takes about a minute

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def papermill(source: Path, target: Path, scratch: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Execute as `make quickstart` does: this interpreter's kernel, no network, nothing from the user's home."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_PATH": str(Path(sys.prefix) / "share/jupyter"),
        "JUPYTER_DATA_DIR": str(scratch / "jupyter"),
        "IPYTHONDIR": str(scratch / "ipython"),
        # An address of this machine where nobody listens: an attempt to reach the network fails at once.
        **dict.fromkeys(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], "http://127.0.0.1:9"),
    }
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(source),
        str(target),
        "-k",
        "python3",
        "--no-progress-bar",
        *options,
    ]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG, check=False)


def test_there_are_notebooks():
    assert ROOT / "notebooks/00_start_here.ipynb" in NOTEBOOKS


@pytest.mark.slow
@each_notebook
def test_smoke(path, tmp_path):
    """With the solutions in place of the blanks; the committed execution is with the blanks."""
    answered, target = tmp_path / f"answered_{path.name}", tmp_path / path.name
    asked = notebooks.read(path)
    filled = exercises.solved(asked, path.parent / "solutions" / f"{path.stem[:2]}.py")
    answered.write_text(json.dumps(filled), encoding="utf-8")
    done = papermill(
        answered, target, tmp_path, "-p", "MODE", "smoke", "-r", "OUT", str(tmp_path), "--cwd", "notebooks"
    )
    assert done.returncode == 0, done.stderr[-4000:]
    outputs = [output for cell in notebooks.code_cells(notebooks.read(target)) for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    verdicts = [line for output in outputs for line in "".join(output.get("text", "")).splitlines()]
    assert verdicts.count(exercises.CORRECT) == len(exercises.headings(asked))
    if path.stem == "00_start_here":  # what `make quickstart` prints
        printed = notebooks.report(tmp_path)
        assert "result.json" in printed
        assert ".png" in printed


@each_notebook
def test_one_cell_of_parameters(path):
    tagged = [cell for cell in notebooks.read(path)["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1, "tag one cell, with MODE, SEED and OUT, as `parameters`"
    for name in ("MODE", "SEED", "OUT"):
        assert f"{name} = " in notebooks.source(tagged[0])
    assert 'MODE = "cpu"' in notebooks.source(tagged[0]), "notebooks are committed in the mode for people"


@each_notebook
def test_code_cells_fit_on_a_slide(path):
    for number, cell in enumerate(notebooks.code_cells(notebooks.read(path)), start=1):
        lines = notebooks.source(cell).strip().splitlines()
        assert len(lines) <= 15, (
            f"code cell {number} has {len(lines)} lines: long code belongs in the library\n{lines[0]}"
        )


@each_notebook
def test_committed_outputs_are_of_the_present_code(path):
    notebook = notebooks.read(path)
    assert notebooks.execution_problems(notebook) == []
    assert notebooks.is_current(notebook), f"the code of {path.name} changed after its execution: `make notebooks`"
    assert path.stat().st_size <= 1_000_000, "over 1 MB: fewer or smaller figures"


def test_the_readme_shows_the_map():
    assert notebooks.table(NOTEBOOKS, notebooks.MINUTES) in (ROOT / "README.md").read_text()


def test_no_notebook_takes_more_than_five_minutes():
    taken = json.loads(notebooks.MINUTES.read_text())
    assert set(taken) == {path.stem for path in NOTEBOOKS}
    assert max(taken.values()) <= 5


def test_execute_runs_stamps_and_keeps_the_minutes_of_the_others(tmp_path, capsys):
    path, minutes = write(tmp_path / "00_a.ipynb", cell("1 + 1")), tmp_path / "minutes.json"
    minutes.write_text('{"09_other": 3.0}')
    assert set(notebooks.execute([path], minutes)) == {"00_a"}
    assert notebooks.is_current(notebooks.read(path))
    assert set(json.loads(minutes.read_text())) == {"00_a", "09_other"}
    assert "00_a: " in capsys.readouterr().out


def cell(code: str, **changes) -> dict:
    empty = {"cell_type": "code", "id": "a", "metadata": {}, "source": code, "outputs": [], "execution_count": None}
    return empty | changes


def write(path: Path, *cells: dict) -> Path:
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


def test_the_kernel_is_this_interpreter(tmp_path):
    """Also where the user has a kernel of the same name that runs something else."""
    decoy = tmp_path / "jupyter/kernels/python3"
    decoy.mkdir(parents=True)
    spec = {"argv": ["false", "{connection_file}"], "display_name": "decoy", "language": "python"}
    (decoy / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    path = write(tmp_path / "which.ipynb", cell("import sys; print(sys.prefix)"))
    done = papermill(path, path, tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    (output,) = notebooks.code_cells(notebooks.read(path))[0]["outputs"]
    assert "".join(output["text"]).strip() == sys.prefix


def test_stamp_is_void_after_a_change(tmp_path):
    path = write(tmp_path / "a.ipynb", cell("1 + 1", execution_count=1))
    notebooks.stamp(path)
    assert notebooks.is_current(notebooks.read(path))
    changed = notebooks.read(path)
    changed["cells"][0]["source"] = "1 + 2"
    assert not notebooks.is_current(changed)


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"execution_count": None}, r"ran as \[None\], not \[1\]"),
        ({"execution_count": 7}, r"ran as \[7\], not \[1\]"),
        ({"execution_count": 1, "outputs": [ERROR]}, "saved an error: ValueError: no"),
        ({"execution_count": 1, "metadata": {"tags": ["injected-parameters"]}}, "injected parameters"),
    ],
)
def test_stamp_refuses_what_is_not_a_clean_run(tmp_path, changes, says):
    path = write(tmp_path / "a.ipynb", cell("1 + 1", **changes))
    with pytest.raises(ValueError, match=says):
        notebooks.stamp(path)


def test_report_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"result\.json: the notebook stopped before"):
        notebooks.report(tmp_path)
