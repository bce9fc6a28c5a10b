"""The command that asks questions: solve."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spiral_lite.cli.command import Result, add_sampling, at_least, declare, sampling_of

SHORT, LONG = 96, 8192  # tokens of a reply: the nano model's to its problems, the paper's to its benchmarks


def add(commands: Any) -> None:
    """Declares it."""
    command = declare(
        commands,
        "solve",
        _solve,
        "Ask a model problems that it was not trained on: how many it solves, and with which reasoning patterns.",
        "solve --model nano --samples 4 --json",
        "solve --model runs/a --families unseen --problems 100 --log runs/replies.jsonl",
        "solve --model Qwen/Qwen3-0.6B --gym chain_sum simple_equations --max-new-tokens 2048",
        "solve --model Qwen/Qwen3-0.6B --benchmark math500 --samples 4 --backend vllm",
        "solve --model nano --benchmark aime24 --data FOLDER      # rows in the benchmark's format, offline",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, a run, a Hub id or openai:MODEL")
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--families", nargs="+", metavar="NAME", help="corpus, unseen, reworded, recombined, or by name (default: all)"
    )
    what.add_argument("--gym", nargs="+", metavar="TASK", help="tasks of reasoning-gym")
    what.add_argument("--benchmark", metavar="NAME", help="math500, aime24, aime25, amc23, minerva, olympiad ...")
    command.add_argument("--data", type=Path, metavar="FOLDER", help="rows of the benchmark, in place of the Hub")
    command.add_argument(
        "--problems", type=int, help="of each family or task (default 50), or the first of a benchmark (default: all)"
    )
    command.add_argument("--samples", type=int, default=1, help="replies to each problem (default 1; the paper: 4)")
    command.add_argument("--log", type=Path, metavar="FILE", help="append every reply to a JSONL file")
    add_sampling(command)
    command.set_defaults(temperature=0.6, top_p=0.95, max_new_tokens=None)


def _solve(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation import benchmarks, patterns, reasoning
    from spiral_lite.nano import problems
    from spiral_lite.opponents import load as load_player

    at_least(options, samples=1)
    if options.problems is not None:
        at_least(options, problems=1)
    if options.data and not options.benchmark:
        raise ValueError("--data is for benchmarks; write e.g. --benchmark math500 --data FOLDER")
    grade: reasoning.Grader = problems.is_right
    pattern: reasoning.Reader = patterns.pattern_of
    if options.benchmark:
        asked = benchmarks.load(options.benchmark, options.data, options.problems)
        grade = benchmarks.BENCHMARKS[options.benchmark].grade
    elif options.gym:
        asked, grade = reasoning.gym(options.gym, options.problems or 50)
    else:
        asked = reasoning.fresh(_families(options.families), options.problems or 50)
        pattern = problems.pattern_of
    if options.max_new_tokens is None:
        options.max_new_tokens = LONG if options.benchmark or options.gym else SHORT
    sampling = sampling_of(options)
    player = load_player(options.model, sampling, options.backend)
    solved = reasoning.solve(player, asked, options.samples, sampling, options.seed, grade, pattern)
    if options.log:
        reasoning.write_jsonl(solved, options.log)
    return solved.to_dict()


def _families(names: list[str] | None) -> list[str]:
    """The families by name, or all; some names stand for groups."""
    from spiral_lite.evaluation.reasoning import GROUPS

    return [family for name in names or GROUPS for family in GROUPS.get(name, (name,))]
