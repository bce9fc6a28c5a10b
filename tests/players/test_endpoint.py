"""The endpoint player against a server on this machine that speaks the protocol, well and badly."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from spiral_lite import games, players
from spiral_lite.players import Budget, Endpoint, EndpointError, Prompt, Reply, Sampling
from spiral_lite.rollout import play

pytest.importorskip("openai")

KEY = "sk-secret-0123456789"
TIC_TAC_TOE = games.make("tic_tac_toe")
PROMPT = Prompt(TIC_TAC_TOE.initial_state(), "Which cell?", seed=2**47 + 3)
WORST = len(PROMPT.message) + 64 + Sampling().max_new_tokens


def answer(text: Any = "\\boxed{[4]}", reason: str = "stop", usage: Any = (11, 5)) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    completion = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)} if usage else None
    return {**completion, "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": counts}


class Server:
    """Answers a request by the next entry of `script`, and when that is used up by a good answer: a dict (JSON), bytes
    (a body as it is), a status, (status, Retry-After), or a number of seconds to be silent for."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.delay, self.most_at_once, self._at_once, self._lock = 0.0, 0, 0, threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.serve(self)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.done = threading.Event()
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            self.requests.append(body)
            self.keys.add(handler.headers["Authorization"])
            step = self.script.pop(0) if self.script else answer()
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        status, headers, content = 200, {"Content-Type": "application/json"}, b""
        if isinstance(step, dict):
            content = json.dumps(step).encode()
        elif isinstance(step, bytes):
            content = step
        elif isinstance(step, float):
            self.done.wait(step)
        else:
            status, wait = step if isinstance(step, tuple) else (step, None)
            headers |= {"Retry-After": wait} if wait else {}
            content = json.dumps({"error": {"message": f"no, {KEY} will not do", "type": "x"}}).encode()
        self.done.wait(self.delay)
        with self._lock:
            self._at_once -= 1
        try:
            handler.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:
            pass  # the client has given up

    def close(self) -> None:
        self.done.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    found = Server()
    yield found
    found.close()


def endpoint(server: Server, **options: Any) -> Endpoint:
    return Endpoint("m", server.url, KEY, **{"pause": 0.01, "timeout": 5.0, **options})


def test_it_plays_games(server: Server) -> None:
    """Against a server that always says the middle: the first move of a game is legal, a second one is not."""
    player = endpoint(server)
    episodes = play(TIC_TAC_TOE, (player, players.random_player()), 6, seed=1)
    assert all(episode.turns[0].action == "[4]" and episode.turns[0].player == "openai:m" for episode in episodes)
    assert all(episode.ended == "invalid" and episode.turns[-1].role == 0 for episode in episodes)
    assert player.budget.used_tokens == 16 * len(server.requests) == 16 * 12


def test_what_is_sent(server: Server) -> None:
    player = endpoint(server, sampling=Sampling(temperature=0.6, top_p=0.95, max_new_tokens=40))
    assert player.reply([PROMPT]) == [Reply("\\boxed{[4]}")]
    assert server.requests == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Which cell?"}],
            "temperature": 0.6,
            "top_p": 0.95,
            "max_tokens": 40,
            "seed": 3,
        }
    ]
    assert server.keys == {f"Bearer {KEY}"}


def test_replies_are_in_the_order_of_the_prompts(server: Server) -> None:
    server.script = [answer("a", "length"), answer(None), answer("")]
    replies = endpoint(server, concurrency=1).reply([PROMPT, PROMPT, PROMPT])
    assert [(reply.text, reply.truncated) for reply in replies] == [("a", True), ("", False), ("", False)]
    assert endpoint(server).reply([]) == []


@pytest.mark.parametrize(
    "trouble",
    [429, (429, "0.01"), 500, 503, 408, b"<html>", b"{", b"[]", b"null", answer(7), {"choices": []}, {"error": "no"}],
    ids=str,
)
def test_trouble_that_passes(server: Server, trouble: Any) -> None:
    server.script = [trouble, trouble]
    assert endpoint(server).reply([PROMPT])[0].text == "\\boxed{[4]}"
    assert len(server.requests) == 3


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    server.script = [(429, "0.3")]
    began = time.perf_counter()
    endpoint(server, pause=60.0).reply([PROMPT])
    assert 0.3 <= time.perf_counter() - began < 10


def test_pauses_double(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.script = [500] * 9
    with pytest.raises(EndpointError):
        endpoint(server, pause=8.0, tries=5).reply([PROMPT])
    bounds = [(8, 10), (16, 20), (30, 37.5), (30, 37.5)]  # LONGEST_PAUSE is 30; a quarter may be added
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=True))


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (500, "try 3 of 3: status 500"),
        (429, "try 3 of 3: status 429"),
        (b"rubbish", "try 3 of 3: the answer is no chat completion"),
        (1.0, "try 3 of 3: no answer within 0.1 seconds"),
    ],
    ids=str,
)
def test_trouble_that_stays(server: Server, trouble: Any, message: str) -> None:
    server.script = [trouble] * 9
    with pytest.raises(EndpointError, match=f"^openai:m gave no reply, {message}"):
        endpoint(server, tries=3, timeout=0.1 if trouble == 1.0 else 5.0).reply([PROMPT])
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_cannot_pass_is_not_tried_again(server: Server, status: int) -> None:
    server.script = [status]
    with pytest.raises(EndpointError, match=f"try 1 of 5: status {status}"):
        endpoint(server).reply([PROMPT])
    assert len(server.requests) == 1


def test_a_failure_stops_the_batch(server: Server) -> None:
    server.script = [answer(), 401]
    with pytest.raises(EndpointError):
        endpoint(server, concurrency=1).reply([PROMPT] * 50)
    assert len(server.requests) <= 3


def test_nobody_listens(server: Server) -> None:
    server.close()
    with pytest.raises(EndpointError, match="try 2 of 2: no connection"):
        endpoint(server, tries=2).reply([PROMPT])


def test_a_batch_is_sent_by_some_threads(server: Server) -> None:
    server.delay = 0.05
    endpoint(server, concurrency=4).reply([PROMPT] * 12)
    assert 2 <= server.most_at_once <= 4


def test_the_key_is_nowhere(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = [500, 401]
    player = endpoint(server)
    with pytest.raises(EndpointError, match=r"\[key\] will not do") as caught:
        player.reply([PROMPT])
    assert caught.value.__cause__ is None
    shown = [caplog.text, repr(player), str(player), player.name, repr(caught.value), repr(player.budget)]
    assert server.keys == {f"Bearer {KEY}"}, "it was sent"
    assert not any(KEY in text for text in shown)


def test_a_budget_of_tokens_is_never_exceeded(server: Server) -> None:
    """A request may take WORST tokens and takes 16."""
    player = endpoint(server, budget=Budget(tokens=WORST + 40), concurrency=1)
    with pytest.raises(EndpointError, match=rf"budget of {WORST + 40} tokens is spent: 48 tokens .* may take {WORST}"):
        player.reply([PROMPT] * 20)
    assert len(server.requests) == 3  # after 32 tokens a third is held, after 48 no fourth
    assert player.budget.used_tokens == 48


def test_a_budget_holds_for_requests_in_flight(server: Server) -> None:
    server.delay = 0.1
    player = endpoint(server, budget=Budget(tokens=2 * WORST + 1), concurrency=8)
    with pytest.raises(EndpointError, match="others may be in flight"):
        player.reply([PROMPT] * 8)
    assert len(server.requests) <= 2


def test_a_budget_of_dollars(server: Server) -> None:
    prices = (1e6, 2e6)  # a dollar a token, and two
    worst = len(PROMPT.message) + 64 + 2 * 96
    player = endpoint(server, budget=Budget(dollars=worst + 21.5, prices=prices), concurrency=1)
    with pytest.raises(EndpointError, match=r"dollars is spent: 32 tokens \(\$42\.0000\)"):
        player.reply([PROMPT] * 9)
    assert player.budget.used_dollars == 2 * (11 + 2 * 5)


def test_what_is_booked(server: Server) -> None:
    """Requests that were turned away cost nothing; answers without a count, and no answers, cost the worst case."""
    player = endpoint(server)
    server.script = [429, 500]
    player.reply([PROMPT])
    assert player.budget.used_tokens == 16
    server.script = [answer(usage=None)]
    player.reply([PROMPT])
    assert player.budget.used_tokens == 16 + WORST
    server.script = [b"rubbish"]
    player.reply([PROMPT])
    assert player.budget.used_tokens == 32 + 2 * WORST


def test_by_name(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    player = players.make("openai:owner/model:tag", Sampling(max_new_tokens=7))
    assert player.name == "openai:owner/model:tag"
    player.reply([PROMPT])
    assert server.requests[0]["model"] == "owner/model:tag"
    assert server.requests[0]["max_tokens"] == 7
    assert server.keys == {"Bearer none"}, "a local server needs no key, and gets none"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"base_url": None}, "set OPENAI_BASE_URL"),
        ({"model": ""}, "needs a model"),
        ({"tries": 0}, "tries=0"),
        ({"timeout": 0.0}, r"timeout=0\.0"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"sampling": Sampling(stop_tokens=(5,))}, "stop_tokens cannot be sent"),
    ],
    ids=str,
)
def test_wrong_settings_teach(wrong: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match=message):
        Endpoint(**{"model": "m", "base_url": "http://127.0.0.1:1/v1", **wrong})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"tokens": 0}, "tokens=0"), ({"dollars": 1.0}, "give both or none"), ({"prices": (1.0, 1.0)}, "give both")],
    ids=str,
)
def test_wrong_budgets_teach(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**wrong)


def test_without_the_client_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r'pip install "spiral-lite\[openai\]"'):
        Endpoint("m", "http://127.0.0.1:1/v1")
