"""What the repeats say: medians and ratios with their spread, kept in data/results/performance.json (of a laptop; of a
GPU beside it), shown as a table.

The file maps a section's name ("rollout smol bfloat16") to the section: what was run (`settings`, `command`), where
(`machine`, `versions`, `date`), every repeat (`runs`), and `comparisons`, one for each row of the table. A ratio is
of one repeat of ours and the same repeat of the peer's, above 1 where we are faster; its spread is over the repeats.
"""

from __future__ import annotations

import datetime
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results" / "performance.json"
USUAL_IN_FLIGHT = 64  # games at a time; a measurement of another number has a name of its own
ON_H100 = RESULTS.with_name("performance_h100.json")

Result = dict[str, Any]


def section(kind: str, settings: dict[str, Any], command: str, crew: Any, runs: Result, **more: Any) -> Result:
    """A section, from the crew that measured it. more: further results, and `comparisons`."""
    ours = crew.ours[0]
    versions = dict(crew.versions.get(ours, {}))
    for name, found in crew.versions.items():
        for library, found_version in found.items():
            if versions.setdefault(library, found_version) != found_version:
                versions[f"{library} of {name}"] = found_version
    return {
        "kind": kind,
        "settings": settings,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": crew.ask(ours, "machine.describe"),
        "versions": versions,
        "missing": crew.missing,
        **more,
        "runs": runs,
    }


def name(section: Result) -> str:
    """Under which the section stands in the file: its kind, model and precision, and how many games at a time."""
    settings = section["settings"]
    parts = [section["kind"], *(Path(settings[key]).name for key in ("model", "dtype") if key in settings)]
    if (in_flight := settings.get("in_flight", USUAL_IN_FLIGHT)) != USUAL_IN_FLIGHT:
        parts.append(f"{in_flight} in flight")
    return " ".join(parts)


def spread(values: Sequence[float]) -> dict[str, float]:
    """{"median", "lowest", "highest"}."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def compare(what: str, unit: str, ours: Sequence[float], peer: str, theirs: Sequence[float]) -> Result:
    """A row of the table: rates (more is better) of the same repeats, ours and a peer's."""
    return {
        "what": what,
        "unit": unit,
        "peer": peer,
        "ours": spread(ours),
        "theirs": spread(theirs),
        "ratio": spread([mine / other for mine, other in zip(ours, theirs, strict=True)]),
        "repeats": len(ours),
    }


def rates(rows: Sequence[Result], key: str) -> list[float]:
    """One number of each repeat."""
    return [float(row[key]) for row in rows]


def save(section: Result, file: Path) -> None:
    """Puts the section into the file, in the place of an older one of that name."""
    record = json.loads(file.read_text()) if file.exists() else {}
    record[name(section)] = section
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f"{file.name}.part")
    aside.write_text(json.dumps(dict(sorted(record.items())), indent=1, allow_nan=False) + "\n")
    aside.replace(file)


def table(record: dict[str, Result]) -> str:
    """All comparisons of a file as a Markdown table: median rates, and the median ratio with its lowest and highest."""
    lines = ["| what | ours | peer | ratio (lowest to highest) |", "|---" * 4 + "|"]
    for part in record.values():
        lines += [_cells(row) for row in part["comparisons"]]
        lines += [f"| {name(part)} | | {peer}: {why} | |" for peer, why in part["missing"].items()]
    return "\n".join(lines)


def _cells(row: Result) -> str:
    ours, theirs = (number(row[side]["median"]) for side in ("ours", "theirs"))
    ratio = row["ratio"]
    ratios = f"{ratio['median']:.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})"
    return f"| {row['what']} | {ours} {row['unit']} | {row['peer']}: {theirs} | {ratios} |"


def number(value: float) -> str:
    """Three significant digits.

    >>> number(0.01234), number(37.71), number(999.7), number(12345)
    ('0.0123', '37.7', '1,000', '12,300')
    """
    value = float(f"{value:.3g}")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"


def summary(section: Result) -> Result:
    """What the command prints: a line for each comparison, what is missing, and what else the section measured."""
    lines = {"section": name(section)}
    for row in section["comparisons"]:
        ours, theirs, ratio = (row[key] for key in ("ours", "theirs", "ratio"))
        lines[f"{row['what']}, against {row['peer']}"] = (
            f"{number(ours['median'])} and {number(theirs['median'])} {row['unit']}, ratio {ratio['median']:.2f} "
            f"({ratio['lowest']:.2f} to {ratio['highest']:.2f} in {row['repeats']} repeats)"
        )
    shown = {key: section[key] for key in ("limits", "gradient", "tokens", "turns") if key in section}
    points = {f"{point['games_in_flight']} in flight": point for point in section.get("points", [])}
    return {**lines, **shown, **points, **section["missing"], "command": section["command"]}
