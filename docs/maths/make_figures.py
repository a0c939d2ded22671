"""Draws the figures of from-logits.md into docs/images: `python docs/maths/make_figures.py [FOLDER]`.

Needs matplotlib and mpmath. "True" is mpmath's value at 50 digits of the very numbers that the forms are given. The
same versions draw the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import mpmath as mp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fromlogits as fl

Array = NDArray[Any]
Form = Callable[[Array, int], float]

IMAGES = Path(__file__).resolve().parent.parent / "images"
OURS, TEXTBOOK, SHIFTED, DOUBLE = "#1d5fd1", "#d0373d", "#d98a00", "#7a5ba8"
TRUE, INK, FAINT, PAPER = "#c9ced6", "#1f2328", "#656d76", "#ffffff"
STYLE: dict[Any, Any] = {
    # A card of its own colour: as readable on a dark page as on a light one.
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "axes.grid": True,
    "grid.color": "#e9ecef",
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "path.simplify_threshold": 0.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "svg.hashsalt": "fromlogits",
}
mp.mp.dps = 50


def main(folder: Path) -> None:
    matplotlib.rcParams.update(STYLE)
    for draw in (hinge, loss_over_lead, error_over_loss, gradient_error_over_lead, near_the_prediction):
        name = draw.__name__.replace("_", "-")
        figure = draw()
        figure.savefig(folder / f"{name}.svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        print(folder / f"{name}.svg")


# Forms that lose digits, and the true values


def textbook_loss(z: Array, y: int) -> float:
    """−log p, p a number of the type of z."""
    terms = np.exp(z - z.max())
    return float(-np.log(terms[y] / terms.sum()))


def log_softmax_loss(z: Array, y: int) -> float:
    """log Σ exp(z − m) − (z_y − m), in the type of z."""
    below = z - z.max()
    return float(np.log(np.exp(below).sum()) - below[y])


def log1p_loss(z: Array, y: int) -> float:
    """log1p(Σ exp(z_k − z_y)) over k ≠ y, in the type of z."""
    return float(np.log1p(np.exp(np.delete(z, y) - z[y]).sum()))


def our_loss(z: Array, y: int) -> float:
    return float(fl.softmax_cross_entropy(z[None], [y]))


def true_loss(z: Array, y: int) -> float:
    return float(mp.log1p(mp.fsum(mp.exp(mp.mpf(float(v)) - float(z[y])) for v in np.delete(z, y))))


def p_minus_1(z: Array, y: int) -> float:
    terms = np.exp(z - z.max())
    return float(terms[y] / terms.sum() - 1)


def our_gradient(z: Array, y: int) -> float:
    _, gradient = fl.softmax_cross_entropy(z[None], [y], with_gradient=True)
    return float(gradient[0, y])


def true_gradient(z: Array, y: int) -> float:
    others = mp.fsum(mp.exp(mp.mpf(float(v)) - float(z[y])) for v in np.delete(z, y))
    return float(-others / (1 + others))


def in_double(form: Form) -> Form:
    """The form in float64 on float32 logits; what it returns is rounded to float32."""
    return lambda z, y: float(np.float32(form(z.astype(np.float64), y)))


def ulps(got: Array, true: Array) -> Array:
    """Errors in spacings of float32 at the true value."""
    exponents = np.maximum(np.frexp(np.abs(true))[1] - 24, -149)
    errors: Array = np.abs(got - true) / np.ldexp(1.0, exponents)
    return errors


# Drawing


def canvas(*titles: str, width: float = 7.0, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height))
    axes = list(np.atleast_1d(figure.subplots(1, len(titles))))
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title)
        ax.set_axisbelow(True)
    return figure, axes


def note(ax: Axes, text: str, at: tuple[float, float], colour: str, **more: Any) -> None:
    """Text at a point of the data, on the paper's colour so that no line runs through it."""
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
    ax.text(*at, text, color=colour, bbox=box, **more).set_in_layout(False)


def until_0(ax: Axes, x: Array, y: Array, colour: str, floor: float, **more: Any) -> float:
    """Draw y while it is above 0, then its fall; returns where it falls."""
    alive = y > 0
    end = int(np.flatnonzero(alive)[-1])
    ax.plot(x[: end + 1], y[: end + 1], color=colour, **more)
    ax.plot([x[end], x[end]], [y[end], floor], color=colour, linestyle=(0, (1, 2)), linewidth=1.4)
    ax.plot([x[end]], [floor], color=colour, marker="o", markersize=4.5, clip_on=False, zorder=5)
    return float(x[end])


def hinge() -> Figure:
    figure, [whole, part] = canvas("the loss of the answer “no”", "its two parts", height=2.9)
    z = np.linspace(-7, 7, 281)
    corner, rest = np.maximum(z, 0), np.log1p(np.exp(-np.abs(z)))
    whole.plot(z, corner + rest, color=OURS)
    note(whole, r"$\log(1 + e^{z})$", (-1.2, 2.6), OURS, ha="right")
    part.plot(z, corner, color=TEXTBOOK)
    part.fill_between(z, rest, color=OURS, alpha=0.15, linewidth=0)
    part.plot(z, rest, color=OURS)
    note(part, r"$\max(z, 0)$, exact", (2.2, 3.9), TEXTBOOK, ha="right")
    note(part, r"$\log(1 + e^{-|z|}) \leq \log 2$", (0.4, 1.15), OURS, ha="right")
    for ax in (whole, part):
        ax.set_xlabel("logit z")
        ax.set_ylim(-0.2, 7)
        ax.set_xlim(-7, 7)
    whole.set_ylabel("nats")
    return figure


def loss_over_lead() -> Figure:
    figure, [far, close] = canvas("ten classes, nine logits of 0", "the same, near where float32 gives up", height=3.5)
    floor = 1e-49
    leads = np.arange(0, 112, 0.25, dtype=np.float32)
    rows = [np.array([lead] + [0.0] * 9, np.float32) for lead in leads]
    true = np.array([true_loss(row, 0) for row in rows])
    far.plot(leads, true, color=TRUE, linewidth=5)
    curves: list[tuple[Form, str]] = [
        (textbook_loss, TEXTBOOK),
        (in_double(textbook_loss), DOUBLE),
        (our_loss, OURS),
    ]
    for form, colour in curves:
        until_0(far, leads, np.array([form(row, 0) for row in rows]), colour, floor)
    far.set(yscale="log", ylim=(floor, 30), xlim=(0, 112), xlabel="lead of the true class", ylabel="loss in nats")
    far.set_yticks([1, 1e-10, 1e-20, 1e-30, 1e-40])
    note(far, "textbook,\nfloat32", (20.5, 1e-31), TEXTBOOK)
    note(far, "textbook,\nfloat64", (40.5, 1e-39), DOUBLE)
    note(far, "from logits, as far as\nfloat32 reaches", (55, 1e-12), OURS)
    far.text(-2, floor, "0", ha="right", va="center", color=FAINT)

    leads = np.arange(13.5, 20.5, 0.01, dtype=np.float32)
    rows = [np.array([lead] + [0.0] * 9, np.float32) for lead in leads]
    close.plot(leads, [true_loss(row, 0) for row in rows], color=TRUE, linewidth=5)
    floor = 1.2e-8
    for form, colour, more in (
        (textbook_loss, TEXTBOOK, {"linewidth": 3.5}),
        (log_softmax_loss, SHIFTED, {"linewidth": 1.5}),
    ):
        until_0(close, leads, np.array([form(row, 0) for row in rows]), colour, floor, **more)
    close.plot(leads, [our_loss(row, 0) for row in rows], color=OURS)
    close.set(yscale="log", ylim=(floor, 2e-5), xlim=(13.5, 20.5), xlabel="lead of the true class")
    close.set_yticks([1e-5, 1e-6, 1e-7])
    note(close, "textbook, float32", (17.2, 9e-7), TEXTBOOK)
    note(close, "log-softmax, float32", (17.2, 5e-7), SHIFTED)
    note(close, "from logits", (18.6, 1.1e-7), OURS)
    close.text(13.4, floor, "0", ha="right", va="center", color=FAINT)
    return figure


def error_over_loss() -> Figure:
    figure, [ax] = canvas("40 000 rows of ten logits from N(0, 3): largest error")
    generator = np.random.default_rng(0)
    rows = generator.normal(0, 3, (40_000, 10)).astype(np.float32)
    labels = generator.integers(10, size=40_000)
    labels[::2] = rows[::2].argmax(axis=1)
    true = np.array([true_loss(row, y) for row, y in zip(rows, labels, strict=True)])
    edges = np.geomspace(1e-4, 32, 15)
    bins = np.digitize(true, edges)
    curves: list[tuple[Form, str]] = [
        (textbook_loss, TEXTBOOK),
        (log_softmax_loss, SHIFTED),
        (log1p_loss, FAINT),
        (our_loss, OURS),
    ]
    for form, colour in curves:
        errors = ulps(np.array([form(row, y) for row, y in zip(rows, labels, strict=True)]), true)
        full = [b for b in range(1, len(edges)) if (bins == b).sum() > 5]
        middles = [np.sqrt(edges[b - 1] * edges[b]) for b in full]
        ax.plot(middles, [errors[bins == b].max() for b in full], color=colour, marker="o", markersize=3.5)
        print(f"  {form.__name__}: median {np.median(errors):.2f}, largest {errors.max():.4g} ulp")
    ax.axhline(0.51, color=OURS, linewidth=1, linestyle=(0, (4, 3)))
    ax.set(xscale="log", yscale="log", xlabel="true loss in nats", ylabel="error in units of the last place (float32)")
    ax.set_ylim(0.2, 5e4)
    note(ax, "textbook, float32", (6e-3, 2600), TEXTBOOK)
    note(ax, "log-softmax, float32", (6e-3, 1100), SHIFTED)
    note(ax, "log1p form, all of it in float32", (1e-3, 11), FAINT)
    note(ax, "fromlogits: float64 inside, rounded once (dashed: the bound, 0.51)", (1.7e-4, 0.27), OURS)
    return figure


def gradient_error_over_lead() -> Figure:
    figure, [ax] = canvas("gradient of the true class, ten classes: largest error")
    generator = np.random.default_rng(1)
    leads = np.arange(0, 60, 0.05)
    rows = generator.normal(0, 1, (len(leads), 10)).astype(np.float32)
    rows[:, 0] = rows[:, 1:].max(axis=1) + leads
    true = np.array([true_gradient(row, 0) for row in rows])
    lost = ulps(np.zeros(len(leads)), true)
    curves: list[tuple[Form, str]] = [
        (p_minus_1, TEXTBOOK),
        (in_double(p_minus_1), DOUBLE),
        (our_gradient, OURS),
    ]
    span = 20
    middles = leads.reshape(-1, span).mean(axis=1)
    ax.fill_between([0, 60], lost.min(), 1e8, color=TRUE, alpha=0.45, linewidth=0)
    ax.text(1.5, 2.2e7, "nothing of it is right", color=FAINT, va="center")
    for form, colour in curves:
        errors = ulps(np.array([form(row, 0) for row in rows]), true)
        ax.plot(middles, errors.reshape(-1, span).max(axis=1), color=colour)
    ax.set(yscale="log", xlim=(0, 60), ylim=(0.2, 1e8), xlabel="lead of the true class over the next")
    ax.set_ylabel("error in units of the last place (float32)")
    note(ax, "p − 1 in float32", (9.5, 2e3), TEXTBOOK)
    note(ax, "p − 1 in float64", (29.5, 2e3), DOUBLE)
    note(ax, "minus the sum of the others", (39, 0.9), OURS)
    return figure


def near_the_prediction() -> Figure:
    figure, [ax] = canvas("target ½, logit near 0: the gradient should be z/4")
    z = np.geomspace(1e-37, 1, 400).astype(np.float32)
    t = np.float32(0.5)
    floor = 1e-39
    true = np.array([float(1 / (1 + mp.exp(-mp.mpf(float(v)))) - mp.mpf(0.5)) for v in z])
    ax.plot(z, true, color=TRUE, linewidth=5)
    one = np.float32(1)
    until = [
        ((one / (one + np.exp(-z)) - t).astype(float), TEXTBOOK),
        ((0.5 - 0.5 * np.exp(-z.astype(float))) / (1 + np.exp(-z.astype(float))), DOUBLE),
    ]
    for values, colour in until:
        # They fall from the right to the left.
        until_0(ax, z[::-1], np.maximum(values, 0)[::-1], colour, floor)
    _, ours = fl.sigmoid_cross_entropy(z, np.full(len(z), t), with_gradient=True, reduction="none")
    ax.plot(z, ours, color=OURS)
    print(f"  near the prediction: largest {ulps(ours.astype(float), true).max():.4f} ulp")
    ax.set(xscale="log", yscale="log", xlim=(1e-37, 1), ylim=(floor, 1), xlabel="logit z", ylabel="gradient")
    ax.set_xticks([1e-30, 1e-20, 1e-10, 1])
    ax.set_yticks([1e-30, 1e-20, 1e-10, 1])
    ax.text(6e-38, floor, "0", ha="right", va="center", color=FAINT)
    note(ax, "p − t in\nfloat32", (3e-7, 1e-22), TEXTBOOK)
    note(ax, "(1−t) − t·h in float64", (3e-17, 1e-30), DOUBLE, ha="right")
    note(ax, "with expm1", (1e-27, 1e-24), OURS, ha="right")
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
