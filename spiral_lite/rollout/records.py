"""The records of play: a turn, an episode, and their JSON lines. Everything shown or measured is computed from them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Turn:
    """One reply of one role: what it read, what it wrote, and what that meant.

    `action` is None where the reply was invalid, and `invalid` then says why. `prompt_ids`, `reply_ids` and `logprobs`
    (nats, of the sampling distribution) are empty for players that are no language models.
    """

    role: int
    player: str
    prompt: str
    reply: str
    action: str | None
    invalid: str | None = None
    truncated: bool = False
    prompt_ids: tuple[int, ...] = ()
    reply_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Episode:
    """A finished game. `history` replays it (`games.from_dict`); `ended` is "rules", "invalid" or "turn_limit"."""

    game: str
    options: dict[str, Any]
    seed: int
    history: tuple[str, ...]
    turns: tuple[Turn, ...]
    returns: tuple[float, float]
    ended: str
    policy_version: int = 0

    def to_json(self) -> str:
        """One line of JSON, complete."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> Episode:
        """The episode that `to_json` wrote."""
        data = json.loads(line)
        data["turns"] = tuple(Turn(**_tuples(turn)) for turn in data["turns"])
        return Episode(**_tuples(data))


class Played(NamedTuple):
    """A finished game, and the roles of it that the learner had: both in self-play, one against an opponent."""

    episode: Episode
    roles: tuple[int, ...] = (0, 1)

    @property
    def turns(self) -> list[Turn]:
        """The learner's."""
        return [turn for turn in self.episode.turns if turn.role in self.roles]


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the records have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def write_jsonl(episodes: Iterable[Episode], path: Path) -> None:
    """Appends the episodes to a file, one a line."""
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(episode.to_json() + "\n" for episode in episodes)


def read_jsonl(path: Path) -> list[Episode]:
    """The episodes of a file."""
    with open(path, encoding="utf-8") as file:
        return [Episode.from_json(line) for line in file]
