"""The figures render without a screen, say what they show in words, and need no pyplot state afterwards."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from spiral_lite import games, players
from spiral_lite.evaluation.matches import match
from spiral_lite.show import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

STEPS = [0, 10, 20, 30, 40]


def result(value: float, half: float = 0.06) -> dict[str, Any]:
    return {"nash_conv": value, "ci95": [max(0.0, value - half), value + half]}


LAST = [result(value) for value in (0.95, 0.7, 0.38, 0.45, 0.24)]
AVERAGE = [result(value, 0.04) for value in (0.95, 0.8, 0.55, 0.36, 0.21)]
ROWS = [
    {
        "step": step,
        "kuhn_poker/role0/return": -0.3 * math.exp(-step / 10) - 0.05,
        "kuhn_poker/role1/return": 0.3 * math.exp(-step / 10) + 0.05,
        "kuhn_poker/role0/baseline": -0.2,
        "kuhn_poker/role1/baseline": 0.2,
        "invalid_rate": 0.03,
        "reply_tokens": 24 + step / 10,
        "entropy": 0.3,
    }
    for step in range(1, 40)
]


def matches() -> tuple[list[Any], list[Any]]:
    game, names = games.make("kuhn_poker"), ["random", "equilibrium"]
    before = [match(game, players.make("random"), players.make(name), 200, 1) for name in names]
    after = [match(game, players.make("equilibrium"), players.make(name), 200, 1) for name in names]
    return before, after


def is_drawn(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


@pytest.mark.parametrize("average", [None, AVERAGE])
def test_nash_conv_curve(tmp_path: Path, average: list[Any] | None) -> None:
    figure = plots.nash_conv_curve(STEPS, LAST, average=average, path=tmp_path / "deep" / "curve.png")
    assert is_drawn(tmp_path / "deep" / "curve.png")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "Self-play step"
    assert "points" in axes.get_ylabel()
    assert "from 0.95 (0.89 to 1.01) at step 0 to 0.24 (0.18 to 0.30) at step 40" in plots.alt_text(figure)
    assert ("average" in plots.alt_text(figure)) == (average is not None)


def test_labels_do_not_touch() -> None:
    """Even where three lines end at the same place."""
    ending = [*LAST[:-1], result(0.02)]
    figure = plots.nash_conv_curve(STEPS, ending, average=ending)
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 4
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


@pytest.mark.parametrize("measure", list(plots.MEASURES))
def test_matches_take_records_and_their_json(tmp_path: Path, measure: str) -> None:
    before, after = matches()
    one = plots.matches(before, after, ["random", "equilibrium"], measure, tmp_path / "rates.png")
    two = plots.matches([m.to_dict() for m in before], [m.to_dict() for m in after], ["random", "equilibrium"], measure)
    assert is_drawn(tmp_path / "rates.png")
    assert plots.alt_text(one) == plots.alt_text(two)
    assert "Against equilibrium:" in plots.alt_text(one)


def test_matches_refuse_what_does_not_fit() -> None:
    before, after = matches()
    with pytest.raises(ValueError, match="2 results before and 1 after for 2 opponents"):
        plots.matches(before, after[:1], ["random", "equilibrium"])
    with pytest.raises(ValueError, match="known: mean_return, win_rate"):
        plots.matches(before, after, ["random", "equilibrium"], measure="elo")


def test_training_curves(tmp_path: Path) -> None:
    figure = plots.training_curves(ROWS, tmp_path / "training.png")
    assert is_drawn(tmp_path / "training.png")
    assert len(figure.axes) == 4
    assert "kuhn_poker player 0: mean return from -0.32 to -0.06" in plots.alt_text(figure)
    two_games = [row | {"tic_tac_toe/role0/return": 0.1, "tic_tac_toe/role1/return": -0.1} for row in ROWS]
    assert len([axes for axes in plots.training_curves(two_games).axes if axes.get_visible()]) == 5
    assert len(plots.training_curves(ROWS[:1]).axes) == 4, "one step is enough"
    with pytest.raises(ValueError, match="no rows"):
        plots.training_curves([])


def test_scaling_curve(tmp_path: Path) -> None:
    points = [
        {"games_in_flight": n, "tokens_per_second": 100.0 * n / (1 + n / 40), "memory_increase": (30 + n) << 20}
        for n in (1, 2, 4, 8, 16, 32, 64)
    ]
    figure = plots.scaling_curve(points, tmp_path / "scaling.png")
    assert is_drawn(tmp_path / "scaling.png")
    assert [axes.get_xlabel() for axes in figure.axes] == ["Games in flight"] * 2
    assert "from 98 to 2,462 tokens a second" in plots.alt_text(figure)
    assert "memory increase from 31 to 94 MiB" in plots.alt_text(figure)
    assert plots.scaling_curve(points[:1]).axes
    with pytest.raises(ValueError, match="no points"):
        plots.scaling_curve([])


def test_nothing_stays_open_and_the_settings_are_put_back() -> None:
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    plots.nash_conv_curve(STEPS, LAST)
    plots.training_curves(ROWS)
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before
