"""The command line, `spiral-lite`: play, evaluate, rate, exploitability, solve, train, imitate,
pretrain, experiment, bench."""

from __future__ import annotations

import argparse
import json
import sys

from spiral_lite import environment
from spiral_lite.bench.options import add_bench
from spiral_lite.cli import experiments, playing, solving, training
from spiral_lite.cli.command import readable


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and prints its result (with `--json`, one object in the last line). Returns the exit status."""
    environment.prepare()
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result = options.run(options)
        text = json.dumps(result, allow_nan=False) if options.json else readable(result)
    except (ValueError, ImportError, OSError) as error:
        print(f"spiral-lite {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"spiral-lite {options.command}: stopped", file=sys.stderr)
        return 130
    if environment.first_process():  # of several, one speaks
        print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spiral-lite", description="Self-play reinforcement learning for language models, small enough to read."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    playing.add(commands)
    solving.add(commands)
    training.add(commands)
    experiments.add(commands)
    add_bench(commands)
    return parser
