"""Turn the pages of a logged game by hand: buttons and a slider over `replay.moment`.

    Replay("runs/a")                              # every game that a training run has logged
    Replay("runs/a/games/step_00012.jsonl")       # the games of one log
    Replay(episode)                               # one game, or a list of them

The last line of a cell shows it. Without a front end it prints the storyboard of the first game.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spiral_lite.rollout import Episode
from spiral_lite.show import replay
from spiral_lite.show.front_end import someone_is_there

Source = Episode | Sequence[Episode] | str | Path


class Replay:
    """The games of `source`. `headless`: print instead of showing a widget; None: find out."""

    def __init__(self, source: Source, headless: bool | None = None) -> None:
        self._headless = headless
        self.logs: list[Path] = []
        if isinstance(source, str | Path):
            self.logs = _logs(Path(source))
            self.episodes = replay.read_log(self.logs[-1])
        else:
            self.episodes = [source] if isinstance(source, Episode) else list(source)
        if not self.episodes:
            raise ValueError("no finished game to replay; give an Episode, or a log with a complete line")
        self._box: Any = None

    def widget(self) -> Any:
        """The widget: which log, which game, which moment, and the page."""
        if self._box is None:
            import ipywidgets

            wide = {"layout": ipywidgets.Layout(width="auto", max_width="30em"), "style": {"description_width": "6em"}}
            logs = [(log.stem.replace("_", " "), i) for i, log in enumerate(self.logs)]
            self.log = ipywidgets.Dropdown(options=logs, value=len(logs) - 1 if logs else None, description="Log")
            self.game = ipywidgets.Dropdown(options=self._menu(), description="Game", **wide)
            self.slider = ipywidgets.IntSlider(min=1, max=1, value=1, description="Moment", **wide)
            self.page = ipywidgets.HTML()
            steps = {"First": -(10**6), "Back": -1, "Next": 1, "Last": 10**6}
            self.buttons = {name: ipywidgets.Button(description=name) for name in steps}
            for name, button in self.buttons.items():
                button.on_click(lambda _, by=steps[name]: self._turn(by))
            self.log.observe(lambda change: self._open(change["new"]), "value")
            self.game.observe(lambda _: self._begin(), "value")
            self.slider.observe(lambda _: self._draw(), "value")
            self._begin()
            choice = [self.log, self.game] if len(self.logs) > 1 else [self.game]
            rows = [*choice, self.slider, ipywidgets.HBox(list(self.buttons.values())), self.page]
            self._box = ipywidgets.VBox(rows)
        return self._box

    def _open(self, number: int) -> None:
        """Another log, and its first game."""
        self.episodes = replay.read_log(self.logs[number])
        self.game.options = self._menu()
        if self.game.index is None and self.episodes:  # after a log without a game nothing is chosen
            self.game.index = 0

    def _menu(self) -> list[tuple[str, int]]:
        return [(f"{i + 1}: {_brief(episode)}", i) for i, episode in enumerate(self.episodes)]

    def _begin(self) -> None:
        """The first moment of the chosen game."""
        self.slider.value = 1
        if self.game.value is not None:
            self.slider.max = len(list(replay.moments(self.episodes[self.game.value])))
        self._draw()

    def _turn(self, by: int) -> None:
        self.slider.value = min(max(self.slider.value + by, 1), self.slider.max)

    def _draw(self) -> None:
        number = self.game.value
        nothing = "<p>No finished game in this log.</p>"
        self.page.value = nothing if number is None else replay.moment(self.episodes[number], self.slider.value - 1)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if not someone_is_there() if self._headless is None else self._headless:
            print(replay.storyboard(self.episodes[0]))
        else:
            display(self.widget())


def _logs(path: Path) -> list[Path]:
    """The log, or all logs of a training run, oldest first. Raises ValueError if there is none."""
    logs = sorted((path / "games").glob("*.jsonl")) if path.is_dir() else [path]
    if not logs or not logs[0].exists():
        example = "runs/a/games/step_00000.jsonl"
        raise ValueError(f"no games in {str(path)!r}; give a log such as {example}, or the folder of a training run")
    return logs


def _brief(episode: Episode) -> str:
    first, second = map(replay.signed, episode.returns)
    how = "" if episode.ended == "rules" else f", {episode.ended.replace('_', ' ')}"
    return f"{episode.game}, {first} / {second}{how}"
