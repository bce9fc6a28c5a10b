# Exercise 1
def next_share(reasoned, scores, rate):
    weights = 1 + rate * np.array(scores)
    return (weights * np.array(reasoned)).sum() / weights.sum()


# Exercise 2
def rings_at(values, fall, window=3):
    for count in range(window, len(values) + 1):
        if sum(values[count - window : count]) / window < (1 - fall) * values[0]:
            return count
    return math.inf
