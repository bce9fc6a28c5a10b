r"""How many problems a model solves, with which patterns: SPIRAL's measure of transfer (arXiv:2506.24119, section 5).

The paper trains on games and asks mathematics; the nano model trains on games and is asked `nano/families.py` (problems
that its corpus keeps out, by `problems.held_out`) and `unseen.py` (families that no corpus holds). Sampling is the
paper's: temperature 0.6, top_p 0.95, several replies a problem. Unlike the paper, every figure has an interval, and a
reply's seed is its own, so that two models meet the same problems with the same luck.
Any list of `Problem`s with a grader will do: `gym` has reasoning-gym's, `benchmarks.py` the paper's.
Read `unseen.py` and `clusters.py` before this, `patterns.py` after.

    asked = fresh(CORPUS + UNSEEN, each=50)
    print(solve(backend, asked, n=4).mean(UNSEEN))
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite import dialogue
from spiral_lite.evaluation import unseen
from spiral_lite.evaluation.clusters import clustered_share, mean_of_families
from spiral_lite.evaluation.intervals import Interval
from spiral_lite.nano import families as nano_families
from spiral_lite.nano import problems
from spiral_lite.nano.families import Problem
from spiral_lite.players import Backend, LanguageModel, Player, Prompt, Reply, Sampling, Scripted

CORPUS = tuple(nano_families.FAMILIES)  # in the nano corpus, with other questions
UNSEEN = tuple(unseen.FAMILIES)  # in no corpus
GROUPS = {"corpus": CORPUS, "unseen": UNSEEN, "reworded": unseen.REWORDED, "recombined": unseen.RECOMBINED}
PAPER = Sampling(temperature=0.6, top_p=0.95)  # 96 tokens are enough for the nano model; the paper allows 8192
PROBLEM_SEED = 2506  # of the problems that everybody is asked
MOST_DRAWS = 1000  # for one more question that is new

Grader = Callable[[Problem, str | None], bool]  # what stands in the box of a reply, or None -> is it right?
Reader = Callable[[str], str]  # reply -> the pattern that it uses
_NO_STATE: Any = None  # a problem is no game


@dataclass(frozen=True)
class Attempt:
    """One reply to one problem. `problem` counts the problems, `sample` the replies to each; `tokens` is None where the
    player does not say, `truncated` means that the token limit cut the reply; `nats` is the negative log-probability of
    the reply under the distribution that it was sampled from, None where the player does not say."""

    problem: int
    sample: int
    family: str
    question: str
    answer: str
    reply: str
    boxed: str | None
    right: bool
    pattern: str
    tokens: int | None
    truncated: bool
    nats: float | None


@dataclass(frozen=True)
class Solved:
    """All replies of a model to some problems, `samples` to each, and what follows from them."""

    model: str
    samples: int
    sampling: Sampling
    seed: int
    attempts: tuple[Attempt, ...]
    seconds: float

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(attempt.family for attempt in self.attempts))

    def of(self, family: str) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.family == family]

    def shares(self, family: str) -> list[float]:
        """The share of right replies to each problem of a family."""
        right: dict[int, list[bool]] = {}
        for attempt in self.of(family):
            right.setdefault(attempt.problem, []).append(attempt.right)
        return [sum(flags) / len(flags) for flags in right.values()]

    def accuracy(self, family: str) -> Interval:
        """The share of right replies: Wilson's interval, replies to one problem counted for what they are worth."""
        return clustered_share(self.shares(family), self.samples)

    def mean(self, names: Collection[str] | None = None, draw_families: bool = False) -> Interval:
        """The mean accuracy of the families asked (of those in `names`); see `clusters.mean_of_families`."""
        asked = [family for family in self.families if names is None or family in names]
        return mean_of_families([self.shares(family) for family in asked], self.seed, draw_families)

    def entropy(self, names: Collection[str] | None = None) -> float:
        """Of the sampling distribution, nats a token: the mean surprise of the tokens that were drawn, which is its
        expectation; nan where the player does not say. Of greedy replies (temperature 0) that at 1."""
        asked = [attempt for attempt in self.attempts if names is None or attempt.family in names]
        told = [(row.nats, row.tokens) for row in asked if row.nats is not None and row.tokens]
        return sum(nats for nats, _ in told) / sum(tokens for _, tokens in told) if told else math.nan

    def patterns(self, names: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """{pattern: {"share": of the replies, "right": the share of these that are right}}, the commonest first."""
        rows = [attempt for attempt in self.attempts if names is None or attempt.family in names]
        used = sorted({row.pattern for row in rows}, key=lambda p: -sum(row.pattern == p for row in rows))
        return {
            name: {
                "share": sum(row.pattern == name for row in rows) / len(rows),
                "right": _share(row.right for row in rows if row.pattern == name),
            }
            for name in used
        }

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the replies (`write_jsonl` keeps those)."""
        present = {name: names for name, names in GROUPS.items() if set(names) & set(self.families)}
        means = {"all": self.mean()} | {name: self.mean(names) for name, names in present.items()}
        return {
            "model": self.model,
            "problems": len({attempt.problem for attempt in self.attempts}),
            "samples": self.samples,
            "seed": self.seed,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_new_tokens": self.sampling.max_new_tokens,
            "mean": {name: interval.to_dict() for name, interval in means.items()},
            "mean_of_other_families": self.mean(draw_families=True).to_dict() if len(self.families) > 1 else None,
            "families": {family: self._family(family) for family in self.families},
            "entropy": entropy if math.isfinite(entropy := self.entropy()) else None,
            "seconds": self.seconds,
        }

    def _family(self, family: str) -> dict[str, Any]:
        rows = self.of(family)
        tokens = [row.tokens for row in rows if row.tokens is not None]
        return {
            "right": self.accuracy(family).to_dict(),
            "boxed": _share(row.boxed is not None for row in rows),
            "truncated": _share(row.truncated for row in rows),
            "tokens": sum(tokens) / len(tokens) if tokens else None,
            "patterns": self.patterns({family}),
        }


def fresh(names: Iterable[str], each: int, seed: int = PROBLEM_SEED) -> list[Problem]:
    """`each` different problems of each family, none of which the nano corpus can hold.

    >>> [problem.question for problem in fresh(["last_line"], 1)]
    ['On the 3 by 3 grid start at ..., go ... Which ... is last?']
    """
    known = nano_families.FAMILIES | unseen.FAMILIES
    if each < 1:
        raise ValueError(f"{each} problems of each family: at least 1, e.g. 50")
    made: list[Problem] = []
    for name in dict.fromkeys(names):
        if name not in known:
            raise ValueError(f"unknown problem family {name!r}; known: {', '.join(known)}")
        rng, found = random.Random(f"{seed}/{name}"), dict[str, Problem]()
        draws = 0
        while len(found) < each:
            problem = known[name].maker(rng)
            if name in unseen.FAMILIES or problems.held_out(problem.question):
                found.setdefault(problem.question, problem)
            draws += 1
            if draws > MOST_DRAWS * each:
                raise ValueError(f"{name} has about {len(found)} problems for evaluation, not {each}; ask for fewer")
        made += found.values()
    return made


def solve(
    player: Player | Backend,
    asked: Sequence[Problem],
    n: int = 1,
    sampling: Sampling = PAPER,
    seed: int = 0,
    grade: Grader = problems.is_right,
    pattern: Reader = problems.pattern_of,
) -> Solved:
    """`n` replies to each problem, in SPIRAL's template for questions, as one batch; the same seed, the same replies.

    A language model or a backend samples with `sampling`, whatever it plays games with. Raises ValueError for scripted
    players, which read positions only, and for an endpoint that was made with another sampling.
    """
    if not asked or n < 1:
        raise ValueError(f"{len(asked)} problems with n={n} replies each: at least one of both, e.g. n=4")
    reader = _reader(player, sampling)
    turns = [(index, problem, sample) for index, problem in enumerate(asked) for sample in range(n)]
    prompts = [
        Prompt(_NO_STATE, dialogue.question_message(problem.question), _seed(seed, problem, sample))
        for _, problem, sample in turns
    ]
    began = time.perf_counter()
    replies = reader.reply(prompts)
    seconds = time.perf_counter() - began
    attempts = [
        _attempt(index, sample, problem, reply, grade, pattern)
        for (index, problem, sample), reply in zip(turns, replies, strict=True)
    ]
    return Solved(reader.name, n, sampling, seed, tuple(attempts), seconds)


def gym(tasks: Iterable[str], each: int, seed: int = PROBLEM_SEED) -> tuple[list[Problem], Grader]:
    """Problems of reasoning-gym (arXiv:2505.24760) and their grader, for larger models: `gym(["chain_sum"], each=50)`.

    A reply is right if the task's own scorer gives what is in its box the full score. Raises ImportError if the package
    is not installed, ValueError for a task that it does not know.
    """
    try:
        import reasoning_gym
    except ImportError as error:
        raise ImportError('these tasks need reasoning-gym: pip install "spiral-lite[reasoning-gym]"') from error
    made: list[Problem] = []
    sets = {}
    for task in dict.fromkeys(tasks):
        try:
            sets[task] = reasoning_gym.create_dataset(task, size=each, seed=seed)
        except ValueError as error:
            raise ValueError(f"reasoning-gym does not make {each} problems of {task!r}: {error}") from error
        made += [Problem(task, row["question"], str(row["answer"]), {"entry": row}) for row in sets[task]]

    def grade(problem: Problem, boxed: str | None) -> bool:
        return boxed is not None and sets[problem.family].score_answer(boxed, problem.facts["entry"]) >= 1.0

    return made, grade


def write_jsonl(solved: Solved, file: Path) -> None:
    """Appends the replies to a file, one JSON object a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"model": solved.model, **asdict(attempt)}) + "\n" for attempt in solved.attempts)


def _reader(player: Any, sampling: Sampling) -> Any:
    """Who reads the questions: a backend or a model with this sampling, or an endpoint as it is."""
    if isinstance(player, LanguageModel):
        return LanguageModel(player.backend, sampling, player.name)
    if hasattr(player, "generate"):
        return LanguageModel(player, sampling)
    if isinstance(player, Scripted):
        raise ValueError(f"{player.name} reads positions of games, not questions; give a language model, e.g. nano")
    if getattr(player, "sampling", sampling) != sampling:
        raise ValueError(f"{player.name} samples with {player.sampling}, not {sampling}; make it with sampling=")
    return player


def _seed(seed: int, problem: Problem, sample: int) -> int:
    """Of one reply: it does not depend on what else is asked."""
    return random.Random(f"{seed}/{problem.family}/{problem.question}/{sample}").getrandbits(31)


def _attempt(index: int, sample: int, problem: Problem, reply: Reply, grade: Grader, pattern: Reader) -> Attempt:
    boxed = dialogue.boxed(reply.text)
    return Attempt(
        problem=index,
        sample=sample,
        family=problem.family,
        question=problem.question,
        answer=problem.answer,
        reply=reply.text,
        boxed=boxed,
        right=grade(problem, boxed),
        pattern=pattern(reply.text),
        tokens=len(reply.ids) or None,
        truncated=reply.truncated,
        nats=-sum(reply.logprobs) if reply.logprobs else None,
    )


def _share(flags: Iterable[bool]) -> float | None:
    """None where there is nothing to count."""
    flags = list(flags)
    return sum(flags) / len(flags) if flags else None
