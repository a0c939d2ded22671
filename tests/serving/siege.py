"""A server under many mixed requests, one in twenty of them malformed or cut off: `python -m tests.serving.siege`.

Every whole and right request must be answered by the bits of its classifier, every malformed one by its status, and
nothing else may happen: no other status, no line on standard error, no growth of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.serving.running import LENGTH, Kind, serving
from tests.serving.small_models import made

MALFORMED = 0.05
CONNECTIONS = 32
CUTS = ("in the head", "in the body", "before the answer")


@dataclass(frozen=True)
class Case:
    """A request, the status that it must get, and of 200 the probabilities."""

    name: str
    request: bytes
    status: int
    probabilities_nk: Any = None

    def check(self, status: int, body: bytes) -> None:
        assert status == self.status, (self.name, status, body[:500])
        found = json.loads(body)
        if status != 200:
            assert set(found) == {"error"}, (self.name, body[:500])
            return
        if "outputs" in found:
            values = next(one["data"] for one in found["outputs"] if one["name"] == "probabilities")
        else:
            values = [list(row["probabilities"].values()) for row in found["predictions"]]
        assert np.array_equal(np.array(values, np.float32).ravel(), self.probabilities_nk.ravel()), self.name


def request_of(path: str, body: bytes, content_type: str = "application/json", more: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n{more}Content-Length: {len(body)}"
    )
    return f"{head}\r\n\r\n".encode() + body


def right_cases(kinds: Mapping[str, Kind]) -> list[Case]:
    cases: list[Case] = []
    for name, kind in kinds.items():
        rows, at = kind.rows, f"/v1/models/{name}/predict"
        expected = kind.classifier.predict_proba(rows)
        n = len(rows)
        listed = (
            json.loads(rows.to_json(orient="records", date_format="iso"))
            if isinstance(rows, pd.DataFrame)
            else rows.reshape(n, -1).tolist()
        )
        for part in [slice(row, row + 1) for row in range(min(n, 5))] + [slice(0, n)] * 3:
            body = json.dumps({"rows": listed[part]}).encode()
            cases.append(Case(f"{name}: rows {part}", request_of(at, body), 200, expected[part]))
        if name in ("numbers", "labels", "several"):
            x = np.asarray(rows, "<f8")
            tensor: dict[str, Any] = {"name": "x", "shape": list(x.shape), "datatype": "FP64"}
            flat = json.dumps({"inputs": [{**tensor, "data": x.ravel().tolist()}]}).encode()
            head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": x.nbytes}}]}).encode()
            to = f"/v2/models/{name}/infer"
            cases.append(Case(f"{name}: JSON tensor", request_of(to, flat), 200, expected))
            binary = request_of(to, head + x.tobytes(), "application/octet-stream", f"{LENGTH}: {len(head)}\r\n")
            cases.append(Case(f"{name}: binary tensor", binary, 200, expected))
    for name in ("table", "flowers"):
        text = kinds[name].rows.to_csv(index=False).encode()
        expected = kinds[name].classifier.predict_proba(kinds[name].rows)
        cases.append(Case(f"{name}: CSV", request_of(f"/v1/models/{name}/predict", text, "text/csv"), 200, expected))
    return cases


def malformed_cases() -> list[Case]:
    at, infer = "/v1/models/numbers/predict", "/v2/models/numbers/infer"
    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return [
        Case("half of the JSON", request_of(at, b'{"rows": [[1, 2'), 400),
        Case("no UTF-8", request_of(at, b'{"rows": "\xff"}'), 400),
        Case("a key twice", request_of(at, b'{"rows": [], "rows": []}'), 400),
        Case("another width", request_of(at, b'{"rows": [[1, 2]]}'), 400),
        Case("a damaged CSV", request_of("/v1/models/table/predict", b'a,b\n1,"2\n', "text/csv"), 400),
        Case("no picture", request_of("/v1/models/pictures/predict", b"\x89PNG\r\n", "image/png"), 400),
        Case("no such model", request_of("/v1/models/nobody/predict", b"{}"), 404),
        Case("no such type", request_of(at, b"<rows/>", "text/xml"), 415),
        Case("too many rows", request_of(at, json.dumps({"rows": [[1, 2, 3]] * 600}).encode()), 413),
        Case("too few bytes", request_of(infer, head + b"1234", more=f"{LENGTH}: {len(head)}\r\n"), 400),
    ]


@dataclass
class Siege:
    """So many requests to one port, chosen by a seed."""

    port: int
    right: list[Case]
    malformed: list[Case]
    count: int
    seed: int

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.happened: Counter[str] = Counter()

    async def run(self) -> None:
        begun = 0

        async def client() -> None:
            nonlocal begun
            connection = None
            while begun < self.count:
                begun += 1
                connection = connection or await asyncio.open_connection("127.0.0.1", self.port)
                if self.chance.random() >= MALFORMED:
                    is_open = await self._ask(*connection, self.chance.choice(self.right))
                elif self.chance.random() < 0.5:
                    is_open = await self._ask(*connection, self.chance.choice(self.malformed))
                else:
                    is_open = await self._cut(*connection)
                if not is_open:
                    connection = None
            if connection:
                connection[1].close()

        async with asyncio.TaskGroup() as clients:
            for _ in range(CONNECTIONS):
                clients.create_task(client())

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, case: Case) -> bool:
        """Whether the connection goes on."""
        writer.write(case.request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(line for line in head.split("\r\n") if line.startswith("content-length: ")).split(" ")[1]
        case.check(int(head.split(" ")[1]), await reader.readexactly(int(length)))
        self.happened["answered" if case.status == 200 else "refused"] += 1
        if "connection: close" in head:
            writer.close()
            return False
        return True

    async def _cut(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        cut = self.chance.choice((*CUTS, "no HTTP"))
        self.happened["no HTTP" if cut == "no HTTP" else "cut off"] += 1
        if cut == "no HTTP":
            writer.write(b"\x16\x03\x01 hello\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        else:
            request = self.chance.choice(self.right).request
            body_at = request.index(b"\r\n\r\n") + 4
            first, last = {"in the head": (1, body_at - 1), "in the body": (body_at, len(request) - 1)}.get(
                cut, (len(request), len(request))
            )
            writer.write(request[: self.chance.randint(first, last)])
            await writer.drain()
        if self.chance.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()
        return False


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def besiege(kinds: Mapping[str, Kind], count: int, seed: int) -> dict[str, Any]:
    """What happened, and the server's memory after a tenth of the requests and after all, in MB."""
    right, malformed = right_cases(kinds), malformed_cases()
    with serving(*(kind.path for kind in kinds.values()), "--max-rows", "500", "--threads", "2") as running:
        first = Siege(running.port, right, malformed, count // 10, seed)
        asyncio.run(first.run())
        before = resident_mb(running.process.pid)
        start = time.perf_counter()
        second = Siege(running.port, right, malformed, count - count // 10, seed + 1)
        asyncio.run(second.run())
        seconds = time.perf_counter() - start
        after = resident_mb(running.process.pid)
    return {
        **(first.happened + second.happened),
        "resident_mb": [round(before, 1), round(after, 1)],
        "requests_per_s": round(second.count / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = besiege(made(Path(folder)), told.count, told.seed)
    print(json.dumps({"count": told.count, "seed": told.seed, **found}))
    before, after = found["resident_mb"]
    if after > 1.1 * before:
        sys.exit(f"the server grew from {before} to {after} MB")


if __name__ == "__main__":
    main()
