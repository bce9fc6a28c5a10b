"""A player by name: a scripted one ("random", "equilibrium:0.1") or a language model ("nano", a folder, a Hub id)."""

from __future__ import annotations

from spiral_lite import models, players
from spiral_lite.players import LanguageModel, Player, Sampling

SCRIPTED = ("random", "perfect", "equilibrium")


def load_player(name: str, sampling: Sampling | None = None) -> Player:
    """Raises ValueError with what is possible if the name is no player and no model."""
    if name.partition(":")[0] in SCRIPTED:
        return players.make(name)
    from spiral_lite.environment import device
    from spiral_lite.rollout.transformers_backend import TransformersBackend

    try:
        model, tokenizer = models.load(name, dtype="bfloat16" if device() == "cuda" else "float32")
    except ValueError as error:
        raise ValueError(f"{error}; or a scripted player: random, perfect, equilibrium[:alpha]") from error
    return LanguageModel(TransformersBackend(model, tokenizer), sampling, name)
