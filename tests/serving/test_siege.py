"""Many requests at a time, some of them broken, and a stop in the midst of them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import numpy as np
import pytest

from tests.serving.running import Kind, serving
from tests.serving.siege import besiege

SEED = 11


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_mixed_and_broken_requests_are_answered_rightly_in_flat_memory(kinds: dict[str, Kind]) -> None:
    found = besiege(kinds, 3000, SEED)  # nox -s siege: 100,000

    assert found["answered"] > 2500
    assert min(found[what] for what in ("refused", "cut off", "no HTTP")) > 5
    before, after = found["resident_mb"]
    assert after < before + 40  # 2,700 requests that left 16 KB each behind would show


def test_a_stop_under_load_loses_no_request_that_was_accepted(kinds: dict[str, Kind]) -> None:
    numbers = kinds["numbers"]
    rows = np.asarray(numbers.rows)
    expected_nk = numbers.classifier.predict_proba(rows)
    body = json.dumps({"rows": rows.tolist()}).encode()
    head = (
        "POST /v1/models/numbers/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    accepted, answered = 0, 0

    with serving(numbers.path, "--threads", "2") as running:

        async def client() -> None:
            nonlocal accepted, answered
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
                    writer.write(head)
                    await reader.readuntil(b"100 Continue\r\n\r\n")
                except (ConnectionError, asyncio.IncompleteReadError):
                    return  # the server takes nothing new
                accepted += 1
                if accepted == 200:
                    running.process.send_signal(signal.SIGTERM)
                writer.write(body)
                reply = await reader.readuntil(b"\r\n\r\n")
                assert reply.startswith(b"HTTP/1.1 200 ")
                length = next(line for line in reply.split(b"\r\n") if line.startswith(b"content-length: "))
                found = json.loads(await reader.readexactly(int(length.split()[1])))
                values = [list(row["probabilities"].values()) for row in found["predictions"]]
                assert np.array_equal(np.array(values, np.float32), expected_nk)
                answered += 1
                writer.close()

        async def scene() -> None:
            async with asyncio.TaskGroup() as clients:
                for _ in range(16):
                    clients.create_task(client())

        asyncio.run(asyncio.wait_for(scene(), 120))
        assert running.process.wait(60) == 0
    assert answered == accepted >= 200
