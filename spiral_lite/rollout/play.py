"""Many games at once: hand each player the turns that wait on it, step a game as soon as its reply is there.

Differs from SPIRAL's code, which plays one game an actor process. Every game draws from its own seed, so the order in
which replies come makes no difference: the same seed gives the same games; `engine.py` says what rounding may change.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spiral_lite.dialogue import game_message, observe, parse
from spiral_lite.games import CHANCE, TERMINAL, TRAINING_FORFEIT, Forfeit, Game, Invalid, State
from spiral_lite.players import Desk, Player, Prompt, Reply, random_player
from spiral_lite.rollout.records import Episode, Turn

DEFAULT_IN_FLIGHT = 256


@dataclass
class Table:
    """A game that is being played."""

    index: int
    seed: int
    state: State
    seats: tuple[Player, Player]
    rng: random.Random
    reply_rng: random.Random  # the same one, unless other tables have the same deals
    turns: list[Turn] = field(default_factory=list)
    ended: str = ""
    forfeited_by: int | None = None

    def settle_chance(self) -> None:
        while self.state.player == CHANCE:
            self.state = self.state.apply(self.state.sample_chance(self.rng))

    @property
    def to_move(self) -> Player:
        return self.seats[self.state.player]

    def prompt(self) -> Prompt:
        message = game_message(observe(self.state, self.state.player), self.state.game)
        return Prompt(self.state, message, self.reply_rng.getrandbits(48), self.seed)

    def take(self, reply: Reply, message: str) -> None:
        """Records the reply and steps the game with it."""
        role = self.state.player
        action = parse(reply.text, self.state)
        invalid = action.reason if isinstance(action, Invalid) else None
        self.turns.append(
            Turn(
                role=role,
                player=self.seats[role].name,
                prompt=reply.prompt or message,
                reply=reply.text,
                action=None if isinstance(action, Invalid) else action,
                invalid=invalid,
                truncated=reply.truncated,
                prompt_ids=reply.prompt_ids,
                reply_ids=reply.ids,
                logprobs=reply.logprobs,
            )
        )
        if isinstance(action, Invalid):
            self.ended, self.forfeited_by = "invalid", role
            return
        self.state = self.state.apply(action)
        self.settle_chance()
        if self.state.player == TERMINAL:
            self.ended = "rules"
        elif len(self.turns) >= self.state.game.max_turns:
            self.ended = "turn_limit"

    def episode(self, forfeit: Forfeit | None, policy_version: int) -> Episode:
        game = self.state.game
        returns = self.state.returns() if self.ended == "rules" else (0.0, 0.0)
        if self.forfeited_by is not None:
            rule = game.forfeit(forfeit) if forfeit else game.loss_forfeit()
            returns = rule.returns(self.forfeited_by)
        return Episode(
            game=game.name,
            options=game.options(),
            seed=self.seed,
            history=self.state.history,
            turns=tuple(self.turns),
            returns=returns,
            ended=self.ended,
            policy_version=policy_version,
        )


def play(
    games: Game | Sequence[Game],
    seats: tuple[Player, Player] | Sequence[tuple[Player, Player]],
    n: int = 0,
    seed: int = 0,
    *,
    turns: int = 0,
    forfeit: Forfeit | None = TRAINING_FORFEIT,
    in_flight: int = DEFAULT_IN_FLIGHT,
    policy_version: int = 0,
    same_deals: bool = False,
) -> list[Episode]:
    """Plays `n` games, or whole games until there are at least `turns` turns; episodes are in the order of their start.

    Game i is games[i % len(games)], seated by seats[i % len(seats)]. `in_flight` games run at a time. An invalid reply
    ends a game with `forfeit` (None: as the worst loss, the rule of evaluation), for both players alike if the game is
    cooperative; a game over its turn limit is a draw. `same_deals`: the games of one round through `seats` get the same
    cards and dice (duplicate, as in bridge), and replies of their own.
    Raises ValueError if neither or both of `n` and `turns` are given.
    """
    if (n > 0) == (turns > 0):
        raise ValueError(f"n={n}, turns={turns}: give how many games or how many turns to play, e.g. n=100")
    games = [games] if isinstance(games, Game) else list(games)
    seatings = [seats] if isinstance(seats, tuple) else list(seats)
    live: list[Table] = []
    finished: list[Table] = []
    begun = 0
    with _Desks() as desks:
        while True:
            wanted = n - begun if n else _games_wanted(turns, live, finished, in_flight)
            indices = range(begun, begun + max(0, min(wanted, in_flight - len(live))))
            fresh = [begin(index, games, seatings, seed, same_deals) for index in indices]
            begun += len(fresh)
            live += fresh
            desks.ask(fresh)
            if not live:
                break
            moved = desks.collect()
            desks.ask([table for table in moved if not table.ended])
            finished += [table for table in moved if table.ended]
            live = [table for table in live if not table.ended]
    finished.sort(key=lambda table: table.index)
    return [table.episode(forfeit, policy_version) for table in finished]


def begin(
    index: int, games: Sequence[Game], seatings: Sequence[tuple[Player, Player]], seed: int, same_deals: bool
) -> Table:
    """Game number `index` of a call of `play` with these arguments, dealt."""
    game_seed = random.Random(f"{seed}/{index // len(seatings) if same_deals else index}").getrandbits(48)
    rng = random.Random(game_seed)
    reply_rng = random.Random(f"{seed}/{index}/replies") if same_deals else rng
    seating = seatings[index % len(seatings)]
    table = Table(index, game_seed, games[index % len(games)].initial_state(), (seating[0], seating[1]), rng, reply_rng)
    table.settle_chance()
    return table


def _games_wanted(turns: int, live: list[Table], finished: list[Table], in_flight: int) -> int:
    """How many games to begin for `turns` turns: a first round of `in_flight`, then as many as make up what is missing.

    A round is played to its end before the next begins, so that long games are as likely to be in as short ones.
    """
    played = sum(len(table.turns) for table in finished)
    if live or played >= turns:
        return 0
    return math.ceil((turns - played) * len(finished) / played) if finished else in_flight


class _Desks:
    """The desk of every player that has been asked."""

    def __init__(self) -> None:
        self._desks: dict[int, Desk] = {}

    def __enter__(self) -> _Desks:
        return self

    def __exit__(self, *_: Any) -> None:
        for desk in self._desks.values():
            desk.close()

    def ask(self, tables: Sequence[Table]) -> None:
        """Hands each table's turn to the player whose move it is, all turns of a player together."""
        waiting: dict[int, list[Table]] = {}
        for table in tables:
            waiting.setdefault(id(table.to_move), []).append(table)
        for key, theirs in waiting.items():
            if key not in self._desks:
                player = theirs[0].to_move
                self._desks[key] = player.desk() if hasattr(player, "desk") else Desk(player)
            prompts = [table.prompt() for table in theirs]
            self._desks[key].ask(
                [((table, prompt.message), prompt) for table, prompt in zip(theirs, prompts, strict=True)]
            )

    def collect(self) -> list[Table]:
        """Takes the replies that are ready, and returns their tables."""
        moved = []
        for desk in self._desks.values():
            for (table, message), reply in desk.collect():
                table.take(reply, message)
                moved.append(table)
        return moved


def typical_turns(game: Game, playouts: int = 32) -> float:
    """Turns of a game between random players, on average, for planning how many games fill a batch of turns."""
    episodes = play(game, (random_player(), random_player()), playouts)
    return sum(len(episode.turns) for episode in episodes) / playouts
