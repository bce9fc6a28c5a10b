"""Every player by name: those of `players`, Monte Carlo tree search, past selves, and language models.

`players` has what needs neither a model of ours nor OpenSpiel; this package has the rest, so it stands above `rollout`
and `evaluation`.

>>> load("negotiator").name
'negotiator'
"""

from __future__ import annotations

from spiral_lite import players
from spiral_lite.players import Player, Sampling
from spiral_lite.rollout.backends import load_player

KINDS = {
    **players.KINDS,
    "mcts": "mcts:SIMULATIONS (any game)",
    "pool": "pool:FOLDER (past selves, each as often)",
    "pool-recent": "pool-recent:FOLDER (past selves, later ones more often)",
}


def load(name: str, sampling: Sampling | None = None, backend: str = "engine", slots: int = 64) -> Player:
    """A player by name, as KINDS writes them, or a language model ("nano", a folder, a Hub id) on a backend.

    Raises ValueError with what is possible if the name is none of these.
    """
    kind, _, option = name.partition(":")
    if kind == "mcts":
        from spiral_lite.opponents.mcts import mcts

        if not option.isdecimal():
            raise ValueError(f"simulations={option!r} is not a whole number; write e.g. mcts:100")
        return mcts(int(option))
    if kind in ("pool", "pool-recent"):
        from spiral_lite.opponents.pool import Pool, past_selves

        return Pool(past_selves(option), "recent" if kind == "pool-recent" else "uniform", sampling, backend, slots)
    try:
        return load_player(name, sampling, backend, slots)
    except ValueError as error:
        if kind in KINDS:
            raise
        more = [KINDS[name] for name in KINDS if name not in players.KINDS]
        raise ValueError(f"{error}, {', '.join(more)}") from error
