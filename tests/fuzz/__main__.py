"""Fuzzes each reader for some time and writes down how many inputs it read: `python -m tests.fuzz --seconds 180`.

Exits 1 where one of them let anything out but a line of InputError, hung, or took too much memory.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, show, write_json

from .reader import LIMITS

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=20, metavar="N", help="of each reader (20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record here")
    arguments = parser.parse_args()
    facts = machine("atheris")
    show(facts)
    readers: dict[str, Any] = {}
    for script in sorted(HERE.glob("fuzz_*.py")):
        command = [sys.executable, "-m", f"tests.fuzz.{script.stem}", f"-max_total_time={arguments.seconds}"]
        run = subprocess.run(command, cwd=HERE.parents[1], stderr=subprocess.PIPE, text=True, check=False)
        done = re.search(r"Done (\d+) runs", run.stderr)
        readers[script.stem.removeprefix("fuzz_")] = {
            "inputs": int(done[1]) if done else None,
            "faults": 0 if run.returncode == 0 and done else 1,
        }
        if run.returncode or not done:
            print(run.stderr[-3000:])
        print(script.stem, readers[script.stem.removeprefix("fuzz_")], flush=True)
    write_json(
        arguments.json,
        {"machine": facts, "seconds_a_reader": arguments.seconds, "limits": LIMITS, "readers": readers},
    )
    return 1 if any(reader["faults"] for reader in readers.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
