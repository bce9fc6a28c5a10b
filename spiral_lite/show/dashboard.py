"""A training run while it goes on: what to look at, curves, the latest numbers, and a sample game that changes.

`page` is pure: metrics rows, NashConv points and an episode in, HTML out. `Dashboard` is a shell around it that reads
the run's folder, so a run that trains in this notebook, in another process, or that ended last week looks the same.

    board = Dashboard("runs/a")                       # in a notebook: the last line of a cell shows it
    SelfPlayTrainer(..., on_metrics=board).train()    # shows itself at the first step, and follows
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spiral_lite.collapse import explain
from spiral_lite.metrics import METRICS_FILE, read_metrics
from spiral_lite.rollout import Episode
from spiral_lite.show import plots, progress, replay
from spiral_lite.show.front_end import someone_is_there

PAUSE = 2.0  # seconds between two drawings, at least
SHARE = 0.1  # of the time may be spent on drawing
LATEST = 3  # rows of the table under the first
Points = Sequence[tuple[int, Any]]  # (step, ExploitabilityResult or the dictionary of its JSON)
NOTHING_YET = "No step is finished yet."


def page(rows: Sequence[Mapping[str, float]], points: Points = (), episode: Episode | None = None) -> str:
    """The whole dashboard as HTML, in two columns that become one on a narrow screen."""
    if not rows:
        return f"<p>{NOTHING_YET}</p>"
    findings = "".join(f"<li>{html.escape(str(finding))}</li>" for finding in explain(rows))
    figure = plots.html_image(plots.training_curves(rows, nash_conv=points))
    columns = f'<section style="flex:2 1 30em;min-width:0">{figure}</section>'
    if episode is not None:
        title = f"<h3>A game of the policy after step {episode.policy_version}</h3>"
        columns += f'<section style="flex:1 1 20em;min-width:0">{title}{replay.page(episode)}</section>'
    table = progress.table([dict(row) for row in (*rows[:1], *rows[1:][-LATEST:])])
    return (
        '<div style="contain:inline-size">'  # as wide as the notebook, however wide the table is
        + (f"<ul>{findings}</ul>" if findings else "")
        + f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">{columns}</div>'
        + f'<div style="overflow-x:auto">{table}</div></div>'
    )


class Dashboard:
    """The run in folder `run`. `points`: (step, NashConv result), as far as somebody measures them; the list may grow.

    Called with a metrics row it draws itself anew, but not more often than PAUSE and SHARE allow, and never stops a
    training that it cannot draw. Where nobody looks (`headless`; None: find out) it stays silent until it is
    displayed, and then shows one figure and one storyboard.
    """

    def __init__(self, run: str | Path, points: Points = (), headless: bool | None = None) -> None:
        self.run, self.points, self._headless = Path(run), points, headless
        self._game = 0  # which of the latest logged games is shown
        self._due = 0.0  # when it may be drawn again
        self._pending: asyncio.Handle | None = None
        self._following: asyncio.Task[None] | None = None
        self._box: Any = None

    @classmethod
    def open(cls, run: str | Path, points: Points = (), headless: bool | None = None) -> Dashboard:
        """The dashboard of a run that exists. Raises ValueError if the folder holds none."""
        if not (Path(run) / METRICS_FILE).exists():
            raise ValueError(f"no {METRICS_FILE} in {str(run)!r}; give the folder of a training run, e.g. runs/a")
        return cls(run, points, headless)

    @property
    def headless(self) -> bool:
        """Whether to show something static instead of a widget."""
        return not someone_is_there() if self._headless is None else self._headless

    @property
    def rows(self) -> list[dict[str, float]]:
        """The metrics of all steps so far."""
        return read_metrics(self.run)

    def sample_game(self) -> Episode | None:
        """One of the games that the latest step logged, if there are any."""
        for log in sorted((self.run / "games").glob("*.jsonl"), reverse=True):
            episodes = replay.read_log(log)
            if episodes:
                return episodes[self._game % len(episodes)]
        return None

    def __call__(self, row: dict[str, float]) -> None:
        """The trainer's listener; the row stands in the folder already."""
        if self.headless:
            return
        if self._box is None:
            from IPython.display import display

            display(self.widget())
        elif time.monotonic() >= self._due:
            self._game += 1
            self.refresh()
        elif self._pending is None:
            with contextlib.suppress(RuntimeError):  # no event loop: not in a notebook
                loop = asyncio.get_running_loop()  # waits until the cell ends: the last steps are drawn then
                self._pending = loop.call_soon(self.refresh)

    def refresh(self) -> None:
        """Reads the folder and draws."""
        began = time.monotonic()
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        try:
            self.page.value = page(self.rows, self.points, self.sample_game())
        except (OSError, ValueError) as error:  # a file that cannot be read must not stop the training
            self.page.value = f"<pre>{html.escape(f'Cannot show {self.run}: {error}')}</pre>"
        took = time.monotonic() - began
        self._due = time.monotonic() + max(PAUSE, took * (1 / SHARE - 1))

    def widget(self) -> Any:
        """The widget, drawn: the page under its buttons."""
        if self._box is None:
            import ipywidgets

            self.page = ipywidgets.HTML()
            self.again = ipywidgets.Button(description="Read again", tooltip="Read the run's files again")
            self.follow = ipywidgets.ToggleButton(description="Follow", tooltip="Read again every few seconds")
            self.next_game = ipywidgets.Button(description="Another game", tooltip="Of the same step")
            self.again.on_click(lambda _: self.refresh())
            self.follow.observe(self._follow, "value")
            self.next_game.on_click(lambda _: self._another_game())
            self._box = ipywidgets.VBox([ipywidgets.HBox([self.again, self.follow, self.next_game]), self.page])
        self.refresh()
        return self._box

    def _another_game(self) -> None:
        self._game += 1
        self.refresh()

    def _follow(self, change: dict[str, Any]) -> None:
        if self._following is not None:
            self._following.cancel()
        self._following = asyncio.get_running_loop().create_task(self._keep_reading()) if change["new"] else None

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(max(PAUSE, self._due - time.monotonic()))
            self.refresh()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if not self.headless:
            display(self.widget())
            return
        rows, episode = self.rows, self.sample_game()
        if not rows:
            print(NOTHING_YET)
            return
        display(plots.image(plots.training_curves(rows, nash_conv=self.points)))
        if episode is not None:
            print(f"A game of the policy after step {episode.policy_version}")
            print(replay.storyboard(episode))
