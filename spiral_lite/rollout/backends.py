"""Backends by name (engine, transformers, vllm: what generates) and players by name ("random", "nano", a folder)."""

from __future__ import annotations

from typing import Any

from spiral_lite import models, players
from spiral_lite.players import Backend, LanguageModel, Player, Sampling

BACKENDS = ("engine", "transformers", "vllm")


def make(backend: str, model: Any, tokenizer: Any, slots: int = 64, context: int = 256) -> Backend:
    """A backend that generates with the model itself: every change of its weights shows at once.

    slots: replies written at a time, or as many as fit into memory; context: tokens of prompt and reply to make room
    for beforehand. Raises ValueError for other names than engine and transformers: vLLM holds weights
    of its own, see `rollout/vllm_backend.py`.
    """
    if backend == "engine":
        from spiral_lite.rollout.engine import Engine
        from spiral_lite.rollout.memory import PREFIXES, most_slots

        return Engine(model, tokenizer, max(1, most_slots(model, slots, context, PREFIXES)), context)
    if backend == "transformers":
        from spiral_lite.rollout.transformers_backend import TransformersBackend

        return TransformersBackend(model, tokenizer, slots)
    raise ValueError(f"backend={backend!r} cannot share a model's weights; choose engine or transformers")


def load_player(name: str, sampling: Sampling | None = None, backend: str = "engine", slots: int = 64) -> Player:
    """A player that `players.make` knows ("random", "search:4") or a language model ("nano", a folder, a Hub id) on a
    backend. `opponents.load` knows more.

    Raises ValueError with what is possible if the name is no player and no model, or the backend is unknown.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
    if name.partition(":")[0] in players.KINDS:
        return players.make(name, sampling)
    if backend == "vllm":
        from spiral_lite.rollout.vllm_backend import VllmBackend

        return LanguageModel(VllmBackend(models.locate(name)), sampling, name)
    from spiral_lite.environment import device

    try:
        model, tokenizer = models.load(name, dtype="bfloat16" if device() == "cuda" else "float32")
    except ValueError as error:
        raise ValueError(f"{error}; or a player: {', '.join(players.KINDS.values())}") from error
    return LanguageModel(make(backend, model, tokenizer, slots), sampling, name)
