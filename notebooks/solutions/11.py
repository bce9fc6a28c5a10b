# Exercise 1
def split(n, names):
    return {name: n // len(names) + (i < n % len(names)) for i, name in enumerate(names)}


# Exercise 2
def batch_mean(outcomes):
    found = {}
    for outcome in outcomes:
        for role in (0, 1):
            found.setdefault((outcome.game, role), []).append(outcome.returns[role])
    means = {key: sum(values) / len(values) for key, values in found.items()}
    return [tuple(o.returns[role] - means[o.game, role] for role in (0, 1)) for o in outcomes]


# Exercise 3
def beyond_chance(found, t):
    names = []
    for name, values in found.items():
        n = len(values)
        mean = sum(values) / n
        half = t * (sum((value - mean) ** 2 for value in values) / (n - 1) / n) ** 0.5
        if mean - half > 0 or mean + half < 0:
            names.append(name)
    return names
