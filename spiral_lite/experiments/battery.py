"""What is measured of every trained model, the same for all arms: games, problems, patterns.

Games at temperature 1, as they are trained: matches over both seats against a random player; Kuhn poker's NashConv and
exact mean return against a random player. Problems as in the paper: temperature 0.6, top_p 0.95, of the corpus's
families (held-out questions) and of families that no corpus has; which reasoning patterns are used, and how often each
is right.
Read `arms.py` before this.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

GAMES = ("kuhn_poker", "tic_tac_toe", "simple_negotiation")
MATCH_GAMES = 200
SAMPLES = 64  # replies at each of Kuhn poker's 12 information sets
PROBLEMS_EACH = 25
CURVE_EVERY = 4  # steps
CURVE = ("reply_tokens", "no_reasoning_rate", "invalid_rate", "entropy", "grad_norm", "kl", "distinct_rate")
OF_GAME = ("/return", "/baseline", "/advantage", "/advantage_std")  # and what ends so: why a baseline matters


def settings() -> dict[str, Any]:
    """How much is measured."""
    return {"games": list(GAMES), "match_games": MATCH_GAMES, "samples": SAMPLES, "problems_each": PROBLEMS_EACH}


def measure(player: Any, seed: int) -> dict[str, Any]:
    """All figures of a player that is a language model. Everybody is asked the same problems."""
    from spiral_lite import games, players
    from spiral_lite.evaluation import exact, reasoning
    from spiral_lite.evaluation.exploitability import exploitability
    from spiral_lite.evaluation.matches import match

    kuhn = games.make("kuhn_poker")
    found: dict[str, Any] = {"games": {}}
    for name in GAMES:
        result = match(games.make(name), player, players.make("random"), MATCH_GAMES, seed)
        found["games"][name] = {
            "return": result.mean_return,
            "invalid": result.invalid_rate,
            "careful": _careful(result.episodes),
            "tokens": result.mean_reply_tokens,
        }
    policy = exploitability(player, kuhn, SAMPLES, seed)
    found["nash_conv"] = policy.nash_conv
    found["kuhn_return"] = exact.expected_return(kuhn, policy.as_policy(), exact.uniform)
    solved = reasoning.solve(player, reasoning.fresh(reasoning.CORPUS + reasoning.UNSEEN, PROBLEMS_EACH), seed=seed)
    for group in ("corpus", "unseen"):
        names = reasoning.GROUPS[group]
        patterns = solved.patterns(names)
        rows = [attempt for attempt in solved.attempts if attempt.family in names]
        found[group] = {
            "right": solved.mean(names).mean,
            "careful": sum(row["share"] for name, row in patterns.items() if name not in ("careless", "none")),
            "tokens": sum(attempt.tokens or 0 for attempt in rows) / len(rows),
            "patterns": patterns,
            "families": {name: solved.accuracy(name).mean for name in names},
        }
    return found


def _careful(episodes: Any) -> float:
    """The share of the language model's replies that reason in one of the three patterns."""
    from spiral_lite.nano.problems import PATTERNS, pattern_of

    used = Counter(pattern_of(turn.reply) for episode in episodes for turn in episode.turns if turn.reply_ids)
    return sum(used[pattern] for pattern in PATTERNS) / sum(used.values())


def curve(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Some columns of a run's metrics; every CURVE_EVERY steps, the first and the last."""
    last = len(rows)
    return [
        {"step": row["step"]} | {name: row[name] for name in row if name in CURVE or name.endswith(OF_GAME)}
        for row in rows
        if row["step"] == 1 or row["step"] == last or row["step"] % CURVE_EVERY == 0
    ]
