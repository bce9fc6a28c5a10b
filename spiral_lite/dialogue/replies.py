r"""From a reply to an action: the last \boxed{...}, normalised, then strict membership in what is legal.

SPIRAL's rule (its code): find the last `\boxed{` and match its braces; white space collapses; content without brackets
and of at most five words is wrapped in [ ]; then it must be legal, letter for letter. Where a reply holds two different
boxed actions, the LAST one counts, as a person corrects himself; a last box that never closes (a reply cut at the token
limit) makes the reply invalid. Total (no string raises) and linear in the length of the reply.
"""

from __future__ import annotations

from spiral_lite.games import Invalid, State

OPENING = "\\boxed{"
MOST_WORDS = 5  # of an answer that is wrapped in brackets


def boxed(reply: str) -> str | None:
    r"""The content of the last \boxed{...} of a reply, or None if there is none or it never closes.

    >>> boxed(r"\boxed{1} or rather \boxed{[4]}")
    '[4]'
    >>> boxed(r"\boxed{\frac{1}{2}}")
    '\\frac{1}{2}'
    """
    start = reply.rfind(OPENING)
    if start < 0:
        return None
    depth, begin = 1, start + len(OPENING)
    position = begin
    while (closing := reply.find("}", position)) >= 0:
        depth += reply.count("{", position, closing) - 1
        if depth == 0:
            return reply[begin:closing]
        position = closing + 1
    return None


def parse(reply: str, state: State) -> str | Invalid:
    r"""The action of a reply in `state`, or `Invalid(reason)`. Never raises.

    >>> from spiral_lite import games
    >>> parse(r"\boxed{4}", games.make("tic_tac_toe").initial_state())
    '[4]'
    """
    if state.player not in (0, 1):
        return Invalid("nobody is to move: the game is over or waits for chance")
    content = boxed(reply)
    if content is None:
        why = "the last \\boxed{ never closes" if OPENING in reply else "no \\boxed{...} in the reply"
        return Invalid(f"{why}; write e.g. \\boxed{{{state.legal_actions()[0]}}}")
    words = content.split()
    answer = " ".join(words)
    if "[" not in answer and "]" not in answer and 0 < len(words) <= MOST_WORDS:
        answer = f"[{answer}]"
    return state.read(answer)
