"""Does every game hold what it promises? 10,000 games of random players, each through the text that a model would read.

Of every registered game: whether a game ended by an exception or by an invalid reply of a player who only makes legal
moves (there must be none), the range of the returns, whether they sum to what the game declares, games per second.
Of five-round Kuhn matches: in how many the winner is not who holds more chips, as published and by the book.

    python -m spiral_lite.experiments.random_games
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

from spiral_lite import games
from spiral_lite.evaluation.intervals import wilson
from spiral_lite.players import random_player
from spiral_lite.rollout import play

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results" / "random_games.json"
MATCH = {"rounds": 5}


def of(game: games.Game, n: int, seed: int = 0) -> dict[str, Any]:
    """What `n` random games show."""
    player = random_player()
    began = time.perf_counter()
    episodes = play(game, (player, player), n, seed)
    seconds = time.perf_counter() - began
    returns = [episode.returns for episode in episodes]
    sums = {round(sum(both), 9) for both in returns}
    return {
        "games": len(episodes),
        "invalid": sum(episode.ended == "invalid" for episode in episodes),
        "cut off": sum(episode.ended == "turn_limit" for episode in episodes),
        "lowest return": min(map(min, returns)),
        "highest return": max(map(max, returns)),
        "in the declared range": all(game.min_return <= r <= game.max_return for both in returns for r in both),
        "as declared": sums == {0.0} if game.zero_sum else all(a == b for a, b in returns) or not game.common_payoff,
        "first player wins": sum(a > b for a, b in returns) / n,
        "turns a game": sum(len(episode.turns) for episode in episodes) / n,
        "games per second": n / seconds,
    }


def chip_leader_loses(variant: str, n: int, seed: int = 0) -> dict[str, Any]:
    """In how many of `n` five-round matches of random players the winner is not the one with more chips."""
    game, player = games.make("kuhn_poker", variant=variant, **MATCH), random_player()
    wrong = 0
    for episode in play(game, (player, player), n, seed):
        chips = game.replay(episode.history).chips  # type: ignore[attr-defined]
        wrong += (chips > 0) - (chips < 0) != episode.returns[0]
    return {"matches": n, "not the chip leader": wrong, **wilson(wrong, n).to_dict()}


def run(n: int, seed: int = 0) -> dict[str, Any]:
    """All games, and both kinds of matches."""
    return {
        "command": "python -m spiral_lite.experiments.random_games",
        "seed": seed,
        "machine": f"{platform.machine()}, one process",
        "games": {name: of(games.make(name), n, seed) for name in sorted(games.names())},
        "kuhn matches": {variant: chip_leader_loses(variant, n, seed) for variant in ("textbook", "published")},
    }


def table(found: dict[str, Any]) -> str:
    """The games as a Markdown table."""
    columns = ("turns a game", "first player wins", "lowest return", "highest return", "games per second")
    lines = ["| game | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in found["games"].items():
        lines.append(f"| {name} | " + " | ".join(f"{row[column]:.3g}" for column in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Random games of every game.")
    parser.add_argument("--games", type=int, default=10_000, help="of each (default 10000)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = run(options.games)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    print(json.dumps(found["kuhn matches"], indent=1))


if __name__ == "__main__":
    main()
