"""The picture of `fromlogits roundoff --plot`. matplotlib is imported here, and nowhere else."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EngineUnavailableError, InputError
from .rounding import CLASSES, OFFSET, PLOT_LEADS, Array, Float64, Sweep, kinds, sweeps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = {".svg": "svg", ".png": "png"}
GREEN, ORANGE, PURPLE = "#1b7f4d", "#c8641b", "#6d54b5"
BIN = 0.5
"""A point stands for the largest error of so wide a piece of leads."""
LEAST = 1e-2
"""ulps; smaller errors are drawn there."""
EVERYTHING = 2.0**24
"""ulps: an error as large as the loss itself."""
STRIPS = (EVERYTHING * 10**3.2, EVERYTHING * 10**1.6)
"""Heights at which it is drawn where the textbook losses are 0, inf or NaN."""


def format_of(path: Path) -> str:
    """By the end of the name, and whether it can be drawn here: asked before the work starts."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"--plot {shlex.quote(str(path))}: the picture is written to a file whose name ends in .svg or .png."
        )
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise EngineUnavailableError(
            "--plot needs matplotlib, which is not installed; install it by `pip install 'fromlogits[plot]'`."
        ) from None
    return FORMATS[path.suffix.lower()]


def draw(file_format: str) -> bytes:
    """The errors of the logistic and of the softmax loss over the lead: an SVG or a PNG, the same bytes each time."""
    import matplotlib
    from matplotlib.figure import Figure

    logistic, softmax = sweeps(PLOT_LEADS)
    with matplotlib.rc_context({"svg.hashsalt": "fromlogits", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9.0, 6.6), layout="constrained")
        above, below = figure.subplots(2, sharex=True, sharey=True)
        _fill(above, logistic, ("textbook, the answer is yes (t = 1)", "textbook, the answer is no (t = 0)"))
        _fill(below, softmax, ("textbook", f"textbook, all logits raised by {OFFSET:g}"))
        above.set_title("The logistic loss in float32: how far off?", loc="left", fontweight="bold")
        below.set_title(f"The softmax loss, {CLASSES} classes", loc="left", fontweight="bold")
        below.set_xlabel("wrong answer  ←  how far the logit of the right answer leads  →  right answer")
        content = io.BytesIO()
        figure.savefig(content, format=file_format, dpi=150, metadata={"Date": None} if file_format == "svg" else None)
    return content.getvalue()


def _fill(axes: Axes, sweep: Sweep, names: tuple[str, str]) -> None:
    for strip, curve, name, colour in zip(STRIPS, sweep.textbook, names, (ORANGE, PURPLE), strict=True):
        axes.plot(*largest(sweep.leads, curve.ulps), linewidth=1.6, color=colour, label=name)
        for first, last, kind in runs(sweep.leads, curve.losses):
            axes.plot([first, last], [strip, strip], linewidth=9, color=colour, solid_capstyle="butt")
            centre = ((first + last) / 2, strip)
            axes.annotate(kind, centre, color="white", ha="center", va="center_baseline", fontsize=8, fontweight="bold")
    axes.plot(*largest(sweep.leads, sweep.from_logits.ulps), linewidth=1.6, color=GREEN, label="from the logits")
    axes.axhline(EVERYTHING, color="grey", linewidth=0.8, linestyle=":")
    axes.annotate("no digit is right", (-109, EVERYTHING / 2), color="grey", fontsize=8, va="top")
    axes.set_yscale("log")
    axes.set_ylim(10**-4.5, EVERYTHING * 10**4.5)
    axes.set_yticks([10.0**power for power in range(-2, 8, 2)])
    axes.set_yticks([], minor=True)
    axes.set_xlim(float(sweep.leads[0]), float(sweep.leads[-1]))
    axes.set_ylabel("largest error, units in the last place")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower center", ncols=3)


def largest(leads: Array, errors: Float64) -> tuple[Array, Array]:
    """The middle of each piece of leads, and the largest error that is a number in it; NaN where none is."""
    bins = np.floor(leads / BIN).astype(np.int64)
    middles = np.unique(bins)
    known = np.where(np.isfinite(errors), errors, -1.0)
    most = np.array([known[bins == piece].max() for piece in middles])
    return (middles + 0.5) * BIN, np.where(most < 0, np.nan, np.maximum(most, LEAST))


def runs(leads: Array, losses: Array) -> Iterator[tuple[float, float, str]]:
    """(first lead, last lead, which) where losses are 0, inf or NaN; being so only now and then counts as one run."""
    for kind, fails in kinds(losses).items():
        found = leads[fails].astype(np.float64)
        if len(found):
            breaks = np.flatnonzero(np.diff(found) > 2.0)
            for first, last in zip(found[[0, *(breaks + 1)]], found[[*breaks, -1]], strict=True):
                yield float(first), float(last), kind
