"""Play many games at once and record them: `play`, the `Episode` and `Turn` records, and the backends that generate."""

from spiral_lite.rollout.play import play
from spiral_lite.rollout.records import Episode, Turn, read_jsonl, write_jsonl

__all__ = ["Episode", "Turn", "play", "read_jsonl", "write_jsonl"]
