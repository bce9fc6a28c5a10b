"""Play against any player by hand, in any game: a widget over a sitting that needs no widget.

    Play(games.make("kuhn_poker"), opponents.load("runs/a"), seat=0)      # the last line of a cell shows it

The person sees what a player in that seat may know; the other's replies, its reasoning, stay hidden until the game is
over. Without a front end a stand-in plays the moves of `script`, and the storyboard is printed.
Read `rollout/play.py` before this: the same table, moved by hand.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from spiral_lite import players
from spiral_lite.games import Game, Invalid, State
from spiral_lite.players import Player, Reply
from spiral_lite.rollout import Episode
from spiral_lite.rollout.play import begin
from spiral_lite.show import replay
from spiral_lite.show.boards import drawing
from spiral_lite.show.front_end import someone_is_there

GRIDS = {"tic_tac_toe": 3}  # games whose board the buttons are: columns


class Sitting:
    """One game of a person in `seat` against a player; same seed, same cards, as in `rollout.play`."""

    def __init__(self, game: Game, opponent: Player, seat: int = 0, seed: int = 0) -> None:
        if seat not in (0, 1):
            raise ValueError(f"seat={seat!r}: the seats are 0 (acts first in most games) and 1; e.g. seat=0")
        self.opponent, self.seat = opponent, seat
        person = players.person()
        self._table = begin(0, [game], [(person, opponent) if seat == 0 else (opponent, person)], seed, False)

    @property
    def state(self) -> State:
        """The position."""
        return self._table.state

    @property
    def turns(self) -> int:
        """How many there were."""
        return len(self._table.turns)

    @property
    def waits(self) -> bool:
        """Whether it is the person's turn."""
        return not self._table.ended and self.state.player == self.seat

    @property
    def episode(self) -> Episode | None:
        """The record of the game once it is over; an invalid reply counts as the worst loss."""
        return self._table.episode(None, 0) if self._table.ended else None

    def move(self, text: str) -> str:
        """The person's move. What is none changes nothing; returns why, or ""."""
        action = self.state.read(text.strip())
        if isinstance(action, Invalid):
            return action.reason
        self._table.take(Reply(f"\\boxed{{{action}}}"), self._table.prompt().message)
        return ""

    def answer(self) -> None:
        """The other player's moves, until it is the person's turn or the game is over."""
        while not self._table.ended and not self.waits:
            prompt = self._table.prompt()
            (reply,) = self.opponent.reply([prompt])
            self._table.take(reply, prompt.message)


def is_open(state: State) -> bool:
    """Whether more actions are possible than `legal_actions` lists, such as any offer of a negotiation."""
    return type(state).read is not State.read


def position(state: State, seat: int, picture: bool = True) -> str:
    """What a person in that seat sees before a move, as HTML: the picture, where there is one, and what a model would
    read. Without `picture`: the rest of it."""
    lines = replay.told(state, seat)  # what can be played the buttons say
    who, read = (
        f'<pre style="{replay.WRAPPED}">{html.escape(text.removeprefix("[GAME] "))}</pre>'
        for text in (lines[0], "\n".join(lines))
    )
    drawn = drawing(state, seat)
    if not drawn:
        return read
    return f"{who}{drawn if picture else ''}<details><summary>What a model reads here</summary>{read}</details>"


def reveal(episode: Episode, seat: int) -> str:
    """The end for the person in that seat, and the whole game with every reply, as HTML."""
    mine, others = episode.returns[seat], episode.returns[1 - seat]
    result = "You won" if mine > others else "You lost" if mine < others else "Nobody won"
    final, _ = list(replay.moments(episode))[-1]
    outcome = f"<h3>{result}: {replay.signed(mine)}</h3>{replay.final(final, seat)}"
    return f"{outcome}<h3>What was written</h3>{replay.page(episode)}"


def play_script(sitting: Sitting, script: Sequence[str]) -> Episode:
    """A stand-in for the person: in each turn the first move of the script that is possible and not yet used; when none
    is left, the first legal one."""
    left = list(script)
    sitting.answer()
    while sitting.waits:
        possible = [text for text in left if not isinstance(sitting.state.read(text), Invalid)]
        move = possible[0] if possible else sitting.state.legal_actions()[0]
        if possible:
            left.remove(move)
        sitting.move(move)
        sitting.answer()
    assert sitting.episode is not None
    return sitting.episode


class Play:
    """The widget. `script`: the moves where nobody can click (`headless`; None: find out)."""

    def __init__(
        self,
        game: Game,
        opponent: Player,
        seat: int = 0,
        seed: int = 0,
        script: Sequence[str] = (),
        headless: bool | None = None,
    ) -> None:
        self.game, self.opponent, self.seat, self.seed = game, opponent, seat, seed
        self.script, self._headless = script, headless
        self.sitting = Sitting(game, opponent, seat, seed)
        self._box: Any = None

    def widget(self) -> Any:
        """The widget, at the person's first turn."""
        if self._box is None:
            import ipywidgets

            self.page, self.status = (ipywidgets.HTML() for _ in range(2))
            self.moves = ipywidgets.Box(layout=ipywidgets.Layout(flex_flow="row wrap"))
            self.entry = ipywidgets.Text(placeholder="another move", layout=ipywidgets.Layout(width="22em"))
            self.say = ipywidgets.Button(description="Play it", tooltip="Play what the box says")
            self.say.on_click(lambda _: self._act(self.entry.value, self.sitting.turns))
            self.entry.on_msg(lambda _, message, __: self._entered(message))
            self.open_move = ipywidgets.HBox([self.entry, self.say])
            self.new = ipywidgets.Button(description="New game", tooltip="Deal again")
            self.new.on_click(lambda _: self._new_game())
            parts = [self.page, self.moves, self.open_move, self.status, self.new]
            self._box = ipywidgets.VBox(parts)
            self._answer()
        return self._box

    def _act(self, text: str, turn: int) -> None:
        """A button or the box. A second click on a button of a turn that is over does nothing."""
        if turn != self.sitting.turns or not self.sitting.waits:
            return
        why = self.sitting.move(text)
        if why:
            self._say(f"Not possible: {why}")
            return
        self.entry.value = ""
        self._answer()

    def _entered(self, message: dict[str, Any]) -> None:
        if message.get("event") == "submit":  # Enter in the box
            self.say.click()

    def _answer(self) -> None:
        self._draw()
        if not self.sitting.waits and self.sitting.episode is None:
            self._say(f"{self.opponent.name} thinks ...")
        try:
            self.sitting.answer()
        except Exception as error:  # of any player, such as an endpoint: a front end hides what a handler raises
            self._say(f"{self.opponent.name} did not answer. {type(error).__name__}: {error}")
            self.moves.children = (self._button("Ask again", lambda _: self._answer()),)
            return
        self._draw()

    def _new_game(self) -> None:
        self.seed += 1
        self.sitting = Sitting(self.game, self.opponent, self.seat, self.seed)
        self._answer()

    def _say(self, text: str) -> None:
        pre = f'<pre style="{replay.WRAPPED}" role="status">{html.escape(replay.visible(text))}</pre>'
        self.status.value = pre if text else ""

    def _draw(self) -> None:
        sitting, episode = self.sitting, self.sitting.episode
        self.page.value = reveal(episode, self.seat) if episode else self._position(sitting.state)
        self.moves.children = () if episode else self._moves(sitting.state)
        self.open_move.layout.display = "flex" if sitting.waits and is_open(sitting.state) else "none"
        self._say("Your move." if sitting.waits else "")

    def _position(self, state: State) -> str:
        return position(state, self.seat, picture=state.game.name not in GRIDS)  # there the buttons are the picture

    def _moves(self, state: State) -> tuple[Any, ...]:
        """A button for each legal action; where the buttons are the board, one for each cell, in their places."""
        import ipywidgets

        turn, waits = self.sitting.turns, self.sitting.waits
        legal = state.legal_actions() if waits else ()

        def button(action: str, label: str) -> Any:
            return self._button(label, lambda _: self._act(action, turn), disabled=action not in legal)

        columns = GRIDS.get(state.game.name)
        if columns is None:
            return tuple(button(action, action) for action in legal)
        board: str = state.information(self.seat)["board"]
        cells = [button(f"[{i}]", str(i) if mark == "." else mark) for i, mark in enumerate(board)]
        for cell in cells:
            cell.layout.height, cell.layout.min_width = "3.4em", "0"  # no wider than its column
            cell.style.font_size = "1.2em"
            cell.style.font_weight = "bold" if cell.disabled else "normal"
        return (ipywidgets.GridBox(cells, layout={"grid_template_columns": f"repeat({columns}, 4.2em)"}),)

    @staticmethod
    def _button(label: str, pressed: Callable[[Any], None], disabled: bool = False) -> Any:
        import ipywidgets

        layout = {"width": "auto", "min_width": "4em"}
        button = ipywidgets.Button(description=label, disabled=disabled, layout=layout)
        button.on_click(pressed)
        return button

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if not someone_is_there() if self._headless is None else self._headless:
            print(replay.storyboard(play_script(self.sitting, self.script)))
        else:
            display(self.widget())
