"""What every test may use. The environment is prepared before anything imports torch."""

import os

from spiral_lite import environment

environment.prepare()
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest  # noqa: E402


@pytest.fixture
def nano():
    """(model, tokenizer) of the shipped base model, loaded anew: a test may train it."""
    from spiral_lite import models

    return models.load("nano", device="cpu")


@pytest.fixture(scope="session")
def small_model():
    """small_model("qwen3", dtype=torch.float64, tie_word_embeddings=True): a random model of that family, the same one
    every time. Two layers; four query heads share two key heads. Logits vary enough that the likeliest word is clear.
    """
    import torch
    import transformers

    sizes = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None, "initializer_range": 0.2}

    def build(family="llama", dtype=torch.float32, seed=0, **changes):
        name = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}.get(family, family)
        config = getattr(transformers, f"{name}Config")(**(sizes | heads | tokens | changes))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = getattr(transformers, f"{name}ForCausalLM")(config)
        return model.to(dtype).eval()

    return build
