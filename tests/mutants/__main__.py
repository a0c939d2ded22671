"""Loads mutated model files: no crash, no hang, no silent acceptance, no traceback, and memory within bounds.

    python -m tests.mutants --count 200000 --seed 1            what the record holds
    python -m tests.mutants --seed 1 --only 1234               one of them again

Beside the mutants that are drawn it loads every prefix of the smallest model and every flip of one of its bits. Exits 1
where one of them is not what it must be; each such line says how to run it again.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

from benchmarks.machine import machine, show, threads, write_json

from .hunt import Finding, Tally, bit_flips, drawn, hunt, prefixes
from .judge import ALLOWED_BYTES, ALLOWED_SECONDS, VERDICTS
from .kinds import mutant


def main() -> int:
    arguments = parsed()
    if arguments.only is not None:
        return show_one(arguments.seed, arguments.only, arguments.keep)
    facts = machine("safetensors")
    show(facts)
    started = time.monotonic()
    tallies = {
        "every prefix": hunt(prefixes(), arguments.workers),
        "every flipped bit": hunt(bit_flips(), arguments.workers),
        f"drawn with seed {arguments.seed}": hunt(drawn(arguments.seed, range(arguments.count)), arguments.workers),
    }
    for name, tally in tallies.items():
        print(f"{name}: {line(tally)}")
        for finding in tally.findings[:50]:
            print(f"  {described(finding, arguments.seed)}")
    report = {
        "machine": facts,
        "seed": arguments.seed,
        "allowed": {"seconds": ALLOWED_SECONDS, "bytes": ALLOWED_BYTES, "times_the_file": 4},
        "seconds": round(time.monotonic() - started),
        "sets": {name: tally.to_json() for name, tally in tallies.items()},
    }
    write_json(arguments.json, report)
    faults = sum(len(tally.findings) for tally in tallies.values())
    print(f"{faults} faults" if faults else "no fault")
    return 1 if faults else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=20_000, metavar="N", help="mutants to draw (20000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the draws (1)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this one alone, told in full")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="with --only: write the mutant here")
    parser.add_argument("--workers", type=int, default=threads(), metavar="N", help="processes (one a core)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record here")
    return parser.parse_args()


def show_one(seed: int, index: int, keep: Path | None) -> int:
    made = mutant(seed, index)
    print(f"{made.about}; {len(made.content):,} bytes; must be {made.expected}")
    if keep:
        keep.write_bytes(made.content)
    tally = hunt(iter([(index, made)]), 1, seen=lambda outcome: print(outcome))
    return 1 if tally.findings else 0


def line(tally: Tally) -> str:
    faults = ", ".join(f"{verdict} {tally.faults[verdict]}" for verdict in VERDICTS)
    return (
        f"{tally.count:,} files, {tally.refused:,} refused; {faults};"
        f" slowest {tally.slowest:.2f} s, most memory beyond 4 x file {tally.most_beyond / 1e6:.0f} MB"
    )


def described(finding: Finding, seed: int) -> str:
    again = f"python -m tests.mutants --seed {seed} --only {finding.index}" if finding.index is not None else ""
    return f"{finding.fault}: {finding.about}: {finding.message[:300]!r}  {again}"


if __name__ == "__main__":
    threading.excepthook = lambda arguments: None  # a lane's error is raised where the lanes are joined
    raise SystemExit(main())
