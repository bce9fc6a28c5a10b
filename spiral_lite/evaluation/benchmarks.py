r"""The paper's benchmarks, for models of the Hub: MATH500, AIME, AMC, Minerva, OlympiadBench, GPQA-Diamond, MMLU-Pro.

Rows come from the Hub through `datasets`, or from a local folder with the same fields (jsonl, csv or parquet, also one
that `huggingface-cli download --repo-type dataset` wrote). Mathematics is graded by math-verify, on what the last box
holds, as TRL's `accuracy_reward` does; multiple choice by the letter in the box. The question stands in SPIRAL's
template; the paper samples 4 replies of at most 8192 tokens to each, at temperature 0.6 and top_p 0.95.

Ids, configurations, splits and fields were checked against the code of public repositories that load them (November
2025 to October 2026; each of ours occurs in several), not against the Hub, which cannot be reached where this was
written; the number of rows is what these repositories report. Where the paper's own evaluation code (not published)
takes another copy of a benchmark, rows may differ. GPQA asks for an account that has accepted its terms.
Read `reasoning.py` before this.

    spiral-lite solve --model Qwen/Qwen3-0.6B --benchmark math500 --samples 4 --backend vllm
    spiral-lite solve --model nano --benchmark aime24 --data FOLDER        # offline, in the same format
"""

from __future__ import annotations

import random
import re
import string
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiral_lite.evaluation import patterns
from spiral_lite.evaluation.reasoning import PAPER, Grader, Solved, solve
from spiral_lite.nano.families import Problem
from spiral_lite.players import Backend, Player, Sampling

LETTERS = string.ascii_uppercase
INSTALL = 'benchmarks need math-verify: pip install "spiral-lite[benchmarks]"'

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """Where a benchmark is and how a row reads. `read`: row -> (question, answer); `fields`: what it needs of a row."""

    name: str
    hub: str
    split: str
    rows: int
    fields: tuple[str, ...]
    read: Callable[[Row], tuple[str, str]]
    grade: Grader
    config: str | None = None


def run(
    name: str,
    player: Player | Backend,
    data: Path | None = None,
    n: int = 4,
    sampling: Sampling = PAPER,
    seed: int = 0,
    limit: int | None = None,
) -> Solved:
    """`n` replies to each question of a benchmark (of its first `limit`), graded. Raises what `load` and `solve` do."""
    return solve(player, load(name, data, limit), n, sampling, seed, BENCHMARKS[name].grade, patterns.pattern_of)


def load(name: str, data: Path | None = None, limit: int | None = None) -> list[Problem]:
    """The questions of a benchmark, from the Hub or from the folder `data`.

    Raises ValueError if the benchmark is unknown, its rows cannot be had, or lack its fields; ImportError for a
    benchmark of mathematics if math-verify is not installed.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"unknown benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}: at least one question, e.g. limit=100")
    benchmark = BENCHMARKS[name]
    if benchmark.grade is is_equal:
        _math_verify()
    rows = _rows(benchmark, data)
    missing = [field for field in benchmark.fields if field not in rows.column_names]
    if missing:
        where = str(data) if data else benchmark.hub
        raise ValueError(
            f"{name} needs the fields {', '.join(benchmark.fields)}; {where!r} lacks {', '.join(missing)} and has "
            f"{', '.join(rows.column_names)}"
        )
    if data is None and len(rows) != benchmark.rows:
        warnings.warn(
            f"{benchmark.hub} has {len(rows)} rows, {benchmark.rows} were expected: another version?", stacklevel=2
        )
    chosen = rows.select(range(min(len(rows), limit or len(rows))))
    return [Problem(name, *benchmark.read(row), {}) for row in chosen]


def is_equal(problem: Problem, boxed: str | None) -> bool:
    r"""Whether what the box holds is the answer, as mathematics: 1/2 is 0.5 and \frac{1}{2}; units do not count.

    Computing it is stopped after some seconds, as wrong; outside the main thread, where it cannot be, it is not.
    """
    if boxed is None or not boxed.strip():
        return False
    math_verify = _math_verify()
    seconds = 5 if threading.current_thread() is threading.main_thread() else None
    latex = [math_verify.LatexExtractionConfig(boxed_match_priority=0)]  # its other reader runs text through eval
    gold, given = (
        math_verify.parse(f"\\boxed{{{text}}}", latex, parsing_timeout=seconds)
        for text in (_plain(problem.answer), boxed)
    )
    return bool(gold and given and math_verify.verify(gold, given, timeout_seconds=seconds))


def is_letter(problem: Problem, boxed: str | None) -> bool:
    r"""Whether the box holds the letter of the right choice: B, (B), B., \text{B} or B with the choice after it."""
    return boxed is not None and letter(boxed) == problem.answer


def letter(boxed: str) -> str | None:
    r"""The letter that a box names, or None.

    >>> letter("(C)"), letter(r"\text{D}"), letter("b) 12 m/s"), letter("A or B"), letter("42")
    ('C', 'D', 'B', None, None)
    """
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf) ?\{([^{}]{0,200})\}", r"\1", boxed).strip(" \n$")
    found = re.fullmatch(r"\(?([A-Ja-j])(?:\)?[.:]?|\)?[.:)] ?.{0,1000})", text, re.S)
    return found[1].upper() if found else None


def _plain(answer: str) -> str:
    """An answer without the dollar signs in which some rows keep it."""
    return answer.strip().strip("$").strip()


def _math_verify() -> Any:
    try:
        import math_verify
    except ImportError as error:
        raise ImportError(INSTALL) from error
    return math_verify


def _rows(benchmark: Benchmark, data: Path | None) -> Any:
    """The rows as a `datasets.Dataset`. A folder may declare the Hub's configurations or hold plain files; if it has
    one split only, that is the one."""
    import datasets

    if data is not None and not data.is_dir():
        raise ValueError(f"no folder at {str(data)!r}: give one with the rows of {benchmark.name}, e.g. as test.jsonl")
    source = str(data or benchmark.hub)
    config = benchmark.config
    try:
        if data is not None and config not in datasets.get_dataset_config_names(source):
            config = None
        parts = datasets.load_dataset(source, config)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        hint = "" if data else "; without a network, give a folder with its rows: --data FOLDER"
        raise ValueError(f"cannot load {benchmark.name} from {source!r}: {error}{hint}") from error
    if benchmark.split not in parts and len(parts) > 1:
        raise ValueError(f"{source!r} has the splits {', '.join(parts)}, not {benchmark.split}")
    return parts[benchmark.split] if benchmark.split in parts else next(iter(parts.values()))


def _fields(question: str, answer: str) -> Callable[[Row], tuple[str, str]]:
    """Question and answer stand in two fields."""
    return lambda row: (str(row[question]), str(row[answer]))


def _olympiad(row: Row) -> tuple[str, str]:
    """What several questions share comes first; the answer is a list, of one entry in nearly all rows."""
    context = (row.get("context") or "").strip()
    question = f"{context}\n{row['question']}" if context else row["question"]
    return question, ", ".join(_plain(str(answer)) for answer in row["final_answer"])


def _gpqa(row: Row) -> tuple[str, str]:
    """The right choice is named in a field of its own, so the order is drawn, by the question alone."""
    choices = [row["Correct Answer"], *(row[f"Incorrect Answer {n}"] for n in (1, 2, 3))]
    order = random.Random(row["Question"]).sample(range(4), 4)
    return _with_choices(row["Question"], [choices[i] for i in order]), LETTERS[order.index(0)]


def _mmlu_pro(row: Row) -> tuple[str, str]:
    return _with_choices(row["question"], row["options"]), LETTERS[row["answer_index"]]


def _with_choices(question: str, choices: Sequence[str]) -> str:
    told = [f"{name}. {choice.strip()}" for name, choice in zip(LETTERS, choices, strict=False)]
    return "\n".join([question.strip(), *told, "Answer with the letter of the right choice."])


def _mathematics(name: str, hub: str, split: str, rows: int, question: str, answer: str = "answer") -> Benchmark:
    return Benchmark(name, hub, split, rows, (question, answer), _fields(question, answer), is_equal)


_GPQA_FIELDS = ("Question", "Correct Answer", *(f"Incorrect Answer {n}" for n in (1, 2, 3)))
_ALL = (
    _mathematics("math500", "HuggingFaceH4/MATH-500", "test", 500, "problem"),
    _mathematics("aime24", "HuggingFaceH4/aime_2024", "train", 30, "problem"),
    _mathematics("aime25", "math-ai/aime25", "test", 30, "problem"),
    _mathematics("amc23", "math-ai/amc23", "test", 40, "question"),
    _mathematics("minerva", "math-ai/minervamath", "test", 272, "question"),
    Benchmark(
        "olympiad",
        "Hothan/OlympiadBench",
        "train",
        674,
        ("question", "final_answer"),
        _olympiad,
        is_equal,
        "OE_TO_maths_en_COMP",  # open-ended, text only
    ),
    Benchmark("gpqa_diamond", "Idavidrein/gpqa", "train", 198, _GPQA_FIELDS, _gpqa, is_letter, "gpqa_diamond"),
    Benchmark(
        "mmlu_pro",
        "TIGER-Lab/MMLU-Pro",
        "test",
        12032,
        ("question", "options", "answer_index"),
        _mmlu_pro,
        is_letter,
    ),
)
BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
