"""The `vllm` backends: a version of the policy from disk, or the engine that TRL keeps beside the training model.

`VllmBackend` plays and evaluates what is in a folder: it needs vLLM, no trainer. `TrlVllmBackend` plays while training
with `use_vllm=True`: TRL starts vLLM in the same process ("colocate") or talks to one that runs elsewhere ("server"),
and sends it the weights; added here is what games ask for and TRL's own loop does not: calls that differ in number and
size from process to process. Read `players.Backend` before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelerate.utils import gather_object

from spiral_lite import environment
from spiral_lite.players import Generated, Sampling


class VllmBackend:
    """`VllmBackend(folder).generate(prompt_ids, Sampling(), seeds)`: one version of a policy, served by vLLM.

    folder: a saved model with its tokenizer, or a Hub id; options: vLLM's engine arguments, e.g. dtype="float32",
    max_model_len=2048, gpu_memory_utilization=0.5, enforce_eager=True (starts sooner, runs slower). Loading takes up to
    two minutes; `close` ends its processes. Raises ImportError if vLLM is not installed, ValueError if its CPU build
    cannot read the model's heads.
    """

    def __init__(self, folder: str, **options: Any) -> None:
        environment.prepare()
        try:
            import vllm  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f"the vllm backend needs vLLM ({error}): with a GPU, `pip install vllm`; without one, `make peers`, "
                "and run .venv-peers/bin/python"
            ) from error
        self.options = _defaults() | options
        self._load(folder)

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]:
        """One reply a prompt, each drawn with its own seed; log-probabilities in nats of the distribution drawn from.

        Raises ValueError if a prompt and its reply are longer than max_model_len: vLLM would cut the reply silently.
        """
        self._refuse_too_long(max(map(len, prompt_ids), default=0), sampling)
        asked = [self.settings(sampling, seed) for seed in seeds]
        outputs = self.llm.generate([{"prompt_token_ids": list(ids)} for ids in prompt_ids], asked, use_tqdm=False)
        return [generated(output.outputs[0]) for output in outputs]

    def settings(self, sampling: Sampling, seed: int) -> Any:
        """vLLM's SamplingParams of one reply."""
        from vllm import SamplingParams

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_new_tokens,
            stop_token_ids=[self.tokenizer.eos_token_id, *sampling.stop_tokens],
            seed=seed,
            logprobs=0,  # of the drawn token alone
            detokenize=False,
        )

    def reload(self, folder: str) -> None:
        """Takes a new version of the policy: shuts the engine down and builds it anew, as slowly as the first time.

        vLLM can also overwrite its weights in place, but its CPU build repacks them when it loads: with tied embeddings
        version 0.32 kept the old output layer, and said so only in a warning. While training, TRL sends the weights.
        """
        self.close()
        self._load(folder)

    def close(self) -> None:
        """Ends vLLM's processes; the backend is of no use afterwards, until `reload`."""
        self.llm.llm_engine.engine_core.shutdown()
        del self.llm

    def _load(self, folder: str) -> None:
        from transformers import AutoTokenizer
        from vllm import LLM

        _refuse_heads(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.llm = LLM(folder, **self.options)

    def _refuse_too_long(self, prompt: int, sampling: Sampling) -> None:
        longest = self.llm.llm_engine.model_config.max_model_len
        if prompt + sampling.max_new_tokens > longest:
            raise ValueError(
                f"{prompt} prompt tokens and max_new_tokens={sampling.max_new_tokens} are more than "
                f"max_model_len={longest}; the longest reply that fits: {max(0, longest - prompt)}"
            )


def _defaults() -> dict[str, Any]:
    """Engine arguments that make vLLM comparable with the other backends; on the CPU, where it would take nearly all
    memory, with 2 GiB for keys and values."""
    from vllm.platforms import current_platform

    shared: dict[str, Any] = {
        "enable_prefix_caching": True,
        "logprobs_mode": "processed_logprobs",  # after temperature and top_p, like the draw itself
        "generation_config": "vllm",  # none of the model's own sampling defaults and end tokens
    }
    if current_platform.is_cpu():
        return shared | {"dtype": "float32", "kv_cache_memory_bytes": 2 << 30}
    return shared | {"dtype": "bfloat16"}


def _refuse_heads(folder: str) -> None:
    """vLLM's CPU build loads a model whose attention it cannot compute, and dies at the first reply."""
    from transformers import AutoConfig
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    config = AutoConfig.from_pretrained(folder).get_text_config()
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    sizes = CPUAttentionBackend.get_supported_head_sizes()
    if size not in sizes:
        raise ValueError(
            f"{folder} has attention heads of {size}, and vLLM on the CPU reads {', '.join(map(str, sizes))}; "
            "use the backend engine"
        )


def generated(output: Any) -> Generated:
    """vLLM's CompletionOutput, whose ids include the end token."""
    ids = tuple(output.token_ids)
    return Generated(ids, tuple(step[token].logprob for step, token in zip(output.logprobs, ids, strict=True)))


class TrlVllmBackend:
    """TRL's vLLM as a backend: the newest weights, TRL's sampling settings, and as many calls as the games need.

    trainer: a GRPOTrainer with `use_vllm=True`. The weights are sent before the first reply after an optimizer step,
    with TRL's own bookkeeping, so TRL does not send them once more. vLLM draws from a stream of its own: the seeds are
    not used, and a resumed run draws other replies.

    Processes that share an engine (a server, or tensor parallelism) must enter TRL's `generate` equally often, with
    lists of one length, or they take each other's replies or wait for ever. So lists are filled up to the longest, and
    whoever has finished its games calls `finish`, which takes part in the calls of the others.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.tokenizer, self.generation = trainer, trainer.processing_class, trainer.vllm_generation
        shared = self.generation.mode == "server" or self.generation.tensor_parallel_size > 1
        self._together = shared and trainer.accelerator.num_processes > 1
        self._filler = [self.tokenizer.eos_token_id]

    def generate(
        self, prompt_ids: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Generated]:
        """One reply a prompt, with log-probabilities in nats (NaN where vLLM had none).

        Raises ValueError if `sampling` is not what the trainer configured.
        """
        self._refuse_other(sampling)
        if not prompt_ids:
            return []
        prompts = [list(ids) for ids in prompt_ids]
        self._filler = min(prompts, key=len)
        return self._call(prompts, self._longest(len(prompts)))

    def finish(self) -> None:
        """The games of this process are over: takes part in the others' calls until theirs are over too. A no-op where
        no engine is shared."""
        while longest := self._longest(0):
            self._call([], longest)

    def _longest(self, prompts: int) -> int:
        """The number of prompts of the process that has most in this call; 0 when all have finished."""
        return max(gather_object([prompts])) if self._together else prompts

    def _call(self, prompts: list[list[int]], longest: int) -> list[Generated]:
        """One call of TRL's, filled up to `longest` prompts; the replies to our own."""
        if self.trainer._last_loaded_step != self.trainer.state.global_step:
            self.generation.sync_weights()
            self.trainer._last_loaded_step = self.trainer.state.global_step
        filled = prompts + [self._filler] * (longest - len(prompts))
        _, ids, logprobs, _ = self.generation.generate(prompts=filled, images=None, num_generations=1)
        return [
            Generated(tuple(reply), tuple(float("nan") if top[0] is None else top[0] for top in steps))
            for _, reply, steps in zip(prompts, ids, logprobs)  # shorter than the others: without the filling
        ]

    def _refuse_other(self, sampling: Sampling) -> None:
        theirs = self.generation
        configured = Sampling(theirs.temperature, theirs.top_p, theirs.max_completion_length)
        if sampling != configured:
            raise ValueError(
                f"TRL's vLLM samples as the trainer configured it, {configured}, and not with {sampling}; play with "
                "trainer.policy(), or load a saved version into a VllmBackend"
            )
