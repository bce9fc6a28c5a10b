"""`make`, `register`, `from_dict`, and the refusals that teach."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar

import pytest

from spiral_lite import games


def test_names() -> None:
    assert {"kuhn_poker", "simple_negotiation", "tic_tac_toe"} <= set(games.names())


def test_unknown_game_and_option() -> None:
    with pytest.raises(ValueError, match=r"known: .*kuhn_poker"):
        games.make("chess")
    with pytest.raises(ValueError, match="it has: rounds, variant"):
        games.make("kuhn_poker", cards=4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("kuhn_poker", {"rounds": 0}),
        ("kuhn_poker", {"rounds": 13}),
        ("kuhn_poker", {"rounds": 2.0}),
        ("kuhn_poker", {"variant": "leduc"}),
        ("simple_negotiation", {"resources": "three"}),
    ],
)
def test_wrong_options(name: str, options: dict[str, object]) -> None:
    option, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"{option}={value!r}"):
        games.make(name, **options)


def test_a_name_is_taken_once() -> None:
    @dataclass(frozen=True)
    class Another(games.Game):
        name: ClassVar[str] = "kuhn_poker"

    with pytest.raises(ValueError, match="exists already"):
        games.register(Another)


def test_states_cannot_be_changed() -> None:
    state = games.make("tic_tac_toe").initial_state()
    with pytest.raises(FrozenInstanceError):
        state.history = ("[4]",)  # type: ignore[misc]


def test_forfeits() -> None:
    assert games.TRAINING_FORFEIT.returns(0) == (-1.5, 0.5)
    assert games.TRAINING_FORFEIT.returns(1) == (0.5, -1.5)
    assert sum(games.ZERO_SUM_FORFEIT.returns(1)) == 0
    assert games.make("kuhn_poker").loss_forfeit().returns(1) == (2.0, -2.0)


def test_games_need_no_heavy_import() -> None:
    code = (
        "import sys, spiral_lite.games, spiral_lite.dialogue, spiral_lite.conformance, spiral_lite.evaluation.exact;"
        "print([m for m in ('torch', 'numpy', 'pyspiel', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
