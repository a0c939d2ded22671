"""What a measurement was made on: shown above its figures and written with them."""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name and generation, or the architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    fields = (line.partition(":") for line in reversed(lines))  # of the first core, in the end
    found = {name.strip(): value.strip() for name, _, value in fields}
    name = found.get("model name", platform.machine())
    return f"{name} (family {found['cpu family']}, model {found['model']})" if "cpu family" in found else name


SLOWING = ("OPENBLAS_", "OMP_", "MKL_", "XLA_", "FROMLOGITS_")
"""What variables of the numerical libraries begin with: each can choose slower code than the machine has."""


def machine(*packages: str) -> dict[str, Any]:
    """Command, date, processor, cores, system, variables that can slow libraries, and the versions of Python,
    fromlogits, NumPy and these packages.

    Imports none of them: `startup.py` measures what an import costs. A package that is not installed has None.
    """
    from_the_system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": threads(),
        "load": round(os.getloadavg()[0], 2),
        "system": from_the_system,
        "python": platform.python_version(),
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(SLOWING) and name != "FROMLOGITS_TOKEN"  # a secret
        },
        "versions": {name: _version(name) for name in dict.fromkeys(("fromlogits", "numpy", *packages))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def show(facts: dict[str, Any]) -> None:
    """Print what `machine` found."""
    for name, value in facts.items():
        if name == "versions":
            value = ", ".join(f"{package} {number or '(not installed)'}" for package, number in value.items())
        if name == "variables":
            value = ", ".join(f"{variable}={said}" for variable, said in value.items()) or "none"
        print(f"{name}: {value}")
    print(flush=True)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def mean_and_deviation(values: Sequence[float]) -> dict[str, float]:
    """Mean and standard deviation (of one value: 0)."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "deviation": deviation}


def write_json(path: Path | None, report: dict[str, Any]) -> None:
    """Write the report where --json says, if it was given."""
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
