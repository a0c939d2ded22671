"""Requests per second and latency of one-row requests over HTTP, by one client and by several.

    python benchmarks/serving.py

The same data, two servers on loopback, each in a process of its own: `fromlogits serve`, and scikit-learn's
MLPClassifier of the same layers behind the handler that one writes with FastAPI. Clients are threads of one further
process, each with one connection that it keeps; server and clients share the cores. A round asks each server in turn,
in both orders; what is reported are the medians of the rounds and their spread.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, write_json

LAYERS = (64, 64)
PEER = """
import pickle, sys
import numpy as np, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

clf = pickle.load(open(sys.argv[1], "rb"))
names = [str(name) for name in clf.classes_]
app = FastAPI()

class Rows(BaseModel):
    rows: list[dict[str, float]]

@app.post("/predict")
def predict(body: Rows):
    probabilities = clf.predict_proba(np.array([list(row.values()) for row in body.rows]))
    labels = clf.classes_[probabilities.argmax(axis=1)].tolist()
    return {"predictions": [{"label": label, "probabilities": dict(zip(names, row.tolist()))}
                            for label, row in zip(labels, probabilities)]}

uvicorn.run(app, port=int(sys.argv[2]), log_level="critical", access_log=False)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status} {answer[:200]!r}")
    return answer


def load(port: int, path: str, bodies: list[bytes], n_clients: int, seconds: float) -> dict[str, float]:
    """Requests per second of all clients together, and the latencies of each request in ms."""
    latencies: list[list[float]] = [[] for _ in range(n_clients)]
    start = threading.Barrier(n_clients + 1)

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in bodies[:20]:
            ask(connection, path, body)
        start.wait()
        end = time.perf_counter() + seconds
        turn = number
        while (before := time.perf_counter()) < end:
            ask(connection, path, bodies[turn % len(bodies)])
            latencies[number].append(time.perf_counter() - before)
            turn += n_clients
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    start.wait()
    before = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - before
    every = sorted(one for own in latencies for one in own)
    return {
        "requests_per_s": len(every) / took,
        "p50_ms": 1000 * statistics.median(every),
        "p99_ms": 1000 * every[int(0.99 * (len(every) - 1))],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of both orders each")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    import pickle

    from sklearn.datasets import load_breast_cancer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import fromlogits as fl

    facts = machine("starlette", "uvicorn", "httptools", "uvloop", "orjson", "fastapi", "pydantic", "scikit-learn")
    show(facts)
    x, y = load_breast_cancer(return_X_y=True)
    names = [f"c{place}" for place in range(x.shape[1])]
    bodies = [json.dumps({"rows": [dict(zip(names, row, strict=True))]}).encode() for row in x[:200].tolist()]
    with tempfile.TemporaryDirectory() as folder:
        import pandas as pd

        ours, theirs, script = Path(folder) / "m.safetensors", Path(folder) / "m.pickle", Path(folder) / "peer.py"
        frame = pd.DataFrame(x, columns=names)
        clf = fl.Classifier(hidden_layer_sizes=LAYERS, max_epochs=10, random_state=0).fit(frame, y)
        clf.save(ours)
        peer = make_pipeline(StandardScaler(), MLPClassifier(LAYERS, max_iter=50, tol=1e-2, random_state=0)).fit(x, y)
        theirs.write_bytes(pickle.dumps(peer))
        script.write_text(PEER, encoding="utf-8")
        ports = free_port(), free_port()
        serve = [sys.executable, "-m", "fromlogits", "serve", str(ours), "--port", str(ports[0])]
        servers = {
            "fromlogits serve": (serve, ports[0], "/v1/models/m/predict"),
            "FastAPI + MLPClassifier": (
                [sys.executable, str(script), str(theirs), str(ports[1])],
                ports[1],
                "/predict",
            ),
        }
        rows = np.asarray(x[:1], np.float64)
        before = time.perf_counter()
        for _ in range(1000):
            clf.predict_proba(rows)
        alone_us = 1000 * (time.perf_counter() - before)
        print(f"clf.predict_proba of one row, without a server: {alone_us:.0f} us\n")
        found: dict[str, dict[int, list[dict[str, float]]]] = {name: {1: [], 8: []} for name in servers}
        with contextlib.ExitStack() as stack:
            for command, port, _ in servers.values():
                stack.enter_context(running(command, port))
            for turn in range(2 * arguments.rounds):
                for name in list(servers)[:: 1 if turn % 2 else -1]:
                    for n_clients in (1, 8):
                        _, port, path = servers[name]
                        found[name][n_clients].append(load(port, path, bodies, n_clients, arguments.seconds))
    report: dict[str, Any] = {
        "benchmark": "serving", **facts, "layers": [x.shape[1], *LAYERS, 1], "rounds": 2 * arguments.rounds,
        "alone_us": alone_us, "servers": {},
    }  # fmt: skip
    for name, by_clients in found.items():
        report["servers"][name] = {}
        for n_clients, measured in by_clients.items():
            figures = {what: spread([one[what] for one in measured]) for what in measured[0]}
            report["servers"][name][n_clients] = figures
            said = ", ".join(
                f"{what} {one['median']:.4g} ({one['lowest']:.4g} to {one['highest']:.4g})"
                for what, one in figures.items()
            )
            print(f"{name}, {n_clients} client{'s' * (n_clients > 1)}: {said}")
    write_json(arguments.json, report)


if __name__ == "__main__":
    main()
