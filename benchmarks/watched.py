"""What `--live` costs a training: seconds and processor seconds, watched and not.

    python benchmarks/watched.py --json watched.json

`fromlogits train examples/scenes.npz --preset fast`, a process each, in turns and in both orders: as it is, and with
`--live` and a client that reads every event to the end, as the page does. The client is a thread of this process, so
its own work is not among the training's processor seconds, but on the same cores. Ratios are of neighbours.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from machine import machine, show, spread, write_json

SCENES = Path(__file__).parents[1] / "examples" / "scenes.npz"


def read_events(url: str) -> None:
    with urllib.request.urlopen(f"{url}events") as events:
        for _ in events:
            pass


def training(epochs: int, scratch: str, *, is_watched: bool) -> tuple[float, float]:
    """Seconds and processor seconds of the process."""
    fast = ("--preset", "fast", "--epochs", str(epochs), "--set", f"patience={epochs}", "--seed", "0")
    command = ["train", str(SCENES), *fast, "-o", f"{scratch}/m.safetensors", "--overwrite"]
    told = [sys.executable, "-m", "fromlogits", *command, *(["--live"] if is_watched else [])]
    start = time.perf_counter()
    process = subprocess.Popen(told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://\S+/", line):
            threading.Thread(target=read_events, args=[found[0]], daemon=True).start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"fromlogits train ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=700)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there")
    told = parser.parse_args()
    facts = machine("starlette", "uvicorn")
    show(facts)
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(told.pairs):
            for is_watched in (False, True)[:: 1 if turn % 2 == 0 else -1]:
                found[is_watched].append(training(told.epochs, scratch, is_watched=is_watched))
    figures = {}
    for place, name in enumerate(("s", "cpu_s")):
        plain, watched = ([one[place] for one in found[which]] for which in (False, True))
        ratios = [b / a for a, b in zip(plain, watched, strict=True)]
        figures[name] = {"plain": spread(plain), "watched": spread(watched), "ratio": spread(ratios)}
        for what, one in figures[name].items():
            print(f"{name}, {what}: {one['median']:.4g} ({one['lowest']:.4g} to {one['highest']:.4g})")
    write_json(told.json, {"benchmark": "watched", **facts, "epochs": told.epochs, "pairs": told.pairs, **figures})


if __name__ == "__main__":
    main()
