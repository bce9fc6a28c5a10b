"""The command `spiral-lite bench`: its options, and what it prints. Defaults are those of each Settings."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from spiral_lite.bench import contention, decode, games, report, rollout, scaling, train

EXAMPLES = {
    "bench": (
        "rollout --model nano",
        "rollout --model smol --dtype bfloat16 --games 64 --peer transformers vllm",
        "train --model smol --turns 128 --batch-sizes 8 32",
        "games",
        "rollout --quick      # seconds: does it work?",
    ),
    "bench rollout": (
        "--model nano --games 256 --json",
        "--model smol-warm --dtype bfloat16 --peer transformers vllm",
        "--decode --model smol --dtype bfloat16 --batches 1 8 32",
        "--scaling --figure runs/scaling.png",
        "--contention",
    ),
    "bench train": ("--model nano --batch-sizes 128", "--model smol --turns 32 --batch-sizes 8 32"),
    "bench games": ("--peer textarena", "--games tic_tac_toe --seconds 5"),
}
UNNAMED = ("--json", "--out", "--figure")  # where a result goes decides no figure
Run = Callable[[Any, str], dict[str, Any]]


@dataclass(frozen=True)
class Measurement:
    """What one command line measures."""

    settings: type
    run: Run


ROLLOUT = {
    "": Measurement(rollout.Settings, rollout.run),
    "decode": Measurement(decode.Settings, decode.run),
    "scaling": Measurement(scaling.Settings, scaling.run),
    "contention": Measurement(contention.Settings, contention.run),
}
TRAIN, GAMES = Measurement(train.Settings, train.run), Measurement(games.Settings, games.run)


def add_bench(commands: Any) -> None:
    """Adds `bench` to the command line."""
    about = "Measure speeds, ours and our peers', on the same work in turn."
    bench = _parser(commands, "bench", about)
    kinds = bench.add_subparsers(dest="kind", required=True, metavar="rollout|train|games")
    _add_rollout(kinds)
    _add_train(kinds)
    _add_games(kinds)


def _add_rollout(kinds: Any) -> None:
    parser = _parser(kinds, "bench rollout", "Self-play from end to end: tokens a second of the engine and its peers.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--decode", action="store_true", help="writing alone, by batch, and the machine's own limit")
    mode.add_argument("--scaling", action="store_true", help="the engine for 1 to 512 games in flight")
    mode.add_argument("--contention", action="store_true", help="the engine beside a process that uses a core")
    _add_model(parser)
    _add_peers(parser, rollout.PEERS)
    _add(parser, "--games", int, "how many each repeat plays")
    _add(parser, "--games-in-flight", int, "at a time (default 64)", dest="in_flight")
    _add(parser, "--batches", int, "of --decode", nargs="+")
    _add(parser, "--tokens", int, "of --decode: how many are timed")
    _add(parser, "--points", int, "of --scaling: games in flight", nargs="+")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="of --scaling: draw the curve into this file")
    parser.set_defaults(measurement=_rollout)


def _rollout(options: argparse.Namespace) -> Measurement:
    return ROLLOUT[next((mode for mode in ROLLOUT if mode and getattr(options, mode)), "")]


def _add_train(kinds: Any) -> None:
    parser = _parser(kinds, "bench train", "The training step: packed turns against TRL's own padding.")
    _add_model(parser)
    _add_peers(parser, (train.PEER,))
    _add(parser, "--turns", int, "of self-play, in the batch (default 128)")
    _add(parser, "--batch-sizes", int, "turns a forward pass, each measured (default 128)", nargs="+")
    parser.set_defaults(measurement=lambda options: TRAIN)


def _add_games(kinds: Any) -> None:
    parser = _parser(kinds, "bench games", "Games with text in and out: steps a second, ours and TextArena's.")
    _add_peers(parser, (games.PEER,))
    _add(parser, "--games", str, f"of {', '.join(games.GAMES)} (default all)", nargs="+", metavar="NAME")
    _add(parser, "--seconds", float, "of each measurement (default 2)")
    parser.set_defaults(measurement=lambda options: GAMES)


def _parser(commands: Any, name: str, about: str) -> argparse.ArgumentParser:
    lines = "\n".join(f"  spiral-lite {name} {example}" for example in EXAMPLES[name])
    parser: argparse.ArgumentParser = commands.add_parser(
        name.split()[-1],
        help=about,
        description=about,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if name == "bench":
        return parser
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, no file: does it work?")
    _add(parser, "--repeats", int, "of each, in turn (default 5)")
    _add(parser, "--seed", int, "of the first repeat (default 1)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="results file (default data/results/performance.json)")
    parser.add_argument("--json", action="store_true", help="print all results as one JSON object in the last line")
    parser.set_defaults(run=run)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    about = "nano (default), smol (SmolLM2-135M, made on first use), smol-warm (the same, which plays), or a folder"
    _add(parser, "--model", str, about)
    _add(parser, "--dtype", str, "float32 (default) or bfloat16", choices=("float32", "bfloat16"), metavar="NAME")
    _add(parser, "--max-new-tokens", int, "of a reply (default 64)")


def _add_peers(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    about = f"of {', '.join(names)} (default all)" if len(names) > 1 else f"{names[0]} is the only one"
    _add(parser, "--peer", str, about, dest="peers", nargs="+", choices=names, metavar="NAME")


def _add(parser: argparse.ArgumentParser, name: str, kind: type, about: str, **more: Any) -> None:
    """An option that is None where it is not given: the default is the Settings'."""
    dest = more.pop("dest", name.removeprefix("--").replace("-", "_"))
    more.setdefault("metavar", "NAME" if kind is str else "N")
    parser.add_argument(name, type=kind, default=None, dest=dest, help=about, **more)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measures, keeps the section in the file, and returns it (`--json`) or what it says in words."""
    measurement: Measurement = options.measurement(options)
    if getattr(options, "figure", None) and measurement.run is not scaling.run:
        raise ValueError("--figure draws the curve of --scaling; add --scaling")
    section = measurement.run(settings(options, measurement.settings), command(options.arguments))
    out = options.out or (None if options.quick else report.RESULTS)
    if out is not None:
        report.save(section, out)
    if getattr(options, "figure", None):
        from spiral_lite.show.plots import scaling_curve

        scaling_curve(section["points"], path=options.figure)
    return section if options.json else report.summary(section)


def settings(options: argparse.Namespace, kind: type) -> Any:
    """The Settings of a command line. Raises ValueError for an option without effect, or a number that is too small."""
    known = {field.name for field in fields(kind)}
    every = {field.name for one in (*ROLLOUT.values(), TRAIN, GAMES) for field in fields(one.settings)}
    given = {name: value for name, value in vars(options).items() if name in every and value is not None}
    if idle := sorted(set(given) - known):
        raise ValueError(f"--{idle[0].replace('_', '-')} has no effect on this measurement; leave it out")
    for name, value in given.items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and name != "seed" and number <= 0:
                raise ValueError(f"--{name.replace('_', '-')} {number}: it must be positive, e.g. 5")
    chosen = kind()
    if options.quick:
        chosen = replace(chosen, **chosen.quick())
    return replace(chosen, **{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})


def command(arguments: Sequence[str]) -> str:
    """The command line as it goes into the results: without where they go, and of a path only the name."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and argument not in UNNAMED:
            kept.append(Path(argument).name if argument.startswith("/") else argument)
        skip = not skip and argument in UNNAMED[1:]
    return shlex.join(["spiral-lite", *kept])
