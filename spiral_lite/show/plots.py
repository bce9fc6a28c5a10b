"""Figures of a run, in one style: data in, a matplotlib Figure out, with a text that says the same in words.

Colours are Okabe and Ito's, which colour-blind people can tell apart; markers and line styles differ too, so that a
figure survives grey print, and lines are labelled where they end. Results may be records or the dictionaries of their
JSON. Needs `pip install "spiral-lite[course]"`; matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

import base64
import contextlib
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#595959"
SIZE = (6.0, 3.6)  # inches
WIDTH = 640  # pixels, in a notebook
UNIFORM_KUHN = 11 / 12  # NashConv of the random player in one-round Kuhn poker
MEASURES = {"mean_return": "Mean return (points a game)", "win_rate": "Share of games won"}
RC: dict[Any, Any] = {
    "font.size": 13,  # still readable when the figure is shown at half its width
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}

Result = Any  # a record such as ExploitabilityResult or MatchResult, or the dictionary of its JSON
Row = Mapping[str, float]


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The settings of all figures, for a `with` block of your own plots."""
    import matplotlib

    with matplotlib.rc_context(RC):
        yield


def alt_text(figure: Figure) -> str:
    """What the figure shows, in words."""
    return str(getattr(figure, "spiral_alt", ""))


def image(figure: Figure) -> Any:
    """The figure as a notebook shows it: a PNG with its alternative text."""
    from IPython.display import Image

    return Image(_png(figure), alt=alt_text(figure), width=WIDTH)


def html_image(figure: Figure) -> str:
    """The same as HTML, for a page that holds more than the figure."""
    data = base64.b64encode(_png(figure)).decode()
    alt = html.escape(alt_text(figure))
    return f'<img alt="{alt}" style="width:{WIDTH}px;max-width:100%" src="data:image/png;base64,{data}">'


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=130)
    return data.getvalue()


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
        figure, axes = _figure("Self-play step", "NashConv (points a game)")
        shown = [("policy of\nthis step", results, BLUE, "o", "-")]
        if average is not None:
            shown.append(("average of\nall so far", average, ORANGE, "s", "--"))
        labels = [("random\nplay", uniform, GREY), ("equilibrium", 0.0, GREY)]
        for name, values, colour, marker, line in shown:
            _band(axes, steps, values, "nash_conv", colour, marker, line)
            labels.append((name, float(_get(values[-1], "nash_conv")), colour))
        axes.axhline(uniform, color=GREY, linestyle=(0, (5, 3)), linewidth=1.5, zorder=1)
        axes.axhline(0, color=GREY, linewidth=1.5, zorder=1)
        tops = [_get(value, "ci95")[1] for _, values, _, _, _ in shown for value in values]
        axes.set_ylim(-0.03 * max(uniform, *tops), 1.06 * max(uniform, *tops))
        _label_ends(axes, labels)
        text = f"NashConv by self-play step; random play is at {uniform:.2f} and an equilibrium at 0. " + " ".join(
            f"The {' '.join(name.split())} goes from {_said(values[0], 'nash_conv')} at step {steps[0]} to "
            f"{_said(values[-1], 'nash_conv')} at step {steps[-1]}."
            for name, values, *_ in shown
        )
        return _finish(figure, text, path)


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
        figure, axes = _figure("", MEASURES[measure])
        labels = []
        for name, results, shift, colour, marker, fill in (
            ("before", before, -0.1, ORANGE, "o", "white"),
            ("after", after, 0.1, BLUE, "s", BLUE),
        ):
            for x, result in enumerate(results):
                middle, (low, high) = _get(result, measure), _get(result, interval)
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
            labels.append((name, float(_get(results[-1], measure)), colour))
        axes.axhline(0 if measure == "mean_return" else 0.5, color=GREY, linewidth=1.5, zorder=1)
        if measure == "win_rate":
            axes.set_ylim(-0.03, 1.03)
        axes.set_xticks(range(len(opponents)), [f"against\n{opponent}" for opponent in opponents])
        axes.set_xlim(-0.5, len(opponents) - 0.5)
        _label_ends(axes, labels, x=(len(opponents) - 0.3) / len(opponents))
        text = f"{MEASURES[measure]} with 95 % intervals, before and after training. " + " ".join(
            f"Against {opponent}: {_said(one, measure, interval)} before, {_said(two, measure, interval)} after."
            for opponent, one, two in zip(opponents, before, after, strict=True)
        )
        return _finish(figure, text, path)


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
        _whole_steps(panels[0])
        steps = [row["step"] for row in rows]
        return _finish(figure, f"Training from step {steps[0]:g} to {steps[-1]:g}. {' '.join(said)}", path)


def _draw_nash_conv(axes: Axes, points: Sequence[tuple[int, Result]]) -> str:
    """One panel: NashConv with 95 % bands; what it shows in words."""
    steps, results = zip(*points, strict=True)
    _band(axes, steps, results, "nash_conv", BLUE, "o", "-")
    axes.set_title("NashConv (points a game)", loc="left", fontsize=13)
    axes.set_ylim(bottom=0)
    return f"NashConv: from {_said(results[0], 'nash_conv')} to {_said(results[-1], 'nash_conv')}."


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
    _label_ends(axes, labels)
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
        _whole_steps(right)
        for axes in (left, right):
            axes.set_xlabel("Games in flight")
        text = (
            f"From {games[0]} to {games[-1]} games in flight: from {speeds[0]:,.0f} to {speeds[-1]:,.0f} tokens a "
            f"second, logarithmic axes; memory increase from {memory[0]:,.0f} to {memory[-1]:,.0f} MiB, linear axes."
        )
        return _finish(figure, text, path)


def _series(rows: Sequence[Row], key: str) -> tuple[list[float], list[float]]:
    """(steps, values) of the rows that have the key."""
    kept = [row for row in rows if row.get(key) is not None]  # TRL logs None for a mean of nothing
    return [row["step"] for row in kept], [row[key] for row in kept]


def _dot(steps: Sequence[float]) -> str:
    """The marker of a line: a single point would not be seen without."""
    return "o" if len(steps) == 1 else ""


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if x:
        _whole_steps(axes)
    return figure, axes


def _whole_steps(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _band(
    axes: Axes, steps: Sequence[int], results: Sequence[Result], key: str, colour: str, marker: str, line: str
) -> None:
    """A line with markers and the 95 % band around it."""
    lows, highs = zip(*(_get(result, "ci95") for result in results), strict=True)
    axes.fill_between(steps, lows, highs, color=colour, alpha=0.18, linewidth=0)
    axes.plot(steps, [_get(result, key) for result in results], color=colour, marker=marker, linestyle=line)


def _label_ends(axes: Axes, labels: Sequence[tuple[str, float, str]], x: float = 1.02) -> None:
    """Writes (text, y, colour) at `x` of the width, at its y or as near as the texts do not touch."""
    bottom, top = axes.get_ylim()
    per_line = (top - bottom) * 0.078 * SIZE[1] / (axes.figure.get_figheight() / axes.get_gridspec().nrows)  # type: ignore[union-attr]
    ordered = sorted(labels, key=lambda label: label[1])
    heights = [per_line * (text.count("\n") + 1) * 1.08 for text, _, _ in ordered]
    places = [y for _, y, _ in ordered]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + (heights[i - 1] + heights[i]) / 2)
    for (text, _, colour), y in zip(ordered, places, strict=True):
        axes.text(
            x, y, text, color=colour, va="center", transform=axes.get_yaxis_transform(), linespacing=0.95, clip_on=False
        )


def _finish(figure: Figure, text: str, path: str | Path | None) -> Figure:
    """Attaches the alt text, saves, and closes: the caller shows the figure, once."""
    import matplotlib.pyplot as plt

    figure.spiral_alt = text  # type: ignore[attr-defined]
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Description": text} if str(path).endswith(".png") else None)
    plt.close(figure)
    return figure


def _get(result: Result, key: str) -> Any:
    return result[key] if isinstance(result, Mapping) else getattr(result, key)


def _said(result: Result, key: str, interval: str = "ci95") -> str:
    low, high = _get(result, interval)
    return f"{_get(result, key):.2f} ({low:.2f} to {high:.2f})"
