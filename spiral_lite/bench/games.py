"""Games with text in and out: steps a second, ours against TextArena's, the same games move for move.

The moves are drawn beforehand, at random among the legal ones, and played again and again. A step writes what the
player to move reads and takes the move as text. Ours: `observe`, `parse`, `apply`, and a new state for each game.
TextArena (0.7.4): `get_observation`, `step`, and `reset` for each game; bare, which gives a list of new messages, and
within its LLMObservationWrapper, which gives the text that a language model reads. One process, one thread.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass
from typing import Any

from spiral_lite.bench import report
from spiral_lite.bench.crew import Crew, Result, in_turn, say

OURS, PEER = "ours", "textarena"
RAW, WRAPPED = "TextArena, bare", "TextArena, LLM wrapper"
GAMES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {  # our game and options, TextArena's and its own
    "tic_tac_toe": ("tic_tac_toe", {}, "TicTacToe-v0", {}),
    "kuhn_poker": ("kuhn_poker", {}, "KuhnPoker-v0", {"max_rounds": 1}),
    "kuhn_poker_match": ("kuhn_poker", {"rounds": 3}, "KuhnPoker-v0", {"max_rounds": 3}),
    "simple_negotiation": ("simple_negotiation", {"resources": "five"}, "SimpleNegotiation-v0", {}),
}
SCRIPTS = 100  # different games
COMMON_GOODS = ("Wheat", "Wood", "Sheep", "Brick")  # TextArena's fifth has another name


@dataclass(frozen=True)
class Settings:
    """seconds: of each measurement."""

    games: tuple[str, ...] = tuple(GAMES)
    seconds: float = 2.0
    repeats: int = 5
    seed: int = 1
    peers: tuple[str, ...] = (PEER,)

    def quick(self) -> dict[str, Any]:
        return {"seconds": 0.05, "repeats": 1}


def run(settings: Settings, command: str) -> Result:
    """The section of the report."""
    unknown = [game for game in settings.games if game not in GAMES]
    if unknown:
        raise ValueError(f"no comparison for {', '.join(unknown)}; there is one for {', '.join(GAMES)}")
    with Crew(OURS) as crew:
        crew.hire(OURS)
        for peer in settings.peers:
            crew.hire(peer, elsewhere=True)
        say("checking that all play the same games")
        for game in settings.games:
            crew.ask(PEER, "games.check", game=game, seed=settings.seed)

        def measure(case: str, repeat: int) -> Result | None:
            who, game = case.split(": ")
            asked = {"game": game, "seconds": settings.seconds, "seed": settings.seed}
            if who == OURS:
                return dict(crew.ask(OURS, "games.ours", **asked))
            found: Result | None = crew.ask(PEER, "games.text_arena", wrapped=who == WRAPPED, **asked)
            return found

        whom = (OURS, RAW, WRAPPED) if PEER in crew.workers else (OURS,)
        runs = in_turn([f"{who}: {game}" for game in settings.games for who in whom], settings.repeats, measure)
        return report.section("games", asdict(settings), command, crew, runs, comparisons=_comparisons(settings, runs))


def _comparisons(settings: Settings, runs: dict[str, list[Result]]) -> list[Result]:
    return [
        report.compare(
            f"{game} with text",
            "steps/s",
            report.rates(runs[f"{OURS}: {game}"], "steps_per_second"),
            peer,
            report.rates(runs[f"{peer}: {game}"], "steps_per_second"),
        )
        for game in settings.games
        for peer in (RAW, WRAPPED)
        if f"{peer}: {game}" in runs
    ]


def ours(game: str, seconds: float, seed: int) -> Result:
    """In a worker: our games."""
    from spiral_lite.dialogue import observe, parse
    from spiral_lite.games import CHANCE, TERMINAL, Invalid

    played = _make(game)
    replies = [[f"\\boxed{{{move}}}" for move in moves] for moves in scripts(game, seed)]
    rng = random.Random(seed)

    def play(moves: list[str]) -> int:
        state, read = played.initial_state(), 0
        for move in moves:
            while state.player == CHANCE:
                state = state.apply(state.sample_chance(rng))
            read += len(observe(state, state.player))
            action = parse(move, state)
            if isinstance(action, Invalid):
                raise ValueError(f"{move} is not legal: {action.reason}")
            state = state.apply(action)
        if state.player != TERMINAL:
            raise ValueError(f"{game} is not over after {moves}")
        return read

    return _timed(play, replies, seconds)


def text_arena(game: str, seconds: float, seed: int, wrapped: bool) -> Result:
    """In a worker of the peers' environment: TextArena's games."""
    from textarena.wrappers import LLMObservationWrapper

    bare = _make_text_arena(game)
    rng = random.Random(seed)

    def play(moves: list[str]) -> int:
        env = LLMObservationWrapper(bare) if wrapped else bare  # it keeps all it has seen, so each game has its own
        env.reset(num_players=2, seed=rng.getrandbits(32))
        read, done = 0, False
        for move in moves:
            if done:
                raise ValueError(f"TextArena's {game} is over before {moves} are")
            _, seen = env.get_observation()
            read += len(seen) if wrapped else sum(len(message[1]) for message in seen)
            done, _ = env.step(move)
        if not done:
            raise ValueError(f"TextArena's {game} is not over after {moves}")
        return read

    return _timed(play, _with_its_last_turn(scripts(game, seed), game), seconds)


def check(game: str, seed: int) -> bool:
    """In a worker of the peers' environment: each script is a whole game there, without an invalid move."""
    bare = _make_text_arena(game)
    for moves in _with_its_last_turn(scripts(game, seed), game):
        bare.reset(num_players=2, seed=seed)
        for move in moves:
            bare.step(move)
        _, info = bare.close()
        if any(of_player["invalid_move"] for of_player in info.values()):
            raise ValueError(f"TextArena finds an invalid move in {moves}")
    return True


def _make(game: str) -> Any:
    from spiral_lite.games import make

    name, options, *_ = GAMES[game]
    return make(name, **options)


def _make_text_arena(game: str) -> Any:
    import textarena

    *_, name, options = GAMES[game]
    return textarena.make(f"{name}-raw", **options)


def _timed(play: Any, games: list[list[str]], seconds: float) -> Result:
    """Plays the games in turn until the time is over. `play` returns the characters that were read."""
    play(games[0])
    steps = characters = n = 0
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        characters += play(games[n % len(games)])
        steps += len(games[n % len(games)])
        n += 1
    return {"steps_per_second": steps / spent, "games": n, "characters_per_observation": characters / steps}


def scripts(game: str, seed: int) -> list[list[str]]:
    """The moves of SCRIPTS whole games, legal in both implementations whatever is dealt."""
    from spiral_lite.games import CHANCE, TERMINAL

    rng = random.Random(f"{game}/{seed}")
    played = _make(game)
    found = []
    for _ in range(SCRIPTS):
        state = played.initial_state()
        moves: list[str] = []
        while state.player != TERMINAL:
            if state.player == CHANCE:
                state = state.apply(state.sample_chance(rng))
                continue
            trading = game == "simple_negotiation"
            moves.append(_trade(moves, rng) if trading else rng.choice(state.legal_actions()))
            state = state.apply(moves[-1])
        found.append(moves)
    return found


def _with_its_last_turn(games: list[list[str]], game: str) -> list[list[str]]:
    """TextArena's negotiation of ten turns ends after eleven."""
    more = ["[Deny]"] if game == "simple_negotiation" else []
    return [moves + more for moves in games]


def _trade(moves: list[str], rng: random.Random) -> str:
    """An offer of one unit for another (nobody can run out of five in ten turns), or an answer to one."""
    give, get = rng.sample(COMMON_GOODS, 2)
    offer = f"[Offer: 1 {give} -> 1 {get}]"
    answerable = bool(moves) and moves[-1].startswith("[Offer")
    return rng.choice(("[Accept]", "[Deny]", offer)) if answerable else offer
