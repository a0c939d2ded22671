"""Requests over HTTP/1.1 as fast as they are answered, from a process of its own: what `serving.py` asks with.

    python benchmarks/http_load.py PORT CONNECTIONS SECONDS REQUEST...

Each REQUEST is a file with the bytes of one whole request; connections send them in turn, one at a time each, and keep
open. Prints JSON: requests, seconds, and the median and 99th percentile of a request's milliseconds. An answer that
is not 200 ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path

import uvloop

LENGTH = b"\ncontent-length: "


class Connection(asyncio.Protocol):
    """One request after the other until the time is up."""

    transport: asyncio.Transport

    def __init__(self, requests: list[bytes], turn: int, latencies: list[float], end: float) -> None:
        self.requests, self.turn, self.latencies, self.end = requests, turn, latencies, end
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reply, self.whole = bytearray(), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.ask()

    def ask(self) -> None:
        self.turn += 1
        self.begin = time.perf_counter()
        self.transport.write(self.requests[self.turn % len(self.requests)])

    def data_received(self, data: bytes) -> None:
        self.reply += data
        if not self.whole:
            head_end = self.reply.find(b"\r\n\r\n")
            if head_end < 0:
                return
            if not self.reply.startswith(b"HTTP/1.1 200 "):
                self.stop(f"refused: {bytes(self.reply[:500])!r}")
                return
            head = bytes(self.reply[: head_end + 2]).lower()
            start = head.index(LENGTH) + len(LENGTH)
            self.whole = head_end + 4 + int(head[start : head.index(b"\r", start)])
        if len(self.reply) < self.whole:
            return
        now = time.perf_counter()
        self.latencies.append(now - self.begin)
        self.reply.clear()
        self.whole = 0
        if now < self.end:
            self.ask()
        else:
            self.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop(f"the connection was lost: {exc}")

    def stop(self, why: str | None = None) -> None:
        if not self.done.done():
            self.done.set_exception(SystemExit(why)) if why else self.done.set_result(None)
            self.transport.close()


async def spend(port: int, n_connections: int, seconds: float, requests: list[bytes]) -> tuple[list[float], float]:
    """The latencies of all connections, in seconds, and how long it took."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    begin = time.perf_counter()
    connections = [Connection(requests, 7 * turn, latencies, begin + seconds) for turn in range(n_connections)]
    await asyncio.gather(*(loop.create_connection(lambda one=one: one, "127.0.0.1", port) for one in connections))
    await asyncio.gather(*(connection.done for connection in connections))
    return latencies, time.perf_counter() - begin


async def load(port: int, n_connections: int, seconds: float, requests: list[bytes]) -> dict[str, float]:
    await spend(port, n_connections, seconds / 10, requests)  # which is not counted
    latencies, took = await spend(port, n_connections, seconds, requests)
    latencies.sort()
    return {
        "requests": len(latencies),
        "seconds": took,
        "p50_ms": 1000 * statistics.median(latencies),
        "p99_ms": 1000 * latencies[int(0.99 * (len(latencies) - 1))],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("requests", type=Path, nargs="+")
    told = parser.parse_args()
    requests = [path.read_bytes() for path in told.requests]
    print(json.dumps(uvloop.run(load(told.port, told.connections, told.seconds, requests))))


if __name__ == "__main__":
    main()
