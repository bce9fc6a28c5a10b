"""A process that measures: one job a line on its input, one result a line on its output, both JSON.

    echo '{"do": "machine.describe"}' | python -m spiral_lite.bench.worker

`do` names a function of this package; the rest are its arguments. What a job leaves in the process (a model, a cache)
is there for the next, so repeats pay for it once. Whatever a library prints goes to the error stream. Led by `crew.py`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from typing import Any

from spiral_lite import environment

OPENMP = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures: JSON jobs in, JSON results out, a line each.")
    parser.add_argument("--openmp", choices=("ours", "default"), default="ours", help="default: OpenMP's own waiting")
    options = parser.parse_args()
    environment.prepare()
    if options.openmp == "default":
        for name in OPENMP:  # OpenMP looks when it is loaded, with torch
            os.environ.pop(name, None)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    """{"result": ...} or {"error": "ValueError: ..."}; the trace goes to the error stream."""
    module, _, function = job.pop("do").partition(".")
    try:
        return {"result": getattr(importlib.import_module(f"spiral_lite.bench.{module}"), function)(**job)}
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
