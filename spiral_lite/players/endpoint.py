"""Any OpenAI-compatible endpoint as a player: vLLM, llama.cpp, Ollama, `transformers serve`, or a paid service.

The prompts of a batch are sent by a few threads. A request that times out, is turned away (429), meets a broken server
(5xx) or gets what is no chat completion is sent again, after a pause that doubles. Any other error, and one that stays,
raises EndpointError and ends the games: a game that a broken line decides would be a wrong result. A reply that is
empty, or cut by the token limit, is a reply. The key is handed to the client and shows in no name, error or record.
Needs `pip install "spiral-lite[openai]"`. Read `language_model.py` and `budget.py` before this.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from spiral_lite.players.base import Prompt, Reply
from spiral_lite.players.budget import Budget, EndpointError, Tokens
from spiral_lite.players.language_model import Sampling

TEMPLATE_TOKENS = 64  # that a chat template may add to a message, which has at most one token a byte
PASSING = (408, 409, 425, 429)  # statuses of errors that pass, beside 5xx
LONGEST_PAUSE = 30.0  # seconds
NO_KEY = "none"  # sent to servers that need no key


class _Failure(Exception):
    """A request that failed. `passing`: another try may work; `wait`: seconds that the server asks for; `unused`: the
    server has turned it away, so it cost nothing."""

    def __init__(self, why: str, passing: bool = True, wait: float | None = None, unused: bool = False) -> None:
        super().__init__(why)
        self.passing, self.wait, self.unused = passing, wait, unused


class Endpoint:
    """A model behind a base URL. URL and key come from OPENAI_BASE_URL and OPENAI_API_KEY where they are not given. No
    URL is assumed, so that nobody pays by accident; a local server needs no key."""

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        key: str | None = None,
        *,
        sampling: Sampling | None = None,
        budget: Budget | None = None,
        timeout: float = 60.0,
        tries: int = 5,
        pause: float = 0.5,
        concurrency: int = 8,
    ) -> None:
        """timeout: seconds without a byte from the server; pause: seconds before the second try; concurrency: requests
        at a time."""
        base_url = base_url or os.environ.get("OPENAI_BASE_URL")
        if not model or not base_url:
            raise ValueError(
                "an endpoint needs a model and a URL: write openai:MODEL and set OPENAI_BASE_URL (or base_url=), "
                "e.g. to http://127.0.0.1:8000/v1"
            )
        if not (tries >= 1 and concurrency >= 1 and timeout > 0 and pause >= 0):
            raise ValueError(
                f"tries={tries}, concurrency={concurrency}, timeout={timeout}, pause={pause}: a request needs at least "
                "one try, one thread and some time, e.g. tries=5, concurrency=8, timeout=60, pause=0.5"
            )
        self.sampling, self.budget = sampling or Sampling(), budget or Budget()
        if self.sampling.stop_tokens:
            raise ValueError("stop_tokens cannot be sent to an endpoint, which knows no token ids; leave them out")
        try:
            import openai
        except ImportError as error:
            raise ImportError('an endpoint needs the openai client: pip install "spiral-lite[openai]"') from error
        self.name, self.model = f"openai:{model}", model
        self.timeout, self.tries, self.pause, self.concurrency = timeout, tries, pause, concurrency
        self._key = key or os.environ.get("OPENAI_API_KEY") or NO_KEY
        self._client = openai.OpenAI(base_url=base_url, api_key=self._key, timeout=timeout, max_retries=0)

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply a prompt. After a failure that stays, no request is begun."""
        with ThreadPoolExecutor(self.concurrency) as threads:
            futures = [threads.submit(self._answer, prompt) for prompt in prompts]
            try:
                return [future.result() for future in futures]
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _answer(self, prompt: Prompt) -> Reply:
        """The reply to a prompt, after as many tries as it takes."""
        jitter = random.Random(prompt.seed)  # so that the threads do not all come back at the same moment
        for attempt in range(self.tries):
            try:
                return self._try(prompt)
            except _Failure as failure:
                if not failure.passing or attempt + 1 == self.tries:
                    why = str(failure).replace(self._key, "[key]") if self._key != NO_KEY else str(failure)
                    raise EndpointError(
                        f"{self.name} gave no reply, try {attempt + 1} of {self.tries}: {why}"
                    ) from None
                wait = self.pause * 2**attempt if failure.wait is None else failure.wait
            time.sleep(min(wait, LONGEST_PAUSE) * jitter.uniform(1, 1.25))
        raise AssertionError("the last try returns or raises")

    def _try(self, prompt: Prompt) -> Reply:
        """One request, within the budget. Raises _Failure."""
        worst = used = (len(prompt.message.encode()) + TEMPLATE_TOKENS, self.sampling.max_new_tokens)
        self.budget.hold(worst)
        try:
            completion = self._send(prompt)
            used = _tokens_of(completion) or worst
            return _reply_of(completion)
        except _Failure as failure:
            used = (0, 0) if failure.unused else used
            raise
        finally:
            self.budget.settle(worst, used)

    def _send(self, prompt: Prompt) -> Any:
        """The server's answer, whatever it is. Raises _Failure if there is none."""
        import openai

        try:
            return self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": prompt.message}],
                temperature=self.sampling.temperature,
                top_p=self.sampling.top_p,
                max_tokens=self.sampling.max_new_tokens,
                seed=prompt.seed % 2**31,
            )
        except openai.APITimeoutError:
            raise _Failure(f"no answer within {self.timeout:g} seconds") from None
        except openai.APIStatusError as error:
            passing = error.status_code >= 500 or error.status_code in PASSING
            wait = _seconds(error.response.headers.get("retry-after"))
            raise _Failure(f"status {error.status_code}, {error.message[:300]}", passing, wait, unused=True) from None
        except openai.APIConnectionError as error:
            raise _Failure(f"no connection ({error.__cause__ or error})") from None
        except (openai.APIError, ValueError) as error:  # ValueError: the body is no JSON
            raise _Failure(f"the answer is no chat completion ({type(error).__name__})") from None


def _reply_of(completion: Any) -> Reply:
    """The reply in a chat completion. Raises _Failure if it is none: the client does not look at what it gets."""
    try:
        choice = completion.choices[0]
        text, reason = choice.message.content, choice.finish_reason
    except (AttributeError, IndexError, KeyError, TypeError):
        raise _Failure(f"the answer is no chat completion: {str(completion)[:200]!r}") from None
    if text is not None and not isinstance(text, str):
        raise _Failure(f"the content of the answer is no text: {str(text)[:200]!r}")
    return Reply(text or "", truncated=reason == "length")


def _tokens_of(completion: Any) -> Tokens | None:
    """What the server says that it used."""
    usage = getattr(completion, "usage", None)
    counts = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    known = [count for count in counts if isinstance(count, int) and count >= 0]
    return (known[0], known[1]) if len(known) == 2 else None


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; None for a date or anything else."""
    try:
        return max(0.0, float(header or ""))
    except ValueError:
        return None
