"""Peak memory of a training, above that after the imports, beside what it must hold.

    python benchmarks/peak_memory.py --data FOLDER --json peak_memory.json

Each training is a process of its own: it imports, makes one tiny training so that everything is loaded, asks Linux to
forget the peak so far, loads the rows and calls `Classifier.fit`. The peak is VmHWM less the resident memory after the
imports. It is compared with

    the rows as they came (with their targets) + 5 × parameters + the activations of one batch

all in bytes: weights, two moments of Adam, the weights of the best epoch and those that the fitted classifier keeps
are five times the parameters; without early stopping there is no best epoch, and it is four. There is no gradient of
all parameters, for each part of it is used up as it is summed. Activations are a float32 for each unit of a batch, its
input included where it is not sparse.

The float32 array into which a table is standardised, beside the caller's own, is no part of that: rows could be
standardised as a batch takes them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import machine, show, spread, threads, write_json

CHILD = "--child"


def status(name: str) -> int:
    """Bytes of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def child(name: str, folder: Path | None, count: int, early_stopping: bool, n_threads: int) -> dict[str, float]:
    """Train in this process; what was held and what had to be."""
    import numpy as np
    from networks import NETWORKS, SparseRows, network_of, task_of

    import fromlogits as fl

    def classifier(units: Sequence[int], batch: int) -> fl.Classifier:
        return fl.Classifier(
            network=network_of(units), optimizer="adam", dropout=0.0, batch_size=batch, max_epochs=2,
            early_stopping=early_stopping, calibrate=False, random_state=0, n_jobs=n_threads,
        )  # fmt: skip

    shape = NETWORKS[name]
    if shape.rows == "sparse":
        import scipy.sparse

        few: Any = scipy.sparse.csr_array(np.eye(64, dtype=np.float32))
        few_targets: Any = np.arange(128).reshape(64, 2) % 3 % 2
    else:
        few, few_targets = np.random.default_rng(0).integers(0, 256, (64, 4, 4), np.uint8), np.arange(64) % 4
        few = few if shape.rows == "pictures" else few.reshape(64, -1).astype(np.float32)
    classifier((2, 2, few_targets.shape[1] if few_targets.ndim == 2 else 4), 32).fit(few, few_targets)

    task = task_of(name, folder, count, n_threads)
    rows: Any = task.rows
    if isinstance(rows, SparseRows):
        rows = rows.csr()
        data = rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes
    else:
        data = rows.nbytes
        rows = rows.reshape(-1, 28, 28) if shape.rows == "pictures" else rows
    targets, units, batch = task.targets, task.units, task.batch
    if targets.ndim == 2:
        targets = targets.astype(np.int8)
    data += targets.nbytes
    del task  # holds what is not needed here: initial weights, rows in another form

    import ctypes

    ctypes.CDLL(None).malloc_trim(0)  # what making the rows has left behind
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status("VmRSS") - data
    classifier(units, batch).fit(rows, targets)
    peak = status("VmHWM") - before
    parameters = 4 * shape.n_parameters
    activations = 4 * batch * sum(units[1:] if shape.rows == "sparse" else units)
    allowed = data + (5 if early_stopping else 4) * parameters + activations
    return {
        "rows": len(targets), "data": data, "parameters": parameters, "activations": activations,
        "peak": peak, "must_hold": allowed,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    names = ["784-25-15-10", "784-256-128-10", "784-1024-1024-10", "54-256-256-256-7", "10000-512-100"]
    parser = argparse.ArgumentParser(description="Peak memory of a training beside what it must hold.")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files; random rows without it")
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--rows", type=int, default=60_000, help="at most (default 60000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=threads())
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument(CHILD, choices=("stopping", "all epochs"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        [name] = options.networks
        found = child(name, options.data, options.rows, options.child == "stopping", options.threads)
        print(json.dumps(found))
        return
    facts = machine()
    show(facts)

    report: dict[str, Any] = {"benchmark": "peak_memory", **facts, "threads": options.threads, "networks": {}}
    for name in options.networks:
        report["networks"][name] = {}
        for kind in ("stopping", "all epochs"):
            command = [
                sys.executable, __file__, "--networks", name, "--rows", str(options.rows),
                "--threads", str(options.threads), CHILD, kind,
            ]  # fmt: skip
            if options.data is not None:
                command += ["--data", str(options.data)]
            runs = []
            for _ in range(options.rounds):
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{name}, {kind}, ended with {done.returncode}:\n{done.stderr}")
                runs.append(json.loads(done.stdout))
            peak = spread([run["peak"] for run in runs])
            found = {**runs[0], "peak": peak, "peak_over_must_hold": peak["median"] / runs[0]["must_hold"]}
            report["networks"][name][kind] = found
            mb = {part: found[part] / 1e6 for part in ("must_hold", "data", "parameters", "activations")}
            print(
                f"{name:<18} {kind:<11} peak {peak['median'] / 1e6:.1f} MB"
                f" ({peak['lowest'] / 1e6:.1f} to {peak['highest'] / 1e6:.1f}), {found['peak_over_must_hold']:.2f}"
                f" times the {mb['must_hold']:.1f} MB that it must hold: rows {mb['data']:.1f}, parameters"
                f" {5 if kind == 'stopping' else 4} × {mb['parameters']:.2f}, activations {mb['activations']:.2f}",
                flush=True,
            )
    write_json(options.json, report)


if __name__ == "__main__":
    main()
