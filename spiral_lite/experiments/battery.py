"""What is measured of every trained model, the same for all arms: games, problems, patterns.

Games at temperature 1, as they are trained: matches over both seats against a random player; Kuhn poker's NashConv and
exact mean return against a random player. Problems as in the paper: temperature 0.6, top_p 0.95, of the corpus's
families (held-out questions) and of families that no corpus has; which reasoning patterns are used, how often each is
right, and the entropy of the replies.
An experiment may ask for more: points of a path along training (`point`), matches of other games, and the base model
sampled sharper (`sharpness`).
Read `arms.py` before this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from spiral_lite.experiments.arms import Arm, Experiment

POINT_GAMES, POINT_SAMPLES, POINT_PROBLEMS_EACH = 100, 64, 10  # at every point of a path
CURVE_EVERY = 4  # steps
CURVE = ("reply_tokens", "no_reasoning_rate", "invalid_rate", "entropy", "grad_norm", "kl", "distinct_rate")
OF_GAME = ("/return", "/baseline", "/advantage", "/advantage_std")  # and what ends so: why a baseline matters


def settings(experiment: Experiment) -> dict[str, Any]:
    """How much is measured."""
    found: dict[str, Any] = {**asdict(experiment.sizes), "games": list(experiment.sizes.games)}
    if experiment.every:
        found["path"] = {"every": experiment.every, "match_games": POINT_GAMES, "problems_each": POINT_PROBLEMS_EACH}
    if experiment.held_out:
        found["held_out"] = list(experiment.held_out)
    if experiment.temperatures:
        found["temperatures"] = list(experiment.temperatures)
    return found


def measure(player: Any, experiment: Experiment, arm: Arm, seed: int) -> dict[str, Any]:
    """All figures of a player that is a language model. Everybody is asked the same problems."""
    from spiral_lite import games
    from spiral_lite.evaluation import exact, patterns, reasoning
    from spiral_lite.evaluation.exploitability import exploitability
    from spiral_lite.nano import problems

    kuhn, sizes = games.make("kuhn_poker"), experiment.sizes
    found: dict[str, Any] = {"games": {name: _match(player, name, sizes.match_games, seed) for name in sizes.games}}
    found["games"] |= {name: _match(player, name, sizes.match_games // 2, seed) for name in experiment.held_out}
    policy = exploitability(player, kuhn, sizes.samples, seed)
    found["nash_conv"] = policy.nash_conv
    found["kuhn_return"] = exact.expected_return(kuhn, policy.as_policy(), exact.uniform)
    asked = reasoning.fresh(reasoning.CORPUS + reasoning.UNSEEN, sizes.problems_each)
    reader = problems.pattern_of if experiment.model == "nano" else patterns.pattern_of  # by first words, or by rules
    solved = reasoning.solve(player, asked, seed=seed, pattern=reader)
    found |= {group: _problems(solved, reasoning.GROUPS[group]) for group in ("corpus", "unseen")}
    if not arm.games:
        found["sharpness"] = [sharpness(player, temperature, asked, seed) for temperature in experiment.temperatures]
    return found


def sharpness(player: Any, temperature: float, asked: Sequence[Any], seed: int) -> dict[str, Any]:
    """The same problems at another temperature: does a model that is only surer of itself solve more?"""
    from spiral_lite.evaluation import reasoning

    sampling = replace(reasoning.PAPER, temperature=temperature)
    solved = reasoning.solve(player, asked, sampling=sampling, seed=seed)
    groups = {group: _problems(solved, reasoning.GROUPS[group]) for group in ("corpus", "unseen")}
    return {"temperature": temperature, **groups}


def point(player: Any, arm: Arm, step: int, seed: int) -> dict[str, Any]:
    """A point of the path of a run: games against a random player, patterns in them and in problems; where Kuhn poker
    is learnt, its NashConv and policy (`follow` makes more of it)."""
    from spiral_lite import games
    from spiral_lite.evaluation import reasoning
    from spiral_lite.evaluation.exploitability import exploitability

    solved = reasoning.solve(player, reasoning.fresh(reasoning.CORPUS, POINT_PROBLEMS_EACH), seed=seed)
    found: dict[str, Any] = {
        "step": step,
        "games": {name: _match(player, name, POINT_GAMES, seed) for name in arm.games},
        "corpus": _problems(solved, reasoning.CORPUS),
    }
    if "kuhn_poker" in arm.games:
        policy = exploitability(player, games.make("kuhn_poker"), POINT_SAMPLES, seed)
        found |= {"nash_conv": policy.nash_conv, "policy": policy.policy}
    return found


def follow(path: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points of a path, with exact figures of Kuhn poker for each policy given a valid reply: its mean `returns`
    against a random and an equilibrium player and the policy before training, and how often it `wins` against that of
    each earlier step."""
    from spiral_lite import games
    from spiral_lite.evaluation import exact
    from spiral_lite.evaluation.exploitability import set_name
    from spiral_lite.players.kuhn import equilibrium_policy

    kuhn = games.make("kuhn_poker")
    followed: list[dict[str, Any]] = []
    for here in path:
        if "policy" not in here:
            return list(path)
        policies = [lambda state, table=one["policy"]: table[set_name(state)] for one in (*followed, here)]
        opponents = {"random": exact.uniform, "equilibrium": equilibrium_policy, "base": policies[0]}
        returns = {name: exact.expected_return(kuhn, policies[-1], other) for name, other in opponents.items()}
        wins = {
            str(past["step"]): exact.win_rate(kuhn, policies[-1], policy)
            for past, policy in zip(followed, policies, strict=False)
        }
        followed.append({**here, "returns": returns, "wins": wins})
    return followed


def _match(player: Any, game: str, n: int, seed: int) -> dict[str, Any]:
    """Against a random player. Of each pattern: its share of the replies, how many of these are valid, and the mean
    return of the games that they stand in."""
    from spiral_lite import games, players
    from spiral_lite.evaluation.matches import match
    from spiral_lite.nano.problems import PATTERNS, pattern_of

    result = match(games.make(game), player, players.make("random"), n, seed)
    used: dict[str, list[tuple[bool, float]]] = {}
    for episode in result.episodes:
        for turn in episode.turns:
            if turn.reply_ids:
                row = (turn.invalid is None, episode.returns[turn.role])
                used.setdefault(pattern_of(turn.reply), []).append(row)
    replies = sum(map(len, used.values()))
    return {
        "return": result.mean_return,
        "invalid": result.invalid_rate,
        "careful": sum(len(used.get(pattern, [])) for pattern in PATTERNS) / replies,
        "tokens": result.mean_reply_tokens,
        "patterns": {
            name: {
                "share": len(rows) / replies,
                "valid": sum(valid for valid, _ in rows) / len(rows),
                "return": sum(value for _, value in rows) / len(rows),
            }
            for name, rows in sorted(used.items())
        },
    }


def _problems(solved: Any, names: Sequence[str]) -> dict[str, Any]:
    """Of the problems of some families."""
    from spiral_lite.nano.problems import PATTERNS

    patterns = solved.patterns(names)
    rows = [attempt for attempt in solved.attempts if attempt.family in names]
    return {
        "right": solved.mean(names).mean,
        "careful": sum(row["share"] for name, row in patterns.items() if name in PATTERNS),
        "tokens": sum(attempt.tokens or 0 for attempt in rows) / len(rows),
        "entropy": solved.entropy(names),
        "patterns": patterns,
        "families": {name: solved.accuracy(name).mean for name in names},
    }


def curve(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Some columns of a run's metrics; every CURVE_EVERY steps, the first and the last."""
    last = len(rows)
    return [
        {"step": row["step"]} | {name: row[name] for name in row if name in CURVE or name.endswith(OF_GAME)}
        for row in rows
        if row["step"] == 1 or row["step"] == last or row["step"] % CURVE_EVERY == 0
    ]
