# Exercise 1
def pot(betting):
    return 2 + betting.count("b") + betting.count("c")


# Exercise 2
def worth_of_call(bets, stake=2):
    jack = bets["J"] / (bets["J"] + bets["K"])
    return stake * (jack - (1 - jack))


# Exercise 3
def decide(rounds):
    return 1 if rounds[-1] > 0 else -1
