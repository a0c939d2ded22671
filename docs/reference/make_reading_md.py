"""Writes reading.md from what benchmarks/reading.py measured: python docs/reference/make_reading_md.py JSON"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reading.md")
OURS = "fromlogits"
HEAD = """# Reading files: speed, memory, damage

<!-- Made by make_reading_md.py from the figures of benchmarks/reading.py; edit there. -->

`{command}`, {date}, {processor}, {cores} cores: medians of {rounds} fresh processes (lowest to highest).
{versions}.

## Speed and memory

Ours is the whole of what `fromlogits train` does to get a file into memory: the look at every byte, SHA-256, the values, the target.
Beside it the library that the form is read with, left to itself: it guesses types, skips the checks and hashes nothing.
A ratio is ours to that library in the same round; the others are there for information.
"""
DAMAGE = """
## Eighteen malformed or unusual CSVs

A reader is right when it gives the values that stand in the file or refuses it; what is neither is silent damage.
"""


def files(report: dict[str, Any]) -> Iterator[str]:
    yield "| file | reader | seconds | peak, MiB | ours / its library |"
    yield "|---|---|---|---|---|"
    for name, found in report.items():
        title = f"{name}, {found['mb']:.0f} MB"
        for reader, row in found["readers"].items():
            ratio = spread(found["ours_over_own"], 2) if reader == OURS and "ours_over_own" in found else ""
            who = (
                f"**{reader}**" if reader == OURS else f"{reader}, left to itself" if reader == found["own"] else reader
            )
            yield f"| {title} | {who} | {spread(row['read_s'], 3)} | {row['peak_mib']['median']:.0f} | {ratio} |"
            title = ""


def spread(values: dict[str, float], digits: int) -> str:
    return f"{values['median']:.{digits}f} ({values['lowest']:.{digits}f}–{values['highest']:.{digits}f})"


def damage(report: dict[str, Any]) -> Iterator[str]:
    readers = list(next(iter(report.values())))
    yield "| file | " + " | ".join(readers) + " |"
    yield "|---" * (1 + len(readers)) + "|"
    for case, row in report.items():
        yield f"| {case} | " + " | ".join(shown(row[reader]["verdict"]) for reader in readers) + " |"
    wrong = [sum(row[reader]["verdict"].startswith("WRONG") for row in report.values()) for reader in readers]
    yield "| **silently wrong** | " + " | ".join(f"**{count}**" for count in wrong) + " |"


def shown(verdict: str) -> str:
    text = verdict.replace("WRONG: ", "").replace("|", "\\\\|").replace("\\t", " ")
    return f"*{text}*" if verdict.startswith("WRONG") else text


def lines(report: dict[str, Any]) -> Iterator[str]:
    yield "What fromlogits says of those that it refuses:"
    yield ""
    yield "```text"
    for case, row in report.items():
        if row[OURS]["verdict"] == "refused":
            yield f"{case}: {row[OURS]['message']}"
    yield "```"


def page(report: dict[str, Any]) -> str:
    machine = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items() if number)
    head = HEAD.format(
        versions=f"Python {machine['python']}, {versions}",
        rounds=report["rounds"],
        **{name: machine[name] for name in ("command", "date", "processor", "cores")},
    )
    found = report["malformed"]
    parts = [head, *files(report["files"]), DAMAGE, *damage(found), "", *lines(found)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    PAGE.write_text(page(report), encoding="utf-8")
