"""What the tests of generation share: prompts that begin alike, and the model itself as the oracle."""

from types import SimpleNamespace

import pytest
import torch

from spiral_lite import dialogue, games
from spiral_lite.dialogue import game_message, observe

HISTORIES = {
    "kuhn_poker": (
        [["K", "J"], ["Q", "J"], ["J", "K", "[bet]"], ["Q", "K", "[check]"], ["K", "Q", "[check]", "[bet]"]]
    ),
    "tic_tac_toe": ([[], ["[4]"], ["[0]", "[4]"], ["[0]", "[4]", "[8]"], ["[2]", "[4]", "[6]", "[0]"]]),
}


@pytest.fixture(scope="session")
def tokens():
    """A tokenizer as far as the engine needs one, for the random models of `small_model`."""
    return SimpleNamespace(eos_token_id=1, pad_token_id=0)


@pytest.fixture(scope="session")
def random_prompts():
    """random_prompts(n, seed): of 1 to about 60 tokens. Most begin with the same rules, some are the same."""

    def make(n=40, seed=0, words=97):
        rng = torch.Generator().manual_seed(seed)

        def some(low, high):
            length = int(torch.randint(low, high, (1,), generator=rng))
            return torch.randint(2, words, (length,), generator=rng).tolist()

        rules = [some(20, 40), some(3, 9)]
        made = [rules[i % 3 == 0] + some(1, 20) for i in range(n - 2)]
        return [*made, *made[:1], some(1, 2)][:n]

    return make


@pytest.fixture(scope="session")
def game_prompts():
    """game_prompts(tokenizer): the tokens of positions of two games, as a player reads them."""

    def make(tokenizer):
        states = [games.make(name).replay(history) for name, histories in HISTORIES.items() for history in histories]
        texts = [dialogue.prompt(game_message(observe(state, state.player)), tokenizer) for state in states]
        return tokenizer(texts, add_special_tokens=False)["input_ids"]

    return make


@pytest.fixture(scope="session")
def distributions():
    """distributions(model, prompt, reply, sampling): [T, V] log-probabilities of each reply token's distribution, from
    the model as it is, without a cache."""

    @torch.no_grad()
    def compute(model, prompt, reply, sampling):
        ids = torch.tensor([[*prompt, *reply]], device=model.device)
        logits = model(ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
        if sampling.temperature == 0:
            return logits.log_softmax(-1)
        ordered, places = (logits / sampling.temperature).sort(descending=True)
        probability = ordered.softmax(-1)
        outside = probability.cumsum(-1) - probability >= sampling.top_p  # what follows those that make up top_p
        ordered = ordered.masked_fill(outside & (torch.arange(ordered.shape[1], device=ids.device) > 0), -torch.inf)
        return torch.zeros_like(ordered).scatter(1, places, ordered).log_softmax(-1)

    return compute
