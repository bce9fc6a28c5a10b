"""What the tests of pages share: a player that attacks the reader, and a check that its text has stayed text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from spiral_lite import games, players
from spiral_lite.players import Prompt, Reply
from spiral_lite.rollout import Episode, play, write_jsonl

ATTACK = '<script>alert("1")</script></pre><img src=x onerror=alert(1)> **bold** $\\frac{1}{2}$ \x1b[31mred\x9b'
TAGS = {
    "br",
    "code",
    "details",
    "div",
    "em",
    "h3",
    "h4",
    "img",
    "li",
    "p",
    "pre",
    "section",
    "span",
    "strong",
    "summary",
}
TAGS |= {"table", "tbody", "td", "th", "thead", "tr", "ul"}


class Attacker:
    """Writes mark-up of every kind, and then the first legal move, or none."""

    name = "<b>evil</b> $x$"

    def __init__(self, valid: bool) -> None:
        self.valid = valid

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        moves = [p.state.legal_actions()[0] if self.valid else "<img src=x onerror=alert(1)>$" for p in prompts]
        return [Reply(f"{ATTACK}\n\\boxed{{{move}}}") for move in moves]


class Reader(HTMLParser):
    """Collects the tags, what stands in <pre> or <code>, and what stands elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.depth, self.literal, self.elsewhere = 0, "", ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}
        self.depth += tag in ("pre", "code")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in ("pre", "code")

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.literal += data
        else:
            self.elsewhere += data


@pytest.fixture
def attacker() -> Callable[[bool], Attacker]:
    return Attacker


@pytest.fixture
def check_page() -> Callable[[str], str]:
    """Asserts that a page is made of our tags alone, and that no model text is where formulas are set. Returns the
    text in <pre> and <code>."""

    def check(page: str) -> str:
        reader = Reader()
        reader.feed(page)
        assert set(reader.tags) <= TAGS, set(reader.tags) - TAGS
        assert reader.attributes <= {"alt", "aria-label", "class", "role", "src", "style"}
        assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)', page))
        for mark in ("evil", "script", "onerror", "$", "**"):
            assert mark not in reader.elsewhere
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)
        assert reader.depth == 0
        return reader.literal

    return check


@pytest.fixture
def attacked(attacker: Callable[[bool], Attacker]) -> Callable[[bool], Episode]:
    """A game of tic-tac-toe in which player 1 attacks, and plays validly or not."""

    def build(valid: bool) -> Episode:
        return play(games.make("tic_tac_toe"), (players.random_player(), attacker(valid)), 1, 1)[0]

    return build


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was displayed, instead of showing it."""
    import IPython.display

    things: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", things.append)
    return things


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A training run's folder, as it is when the training was killed in the middle of a line."""
    run = tmp_path / "run"
    (run / "games").mkdir(parents=True)
    row = '{{"step": {}, "seconds": 1.5, "kuhn_poker/role0/return": -0.5, "kuhn_poker/role0/baseline": -0.1, \
"kuhn_poker/role1/return": 0.5, "kuhn_poker/role1/baseline": 0.1, "invalid_rate": 0.02, "reply_tokens": {}, \
"entropy": 0.4}}\n'
    (run / "metrics.jsonl").write_text("".join(row.format(step, 20 + step) for step in (1, 2, 3)) + '{"step": 4, "kuh')
    seats = (players.random_player(), players.random_player())
    for step in range(4):
        episodes = play(games.make("kuhn_poker"), seats, 3, step, policy_version=step)
        write_jsonl(episodes, run / "games" / f"step_{step:05d}.jsonl")
    last = run / "games" / "step_00003.jsonl"
    last.write_text(last.read_text()[:-40])
    return run
