"""The README's picture: what training on one game does for problems and for the game, with rivals and controls.

Drawn from `main.json` and `controls.json` of data/results/ alone: python -m spiral_lite.experiments.picture
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spiral_lite.experiments.run import RESULTS
from spiral_lite.show import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = RESULTS / "picture.png"
ROWS = {  # file, arm -> what the picture calls it
    ("main", "base"): "base",
    ("main", "self-play"): "self-play",
    ("main", "against perfect"): "perfect opponent",
    ("main", "against random"): "random opponent",
    ("main", "imitation"): "imitating experts",
    ("controls", "format_only"): "paid for format only",
    ("controls", "random"): "paid at random",
    ("controls", "length"): "paid for length",
}
MEASURES = {
    "Problems right (%)": lambda row: 100 * row["corpus"]["right"],
    "Tic-tac-toe (return)": lambda row: row["games"]["tic_tac_toe"]["return"],
}


def draw() -> Figure:
    """The figure, with its text."""
    records = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in ("main", "controls")}
    runs: list[dict[str, Any]] = []
    for (name, arm), called in ROWS.items():
        runs += [{**row, "arm": called} for row in records[name]["runs"] if row["arm"] == arm]
    return plots.arms({"arms": [{"name": called} for called in ROWS.values()], "runs": runs}, MEASURES)


def main() -> None:
    figure = draw()
    plots.finish(figure, plots.alt_text(figure), FILE)
    print(f"![{plots.alt_text(figure)}](data/results/{FILE.name})")


if __name__ == "__main__":
    main()
