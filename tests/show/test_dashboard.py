"""The dashboard of a real short run has every panel; it changes, follows, keeps still when nobody looks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from spiral_lite import games
from spiral_lite.rollout import read_jsonl
from spiral_lite.show import dashboard, plots
from spiral_lite.show.dashboard import Dashboard, page

ROW = {"step": 3.0}
POINTS = [(0, {"nash_conv": 0.9, "ci95": [0.8, 1.0]}), (2, {"nash_conv": 0.7, "ci95": [0.6, 0.8]})]


@pytest.fixture
def at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn too early."""
    monkeypatch.setattr(dashboard, "PAUSE", 0.0)
    monkeypatch.setattr(dashboard, "SHARE", 1.0)


@pytest.fixture
def in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the words of the figure in its place, which are made much faster."""
    monkeypatch.setattr(plots, "html_image", plots.alt_text)


@pytest.mark.slow
@pytest.mark.usefixtures("at_any_time")
def test_a_real_run_shows_every_panel(nano: Any, tmp_path: Path, shown: list[Any]) -> None:
    from spiral_lite.evaluation.exploitability import exploitability
    from spiral_lite.trainer import Every, SelfPlayTrainer, nano_config

    """Two games; the log of a step has some of both."""
    kuhn, points, pages = games.make("kuhn_poker"), [], []
    board = Dashboard(tmp_path, points, headless=False)

    def measure(step: int) -> None:
        points.append((step, exploitability(trainer.policy(), kuhn, samples=4, seed=step)))

    def listen(row: dict[str, float]) -> None:
        board(row)
        pages.append(board.page.value)

    model, tokenizer = nano
    config = nano_config(tmp_path, steps=2, turns_per_step=32, use_cpu=True)
    trainer = SelfPlayTrainer(
        model, [kuhn, games.make("nim")], config, tokenizer, callbacks=[Every(2, measure)], on_metrics=listen
    )
    trainer.train()
    assert shown == [board.widget()], "shown once, at the first step"
    assert [row["step"] for row in board.rows] == [1, 2]
    for said in ("kuhn_poker player 0: mean return", "kuhn_poker player 1: mean return", "NashConv: from"):
        assert said in pages[-1]
    for said in (
        "Invalid replies (%)",
        "Replies without reasoning (%)",
        "Reply length (tokens)",
        "Entropy (nats a token)",
    ):
        assert f"{said}: from" in pages[-1]
    assert "return (baseline)" in pages[-1]
    logged = read_jsonl(tmp_path / "games" / "step_00001.jsonl")
    assert len(logged) == 8
    assert {episode.game for episode in logged} == {"kuhn_poker", "nim"}
    assert "A game of the policy after step 0" in pages[0]
    assert "A game of the policy after step 1" in pages[1]


def test_the_page_grows_with_what_there_is(run_folder: Path, check_page: Any) -> None:
    board = Dashboard(run_folder)
    assert "No step is finished yet" in page([])
    plain = page(board.rows)
    assert "NashConv" not in plain
    assert "A game of" not in plain
    whole = page(board.rows, POINTS, board.sample_game())
    check_page(whole)
    assert "NashConv: from 0.90 (0.80 to 1.00) to 0.70 (0.60 to 0.80)." in whole
    assert 'alt="Training from step 1 to 3. kuhn_poker player 0: mean return from -0.50 to -0.50.' in whole


def test_an_attack_is_text(run_folder: Path, attacked: Any, check_page: Any) -> None:
    literal = check_page(page(Dashboard(run_folder).rows, POINTS, attacked(False)))
    assert '<script>alert("1")</script></pre>' in literal


def test_a_run_that_was_cut_in_a_line_is_shown_up_to_there(run_folder: Path) -> None:
    board = Dashboard.open(run_folder)
    assert [row["step"] for row in board.rows] == [1, 2, 3]
    assert board.sample_game() == read_first(run_folder, 3)
    (run_folder / "games" / "step_00004.jsonl").write_text('{"game": "kuhn')
    assert board.sample_game() == read_first(run_folder, 3), "of the latest log with a whole game"


def read_first(run: Path, step: int) -> Any:
    whole = [
        line for line in (run / "games" / f"step_{step:05d}.jsonl").read_text().splitlines(True) if line[-1] == "\n"
    ]
    (run / "whole.jsonl").write_text("".join(whole))
    return read_jsonl(run / "whole.jsonl")[0]


@pytest.mark.usefixtures("in_words")
def test_the_buttons(run_folder: Path) -> None:
    board = Dashboard(run_folder, headless=False)
    board.widget()
    first = board.page.value
    board.next_game.click()
    second = board.page.value
    assert first != second
    board.next_game.click()
    assert board.page.value == first, "two games are whole"
    (run_folder / "metrics.jsonl").write_text('{"step": 9, "seconds": 1, "kuhn_poker/role0/return": 0.25}\n')
    assert board.page.value == first
    board.again.click()
    assert "Training from step 9 to 9" in board.page.value


def test_follow_reads_again_and_again_until_it_is_let_go(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PAUSE", 0.0)
    monkeypatch.setattr(dashboard, "SHARE", 1.0)
    board = Dashboard(run_folder, headless=False)
    board.widget()
    reads: list[int] = []

    async def scene() -> None:
        monkeypatch.setattr(board, "refresh", lambda: reads.append(1))
        board.follow.value = True
        while len(reads) < 3:
            await asyncio.sleep(0)
        board.follow.value = False
        await asyncio.sleep(0)
        count = len(reads)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(reads) == count

    asyncio.run(scene())


@pytest.mark.usefixtures("in_words")
def test_drawing_is_throttled_and_the_last_step_is_drawn_when_the_cell_ends(
    run_folder: Path, shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(dashboard.time, "monotonic", lambda: now[0])
    board = Dashboard(run_folder, headless=False)
    drawn: list[float] = []

    async def cell() -> None:
        board(ROW)
        board.widget()
        refresh = board.refresh
        monkeypatch.setattr(board, "refresh", lambda: (drawn.append(now[0]), refresh()))
        for second in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
            now[0] = 100 + second
            board(ROW)
        assert drawn == [102.0]
        await asyncio.sleep(0)  # the cell has ended
        assert drawn == [102.0, 103.0]
        await asyncio.sleep(0)
        assert len(drawn) == 2

    asyncio.run(cell())
    assert shown == [board.widget()]


def test_drawing_takes_a_tenth_of_the_time_at_most(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(dashboard.time, "monotonic", lambda: now[0])
    board = Dashboard(run_folder, headless=False)

    def slow(*_: Any) -> str:
        now[0] += 3
        return ""

    monkeypatch.setattr(dashboard, "page", slow)
    board.widget()
    assert board._due == 103 + 27


def test_a_script_without_an_event_loop_may_listen_too(run_folder: Path, shown: list[Any]) -> None:
    board = Dashboard(run_folder, headless=False)
    board.widget()
    board(ROW)
    assert shown == []


def test_what_cannot_be_read_never_stops_the_training(run_folder: Path) -> None:
    board = Dashboard(run_folder, headless=False)
    board.widget()
    (run_folder / "metrics.jsonl").write_text("<b>rubbish</b>\n")
    board.refresh()
    assert "Cannot show" in board.page.value
    assert "<b>" not in board.page.value


def test_headless_it_is_silent_while_it_trains_and_static_in_the_end(
    run_folder: Path, shown: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    board = Dashboard(run_folder, POINTS)
    for _ in range(50):
        board(ROW)
    assert (capsys.readouterr().out, shown) == ("", [])
    board._ipython_display_()
    (image,) = shown
    assert image.data.startswith(b"\x89PNG")
    assert image.alt == plots.alt_text(plots.training_curves(board.rows, nash_conv=POINTS))
    printed = capsys.readouterr().out
    assert printed.startswith("A game of the policy after step 3\nkuhn_poker, player 0: random")
    assert "\nTurn 1, player 0 (random)\n" in printed


def test_headless_without_a_step_it_says_so(tmp_path: Path, shown: list[Any], capsys: Any) -> None:
    Dashboard(tmp_path)._ipython_display_()
    assert capsys.readouterr().out == "No step is finished yet.\n"


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give the folder of a training run"):
        Dashboard.open(tmp_path)
