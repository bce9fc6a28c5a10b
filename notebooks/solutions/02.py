# Exercise 1
def log_probability(logits, ids):
    logprobs = logits.log_softmax(-1)
    return float(sum(logprobs[i, token] for i, token in enumerate(ids)))


# Exercise 2
def entropy(probabilities):
    import math

    return -sum(p * math.log(p) for p in probabilities if p > 0)


# Exercise 3
def read(reply, legal):
    opening = "\\boxed{"
    start = reply.rfind(opening)
    if start < 0:
        return "invalid"
    depth, content = 1, ""
    for character in reply[start + len(opening) :]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            break
        content += character
    else:
        return "invalid"
    content = content.strip()
    if "[" not in content and "]" not in content:
        content = f"[{content}]"
    return content if content in legal else "invalid"
