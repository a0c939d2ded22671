"""Requests and rows a second and latencies over HTTP, beside a service of FastAPI and ONNX Runtime.

    python benchmarks/serving.py --json serving.json

On loopback, each in a process of its own: `fromlogits serve`; the same model, written by `fromlogits export`, behind
`onnx_service.py`, the handler that one writes with FastAPI, on uvicorn and on granian, whose HTTP is written in Rust;
and the clients, `http_load.py`. All share the cores. A round asks each server in turn, in both orders; reported are the
medians of the rounds and their spread.

- JSON: the same bodies for all, a list of numbers for each row; 1 row from 1, 16 and 64 connections, 256 rows from 4.
- Binary tensors of 10,000 x 784 FP32 from 2 connections, for a small network and a large one, beside `predict_proba` of
  the same rows with all cores in a process alone.
- A row as CSV, and the seconds from the start of `fromlogits serve` to its first answer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, write_json

import fromlogits as fl

HERE = Path(__file__).parent
LAYERS = (64, 64)
NETWORKS = {"784-25-15-10": (25, 15), "784-1024-1024-10": (1024, 1024)}
TENSOR = (10_000, 784)
DIFFERENT = 16
"""Requests that a connection sends in turn."""
OURS, PEER = "fromlogits serve", "FastAPI + ONNX Runtime"
PEER_ON_GRANIAN = f"{PEER}, granian"
PACKAGES = ("starlette", "uvicorn", "httptools", "uvloop", "orjson", "granian", "fastapi", "pydantic", "onnxruntime")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[float]:
    """A server, and the seconds from its start to its first answer."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if connection.recv(9):
                    break
            time.sleep(0.005)
        yield time.perf_counter() - start
    finally:
        process.terminate()
        process.wait(30)


def request_of(path: str, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def tensor_request(name: str, x: np.ndarray) -> bytes:
    tensor = {"name": "x", "shape": x.shape, "datatype": "FP32", "parameters": {"binary_data_size": x.nbytes}}
    asked = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": asked}).encode()
    length = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return request_of(f"/v2/models/{name}/infer", head + x.tobytes(), "application/octet-stream", length)


def load(port: int, n_connections: int, seconds: float, requests: list[Path], rows: int) -> dict[str, float]:
    command = [sys.executable, str(HERE / "http_load.py"), str(port), str(n_connections), str(seconds)]
    done = subprocess.run([*command, *map(str, requests)], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    per_s = found["requests"] / found["seconds"]
    return {"requests_per_s": per_s, "rows_per_s": rows * per_s, "p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"]}


def engine_rows_per_s(path: Path, x: np.ndarray) -> dict[str, float]:
    clf = fl.load(path)
    clf.predict_proba(x)
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        clf.predict_proba(x)
        rates.append(len(x) / (time.perf_counter() - start))
    return spread(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of both orders each")
    parser.add_argument("--json", type=Path, help="write the figures there")
    told = parser.parse_args()
    from sklearn.datasets import load_breast_cancer

    facts = machine(
        "starlette", "uvicorn", "httptools", "uvloop", "orjson", "granian", "fastapi", "pydantic", "onnxruntime"
    )
    show(facts)
    x, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(0)
    pixels = rng.random(TENSOR).astype(np.float32)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        models = [folder / "m.safetensors"]
        fl.Classifier(hidden_layer_sizes=LAYERS, max_epochs=10, random_state=0).fit(x, y).save(models[0])
        export = [sys.executable, "-m", "fromlogits", "export", str(models[0]), str(folder / "m.onnx")]
        subprocess.run(export, stdout=subprocess.DEVNULL, check=True)
        for units, hidden in NETWORKS.items():
            models.append(folder / f"{units}.safetensors")
            clf = fl.Classifier(hidden_layer_sizes=hidden, max_epochs=1, random_state=0)
            clf.fit(pixels[:2000], rng.integers(0, 10, 2000)).save(models[-1])

        def kept(what: str, number: int, request: bytes) -> Path:
            path = folder / f"{what}.{number}".replace("/", "_")
            path.write_bytes(request)
            return path

        def json_requests(path: str, n: int) -> list[Path]:
            bodies = (np.arange(n * turn, n * (turn + 1)) % len(x) for turn in range(DIFFERENT))
            return [
                kept(f"{path}.{n}", turn, request_of(path, json.dumps({"rows": x[rows].tolist()}).encode()))
                for turn, rows in enumerate(bodies)
            ]

        ports = {OURS: free_port(), PEER: free_port(), PEER_ON_GRANIAN: free_port()}
        serve = [sys.executable, "-m", "fromlogits", "serve", *map(str, models), "--port", str(ports[OURS])]
        service = [sys.executable, str(HERE / "onnx_service.py"), str(folder / "m.onnx")]
        starts = []
        for _ in range(3):
            with running(serve, ports[OURS]) as took:
                starts.append(took)
        stack.enter_context(running([*serve, "--max-body", "100"], ports[OURS]))
        for who, by in ((PEER, "uvicorn"), (PEER_ON_GRANIAN, "granian")):
            stack.enter_context(running([*service, str(ports[who]), by], ports[who]))

        found: dict[str, dict[str, list[dict[str, float]]]] = {}

        def measure(what: str, who: str, n_connections: int, requests: list[Path], rows: int) -> None:
            one = load(ports[who], n_connections, told.seconds, requests, rows)
            found.setdefault(what, {}).setdefault(who, []).append(one)

        paths = {OURS: "/v1/models/m/predict", PEER: "/predict", PEER_ON_GRANIAN: "/predict"}
        for turn in range(2 * told.rounds):
            for n, n_connections in ((1, 1), (1, 16), (1, 64), (256, 4)):
                what = f"{n} row{'s' * (n > 1)} of JSON, {n_connections} connection{'s' * (n_connections > 1)}"
                for who in list(paths)[:: 1 if turn % 2 else -1]:
                    measure(what, who, n_connections, json_requests(paths[who], n), n)
            for units in NETWORKS:
                tensor = kept("tensor", 0, tensor_request(units, pixels))
                measure(f"10,000 x 784 binary, {units}, 2 connections", OURS, 2, [tensor], len(pixels))
        text = ",".join(map(str, x[0].tolist())) + "\n"
        row = kept("csv", 0, request_of(paths[OURS] + "?header=none", text.encode(), "text/csv"))
        measure("1 row of CSV, 1 connection", OURS, 1, [row], 1)
        alone = {units: engine_rows_per_s(folder / f"{units}.safetensors", pixels) for units in NETWORKS}

    report: dict[str, Any] = {
        "benchmark": "serving", **facts, "layers": [x.shape[1], *LAYERS, 1], "rounds": 2 * told.rounds,
        "start_s": spread(starts), "alone_rows_per_s": alone, "load": {},
    }  # fmt: skip
    for what, by_server in found.items():
        report["load"][what] = {
            who: {key: spread([one[key] for one in measured]) for key in measured[0]}
            for who, measured in by_server.items()
        }
        for who, figures in report["load"][what].items():
            said = (
                f"{key} {one['median']:.4g} ({one['lowest']:.4g} to {one['highest']:.4g})"
                for key, one in figures.items()
            )
            print(f"{what}, {who}: {', '.join(said)}", flush=True)
    print(f"start: {starts}; alone, rows/s: {alone}")
    write_json(told.json, report)


if __name__ == "__main__":
    main()
