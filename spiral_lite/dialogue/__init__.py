"""The text layer: a state becomes an observation and a prompt, a reply becomes an action or a reasoned refusal.

>>> from spiral_lite import games
>>> state = games.make("kuhn_poker").replay(["K", "J"])
>>> observe(state, 0).splitlines()[-1]
'Available Moves: [check], [bet]'
>>> parse(r"King is best. \\boxed{[bet]}", state)
'[bet]'
>>> parse("I bet!", state)
Invalid(reason='no \\\\boxed{...} in the reply; write e.g. \\\\boxed{[check]}')

The rules (`games`) know nothing of text; this package renders the facts of `state.information(player)` and nothing
else (from `state.known(player)`, which holds them as a record).
"""

from spiral_lite.dialogue import (  # noqa: F401  (each registers its text)
    connect_four,
    liars_dice,
    mini_hanabi,
    nim,
    pig_dice,
    snake,
    truth_and_deception,
)
from spiral_lite.dialogue.observations import describes, observe
from spiral_lite.dialogue.replies import boxed, parse
from spiral_lite.dialogue.template import game_message, prompt, question_message

__all__ = ["boxed", "describes", "game_message", "observe", "parse", "prompt", "question_message"]
