"""The estimate before training: sizes by hand, against what a real run takes, and what it advises."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import games, packing
from spiral_lite.estimate.sizes import estimate, learning, plan
from spiral_lite.estimate.trial import Trial, Turns, learnt, sample, seconds
from spiral_lite.trainer import SelfPlayTrainer, nano_config

KUHN = games.make("kuhn_poker")
TURNS = Turns(n=2, prompt_tokens=10, reply_tokens=5, computed=20)


@pytest.fixture(scope="module")
def run(small_model):
    """run(gradient_checkpointing=True): what `plan` needs of a trainer, around a model of 21,728 parameters."""

    def build(ref_model=None, opponent=None, **changes):
        args = {
            "slots": 4, "max_completion_length": 40, "turns_per_step": 8, "num_iterations": 1, "beta": 0.0,
            "batch": "draw", "bf16": False, "fp16": False, "gradient_checkpointing": False, "use_vllm": False,
        }  # fmt: skip
        args = SimpleNamespace(**(args | changes))
        return SimpleNamespace(model=small_model(), args=args, ref_model=ref_model, opponent=opponent)

    return build


def test_sizes_by_hand(run, small_model):
    attention, mlp, norms = 32 * 32 + 2 * 32 * 16 + 32 * 32, 3 * 32 * 48, 2 * 32
    parameters = 2 * 97 * 32 + 2 * (attention + mlp + norms) + 32
    found = plan(run(ref_model=small_model()), TURNS, available=2**30)
    assert found.weights == found.reference == found.gradients == 4 * parameters
    assert found.optimizer == 2 * 4 * parameters
    a_token = 2 * 2 * 2 * 8 * 4  # keys and values, layers, key heads, size, float32
    assert found.cache == (4 * (40 + 160) + 8192) * a_token
    assert found.one_slot == (1 * (40 + 160) + 8192) * a_token
    norm_states, others, read = 6 * 32, 3 * 32 + 4 * 48, 2 * 16
    layer = 4 * (20 * (norm_states + others) + 2 * 15 * read)
    ends, logits = 4 * 20 * 4 * 32, 4 * 4 * (2 * 5 * 97)
    assert found.learning == 2 * layer + ends + logits
    checkpointed = plan(run(gradient_checkpointing=True), TURNS, available=2**30)
    assert checkpointed.learning == 2 * 20 * 4 * 32 + layer + ends + logits
    assert found.needed == 3 * 4 * parameters + found.cache + max(found.playing, found.learning)
    assert found.total == found.needed + 2 * 4 * parameters
    assert found.seconds is None


def test_an_adapter_has_gradients_and_the_rest_has_none(run):
    bare = run()
    for name, parameter in bare.model.named_parameters():
        parameter.requires_grad = "q_proj" in name
    assert plan(bare, TURNS, available=2**30).gradients == 2 * 4 * 32 * 32


def test_opponents_count(run, small_model):
    fixed = SimpleNamespace(backend=SimpleNamespace(model=small_model()))
    alone = plan(run(), TURNS, available=2**30)
    assert plan(run(opponent=fixed), TURNS, available=2**30).opponents == alone.weights
    pool = plan(run(opponent=SimpleNamespace(held=2)), TURNS, available=2**30)
    assert pool.past_selves == 2 * (alone.weights + (64 * 256 + 8192) * 256)
    assert pool.needed == alone.needed + pool.past_selves


def test_learning_is_what_autograd_keeps(nano):
    """Of 24 turns on the nano model: bytes of different tensors that are saved for backward, the weights left out."""
    model, _ = nano
    packing.install(model)
    shared, width, reply = 30, 40, 25
    ids = torch.randint(5, 900, (24, width + reply), generator=torch.Generator().manual_seed(0))
    ids[:, :shared] = ids[0, :shared]
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def keep(tensor):
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        scores = model(packed=packing.Packed(ids, torch.ones_like(ids), reply))
    assert scores.log_probs.shape == (24, reply)
    computed = shared + 24 * (width - shared + reply)
    args = SimpleNamespace(bf16=False, fp16=False, gradient_checkpointing=False)
    estimated = learning(model, args, Turns(24, width, reply, computed))
    assert 0.75 < estimated / sum(kept.values()) < 1.4


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 64), prompt=st.integers(1, 300), reply=st.integers(1, 300), share=st.floats(0.1, 1))
def test_more_turns_or_tokens_take_more(run, n, prompt, reply, share):
    bare = run()

    def bytes_of(n, prompt, reply):
        return learning(bare.model, bare.args, Turns(n, prompt, reply, share * n * (prompt + reply)))

    least = bytes_of(n, prompt, reply)
    assert (
        0 < least < min(bytes_of(n + 1, prompt, reply), bytes_of(n, prompt + 1, reply), bytes_of(n, prompt, reply + 1))
    )


@settings(max_examples=40, deadline=None)
@given(available=st.integers(0, 60 * 2**20))
def test_what_is_advised_fits_and_the_next_larger_does_not(run, available):
    asked = Turns(n=256, prompt_tokens=60, reply_tokens=40, computed=256 * 70)
    settings_ = {"turns_per_step": 256, "slots": 64}
    found = plan(run(**settings_), asked, available=available)
    if found.fits:
        assert "may not fit" not in str(found)
    elif "this would" in found.advice:
        chosen = {name: int(value) for name, value in (part.split("=") for part in found.advice[12:].split(", "))}
        n = chosen.pop("per_device_train_batch_size", 256)
        assert 256 % n == 0
        part = Turns(n, 60, 40, n * 70)
        assert plan(run(**(settings_ | chosen)), part, available=available).fits
        if n < 256:
            double = Turns(2 * n, 60, 40, 2 * n * 70)
            assert not plan(run(**(settings_ | chosen)), double, available=available).fits
        assert found.advice in str(found)
    else:
        assert "LoRA" in found.advice
        assert not plan(run(**(settings_ | {"slots": 1})), Turns(1, 60, 40, 70), available=available).fits


def test_what_is_advised_to_a_run_that_keeps_all_is_what_it_sets(run):
    """Passes are larger than per_device_train_batch_size, which is what is advised."""
    settings_ = {"turns_per_step": 256, "slots": 64, "batch": "keep_all"}
    asked = Turns(n=308, prompt_tokens=60, reply_tokens=40, computed=308 * 70)
    whole = plan(run(**settings_), asked, available=2**30)
    found = plan(run(**settings_), asked, available=whole.needed - whole.learning // 3)
    assert found.advice == "this would: per_device_train_batch_size=128"
    assert learnt(run(**settings_).args, 256) == 308


def test_a_run_without_room_is_refused(run):
    plan(run(), TURNS, available=2**30).refuse()
    with pytest.raises(ValueError, match=r"training needs 2 MiB .* 1 MiB are there; .* try a LoRA adapter"):
        plan(run(), TURNS, available=2**20).refuse()


def test_different_beginnings_grow_with_a_power_of_the_turns():
    prompts = [[1, 2, 3 + turn % 2] for turn in range(4)]
    replies = [(10 + turn, 20, 30) for turn in range(4)]
    # 2 shared, 2 third words, 2 more of each turn (its last predicts nothing): 12, of every second turn 2 + 1 + 4
    one = sample(4, prompts, replies, 0.0, pack=True)
    assert one == Turns(4, 3.0, 3.0, pytest.approx(12))
    assert sample(2, prompts, replies, 0.0, pack=True).computed == pytest.approx(7)
    assert sample(8, prompts, replies, 0.0, pack=True).computed == pytest.approx(12 * 12 / 7)
    assert sample(8, prompts, replies, 5.0, pack=True) == Turns(8, 3.0, 8.0, pytest.approx(12 * 12 / 7 + 8 * 5))
    assert sample(8, prompts, replies, 5.0, pack=False).computed == 8 * (3 + 3 + 5)


def test_seconds_by_hand():
    trial = Trial([], [], more=0.0, playing=0.001, learning=0.01)
    args = SimpleNamespace(turns_per_step=100, num_iterations=1, beta=0.0, batch="draw")
    turns = Turns(n=50, prompt_tokens=60, reply_tokens=20, computed=400)
    playing, learning_ = 1.2 * 100 * 20 * 0.001, 2 * 400 * 0.01
    assert seconds(args, turns, trial) == pytest.approx(playing + learning_)
    args = SimpleNamespace(turns_per_step=100, num_iterations=2, beta=0.2, batch="draw")
    assert seconds(args, turns, trial) == pytest.approx(playing + learning_ * (2 + 2 / 3))
    args = SimpleNamespace(turns_per_step=100, num_iterations=1, beta=0.0, batch="keep_all")
    assert learnt(args, 50) == 60
    turns = Turns(n=60, prompt_tokens=60, reply_tokens=20, computed=480)
    assert seconds(args, turns, trial) == pytest.approx(playing + 2 * 480 * 0.01), "as many passes, and larger ones"


# Real runs


def trainer(nano, out, **changes):
    model, tokenizer = nano
    config = nano_config(out, **({"turns_per_step": 16, "steps": 1, "use_cpu": True} | changes))
    return SelfPlayTrainer(model, [KUHN], config, tokenizer)


@pytest.mark.parametrize("changes", [{}, {"pack": False, "backend": "transformers"}])
def test_it_leaves_everything_as_it_was(nano, tmp_path, changes):
    one = trainer(nano, tmp_path, **changes)
    before = {name: value.clone() for name, value in one.model.state_dict().items()}
    state, mode = torch.get_rng_state(), one.model.training
    found = estimate(one)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.model.training == mode
    assert all(p.grad is None for p in one.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in one.model.state_dict().items())
    assert found.fits
    assert found.seconds > 0
    assert 1 < found.turns.reply_tokens < 96
    assert "a step takes about" in str(found)


def test_keeping_all_turns_makes_passes_larger(nano, tmp_path):
    """Of whole games: as the estimate says, a pass has more turns than are set."""
    one = trainer(nano, tmp_path, batch="keep_all", turns_per_step=64, per_device_train_batch_size=32)
    found = estimate(one)
    assert found.turns.n == 39
    assert "learning from 39 turns (*)" in str(found)
    passed = len(one.play_step(64)) / 2
    assert 32 < passed < 1.5 * 32
    assert found.turns.n == pytest.approx(passed, rel=0.3)


def test_training_prints_it_first(nano, tmp_path, capsys):
    trainer(nano, tmp_path).train()
    assert capsys.readouterr().err.count("AdamW's two moments") == 1


RUN = """
import json, sys
from spiral_lite import games, models
from spiral_lite.estimate import estimate
from spiral_lite.trainer import SelfPlayTrainer, nano_config
import torch

def peak():
    return 1024 * int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])

kind, out = sys.argv[1:]
model, tokenizer = models.load("nano", "cpu")
changes = {"steps": 2, "use_cpu": True}
if kind == "larger":
    from transformers import LlamaConfig, LlamaForCausalLM
    sizes = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=model.config.vocab_size, max_position_embeddings=512, **sizes))
    changes |= {"steps": 1, "beta": 0.0, "turns_per_step": 32, "max_completion_length": 24}
trainer = SelfPlayTrainer(model, [games.make("kuhn_poker")], nano_config(out, **changes), tokenizer)
found = estimate(trainer)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = peak()
trainer.train()
print(json.dumps({"estimated": found.needed, "taken": peak() - before, "parameters": model.num_parameters()}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("kind", ["nano", "larger"])
def test_the_memory_is_near_what_a_run_takes(tmp_path, kind):
    command = [sys.executable, "-c", RUN, kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert 0.6 < found["estimated"] / found["taken"] < 1.7, found
