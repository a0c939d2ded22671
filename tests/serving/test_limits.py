"""What a server does not take on, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from fromlogits.serving.limits import Limits, Workplace
from fromlogits.serving.models import Served
from fromlogits.serving.refusals import Refused
from tests.serving.running import JSON, Kind, Running, ask, serving

PATH = "/v1/models/numbers/predict"
BODY = json.dumps({"rows": [[1, 2, 3]]}).encode()


@pytest.fixture(scope="module")
def small(kinds: dict[str, Kind]) -> Iterator[Running]:
    limits = ("--max-body", "0.01", "--max-rows", "5", "--timeout", "1.5")
    with serving(kinds["numbers"].path, kinds["pictures"].path, *limits) as running:
        yield running


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on(small: Running) -> None:
    line = "a body may have 10,000 bytes (--max-body); this one has more. Send its rows in parts."
    with contextlib.closing(small.connection()) as connection:
        for size in (10_001, 3_000_000):
            reply = ask(connection, "POST", PATH, b" " * size, JSON)
            assert (reply.status, reply.error) == (413, line)
        connection.request(
            "POST", PATH, (b" " * 9_000 for _ in range(3)), JSON, encode_chunked=True
        )  # of no said length
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())) == (413, {"error": line})
        assert ask(connection, "POST", PATH, BODY + b" " * (10_000 - len(BODY)), JSON).status == 200


def test_a_packed_body_is_refused(small: Running) -> None:
    reply = small.ask("POST", PATH, b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"})

    assert (reply.status, reply.error) == (415, "a packed body is not taken; send it without Content-Encoding.")


@pytest.mark.parametrize("is_csv", [False, True])
def test_too_many_rows_are_refused(small: Running, is_csv: bool) -> None:
    if is_csv:
        reply = small.ask("POST", PATH, "0,1,2\n" + "1,2,3\n" * 6, {"Content-Type": "text/csv"})
    else:
        reply = small.predict("numbers", [[1, 2, 3]] * 6)

    assert reply.status == 413, reply.body
    assert reply.error == "a request may have 5 rows (--max-rows); this one has 6. Send them in parts."
    assert small.predict("numbers", [[1, 2, 3]] * 5).status == 200
    tensor = {"name": "x", "shape": [6, 3], "datatype": "FP32", "data": [0] * 18}
    assert small.infer("numbers", {"inputs": [tensor]}).status == 413


def begun(running: Running) -> socket.socket:
    """A connection whose request waits for the end of its body."""
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=60)
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}"
    connection.sendall(head.encode() + b"\r\n\r\n" + BODY[:5])
    return connection


def answered(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    with contextlib.closing(connection):
        reply = b""
        while not (found := re.search(rb"content-length: (\d+)\r\n(?:.+\r\n)*\r\n", reply)) or (
            len(reply) < found.end() + int(found[1])
        ):
            chunk = connection.recv(65536)
            assert chunk, reply
            reply += chunk
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split(" ")[1]), headers, json.loads(body)


def test_a_request_that_takes_too_long_is_ended(small: Running) -> None:
    status, headers, body = answered(begun(small))

    assert (status, headers["connection"]) == (408, "close")
    assert body == {"error": "the request was not read and answered within 1.5 seconds (--timeout)."}


def test_a_connection_without_a_whole_head_is_cut_off(small: Running) -> None:
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", small.port), timeout=60) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", small.port), timeout=60) as slow:
        slow.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reply = b""
        while not reply.endswith(b"}"):
            reply += slow.recv(65536)
        assert reply.startswith(b"HTTP/1.1 200 ")
        slow.sendall(b"GET /v2 HTTP/1.1\r\nHost: ")  # a second request, which stays there
        assert slow.recv(65536) == b""
    assert 2.5 < time.monotonic() - begin < 20


def test_a_head_that_is_too_large_is_cut_off(small: Running) -> None:
    begin = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", small.port), timeout=60) as endless,
        contextlib.suppress(ConnectionError),
    ):
        endless.sendall(b"GET /v2 HTTP/1.1\r\nX: ")
        for _ in range(1000):
            endless.sendall(b"a" * 1024)
        assert endless.recv(65536) == b""
    assert time.monotonic() - begin < 1.5  # not by the time it takes
    assert small.ask("GET", "/v2/health/live").status == 200


def taken(running: Running) -> float:
    text = running.ask("GET", "/metrics").body.decode()
    return float(re.search(r"^fromlogits_requests_taken (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]


def wait_for(running: Running, n: int) -> None:
    end = time.monotonic() + 30
    while taken(running) != n:
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_more_requests_than_may_wait_are_sent_away_and_the_others_answered(kinds: dict[str, Kind]) -> None:
    with serving(kinds["numbers"].path, "--threads", "1", "--queue", "2") as running:
        waiting = [begun(running) for _ in range(3)]
        wait_for(running, 3)
        reply = running.ask("POST", PATH, BODY, JSON)
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
        assert reply.error == "3 requests are being answered already (--queue 2); try again later."
        assert running.ask("GET", "/v2/health/live").status == 200
        for connection in waiting:
            connection.sendall(BODY[5:])
            assert answered(connection)[0] == 200
        wait_for(running, 0)
        assert running.ask("POST", PATH, BODY, JSON).status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_was_accepted_and_is_a_success(kinds: dict[str, Kind], number: signal.Signals) -> None:
    with serving(kinds["numbers"].path) as running:
        idle = running.connection()
        assert ask(idle, "GET", "/v2/health/live").status == 200
        waiting = [begun(running) for _ in range(2)]
        wait_for(running, 2)
        running.process.send_signal(number)
        end = time.monotonic() + 30
        while True:  # nothing new is taken
            try:
                socket.create_connection(("127.0.0.1", running.port), timeout=60).close()
            except ConnectionError:
                break
            assert time.monotonic() < end
        assert running.process.poll() is None
        for connection in waiting:
            connection.sendall(BODY[5:])
            status, _, body = answered(connection)
            assert (status, len(body["predictions"])) == (200, 1)
        assert running.process.wait(60) == 0
        idle.close()


def request_of(body: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def test_work_that_can_not_be_stopped_keeps_its_place_until_it_is_done() -> None:
    may_end = threading.Event()

    async def scene() -> None:
        workplace = Workplace(Limits(threads=1, queue=0, timeout_s=0.05))
        with pytest.raises(Refused) as raised:
            await workplace.answer(request_of(b""), lambda body: (lambda: may_end.wait(30), False))
        assert raised.value.status == 408
        with pytest.raises(Refused) as raised:
            await workplace.answer(request_of(b""), lambda body: (lambda: True, True))
        assert raised.value.status == 429
        may_end.set()
        while workplace.n_taken:
            await asyncio.sleep(0.001)
        assert await workplace.answer(request_of(b"abc"), lambda body: (lambda: len(body), False)) == 3
        workplace.close()

    asyncio.run(scene())


def test_brief_work_is_done_at_once_and_other_work_on_a_thread() -> None:
    async def scene() -> None:
        workplace = Workplace(Limits())
        here = threading.current_thread()
        for body, is_brief in ((b"abc", True), (b"abc", False), (b"abcd", True), (b"abcd", False)):
            readers: list[threading.Thread] = []

            def read(body: bytes, is_brief: bool = is_brief, readers: Any = readers) -> tuple[Any, bool]:
                readers.append(threading.current_thread())
                return threading.current_thread, is_brief

            worker = await workplace.answer(request_of(body), read, brief_bytes=4)
            assert (readers[0] is here, worker is here) == (len(body) < 4, len(body) < 4 and is_brief)
        workplace.close()

    asyncio.run(scene())


def test_what_is_brief_takes_half_a_millisecond(kinds: dict[str, Kind]) -> None:
    for name in ("numbers", "table"):
        model = Served.open(str(kinds[name].path))
        most = next(n for n in range(1, 10**6) if not model.is_brief(n)) - 1
        products = model.classifier.network_.n_parameters
        assert 0 < most * products < 5e6
        rows = model.brief_bytes / model.classifier.n_features_in_  # one byte a value
        assert 0 < rows <= most or model.is_numeric
        assert model.brief_bytes <= 65_536
