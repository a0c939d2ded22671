"""Writes accuracy.md from what benchmarks/accuracy.py measured: `python docs/reference/make_accuracy_md.py JSON`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("accuracy.md")
OURS, BOUND = "fromlogits", 0.51
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
HEAD = """# Accuracy, measured

<!-- Made by make_accuracy_md.py from the figures of benchmarks/accuracy.py; edit there. -->

{date}, {versions}; {processor}, {system}.
`python benchmarks/accuracy.py` prints all of this for the libraries that you have.{left_out}

Every library gets the same float32 logits, which count as exact, and is called as its users call it: its loss from logits, its gradient ([peers.py](../../benchmarks/peers.py)).
The truth is computed in float64 without cancellation and agrees with mpmath (160 digits) to {truth_differs_by}.
An ulp is the distance between neighbouring float32 numbers at the true value, so half an ulp is the best that a float32 can do.

A cell gives the largest and the median error in ulps, over {values} million values in all.
*Lost* is the share of values that came back as 0 though a float32 can hold the true one, subnormals included; *wrong* the share that is off by more than 1 %.
**Bold** is within {bound} ulp with nothing lost, whoever it is.
"""
SOFTMAX = """
## Softmax cross-entropy

Ten classes unless the case says otherwise; y is the true class.
"""
SIGMOID = """
## Sigmoid cross-entropy

The target is y, the logit uniform in the range.
The last cases are predictions that nearly agree with a soft target, where the gradient is a small difference.
"""
VALUES = """
## Probabilities and their logarithms

A logsumexp near 0 is a difference of two numbers that nearly agree: there our bound has 2⁻⁵¹ of the largest logit on top.
"""
ZEROS = """
## Where a right answer becomes a perfect one

The lead of the true class, in nats, from which on loss or gradient is exactly 0 (steps of 0.25; the other logits are 0).
The first column is where float32 has nothing smaller to give.
"""
TAIL = """
## What it means

- The zeros are the difference that training can feel: a row whose true class has gradient 0 no longer pulls its class up while it still pushes the others down, and a mean over losses of 0 is too small. [What it does to a training](../maths/textbook-training.md) is measured too.
- The many ulps in between mostly can't be felt. Logits from a float32 matrix product are themselves right to about a millionth, and the median error of every library is about an ulp on ordinary logits. Given the logits, ours adds half an ulp to that; it can't mend the logits.
- The peers are not careless.{right} SciPy's logsumexp, given logits shifted by the true one, keeps the tail to within some tens of ulps: that is the recipe to use where ours isn't at hand.
- Versions move, and these faults are known to some of the projects; what stands here is what the versions above returned.
"""
TITLES = {
    "loss": "Loss",
    "gradient": "Gradient",
    "gradient, true class": "Gradient, true class",
    "gradient, other classes": "Gradient, the other classes",
}


def number(ulps: float) -> str:
    if ulps < 10:
        return f"{ulps:.2f}"
    if ulps < 9999.5:
        return f"{ulps:,.0f}"
    digits, power = f"{ulps:.1e}".split("e+")
    return f"{digits}·10" + str(int(power)).translate(RAISED)


def share(part: float) -> str:
    percent = 100 * part
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.1g} %"


def is_right(found: dict[str, Any]) -> bool:
    return found["max_ulp"] is not None and found["max_ulp"] <= BOUND and not found["lost"] and not found["not_finite"]


def cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return "—"
    if found["max_ulp"] is None:
        return "NaN"
    text = f"{number(found['max_ulp'])} / {number(found['median_ulp'])}"
    if is_right(found):
        return f"**{text}**"
    notes = [f"{share(found[what])} {what}" for what in ("lost", "wrong") if found[what]]
    return "; ".join([text, *notes])


class Libraries:
    """The columns: libraries that gave the same figures everywhere share one."""

    def __init__(self, report: dict[str, Any]) -> None:
        rows = [case["results"] for case in report["cases"]] + [row["leads"] for row in report["first_zeros"]]
        self.first_of: dict[str, str] = {}
        for name in report["libraries"]:
            same = [first for first in self.first_of.values() if all(row.get(first) == row.get(name) for row in rows)]
            self.first_of[name] = same[0] if same else name

    def names(self) -> list[str]:
        return list(dict.fromkeys(self.first_of.values()))

    def title(self, first: str) -> str:
        return " and ".join(name for name, other in self.first_of.items() if other == first)

    def table(self, rows: list[tuple[str, dict[str, str]]], corner: str, *more: str) -> Iterator[str]:
        """One line per row; a library that has none of it is left out. `more` are columns before the libraries."""
        shown = [*more, *(name for name in self.names() if any(cells.get(name, "—") != "—" for _, cells in rows))]
        titles = [name if name in more else self.title(name) for name in shown]
        yield ""
        yield f"| {corner} | " + " | ".join(titles) + " |"
        yield "|---" * (len(shown) + 1) + "|"
        for name, cells in rows:
            yield f"| {name} | " + " | ".join(cells.get(name, "—") for name in shown) + " |"


def error_tables(report: dict[str, Any], libraries: Libraries, functions: tuple[str, ...]) -> Iterator[str]:
    """A table for each part of each function."""
    cases = [case for case in report["cases"] if case["function"] in functions]
    for function, part in dict.fromkeys((case["function"], case["part"]) for case in cases):
        yield f"\n### {TITLES.get(part, function)}"
        yield from libraries.table(
            [
                (case["case"], {name: cell(case["results"].get(name)) for name in libraries.names()})
                for case in cases
                if (case["function"], case["part"]) == (function, part)
            ],
            "case",
        )


def zero_table(report: dict[str, Any], libraries: Libraries) -> Iterator[str]:
    floor = "float32 itself"
    rows = []
    for row in report["first_zeros"]:
        leads, of_function = row["leads"], row["function"].removesuffix("_cross_entropy")
        cells = {name: f"{leads[name]:g}" for name in libraries.names() if name in leads}
        cells = {name: f"**{lead}**" if lead == f"{leads['truth']:g}" else lead for name, lead in cells.items()}
        rows.append((f"{of_function}, {row['part']}, {row['case']}", cells | {floor: f"{leads['truth']:g}"}))
    yield from libraries.table(rows, "", floor)


def who_is_right(report: dict[str, Any], libraries: Libraries) -> str:
    """A sentence on the peers' sigmoid losses and gradients for y = 0 and 1 that are right."""
    cases = [
        case["results"]
        for case in report["cases"]
        if case["function"] == "sigmoid_cross_entropy" and not case["case"].startswith("y = 0.3")
    ]
    sound, whole = [], []
    for name in libraries.names():
        found = [case[name] for case in cases if name in case]
        if name == OURS or not found:
            continue
        worst = max(one["max_ulp"] for one in found)
        if not any(one["wrong"] for one in found):
            whole.append(f"{libraries.title(name)} ({number(worst)} ulps)")
        sound += [libraries.title(name)] if all(is_right(one) for one in found) else []
    text = (
        f" For labels 0 and 1 the sigmoid loss and gradient are nowhere far off in {', '.join(whole)}." if whole else ""
    )
    return text + (f" {' and '.join(sound)} is as exact there as ours." if sound else "")


def page(report: dict[str, Any]) -> str:
    libraries = Libraries(report)
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)
    head = HEAD.format(
        **{name: report[name] for name in ("date", "processor", "system")},
        versions=versions,
        left_out=f"\nNot installed and left out: {', '.join(report['left_out'])}." if report["left_out"] else "",
        truth_differs_by=f"{report['truth_differs_by']:.1e} (relative)",
        values=f"{sum(case['results'][OURS]['values'] for case in report['cases']) / 1e6:.0f}",
        bound=BOUND,
    )
    functions = ("softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid")
    lines = [
        head + SOFTMAX.rstrip("\n"),
        *error_tables(report, libraries, ("softmax_cross_entropy",)),
        SIGMOID.rstrip("\n"),
        *error_tables(report, libraries, ("sigmoid_cross_entropy",)),
        VALUES.rstrip("\n"),
        *error_tables(report, libraries, functions),
        ZEROS.rstrip("\n"),
        *zero_table(report, libraries),
        TAIL.format(right=who_is_right(report, libraries)).rstrip("\n"),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), encoding="utf-8")
