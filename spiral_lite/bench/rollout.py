"""Self-play from end to end: reading prompts, writing replies, stepping games. Generated tokens a second.

Every peer plays the same games (Kuhn poker and tic-tac-toe by turns, from the same seeds) with the same model and
sampling (temperature 1, top_p 1), and a game that ends makes room for the next until `games` are begun. What is sampled
differs, so the games' lengths differ a little; tokens are counted as they come. After each run the backend forgets the
prompts it knows, as it must after an optimizer step.
"""

from __future__ import annotations

import functools
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite.bench import report, smol
from spiral_lite.bench.crew import Crew, Result, say

OURS = "engine"
PEERS = ("transformers", "continuous", "vllm")
ELSEWHERE = ("vllm",)
GAMES = ("kuhn_poker", "tic_tac_toe")
CONTEXT = {"nano": 256}  # prompt and reply, at most; of other models CONTEXT_OF_OTHERS
CONTEXT_OF_OTHERS = 512
WARM_UP = 8  # tokens a reply, in a run that does not count


@dataclass(frozen=True)
class Settings:
    """model: nano, smol, smol-warm or a folder; games: how many each repeat plays, in_flight of them at a time."""

    model: str = "nano"
    dtype: str = "float32"
    games: int = 256
    in_flight: int = report.USUAL_IN_FLIGHT
    max_new_tokens: int = 64
    repeats: int = 5
    seed: int = 1
    peers: tuple[str, ...] = PEERS

    def quick(self) -> dict[str, Any]:
        return {"games": 6, "in_flight": 4, "max_new_tokens": 16, "repeats": 1}


def run(settings: Settings, command: str) -> Result:
    """The section of the report."""
    model = locate(settings.model)
    with Crew(OURS) as crew:
        for name in (OURS, *settings.peers):
            crew.hire(name, elsewhere=name in ELSEWHERE)
        job = {name: asdict(settings) | {"peer": name, "model": model} for name in crew.workers}
        for name in list(crew.workers):
            say(f"{name}: warming up")
            short = {"max_new_tokens": min(WARM_UP, settings.max_new_tokens), "games": settings.in_flight}
            ask(crew, name, job[name] | short, seed=settings.seed - 1)
        runs = crew.in_turn(
            settings.repeats, lambda name, repeat: ask(crew, name, job[name], seed=settings.seed + repeat)
        )
        return report.section(
            "rollout", asdict(settings), command, crew, runs, comparisons=_comparisons(settings, runs)
        )


def _comparisons(settings: Settings, runs: dict[str, list[Result]]) -> list[Result]:
    what = f"self-play, {Path(settings.model).name} {settings.dtype}, {settings.in_flight} in flight"
    ours = report.rates(runs[OURS], "tokens_per_second")
    return [
        report.compare(what, "tokens/s", ours, peer, report.rates(rows, "tokens_per_second"))
        for peer, rows in runs.items()
        if peer != OURS
    ]


def ask(crew: Crew, name: str, job: dict[str, Any], **changes: Any) -> Result | None:
    """One run of `self_play` by a worker."""
    keys = ("peer", "model", "dtype", "games", "in_flight", "max_new_tokens", "seed")
    found: Result | None = crew.ask(name, "rollout.self_play", **{key: (job | changes)[key] for key in keys})
    return found


def locate(model: str) -> str:
    """The model as `models.load` knows it; smol and smol-warm are made where they are missing."""
    make = {"smol": smol.prepare, "smol-warm": smol.warm}.get(model)
    return str(make()) if make else model


def self_play(peer: str, model: str, dtype: str, games: int, in_flight: int, max_new_tokens: int, seed: int) -> Result:
    """In a worker: plays once, and says how fast."""
    from spiral_lite.bench import machine

    result = play_with(_backend(peer, model, dtype, in_flight), games, in_flight, max_new_tokens, seed)
    return result | {"peak_memory": machine.peak_memory()}


@functools.lru_cache(maxsize=1)
def _backend(peer: str, model: str, dtype: str, in_flight: int) -> Any:
    from spiral_lite.bench import backends

    return backends.make(peer, model, dtype, in_flight, CONTEXT.get(Path(model).name, CONTEXT_OF_OTHERS))


def play_with(backend: Any, games: int, in_flight: int, max_new_tokens: int, seed: int) -> Result:
    """Plays `games` games on a backend that knows no prompts yet."""
    from spiral_lite.bench import backends
    from spiral_lite.games import make
    from spiral_lite.players import LanguageModel, Sampling
    from spiral_lite.rollout import play

    player = LanguageModel(backend, Sampling(max_new_tokens=max_new_tokens))
    began = time.perf_counter()
    episodes = play([make(name) for name in GAMES], (player, player), games, seed, in_flight=in_flight)
    seconds = time.perf_counter() - began
    backends.forget(backend)
    turns = [turn for episode in episodes for turn in episode.turns]
    tokens = sum(len(turn.reply_ids) for turn in turns)
    return {
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "turns_per_second": len(turns) / seconds,
        "turns": len(turns),
        "tokens": tokens,
        "prompt_tokens": sum(len(turn.prompt_ids) for turn in turns),
        "longest": max(len(turn.prompt_ids) + len(turn.reply_ids) for turn in turns),
        "invalid_rate": sum(turn.invalid is not None for turn in turns) / len(turns),
    }
