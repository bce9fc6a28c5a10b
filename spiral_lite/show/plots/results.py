"""Figures of experiments, from the JSON of data/results/ alone: every seed, and a mean over seeds with its interval.

A record is what `spiral-lite experiment NAME` writes; `measure` functions pick a number from one of its runs, or from
one point of the path of a run. Read `base.py` before this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiral_lite.evaluation.intervals import mean_interval
from spiral_lite.show.plots.base import BLUE, GREEN, GREY, ORANGE, PURPLE, SIZE, finish, label_ends, style, whole_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D"), (GREY, (0, (6, 1)), "v"))
PATTERNS = ("case_by_case", "expected_value", "pattern_recognition", "careless")
BASE = "base"  # the arm that is not trained: its mean is drawn through the other arms

Record = Mapping[str, Any]
Measure = Callable[[Any], float]


def arms(record: Record, measures: Mapping[str, Measure], path: str | Path | None = None) -> Figure:
    """One panel for each of `measures` (title: run -> number), one row for each arm: a dot for each seed, the mean over
    seeds and its 95 % interval. A dashed line goes through the mean of the base model, if it is an arm."""
    import matplotlib.pyplot as plt

    names = [arm["name"] for arm in record["arms"]]
    with style():
        size = (SIZE[0] * 0.35 + 2.6 * len(measures), 1.2 + 0.42 * len(names))
        figure, grid = plt.subplots(1, len(measures), figsize=size, sharey=True, squeeze=False, layout="constrained")
        said = [
            _draw_arms(panel, record, names, title, measure)
            for panel, (title, measure) in zip(grid.flat, measures.items(), strict=True)
        ]
        grid[0, 0].set_yticks(range(len(names)), names)
        grid[0, 0].set_ylim(len(names) - 0.5, -0.5)
        return finish(figure, " ".join(said), path)


def _draw_arms(axes: Axes, record: Record, names: Sequence[str], title: str, measure: Measure) -> str:
    """One panel; what it shows in words."""
    said = []
    for row, name in enumerate(names):
        values = [measure(run) for run in record["runs"] if run["arm"] == name]
        found = mean_interval(values)
        colour = GREY if name == BASE else BLUE
        axes.plot(values, [row + 0.22] * len(values), ".", color=ORANGE, markersize=6, zorder=2)
        if len(values) > 1:
            axes.plot(found.ci95, (row, row), color=colour, linewidth=2.5, solid_capstyle="butt", zorder=2)
        axes.plot(found.mean, row, "o", color=colour, markersize=8, zorder=3)
        if name == BASE:
            axes.axvline(found.mean, color=GREY, linestyle=(0, (4, 3)), linewidth=1.3, zorder=1)
        ends = f" ({found.low:.2f} to {found.high:.2f})" if len(values) > 1 else ""
        said.append(f"{name} {found.mean:.2f}{ends}")
    axes.set_title(title, loc="left", fontsize=12)
    return f"{title}: {', '.join(said)}."


def paths(
    record: Record,
    measure: Measure,
    label: str,
    path: str | Path | None = None,
    arms: Sequence[str] | None = None,
    level: tuple[float, str] | None = None,
) -> Figure:
    """A measure along training: every seed thin, the mean over seeds thick with its 95 % band, a line style an arm.

    `measure`: point of a path -> number; `arms`: by default all that have a path; `level`: (y, what it means).
    """
    import matplotlib.pyplot as plt

    shown = [name for name in arms or [arm["name"] for arm in record["arms"]] if _curves(record, name, measure)]
    with style():
        figure, axes = plt.subplots(figsize=(SIZE[0] * 1.15, SIZE[1] * 1.1), layout="constrained")
        labels, said = [], []
        if level:
            axes.axhline(level[0], color=GREY, linewidth=1.3, zorder=1)
            labels.append((level[1], level[0], GREY))
        for name, (colour, line, marker) in zip(shown, LINES, strict=False):
            steps, middles = _draw_curves(axes, _curves(record, name, measure), colour, line, marker)
            labels.append((name, middles[-1], colour))
            said.append(f"{name}: {middles[0]:.2f} at step {steps[0]}, {middles[-1]:.2f} at step {steps[-1]}.")
        axes.set_xlabel("Training step")
        axes.set_ylabel(label)
        whole_steps(axes)
        label_ends(axes, labels)
        return finish(figure, f"{label}, mean over seeds. {' '.join(said)}", path)


def patterns(
    record: Record,
    used: Callable[[Any], Mapping[str, Any]],
    how_well: tuple[str, str, float],
    path: str | Path | None = None,
    arms: Sequence[str] | None = None,
) -> Figure:
    """Which patterns replies use along training (above), and how well each does (below); a column an arm.

    `used`: point of a path -> its patterns; `how_well`: (key of a pattern's row, label, scale), e.g. ("right",
    "Right (%)", 100.0). Means over seeds with 95 % bands.
    """
    import matplotlib.pyplot as plt

    rows = (("share", "Share of replies (%)", 100.0), how_well)
    names = [name for name in arms or [arm["name"] for arm in record["arms"]] if _points(record, name)]
    with style():
        size = (2.2 + 2.5 * len(names), 6.0)
        figure, grid = plt.subplots(
            2, len(names), figsize=size, sharex="col", sharey="row", squeeze=False, layout="constrained"
        )
        said = []
        for column, name in enumerate(names):
            for row, (key, label, scale) in enumerate(rows):
                panel = grid[row, column]
                ends = []
                for pattern, (colour, line, marker) in zip(PATTERNS, LINES, strict=False):
                    curves = _curves(record, name, partial(_of_pattern, used, pattern, key, scale))
                    if curves:
                        _, middles = _draw_curves(panel, curves, colour, line, marker, thin=False)
                        ends.append((pattern.replace("_", "\n", 1).replace("_", " "), middles[-1], colour))
                        said.append(f"{name}, {pattern}, {label}: {middles[0]:.0f} to {middles[-1]:.0f}.")
                if scale == 100.0:
                    panel.set_ylim(-3, 103)
                if column == 0:
                    panel.set_ylabel(label)
                if column == len(names) - 1:
                    label_ends(panel, ends)
            grid[0, column].set_title(name.replace("_", " "), loc="left", fontsize=12)
            grid[1, column].set_xlabel("Training step")
            whole_steps(grid[1, column])
        return finish(figure, "Patterns along training, means over seeds. " + " ".join(said), path)


def sharpness(record: Record, arms: Sequence[str], group: str = "corpus", path: str | Path | None = None) -> Figure:
    """Problems right by the entropy of the replies: the base model at several temperatures (a line), trained arms (by
    name), means over seeds with 95 % intervals. Is a trained model better than the base model sampled sharper?"""
    import matplotlib.pyplot as plt

    with style():
        figure, axes = plt.subplots(figsize=(SIZE[0] * 1.2, SIZE[1] * 1.15), layout="constrained")
        said = []
        base = [run for run in record["runs"] if run["arm"] == BASE]
        curve = []
        for place, at in enumerate(base[0]["sharpness"]):
            rows = [run["sharpness"][place][group] for run in base]
            curve.append(_cross(axes, rows, GREY, "s"))
            said.append(f"base at temperature {at['temperature']:g}: {curve[-1][0]:.3f} nats, {curve[-1][1]:.0f} %.")
        axes.plot(*zip(*curve, strict=True), color=GREY, linewidth=1.3, zorder=1)
        for place, beside, side in ((0, (-10, 10), "left"), (len(curve) - 1, (-62, -16), "right")):
            text = f"base, temperature {base[0]['sharpness'][place]['temperature']:g}"
            axes.annotate(text, curve[place], beside, textcoords="offset points", color=GREY, fontsize=12, ha=side)
        for name in arms:
            x, y = _cross(axes, [run[group] for run in record["runs"] if run["arm"] == name], BLUE, "o")
            axes.annotate(name, (x, y), (8, 6), textcoords="offset points", color=BLUE, fontsize=12)
            said.append(f"{name}: {x:.3f} nats, {y:.0f} %.")
        axes.set_xlabel("Entropy of replies (nats a token)")
        axes.set_ylabel("Problems right (%)")
        return finish(figure, "Problems right by entropy. " + " ".join(said), path)


def _cross(axes: Axes, rows: Sequence[Mapping[str, float]], colour: str, marker: str) -> tuple[float, float]:
    """A point with both intervals over seeds; its place."""
    x = mean_interval([row["entropy"] for row in rows])
    y = mean_interval([100 * row["right"] for row in rows])
    if len(rows) > 1:
        axes.plot((x.mean, x.mean), y.ci95, color=colour, linewidth=1.5)
        axes.plot(x.ci95, (y.mean, y.mean), color=colour, linewidth=1.5)
    axes.plot(x.mean, y.mean, marker, color=colour, markersize=7)
    return x.mean, y.mean


def _of_pattern(
    used: Callable[[Any], Mapping[str, Any]], pattern: str, key: str, scale: float, at: Any
) -> float | None:
    """None where the pattern was not used, but for its share, which is 0 then."""
    row = used(at).get(pattern)
    value = row[key] if row else (0.0 if key == "share" else None)
    return None if value is None else scale * value


def _points(record: Record, arm: str) -> list[Any]:
    """The paths of an arm, one a seed."""
    return [run["path"] for run in record["runs"] if run["arm"] == arm and run.get("path")]


def _curves(record: Record, arm: str, measure: Callable[[Any], float | None]) -> dict[int, list[float]]:
    """{step: a number of each seed that has one there}."""
    found: dict[int, list[float]] = {}
    for path in _points(record, arm):
        for at in path:
            value = measure(at)
            if value is not None:
                found.setdefault(at["step"], []).append(value)
    return dict(sorted(found.items()))


def _draw_curves(
    axes: Axes, curves: Mapping[int, Sequence[float]], colour: str, line: Any, marker: str, thin: bool = True
) -> tuple[list[int], list[float]]:
    """The mean over seeds with its band, and every seed thin; returns steps and means."""
    steps = list(curves)
    found = [mean_interval(values) for values in curves.values()]
    middles = [one.mean for one in found]
    seeds = min(map(len, curves.values()))
    if thin and seeds == max(map(len, curves.values())):
        for seed in range(seeds):
            axes.plot(steps, [values[seed] for values in curves.values()], color=colour, linewidth=0.6, alpha=0.5)
    if seeds > 1:
        axes.fill_between(
            steps, [one.low for one in found], [one.high for one in found], color=colour, alpha=0.15, linewidth=0
        )
    axes.plot(steps, middles, color=colour, linestyle=line, marker=marker, markersize=6)
    return steps, middles
