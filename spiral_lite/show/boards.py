"""A position as a picture made of HTML: a board, cards, a table of goods. State in, text out.

Only the three games that SPIRAL trains on and Connect Four have a picture; what the players read is the fallback.
`seat` decides what is face down: a player sees what `state.information(seat)` holds, None sees all. Only rules stand
in here, no text of a model. Colours are the reader's own, so that the pictures fit a light and a dark notebook.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from spiral_lite.games import CHANCE, State
from spiral_lite.games.connect_four import COLUMNS

TABLE = '<table style="border-collapse:collapse;width:auto;margin:.4em 0" aria-label="{}">{}</table>'
CELL = (
    '<td style="border:1px solid;width:2.4em;min-width:2.4em;height:2.4em;padding:0;'
    'text-align:center;vertical-align:middle"><span style="{}">{}</span></td>'
)
FAINT = "opacity:.5;font-size:.8em"
CARD = (
    '<span style="display:inline-block;margin:0 1.2em .4em 0;text-align:center"><span style="display:inline-block;'
    'border:2px solid;border-radius:.3em;padding:.5em .8em;font-size:1.5em;line-height:1.2">{}</span><br>{}</span>'
)
HIDDEN = "?"


def drawing(state: State, seat: int | None = None) -> str:
    """The picture of a position as `seat` sees it (None: everything); "" for a game that has none, and before the deal.

    >>> from spiral_lite import games
    >>> "?" in drawing(games.make("kuhn_poker").replay(["K", "J"]), seat=0)
    True
    """
    draw = _DRAWINGS.get(state.game.name)
    return draw(state, seat) if draw else ""


def lines(items: list[str]) -> str:
    """Short lines under a picture."""
    return "".join(f'<div style="margin:.2em 0">{html.escape(item)}</div>' for item in items)


def moves(history: tuple[str, ...], first: int = 0) -> list[str]:
    """One line an action of players who take turns."""
    return [f"Player {(first + i) % 2} played {action}" for i, action in enumerate(history)]


def _tic_tac_toe(state: Any, seat: int | None) -> str:
    last = int(state.history[-1][1]) if state.history else None
    cells = [
        (mark, "font-weight:bold" if i == last else "") if mark != "." else (str(i), FAINT)
        for i, mark in enumerate(state.board)
    ]
    return _board(cells, 3, "tic-tac-toe: " + " / ".join(state.board[i : i + 3] for i in (0, 3, 6)))


def _connect_four(state: Any, seat: int | None) -> str:
    cells = [(mark if mark != "." else "", "") for mark in state.board]
    numbers = [(str(column), FAINT) for column in range(COLUMNS)]
    rows = [state.board[i : i + COLUMNS] for i in range(0, len(state.board), COLUMNS)]
    return _board([*cells, *numbers], COLUMNS, "connect four: " + " / ".join(rows))


def _board(cells: list[tuple[str, str]], width: int, label: str) -> str:
    """cells: (text, its style) from the top left."""
    rows = [cells[i : i + width] for i in range(0, len(cells), width)]
    body = "".join("<tr>" + "".join(CELL.format(style, text) for text, style in row) + "</tr>" for row in rows)
    return TABLE.format(html.escape(label), body)


def _kuhn_poker(state: Any, seat: int | None) -> str:
    if state.cards:  # a round that goes on
        known = [state.cards[player] if len(state.cards) > player else HIDDEN for player in (0, 1)]
        shown = [card if seat in (None, player) else HIDDEN for player, card in enumerate(known)]
        starter, actions = state.known(0).starter, state.known(0).actions
    elif state.finished[0]:  # the showdown of the latest
        own = [rounds[-1] for rounds in state.finished]
        known = [played.card for played in own]
        shown = known if seat is None else [HIDDEN, HIDDEN]
        if seat is not None:
            shown[seat], shown[1 - seat] = known[seat], own[seat].other_card or HIDDEN
        starter, actions = own[0].starter, own[0].actions
    else:
        return ""
    cards = "".join(CARD.format(card, f"Player {player}") for player, card in enumerate(shown))
    earlier = [f"Round {i}: player {played.winner} won {played.chips}" for i, played in enumerate(state.finished[0], 1)]
    return f"<div>{cards}</div>{lines([*(earlier if state.game.rounds > 1 else []), *moves(actions, starter)])}"


def _simple_negotiation(state: Any, seat: int | None) -> str:
    if state.player == CHANCE:
        return ""
    seen = [player for player in (0, 1) if seat in (None, player)]
    cell = '<td style="border:1px solid;padding:.2em .7em;text-align:right">{}</td>'
    head = "".join(
        f'<th style="border:1px solid;padding:.2em .7em;text-align:right">{title}</th>'
        for title in ("", "Player 0 has", "worth to it", "Player 1 has", "worth to it")
    )
    rows = ""
    for i, good in enumerate(state.game.goods):
        cells = [good]
        for player in (0, 1):
            cells += [str(state.held[player][i]), str(state.values[player][i]) if player in seen else HIDDEN]
        rows += "<tr>" + "".join(cell.format(html.escape(text)) for text in cells) + "</tr>"
    gains = ", ".join(f"player {player} {state.gain(player):+d}" for player in seen)
    table = TABLE.format("goods and what they are worth", f"<tr>{head}</tr>{rows}")
    return table + lines([f"Gained so far: {gains}", *moves(state.history[state.game.deals :])])


_DRAWINGS: dict[str, Callable[[Any, int | None], str]] = {
    "tic_tac_toe": _tic_tac_toe,
    "connect_four": _connect_four,
    "kuhn_poker": _kuhn_poker,
    "simple_negotiation": _simple_negotiation,
}
