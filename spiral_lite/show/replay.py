"""One game, turn by turn: as plain text, as static HTML (one game, or two side by side), and one moment of it.

Positions are replayed from the episode's history, so nothing depends on the prompt template. Records in, text out.
Whatever a player wrote is shown as text: escaped, inside <pre> or <code> (where a notebook sets no formulas), and
with its control characters made visible. `replay_widget.py` turns the pages by hand.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

from spiral_lite import games
from spiral_lite.dialogue import observe
from spiral_lite.games import CHANCE, State
from spiral_lite.rollout import Episode, Turn
from spiral_lite.show.boards import drawing

LAST_LINES = 4  # of an observation: what has changed, and the legal actions
ASKING = ("Available Moves:", "Next Action:")  # how the lines of an observation begin that ask for a move
ENDINGS = {"rules": "Over", "invalid": "Over by an invalid move", "turn_limit": "Over the turn limit: a draw"}
HALVES = [*range(0x7F, 0xA0), *range(0xD800, 0xE000)]  # C1 control characters; halves of characters
VISIBLE = {i: 0x2400 + i for i in range(32) if chr(i) not in "\n\t"} | dict.fromkeys(HALVES, 0xFFFD)
WRAPPED = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;margin:.3em 0;line-height:1.35"
Event = Turn | str | None


def moments(episode: Episode) -> Iterator[tuple[State, Event]]:
    """(state, what happens there) in order: a turn, or a chance outcome as text; last the final position with None."""
    state, turns = games.make(episode.game, **episode.options).initial_state(), iter(episode.turns)
    for action in episode.history:
        yield state, action if state.player == CHANCE else next(turns)
        state = state.apply(action)
    for turn in turns:  # the last reply, where it was invalid: it is not in the history
        yield state, turn
    yield state, None


def read_log(path: Path) -> list[Episode]:
    """The games of a log; a last line that is not yet complete is left out."""
    with open(path, encoding="utf-8") as file:
        return [Episode.from_json(line) for line in file if line.endswith("\n")]


def storyboard(episode: Episode) -> str:
    """The game as plain text: what each player saw last, what it wrote, and what that meant.

    >>> from spiral_lite import games, players
    >>> from spiral_lite.rollout import play
    >>> seats = (players.random_player(), players.random_player())
    >>> print(storyboard(play(games.make("kuhn_poker"), seats, 1)[0]).splitlines()[0])
    kuhn_poker, player 0: random, player 1: random
    """
    blocks = [headline(episode)]
    number = 0
    for state, event in moments(episode):
        if isinstance(event, str):
            blocks.append(_chance(state, event))
        elif event is not None:
            number += 1
            body = [f"  | {line}" for line in seen(state, event.role)] + [f"  > {line}" for line in _lines(event.reply)]
            blocks.append("\n".join([f"Turn {number}, {_who(event)}", *body, f"  = {meaning(event)}"]))
    return "\n".join([*blocks, ending(episode)])


def page(episode: Episode) -> str:
    """The whole game as static HTML."""
    parts = [f"<p>{_code(headline(episode))}</p>"]
    for state, event in moments(episode):
        if isinstance(event, str):
            parts.append(f"<p><em>{html.escape(_chance(state, event))}</em></p>")
        elif event is not None:
            parts += [f"<h4>{_code(_who(event))}</h4>", _pre("\n".join(seen(state, event.role)), "opacity:.75")]
            parts += [_written(event)]
    return "".join([*parts, f"<p><strong>{html.escape(ending(episode))}</strong></p>"])


def side_by_side(before: Episode, after: Episode) -> str:
    """Two games as static HTML, in two columns that become one on a narrow screen."""
    columns = "".join(
        f'<section style="flex:1 1 20em;min-width:0" aria-label="{title}"><h3>{title}</h3>{page(episode)}</section>'
        for title, episode in (("Before training", before), ("After training", after))
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">{columns}</div>'


def moment(episode: Episode, i: int) -> str:
    """Moment `i` of `len(list(moments(episode)))` as HTML: the position with all cards open, and what happens there.

    Raises IndexError beyond the last moment.
    """
    all_moments = list(moments(episode))
    state, event = all_moments[i]
    parts = [f"<p>{_code(headline(episode))}<br>Moment {i + 1} of {len(all_moments)}</p>"]
    if event is None:
        parts.append(f"{final(state)}<p><strong>{html.escape(ending(episode))}</strong></p>")
    elif isinstance(event, str):
        dealt, _ = all_moments[i + 1]  # a deal is seen by what it dealt
        parts.append(f"{drawing(dealt)}<p><em>{html.escape(_chance(state, event))}</em></p>")
    else:
        position = drawing(state)
        read = "" if position else _pre(observe(state, event.role), "opacity:.75")
        prompt = f"<details><summary>The whole prompt</summary>{_pre(event.prompt, 'opacity:.75')}</details>"
        parts += [position, f"<h4>{_code(_who(event))} writes</h4>", read, _written(event), prompt]
    return "".join(parts)


def final(state: State, role: int = 0) -> str:
    """The last position as HTML: with all cards open where the game has a picture, else as `role` sees it."""
    return drawing(state) or _pre("\n".join(told(state, role)), "opacity:.75")


def told(state: State, role: int) -> list[str]:
    """The lines that the role reads, but for those that ask for a move."""
    return [line for line in observe(state, role).splitlines() if not line.startswith(ASKING)]


def seen(state: State, role: int) -> list[str]:
    """The last lines of what the role read."""
    lines = [line for line in observe(state, role).splitlines() if line.strip() and line != "Next Action:"]
    return lines[-LAST_LINES:]


def meaning(turn: Turn) -> str:
    """The action of a turn, or why there was none."""
    cut = " (the reply was cut at the token limit)" if turn.truncated else ""
    return visible(f"plays {turn.action}" if turn.invalid is None else f"invalid: {turn.invalid}") + cut


def ending(episode: Episode) -> str:
    """How the game ended and what it paid."""
    first, second = map(signed, episode.returns)
    return f"{ENDINGS.get(episode.ended, episode.ended)}. Returns: player 0 {first}, player 1 {second}"


def signed(points: float) -> str:
    """A return with its sign; that of 0 is +.

    >>> signed(1.0), signed(-0.5), signed(-0.0)
    ('+1', '-0.5', '+0')
    """
    return f"{points + 0.0:+g}"


def headline(episode: Episode) -> str:
    """The game and who played it."""
    names = {turn.role: turn.player for turn in episode.turns}
    return visible(f"{episode.game}, " + ", ".join(f"player {role}: {names.get(role, 'no turn')}" for role in (0, 1)))


def visible(text: str) -> str:
    r"""The text with its control characters as pictures, so that none of them can move a cursor or set a colour.

    >>> visible("\x1b[31mred\r")
    '␛[31mred␍'
    """
    return text.translate(VISIBLE)


def _who(turn: Turn) -> str:
    return visible(f"player {turn.role} ({turn.player})")


def _chance(state: State, outcome: str) -> str:
    players = state.chance_seen_by()
    seers = "both players" if len(players) == 2 else " and ".join(f"player {player}" for player in players) or "nobody"
    return f"Chance: {outcome} (seen by {seers})"


def _lines(text: str) -> list[str]:
    return visible(text.strip().replace("\r\n", "\n")).split("\n") if text.strip() else ["(nothing)"]


def _written(turn: Turn) -> str:
    """A reply as HTML, and what it meant."""
    reply = _pre("\n".join(_lines(turn.reply)), "border-left:3px solid;padding-left:.6em")
    return f"{reply}<p>{'&#10007;' if turn.invalid else '&#8594;'} <strong>{_code(meaning(turn))}</strong></p>"


def _pre(text: str, style: str) -> str:
    return f'<pre style="{WRAPPED};{style}">{html.escape(visible(text))}</pre>'


def _code(text: str) -> str:
    return f'<code style="background:none;padding:0;overflow-wrap:anywhere">{html.escape(text)}</code>'
