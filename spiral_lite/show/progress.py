"""Progress that a person can see: one line a self-play step in the terminal, one table row in the dashboard."""

from __future__ import annotations

import html
from collections.abc import Sequence

Row = dict[str, float]


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
