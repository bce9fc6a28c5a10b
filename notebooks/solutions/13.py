# Exercise 1
def stakes(over, loser):
    """The returns of player 0 and player 1: the loser pays `over` points, and the other gets them."""
    return (-over, over) if loser == 0 else (over, -over)


# Exercise 2
def open_value(state):
    """What player 0 gets from `state` on if both see all cards and play perfectly."""
    from spiral_lite.games import CHANCE, TERMINAL

    if state.player == TERMINAL:
        return state.returns()[0]
    if state.player == CHANCE:
        return sum(chance * open_value(state.apply(outcome)) for outcome, chance in state.chance_outcomes())
    values = [open_value(state.apply(action)) for action in state.legal_actions()]
    return max(values) if state.player == 0 else min(values)


# Exercise 3
def lenient(text, legal):
    """The action that `text` means, if it is among `legal`; else Invalid(reason), the reason naming the legal ones."""
    from spiral_lite.games import Invalid

    number = text.strip("[]").removeprefix("add ").removeprefix("+")
    action = f"[{number}]"
    return action if action in legal else Invalid(f"{text!r} is not legal here; legal: {', '.join(legal)}")
