"""`fromlogits roundoff`: what rounding does to losses that are computed from probabilities."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .display import Screen
from .options import Json, Overwrite
from .output import aligned, as_json, check_output, json_numbers, written

if TYPE_CHECKING:
    from .rounding import Comparison, Failure, Measured, Sweep, TwoWays

WIDE = 80


def roundoff(
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="FILE", help="Draw the errors into this .svg or .png, too.")
    ] = None,
    json: Json = False,
    overwrite: Overwrite = False,
) -> int:
    """Show what rounding does to losses from probabilities, and that those from logits escape it."""
    from . import roundoff_plot

    path = Path(plot) if plot is not None else None
    if path is not None:
        file_format = roundoff_plot.format_of(path)
        check_output(path, overwrite=overwrite, option="--plot")

    from . import rounding

    measured = rounding.measure()
    if path is not None:
        picture = roundoff_plot.draw(file_format)
        with written(path, overwrite=overwrite) as stream:
            stream.write(picture)
    results = Screen(sys.stdout)
    if json:
        results.tell(as_json(json_numbers({**_report(measured), "plot": plot}), is_wide=True))
        return 0
    _tell(results, measured)
    if path is not None:
        results.tell(f"\ndrawn in {path}")
    return 0


def _report(measured: Measured) -> dict[str, Any]:
    """What --json prints."""
    from .rounding import LOST, SPREAD_LEADS

    report = asdict(measured)
    report["comparison"] |= {
        "softmax_suffers_more": measured.comparison.softmax_suffers_more,
        "leads": {"first": SPREAD_LEADS[0], "last": SPREAD_LEADS[-1], "count": len(SPREAD_LEADS)},
        "lost_if_off_by_more_than": LOST,
    }
    return report


def _tell(results: Screen, measured: Measured) -> None:
    from .rounding import CLASSES, OFFSET

    results.tell("One number, computed in two ways", "bold")
    results.tell(two_ways_table(measured.two_ways))

    results.tell("\nThe logistic loss in float32, by how far the right answer's logit leads", "bold")
    results.tell(sweep_table(measured.logistic))
    results.tell("ulp: units in the last place. NaN at 17: (1 - t) log(1 - a) is 0 x -inf.")

    results.tell(
        f"\nThe softmax loss of {CLASSES} classes; raised by {OFFSET:g}: that much added to each logit", "bold"
    )
    results.tell(sweep_table(measured.softmax))

    results.tell("\nWhere the textbook loss first is 0, inf or NaN", "bold")
    results.tell(failures_table(measured.first_failures))
    results.tell(
        _wrapped(
            "From the logits none of it happens, only the loss of a right answer is 0 from a lead of"
            f" {measured.from_logits_zero_from:.2f}: float32 has nothing so small."
        )
    )
    results.tell("\nDoes softmax suffer more than the logistic loss?", "bold")
    results.tell(comparison_table(measured.comparison))
    results.tell(answer(measured))


def two_ways_table(numbers: Sequence[TwoWays]) -> str:
    return aligned(
        [
            ("", *(of.dtype for of in numbers)),
            ("2/10000", *(f"{of.quotient:.18f}" for of in numbers)),
            ("(1 + 1/10000) - (1 - 1/10000)", *(f"{of.difference:.18f}" for of in numbers)),
        ]
    )


def sweep_table(sweep: Sweep) -> str:
    """A line per lead: the loss each way, and its error."""
    curves = (sweep.from_logits, *sweep.textbook)
    rows = [["lead", *(cell for curve in curves for cell in (curve.name, "ulp"))]]
    for row, lead in enumerate(sweep.leads):
        pairs = ((loss(curve.losses[row]), error(curve.ulps[row])) for curve in curves)
        rows.append([f"{lead:4.0f}", *(cell for pair in pairs for cell in pair)])
    return aligned(rows)


def loss(value: float) -> str:
    """Six digits; what is no number in its usual spelling."""
    if value == 0:
        return "0"
    return "NaN" if value != value else "inf" if value == float("inf") else f"{value:#.6g}"


def error(ulps: float) -> str:
    """An error for people; a dash where the value is no number."""
    if ulps == float("inf"):
        return "-"
    return f"{ulps:.1f}" if ulps < 99.95 else f"{ulps:,.0f}"


def failures_table(failures: Sequence[Failure]) -> str:
    """Leads without their sign, as the names say to which side they are."""
    from .rounding import ALL_AT, KINDS

    rows = [["", *KINDS, *KINDS]]
    for failure in failures:
        found = (*failure.float32.values(), *failure.float64.values())
        is_lead = failure.name != ALL_AT
        rows.append([failure.name, *("-" if at is None else f"{abs(at) if is_lead else at:.2f}" for at in found)])
    table = aligned(rows)
    lines = table.splitlines()
    first = max(len(row[0]) for row in rows)
    half = (len(lines[0]) - first) // 2
    return "\n".join([" " * first + "float32".rjust(half) + "float64".rjust(len(lines[0]) - first - half), *lines])


def comparison_table(comparison: Comparison) -> str:
    from .rounding import SPREAD_LEADS as LEADS

    about = f"{len(LEADS):,} leads, {LEADS[0]:.0f} to {LEADS[-1]:.0f}, float32"
    rows = [(about, "median ulp", "worst ulp", "lost")]
    rows += [(of.name, error(of.median_ulps), error(of.worst_ulps), f"{of.lost:.1%}") for of in comparison.rows]
    return aligned(rows)


def answer(measured: Measured) -> str:
    """In words and figures, as it came out."""
    from .rounding import ALL_AT, CLASSES, LOST, OFFSET

    found = measured.comparison
    yes, no = found.logistic
    alike = next(failure.float32["inf"] for failure in measured.first_failures if failure.name == ALL_AT)
    return _wrapped(
        f"Lost are 0, inf, NaN and what is off by more than {LOST:.0%}; worst is that of the numbers.",
        f"{'Yes' if found.softmax_suffers_more else 'No'}: on the same question, of two classes, softmax loses"
        f" {found.softmax.lost:.1%} of the losses, the logistic loss {yes.lost:.1%} (t = 1) and {no.lost:.1%} (t = 0)."
        " What only softmax has is a number that may be added to all its logits: it changes no answer, but"
        f" {OFFSET:g} makes {found.more_classes.lost:.1%} of {CLASSES} classes {found.offset.lost:.1%}, and at"
        f" {alike:.2f} equal logits give inf. Subtracting the largest logit first cures that; the lost digits stay"
        " lost.",
    )


def _wrapped(*paragraphs: str) -> str:
    return "\n".join(textwrap.fill(paragraph, WIDE) for paragraph in paragraphs)
