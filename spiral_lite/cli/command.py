"""What the commands share: how one is declared, its common options, and how a result is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Result = dict[str, Any]


def declare(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], Result | str],
    about: str,
    *examples: str,
    seeded: bool = True,
) -> argparse.ArgumentParser:
    """A command with its help, examples, and the common options; `seeded`: one seed decides its result."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about,
        epilog="examples:\n" + "\n".join(f"  spiral-lite {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    if seeded:
        command.add_argument("--seed", type=int, default=0, help="the same seed gives the same result (default 0)")
    command.add_argument("--json", action="store_true", help="print the result as one JSON object in the last line")
    return command


def add_game(command: argparse.ArgumentParser, default: str | None) -> None:
    """--game and --option. default: None where the game must be named."""
    command.add_argument(
        "--game", required=default is None, default=default, help="kuhn_poker, tic_tac_toe, simple_negotiation ..."
    )
    command.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the game, e.g. --option rounds=5"
    )


def add_sampling(command: argparse.ArgumentParser) -> None:
    """How language models sample, and on what."""
    command.add_argument(
        "--temperature", type=float, default=1.0, help="of language models (default %(default)g; training: 1)"
    )
    command.add_argument("--top-p", type=float, default=1.0, help="of language models (default %(default)g)")
    command.add_argument(
        "--max-new-tokens", type=int, default=96, help="of a reply (default 96, for the nano model; of benchmarks 8192)"
    )
    command.add_argument("--backend", default="engine", help="what generates: engine, transformers or vllm")


def game_of(options: argparse.Namespace) -> Any:
    """The game that the options name. Raises ValueError for an option that is not name=value."""
    from spiral_lite import games

    given = pairs("--option", options.option, "rounds=5")
    return games.make(options.game, **{name: int(value) if value.isdigit() else value for name, value in given})


def pairs(flag: str, given: list[str], example: str) -> list[tuple[str, str]]:
    """(name, value) of each name=value. Raises ValueError for a text that is none."""
    for text in given:
        if "=" not in text:
            raise ValueError(f"{flag} {text!r} is not name=value; write e.g. {flag} {example}")
    return [(name, value) for name, _, value in (text.partition("=") for text in given)]


def sampling_of(options: argparse.Namespace) -> Any:
    """How language models sample, by the options."""
    from spiral_lite.players import Sampling

    return Sampling(options.temperature, options.top_p, options.max_new_tokens)


def at_least(options: argparse.Namespace, **least: int) -> None:
    """Raises ValueError for an option below its least value."""
    for name, value in least.items():
        if getattr(options, name) < value:
            raise ValueError(f"--{name} {getattr(options, name)}: it must be at least {value}, e.g. --{name} {value}")


def readable(result: Result | str) -> str:
    """The result for people: one line an entry, numbers rounded; a text is readable as it is."""
    if isinstance(result, str):
        return result

    def show(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}"
        if isinstance(value, list | tuple):
            return "[" + ", ".join(show(item) for item in value) + "]"
        if isinstance(value, dict):
            return ", ".join(f"{key} {show(item)}" for key, item in value.items())
        return str(value)

    lines = []
    for key, value in result.items():
        if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
            lines += [f"{key}:", *(f"  {name}: {show(item)}" for name, item in value.items())]
        else:
            lines.append(f"{key}: {show(value)}")
    return "\n".join(lines)
