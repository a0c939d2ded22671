"""Checks the sigmoid cross-entropy and its gradient for every float32 logit and both labels.

    python -m tests.exhaustive                      ours, once per instruction set of this processor
    python -m tests.exhaustive --peers              and every peer that is installed, and what each costs
    python -m tests.exhaustive --every 4099         a sample: every 4099th float

Exits 1 where ours is more than 0.51 units in the last place off, has lost a value, or returns a negative zero. Each
subject runs in a process of its own on all cores and leaves its part in build/every-float; a part that is there already
and came from the same code is not made again, so a run that was stopped goes on. `--json` joins the parts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, show, spread, threads

from .subjects import OURS, SUBJECTS, Both, Float32, version_of
from .truth import LABELS, QUANTITIES, Tally, compared, furthest_from_decimal, in_float64

ROOT = Path(__file__).parents[2]
PARTS = ROOT / "build" / "every-float"
ALLOWED = 0.51  # units in the last place: one rounding of a float64 value, and a little for that value
BLOCK = 1 << 17  # floats at a time: what a block needs stays in the second-level cache

# Exponents as the record names them: 2^e <= abs z < 2^(e+1), and these.
TINY, INFINITE, NAN = -127, 128, 129  # TINY: zeros and subnormals
EXPONENTS = range(TINY, NAN + 1)
SIDES = ("negative", "positive")
COST_LOGITS = 4_000_000
COST_ROUNDS = 9
EXAMPLE_LOGIT = -20.0  # of label 0: the loss is 2.06e-9

# Fresh memory for each result can cost more than the result: glibc is told to keep it, for all subjects alike.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}

Key = tuple[int, str, str]  # label, quantity, side


def main() -> int:
    arguments = parsed()
    if arguments.part:
        run_part(arguments.part, arguments.every)
        return 0
    if arguments.cost:
        measure_cost(arguments.cost.split(","))
        return 0

    facts = machine("jax", *(SUBJECTS[name].package for name in SUBJECTS))
    facts["versions"] |= {SUBJECTS[name].package: version_of(name) for name in SUBJECTS}
    show(facts)
    check_truth()
    isas = arguments.isa.split(",") if arguments.isa else isas_here()
    wanted = [(OURS, isa) for isa in isas]
    if arguments.peers:
        wanted += [(name, None) for name in SUBJECTS if name != OURS and version_of(name)]
    parts = [part_of(name, isa, arguments.every) for name, isa in wanted]
    report: dict[str, Any] = {
        "machine": facts,
        "every": arguments.every,
        "exponents": [EXPONENTS.start, EXPONENTS.stop - 1],
        "subjects": parts,
    }
    print(table(parts))
    faults = [fault for part in parts if part["subject"] == OURS for fault in faults_of(part)]
    for part in parts:
        if part["subject"] == OURS:
            print("".join(f"{line}\n" for line in misrounded_lines(part)), end="")
    for fault in faults:
        print(f"FAULT {fault}")
    if arguments.peers:
        names = [name for name in SUBJECTS if version_of(name)]
        report["cost"] = child("--cost", ",".join(names), KEEP_MEMORY)
        for name, cost in report["cost"]["ns_per_logit"].items():
            ns = f"{cost['median']:.2f} ns per logit ({cost['lowest']:.2f}-{cost['highest']:.2f})"
            print(f"{SUBJECTS[name].title}: {ns}")
    if arguments.json:
        arguments.json.write_text(dumped(report) + "\n", encoding="utf-8")
    print(f"{len(faults)} faults of ours" if faults else "ours has no fault")
    return 1 if faults else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.exhaustive", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take every Nth float (a prime varies all bits)"
    )
    parser.add_argument(
        "--isa", help="instruction sets of ours, separated by commas; all of this processor unless told"
    )
    parser.add_argument("--peers", action="store_true", help="the peers as well, and what each costs")
    parser.add_argument("--json", type=Path, help="write the record here")
    parser.add_argument("--part", choices=SUBJECTS, help=argparse.SUPPRESS)  # this process does one subject
    parser.add_argument("--cost", help=argparse.SUPPRESS)  # this process measures the time of these
    return parser.parse_args()


def isas_here() -> list[str]:
    from fromlogits import _core
    from fromlogits._isa import INSTRUCTION_SETS

    return [isa for isa in INSTRUCTION_SETS if _core.has_isa(isa)]


def check_truth() -> None:
    """Stop unless the float64 truth is far nearer to decimal than is asked of it."""
    powers = np.random.default_rng(0).uniform(-40.0, 7.0, 4000)
    z_n = np.concatenate([2.0**powers, -(2.0**powers)]).astype(np.float32)
    furthest = furthest_from_decimal(z_n)
    print(f"the float64 truth is within 2^{np.log2(furthest):.1f} of decimal at {z_n.size} logits; 2^-44 is asked\n")
    if furthest > 2.0**-48:
        raise SystemExit("NumPy's float64 exp or log1p is too inaccurate on this machine to be the truth")


def part_of(name: str, isa: str | None, every: int) -> dict[str, Any]:
    """The part of one subject: as it lies there, or made now by a process of its own."""
    path = PARTS / f"{name}{'-' + isa if isa else ''}.json"
    source = source_of(name)
    if path.exists():
        part: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (part["source"], part["every"]) == (source, every):
            print(f"{path.relative_to(ROOT)} is there already", file=sys.stderr)
            return part
    started = time.monotonic()
    environment = KEEP_MEMORY | ({"FROMLOGITS_ISA": isa} if isa else {})
    part = child("--part", name, environment, "--every", str(every))
    part |= {"isa": isa, "every": every, "source": source, "seconds": round(time.monotonic() - started)}
    PARTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(part), encoding="utf-8")
    return part


def source_of(name: str) -> str:
    """What a part came from: the version, the code of the check and, of ours, the compiled core."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    if name == OURS:
        from fromlogits import _core, logits

        files += [Path(_core.__file__), Path(logits.__file__)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"{version_of(name)} {digest[:16]}"


def child(verb: str, what: str, environment: dict[str, str], *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.exhaustive", verb, what, *more]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, check=True, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def blocks(every: int) -> Iterator[tuple[str, int, int, int]]:
    """Side, exponent, first and last bits of consecutive floats, together all 2^32; infinities are never left out."""
    for side, sign in zip(SIDES, (1 << 31, 0), strict=True):
        for exponent in EXPONENTS:
            first = sign | (min(exponent, INFINITE) - TINY) << 23
            last = first + (1 << 23)
            if exponent == INFINITE:
                yield side, exponent, first, first + 1
                continue
            if exponent == NAN:
                first += 1
            for start in range(first, last, BLOCK * every):
                yield side, exponent, start + -start % every, min(start + BLOCK * every, last)


def run_part(name: str, every: int) -> None:
    """Check one subject on all cores and print its part as one line of JSON."""
    warnings.simplefilter("ignore", RuntimeWarning)  # NaN logits: that is asked on purpose
    np.seterr(all="ignore")
    both = SUBJECTS[name].load(1)  # one thread in each of as many as there are cores

    def work(block: tuple[str, int, int, int]) -> tuple[int, dict[Key, Tally]]:
        side, exponent, first, last = block
        bits_n = np.arange(first, last, every, dtype=np.uint32)
        return exponent, checked(both, bits_n.view(np.float32), side) if bits_n.size else {}

    tallies: dict[Key, dict[int, Tally]] = {
        (label, quantity, side): {} for label in LABELS for quantity in QUANTITIES for side in SIDES
    }
    todo = list(blocks(every))
    started = said = time.monotonic()
    with ThreadPoolExecutor(threads()) as pool:
        for done, (exponent, found) in enumerate(pool.map(work, todo), start=1):
            for key, tally in found.items():
                tallies[key][exponent] = tallies[key].get(exponent, Tally()) + tally
            if time.monotonic() - said >= 10.0:
                said = time.monotonic()
                left_s = (said - started) * (len(todo) - done) / done
                print(f"{name}: {done / len(todo):.0%}, about {left_s:.0f} s left", file=sys.stderr, flush=True)
    results = recorded(tallies)
    if name != OURS:
        for result in results:
            del result["total"]["misrounded_at"]  # too many to be of interest
    print(json.dumps({"subject": name, "version": version_of(name), "results": results}))


def checked(both: Both, z_n: Float32, side: str) -> dict[Key, Tally]:
    tallies = {}
    true = in_float64(z_n)
    for label in LABELS:
        results = both(z_n, np.full(z_n.shape, label, np.float32))
        for quantity, got_n in zip(QUANTITIES, results, strict=True):
            assert got_n.dtype == np.float32 and got_n.shape == z_n.shape
            tallies[label, quantity, side] = compared(z_n, got_n, true[label, quantity], label, quantity)
    return tallies


def recorded(tallies: dict[Key, dict[int, Tally]]) -> list[dict[str, Any]]:
    """One entry per label, quantity and side: `worst` by exponent in full, the rest where there is any."""
    return [
        {
            "label": label,
            "quantity": quantity,
            "side": side,
            "worst": [float(f"{of[e].worst:.6g}") if e in of else 0.0 for e in EXPONENTS],
            "worst_kept": {str(e): of[e].worst_kept for e in of if of[e].worst_kept != of[e].worst},
            "total": sum(of.values(), Tally())._asdict(),
        }
        | {
            field: {str(e): getattr(of[e], field) for e in EXPONENTS if e in of and getattr(of[e], field)}
            for field in ("misrounded", "lost", "lost_normal", "unlike", "negative_zeros")
        }
        for (label, quantity, side), of in tallies.items()
    ]


def faults_of(part: dict[str, Any]) -> list[str]:
    """What breaks a promise."""
    faults = []
    for result in part["results"]:
        where = f"{part['isa']}: {result['quantity']}, y={result['label']}, {result['side']} logits"
        total = result["total"]
        if total["worst"] > ALLOWED:
            faults.append(f"{where}: {total['worst']:.6f} ulp at {total['worst_at']!r}; {ALLOWED} is allowed")
        for field in ("lost", "unlike", "negative_zeros"):
            if total[field]:
                faults.append(f"{where}: {total[field]} {field.replace('_', ' ')}; none is allowed")
    return faults


def misrounded_lines(part: dict[str, Any]) -> Iterator[str]:
    """The logits whose result is not the float32 nearest to the truth, which the bound allows."""
    for result in part["results"]:
        if result["total"]["misrounded"]:
            at = ", ".join(float(z).hex() for z in result["total"]["misrounded_at"])
            yield f"{part['isa']}: misrounded {result['quantity']}, y={result['label']}, at z = {at}"


def table(parts: list[dict[str, Any]]) -> str:
    lines = [
        f"{'':26}{'worst ulp':>14}{'misrounded':>14}{'lost':>14}{'of them normal':>16}{'-0':>12}{'NaN or inf':>12}"
    ]
    for part in parts:
        lines.append(f"{SUBJECTS[part['subject']].title} {part['version']} {part['isa'] or ''} ({part['seconds']} s)")
        for label in LABELS:
            for quantity in QUANTITIES:
                total = total_of(part, label, quantity)
                lines.append(
                    f"  {quantity + f', y={label}':24}{total.worst:>14,.7g}{total.misrounded:>14,}{total.lost:>14,}"
                    f"{total.lost_normal:>16,}{total.negative_zeros:>12,}{total.unlike:>12,}"
                )
    return "\n".join(lines)


def total_of(part: dict[str, Any], label: int, quantity: str) -> Tally:
    """Both sides together."""
    sides = [r["total"] for r in part["results"] if (r["label"], r["quantity"]) == (label, quantity)]
    return sum((Tally(**side | {"misrounded_at": ()}) for side in sides), Tally())


def measure_cost(names: list[str]) -> None:
    """Print the time of loss and gradient per logit, all subjects in turn in one process, as one line of JSON."""
    rng = np.random.default_rng(0)
    z_n = (3.0 * rng.standard_normal(COST_LOGITS)).astype(np.float32)
    y_n = (rng.random(COST_LOGITS) < 0.5).astype(np.float32)
    subjects = {name: SUBJECTS[name].load(threads()) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-2, COST_ROUNDS):  # the first two are to warm up
        for name, both in subjects.items():
            started = time.perf_counter()
            both(z_n, y_n)
            if turn >= 0:
                times[name].append(round((time.perf_counter() - started) / COST_LOGITS * 1e9, 3))
    example_n, label_n = np.array([EXAMPLE_LOGIT], np.float32), np.zeros(1, np.float32)
    cost = {
        "logits": COST_LOGITS,
        "threads": threads(),
        "rounds": COST_ROUNDS,
        "ns_per_logit": {name: spread(of) for name, of in times.items()},
        "loss_of_the_example": {name: float(both(example_n, label_n)[0][0]) for name, both in subjects.items()},
    }
    print(json.dumps(cost))


def dumped(value: Any, levels: int = 4, indent: str = "") -> str:
    """JSON with a line for each result: short, and two records can be compared line by line."""
    if levels == 0 or not value or not isinstance(value, (dict, list)):
        return json.dumps(value)
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {dumped(of, levels - 1, inner)}" for key, of in value.items()]
    else:
        items = [dumped(of, levels - 1, inner) for of in value]
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n" + ",\n".join(inner + item for item in items) + f"\n{indent}{right}"


if __name__ == "__main__":
    raise SystemExit(main())
