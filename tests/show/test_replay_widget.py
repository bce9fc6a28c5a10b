"""Each control of the replay does what it says; without a front end the first game is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spiral_lite.rollout import Episode, read_jsonl
from spiral_lite.show.replay import moments, storyboard
from spiral_lite.show.replay_widget import Replay


def test_the_buttons_and_the_slider_turn_the_pages(attacked: Any) -> None:
    episode = attacked(True)
    view = Replay(episode)
    view.widget()
    last = len(list(moments(episode)))

    def at() -> int:
        assert f"Moment {view.slider.value} of {last}" in view.page.value
        return int(view.slider.value)

    seen = [at()]
    for name in ("Back", "Next", "Next", "Back", "Last", "Next", "Back", "First"):
        view.buttons[name].click()
        seen.append(at())
    assert seen == [1, 1, 2, 3, 2, last, last, last - 1, 1]
    view.slider.value = 3
    assert at() == 3


def test_every_moment_of_an_attack_is_text(attacked: Any, check_page: Any) -> None:
    for valid in (True, False):
        episode = attacked(valid)
        view = Replay(episode)
        view.widget()
        literal = ""
        for number in range(1, view.slider.max + 1):
            view.slider.value = number
            literal += check_page(view.page.value)
        assert (
            '<script>alert("1")</script></pre><img src=x onerror=alert(1)> **bold** $\\frac{1}{2}$ ␛[31mred�' in literal
        )
        assert "<b>evil</b> $x$" in literal
    assert "invalid: " in literal


def test_a_run_has_a_menu_of_logs_and_of_games(run_folder: Path) -> None:
    view = Replay(str(run_folder))
    box = view.widget()
    assert view.log in box.children
    assert view.log.label == "step 00003"
    assert len(view.game.options) == 2, "the third game is cut off"
    view.log.value = 0
    first = read_jsonl(run_folder / "games" / "step_00000.jsonl")
    assert len(view.game.options) == 3
    assert view.episodes == first
    view.game.value = 2
    view.buttons["Last"].click()
    assert f"Returns: player 0 {first[2].returns[0]:+g}" in view.page.value
    (run_folder / "games" / "step_00001.jsonl").write_text("")
    view.log.value = 1
    assert "No finished game" in view.page.value
    view.log.value = 0
    view.game.value = 1
    assert view.slider.value == 1
    assert "Moment 1 of " in view.page.value


def test_a_single_log_and_a_list_need_no_menu_of_logs(run_folder: Path) -> None:
    log = run_folder / "games" / "step_00001.jsonl"
    for source in (log, read_jsonl(log)):
        view = Replay(source)
        box = view.widget()
        assert view.log not in box.children
        assert [label.split(":")[0] for label, _ in view.game.options] == ["1", "2", "3"]


def test_headless_it_prints_the_first_game(
    run_folder: Path, shown: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log = run_folder / "games" / "step_00001.jsonl"
    Replay(log)._ipython_display_()
    assert capsys.readouterr().out.strip() == storyboard(read_jsonl(log)[0])
    assert shown == []


def test_with_a_front_end_it_is_a_widget(attacked: Any, shown: list[Any]) -> None:
    view = Replay(attacked(True), headless=False)
    view._ipython_display_()
    assert shown == [view.widget()]


def test_nothing_to_replay_is_refused(tmp_path: Path, attacked: Any) -> None:
    with pytest.raises(ValueError, match="give a log such as runs/a/games/step_00000"):
        Replay(tmp_path)
    with pytest.raises(ValueError, match="no games in"):
        Replay(tmp_path / "none.jsonl")
    (tmp_path / "cut.jsonl").write_text(attacked(True).to_json()[:100])
    with pytest.raises(ValueError, match="no finished game"):
        Replay(tmp_path / "cut.jsonl")


def test_a_game_of_a_pupil_that_is_not_registered_says_so(attacked: Any) -> None:
    data = json.loads(attacked(True).to_json()) | {"game": "my_game"}
    with pytest.raises(ValueError, match="unknown game 'my_game'"):
        Replay(Episode.from_json(json.dumps(data))).widget()
