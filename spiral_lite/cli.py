"""The command line, `spiral-lite`: play, train, evaluate, rate, exploitability, pretrain, bench. As in Python."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spiral_lite import environment
from spiral_lite.bench.options import add_bench

Result = dict[str, Any]
SMALL_MODEL = 20_000_000  # parameters; below it, training uses the laptop's settings


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and prints its result (with `--json`, one object in the last line). Returns the exit status."""
    environment.prepare()
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result = options.run(options)
        text = json.dumps(result, allow_nan=False) if options.json else _readable(result)
    except (ValueError, ImportError, OSError) as error:
        print(f"spiral-lite {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"spiral-lite {options.command}: stopped", file=sys.stderr)
        return 130
    print(text)
    return 0


def _play(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation.intervals import finite, mean_interval
    from spiral_lite.opponents import load as load_player
    from spiral_lite.rollout import play, write_jsonl
    from spiral_lite.show.replay import storyboard

    _at_least(options, games=1)
    sampling = _sampling(options)
    first, second = options.players
    one = load_player(first, sampling, options.backend)
    seats = (one, one if first == second else load_player(second, sampling, options.backend))
    began = time.perf_counter()
    episodes = play(_game(options), seats, options.games, options.seed, forfeit=None)
    seconds = time.perf_counter() - began
    if options.log:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(episodes, options.log)
    for episode in episodes[: options.show]:
        print(storyboard(episode))
    seat_returns = [mean_interval([episode.returns[seat] for episode in episodes]) for seat in (0, 1)]
    return {
        "game": options.game,
        "players": options.players,
        "games": len(episodes),
        "seed": options.seed,
        "mean_return": [seat.mean for seat in seat_returns],
        "ci95": [finite(seat.ci95) for seat in seat_returns],
        "invalid_rate": sum(episode.ended == "invalid" for episode in episodes) / len(episodes),
        "games_per_second": len(episodes) / seconds,
    }


def _train(options: argparse.Namespace) -> Result:
    from spiral_lite import games, models
    from spiral_lite.metrics import read_metrics
    from spiral_lite.show.progress import print_progress
    from spiral_lite.trainer import SelfPlayConfig, SelfPlayTrainer, last_checkpoint, nano_config

    played = [games.make(name) for name in options.games]
    checkpoint = str(last_checkpoint(options.out)) if options.resume else None
    changes = {
        "steps": options.steps,
        "turns_per_step": options.turns_per_step,
        "learning_rate": options.learning_rate,
        "baseline": options.baseline,
        "backend": options.backend,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    changes |= {"seed": options.seed, "save_every": options.save_every}
    model, tokenizer = models.load(options.model)
    if model.num_parameters() < SMALL_MODEL:
        config = nano_config(options.out, **changes)
    else:
        config = SelfPlayConfig(output_dir=str(options.out), **changes)
    trainer = SelfPlayTrainer(model, played, config, processing_class=tokenizer, on_metrics=print_progress)
    _settle_run(options, changes)
    began = time.perf_counter()
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(str(options.out))
    rows = read_metrics(options.out)
    return {
        "model": options.model,
        "games": options.games,
        "steps": config.steps,
        "seed": options.seed,
        "seconds": time.perf_counter() - began,
        "out": str(options.out),
        "last_step": rows[-1] if rows else {},
    }


def _settle_run(options: argparse.Namespace, changes: Result) -> None:
    """Writes what decides the run into its folder; a resumed run must agree with what stands there."""
    file = options.out / "run.json"
    mine = {"model": options.model, "games": options.games, **changes}
    mine = {name: value for name, value in mine.items() if name not in ("steps", "save_every")}
    if not options.resume:
        if options.out.exists() and any(options.out.iterdir()):
            raise ValueError(
                f"{str(options.out)!r} holds a run; add --resume to go on with it, or choose another --out"
            )
        options.out.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(mine) + "\n")
        return
    if file.exists() and (begun := json.loads(file.read_text())) != mine:
        raise ValueError(
            f"the run in {str(options.out)!r} was begun with {begun}, not {mine}; resume with its settings"
        )


def _evaluate(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation.matches import match
    from spiral_lite.opponents import load as load_player

    _at_least(options, games=2)
    sampling = _sampling(options)
    player, opponent = (load_player(name, sampling, options.backend) for name in (options.model, options.opponent))
    return match(_game(options), player, opponent, options.games, options.seed).to_dict()


def _rate(options: argparse.Namespace) -> Result | str:
    from spiral_lite.evaluation.ratings import round_robin
    from spiral_lite.opponents import load as load_player

    _at_least(options, games=2)
    if len(set(options.players)) < len(options.players):
        raise ValueError(f"--players {' '.join(options.players)}: each of them once, e.g. --players random nano")
    sampling = _sampling(options)
    players = [load_player(name, sampling, options.backend) for name in options.players]
    found = round_robin(_game(options), players, options.games, options.seed)
    return found.to_dict() if options.json else str(found)


def _exploitability(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation.exploitability import exploitability
    from spiral_lite.opponents import load as load_player

    _at_least(options, samples=1)
    player = load_player(options.model, _sampling(options), options.backend)
    return exploitability(player, _game(options), options.samples, options.seed).to_dict()


def _pretrain(options: argparse.Namespace) -> Result:
    from dataclasses import replace

    from spiral_lite import models
    from spiral_lite.evaluation import card
    from spiral_lite.nano import pretrain
    from spiral_lite.rollout.transformers_backend import TransformersBackend

    _at_least(options, turns=1, problems=1)
    if not options.card_only:
        config = pretrain.PretrainConfig(seed=options.seed)
        if options.steps is not None:
            _at_least(options, steps=1)
            config = replace(config, steps=options.steps)
        began = time.perf_counter()
        options.out.mkdir(parents=True, exist_ok=True)
        pretrain.save(*pretrain.pretrain(config, lambda row: print(json.dumps(row), flush=True)), options.out)
        card.write_recipe(options.out, config, (time.perf_counter() - began) / 60)
    model, tokenizer = models.load(str(options.out))
    figures = card.measure(TransformersBackend(model, tokenizer), options.turns, options.problems, options.seed)
    figures |= {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}
    card.write(options.out, figures)
    return {"out": str(options.out), **figures}


def _game(options: argparse.Namespace) -> Any:
    from spiral_lite import games

    chosen = {}
    for option in options.option:
        name, equals, value = option.partition("=")
        if not equals:
            raise ValueError(f"--option {option!r} is not name=value; write e.g. --option rounds=5")
        chosen[name] = int(value) if value.isdigit() else value
    return games.make(options.game, **chosen)


def _sampling(options: argparse.Namespace) -> Any:
    from spiral_lite.players import Sampling

    return Sampling(options.temperature, options.top_p, options.max_new_tokens)


def _at_least(options: argparse.Namespace, **least: int) -> None:
    for name, value in least.items():
        if getattr(options, name) < value:
            raise ValueError(f"--{name} {getattr(options, name)}: at least {value}, e.g. --{name} {max(100, value)}")


def _readable(result: Result | str) -> str:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spiral-lite", description="Self-play reinforcement learning for language models, small enough to read."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_play(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_rate(commands)
    _add_exploitability(commands)
    _add_pretrain(commands)
    add_bench(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], Result | str], about: str, *examples: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about,
        epilog="examples:\n" + "\n".join(f"  spiral-lite {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    command.add_argument("--seed", type=int, default=0, help="the same seed gives the same result (default 0)")
    command.add_argument("--json", action="store_true", help="print the result as one JSON object in the last line")
    return command


def _add_game(command: argparse.ArgumentParser, game: str | None) -> None:
    command.add_argument(
        "--game", required=game is None, default=game, help="kuhn_poker, tic_tac_toe, simple_negotiation"
    )
    command.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the game, e.g. --option rounds=5"
    )


def _add_sampling(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--temperature", type=float, default=1.0, help="of language models (default 1, as in training)"
    )
    command.add_argument("--top-p", type=float, default=1.0, help="of language models (default 1)")
    command.add_argument("--max-new-tokens", type=int, default=96, help="of a reply (default 96, for the nano model)")
    command.add_argument("--backend", default="engine", help="what generates: engine, transformers or vllm")


def _add_play(commands: Any) -> None:
    command = _command(
        commands,
        "play",
        _play,
        "Play games between two players, in fixed seats.",
        "play --game kuhn_poker --players random random --games 1000 --seed 1 --json",
        "play --game tic_tac_toe --players nano perfect --games 20 --show 1",
        "play --game kuhn_poker --option rounds=5 --players nano equilibrium:0.1 --log runs/games.jsonl",
    )
    _add_game(command, None)
    command.add_argument(
        "--players",
        nargs=2,
        required=True,
        metavar=("FIRST", "SECOND"),
        help="random, perfect, equilibrium[:alpha], search:4, mcts:100, negotiator, pool:RUN, openai:MODEL, or a "
        "model: nano, a folder, a Hub id",
    )
    command.add_argument("--games", type=int, default=100, help="how many (default 100)")
    command.add_argument("--show", type=int, default=0, metavar="N", help="print the first N games turn by turn")
    command.add_argument("--log", type=Path, metavar="FILE", help="append every game to a JSONL file")
    _add_sampling(command)


def _add_train(commands: Any) -> None:
    command = _command(
        commands,
        "train",
        _train,
        "Train a model by self-play (SPIRAL with RAE, on TRL).",
        "train --model nano --games kuhn_poker --steps 20 --seed 1 --out runs/a --json",
        "train --model nano --games kuhn_poker tic_tac_toe --steps 40 --save-every 5 --out runs/b",
        "train --model nano --games kuhn_poker tic_tac_toe --steps 40 --save-every 5 --out runs/b --resume",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, or a Hub id (default nano)")
    command.add_argument("--games", nargs="+", required=True, help="one or several, e.g. kuhn_poker tic_tac_toe")
    command.add_argument("--steps", type=int, help="self-play steps")
    command.add_argument("--turns-per-step", type=int, help="turns learnt from in a step")
    command.add_argument(
        "--learning-rate", type=float, help="of AdamW; the nano model's falls linearly to 0, a larger one's is constant"
    )
    command.add_argument("--baseline", help="role (RAE, the default) or none")
    command.add_argument("--backend", help="what generates: engine (the default) or transformers")
    command.add_argument("--save-every", type=int, default=0, metavar="N", help="a checkpoint every N steps")
    command.add_argument("--out", type=Path, required=True, help="folder of the run: model, metrics.jsonl, games/")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in --out, with its settings (other --steps change the schedule)",
    )


def _add_evaluate(commands: Any) -> None:
    command = _command(
        commands,
        "evaluate",
        _evaluate,
        "Play a model against an opponent over both seats. An invalid move is a loss.",
        "evaluate --model runs/a --game kuhn_poker --opponent random --games 400 --seed 1 --json",
        "evaluate --model nano --game tic_tac_toe --opponent perfect --temperature 0.6 --top-p 0.95",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, a run, or a Hub id (default nano)")
    _add_game(command, None)
    command.add_argument("--opponent", default="random", help="as in play: random, search:4, nano ...")
    command.add_argument("--games", type=int, default=400, help="an even number (default 400)")
    _add_sampling(command)


def _add_rate(commands: Any) -> None:
    command = _command(
        commands,
        "rate",
        _rate,
        "Play every player against every other over both seats: Elo ratings with intervals, and a cross-table.",
        "rate --game kuhn_poker --players random equilibrium nano --games 200 --seed 1 --json",
        "rate --game tic_tac_toe --players random perfect nano runs/a",
        "rate --game kuhn_poker --option rounds=5 --players random equilibrium equilibrium:0 nano",
    )
    _add_game(command, None)
    command.add_argument(
        "--players",
        nargs="+",
        required=True,
        metavar="PLAYER",
        help="two or more: random, perfect, equilibrium[:alpha], or a model: nano, a folder, a Hub id",
    )
    command.add_argument("--games", type=int, default=200, help="of each pairing, an even number (default 200)")
    _add_sampling(command)


def _add_exploitability(commands: Any) -> None:
    command = _command(
        commands,
        "exploitability",
        _exploitability,
        "NashConv of a model's policy in a game small enough to enumerate: what perfect opponents win from it.",
        "exploitability --model nano --samples 64 --seed 1 --json",
        "exploitability --model runs/a --samples 256",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, a run, or a Hub id (default nano)")
    _add_game(command, "kuhn_poker")
    command.add_argument("--samples", type=int, default=64, help="replies at each information set (default 64)")
    _add_sampling(command)


def _add_pretrain(commands: Any) -> None:
    command = _command(
        commands,
        "pretrain",
        _pretrain,
        "Make the nano base model from its seed: tokenizer, weights, model card. About an hour on two cores.",
        "pretrain --out runs/nano",
        "pretrain --out data/nano --card-only      # only measure again",
        "pretrain --out runs/tiny --steps 20 --turns 50 --problems 5",
    )
    command.add_argument("--out", type=Path, required=True, help="folder of the model")
    command.add_argument("--steps", type=int, help="of pretraining (default: the recipe's)")
    command.add_argument("--card-only", action="store_true", help="measure the model in --out, train nothing")
    command.add_argument(
        "--turns", type=int, default=2000, help="turns played for each game of the card (default 2000)"
    )
    command.add_argument("--problems", type=int, default=200, help="problems of each family for the card (default 200)")


if __name__ == "__main__":
    sys.exit(main())
