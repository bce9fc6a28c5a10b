"""Past selves: a player that in every game is one of the checkpoints of a run, as in fictitious self-play.

Fictitious play (Brown 1951) answers the average of what others have played so far, and a past policy drawn for a whole
game plays just that average (Heinrich, Lanctot and Silver 2015). The draw is uniform, or "recent": weights 1, 2, 3, ...
from the oldest on. It depends on the game's seed and who is there: until the next one is added,
`Pool.drawn(episode.seed)` says who has played.
At most `held` models are in memory. Games wait while others' models play, so that a model is not read anew every turn.
Read `rollout/backends.py` before this.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spiral_lite import checkpoints
from spiral_lite.players import Desk, Player, Prompt, Reply, Sampling
from spiral_lite.rollout.backends import load_player

WEIGHTINGS = ("uniform", "recent")


def past_selves(folder: str | Path) -> list[Path]:
    """The models in `folder`, oldest first: the checkpoints of a training run, or else all sub-folders with a model.

    Raises ValueError if there are none.
    """
    run = Path(folder)
    found = [path for path in checkpoints.saved(run) if (path / checkpoints.MANIFEST).exists()]
    found = checkpoints.good(run) if found else sorted(path.parent for path in run.glob("*/config.json"))
    if not str(folder) or not found:
        raise ValueError(
            f"no checkpoints in {str(folder)!r}; name the folder of a run that was trained with --save-every, or one "
            "whose sub-folders hold models, e.g. pool:runs/a"
        )
    return found


class Pool:
    """Plays as one of `folders`, drawn anew in every game."""

    def __init__(
        self,
        folders: Sequence[str | Path],
        weighting: str = "uniform",
        sampling: Sampling | None = None,
        backend: str = "engine",
        slots: int = 64,
        held: int = 2,
    ) -> None:
        """folders: oldest first; held: models in memory at a time. The other options are `load_player`'s."""
        if not folders:
            raise ValueError("a pool needs at least one model; past_selves('runs/a') finds those of a run")
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting={weighting!r} is unknown; known: {', '.join(WEIGHTINGS)}")
        if held < 1:
            raise ValueError(f"held={held}: at least one model must fit into memory, e.g. held=2")
        self.folders, self.weighting, self.held = [str(folder) for folder in folders], weighting, held
        self._load: Callable[[str], Player] = lambda folder: load_player(folder, sampling, backend, slots)
        self._players: OrderedDict[str, Player] = OrderedDict()  # the one used last is at the end

    @property
    def name(self) -> str:
        return f"pool of {len(self.folders)} ({self.weighting})"

    def add(self, folder: str | Path) -> None:
        """One more past self, the latest of all."""
        self.folders.append(str(folder))

    def drawn(self, game_seed: int) -> str:
        """The folder whose model plays the game with this seed (`episode.seed`)."""
        weights = None if self.weighting == "uniform" else range(1, len(self.folders) + 1)
        return random.Random(f"{game_seed}/past self").choices(self.folders, weights)[0]

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply a prompt, the model of each game at its own."""
        desk = self.desk()
        desk.ask(list(enumerate(prompts)))
        replies: dict[Any, Reply] = {}
        while len(replies) < len(prompts):
            replies.update(desk.collect())
        return [replies[index] for index in range(len(prompts))]

    def desk(self) -> Desk:
        """Where turns wait for the model of their game."""
        return _PoolDesk(self)

    def player(self, folder: str) -> Player:
        """The player of a folder, read if it is not in memory; then the one that was used longest ago makes room."""
        if folder not in self._players:
            while len(self._players) >= self.held:
                self._players.popitem(last=False)  # before the next is read, so that no more than `held` are there
            self._players[folder] = self._load(folder)
        self._players.move_to_end(folder)
        return self._players[folder]

    def in_memory(self) -> list[str]:
        """The folders whose models are in memory, the one used last at the end."""
        return list(self._players)


class _PoolDesk(Desk):
    """Answers the turns of one model at a time: of one in memory where its games wait, else of the most wanted."""

    player: Pool

    def collect(self) -> list[tuple[Any, Reply]]:
        wanted = Counter(self.player.drawn(prompt.game_seed) for _, prompt in self._waiting)
        if not wanted:
            return []
        here = [folder for folder in self.player.in_memory() if folder in wanted]
        folder = here[-1] if here else wanted.most_common(1)[0][0]
        turns = [turn for turn in self._waiting if self.player.drawn(turn[1].game_seed) == folder]
        self._waiting = [turn for turn in self._waiting if self.player.drawn(turn[1].game_seed) != folder]
        replies = self.player.player(folder).reply([prompt for _, prompt in turns])
        return [(key, reply) for (key, _), reply in zip(turns, replies, strict=True)]
