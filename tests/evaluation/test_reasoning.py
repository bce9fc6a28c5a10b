"""Solving problems: what is asked is new, what is counted is exact, the same seed gives the same replies."""

import json
import math
import random
import re
import sys
from dataclasses import FrozenInstanceError

import pytest

from spiral_lite import dialogue, players
from spiral_lite.cli import main
from spiral_lite.evaluation import reasoning
from spiral_lite.evaluation.intervals import wilson
from spiral_lite.evaluation.reasoning import CORPUS, PAPER, UNSEEN, fresh, solve
from spiral_lite.nano import corpus, problems
from spiral_lite.nano.families import Problem
from spiral_lite.players import LanguageModel, Prompt, Reply, Sampling


class Canned:
    """A player that answers from a function: (question, how often it was asked before) -> reply."""

    name = "canned"

    def __init__(self, answer) -> None:
        self.answer, self.prompts = answer, []

    def reply(self, prompts: list[Prompt]) -> list[Reply]:
        before = [p.message for p in self.prompts]
        self.prompts += prompts
        texts = []
        for prompt in prompts:
            question = re.fullmatch(r"Question: (.*)\nPlease .*", prompt.message, re.S)[1]
            texts.append(self.answer(question, before.count(prompt.message)))
            before.append(prompt.message)
        return [Reply(text, ids=(5,) * len(text.split())) for text in texts]


def test_the_corpus_cannot_hold_what_is_asked() -> None:
    asked = fresh(CORPUS + UNSEEN, each=40)
    questions = {problem.question for problem in asked}
    assert len(questions) == 40 * len(CORPUS + UNSEEN)
    assert all(problems.held_out(p.question) for p in asked if p.family in CORPUS)
    rng = random.Random(0)
    samples = [corpus._problem_sample(rng) for _ in range(4000)]
    learnt = {re.search(r"Question: (.*)\n", sample.message)[1] for sample in samples}
    assert {sample.kind for sample in samples} == set(CORPUS)
    assert not any(problems.held_out(question) for question in learnt)  # so no seed of the corpus has them
    assert not learnt & questions


def test_the_same_seed_asks_the_same() -> None:
    before = random.getstate()
    assert fresh(["line", "two_offers"], 5) == fresh(["line", "two_offers"], 5)
    assert fresh(["line"], 5) == fresh(["grid", "line"], 5)[5:]  # whatever else is asked
    assert fresh(["line"], 5) != fresh(["line"], 5, seed=1)
    assert random.getstate() == before


def test_exact_scores_and_patterns() -> None:
    asked = fresh(["arithmetic_chain", "probability"], each=3)
    careful = {p.question: problems.careful(p, problems.patterns_of(p.family)[0]) for p in asked}

    def answer(question: str, time: int) -> str:
        return careful[question] if time == 0 else r"Just guess: \boxed{-1}."

    player = Canned(answer)
    solved = solve(player, asked, n=2)
    assert [p.message for p in player.prompts] == [dialogue.question_message(p.question) for p in asked for _ in (0, 1)]
    assert len({p.seed for p in player.prompts}) == 12
    assert [attempt.right for attempt in solved.attempts] == [True, False] * 6
    assert solved.accuracy("probability").mean == 0.5
    assert solved.mean().mean == 0.5
    assert solved.mean({"probability"}).n == 3
    assert solved.shares("probability") == [0.5] * 3
    assert solved.patterns()["careless"] == {"share": 0.5, "right": 0.0}
    assert solved.patterns({"probability"})["expected_value"] == {"share": 0.5, "right": 1.0}
    first = solved.attempts[0]
    assert (first.problem, first.sample, first.family, first.boxed) == (0, 0, asked[0].family, asked[0].answer)
    assert first.tokens == len(first.reply.split())
    with pytest.raises(FrozenInstanceError):
        first.right = False


def test_a_family_has_wilsons_interval() -> None:
    asked = fresh(["counting"], each=20)
    right = {p.question: p.answer for p in asked[:7]}
    solved = solve(Canned(lambda question, time: rf"\boxed{{{right.get(question, 'no')}}}"), asked)
    assert solved.accuracy("counting").ci95 == wilson(7, 20).ci95
    assert solved.to_dict()["families"]["counting"]["right"]["mean"] == 0.35


def test_a_reply_without_a_box_is_wrong_and_counted() -> None:
    asked = fresh(["counting"], each=4)
    solved = solve(Canned(lambda question, time: "I do not know"), asked)
    assert solved.mean().mean == 0.0
    family = solved.to_dict()["families"]["counting"]
    assert (family["boxed"], family["patterns"]) == (0.0, {"none": {"share": 1.0, "right": 0.0}})


def test_records_are_json(tmp_path) -> None:
    solved = solve(Canned(lambda question, time: r"\boxed{1}"), fresh(["counting", "between"], each=2), n=2)
    record = json.loads(json.dumps(solved.to_dict(), allow_nan=False))
    assert set(record["mean"]) == {"all", "corpus", "unseen", "recombined"}
    assert (record["problems"], record["samples"], record["temperature"], record["top_p"]) == (4, 2, 0.6, 0.95)
    for _ in (0, 1):
        reasoning.write_jsonl(solved, tmp_path / "new" / "replies.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "new" / "replies.jsonl").read_text().splitlines()]
    assert len(lines) == 16
    assert {"family", "question", "answer", "reply", "boxed", "right", "pattern", "tokens"} <= set(lines[0])


def test_entropy_is_the_mean_surprise_of_a_token() -> None:
    class Surprised(Canned):
        def reply(self, prompts):
            nats = {"": (0.5, 1.5), "x": (1.0,)}
            return [Reply("", ids=(5,) * len(nats[key]), logprobs=tuple(-n for n in nats[key])) for key in ("", "x")]

    solved = solve(Surprised(None), fresh(["counting"], each=2))
    assert solved.entropy() == pytest.approx(3 / 3)
    assert solved.to_dict()["entropy"] == pytest.approx(1)
    silent = solve(Canned(lambda question, time: "no"), fresh(["counting"], each=2))
    assert math.isnan(silent.entropy())
    assert silent.to_dict()["entropy"] is None


def test_much_sharper_sampling_has_less_entropy(nano) -> None:
    from spiral_lite.rollout import backends

    backend = backends.make("engine", *nano, slots=16)
    asked = fresh(["counting", "grid"], each=6)
    sharp, plain = (solve(backend, asked, sampling=Sampling(t)).entropy() for t in (0.05, 1.0))
    assert 0 < sharp < plain


def test_the_nano_model_solves_the_same_way_twice(nano) -> None:
    from spiral_lite.rollout import backends

    backend = backends.make("engine", *nano, slots=16)
    asked = fresh(["best_choice", "three_sums"], each=6)
    first = solve(backend, asked, n=2, seed=3)
    again = solve(LanguageModel(backend, Sampling(temperature=1.0), "nano"), asked, n=2, seed=3)
    assert first.attempts == again.attempts  # sampled as asked for, not as in games
    assert (first.sampling, again.model) == (PAPER, "nano")
    other = solve(backend, asked, n=2, seed=4)
    assert [a.reply for a in other.attempts] != [a.reply for a in first.attempts]
    alone = solve(backend, asked[:1], n=2, seed=3)
    assert [a.reply for a in alone.attempts] == [a.reply for a in first.attempts[:2]]
    assert sum(a.boxed is not None for a in first.attempts) > 20
    careful = [a.right for a in first.attempts if a.family == "best_choice" and a.pattern in problems.PATTERNS]
    assert sum(careful) >= 0.5 * len(careful)
    assert all(a.tokens and not a.truncated for a in first.attempts)


def test_errors_teach(monkeypatch) -> None:
    player = Canned(lambda question, time: "")
    asked = fresh(["grid"], 1)
    with pytest.raises(ValueError, match=r"unknown problem family 'chess'; known: arithmetic_chain, .*four_people"):
        fresh(["chess"], 1)
    with pytest.raises(ValueError, match="0 problems of each family"):
        fresh(["grid"], 0)
    monkeypatch.setattr(reasoning, "MOST_DRAWS", 1)  # of which nine in ten are the corpus's
    with pytest.raises(ValueError, match=r"line has about \d+ problems for evaluation, not 200"):
        fresh(["line"], 200)
    with pytest.raises(ValueError, match="1 problems with n=0 replies"):
        solve(player, asked, n=0)
    with pytest.raises(ValueError, match="random reads positions of games, not questions"):
        solve(players.make("random"), asked)
    player.sampling = Sampling(temperature=1.0)
    with pytest.raises(ValueError, match="make it with sampling="):
        solve(player, asked)


def test_reasoning_gym() -> None:
    pytest.importorskip("reasoning_gym", reason="reasoning-gym is an optional extra and not installed")
    asked, grade = reasoning.gym(["chain_sum", "spell_backward"], each=3)
    assert [p.family for p in asked] == ["chain_sum"] * 3 + ["spell_backward"] * 3
    right = {p.question: p.answer for p in asked}
    solved = solve(Canned(lambda question, time: rf"\boxed{{{right[question]}}}"), asked, grade=grade)
    assert solved.mean().mean == 1.0
    assert not any(grade(p, wrong) for p in asked for wrong in (None, "", "nothing"))
    with pytest.raises(ValueError, match="no_such_task"):
        reasoning.gym(["no_such_task"], each=1)


def test_reasoning_gym_that_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(ImportError, match=r'pip install "spiral-lite\[reasoning-gym\]"'):
        reasoning.gym(["chain_sum"], each=1)


def test_command_line(capsys, tmp_path) -> None:
    log = tmp_path / "replies.jsonl"
    line = f"solve --model nano --samples 2 --families grid unseen --problems 2 --log {log} --json"
    assert main(line.split()) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(result["families"]) == {"grid", *UNSEEN}
    assert (result["samples"], result["temperature"], result["max_new_tokens"]) == (2, 0.6, 96)
    assert len(log.read_text().splitlines()) == 2 * 2 * (1 + len(UNSEEN))
    assert main(["solve", "--families", "chess"]) == 2
    assert "unknown problem family 'chess'" in capsys.readouterr().err
    assert main(["solve", "--data", "."]) == 2
    assert "--data is for benchmarks" in capsys.readouterr().err


def test_own_problems_with_an_own_grader() -> None:
    asked = [Problem("capitals", "What is the capital of France?", "Paris", {})]
    solved = solve(Canned(lambda question, time: r"\boxed{paris}"), asked)
    assert solved.mean().mean == 1.0
    strict = solve(Canned(lambda q, t: r"\boxed{paris}"), asked, grade=lambda problem, box: box == problem.answer)
    assert strict.mean().mean == 0.0
