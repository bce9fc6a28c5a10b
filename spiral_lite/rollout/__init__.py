"""Play many games at once and record them: `play`, the records of it, and the backends that generate."""

from spiral_lite.rollout.play import play
from spiral_lite.rollout.records import Episode, Played, Turn, read_jsonl, write_jsonl

__all__ = ["Episode", "Played", "Turn", "play", "read_jsonl", "write_jsonl"]
