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


@pytest.fixture
def gradient_check():
    """A callback for the trainer, whose `trainer` is set by the test. At the first optimizer step, before it: TRL's
    gradient against REINFORCE by hand, one unpadded turn at a time."""
    import torch
    from transformers import TrainerCallback

    class GradientCheck(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
            if state.global_step:
                return
            samples, loss = self.trainer._samples, 0.0
            for sample in samples:
                prompt, reply = list(sample.turn.prompt_ids), list(sample.turn.reply_ids)
                logits = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1]
                logprob = logits.log_softmax(-1).gather(1, torch.tensor(reply)[:, None]).sum()
                loss = loss - sample.advantage * logprob / (len(samples) * args.max_completion_length)
            learnt = [p for p in model.parameters() if p.requires_grad]
            by_hand = torch.cat([g.flatten() for g in torch.autograd.grad(loss, learnt)])
            trl = torch.cat([p.grad.flatten() for p in learnt])
            self.relative_error = ((trl - by_hand).norm() / by_hand.norm()).item()
            self.roles = {sample.turn.role for sample in samples}

    return GradientCheck()
