"""What a player of Snake reads: the rules in four lines, then the board as it is now, in SPIRAL's style.

Differs from the published text, which draws both bodies alike. Read `games/snake.py` before this.
"""

from __future__ import annotations

from spiral_lite.dialogue.observations import describes
from spiral_lite.games.snake import SIZE, Known

HEADS, BODIES, APPLE, FREE = "01", "oi", "A", "."


@describes("snake")
def _snake(known: Known) -> str:
    you, other = known.you, 1 - known.you
    scores = [*(len(snake) - 1 for snake in known.snakes), 0, 0]  # 0 for a snake that is not placed yet
    chosen = f"[Player {you}] {known.chosen}\n" if known.chosen else ""
    return (
        f"[GAME] You are Player {you} in Snake. Your head is {HEADS[you]} and your body {BODIES[you]}; "
        f"Player {other} is {HEADS[other]} and {BODIES[other]}.\n"
        "Both snakes move at the same time. An apple A makes a snake longer and scores 1.\n"
        "A wall, a body, or the other head on the same cell kills. The last one alive wins; "
        "if both die together or no moves are left, the higher score wins.\n"
        f"{_board(known)}\n"
        f"Score: you {scores[you]}, Player {other} {scores[other]}. Moves left: {known.moves_left}\n"
        f"{chosen}"
        f"Available Moves: {', '.join(known.legal)}\n"
        "Next Action:"
    )


def _board(known: Known) -> str:
    """Five lines, the highest row first; a dead snake is off the board."""
    drawn = dict.fromkeys(known.apples, APPLE)
    for player, snake in enumerate(known.snakes):
        if known.alive[player]:
            drawn.update(dict.fromkeys(snake[1:], BODIES[player]))
            drawn[snake[0]] = HEADS[player]
    rows = ([drawn.get((x, y), FREE) for x in range(SIZE)] for y in reversed(range(SIZE)))
    return "\n".join(map(" ".join, rows))
