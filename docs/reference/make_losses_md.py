"""Writes the losses' section of speed.md from what benchmarks/losses.py measured, in place of the one there.

python docs/reference/make_losses_md.py JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("speed.md")
START = "<!-- Made by make_losses_md.py from the figures of benchmarks/losses.py, down to the next such line. -->\n"
END = "<!-- The end of what make_losses_md.py writes. -->\n"
OURS = "fromlogits"
HEAD = """
## Loss and gradient, nanoseconds a logit

`python benchmarks/losses.py`, {date}, {processor}: mean loss and its gradient to float32 logits, with one core and with two; median of {rounds} rounds; a ratio below 1 is ours ahead, its lowest and highest in brackets.
{versions}.
PyTorch runs forward and backward; JAX is jitted, with optax's integer labels or with `log_softmax` and a gather.
What the nanoseconds buy is in [accuracy.md](accuracy.md).
"""


def table(shapes: dict[str, Any]) -> Iterator[str]:
    names = list(dict.fromkeys(name for found in shapes.values() for name in found))
    peers = [name for name in names if name != OURS]
    yield "| shape | " + " | ".join([*names, *(f"ours / {name}" for name in peers)]) + " |"
    yield "|---" * (1 + len(names) + len(peers)) + "|"
    for shape, found in shapes.items():
        times = [f"{found[name]['ns_per_logit']['median']:.3g}" if name in found else "—" for name in names]
        ratios = [ratio(found[name]["ours_over_theirs"]) if name in found else "—" for name in peers]
        yield f"| {shape} | " + " | ".join([*times, *ratios]) + " |"


def ratio(spread: dict[str, float]) -> str:
    median = f"{spread['median']:.2f}"
    if spread["median"] < 1:
        median = f"**{median}**"
    return f"{median} ({spread['lowest']:.2f}–{spread['highest']:.2f})"


def section(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)
    head = HEAD.format(versions=versions, **{name: report[name] for name in ("date", "processor", "rounds")})
    lines = [head.rstrip("\n")]
    for count, shapes in report["threads"].items():
        lines += ["", "One thread:" if count == "1" else f"{count} threads:", "", *table(shapes)]
    return "\n".join(lines) + "\n\n"


def main(measured: Path) -> None:
    before, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"{PAGE} must hold these two lines, around the section:\n{START}{END}")
    report = json.loads(measured.read_text(encoding="utf-8"))
    PAGE.write_text(before + start + section(report) + end + after, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
