"""Figures in one style: of training runs (`training.py`) and of experiments (`results.py`); `base.py` has the style."""

from spiral_lite.show.plots.base import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SIZE,
    WIDTH,
    alt_text,
    finish,
    html_image,
    image,
    label_ends,
    style,
)
from spiral_lite.show.plots.results import arms, paths, patterns, sharpness
from spiral_lite.show.plots.training import MEASURES, matches, nash_conv_curve, scaling_curve, training_curves

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "MEASURES",
    "ORANGE",
    "PURPLE",
    "SIZE",
    "WIDTH",
    "alt_text",
    "arms",
    "finish",
    "html_image",
    "image",
    "label_ends",
    "matches",
    "nash_conv_curve",
    "paths",
    "patterns",
    "scaling_curve",
    "sharpness",
    "style",
    "training_curves",
]
