"""Writes hostile-files.md from hostile-files.json: `python docs/reference/make_hostile_files_md.py`.

`python docs/reference/make_hostile_files_md.py MUTANTS FUZZ` first joins what `python -m tests.mutants --json MUTANTS`
and `python -m tests.fuzz --json FUZZ` wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("hostile-files.json")
PAGE = Path(__file__).with_name("hostile-files.md")
HEAD = """# Hostile files, measured

<!-- Made by make_hostile_files_md.py from hostile-files.json; edit there. -->

What is read from strangers is tried with files that are made to break it.

## Model files

`{command}` ({date}, {processor}, {cores} cores, Python {python}, {versions}).

Every beginning of a small model, every flip of one of its bits, and mutants that know a model's structure, half of them with their digest made right again.
Each is loaded in a process whose address space is limited to what it has, {times} times the file and {megabytes} MB; a file that loads has to predict a row.
A crash, {seconds:g} s of processor time, a changed file that loads, an exception that is not one line of `ModelFileError`, and running into the limit are faults.

| files | tried | refused | {verdicts} | slowest |
|---|---|---|{rules}---|
"""
FUZZ = """
## IDX, .npz and svmlight

`{command}` ({date}, {versions}): libFuzzer, through atheris, for {seconds} s a reader.
Only one line of `InputError` may come out, within 2 s and 512 MB.

| reader | files | faults |
|---|---|---|
"""


def page() -> str:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return "".join([*model_files(record["mutants"]), *fuzzed(record["fuzz"])])


def model_files(found: dict[str, Any]) -> Iterator[str]:
    verdicts = list(next(iter(found["sets"].values()))["faults"])
    allowed = found["allowed"]
    yield HEAD.format(
        **facts(found["machine"]),
        times=allowed["times_the_file"],
        megabytes=allowed["bytes"] // 1_000_000,
        seconds=allowed["seconds"],
        verdicts=" | ".join(verdicts),
        rules="---|" * len(verdicts),
    )
    for name, of in found["sets"].items():
        faults = " | ".join(str(of["faults"][verdict]) for verdict in verdicts)
        yield f"| {name} | {of['files']:,} | {of['refused']:,} | {faults} | {of['slowest_s']:.2f} s |\n"


def fuzzed(found: dict[str, Any]) -> Iterator[str]:
    yield FUZZ.format(**facts(found["machine"]), seconds=found["seconds_a_reader"])
    for name, of in found["readers"].items():
        yield f"| {name} | {of['inputs']:,} | {of['faults']} |\n"


def facts(machine: dict[str, Any]) -> dict[str, Any]:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items() if number)
    return machine | {"versions": versions}


if __name__ == "__main__":
    if len(sys.argv) == 3:
        mutants, fuzz = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:])
        RECORD.write_text(json.dumps({"mutants": mutants, "fuzz": fuzz}, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
