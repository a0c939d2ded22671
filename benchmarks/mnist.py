"""MNIST by the real command: test accuracy, seconds and peak memory of whole processes.

    python benchmarks/mnist.py --data FOLDER --json mnist.json
    python benchmarks/mnist.py --data FOLDER --layers --backbones tiny --seeds 1 --json mnist-tiny.json

FOLDER holds the four IDX files of MNIST, or of Fashion-MNIST under the same names, gzipped. Each run is `fromlogits
train train-images-idx3-ubyte.gz --test t10k-images-idx3-ubyte.gz --layers ... --seed ... --json --quiet` in a process
of its own, with `--backbone ...` in place of the layers for --backbones. Seconds are of the process,
from its start to its end; memory is its largest resident set. Options that are not known here go to the command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import machine, mean_and_deviation, show, spread, write_json

COMMAND = (sys.executable, "-c", "from fromlogits.cli.main import run; raise SystemExit(run())")
"""What the `fromlogits` script does, with this interpreter."""
MEMORY_LIMIT_MB = 600
"""Of dense layers; a backbone brings PyTorch."""
WANTED = {"25,15": 0.955, "256,128": 0.980, "tiny": 0.993}
"""On MNIST."""


def train(folder: Path, network: Sequence[str], seed: int, more: Sequence[str]) -> dict[str, Any]:
    """One run: test accuracy, seconds and processor seconds of the process, epochs, peak memory."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as output:
        model = str(Path(scratch) / "mnist.safetensors")
        arguments = [
            "train", str(folder / "train-images-idx3-ubyte.gz"), "--test", str(folder / "t10k-images-idx3-ubyte.gz"),
            *network, "--seed", str(seed), "--json", "--quiet", "-o", model, *more,
        ]  # fmt: skip
        start = time.perf_counter()
        process = subprocess.Popen([*COMMAND, *arguments], stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"fromlogits {' '.join(arguments)} ended with {process.returncode}")
        output.seek(0)
        report = json.loads(output.read())
    return {
        "seed": seed,
        "accuracy": report["test"]["accuracy"],
        "log_loss": report["test"]["log_loss"],
        "validation_accuracy": report["validation"]["accuracy"],
        "epochs": report["epochs"],
        "best_epoch": report["best_epoch"],
        "seconds": seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,  # Linux counts in KiB
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when accuracy or memory is not as wanted."""
    parser = argparse.ArgumentParser(description="MNIST by the command.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the four IDX files")
    parser.add_argument("--layers", nargs="*", default=["25,15", "256,128"])
    parser.add_argument("--backbones", nargs="*", default=[], metavar="NAME", help="networks with one of these instead")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options, more = parser.parse_known_args(arguments)
    facts = machine("torch") if options.backbones else machine()
    show(facts)

    report: dict[str, Any] = {**facts, "networks": {}}
    status = 0
    named = [("--layers", name) for name in options.layers] + [("--backbone", name) for name in options.backbones]
    for kind, name in named:
        runs = []
        for seed in range(options.seeds):
            runs.append(train(options.data, (kind, name), seed, more))
            print("  " + ", ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in runs[-1].items()))
        accuracy = mean_and_deviation([run["accuracy"] for run in runs])
        seconds = spread([run["seconds"] for run in runs])
        memory = max(run["peak_mb"] for run in runs)
        report["networks"][name] = {"accuracy": accuracy, "seconds": seconds, "peak_mb": memory, "runs": runs}
        print(
            f"{kind} {name}: test accuracy {accuracy['mean']:.4f} ± {accuracy['deviation']:.4f} over {len(runs)}"
            f" seeds (lowest {min(run['accuracy'] for run in runs):.4f}; wanted {WANTED.get(name, '-')}),"
            f" {seconds['median']:.1f} s ({seconds['lowest']:.1f} to {seconds['highest']:.1f}),"
            f" peak {memory:.0f} MB (wanted under {MEMORY_LIMIT_MB})\n",
            flush=True,
        )
        if accuracy["mean"] < WANTED.get(name, 0.0) or (kind == "--layers" and memory >= MEMORY_LIMIT_MB):
            status = 1
    write_json(options.json, report)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
