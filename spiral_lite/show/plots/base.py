"""One style for all figures: data in, a matplotlib Figure out, with a text that says the same in words.

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
    """In at most 256 colours, as many as a plot needs: a third of the size, and a notebook holds a dozen."""
    from PIL import Image

    drawn, data = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=130)
    Image.open(drawn).convert("RGB").quantize(256).save(data, format="png", optimize=True)
    return data.getvalue()


def figure_of(x: str, y: str) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; `x` counts steps, if it is not empty."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if x:
        whole_steps(axes)
    return figure, axes


def whole_steps(axes: Axes) -> None:
    """A few ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def band(
    axes: Axes, steps: Sequence[int], results: Sequence[Result], key: str, colour: str, marker: str, line: str
) -> None:
    """A line with markers and the 95 % band around it."""
    lows, highs = zip(*(get(result, "ci95") for result in results), strict=True)
    axes.fill_between(steps, lows, highs, color=colour, alpha=0.18, linewidth=0)
    axes.plot(steps, [get(result, key) for result in results], color=colour, marker=marker, linestyle=line)


def label_ends(axes: Axes, labels: Sequence[tuple[str, float, str]], x: float = 1.02) -> None:
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


def finish(figure: Figure, text: str, path: str | Path | None) -> Figure:
    """Attaches the alt text, saves, and closes: the caller shows the figure, once."""
    import matplotlib.pyplot as plt

    figure.spiral_alt = text  # type: ignore[attr-defined]
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Description": text} if str(path).endswith(".png") else None)
    plt.close(figure)
    return figure


def get(result: Result, key: str) -> Any:
    """A value of a record or of its JSON."""
    return result[key] if isinstance(result, Mapping) else getattr(result, key)


def in_words(result: Result, key: str, interval: str = "ci95") -> str:
    """For the text: the value, and its interval in brackets."""
    low, high = get(result, interval)
    return f"{get(result, key):.2f} ({low:.2f} to {high:.2f})"
