"""The model card of the nano base model: how valid its moves are, and how right its careful and careless replies.

spiral-lite pretrain --out data/nano --card-only      # measures again and writes data/nano/README.md
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spiral_lite import dialogue, games
from spiral_lite.nano import held_out, problems
from spiral_lite.nano.pretrain import PretrainConfig
from spiral_lite.players import Backend, LanguageModel, Sampling
from spiral_lite.rollout import play

FIGURES = "figures.json"
STYLES = (*problems.PATTERNS, "careless", "none")
CARD_GAMES = (
    games.make("kuhn_poker"),
    games.make("tic_tac_toe"),
    games.make("simple_negotiation"),
    games.make("kuhn_poker", rounds=5),
    games.make("kuhn_poker", variant="published", rounds=5),
    games.make("simple_negotiation", resources="five"),
    *(games.make(name) for name in held_out.CAREFUL),
)


def measure(backend: Backend, turns: int = 2000, problems_each: int = 200, seed: int = 0) -> dict[str, Any]:
    """Figures at temperature 1: {"games": {game: ...}, "problems": {family: ...}, "gap": ..., "temperature", "seed"}.

    Games are self-play of the model, at least `turns` turns each; problems are those that the corpus keeps out.
    """
    played = {_title(game): measure_game(backend, game, turns, seed) for game in CARD_GAMES}
    solved = {family: measure_family(backend, family, problems_each, seed) for family in problems.FAMILIES}
    rates = [(row["careful_right"], row["careless_right"]) for row in solved.values()]
    gaps = [careful - careless for careful, careless in rates if careful is not None and careless is not None]
    return {
        "games": played,
        "problems": solved,
        "gap": sum(gaps) / len(gaps) if gaps else None,
        "temperature": 1.0,
        "seed": seed,
    }


def measure_game(backend: Backend, game: games.Game, turns: int, seed: int) -> dict[str, Any]:
    """Share of valid replies, all and by style, and how often each style is used."""
    player = LanguageModel(backend, Sampling())
    replies = [turn for episode in play(game, (player, player), turns=turns, seed=seed) for turn in episode.turns]
    styles = [problems.pattern_of(turn.reply) for turn in replies]
    return {
        "replies": len(replies),
        "valid": _share(turn.invalid is None for turn in replies),
        "valid_by_style": {
            style: _share(t.invalid is None for t, s in zip(replies, styles, strict=True) if s == style)
            for style in STYLES
            if style in styles
        },
        "styles": _shares(styles),
        "reply_tokens": sum(len(turn.reply_ids) for turn in replies) / len(replies),
    }


def measure_family(backend: Backend, family: str, n: int, seed: int) -> dict[str, Any]:
    """Accuracy of careful and of careless replies to `n` held-out problems of a family, and how often each is used."""
    rng = random.Random(f"{seed}/{family}")
    asked: list[problems.Problem] = []
    while len(asked) < n:
        problem = problems.make(family, rng)
        if problems.held_out(problem.question):
            asked.append(problem)
    replies = answer(backend, [problem.question for problem in asked], seed)
    styles = [problems.pattern_of(reply) for reply in replies]
    right = [problems.is_right(problem, dialogue.boxed(reply)) for problem, reply in zip(asked, replies, strict=True)]
    careful = [r for r, style in zip(right, styles, strict=True) if style in problems.PATTERNS]
    careless = [r for r, style in zip(right, styles, strict=True) if style == "careless"]
    return {
        "replies": n,
        "right": _share(right),
        "careful_right": _share(careful),
        "careless_right": _share(careless),
        "styles": _shares(styles),
    }


def answer(backend: Backend, questions: list[str], seed: int, sampling: Sampling | None = None) -> list[str]:
    """One reply to each question, in the template of reasoning problems."""
    tokenizer = backend.tokenizer
    prompts = [dialogue.prompt(dialogue.question_message(question), tokenizer) for question in questions]
    ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    generated = backend.generate(ids, sampling or Sampling(), [seed + i for i in range(len(ids))])
    return [str(text) for text in tokenizer.batch_decode([list(g.ids) for g in generated], skip_special_tokens=True)]


def write_recipe(folder: Path, config: PretrainConfig, minutes: float) -> None:
    """Starts `figures.json` with how the model was made; `write` adds what is measured of it."""
    (folder / FIGURES).write_text(json.dumps({"minutes": minutes, "config": asdict(config)}, indent=1) + "\n")


def write(folder: Path, measured: dict[str, Any]) -> None:
    """Puts the figures into `figures.json` and writes the card, `README.md`. Raises ValueError if the folder does not
    say how its model was made."""
    file = folder / FIGURES
    if not file.exists():
        raise ValueError(f"no {FIGURES} in {str(folder)!r}: it is written by spiral-lite pretrain --out {folder}")
    recipe = json.loads(file.read_text())
    figures = {"minutes": recipe["minutes"], "config": recipe["config"], **measured}
    file.write_text(json.dumps(figures, indent=1) + "\n")
    (folder / "README.md").write_text(render(figures))


def render(figures: dict[str, Any]) -> str:
    """The card as Markdown."""
    config = figures["config"]
    lines = [
        "# nano: the base model of spiral_lite",
        "",
        f"A Llama of {figures['parameters'] / 1e6:.2f}M parameters and {figures['vocabulary']} tokens that plays small"
        " games and solves small problems: half of the time carefully, half by a guess. Self-play starts from it.",
        "",
        "- **Corpus**: made by `spiral_lite/nano/corpus.py` as training goes; no text from elsewhere. Shares of games"
        " and problems are in `SHARES` there; the patterns are in `nano/replies.py` and `nano/problems.py`.",
        f"- **Recipe**: {config['steps']} steps of {config['batch_size']} samples, seed {config['seed']},"
        f" {figures['minutes']:.0f} minutes of one CPU core beside other work; loss on the reply only.",
        "- **Command**: `spiral-lite pretrain --out data/nano` (weights, tokenizer, card);"
        " `spiral-lite pretrain --card-only --out data/nano` measures again. The same seed gives the same corpus; the"
        " weights of another machine differ in rounding.",
        "- **Licence**: that of this repository.",
        "",
        "All figures are at temperature 1; games are the model against itself, problems are held out from the"
        " corpus (a tenth of all questions, by hash).",
        "",
        "| game | replies | valid % | careful: valid % | careless: valid % | tokens a reply |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in figures["games"].items():
        lines.append(
            f"| {name} | {row['replies']} | {_percent(row['valid'])} | {_percent(_careful_valid(row))} |"
            f" {_percent(row['valid_by_style'].get('careless'))} | {row['reply_tokens']:.1f} |"
        )
    lines += [
        "",
        "| problem family | right % | careful: right % | careless: right % |",
        "|---|---|---|---|",
    ]
    for name, row in figures["problems"].items():
        shares = (row["right"], row["careful_right"], row["careless_right"])
        lines.append(f"| {name} | " + " | ".join(_percent(share) for share in shares) + " |")
    lines += [
        "",
        f"Careful replies are right {_percent(figures['gap'])} points more often than careless ones, on average.",
        "",
        "| share of replies, % | " + " | ".join(STYLES) + " |",
        "|---|" + "---|" * len(STYLES),
    ]
    for name, row in {**figures["games"], **figures["problems"]}.items():
        lines.append(f"| {name} | " + " | ".join(_percent(row["styles"].get(style, 0.0)) for style in STYLES) + " |")
    return "\n".join(lines) + "\n"


def _careful_valid(row: dict[str, Any]) -> float | None:
    """Share of valid replies among the careful ones, from the shares by style."""
    weights = {style: row["styles"][style] for style in problems.PATTERNS if style in row["styles"]}
    total = sum(weights.values())
    return sum(row["valid_by_style"][style] * weight for style, weight in weights.items()) / total if total else None


def _title(game: games.Game) -> str:
    options = ", ".join(f"{key}={value}" for key, value in game.options().items())
    return f"{game.name} ({options})" if options else game.name


def _share(flags: Iterable[bool]) -> float | None:
    """None where there is nothing to count."""
    flags = list(flags)
    return sum(flags) / len(flags) if flags else None


def _shares(styles: list[str]) -> dict[str, float]:
    counts = Counter(styles)
    return {style: counts[style] / len(styles) for style in STYLES if counts[style]}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
