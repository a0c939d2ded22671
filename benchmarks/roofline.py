"""Where the time of our training step goes, beside what the machine can do.

    python benchmarks/roofline.py --data FOLDER --json roofline.json

In rounds, each thing in turn, medians:

- step: `NativeEngine.train_span` over batches of the network's size, with Adam.
- one row: steps of one row, which are the optimizer, the waking of threads and little else.
- one row, sgd: the same without moments.
- rows: step less one row, that is what grows with the batch: gathering, products, activations, head.
- head: of that, loss and gradient of a batch's logits, `softmax_cross_entropy` or `sigmoid_cross_entropy` on one core.
- predict: for comparison, `NativeEngine.logits` of the same rows, a batch a call.
- product and triad of the machine: must_take.py, which also says what is counted.

GFLOP/s are the products of forward and backward over the time of a whole step. GB/s of the optimizer are its 28 bytes
a parameter over the time of a step of one row (not of sparse rows: one touches few parameters).

With --perf N the first N seconds of steps of each network are also sampled by Linux' perf, where it is installed, and
the functions in which most of them were spent are listed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, threads, write_json
from must_take import Machine, work_of
from networks import NETWORKS, Task, has_sparse_engine, network_of, task_of
from train_speed import BETA1, BETA2, EPSILON, RATE

import fromlogits as fl
from fromlogits.engines.base import Steps
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Plan


def engine_of(task: Task, batch: int, optimizer: str = "adam") -> NativeEngine:
    engine = NativeEngine(network_of(task.units).with_input(task.units[0]), task.shape.head, n_threads=task.n_threads)
    engine.set_parameters(task.first)
    plan = Plan(
        optimizer=optimizer, learning_rate=RATE, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, batch_size=batch,
        momentum=0.0,
    )  # fmt: skip
    engine.start(plan, seed=0)
    return engine


def steps(task: Task, batch: int, optimizer: str = "adam") -> Callable[[int], float]:
    """Takes some steps; seconds of one."""
    engine, features, order = engine_of(task, batch, optimizer), task.features(), task.order(0)

    def run(count: int) -> float:
        rows = np.resize(order, count * batch)
        start = time.perf_counter()
        engine.train_span(features, task.targets, rows, Steps(np.full(count, RATE)))
        return (time.perf_counter() - start) / count

    return run


def predict(task: Task) -> Callable[[int], float]:
    engine, features = engine_of(task, task.batch), task.features()
    batches = [
        features.take(np.arange(k, k + task.batch)) if hasattr(features, "take")
        else type(features)(features.values[k : k + task.batch], features.scale)
        for k in range(0, min(len(task), 16 * task.batch), task.batch)
    ]  # fmt: skip

    def run(count: int) -> float:
        start = time.perf_counter()
        for k in range(count):
            engine.logits(batches[k % len(batches)])
        return (time.perf_counter() - start) / count

    return run


def head(task: Task) -> Callable[[int], float]:
    loss = fl.softmax_cross_entropy if task.shape.head == "softmax" else fl.sigmoid_cross_entropy
    logits_nc = np.random.default_rng(0).standard_normal((task.batch, task.units[-1])).astype(np.float32)
    targets: Any = task.targets[: task.batch]

    def run(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            loss(logits_nc, targets, with_gradient=True)
        return (time.perf_counter() - start) / count

    return run


def measure(task: Task, rounds: int, seconds: float) -> dict[str, Any]:
    runs = {
        "step": steps(task, task.batch),
        "one row": steps(task, 1),
        "one row, sgd": steps(task, 1, "sgd"),
        "head": head(task),
        "predict": predict(task),
    }
    counts = {}
    for name, run in runs.items():
        run(5)
        counts[name] = max(1, round(seconds / run(20)))
    limits, work = Machine(task.n_threads), work_of(task)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    speeds = []
    for _ in range(rounds):
        time.sleep(0.1)
        speeds.append(limits.measure())
        for name, run in runs.items():
            time.sleep(0.1)
            taken[name].append(run(counts[name]))

    step = statistics.median(taken["step"])
    product = statistics.median(speed.flops_per_s for speed in speeds)
    triad = statistics.median(speed.bytes_per_s for speed in speeds)
    must = [work.seconds(speed) for speed in speeds]
    report = {
        "batch": task.batch,
        "parameters": task.shape.n_parameters,
        "flops": work.flops,
        "optimizer_bytes": work.optimizer_bytes,
        "us": {
            **{name: spread([1e6 * s for s in values]) for name, values in taken.items()},
            "rows": spread([1e6 * (s - one) for s, one in zip(taken["step"], taken["one row"], strict=True)]),
        },
        "gflop_per_s": work.flops / step / 1e9,
        "machine_gflop_per_s": product / 1e9,
        "share_of_product": work.flops / step / product,
        # A sparse row touches the parameters of its own features alone.
        "optimizer_gb_per_s": None
        if task.shape.rows == "sparse"
        else work.optimizer_bytes / statistics.median(taken["one row"]) / 1e9,
        "machine_gb_per_s": triad / 1e9,
        "must_take_us": {
            "products": 1e6 * work.flops / product,
            "optimizer": 1e6 * work.optimizer_bytes / triad,
            "together": spread([1e6 * s for s in must]),
        },
        "step_over_must_take": spread([s / m for s, m in zip(taken["step"], must, strict=True)]),
    }
    for name, us in report["us"].items():
        print(f"  {name:<14}{us['median']:10.1f} us ({us['lowest']:.1f} to {us['highest']:.1f})")
    own = report["optimizer_gb_per_s"]
    reached = "" if own is None else f": {own:.1f} GB/s in steps of one row"
    print(
        f"  {work.flops / 1e6:,.1f} MFLOP a step: {report['gflop_per_s']:.1f} GFLOP/s, {report['share_of_product']:.0%}"
        f" of the product's {product / 1e9:.0f}\n"
        f"  {work.optimizer_bytes / 1e6:.2f} MB for the optimizer{reached}; the triad has {triad / 1e9:.1f} GB/s\n"
        f"  must take {report['must_take_us']['together']['median']:.1f} us; the step takes"
        f" {report['step_over_must_take']['median']:.2f} times that\n",
        flush=True,
    )
    return report


def sampled(task: Task, seconds: float) -> dict[str, float]:
    """Shares of the functions in which perf finds this process while it takes steps, the largest first."""
    run = steps(task, task.batch)
    per_step = max(run(5), run(20))
    with tempfile.TemporaryDirectory() as scratch:
        data = str(Path(scratch) / "perf.data")
        command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", data, "-p", str(os.getpid())]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as recorder:
            time.sleep(0.3)
            run(max(1, round(seconds / per_step)))
            recorder.send_signal(2)
        listed = subprocess.run(
            ["perf", "report", "-q", "-i", data, "--stdio", "--no-children", "--sort", "dso,symbol"],
            capture_output=True, text=True,
        ).stdout  # fmt: skip
    shares: dict[str, float] = {}
    for share, library, symbol in re.findall(r"^\s*([\d.]+)%\s+(\S+)\s+\[.\]\s+(\S+)", listed, re.MULTILINE):
        # What the build has stripped of its names counts as one.
        name = library.partition(".")[0] if symbol.startswith("0x") else f"{library.partition('.')[0]}: {symbol}"
        shares[name] = shares.get(name, 0.0) + float(share) / 100
    return dict(sorted(shares.items(), key=lambda item: -item[1])[:10])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Where the time of a training step goes.")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files; random rows without it")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--rows", type=int, default=60_000, help="at most (default 60000)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each thing in each round, about")
    parser.add_argument("--threads", type=int, default=threads())
    parser.add_argument("--perf", type=float, default=0.0, metavar="SECONDS", help="also sample so many by perf")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    if options.perf and shutil.which("perf") is None:
        parser.error("--perf needs Linux' perf on the path; leave it out or install it")
    facts = machine("torch")
    show(facts)

    report: dict[str, Any] = {"benchmark": "roofline", **facts, "threads": options.threads, "networks": {}}
    for name in options.networks:
        if NETWORKS[name].rows == "sparse" and not has_sparse_engine():
            print(f"{name}: left out, this fromlogits has no engine for sparse rows\n")
            continue
        task = task_of(name, options.data, options.rows, options.threads)
        print(f"{name}, batch {task.batch}, {task.shape.n_parameters:,} parameters, {options.threads} threads")
        report["networks"][name] = measure(task, options.rounds, options.seconds)
        if options.perf:
            report["networks"][name]["functions"] = sampled(task, options.perf)
            for function, share in report["networks"][name]["functions"].items():
                print(f"  {share:6.1%}  {function}")
            print(flush=True)
    write_json(options.json, report)


if __name__ == "__main__":
    main()
