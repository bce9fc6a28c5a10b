# Exercise 1
def ends(wins, n, z=1.96):
    """The low and the high end of Wilson's interval, as a tuple."""
    s = wins / n
    a, b, c = 1 + z**2 / n, -(2 * s + z**2 / n), s**2
    root = (b**2 - 4 * a * c) ** 0.5
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


# Exercise 2
def expected_score(difference):
    """The share of the points that a player gets who is rated `difference` Elo points above the other."""
    return 1 / (1 + 10 ** (-difference / 400))


# Exercise 3
def open_with_king(bluffs, calls):
    """(best move, what it wins on average) for who opens with K, as a tuple; "[check]" if both win the same."""
    return ("[bet]", 1 + calls) if calls > bluffs else ("[check]", 1 + bluffs)
