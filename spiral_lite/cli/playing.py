"""The commands that play and measure: play, evaluate, rate, exploitability."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from spiral_lite.cli.command import Result, add_game, add_sampling, at_least, declare, game_of, sampling_of


def add(commands: Any) -> None:
    """Declares them."""
    for one in (_add_play, _add_evaluate, _add_rate, _add_exploitability):
        one(commands)


def _play(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation.intervals import finite, mean_interval
    from spiral_lite.opponents import load as load_player
    from spiral_lite.rollout import play, write_jsonl
    from spiral_lite.show.replay import storyboard

    at_least(options, games=1)
    sampling = sampling_of(options)
    first, second = options.players
    one = load_player(first, sampling, options.backend)
    seats = (one, one if first == second else load_player(second, sampling, options.backend))
    began = time.perf_counter()
    episodes = play(game_of(options), seats, options.games, options.seed, forfeit=None)
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


def _evaluate(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation.matches import match
    from spiral_lite.opponents import load as load_player

    at_least(options, games=2)
    sampling = sampling_of(options)
    player, opponent = (load_player(name, sampling, options.backend) for name in (options.model, options.opponent))
    return match(game_of(options), player, opponent, options.games, options.seed).to_dict()


def _rate(options: argparse.Namespace) -> Result | str:
    from spiral_lite.evaluation.ratings import round_robin
    from spiral_lite.opponents import load as load_player

    at_least(options, games=2)
    if len(set(options.players)) < len(options.players):
        raise ValueError(f"--players {' '.join(options.players)}: each of them once, e.g. --players random nano")
    sampling = sampling_of(options)
    players = [load_player(name, sampling, options.backend) for name in options.players]
    found = round_robin(game_of(options), players, options.games, options.seed)
    return found.to_dict() if options.json else str(found)


def _exploitability(options: argparse.Namespace) -> Result:
    from spiral_lite.evaluation.exploitability import exploitability
    from spiral_lite.opponents import load as load_player

    at_least(options, samples=1)
    player = load_player(options.model, sampling_of(options), options.backend)
    return exploitability(player, game_of(options), options.samples, options.seed).to_dict()


def _add_play(commands: Any) -> None:
    command = declare(
        commands,
        "play",
        _play,
        "Play games between two players, in fixed seats.",
        "play --game kuhn_poker --players random random --games 1000 --seed 1 --json",
        "play --game tic_tac_toe --players nano perfect --games 20 --show 1",
        "play --game kuhn_poker --option rounds=5 --players nano equilibrium:0.1 --log runs/games.jsonl",
    )
    add_game(command, None)
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
    add_sampling(command)


def _add_evaluate(commands: Any) -> None:
    command = declare(
        commands,
        "evaluate",
        _evaluate,
        "Play a model against an opponent over both seats. An invalid move is a loss.",
        "evaluate --model runs/a --game kuhn_poker --opponent random --games 400 --seed 1 --json",
        "evaluate --model nano --game tic_tac_toe --opponent perfect --temperature 0.6 --top-p 0.95",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, a run, or a Hub id (default nano)")
    add_game(command, None)
    command.add_argument("--opponent", default="random", help="as in play: random, search:4, nano ...")
    command.add_argument("--games", type=int, default=400, help="an even number (default 400)")
    add_sampling(command)


def _add_rate(commands: Any) -> None:
    command = declare(
        commands,
        "rate",
        _rate,
        "Play every player against every other over both seats: Elo ratings with intervals, and a cross-table.",
        "rate --game kuhn_poker --players random equilibrium nano --games 200 --seed 1 --json",
        "rate --game tic_tac_toe --players random perfect nano runs/a",
        "rate --game kuhn_poker --option rounds=5 --players random equilibrium equilibrium:0 nano",
    )
    add_game(command, None)
    command.add_argument(
        "--players",
        nargs="+",
        required=True,
        metavar="PLAYER",
        help="two or more, named as in play: random, search:2, mcts:100, equilibrium, pool:RUN, nano, runs/a ...",
    )
    command.add_argument("--games", type=int, default=200, help="of each pairing, an even number (default 200)")
    add_sampling(command)


def _add_exploitability(commands: Any) -> None:
    command = declare(
        commands,
        "exploitability",
        _exploitability,
        "NashConv of a model's policy in a game small enough to enumerate: what perfect opponents win from it.",
        "exploitability --model nano --samples 64 --seed 1 --json",
        "exploitability --model runs/a --samples 256",
    )
    command.add_argument("--model", default="nano", help="nano, a folder, a run, or a Hub id (default nano)")
    add_game(command, "kuhn_poker")
    command.add_argument("--samples", type=int, default=64, help="replies at each information set (default 64)")
    add_sampling(command)
