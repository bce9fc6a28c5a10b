# Exercise 1
def predicted(careful, right_if_careful, right_if_careless):
    return careful * right_if_careful + (1 - careful) * right_if_careless


# Exercise 2
def paired_difference(before, after):
    return sum(b - a for a, b in zip(before, after, strict=True)) / len(before)


# Exercise 3
def beyond_chance(differences):
    found = mean_interval(differences)
    return found.low > 0 or found.high < 0
