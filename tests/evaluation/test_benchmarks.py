"""The benchmarks' runner, end to end on small files in their own formats. The questions are ours, not theirs."""

import csv
import json
import sys
import threading

import pytest

from spiral_lite.cli import main
from spiral_lite.evaluation import benchmarks
from spiral_lite.evaluation.benchmarks import BENCHMARKS, is_equal, is_letter, letter, load
from spiral_lite.nano.families import Problem
from spiral_lite.players import Reply, Sampling

ROWS = {  # name -> (file, rows in its format)
    "math500": (
        "test.jsonl",
        [
            {
                "problem": rf"What is ${n}$ divided by $4$?",
                "solution": rf"It is $\frac{{{n}}}{{4}}$.",
                "answer": rf"\frac{{{n}}}{{4}}",
                "subject": "Prealgebra",
                "level": 1,
                "unique_id": f"test/prealgebra/{n}.json",
            }
            for n in (1, 3, 5)
        ],
    ),
    "aime24": (
        "train.jsonl",
        [
            {"id": n, "problem": f"Find ${n} + 20$.", "solution": "", "answer": f"0{n + 20}", "url": "", "year": "2024"}
            for n in (1, 2, 3)
        ],
    ),
    "aime25": ("test.jsonl", [{"id": str(n), "problem": f"Find ${n}^2$.", "answer": str(n * n)} for n in (3, 4, 5)]),
    "amc23": ("test.jsonl", [{"id": n, "question": f"Double {n}?", "answer": 2.0 * n, "url": ""} for n in (3, 4, 5)]),
    "minerva": (
        "test.jsonl",
        [{"question": f"A train goes {n} km in an hour. Its speed in km/h?", "answer": f"{n}"} for n in (60, 80, 90)],
    ),
    "olympiad": (
        "train.jsonl",
        [
            {
                "id": n,
                "question": f"Solve $x^2 = {n * n}$.",
                "solution": ["Take roots."],
                "final_answer": [f"${n},-{n}$"],
                "context": "Let $x$ be real." if n == 2 else None,
                "answer_type": "Numerical",
                "is_multiple_answer": True,
                "unit": None,
                "error": None,
                "modality": "Text-only",
            }
            for n in (2, 3, 4)
        ],
    ),
    "gpqa_diamond": (
        "gpqa_diamond.csv",
        [
            {
                "Question": f"Which particle number {n} is the lightest?",
                "Correct Answer": "electron",
                "Incorrect Answer 1": "muon",
                "Incorrect Answer 2": "proton",
                "Incorrect Answer 3": "neutron",
                "High-level domain": "Physics",
            }
            for n in range(12)
        ],
    ),
    "mmlu_pro": (
        "test.jsonl",
        [
            {
                "question_id": n,
                "question": f"What is {n} + 1?",
                "options": [str(k) for k in range(10)],
                "answer": "ABCDEFGHIJ"[n + 1],
                "answer_index": n + 1,
                "cot_content": "",
                "category": "math",
                "src": "ours",
            }
            for n in (1, 5, 8)
        ],
    ),
}
GOLD = {  # the last box of a right reply, written another way than in the file
    "math500": [r"0.25", r"\dfrac34", r"5/4"],
    "aime24": ["21", "22", "23"],
    "aime25": ["9", "16", "25"],
    "amc23": ["6", "8", "10"],
    "minerva": [r"60", r"80 \text{ km/h}", "90"],
    "olympiad": ["-2, 2", r"\{3, -3\}", "4,-4"],
    "mmlu_pro": ["C", "(G)", r"\text{J}"],
}


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path_factory, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def folder(tmp_path):
    """folder(name): the rows of a benchmark in a folder, as a download from the Hub would have them."""

    def write(name):
        file, rows = ROWS[name]
        path = tmp_path / name / file
        path.parent.mkdir(exist_ok=True)
        if file.endswith(".csv"):
            with path.open("w", newline="") as out:
                writer = csv.DictWriter(out, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path.parent

    return write


class Boxes:
    """Answers the n-th question with the n-th box."""

    name = "boxes"

    def __init__(self, boxes):
        self.boxes, self.prompts = boxes, []

    def reply(self, prompts):
        self.prompts += prompts
        questions = list(dict.fromkeys(prompt.message for prompt in prompts))
        texts = [rf"On average it is worth \boxed{{{self.boxes[questions.index(p.message)]}}}." for p in prompts]
        return [Reply(text) for text in texts]


def needs_math_verify(name):
    if BENCHMARKS[name].grade is is_equal:
        pytest.importorskip("math_verify", reason="math-verify is an optional extra and not installed")


def test_they_are_the_papers():
    assert set(BENCHMARKS) == set(ROWS)
    assert sum(benchmark.rows for benchmark in BENCHMARKS.values()) == 13776


@pytest.mark.parametrize("name", GOLD)
def test_right_answers_are_right(name, folder):
    needs_math_verify(name)
    player = Boxes(GOLD[name])
    solved = benchmarks.run(name, player, folder(name), n=2)
    assert [attempt.right for attempt in solved.attempts] == [True] * 6, [(a.boxed, a.answer) for a in solved.attempts]
    assert {attempt.family for attempt in solved.attempts} == {name}
    assert {attempt.pattern for attempt in solved.attempts} == {"expected_value"}
    message = player.prompts[0].message
    assert message.startswith("Question: ")
    assert message.endswith("\nPlease reason step by step, and put your final answer within \\boxed{}.")


@pytest.mark.parametrize("name", GOLD)
def test_wrong_answers_are_wrong(name, folder):
    needs_math_verify(name)
    shifted = GOLD[name][1:] + GOLD[name][:1]
    assert not any(attempt.right for attempt in benchmarks.run(name, Boxes(shifted), folder(name), n=1).attempts)
    empty = benchmarks.run(name, Boxes([""] * 3), folder(name), n=1)
    assert empty.mean().mean == 0.0


def test_gpqa_draws_the_order_by_the_question(folder):
    path = folder("gpqa_diamond")
    asked = load("gpqa_diamond", path)
    assert asked == load("gpqa_diamond", path)
    assert len({problem.answer for problem in asked}) > 2
    for problem in asked:
        assert f"\n{problem.answer}. electron" in problem.question
        assert all(f"{name}. " in problem.question for name in "ABCD")
    found = benchmarks.run("gpqa_diamond", Boxes([problem.answer for problem in asked]), path)
    assert found.mean().mean == 1.0


def test_what_questions_share_comes_first(folder):
    needs_math_verify("olympiad")
    asked = load("olympiad", folder("olympiad"))
    assert asked[0].question == "Let $x$ be real.\nSolve $x^2 = 4$."
    assert asked[1].question == "Solve $x^2 = 9$."
    assert asked[0].answer == "2,-2"


def test_choices_have_letters(folder):
    (first, *_) = load("mmlu_pro", folder("mmlu_pro"), limit=1)
    assert first.question.splitlines()[:3] == ["What is 1 + 1?", "A. 0", "B. 1"]
    assert "J. 9" in first.question
    assert first.answer == "C"
    assert _ == []


@pytest.mark.parametrize(
    ("box", "meant"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("B.", "B"),
        ("B)", "B"),
        (r"\text{B}", "B"),
        (r"\textbf{(B)}", "B"),
        (r"$B$", "B"),
        ("B. 12 m/s", "B"),
        (r"\text{B) electron}", "B"),
        ("Because", None),
        ("A and B", None),
        ("K", None),
        ("12", None),
        ("", None),
    ],
)
def test_letters(box, meant):
    assert letter(box) == meant
    assert is_letter(Problem("mmlu_pro", "", "B", {}), box) == (meant == "B")
    assert not is_letter(Problem("mmlu_pro", "", "B", {}), None)


@pytest.mark.parametrize(
    ("answer", "box", "right"),
    [
        (r"\frac{1}{2}", "0.5", True),
        (r"\frac{1}{2}", r"\frac{2}{4}", True),
        ("3\\sqrt{2}", r"\sqrt{18}", True),
        ("$[0, 1)$", "[0,1)", True),
        ("x^2+2x+1", "(x+1)^2", True),
        ("025", "25", True),
        ("27.0", "27", True),
        ("12", "21", False),
        (r"\frac{1}{2}", r"\frac{1}{3}", False),
        ("(3, 4)", "(4, 3)", False),
        ("5", "five or so", False),
        ("5", r"\frac{", False),
    ],
)
def test_equal_as_mathematics(answer, box, right):
    pytest.importorskip("math_verify", reason="math-verify is an optional extra and not installed")
    assert is_equal(Problem("math500", "", answer, {}), box) == right
    assert not any(is_equal(Problem("math500", "", answer, {}), empty) for empty in (None, "", " "))


def test_equal_in_a_thread():
    pytest.importorskip("math_verify", reason="math-verify is an optional extra and not installed")
    found = []
    thread = threading.Thread(target=lambda: found.append(is_equal(Problem("aime25", "", "9", {}), "9")))
    thread.start()
    thread.join()
    assert found == [True]


@pytest.mark.parametrize("backend", ["engine", "transformers"])
def test_a_real_model_end_to_end(nano, backend, folder):
    from spiral_lite.rollout import backends

    path = folder("gpqa_diamond")
    solved = benchmarks.run(
        "gpqa_diamond", backends.make(backend, *nano), path, n=2, limit=3, sampling=Sampling(0.6, 0.95, 24)
    )
    assert len(solved.attempts) == 6
    assert all(0 < attempt.tokens <= 24 for attempt in solved.attempts)
    assert 0 <= solved.accuracy("gpqa_diamond").mean <= 1


def test_command_line(capsys, folder):
    line = f"solve --benchmark mmlu_pro --data {folder('mmlu_pro')} --max-new-tokens 16 --problems 2 --json"
    assert main(line.split()) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["problems"], list(result["families"])) == (2, ["mmlu_pro"])


def test_a_folder_may_declare_the_configurations_of_the_hub(folder):
    path = folder("gpqa_diamond")
    (path / "README.md").write_text(
        "---\nconfigs:\n- config_name: gpqa_diamond\n  data_files: gpqa_diamond.csv\n"
        "- config_name: gpqa_main\n  data_files: other.csv\n---\n"
    )
    (path / "other.csv").write_text("Question\nnone of ours\n")
    assert len(load("gpqa_diamond", path)) == 12


def test_errors_teach(folder, tmp_path):
    with pytest.raises(ValueError, match=r"unknown benchmark 'gsm8k'; known: math500, .*mmlu_pro"):
        load("gsm8k")
    with pytest.raises(ValueError, match="limit=0"):
        load("mmlu_pro", folder("mmlu_pro"), limit=0)
    with pytest.raises(ValueError, match=r"no folder at .*nowhere"):
        load("mmlu_pro", tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "test.jsonl").write_text('{"question": "?", "answer": "A"}\n')
    with pytest.raises(ValueError, match=r"lacks options, answer_index and has question, answer"):
        load("mmlu_pro", tmp_path / "other")
    with pytest.raises(ValueError, match="without a network, give a folder with its rows: --data FOLDER"):
        load("mmlu_pro")  # tests are offline


def test_math_verify_that_is_missing(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "math_verify", None)
    with pytest.raises(ImportError, match=r'pip install "spiral-lite\[benchmarks\]"'):
        load("aime25", folder("aime25"))
    assert load("mmlu_pro", folder("mmlu_pro"))
