# Exercise 1
def running(average, newest, t):
    return average + (newest - average) / (t + 1)


# Exercise 2
def against_pool(wins, weighting):
    weights = [1] * len(wins) if weighting == "uniform" else range(1, len(wins) + 1)
    return sum(weight * share for weight, share in zip(weights, wins)) / sum(weights)
