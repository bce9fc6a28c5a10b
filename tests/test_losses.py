"""Every loss that the lessons use, through TRL, against the formula written out by hand on one unpadded turn at a time.

Checked before EVERY optimizer step, so that ratios other than 1, clipping and the KL term count too.
"""

import copy

import pytest
import torch
from transformers import TrainerCallback

from spiral_lite import games
from spiral_lite.trainer import SelfPlayTrainer, nano_config

KUHN = games.make("kuhn_poker")
QUICK = {"turns_per_step": 32, "steps": 1, "learning_rate": 1e-3, "max_grad_norm": 1e9, "use_cpu": True, "beta": 0.0}


class ByHand(TrainerCallback):
    """The gradient of the written-out loss against the one that TRL hands to the optimizer, at each of its steps."""

    def __init__(self, reference):
        self.reference, self.errors, self.clipped, self.kl = reference, [], 0, 0.0

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        rows = [self.turn(args, model, sample) for sample in self.trainer._samples]
        surrogates, lengths, entropies = ([row[i] for row in rows] for i in range(3))
        if args.loss_type == "dr_grpo":  # token sum / (turns x longest reply)
            loss = sum(s.sum() for s in surrogates) / (len(rows) * args.max_completion_length)
        elif args.loss_type == "grpo":  # mean over each reply's tokens, then over replies
            loss = sum(s.mean() for s in surrogates) / len(rows)
        else:  # dapo: mean over all tokens
            loss = sum(s.sum() for s in surrogates) / sum(lengths)
        loss = loss - args.entropy_coef * sum(e.sum() for e in entropies) / sum(lengths)
        learnt = [p for p in model.parameters() if p.requires_grad]
        by_hand = torch.cat([g.flatten() for g in torch.autograd.grad(loss, learnt)])
        trl = torch.cat([p.grad.flatten() for p in learnt])
        self.errors.append(((trl - by_hand).norm() / by_hand.norm()).item())

    def turn(self, args, model, sample):
        """(surrogate of each token, tokens, entropy of each token) of one turn."""
        turn, advantage = sample.turn, sample.advantage
        logs = log_softmax(model, turn)
        reply = torch.tensor(turn.reply_ids)[:, None]
        log_probs = logs.gather(1, reply)[:, 0]
        log_ratio = log_probs - torch.tensor(turn.logprobs)
        if args.importance_sampling_level == "sequence":  # GSPO: the geometric mean of the tokens' ratios
            log_ratio = log_ratio.mean().expand(len(log_ratio))
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - args.epsilon, 1 + args.epsilon)
        self.clipped += int((clipped != ratio).sum())
        surrogate = -torch.minimum(ratio * advantage, clipped * advantage)
        if args.beta:
            with torch.no_grad():
                base = log_softmax(self.reference, turn).gather(1, reply)[:, 0]
            kl = (base - log_probs).exp() - (base - log_probs) - 1
            self.kl += kl.sum().item()
            if args.use_bias_correction_kl:  # TRL's default: the estimate weighs a token as its ratio does
                kl = kl * ratio
            surrogate = surrogate + args.beta * kl
        return surrogate, len(reply), -(logs.exp() * logs).sum(-1)


def log_softmax(model, turn):
    prompt, reply = list(turn.prompt_ids), list(turn.reply_ids)
    return model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)


def run(nano, out, settings, peft_config=None):
    model, tokenizer = nano
    check = ByHand(copy.deepcopy(model))
    config = nano_config(out, **(QUICK | settings))
    check.trainer = SelfPlayTrainer(model, [KUHN], config, tokenizer, callbacks=[check], peft_config=peft_config)
    check.trainer.train()
    assert len(check.errors) == config.steps * config.num_iterations
    return check


@pytest.mark.parametrize("level", ["token", "sequence"])
@pytest.mark.parametrize("loss", ["dr_grpo", "grpo", "dapo"])
def test_losses_and_ratios(nano, tmp_path, loss, level):
    settings = {"loss_type": loss, "importance_sampling_level": level, "num_iterations": 3}
    settings["epsilon"] = 0.2 if level == "token" else 0.02  # the mean of a reply's ratios moves less than each
    check = run(nano, tmp_path, settings)
    assert max(check.errors) < 1e-4
    assert check.clipped, "nothing was clipped: the test would not see a wrong clip"


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_inner_epochs(nano, tmp_path, iterations):
    check = run(nano, tmp_path, {"num_iterations": iterations})
    assert max(check.errors) < 1e-4
    assert bool(check.clipped) == (iterations > 1), "the first step is on policy: every ratio is 1"


@pytest.mark.parametrize(
    "settings",
    [
        {"beta": 0.2, "num_iterations": 2},
        {"beta": 0.2, "num_iterations": 2, "use_bias_correction_kl": False},
        {"entropy_coef": 0.01},
        {"entropy_coef": 0.01, "pack": False},
        {"per_device_train_batch_size": 8},
        {"per_device_train_batch_size": 8, "loss_type": "grpo", "num_iterations": 2},
        {"per_device_train_batch_size": 8, "loss_type": "dapo"},
        {"batch": "keep_all", "per_device_train_batch_size": 8},
        {"gamma": 0.5, "baseline": "none"},
    ],
    ids=lambda settings: ", ".join(f"{key}={value}" for key, value in settings.items()),
)
def test_knobs(nano, tmp_path, settings):
    check = run(nano, tmp_path, settings)
    assert max(check.errors) < 1e-4
    assert bool(check.kl) == ("beta" in settings)


@pytest.mark.parametrize("pack", [True, False])
def test_lora_trains_the_adapter_alone(nano, tmp_path, pack):
    peft = pytest.importorskip("peft", reason='needs pip install "spiral-lite[lora]"')
    before = [p.clone() for p in nano[0].parameters()]
    adapter = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    check = run(nano, tmp_path, {"num_iterations": 2, "pack": pack}, adapter)
    assert max(check.errors) < 1e-4
    learnt = [name for name, p in check.trainer.model.named_parameters() if p.requires_grad]
    assert learnt
    assert all("lora_" in name for name in learnt)
    base = [p for name, p in check.trainer.model.named_parameters() if "lora_" not in name]
    assert all(torch.equal(a, b) for a, b in zip(before, base, strict=True))
