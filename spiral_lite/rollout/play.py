"""Many games at once: collect the turns that wait on the same player, ask for them in one batch, step the games.

Differs from SPIRAL's code, which plays one game an actor process. The same seed gives the same games on one device.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from spiral_lite.dialogue import game_message, observe, parse
from spiral_lite.games import CHANCE, TERMINAL, TRAINING_FORFEIT, Forfeit, Game, Invalid, State
from spiral_lite.players import Player, Prompt, Reply, random_player
from spiral_lite.rollout.records import Episode, Turn

DEFAULT_IN_FLIGHT = 256


@dataclass
class _Table:
    """A game that is being played."""

    index: int
    seed: int
    state: State
    seats: tuple[Player, Player]
    rng: random.Random
    turns: list[Turn] = field(default_factory=list)
    ended: str = ""
    forfeited_by: int | None = None

    def settle_chance(self) -> None:
        while self.state.player == CHANCE:
            self.state = self.state.apply(self.state.sample_chance(self.rng))

    def prompt(self) -> Prompt:
        message = game_message(observe(self.state, self.state.player))
        return Prompt(self.state, message, self.rng.getrandbits(48))

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
            returns = (forfeit or game.loss_forfeit()).returns(self.forfeited_by)
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
) -> list[Episode]:
    """Plays `n` games, or whole games until there are at least `turns` turns; episodes are in the order of their start.

    Game i is games[i % len(games)], seated by seats[i % len(seats)]. `in_flight` games run at a time. An invalid reply
    ends a game with `forfeit` (None: as the worst loss, the rule of evaluation); a game over its turn limit is a draw.
    Raises ValueError if neither or both of `n` and `turns` are given.
    """
    if (n > 0) == (turns > 0):
        raise ValueError(f"n={n}, turns={turns}: give how many games or how many turns to play, e.g. n=100")
    games = [games] if isinstance(games, Game) else list(games)
    seatings = [seats] if isinstance(seats, tuple) else list(seats)
    live: list[_Table] = []
    finished: list[_Table] = []
    begun = 0
    while True:
        wanted = n - begun if n else _games_wanted(turns, live, finished, in_flight)
        for _ in range(min(wanted, in_flight - len(live))):
            game_seed = random.Random(f"{seed}/{begun}").getrandbits(48)
            state = games[begun % len(games)].initial_state()
            seating = seatings[begun % len(seatings)]
            table = _Table(begun, game_seed, state, (seating[0], seating[1]), random.Random(game_seed))
            table.settle_chance()
            live.append(table)
            begun += 1
        if not live:
            break
        _ply(live)
        finished += [table for table in live if table.ended]
        live = [table for table in live if not table.ended]
    finished.sort(key=lambda table: table.index)
    return [table.episode(forfeit, policy_version) for table in finished]


def _games_wanted(turns: int, live: list[_Table], finished: list[_Table], in_flight: int) -> int:
    """How many games to begin for `turns` turns: a first round of `in_flight`, then as many as make up what is missing.

    A round is played to its end before the next begins, so that long games are as likely to be in as short ones.
    """
    played = sum(len(table.turns) for table in finished)
    if live or played >= turns:
        return 0
    return math.ceil((turns - played) * len(finished) / played) if finished else in_flight


def _ply(live: list[_Table]) -> None:
    """One reply for every live game: the turns that wait on the same player are one batch."""
    waiting: dict[int, list[_Table]] = {}
    for table in live:
        waiting.setdefault(id(table.seats[table.state.player]), []).append(table)
    for tables in waiting.values():
        player = tables[0].seats[tables[0].state.player]
        prompts = [table.prompt() for table in tables]
        for table, prompt, reply in zip(tables, prompts, player.reply(prompts), strict=True):
            table.take(reply, prompt.message)


def typical_turns(game: Game, playouts: int = 32) -> float:
    """Turns of a game between random players, on average, for planning how many games fill a batch of turns."""
    episodes = play(game, (random_player(), random_player()), playouts)
    return sum(len(episode.turns) for episode in episodes) / playouts
