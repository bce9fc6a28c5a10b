"""Progress that a person can see: one line or table row a self-play step, in the terminal and in a notebook.

Pure renderers (`line`, `table`) and a thin shell each: `print_progress`, and `LiveTable`, which redraws one HTML table.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

Row = dict[str, float]
LAST_ROWS = 11  # of a live table, under the first
PRINTED = 4  # steps a printed line, where there is no front end


def columns(row: Row) -> list[tuple[str, str]]:
    """(heading, text) of each figure of a metrics row, in reading order."""
    shown = [("step", f"{row['step']:.0f}")]
    for key in sorted(row):
        if key.endswith("/return"):
            game, role, _ = key.split("/")
            baseline = row.get(f"{game}/{role}/baseline")
            text = f"{row[key]:+.2f}" + (f" ({baseline:+.2f})" if baseline is not None else "")
            shown.append((f"{game} {role} return (baseline)", text))
    for key, heading, form in (
        ("invalid_rate", "invalid", "{:.1%}"),
        ("reply_tokens", "tokens/reply", "{:.1f}"),
        ("entropy", "entropy", "{:.2f}"),
        ("grad_norm", "grad norm", "{:.3f}"),
        ("tokens_per_second", "tokens/s", "{:.0f}"),
        ("seconds", "seconds", "{:.0f}"),
    ):
        if key in row:
            shown.append((heading, form.format(row[key])))
    return shown


def line(row: Row) -> str:
    """The row as one line of text."""
    return "  ".join(text if heading == "step" else f"{heading} {text}" for heading, text in columns(row))


def table(rows: Sequence[Row]) -> str:
    """The rows as an HTML table."""
    if not rows:
        return "<p>No step is finished yet.</p>"
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading, _ in columns(rows[-1]))
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for _, text in columns(row)) + "</tr>" for row in rows
    )
    style = "border-collapse:separate;border-spacing:1em 0"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def print_progress(row: Row) -> None:
    """Prints the row, at once."""
    print(line(row), flush=True)


class LiveTable:
    """Called with each row; shows the first and the latest rows as one table of the running notebook cell. Headless,
    where nobody sees a table change, it prints a line every few steps instead."""

    def __init__(self, headless: bool = False) -> None:
        self.rows: list[Row] = []
        self.headless = headless
        self._handle: Any = None

    def __call__(self, row: Row) -> None:
        from IPython.display import HTML, display

        self.rows.append(row)
        if self.headless:
            if len(self.rows) % PRINTED == 1:
                print_progress(row)
            return
        page = HTML(table([*self.rows[:1], *self.rows[1:][-LAST_ROWS:]]))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)
