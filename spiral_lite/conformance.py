"""The promises that every game keeps, checked by playing: run it on a game of your own with `games.check(game)`.

One function a promise; each raises AssertionError that names the game, the history, what was promised and what
happened. Random playouts visit the states, and at every state every listed action is tried, so small games are covered
well and large ones by sample. Read `games/base.py` before this.

The promise about secrets is checked by a swap. Where chance deals something that player p does not see, replace it by
something else (one secret, or all of them at once), repeat the rest of the history, and p must read exactly the same as
before. The comparison ends
1. where the game ends, or at the first chance node after a player has acted: a showdown may turn cards up there;
2. where the rest of the history stops being possible after the swap: if a move is only legal with a certain card, then
   that move itself tells (so a game that reveals a card in mid-round names it in an action or outcome: `[show K]`).
So it has no false alarm, and a leak can hide only behind such a point.
"""

from __future__ import annotations

import copy
import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

from spiral_lite.dialogue import observe, parse
from spiral_lite.games import CHANCE, TERMINAL, Game, Invalid, State, from_dict, names
from spiral_lite.games.base import as_json

NONSENSE = ("", "[no such action]", "[", "\\boxed{}")
MOST_CHANCE_NODES = 10_000  # of one playout; a game that deals for ever is broken
SWAPS = 8  # of one secret in a playout, and as many of all that a player does not see


def check(game: Game, playouts: int = 100, seed: int = 0) -> None:
    """Plays `playouts` random games and raises AssertionError with the first promise that `game` breaks."""
    before = _global_generators()
    check_options(game)
    check_declared_returns(game)
    for playout in range(playouts):
        path = _play(game, random.Random(f"{seed}:{playout}"), STATE_PROMISES)
        check_secrets(path, random.Random(f"{seed}:{playout}:swap"))
        again = _play(game, random.Random(f"{seed}:{playout}"), ())
        if again != path:
            raise _broken(path[-1], "the same seed gives the same playout", f"another one: {again[-1].history}")
        if _global_generators() != before:
            raise _broken(
                path[-1],
                "the process-wide generators (random, numpy, torch) are left alone",
                "their state has changed; make every random event a chance node",
            )


def check_options(game: Game) -> None:
    """Options are JSON data that build the same game again, and neither game nor state can be changed."""
    state = game.initial_state()
    options = json.loads(json.dumps(game.options()))
    if type(game)(**options) != game:
        raise _broken(state, "a game with the same options is an equal game", f"{options} gives another one")
    for thing in (game, state):
        parameters = getattr(type(thing), "__dataclass_params__", None)
        if parameters is None or not parameters.frozen:
            raise _broken(state, f"{type(thing).__name__} is frozen", "it lacks @dataclass(frozen=True)")


def check_declared_returns(game: Game) -> None:
    """What the game says of its returns makes sense; `check_returns` holds every game played to it."""
    state, least, most = game.initial_state(), game.min_return, game.max_return
    if game.zero_sum and game.common_payoff:
        raise _broken(state, "the game is zero-sum or pays both the same, not both", "set zero_sum = False")
    if game.zero_sum and least != -most:
        raise _broken(state, "in a zero-sum game min_return is -max_return", f"they are {least} and {most}")
    if not least <= 0 <= most:
        raise _broken(state, "0, which a game over its turn limit pays, is in the range", f"it is {least} to {most}")


def check_player(state: State) -> None:
    """Somebody is to move, and only a player to move has legal actions."""
    if state.player not in (0, 1, CHANCE, TERMINAL):
        raise _broken(state, "player is 0, 1, CHANCE or TERMINAL", f"it is {state.player!r}")
    legal = state.legal_actions()
    if state.player in (0, 1) and not legal:
        raise _broken(state, f"player {state.player} has a legal action", "legal_actions() is empty")
    if state.player not in (0, 1) and legal:
        raise _broken(state, "nobody has legal actions at chance and at the end", f"legal: {legal}")
    if len(set(legal)) < len(legal) or not all(isinstance(action, str) for action in legal):
        raise _broken(state, "legal actions are different strings", f"legal: {legal}")


def check_chance(state: State) -> None:
    """The outcomes of a chance node have probabilities that sum to 1; other states have none."""
    outcomes = state.chance_outcomes()
    if state.player != CHANCE:
        if outcomes:
            raise _broken(state, "chance_outcomes() is empty where chance does not move", f"it is {outcomes}")
        return
    total = math.fsum(probability for _, probability in outcomes)
    if abs(total - 1) > 1e-9 or any(probability <= 0 for _, probability in outcomes):
        raise _broken(state, "chance probabilities are positive and sum to 1", f"they sum to {total}: {outcomes}")
    if len({outcome for outcome, _ in outcomes}) < len(outcomes):
        raise _broken(state, "the outcomes of a chance node are different strings", f"they are {outcomes}")
    if not set(state.chance_seen_by()) <= {0, 1}:
        raise _broken(state, "chance_seen_by() names players 0 and 1 only", f"it is {state.chance_seen_by()}")


def check_legality(state: State) -> None:
    """Every legal action and outcome applies and is written down; anything else raises ValueError."""
    legal = _choices(state)
    for action in legal:
        after = _apply(state, action)
        if after.history != (*state.history, action):
            raise _broken(state, f"the history grows by {action!r}", f"it became {after.history}")
    known = {action for action in state.history if action not in legal}  # legal before, and perhaps no more
    for action in (*NONSENSE, *sorted(known)):
        if state.player in (0, 1) and not isinstance(state.read(action), Invalid):
            continue  # an open action set: a valid action that is not listed
        try:
            after = state.apply(action)
        except ValueError:
            continue
        except Exception as error:
            raise _broken(state, f"{action!r} is refused with ValueError", f"it raised {error!r}") from error
        raise _broken(state, f"{action!r} is illegal here and raises ValueError", f"it led to {after.history}")


def check_immutability(state: State) -> None:
    """`apply` leaves the old state as it was, and gives equal states when it is repeated."""
    before, shown = copy.deepcopy(state), _everything(state)
    for action in _choices(state):
        first = _apply(state, action)
        if _everything(state) != shown or state != before:
            raise _broken(before, f"apply({action!r}) leaves this state as it was", f"it became {state!r}")
        if _apply(state, action) != first:
            raise _broken(state, f"apply({action!r}) is a function of the state", "the second call gave another state")


def check_returns(state: State) -> None:
    """Nothing is paid before the end; then within the range, and with a sum of 0 or the same to both as declared."""
    returns = list(state.returns())
    if state.player != TERMINAL:
        if returns != [0, 0]:
            raise _broken(state, "returns() is (0, 0) before the end", f"it is {returns}")
        return
    least, most = state.game.min_return, state.game.max_return
    if len(returns) != 2 or not all(least <= value <= most for value in returns):
        raise _broken(state, f"two returns from {least} to {most} (min_return, max_return)", f"they are {returns}")
    if state.game.zero_sum and returns[0] + returns[1] != 0:
        raise _broken(state, "the game is zero-sum", f"the returns are {returns} (else set zero_sum = False)")
    if state.game.common_payoff and returns[0] != returns[1]:
        raise _broken(state, "both players get the same (common_payoff)", f"the returns are {returns}")


def check_information(state: State) -> None:
    """What a player knows is JSON data, the same on each call, and can be read as text."""
    for player in (0, 1):
        information = state.information(player)
        try:
            copied = json.loads(json.dumps(information, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise _broken(state, f"information({player}) is JSON data", f"{error}: {information}") from error
        if copied != information:
            raise _broken(
                state,
                f"information({player}) survives JSON (lists, not tuples; strings as keys)",
                f"{information} came back as {copied}",
            )
        if as_json(state.known(player)) != information:
            raise _broken(
                state,
                f"known({player}) holds the facts of information({player}), all and no others",
                f"{state.known(player)} is not {information}",
            )
        if state.information(player) != information or observe(state, player) != observe(state, player):
            raise _broken(state, f"information({player}) is a function of the state", "two calls differ")


def check_json(state: State) -> None:
    """A state survives being written down. A game that is not registered yet is rebuilt from its class."""
    data = json.loads(json.dumps(state.to_dict()))
    if state.game.name in names():
        again = from_dict(data)
    else:
        again = type(state.game)(**data["options"]).replay(data["history"])
    if again != state:
        raise _broken(state, "from_dict(to_dict()) gives an equal state", f"{again!r} is not {state!r}")


def check_replies(state: State) -> None:
    """A reply that boxes a legal action is read as that action."""
    for action in state.legal_actions():
        read = parse(f"I have thought about it. \\boxed{{{action}}}", state)
        if read != action:
            raise _broken(state, f"a reply with \\boxed{{{action}}} is read as {action!r}", f"it is read as {read!r}")


STATE_PROMISES: tuple[Callable[[State], None], ...] = (
    check_player,
    check_chance,
    check_immutability,  # before any other promise that applies actions: they would change a state that can change
    check_legality,
    check_returns,
    check_information,
    check_json,
    check_replies,
)


def check_secrets(path: list[State], rng: random.Random) -> None:
    """No player can tell what chance dealt to the other (see above for how, and for how long)."""
    for player in (0, 1):
        others = {  # for each chance node that the player does not see: what might have come out instead
            step: [outcome for outcome, _ in state.chance_outcomes() if outcome != path[step + 1].history[-1]]
            for step, state in enumerate(path)
            if state.player == CHANCE and player not in state.chance_seen_by()
        }
        others = {step: outcomes for step, outcomes in others.items() if outcomes}
        if not others:
            continue
        one = [{step: outcome} for step, outcomes in others.items() for outcome in outcomes]
        every = [{step: rng.choice(outcomes) for step, outcomes in others.items()} for _ in range(SWAPS)]
        for swap in rng.sample(one, min(SWAPS, len(one))) + every:
            _compare(path, player, swap)


def _compare(path: list[State], player: int, swap: dict[int, str]) -> None:
    """Plays `path` again with the outcomes of `swap` (step: outcome) instead, and looks through the player's eyes."""
    for real, other in _follow(path, swap):
        seen, after_swap = _seen_by(real, player), _seen_by(other, player)
        if seen == after_swap:
            continue
        differ = [name for name in seen if seen[name] != after_swap[name]]
        dealt = ", ".join(f"{path[step + 1].history[-1]!r} and not {outcome!r}" for step, outcome in swap.items())
        raise _broken(
            real,
            f"player {player} cannot tell that chance dealt {dealt}",
            f"his {differ[0]} would be {after_swap[differ[0]]!r}, and it is {seen[differ[0]]!r}",
        )


def _follow(path: list[State], swap: dict[int, str]) -> Iterator[tuple[State, State]]:
    """Pairs (real state, state after the swap) along the same history, up to where a secret may come out."""
    first = min(swap)
    other, acted = path[first], False
    for step in range(first, len(path) - 1):
        try:
            other = other.apply(swap.get(step, path[step + 1].history[-1]))
        except ValueError:
            return
        acted = acted or path[step].player != CHANCE
        real = path[step + 1]
        if TERMINAL in (real.player, other.player) or (acted and CHANCE in (real.player, other.player)):
            return
        yield real, other


def _seen_by(state: State, player: int) -> dict[str, Any]:
    """All that reaches a player: whether it is his move, what he may do, what he knows and reads."""
    mine = state.player == player
    return {
        "to move": mine,
        "legal": state.legal_actions() if mine else (),
        "information": state.information(player),
        "observation": observe(state, player),
    }


def _play(game: Game, rng: random.Random, promises: tuple[Callable[[State], None], ...]) -> list[State]:
    """The states of one random game, from the first to the last; `promises` are checked as it goes."""
    state, turns = game.initial_state(), 0
    path = [state]
    for promise in promises:
        promise(state)
    while state.player != TERMINAL:
        turns += state.player != CHANCE
        if turns > game.max_turns or len(path) - turns > MOST_CHANCE_NODES:
            raise _broken(state, f"the game ends within max_turns={game.max_turns} actions", "it goes on")
        action = state.sample_chance(rng) if state.player == CHANCE else rng.choice(state.legal_actions())
        state = _apply(state, action)
        path.append(state)
        for promise in promises:
            promise(state)
    return path


def _choices(state: State) -> tuple[str, ...]:
    return tuple(outcome for outcome, _ in state.chance_outcomes()) or state.legal_actions()


def _apply(state: State, action: str) -> State:
    """The state after an action or outcome that the game itself lists."""
    try:
        return state.apply(action)
    except Exception as error:
        raise _broken(state, f"{action!r} is listed as possible, so it applies", f"it raised {error!r}") from error


def _everything(state: State) -> str:
    """A text that changes if anything about the state does."""
    derived = (state.player, state.legal_actions(), state.returns(), state.information(0), state.information(1))
    return repr((state, derived))


def _global_generators() -> list[Any]:
    """The state of the process-wide generators, of those modules that somebody has imported."""
    found: list[Any] = [random.getstate()]
    if "numpy" in sys.modules:
        name, keys, *rest = sys.modules["numpy"].random.get_state()
        found.append((name, keys.tobytes(), *rest))
    if "torch" in sys.modules:
        found.append(sys.modules["torch"].get_rng_state().numpy().tobytes())
    return found


def _broken(state: State, promised: str, happened: str) -> AssertionError:
    game = f"{state.game.name} {state.game.options()}" if state.game.options() else state.game.name
    history = " ".join(state.history) or "the start"
    return AssertionError(f"{game}, after {history}:\n  promised: {promised}\n  happened: {happened}")
