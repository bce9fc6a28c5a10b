# Exercise 1
def three_games():
    return [2.0, 0.0, -2.0]


# Exercise 2
def settles_at(share, offender=-1.5, other=0.5):
    return share * (offender + other) / 2


# Exercise 3
def group(returns):
    mean = sum(returns) / len(returns)
    variance = sum((value - mean) ** 2 for value in returns) / max(1, len(returns) - 1)
    return [(value - mean) / (variance**0.5 + 1e-4) for value in returns]
