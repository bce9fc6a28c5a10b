"""The packed pass computes what TRL's padded rectangle computes: log-probabilities, entropies, gradients."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
from trl.trainer.utils import add_fused_lm_head

from spiral_lite import games, packing
from spiral_lite.packing import Packed
from spiral_lite.trainer import SelfPlayTrainer, nano_config

FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config),
}
SIZES = {"vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "head_dim": 8}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}


def model(family="llama", **changes):
    kind, config = FAMILIES[family]
    torch.manual_seed(0)
    return kind(config(**(SIZES | HEADS | {"tie_word_embeddings": True} | changes)))


def rectangle(turns):
    """(input_ids, attention_mask, reply columns) as TRL pads them: prompts on the left, replies on the right."""
    widest, longest = max(len(p) for p, _ in turns), max(len(r) for _, r in turns)
    ids = [[0] * (widest - len(p)) + p + r + [0] * (longest - len(r)) for p, r in turns]
    mask = [[0] * (widest - len(p)) + [1] * (len(p) + len(r)) + [0] * (longest - len(r)) for p, r in turns]
    return torch.tensor(ids), torch.tensor(mask), longest


def turns(n=24, seed=0):
    """Rules that all share, positions that some share, replies that sometimes begin, or are, alike."""
    rng = torch.Generator().manual_seed(seed)

    def some(low, high):
        return torch.randint(1, 60, (int(torch.randint(low, high, (1,), generator=rng)),), generator=rng).tolist()

    rules, positions, beginnings = some(20, 21), [some(1, 12) for _ in range(4)], [some(3, 4), some(1, 2)]
    made = [(rules + positions[i % 4], beginnings[i % 2] + some(0, 9)) for i in range(n)]
    return [*made, made[0], (some(2, 3), some(2, 3)), (rules[:5], rules[5:9])]


def by_trl(net, ids, mask, columns, temperature):
    add_fused_lm_head(net, temperature=temperature, outputs=("log_probs", "entropy"))
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :-columns] = -100
    out = net(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    return out.log_probs[:, -columns:], out.entropy[:, -columns:]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_entropy_and_gradient_are_trls(family, temperature, checkpointing):
    ids, mask, columns = rectangle(turns())
    weights = torch.rand(len(ids), columns, generator=torch.Generator().manual_seed(1))
    theirs, ours = model(family), model(family)
    log_probs, entropy = by_trl(theirs, ids, mask, columns, temperature)
    (log_probs * weights).sum().backward()
    packing.install(ours)
    if checkpointing:
        ours.train()
        ours.gradient_checkpointing_enable()
    scores = ours(packed=Packed(ids, mask, columns, temperature))
    (scores.log_probs * weights).sum().backward()
    torch.testing.assert_close(scores.log_probs, log_probs, atol=1e-5, rtol=0)
    torch.testing.assert_close(scores.entropy, entropy, atol=1e-5, rtol=0)
    for (name, mine), reference in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        error = (mine.grad - reference.grad).norm() / reference.grad.norm()
        assert error < 1e-5, f"{name}: {error}"


def test_the_head_in_chunks_gives_the_same(monkeypatch):
    packed = Packed(*rectangle(turns()))
    whole, chunked = model(), model()
    for net, size in ((whole, 1 << 24), (chunked, 61 * 7)):
        monkeypatch.setattr(packing, "CHUNK", size)
        packing.install(net)
        net(packed=packed).log_probs.sum().backward()
    for a, b in zip(whole.parameters(), chunked.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4)


def test_every_distinct_token_is_computed_once():
    packed = Packed(*rectangle([([5, 6, 7], [8, 9]), ([5, 6, 7], [8, 4]), ([5, 6, 2], [8]), ([5, 6, 7], [8, 9])]))
    # 5 6 7 8 and 2: a reply's last token predicts nothing
    assert sorted(packed.tokens.tolist()) == [2, 5, 6, 7, 8]
    assert sorted(packed.labels.tolist()) == [4, 8, 8, 9]


def test_masked_replies_count_nothing():
    ids, mask, columns = rectangle(turns(4))
    mask[0, -columns:] = 0  # as TRL masks a truncated reply
    net = model()
    packing.install(net)
    log_probs, _ = net(packed=Packed(ids, mask, columns))
    assert log_probs[0].abs().sum() == 0
    assert log_probs[1].abs().sum() > 0


def test_otherwise_the_model_is_as_before():
    ids = torch.tensor([[3, 4, 5]])
    net = model().eval()
    before, generated = net(ids).logits, net.generate(ids, max_new_tokens=5, do_sample=False)
    packing.install(net)
    torch.testing.assert_close(net(ids).logits, before, atol=1e-6, rtol=0)
    assert torch.equal(net.generate(ids, max_new_tokens=5, do_sample=False), generated)


def test_models_that_it_cannot_compute_are_refused():
    with pytest.raises(ValueError, match="sliding_attention"):
        packing.install(model("qwen3", layer_types=["full_attention", "sliding_attention", "full_attention"]))
    scaled = model()
    scaled.config.logits_scaling = 8.0
    with pytest.raises(ValueError, match="pack=False"):
        packing.install(scaled)


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.7}, {"beta": 0.0, "num_iterations": 2}, {"per_device_train_batch_size": 8}]
)
def test_a_training_run_is_the_same_packed_and_padded(nano, tmp_path, settings):
    from spiral_lite import models

    rows = {}
    for pack in (True, False):
        net, tokenizer = models.load("nano", device="cpu")
        config = nano_config(
            tmp_path / str(pack), steps=2, turns_per_step=32, learning_rate=1e-4, use_cpu=True, pack=pack, **settings
        )
        run = SelfPlayTrainer(net, [games.make("tic_tac_toe")], config, tokenizer)
        run.train()
        rows[pack] = [p.detach() for p in net.parameters()], run.state.log_history
    for mine, reference in zip(rows[True][0], rows[False][0], strict=True):
        torch.testing.assert_close(mine, reference, atol=3e-5, rtol=0)  # Adam divides by small gradients
    for mine, reference in zip(rows[True][1], rows[False][1], strict=True):
        for name in ("loss", "entropy", "grad_norm", "kl"):
            if name in reference:
                assert mine[name] == pytest.approx(reference[name], rel=1e-3, abs=1e-5), name
