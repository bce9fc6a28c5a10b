"""Figures of a training run: NashConv, matches, curves; and of the engine's speed. Read `base.py` before this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spiral_lite.show.plots.base import (
    BLUE,
    GREY,
    ORANGE,
    SIZE,
    Result,
    band,
    figure_of,
    finish,
    get,
    in_words,
    label_ends,
    style,
    whole_steps,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNIFORM_KUHN = 11 / 12  # NashConv of the random player in one-round Kuhn poker
MEASURES = {"mean_return": "Mean return (points a game)", "win_rate": "Share of games won"}

Row = Mapping[str, float]


def nash_conv_curve(
    steps: Sequence[int],
    results: Sequence[Result],
    average: Sequence[Result] | None = None,
    uniform: float = UNIFORM_KUHN,
    path: str | Path | None = None,
) -> Figure:
    """NashConv by training step with 95 % bands: of the policy at each step and, where given, of the average of all
    policies so far."""
    with style():
        figure, axes = figure_of("Self-play step", "NashConv (points a game)")
        shown = [("policy of\nthis step", results, BLUE, "o", "-")]
        if average is not None:
            shown.append(("average of\nall so far", average, ORANGE, "s", "--"))
        labels = [("random\nplay", uniform, GREY), ("equilibrium", 0.0, GREY)]
        for name, values, colour, marker, line in shown:
            band(axes, steps, values, "nash_conv", colour, marker, line)
            labels.append((name, float(get(values[-1], "nash_conv")), colour))
        axes.axhline(uniform, color=GREY, linestyle=(0, (5, 3)), linewidth=1.5, zorder=1)
        axes.axhline(0, color=GREY, linewidth=1.5, zorder=1)
        tops = [get(value, "ci95")[1] for _, values, _, _, _ in shown for value in values]
        axes.set_ylim(-0.03 * max(uniform, *tops), 1.06 * max(uniform, *tops))
        label_ends(axes, labels)
        text = f"NashConv by self-play step; random play is at {uniform:.2f} and an equilibrium at 0. " + " ".join(
            f"The {' '.join(name.split())} goes from {in_words(values[0], 'nash_conv')} at step {steps[0]} to "
            f"{in_words(values[-1], 'nash_conv')} at step {steps[-1]}."
            for name, values, *_ in shown
        )
        return finish(figure, text, path)


def matches(
    before: Sequence[Result],
    after: Sequence[Result],
    opponents: Sequence[str],
    measure: str = "mean_return",
    path: str | Path | None = None,
) -> Figure:
    """Matches against each opponent before and after training, with 95 % intervals. `measure`: a key of MEASURES."""
    if measure not in MEASURES:
        raise ValueError(f"measure={measure!r} is unknown; known: {', '.join(MEASURES)}")
    if not len(before) == len(after) == len(opponents):
        raise ValueError(
            f"{len(before)} results before and {len(after)} after for {len(opponents)} opponents: give one of each"
        )
    interval = "ci95" if measure == "mean_return" else "win_rate_ci95"
    with style():
        figure, axes = figure_of("", MEASURES[measure])
        labels = []
        for name, results, shift, colour, marker, fill in (
            ("before", before, -0.1, ORANGE, "o", "white"),
            ("after", after, 0.1, BLUE, "s", BLUE),
        ):
            for x, result in enumerate(results):
                middle, (low, high) = get(result, measure), get(result, interval)
                axes.errorbar(
                    x + shift,
                    middle,
                    [[middle - low], [high - middle]],
                    color=colour,
                    marker=marker,
                    markerfacecolor=fill,
                    markersize=9,
                    markeredgewidth=2,
                    capsize=5,
                )
            labels.append((name, float(get(results[-1], measure)), colour))
        level = 0 if measure == "mean_return" else 0.5
        axes.hlines(level, -0.5, len(opponents) - 0.85, color=GREY, linewidth=1.5, zorder=1)  # up to the labels
        if measure == "win_rate":
            axes.set_ylim(-0.03, 1.03)
        axes.set_xticks(range(len(opponents)), [f"against\n{opponent}" for opponent in opponents])
        axes.set_xlim(-0.5, len(opponents) - 0.5)
        label_ends(axes, labels, x=(len(opponents) - 0.3) / len(opponents))
        text = f"{MEASURES[measure]} with 95 % intervals, before and after training. " + " ".join(
            f"Against {opponent}: {in_words(one, measure, interval)} before, {in_words(two, measure, interval)} after."
            for opponent, one, two in zip(opponents, before, after, strict=True)
        )
        return finish(figure, text, path)


def training_curves(
    rows: Sequence[Row], path: str | Path | None = None, nash_conv: Sequence[tuple[int, Result]] = ()
) -> Figure:
    """Small multiples of a run's metrics: for each game the return of both roles (points) with their baselines (thin),
    `nash_conv` of (step, result), and where they are logged invalid and unreasoned replies, length and entropy."""
    if not rows:
        raise ValueError("no rows: train at least one step, then pass the rows of its metrics.jsonl")
    import matplotlib.pyplot as plt

    games = sorted({key.split("/")[0] for key in rows[-1] if key.endswith("/return")})
    plain = [
        ("invalid_rate", "Invalid replies (%)", 100.0),
        ("no_reasoning_rate", "Replies without reasoning (%)", 100.0),
        ("reply_tokens", "Reply length (tokens)", 1.0),
        ("entropy", "Entropy (nats a token)", 1.0),
    ]
    plain = [panel for panel in plain if _series(rows, panel[0])[0]]
    count = len(games) + len(plain) + bool(nash_conv)
    with style():
        high = (count + 1) // 2
        figure, grid = plt.subplots(
            high, 2, figsize=(SIZE[0] * 1.25, 2.7 * high), sharex=True, squeeze=False, layout="constrained"
        )
        panels = list(grid.flat)
        said = [_draw_returns(panel, rows, game) for panel, game in zip(panels, games, strict=False)]
        if nash_conv:
            said.append(_draw_nash_conv(panels[len(games)], nash_conv))
        for panel, (key, title, scale) in zip(panels[count - len(plain) :], plain, strict=False):
            steps, values = _series(rows, key)
            panel.plot(steps, [scale * value for value in values], color=BLUE, marker=_dot(steps))
            panel.set_title(title, loc="left", fontsize=13)
            panel.set_ylim(bottom=0)
            said.append(f"{title}: from {scale * values[0]:.2g} to {scale * values[-1]:.2g}.")
        for panel in panels[count:]:
            panel.set_visible(False)
        for panel in panels[max(0, count - 2) : count]:
            panel.set_xlabel("Self-play step")
            panel.tick_params(labelbottom=True)
        whole_steps(panels[0])
        steps = [row["step"] for row in rows]
        return finish(figure, f"Training from step {steps[0]:g} to {steps[-1]:g}. {' '.join(said)}", path)


def _draw_nash_conv(axes: Axes, points: Sequence[tuple[int, Result]]) -> str:
    """One panel: NashConv with 95 % bands; what it shows in words."""
    steps, results = zip(*points, strict=True)
    band(axes, steps, results, "nash_conv", BLUE, "o", "-")
    axes.set_title("NashConv (points a game)", loc="left", fontsize=13)
    axes.set_ylim(bottom=0)
    return f"NashConv: from {in_words(results[0], 'nash_conv')} to {in_words(results[-1], 'nash_conv')}."


def _draw_returns(axes: Axes, rows: Sequence[Row], game: str) -> str:
    """One panel: the returns of both roles; what it shows in words."""
    labels, said = [], []
    for role, colour, line in ((0, BLUE, "-"), (1, ORANGE, "--")):
        steps, values = _series(rows, f"{game}/role{role}/return")
        if not values:
            continue
        axes.plot(steps, values, color=colour, linestyle=line, marker=_dot(steps), alpha=0.9)
        places, baselines = _series(rows, f"{game}/role{role}/baseline")
        axes.plot(places, baselines, color=colour, linewidth=1.1, linestyle=line)
        labels.append((f"player {role}", values[-1], colour))
        said.append(f"{game} player {role}: mean return from {values[0]:.2f} to {values[-1]:.2f}.")
    axes.axhline(0, color=GREY, linewidth=1, zorder=1)
    axes.set_title(f"{game.replace('_', ' ').capitalize()}: return", loc="left", fontsize=13)
    label_ends(axes, labels)
    return " ".join(said)


def scaling_curve(points: Sequence[Row], path: str | Path | None = None) -> Figure:
    """Speed (logarithmic axes) and memory (linear ones) of the engine by games in flight. points: `games_in_flight`,
    `tokens_per_second` and `memory_increase` (bytes) of each, as `bench/scaling.py` measures them."""
    if not points:
        raise ValueError("no points: measure some, e.g. spiral-lite bench rollout --scaling --points 1 8 64")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    games = [int(point["games_in_flight"]) for point in points]
    speeds = [float(point["tokens_per_second"]) for point in points]
    memory = [point["memory_increase"] / 2**20 for point in points]
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(SIZE[0] * 1.5, SIZE[1]), layout="constrained")
        left.plot(games, speeds, color=BLUE, marker="o")
        left.set_xscale("log", base=2)
        left.set_xticks(games[::-3][::-1], [str(n) for n in games[::-3][::-1]])
        left.set_yscale("log")
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        left.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        left.yaxis.set_minor_formatter(NullFormatter())
        left.set_title("Tokens a second", loc="left", fontsize=13)
        right.plot(games, memory, color=ORANGE, marker="s")
        right.set_ylim(bottom=0)
        right.set_title("Memory increase (MiB)", loc="left", fontsize=13)
        whole_steps(right)
        for axes in (left, right):
            axes.set_xlabel("Games in flight")
        text = (
            f"From {games[0]} to {games[-1]} games in flight: from {speeds[0]:,.0f} to {speeds[-1]:,.0f} tokens a "
            f"second, logarithmic axes; memory increase from {memory[0]:,.0f} to {memory[-1]:,.0f} MiB, linear axes."
        )
        return finish(figure, text, path)


def _series(rows: Sequence[Row], key: str) -> tuple[list[float], list[float]]:
    """(steps, values) of the rows that have the key."""
    kept = [row for row in rows if row.get(key) is not None]  # TRL logs None for a mean of nothing
    return [row["step"] for row in kept], [row[key] for row in kept]


def _dot(steps: Sequence[float]) -> str:
    """The marker of a line: a single point would not be seen without."""
    return "o" if len(steps) == 1 else ""
