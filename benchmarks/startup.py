"""What a start costs: imports, the help page and a whole training, each in fresh processes.

    python benchmarks/startup.py --json startup.json

Rounds: in each one every command runs once, so that a slow minute of the machine meets all of them; the first round
fills the disk cache and is left out. `python` is this interpreter, `fromlogits` the script beside it. A ratio is taken
within a round. PyTorch is left out where it is not installed.

`import fromlogits` loads its rooms on first use; `from fromlogits import Classifier` loads what a user goes on with.
The package must be installed as users install it: in an editable installation an import searches for the sources first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import machine, show, spread, write_json

DIGITS = Path(__file__).parent.parent / "examples" / "digits.csv"
BARE, NUMPY, TORCH = "nothing", "import numpy", "import torch"
OURS, CLASSIFIER = "import fromlogits", "from fromlogits import Classifier"
HELP, TRAIN = "fromlogits --help", "fromlogits train digits.csv"


def commands(scratch: Path) -> dict[str, list[str]]:
    """Name and command line of everything that is timed."""
    script = str(Path(sys.executable).parent / "fromlogits")
    model = str(scratch / "digits.safetensors")
    found = {
        BARE: [sys.executable, "-c", "pass"],
        NUMPY: [sys.executable, "-c", NUMPY],
        OURS: [sys.executable, "-c", OURS],
        CLASSIFIER: [sys.executable, "-c", CLASSIFIER],
        HELP: [script, "--help"],
        TRAIN: [script, "train", str(DIGITS), "--target", "digit", "--quiet", "-o", model, "--overwrite"],
    }
    if find_spec("torch") is not None:
        found[TORCH] = [sys.executable, "-c", TORCH]
    else:
        print("PyTorch is not installed; left out")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Seconds of fresh processes.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("torch")
    show(facts)

    with tempfile.TemporaryDirectory() as scratch:
        lines = commands(Path(scratch))
        seconds: dict[str, list[float]] = {name: [] for name in lines}
        for number in range(options.rounds + 1):
            for name, line in lines.items():
                start = time.perf_counter()
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd=scratch)
                if number > 0:
                    seconds[name].append(time.perf_counter() - start)

    report: dict[str, Any] = {**facts, "rounds": options.rounds, "seconds": {}, "ratios": {}}
    for name, values in seconds.items():
        found = report["seconds"][name] = spread(values)
        print(f"{name:<36}{found['median']:7.3f} s ({found['lowest']:.3f} to {found['highest']:.3f})")
    for above, below, limit in ((OURS, NUMPY, 1.5), (CLASSIFIER, NUMPY, None), (TRAIN, TORCH, 1.0)):
        if below in seconds:
            ratios = [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
            found = report["ratios"][f"{above} / {below}"] = spread(ratios)
            wanted = "" if limit is None else f"; wanted at most {limit}"
            print(f"{above} / {below}: {found['median']:.2f} ({found['lowest']:.2f} to {found['highest']:.2f}){wanted}")
    write_json(options.json, report)


if __name__ == "__main__":
    main()
