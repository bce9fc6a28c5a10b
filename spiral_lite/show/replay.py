"""One game, turn by turn: as plain text, and two games side by side as static HTML (before and after training).

Positions are replayed from the episode's history, so nothing depends on the prompt template. Records in, text out.
"""

from __future__ import annotations

import html
from collections.abc import Iterator

from spiral_lite import games
from spiral_lite.dialogue import observe
from spiral_lite.games import CHANCE, State
from spiral_lite.rollout import Episode, Turn

LAST_LINES = 4  # of an observation: what has changed, and the legal actions
ENDINGS = {"rules": "Over", "invalid": "Over by an invalid move", "turn_limit": "Over the turn limit: a draw"}


def moments(episode: Episode) -> Iterator[tuple[State, Turn | str]]:
    """(state, what happens there) in order: a turn, or a chance outcome as text."""
    state, turns = games.make(episode.game, **episode.options).initial_state(), iter(episode.turns)
    for action in episode.history:
        yield state, action if state.player == CHANCE else next(turns)
        state = state.apply(action)
    for turn in turns:  # the last reply, where it was invalid: it is not in the history
        yield state, turn


def storyboard(episode: Episode) -> str:
    """The game as plain text: what each player saw last, what it wrote, and what that meant.

    >>> from spiral_lite import games, players
    >>> from spiral_lite.rollout import play
    >>> seats = (players.random_player(), players.random_player())
    >>> print(storyboard(play(games.make("kuhn_poker"), seats, 1)[0]).splitlines()[0])
    kuhn_poker, player 0: random, player 1: random
    """
    blocks = [_headline(episode)]
    number = 0
    for state, event in moments(episode):
        if isinstance(event, str):
            blocks.append(_chance(state, event))
            continue
        number += 1
        body = [f"  | {line}" for line in seen(state, event.role)] + [f"  > {line}" for line in _lines(event.reply)]
        blocks.append(
            "\n".join([f"Turn {number}, player {event.role} ({event.player})", *body, f"  = {meaning(event)}"])
        )
    return "\n".join([*blocks, ending(episode)])


def side_by_side(before: Episode, after: Episode) -> str:
    """Two games as static HTML, in two columns that become one on a narrow screen. All model text is escaped."""
    columns = "".join(
        f'<section style="flex:1 1 20em;min-width:0" aria-label="{title}"><h3>{title}</h3>{_html(episode)}</section>'
        for title, episode in (("Before training", before), ("After training", after))
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">{columns}</div>'


def seen(state: State, role: int) -> list[str]:
    """The last lines of what the role read."""
    lines = [line for line in observe(state, role).splitlines() if line.strip() and line != "Next Action:"]
    return lines[-LAST_LINES:]


def meaning(turn: Turn) -> str:
    """The action of a turn, or why there was none."""
    return f"plays {turn.action}" if turn.invalid is None else f"invalid: {turn.invalid}"


def ending(episode: Episode) -> str:
    """How the game ended and what it paid."""
    first, second = episode.returns
    return f"{ENDINGS.get(episode.ended, episode.ended)}. Returns: player 0 {first:+g}, player 1 {second:+g}"


def _headline(episode: Episode) -> str:
    names = {turn.role: turn.player for turn in episode.turns}
    return f"{episode.game}, " + ", ".join(f"player {role}: {names.get(role, 'no turn')}" for role in (0, 1))


def _chance(state: State, outcome: str) -> str:
    players = state.chance_seen_by()
    seers = "both players" if len(players) == 2 else " and ".join(f"player {player}" for player in players) or "nobody"
    return f"Chance: {outcome} (seen by {seers})"


def _lines(text: str) -> list[str]:
    return text.strip().splitlines() or ["(nothing)"]


def _html(episode: Episode) -> str:
    parts = [f"<p>{html.escape(_headline(episode))}</p>"]
    pre = '<pre style="white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0;{}">{}</pre>'
    for state, event in moments(episode):
        if isinstance(event, str):
            parts.append(f"<p><em>{html.escape(_chance(state, event))}</em></p>")
            continue
        reply = "\n".join(_lines(event.reply))
        parts += [
            f"<h4>Player {event.role} ({html.escape(event.player)})</h4>",
            pre.format("opacity:.75", html.escape("\n".join(seen(state, event.role)))),
            pre.format("border-left:3px solid;padding-left:.6em", html.escape(reply)),
            f"<p><strong>{html.escape(meaning(event))}</strong></p>",
        ]
    return "".join([*parts, f"<p><strong>{html.escape(ending(episode))}</strong></p>"])
