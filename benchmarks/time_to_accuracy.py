"""The race from the shell prompt: test accuracy on MNIST against wall time since the process was started.

    python benchmarks/time_to_accuracy.py --data FOLDER --json time_to_accuracy.json
    python docs/images/make_time_to_accuracy_svg.py time_to_accuracy.json

Each contender is a small program of its own in benchmarks/race, which says in its first line how it is set up, and each
run a process of its own. All train the same network in the same batches by Adam, its rate falling from 0.001 to 0
along half a cosine wave, read the same gzipped files, and judge the 10 000 test rows after each epoch. All of that
counts: the clock starts before the process and stops when it has ended, imports, compiling and judging included.

The number of epochs was fixed beforehand, for each contender the smallest, from 3 on, that ends with 98 % or more for
5 of 5 seeds (it stands in EPOCHS with one exception, made to our cost; `--find` looks for it anew, with seeds that the
rounds don't use). In each round every contender runs once, with the round's seed; a ratio is taken within a round.

Nothing that was compiled is kept from one process to the next. Warm: all files are in the system's cache. Cold: before
the run, the system is asked to forget every file that the contender needs (posix_fadvise of modules, libraries and
data: what can be done without being root).

A contender that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import machine, show, spread, write_json

RACE = Path(__file__).parent / "race"
TARGET = 0.98
FIND_EPOCHS, FIND_SEEDS = range(3, 21), range(100, 105)


@dataclass(frozen=True)
class Contender:
    script: str
    package: str
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def settings(self) -> str:
        """The first line of its program."""
        found = ast.get_docstring(ast.parse((RACE / self.script).read_text(encoding="utf-8")))
        assert found is not None
        return found


OURS = "fromlogits"
CONTENDERS = {
    OURS: Contender("with_fromlogits.py", "fromlogits"),
    "JAX": Contender("with_jax.py", "jax"),
    "PyTorch": Contender("with_pytorch.py", "torch"),
    "scikit-learn": Contender("with_scikit_learn.py", "sklearn"),
    "Keras on JAX": Contender("with_keras.py", "jax", (("KERAS_BACKEND", "jax"),)),
    "Keras on TensorFlow": Contender(
        "with_keras.py", "tensorflow", (("KERAS_BACKEND", "tensorflow"), ("TF_CPP_MIN_LOG_LEVEL", "3"))
    ),
    "Keras on PyTorch": Contender("with_keras.py", "torch", (("KERAS_BACKEND", "torch"),)),
}
BATCH = {"784-256-128-10": 128, "784-1024-1024-10": 256}
EPOCHS = {
    # Of ours 5 were enough for the seeds of `--find`, but not for one of the race's (97.99 %).
    "784-256-128-10": {**dict.fromkeys(CONTENDERS, 5), OURS: 6, "PyTorch": 6},
    "784-1024-1024-10": dict.fromkeys(CONTENDERS, 3),
}
"""Of Keras looked for with JAX alone."""
KERAS = "Keras on JAX"
"""The fastest of the three here: four epochs of the smaller network take 8.0 s, on TensorFlow 12.7 s."""


@dataclass(frozen=True)
class Run:
    """What a process told, and what it took."""

    imported_s: float
    loaded_s: float
    laps: tuple[tuple[float, float], ...]
    """Seconds and test accuracy at the end of each epoch."""
    whole_s: float
    peak_mb: float

    @property
    def reached_s(self) -> float | None:
        return next((t for t, accuracy in self.laps if accuracy >= TARGET), None)


def command(contender: Contender, data: Path, network: str, epochs: int, seed: int) -> list[str]:
    return [
        sys.executable, str(RACE / contender.script), "--data", str(data), "--units", network,
        "--batch", str(BATCH[network]), "--epochs", str(epochs), "--seed", str(seed),
    ]  # fmt: skip


def run(contender: Contender, data: Path, network: str, epochs: int, seed: int, files: Path | None = None) -> Run:
    """One process, from its start to its end."""
    line = command(contender, data, network, epochs, seed) + ([] if files is None else ["--files", str(files)])
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.monotonic_ns()
        environment = {**os.environ, **dict(contender.environment), "RACE_STARTED_NS": str(start)}
        process = subprocess.Popen(line, stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        whole_s = (time.monotonic_ns() - start) / 1e9
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{contender.script} ended with {process.returncode}:\n{errors.read().decode()[-2000:]}")
        told = [json.loads(line) for line in output if line.startswith(b'{"event"')]
    at = {line["event"]: line["t"] for line in told}
    laps = tuple((line["t"], line["accuracy"]) for line in told if line["event"] == "epoch")
    return Run(at["imported"], at["loaded"], laps, whole_s, usage.ru_maxrss * 1024 / 1e6)  # Linux counts in KiB


def forget(files: Sequence[str]) -> None:
    """Ask the system to drop these files from its cache."""
    for name in files:
        with contextlib.suppress(OSError), open(name, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    reached = [run.reached_s for run in runs]
    return {
        "imported_s": spread([run.imported_s for run in runs]),
        "loaded_s": spread([run.loaded_s for run in runs]),
        "whole_s": spread([run.whole_s for run in runs]),
        "reached_s": None if None in reached else spread([t for t in reached if t is not None]),
        "reached": sum(t is not None for t in reached),
        "runs": len(runs),
        "peak_mb": max(run.peak_mb for run in runs),
        "laps": [
            {"t": statistics.median(t for t, _ in laps), "accuracy": spread([accuracy for _, accuracy in laps])}
            for laps in zip(*(run.laps for run in runs), strict=True)
        ],
    }


def find_epochs(names: Sequence[str], data: Path, network: str) -> None:
    """Print the fewest epochs at whose end each of five seeds has the target."""
    for name in names:
        for epochs in FIND_EPOCHS:
            # The first seed that misses ends it.
            ends = (run(CONTENDERS[name], data, network, epochs, seed).laps[-1][1] for seed in FIND_SEEDS)
            reached = [f"{100 * end:.2f}" for end in itertools.takewhile(lambda end: end >= TARGET, ends)]
            print(f"  {network} {name:<20} {epochs} epochs: {', '.join(reached) or 'missed'}", flush=True)
            if len(reached) == len(FIND_SEEDS):
                break


def measure(names: Sequence[str], network: str, options: argparse.Namespace) -> dict[str, Any]:
    runs: dict[str, dict[str, list[Run]]] = {name: {"warm": [], "cold": []} for name in names}
    epochs = {name: options.epochs or EPOCHS[network][name] for name in names}
    files: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:  # fills the cache, and tells which files are needed
            path = Path(scratch) / "files"
            run(CONTENDERS[name], options.data, network, 1, 0, path)
            files[name] = path.read_text(encoding="utf-8").splitlines()
    for kind, rounds in (("warm", options.rounds), ("cold", options.cold_rounds)):
        for seed in range(rounds):
            for name in names:
                if kind == "cold":
                    forget(files[name])
                found = run(CONTENDERS[name], options.data, network, epochs[name], seed)
                runs[name][kind].append(found)
                reached = "not reached" if found.reached_s is None else f"{TARGET:.0%} after {found.reached_s:.2f} s"
                print(
                    f"  {kind} {seed} {name:<20} imported {found.imported_s:6.2f} s  {reached:<18}"
                    f" whole process {found.whole_s:6.2f} s  {100 * found.laps[-1][1]:.2f} %",
                    flush=True,
                )
    report: dict[str, Any] = {"batch": BATCH[network], "contenders": {}}
    for name in names:
        entry: dict[str, Any] = {"epochs": epochs[name], "settings": CONTENDERS[name].settings}
        for kind, found in runs[name].items():
            if found:
                entry[kind] = summary(found)
                ours = runs[OURS][kind] if OURS in runs else found
                entry[kind]["ours_is_faster"] = spread(
                    [theirs.whole_s / own.whole_s for theirs, own in zip(found, ours, strict=True)]
                )
                whole, ratio = entry[kind]["whole_s"], entry[kind]["ours_is_faster"]
                print(
                    f"  {kind} {name:<20} {epochs[name]} epochs: whole process {whole['median']:.2f} s"
                    f" ({whole['lowest']:.2f} to {whole['highest']:.2f}), {entry[kind]['reached']} of {len(found)}"
                    f" reached {TARGET:.0%}, theirs / ours {ratio['median']:.2f}"
                    f" ({ratio['lowest']:.2f} to {ratio['highest']:.2f}), {entry[kind]['peak_mb']:.0f} MB"
                )
        report["contenders"][name] = entry
    print(flush=True)
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Test accuracy on MNIST against wall time since process start.")
    parser.add_argument("--data", type=Path, required=True, help="folder of MNIST's four IDX files, gzipped")
    parser.add_argument("--networks", nargs="+", choices=BATCH, default=list(BATCH))
    usual = [name for name in CONTENDERS if not name.startswith("Keras") or name == KERAS]
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=usual)
    parser.add_argument("--rounds", type=int, default=5, help="warm ones")
    parser.add_argument("--cold-rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="for all, in place of those fixed beforehand")
    parser.add_argument("--find", action="store_true", help="look for the epochs that each contender needs; no race")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn", "torch", "jax", "jaxlib", "keras", "tensorflow-cpu")
    show(facts)

    names = []
    for name in options.contenders:
        needed = {CONTENDERS[name].package, *(["keras"] if name.startswith("Keras") else [])}
        if missing := [package for package in needed if find_spec(package) is None]:
            print(f"{name}: left out, {' and '.join(missing)} not installed")
        else:
            names.append(name)
    report: dict[str, Any] = {
        "benchmark": "time_to_accuracy", **facts, "target": TARGET, "rounds": options.rounds,
        "cold_rounds": options.cold_rounds, "networks": {},
    }  # fmt: skip
    for network in options.networks:
        if options.find:
            find_epochs(names, options.data, network)
        else:
            print(f"{network}, batch {BATCH[network]}")
            report["networks"][network] = measure(names, network, options)
    if not options.find:
        write_json(options.json, report)


if __name__ == "__main__":
    main()
