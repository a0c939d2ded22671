"""What a busy core costs: training while another process has one of the cores for itself, beside an idle machine.

    python benchmarks/busy_core.py --json busy_core.json

The neighbour is a Python loop that is tied to the last core this process may use. Each round trains each network with
each number of threads, idle and beside the neighbour, for about --seconds; a ratio is taken within one round. Without
that core there is as much left as one thread has on an idle machine, so what the lost core explains is a time of
1.0 in the column "busy / 1 thread idle" for every number of threads, whatever the speed on an idle machine. The
parameters after the same steps are compared: they must have the same bits in every case.

`taskset -c 0 python benchmarks/busy_core.py --threads 1 2` shows two threads that have one core between them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, threads, write_json
from networks import NETWORKS, network_of, task_of

from fromlogits.engines.base import Steps
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Plan

STATES = ("idle", "busy")


@contextmanager
def neighbour(is_there: bool) -> Iterator[None]:
    """A process that takes all it can get of the last of our cores."""
    if not is_there:
        yield
        return
    core = max(os.sched_getaffinity(0))
    loop = f"import os; os.sched_setaffinity(0, [{core}]); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            time.sleep(0.1)  # the scheduler has seen it
            yield
        finally:
            process.kill()


class Training:
    """One network at a time, always the same steps from the same start."""

    def __init__(self, name: str, rows: int) -> None:
        self.task = task_of(name, None, rows, 1)
        self.features, self.order = self.task.features(), self.task.order(0)
        self.rates = np.full(len(self.task) // self.task.batch, 1e-3)

    def seconds_per_epoch(self, n_threads: int, seconds: float) -> tuple[float, bytes]:
        """Of as many epochs as fill the time, and the parameters after the first."""
        task = self.task
        engine = NativeEngine(network_of(task.units).with_input(task.units[0]), task.shape.head, n_threads=n_threads)
        engine.set_parameters(task.first)
        engine.start(Plan(optimizer="adam", batch_size=task.batch), seed=0)
        engine.train_span(self.features, task.targets, self.order, Steps(self.rates))
        after = b"".join(part.tobytes() for layer in engine.parameters() for part in layer)
        epochs, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            engine.train_span(self.features, task.targets, self.order, Steps(self.rates))
            epochs += 1
        return (time.perf_counter() - start) / epochs, after


def measure(name: str, counts: Sequence[int], rounds: int, seconds: float, rows: int) -> dict[str, Any]:
    """Microseconds of a step and ratios for one network, printed and returned."""
    training = Training(name, rows)
    took: dict[tuple[int, str], list[float]] = {(n, state): [] for state in STATES for n in counts}
    bits = set()
    for _ in range(rounds):
        for state in STATES:
            with neighbour(state == "busy"):
                for n_threads in counts:
                    per_epoch, after = training.seconds_per_epoch(n_threads, seconds)
                    took[n_threads, state].append(per_epoch)
                    bits.add(after)
    print(
        f"{name}, batch {training.task.batch}: {'the same bits' if len(bits) == 1 else 'DIFFERENT BITS'} in every case"
    )

    steps = len(training.rates)
    cases = {}
    for (n_threads, state), seconds_r in took.items():
        case = {
            "step_us": spread([s / steps * 1e6 for s in seconds_r]),
            "over_idle": spread([a / b for a, b in zip(seconds_r, took[n_threads, "idle"], strict=True)]),
            "over_one_thread_idle": spread([a / b for a, b in zip(seconds_r, took[counts[0], "idle"], strict=True)]),
        }
        cases[f"{n_threads} threads, {state}"] = case
        step, idle, one = case["step_us"], case["over_idle"], case["over_one_thread_idle"]
        print(
            f"  {n_threads} threads, {state}: {step['median']:8.1f} us a step ({step['lowest']:.1f} to"
            f" {step['highest']:.1f}); / idle {idle['median']:.2f} ({idle['lowest']:.2f} to {idle['highest']:.2f});"
            f" / {counts[0]} thread idle {one['median']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f})"
        )
    print(flush=True)
    return {
        "batch": training.task.batch,
        "rows": len(training.task),
        "same_bits": len(bits) == 1,
        "rounds": rounds,
        "cases": cases,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when some case had other bits."""
    parser = argparse.ArgumentParser(description="Training while another process has one of the cores.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS)[:2])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, threads()])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each case in each round, about")
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)

    facts = machine()
    show(facts)
    networks = {
        name: measure(name, options.threads, options.rounds, options.seconds, options.rows) for name in options.networks
    }
    write_json(options.json, {**facts, "networks": networks})
    return 0 if all(network["same_bits"] for network in networks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
