# Exercise 1
def token_weights(lengths, loss_type, longest):
    if loss_type == "grpo":
        return [1 / (len(lengths) * length) for length in lengths]
    total = sum(lengths) if loss_type == "dapo" else len(lengths) * longest
    return [1 / total] * len(lengths)


# Exercise 2
def stopped(ratios, advantage, epsilon):
    if advantage > 0:
        return sum(ratio > 1 + epsilon for ratio in ratios) / len(ratios)
    return sum(ratio < 1 - epsilon for ratio in ratios) / len(ratios)


# Exercise 3
def sequence_ratio(ratios):
    return math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))
