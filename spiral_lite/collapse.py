"""Early warning: `explain(rows)` says in words what is going wrong in a run, and what to look at.

SPIRAL (arXiv:2506.24119, section 4 and its ablation) calls it thinking collapse: replies shrink from 3,500 characters
to nothing. What that and its relatives look like in a row of metrics, and from which number on they are a danger, is
ours, measured on the nano model (`METRICS.md`), and can be changed: `Limits`.

A number is compared with the run's own first step, which is played before anything is learnt: a share that is normal
for one model is a collapse for another. Only what is never healthy has a limit of its own. Compared is the mean of the
latest few steps, since one step of few turns is noisy.
Read `metrics.py` before this, `trainer/guard.py`, which acts on it, after.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Row = Mapping[str, float]


@dataclass(frozen=True)
class Limits:
    """From which number on `explain` speaks. Shares lie in [0, 1]; "times" compares with the first step."""

    window: int = 3  # latest steps, whose mean is compared
    rise: float = 0.15  # a share has risen when it is so much above the first step's
    invalid: float = 0.2  # invalid or truncated replies, and risen
    mostly: float = 0.5  # invalid: grave; from the first step on: the model does not know the format
    no_reasoning: float = 0.9  # replies without reasoning, and risen
    alike: float = 0.05  # spread of a game's returns: below, all games ended alike
    idle: float = 0.9  # advantages that are nearly 0
    shorter: float = 0.5  # times the length of replies
    much_shorter: float = 0.25  # grave
    repetitive: float = 0.3  # times the share of distinct replies
    certain: float = 0.25  # times the entropy of a token
    noisy: float = 4.0  # times the entropy of a token
    spike: float = 20.0  # times the median norm of the gradient of all steps before
    tiny: float = 1e-6  # norm of the gradient: nothing is learnt
    drift: float = 1.0  # KL divergence from the base model, nats a token
    clipped: float = 0.3  # tokens whose importance ratio is clipped


@dataclass(frozen=True)
class Finding:
    """Something to look at: what is seen (with the numbers), the likely cause, what to try. `sign` is its short name;
    `grave`: the run has collapsed, more steps will not mend it."""

    sign: str
    seen: str
    cause: str
    advice: str
    grave: bool = False

    def __str__(self) -> str:
        return f"{self.seen}. Likely cause: {self.cause}. What to try: {self.advice}."


def explain(rows: Sequence[Row], limits: Limits = Limits()) -> list[Finding]:
    """What a student should look at, the gravest first; nothing for a healthy run. rows: as `read_metrics` gives."""
    if not rows:
        return []
    broken = list(_broken(rows[-1]))
    if broken:
        return broken  # what follows would compare with not-a-numbers
    view = _View(rows, limits)
    found = [*_games(view), *_replies(view), *_tokens(view), *_optimizer(view)]
    return sorted(found, key=lambda finding: not finding.grave)


@dataclass(frozen=True)
class _View:
    """The rows as the checks read them."""

    rows: Sequence[Row]
    limits: Limits

    def now(self, name: str) -> float | None:
        """The mean of the latest steps; None where it is not logged."""
        return _mean(self.rows[-self.limits.window :], name)

    def start(self, name: str) -> float | None:
        """Of the first step."""
        return _mean(self.rows[:1], name)

    def pair(self, name: str) -> tuple[float, float] | None:
        """(now, start), or None where it is not logged."""
        now, start = self.now(name), self.start(name)
        return None if now is None or start is None else (now, start)

    def risen(self, name: str, limit: float) -> tuple[float, float] | None:
        """(now, start) of a share that is above its limit and has risen."""
        pair = self.pair(name)
        return pair if pair and pair[0] > limit and pair[0] - pair[1] > self.limits.rise else None

    def times(self, name: str) -> tuple[float, float, float] | None:
        """(now, start, now / start)."""
        pair = self.pair(name)
        return (*pair, pair[0] / pair[1]) if pair and pair[1] > 0 else None


def _mean(rows: Sequence[Row], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None and math.isfinite(row[name])]
    return statistics.fmean(values) if values else None


def _broken(row: Row) -> Iterator[Finding]:
    """Numbers that are none."""
    bad = [name for name in ("loss", "grad_norm", "entropy", "kl") if name in row and not _is_finite(row[name])]
    if bad:
        yield Finding(
            "not_a_number",
            f"{' and '.join(bad)} of step {row['step']:.0f} is not a finite number",
            "a step was so large that weights overflowed",
            "go back to a checkpoint from before, with a smaller learning_rate",
            grave=True,
        )


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)  # TRL logs None for a mean of nothing but NaN


def _games(view: _View) -> Iterator[Finding]:
    """Whether the games still teach something."""
    limits = view.limits
    spreads = {name: view.now(name) for name in view.rows[-1] if name.endswith("/return_std")}
    alike = [name.split("/")[0] for name, spread in spreads.items() if spread is not None and spread < limits.alike]
    idle = view.now("zero_advantage_rate")
    wasted = idle is not None and idle > limits.idle  # with baseline none or shared, it need not be
    for game in alike:
        games = view.now("games") if len(spreads) == 1 else None
        many = f"games of {game}" if games is None else f"{games:.0f} games"
        returns = ", ".join(f"player {role} {now:+.2f}" for role, (now, _) in _returns(view, game).items())
        fine = _is_fine(view, game)
        yield Finding(
            "ended_alike",
            f"All {many} ended alike ({returns})"
            + (", so every advantage is near zero and nothing is left to learn" if wasted else ""),
            _why_alike(view, game),
            "a stronger opponent or a harder game; if there is none, the run may end here"
            if fine
            else "a smaller learning_rate, a KL penalty (beta) or an entropy bonus, from a checkpoint from before",
            # a model that knows no format yet begins so, and may learn
            grave=len(view.rows) > limits.window and not fine,
        )
    if not alike and wasted:
        yield Finding(
            "idle",
            f"{idle:.0%} of the turns have an advantage near zero: the step has little to learn from",
            "most games pay what the baseline expects, for instance draws between equals",
            "filter_zero_adv=True, a harder game, or another opponent",
        )


def _returns(view: _View, game: str) -> dict[int, tuple[float, float | None]]:
    """(now, start) of each role that the learner plays."""
    names = {role: f"{game}/role{role}/return" for role in (0, 1)}
    return {role: (now, view.start(name)) for role, name in names.items() if (now := view.now(name)) is not None}


def _is_fine(view: _View, game: str) -> bool:
    """Whether a game ends alike because the learner plays well: no role earns less than at the start, or all is drawn
    and both together earn no less; and hardly a game is lost by an invalid reply."""
    pairs = [(now, start) for now, start in _returns(view, game).values() if start is not None]
    if not pairs or _lost_by_error(view) > view.limits.invalid:
        return False
    changes, near = [now - start for now, start in pairs], view.limits.alike
    drawn = max(now for now, _ in pairs) - min(now for now, _ in pairs) < near
    return min(changes) > -near or (drawn and statistics.fmean(changes) > -near)


def _lost_by_error(view: _View) -> float:
    """The share of games; an invalid reply ends its game."""
    return (view.now("invalid_rate") or 0) * (view.now("turns_per_game") or 1)


def _why_alike(view: _View, game: str) -> str:
    if _lost_by_error(view) > view.limits.mostly:
        return "games are lost by an invalid reply before they are decided"
    if (view.now("draw_rate") or 0) > 1 - view.limits.alike:
        return "every game is a draw"
    returns = [now for now, _ in _returns(view, game).values()]
    if returns and min(returns) > 0:
        return "the learner gains in every game, whatever its role"
    return "the strategies of both roles have become pure: each always does the same"


def _replies(view: _View) -> Iterator[Finding]:
    """Whether replies are still moves, and still reasoned."""
    limits = view.limits
    if risen := view.risen("no_reasoning_rate", limits.no_reasoning):
        yield Finding(
            "no_reasoning",
            f"{risen[0]:.0%} of the replies hold next to nothing but the box; at the start {risen[1]:.0%} did",
            "thinking collapse: the answer alone won as often as a reasoned one, and short replies are easier to learn",
            "a baseline for each role (baseline='role'), a smaller learning_rate, a KL penalty (beta)",
            grave=True,
        )
    length = view.times("reply_tokens")
    if length and length[2] < limits.shorter:
        yield Finding(
            "shorter",
            f"Replies have shrunk from {length[1]:.0f} to {length[0]:.0f} tokens",
            "reasoning is being dropped" if "no_reasoning_rate" in view.rows[-1] else "thinking collapse",
            "read some games of games/: are the short replies still reasoned? If not, a KL penalty (beta)",
            grave=length[2] < limits.much_shorter,
        )
    if risen := view.risen("invalid_rate", limits.invalid):
        yield Finding(
            "invalid",
            f"{risen[0]:.0%} of the replies are invalid; at the start {risen[1]:.0%} were",
            "steps are too large, so that the model forgets the format or which moves are legal",
            "a smaller learning_rate, or a KL penalty (beta)",
            grave=risen[0] > limits.mostly,
        )
    elif (pair := view.pair("invalid_rate")) and min(pair) > limits.mostly:
        yield Finding(
            "unknown_format",
            f"{pair[0]:.0%} of the replies are invalid, as at the start ({pair[1]:.0%})",
            "the model has never learnt to box a legal move, so that games are decided by who errs first",
            "a short supervised warm-up on the format, a larger model, or a larger max_completion_length",
        )
    if risen := view.risen("truncated_rate", limits.invalid):
        yield Finding(
            "truncated",
            f"{risen[0]:.0%} of the replies are cut at the token limit; at the start {risen[1]:.0%} were",
            "replies grow or no longer end",
            "read some games of games/: if they still reason, a larger max_completion_length; if they ramble, a KL "
            "penalty (beta)",
        )


def _tokens(view: _View) -> Iterator[Finding]:
    """Whether the policy still explores, and still writes language."""
    limits = view.limits
    distinct = view.times("distinct_rate")
    if distinct and distinct[2] < limits.repetitive:
        yield Finding(
            "repetitive",
            f"Only {distinct[0]:.0%} of the replies differ from one another; at the start {distinct[1]:.0%} did",
            "the policy writes the same few texts whatever the position",
            "an entropy bonus (entropy_coef), a KL penalty (beta), or a smaller learning_rate",
        )
    entropy = view.times("entropy")
    if entropy and entropy[2] < limits.certain:
        yield Finding(
            "certain",
            f"The entropy of a token has fallen from {entropy[1]:.3f} to {entropy[0]:.3f} nats",
            "the policy has become certain of every word and no longer explores",
            "an entropy bonus (entropy_coef), a KL penalty (beta), or a smaller learning_rate",
        )
    if entropy and entropy[2] > limits.noisy:
        yield Finding(
            "noisy",
            f"The entropy of a token has risen from {entropy[1]:.3f} to {entropy[0]:.3f} nats",
            "the policy drifts into noise: learning from invalid or random outcomes pushes every text down",
            "a smaller learning_rate, or a KL penalty (beta)",
        )
    drift = view.now("kl")
    if drift is not None and drift > limits.drift:
        yield Finding(
            "drift",
            f"The policy is {drift:.2f} nats a token away from the model that the run began with",
            "many large steps in one direction",
            "a larger beta, or a smaller learning_rate",
        )


def _optimizer(view: _View) -> Iterator[Finding]:
    """Whether the steps have a healthy size."""
    limits = view.limits
    norms = [row["grad_norm"] for row in view.rows if _is_finite(row.get("grad_norm"))]
    usual = statistics.median(norms[:-1]) if len(norms) > limits.window else None
    if usual and norms[-1] > limits.spike * usual:
        yield Finding(
            "spike",
            f"The gradient's norm is {norms[-1]:.2g}, {norms[-1] / usual:.0f} times what is usual in this run",
            "a few replies that have become very unlikely were sampled and judged, or KL pulls hard",
            "a smaller max_grad_norm or learning_rate, if it comes again",
        )
    if len(norms) >= limits.window and max(norms[-limits.window :]) < limits.tiny:
        yield Finding(
            "no_gradient",
            f"The gradient's norm is below {limits.tiny:g}: the step changes nothing",
            "all advantages are 0, or no weight is trainable",
            "look at zero_advantage_rate and at the returns",
        )
    clipped = view.now("clip_ratio/region_mean")
    if clipped is not None and clipped > limits.clipped:
        yield Finding(
            "clipped",
            f"{clipped:.0%} of the tokens are clipped: their probability has left the trusted region",
            "the optimizer steps on one batch of games are too many or too large",
            "a smaller num_iterations or learning_rate",
        )
