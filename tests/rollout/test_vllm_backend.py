"""vLLM: TRL's contract with fakes; the real one where it is installed (`make peers`, then `make test-vllm`)."""

import importlib.util
import json
import math
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from spiral_lite import dialogue, games, models
from spiral_lite.dialogue import game_message, observe
from spiral_lite.players import Generated, Sampling
from spiral_lite.rollout import vllm_backend
from spiral_lite.rollout.transformers_backend import TransformersBackend
from spiral_lite.rollout.vllm_backend import TrlVllmBackend, VllmBackend

real = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make peers, then make test-vllm"
)
POSITIONS = [
    ("kuhn_poker", ["K", "J"]),
    ("kuhn_poker", ["J", "Q"]),
    ("kuhn_poker", ["Q", "J", "[bet]"]),
    ("kuhn_poker", ["K", "Q", "[check]"]),
    ("kuhn_poker", ["Q", "K", "[check]", "[bet]"]),
    ("tic_tac_toe", []),
    ("tic_tac_toe", ["[4]"]),
    ("tic_tac_toe", ["[4]", "[0]", "[8]"]),
]


def game_prompts(tokenizer):
    states = [games.make(name).replay(history) for name, history in POSITIONS]
    texts = [dialogue.prompt(game_message(observe(state, state.player)), tokenizer) for state in states]
    return tokenizer(texts, add_special_tokens=False)["input_ids"]


def logprobs_by_hand(model, prompt_ids, reply, temperature=1.0):
    """[T] in nats, of the whole distribution."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt_ids, *reply.ids]])).logits[0, len(prompt_ids) - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(1, torch.tensor(reply.ids)[:, None])[:, 0]


# TRL's contract, with fakes


def trl_trainer(generation, rank=0, ranks=1, tokenizer=None):
    """What TrlVllmBackend reads of a GRPOTrainer."""
    return SimpleNamespace(
        vllm_generation=generation,
        processing_class=tokenizer or SimpleNamespace(eos_token_id=2),
        accelerator=SimpleNamespace(num_processes=ranks, process_index=rank, is_main_process=rank == 0),
        state=SimpleNamespace(global_step=0),
        _last_loaded_step=-1,
    )


class Recorder:
    """A VLLMGeneration that notes what it is asked for; a reply is the prompt's first token and the end."""

    mode, tensor_parallel_size, temperature, top_p, max_completion_length = "colocate", 1, 1.0, 1.0, 96

    def __init__(self):
        self.asked, self.syncs = [], 0

    def sync_weights(self):
        self.syncs += 1

    def generate(self, prompts, images, num_generations, profiler=None):
        assert images is None
        assert num_generations == 1
        self.asked.append(prompts)
        ids = [[prompt[0], 2] for prompt in prompts]
        return prompts, ids, [[[-0.5], [None]] for _ in prompts], [[[i] for i in row] for row in ids]


def test_weights_are_sent_once_an_optimizer_step():
    trainer = trl_trainer(Recorder())
    backend = TrlVllmBackend(trainer)
    for step in (0, 0, 1, 1, 3):
        trainer.state.global_step = step
        backend.generate([[5], [6]], Sampling(), [0, 0])
        assert trainer._last_loaded_step == step, "TRL would send the weights again"
    assert trainer.vllm_generation.syncs == 3


def test_replies_come_with_the_logprob_of_the_drawn_token():
    trainer = trl_trainer(Recorder())
    first, second = TrlVllmBackend(trainer).generate([(5, 1), (6,)], Sampling(), [0, 0])
    assert (first.ids, second.ids) == ((5, 2), (6, 2))
    assert first.logprobs[0] == -0.5
    assert math.isnan(first.logprobs[1])  # vLLM had none
    assert trainer.vllm_generation.asked == [[[5, 1], [6]]]  # nobody to share with: nothing is filled up
    assert TrlVllmBackend(trainer).finish() is None


@pytest.mark.parametrize(
    "other", [Sampling(temperature=0.6), Sampling(top_p=0.9), Sampling(max_new_tokens=8), Sampling(stop_tokens=(3,))]
)
def test_another_sampling_than_the_trainer_s_is_refused(other):
    trainer = trl_trainer(Recorder())
    with pytest.raises(ValueError, match=r"samples as the trainer configured it.*max_new_tokens=96"):
        TrlVllmBackend(trainer).generate([[5]], other, [0])
    assert not trainer.vllm_generation.asked


class Ranks:
    """Threads as processes: accelerate's collectives, which fail after 20 s if a rank does not take part."""

    def __init__(self, n):
        self.n, self.local, self.barrier = n, threading.local(), threading.Barrier(n, timeout=20)
        self.boxes = [None] * n

    def gather_object(self, items):
        self.boxes[self.local.rank] = items
        self.barrier.wait()
        everyones = [item for box in self.boxes for item in box]
        self.barrier.wait()
        return everyones

    def broadcast_object_list(self, items, from_process=0):
        items[0] = self.gather_object(items)[from_process]

    def run(self, program):
        def on(rank):
            self.local.rank = rank
            return program(rank)

        with ThreadPoolExecutor(self.n) as pool:
            return list(pool.map(on, range(self.n)))


class Client:
    """TRL's client of a vLLM server: a reply is the prompt's first token and the end."""

    def __init__(self):
        self.asked = []

    def generate(self, prompts, features, n, **sampling):
        self.asked.append(len(prompts))
        assert n == 1
        ids = [[prompt[0], 2] for prompt in prompts]
        return {"prompt_ids": prompts, "completion_ids": ids, "logprobs": [[[-0.5], [-0.1]] for _ in prompts]}


def server_generation(client, accelerator):
    """TRL's own VLLMGeneration in server mode, connected to a fake server."""
    from trl.generation.vllm_generation import VLLMGeneration

    generation = object.__new__(VLLMGeneration)
    vars(generation).update(
        mode="server", tensor_parallel_size=1, temperature=1.0, top_p=1.0, top_k=0, min_p=None, repetition_penalty=1.0,
        max_completion_length=96, logprobs=0, structured_outputs_regex=None, generation_kwargs={}, vllm_client=client,
        enable_sleep_mode=False, accelerator=accelerator, syncs=[], sync_weights=lambda: generation.syncs.append(1),
    )  # fmt: skip
    return generation


CALLS = {0: [[5, 2, 1], [1], [3]], 1: [[2], [4, 4, 1, 1], [3]], 2: [[1, 1], [6], [3]]}  # of each rank and step: prompts


def test_ranks_with_unequal_games_get_their_own_replies_and_end_together(monkeypatch):
    from trl.generation import vllm_generation as trl_module

    ranks, client = Ranks(len(CALLS)), Client()
    for module in (vllm_backend, trl_module):
        monkeypatch.setattr(module, "gather_object", ranks.gather_object)
    monkeypatch.setattr(trl_module, "broadcast_object_list", ranks.broadcast_object_list)

    def program(rank):
        trainer = trl_trainer(None, rank, len(CALLS))
        trainer.vllm_generation = server_generation(client, trainer.accelerator)
        backend = TrlVllmBackend(trainer)
        for step, calls in enumerate(CALLS[rank]):
            trainer.state.global_step = step
            for call, size in enumerate(calls):
                prompts = [[1000 * rank + 100 * step + 10 * call + i] for i in range(size)]
                replies = backend.generate(prompts, Sampling(), [0] * size)
                assert [reply.ids for reply in replies] == [(prompt[0], 2) for prompt in prompts]
                assert replies[0].logprobs == (-0.5, -0.1)
            backend.finish()
        return len(trainer.vllm_generation.syncs)

    assert ranks.run(program) == [3, 3, 3]
    calls = [5, 2, 1, 6, 4, 1, 1, 3]  # of each step: as many as its busiest rank, of its longest list
    assert client.asked == [len(CALLS) * longest for longest in calls]


def test_without_vllm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ImportError, match=r"`pip install vllm`; without one, `make peers`"):
        VllmBackend("anywhere")


class Colocated:
    """TRL's VLLMGeneration over a copy of the model that is worth nothing until the weights are sent."""

    def __init__(self, model, **settings):
        vars(self).update(settings)
        self.model, self.copy, self.syncs, self.calls = model, deepcopy(model), 0, 0
        for parameter in self.copy.parameters():
            torch.nn.init.normal_(parameter)

    def sync_weights(self):
        self.copy.load_state_dict(self.model.state_dict())
        self.syncs += 1

    def generate(self, prompts, images, num_generations, profiler=None):
        self.calls += 1
        sampling = Sampling(self.temperature, self.top_p, self.max_completion_length)
        backend = TransformersBackend(self.copy, self.processing_class)
        replies = backend.generate(prompts, sampling, [self.calls] * len(prompts))
        return prompts, [list(r.ids) for r in replies], [[[x] for x in r.logprobs] for r in replies], None


def train(nano, out, monkeypatch, check, **settings):
    from spiral_lite.trainer import SelfPlayTrainer, nano_config

    monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", Colocated)
    config = nano_config(out, turns_per_step=16, use_cpu=True, use_vllm=True, max_grad_norm=1e9, **settings)
    model, tokenizer = nano
    check.trainer = SelfPlayTrainer(model, [games.make("kuhn_poker")], config, tokenizer, callbacks=[check])
    check.trainer.train()
    assert check.relative_error < 1e-4
    return check.trainer


def test_the_trainer_plays_on_trl_s_vllm(nano, tmp_path, monkeypatch, gradient_check):
    trainer = train(nano, tmp_path, monkeypatch, gradient_check, steps=2, num_iterations=2)
    generation = trainer.vllm_generation
    assert isinstance(trainer.policy().backend, TrlVllmBackend)
    assert generation.syncs == 2 < generation.calls, "once for each step's games, not for each turn"
    assert not [key for row in trainer.state.log_history for key in row if key.startswith("sampling/")]


def test_trl_s_importance_correction_gets_the_sampled_logprobs(nano, tmp_path, monkeypatch, gradient_check):
    trainer = train(nano, tmp_path, monkeypatch, gradient_check, steps=2, vllm_importance_sampling_correction=True)
    for row in trainer.state.log_history[:2]:  # stale weights or another turn's log-probabilities would show here
        assert row["sampling/importance_sampling_ratio/mean"] == pytest.approx(1, abs=1e-3)
        assert row["sampling/sampling_logp_difference/max"] < 1e-3


# The real vLLM


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a random Llama whose heads vLLM's CPU build can read (nano's cannot) and nano's tokenizer."""
    torch.manual_seed(0)
    words = AutoTokenizer.from_pretrained(models.locate("nano"))
    config = LlamaConfig(
        vocab_size=32 * -(-len(words) // 32), hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=64, max_position_embeddings=1024,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=2, pad_token_id=0, initializer_range=0.1,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("policy") / "0"
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def served(saved):
    """One engine for all tests: it takes most of their time to load."""
    backend = VllmBackend(str(saved), dtype="float32", max_model_len=512, enforce_eager=True)
    yield backend
    backend.close()


GREEDY = Sampling(temperature=0, max_new_tokens=24)


def engine_replies(folder, sampling):
    from spiral_lite.rollout.engine import Engine

    model, tokenizer = models.load(str(folder), device="cpu")
    asked = game_prompts(tokenizer)
    return model, asked, Engine(model, tokenizer, slots=8).generate(asked, sampling, range(len(asked)))


def assert_same(ours, theirs):
    assert [reply.ids for reply in ours] == [reply.ids for reply in theirs]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=0)


@real
def test_greedy_replies_are_our_engine_s(saved, served):
    _, asked, ours = engine_replies(saved, GREEDY)
    assert_same(served.generate(asked, GREEDY, range(len(asked))), ours)
    assert_same(served.generate(asked, GREEDY, range(len(asked))), ours)  # from the prefix cache


@real
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_sampled_logprobs_are_the_model_s(saved, served, temperature):
    model, tokenizer = models.load(str(saved), device="cpu")
    asked = game_prompts(tokenizer)
    replies = served.generate(asked, Sampling(temperature, max_new_tokens=24), range(len(asked)))
    for ids, reply in zip(asked, replies, strict=True):
        by_hand = logprobs_by_hand(model, ids, reply, temperature)
        torch.testing.assert_close(torch.tensor(reply.logprobs), by_hand, atol=1e-4, rtol=0)


@real
def test_top_p_is_in_the_logprobs(served):
    asked = game_prompts(served.tokenizer)
    for reply in served.generate(asked, Sampling(top_p=1e-6, max_new_tokens=8), range(8)):
        assert reply.logprobs == pytest.approx([0.0] * len(reply.ids), abs=1e-6)  # one token is left to draw from


@real
def test_a_reply_ends_with_its_stop_token(served):
    asked = game_prompts(served.tokenizer)
    greedy = served.generate(asked, GREEDY, range(8))
    stops = {reply.ids[3] for reply in greedy}
    for before, reply in zip(greedy, served.generate(asked, Sampling(0, 1, 24, tuple(stops)), range(8)), strict=True):
        length = next(i for i, token in enumerate(before.ids) if token in stops) + 1
        assert reply.ids == before.ids[:length]


@real
def test_the_same_seeds_give_the_same_replies(served):
    asked = game_prompts(served.tokenizer) * 2
    seeds = [2**48 - 1 - i for i in range(len(asked))]

    def ids(seeds):
        return [reply.ids for reply in served.generate(asked, Sampling(max_new_tokens=24), seeds)]

    first = ids(seeds)
    assert ids(seeds) == first
    assert ids(seeds[::-1]) != first
    assert first[:8] != first[8:], "the same prompts, other seeds"


@real
def test_a_reply_that_would_be_cut_is_refused(served):
    with pytest.raises(ValueError, match="max_model_len=512; the longest reply that fits: 502"):
        served.generate([[5] * 10], Sampling(max_new_tokens=503), [0])


@real
def test_heads_that_the_cpu_build_cannot_read_are_refused():
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        pytest.skip("of the CPU build only")
    with pytest.raises(ValueError, match="has attention heads of 40, and vLLM on the CPU reads 32, 64"):
        VllmBackend(models.locate("nano"))


TRAIN = """
import json, sys
from spiral_lite import games, models
from spiral_lite.trainer import SelfPlayTrainer, nano_config
from trl.generation.vllm_generation import VLLMGeneration
from vllm.platforms import current_platform

if __name__ == "__main__":
    folder, out = sys.argv[1:]
    cpu = current_platform.is_cpu()
    if cpu:  # vLLM's CPU build cannot take new weights: one step, with those that it has loaded
        VLLMGeneration.sync_weights = lambda self: None
    config = nano_config(
        out, steps=1 if cpu else 3, turns_per_step=16, max_completion_length=24, use_vllm=True,
        vllm_importance_sampling_correction=True, vllm_max_model_length=512,
    )
    model, tokenizer = models.load(folder)
    trainer = SelfPlayTrainer(model, [games.make("kuhn_poker")], config, tokenizer)
    trainer.train()
    json.dump(trainer.state.log_history, open(out + "/log.json", "w"))
"""


@real
def test_the_trainer_plays_on_the_real_vllm(saved, tmp_path):
    """Through TRL's own VLLMGeneration, in this process ("colocate"); TRL has it compute in bfloat16."""
    (tmp_path / "train.py").write_text(TRAIN)
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(tmp_path / "train.py"), str(saved), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [row for row in json.loads((tmp_path / "log.json").read_text()) if "games" in row]
    assert rows
    for row in rows:
        assert row["sampling/sampling_logp_difference/mean"] < 0.05
        assert row["sampling/importance_sampling_ratio/mean"] == pytest.approx(1, abs=0.1)


@real
def test_a_trained_version_replaces_the_old_one(saved, served, tmp_path):
    """Last: the engine serves the new version from here on."""
    model, asked, before = engine_replies(saved, GREEDY)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    batch = torch.tensor([asked[0]])
    model(input_ids=batch, labels=batch).loss.backward()
    optimizer.step()
    model.save_pretrained(tmp_path)
    served.tokenizer.save_pretrained(tmp_path)
    served.reload(str(tmp_path))
    replies = served.generate(asked, GREEDY, range(len(asked)))
    assert_same(replies, engine_replies(tmp_path, GREEDY)[2])
    assert all(isinstance(reply, Generated) for reply in replies)
    assert [reply.ids for reply in replies] != [reply.ids for reply in before]
