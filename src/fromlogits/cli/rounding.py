"""What rounding does to a loss that is computed from probabilities: the measurements of `fromlogits roundoff`.

A loss is looked at as a function of one number, the *lead*: by how much the logit of the right answer is above the
others, which are all alike; a wrong answer leads by less than 0. The loss of c classes is then
log(1 + (c − 1)·exp(−lead)), and the logistic loss is that of two. This closed form, in float64, is the truth by which
float32 is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import logits as from_logits
from .. import textbook

Array = NDArray[Any]
Float64 = NDArray[np.float64]
Side = Literal[1, -1]
Kind = Literal["0", "inf", "NaN"]

KINDS: tuple[Kind, ...] = ("0", "inf", "NaN")
CLASSES = 10
OFFSET = 80.0
"""exp(80) is still far from the largest float32, exp(88.7)."""
TABLE_LEADS = (-100, -20, -10, 0, 5, 10, 15, 17, 20, 100)
SPREAD_LEADS = np.arange(-30 * 128, 30 * 128 + 1) / 128
PLOT_LEADS = np.arange(-110 * 64, 110 * 64) / 64
ALL_AT = "softmax, all logits at"
LOST = 0.01
"""A loss that is further off than this share of itself counts as lost."""
DIGITS = 24 * float(np.log10(2))
"""Decimal digits that a float32 holds: 7.2."""


@dataclass(frozen=True)
class Loss:
    """A loss by the lead of the right answer.

    Attributes:
        classes: c of the closed form.
        from_logits, textbook: leads (n,) to losses (n,), in the type of the leads.
    """

    classes: int
    from_logits: Callable[[Array], Array]
    textbook: Callable[[Array], Array]


def logistic(target: Literal[0, 1]) -> Loss:
    """The loss of one unit; its logit is the lead where yes is right (t = 1), and minus the lead where no is."""

    def asked(leads: Array) -> tuple[Array, Array]:
        return leads if target else -leads, np.full_like(leads, target)

    def by_logits(leads: Array) -> Array:
        return from_logits.sigmoid_cross_entropy(*asked(leads), reduction="none")

    def by_probabilities(leads: Array) -> Array:
        logits, targets = asked(leads)
        return textbook.sigmoid_cross_entropy(textbook.sigmoid(logits), targets, reduction="none")

    return Loss(2, by_logits, by_probabilities)


def softmax(classes: int, offset: float = 0.0, *, has_rival: bool = False) -> Loss:
    """The loss of class 0, all logits raised by an offset.

    Args:
        has_rival: class 0 is as low as the others, and class 1 alone is ahead of it, by minus the lead.
    """

    def asked(leads: Array) -> tuple[Array, Array]:
        logits_nc = np.full((len(leads), classes), offset, leads.dtype)
        if has_rival:
            logits_nc[:, 1] -= leads
        else:
            logits_nc[:, 0] += leads
        return logits_nc, np.zeros(len(leads), np.int64)

    def by_logits(leads: Array) -> Array:
        return from_logits.softmax_cross_entropy(*asked(leads), reduction="none")

    def by_probabilities(leads: Array) -> Array:
        logits_nc, labels_n = asked(leads)
        return textbook.softmax_cross_entropy(textbook.softmax(logits_nc), labels_n, reduction="none")

    return Loss(classes, by_logits, by_probabilities)


def alike(logits: Array) -> Array:
    """The textbook's softmax loss when every class has the same logit; in truth it is log(c), whatever the logit."""
    logits_nc = np.repeat(logits[:, None], CLASSES, axis=1)
    labels_n = np.zeros(len(logits), np.int64)
    return textbook.softmax_cross_entropy(textbook.softmax(logits_nc), labels_n, reduction="none")


def true_loss(leads: Array, classes: int) -> Float64:
    """log(1 + (c − 1)·exp(−lead)) in float64, without cancellation on either side of 0."""
    x = np.asarray(leads, np.float64)
    others, e = classes - 1, np.exp(-np.abs(x))
    return np.asarray(np.where(x > 0, np.log1p(others * e), np.log(others + e) - x), np.float64)


def ulps(losses: Array, truth: Float64) -> Float64:
    """Errors in float32 units in the last place of the true value; inf for inf and NaN."""
    values = losses.astype(np.float64)
    with np.errstate(invalid="ignore"):
        errors = np.abs(values - truth) / np.spacing(truth.astype(np.float32))
    return np.where(np.isfinite(values), errors, np.inf)


def digits_lost(error: float) -> float:
    """How many of its 7.2 decimal digits an error in ulps has cost a float32."""
    return min(float(np.log10(max(error, 1.0))), DIGITS)


# --- one number, computed in two ways ---


@dataclass(frozen=True)
class TwoWays:
    """2/10000, and (1 + 1/10000) − (1 − 1/10000), in one type."""

    dtype: str
    quotient: float
    difference: float


def two_ways(dtype: type[np.floating[Any]]) -> TwoWays:
    one, small = dtype(1), dtype(1) / dtype(10_000)
    return TwoWays(dtype.__name__, float(dtype(2) / dtype(10_000)), float((one + small) - (one - small)))


# --- over a sweep of leads ---


@dataclass(frozen=True)
class Curve:
    """One way to compute a loss: its values in float32, and their errors."""

    name: str
    losses: Array
    ulps: Float64


@dataclass(frozen=True)
class Sweep:
    """A loss over many leads, from the logits and as textbooks do."""

    name: str
    leads: Array
    from_logits: Curve
    textbook: tuple[Curve, ...]


def sweep(name: str, leads: Sequence[float] | Float64, losses: Mapping[str, Loss]) -> Sweep:
    """Losses that are the same in truth and from the logits, and differ in how a textbook gets there."""
    x, one = np.asarray(leads, np.float32), next(iter(losses.values()))
    truth = true_loss(x, one.classes)

    def curve(way: str, values: Array) -> Curve:
        return Curve(way, values, ulps(values, truth))

    ours = curve("from logits", one.from_logits(x))
    return Sweep(name, x, ours, tuple(curve(way, loss.textbook(x)) for way, loss in losses.items()))


def sweeps(leads: Sequence[float] | Float64) -> tuple[Sweep, Sweep]:
    """The logistic loss and the softmax loss."""
    logistics = {"textbook, t = 1": logistic(1), "textbook, t = 0": logistic(0)}
    softmaxes = {"textbook": softmax(CLASSES), f"raised by {OFFSET:g}": softmax(CLASSES, OFFSET)}
    return sweep("logistic", leads, logistics), sweep("softmax", leads, softmaxes)


# --- where it first fails ---


@dataclass(frozen=True)
class Failure:
    """Where a textbook loss first is 0, inf or NaN on the way from 0; None: nowhere.

    Attributes:
        name: what grows.
        float32, float64: by kind, the lead, or the logit of all classes.
    """

    name: str
    float32: dict[Kind, float | None]
    float64: dict[Kind, float | None]


def failures() -> tuple[Failure, ...]:
    """Of every textbook loss, to either side."""
    ways: tuple[tuple[str, Callable[[Array], Array], Side], ...] = (
        ("logistic, t = 1, right by", logistic(1).textbook, 1),
        ("logistic, t = 1, wrong by", logistic(1).textbook, -1),
        ("logistic, t = 0, right by", logistic(0).textbook, 1),
        ("logistic, t = 0, wrong by", logistic(0).textbook, -1),
        ("softmax, right by", softmax(CLASSES).textbook, 1),
        ("softmax, behind all by", softmax(CLASSES).textbook, -1),
        ("softmax, behind one by", softmax(CLASSES, has_rival=True).textbook, -1),
        (ALL_AT, alike, 1),
        (ALL_AT, alike, -1),
    )
    return tuple(
        Failure(name, first_failures(of, side, np.float32), first_failures(of, side, np.float64))
        for name, of, side in ways
    )


def first_failures(of: Callable[[Array], Array], side: Side, dtype: type[np.floating[Any]]) -> dict[Kind, float | None]:
    """By kind, the number nearest to 0 on one side at which a loss is 0, inf or NaN.

    A step of 1/64 finds where it fails; then every float32 in the distance of 1 before that is tried, and of float64
    65 536 of them: it is not known of those between.
    """
    coarse = np.arange((1024 if dtype is np.float64 else 128) * 64 + 1) / 64
    found: dict[Kind, float | None] = dict.fromkeys(KINDS)
    fails = kinds(of((side * coarse).astype(dtype)))
    for kind in KINDS:
        if fails[kind].any():
            numbers = side * _all_up_to(float(coarse[fails[kind].argmax()]), dtype)
            found[kind] = float(numbers[kinds(of(numbers))[kind].argmax()])
    return found


def kinds(losses: Array) -> dict[Kind, NDArray[np.bool_]]:
    return {"0": losses == 0, "inf": np.isinf(losses), "NaN": np.isnan(losses)}


def _all_up_to(last: float, dtype: type[np.floating[Any]]) -> Array:
    """Numbers in the distance of 1 before the last one, and it."""
    first = max(last - 1.0, 0.0)
    if dtype is np.float64:
        return np.linspace(first, last, 2**16 + 1)
    low, high = np.array([first, last], np.float32).view(np.int32).tolist()
    return np.arange(low, high + 1, dtype=np.int32).view(np.float32)


# --- whether softmax suffers more ---


@dataclass(frozen=True)
class Spread:
    """How far off a loss is over many leads, in float32.

    Attributes:
        median_ulps, worst_ulps: errors; the worst of those that are numbers.
        lost: the share of losses that are 0, inf, NaN, or off by more than `LOST` of themselves.
    """

    name: str
    median_ulps: float
    worst_ulps: float
    lost: float


def spread(name: str, losses: Array, truth: Float64) -> Spread:
    errors = ulps(losses, truth)
    is_number = np.isfinite(losses)
    with np.errstate(invalid="ignore"):
        is_lost = ~is_number | (np.abs(losses - truth) > LOST * truth)
    return Spread(name, float(np.median(errors)), float(errors[is_number].max()), float(is_lost.mean()))


@dataclass(frozen=True)
class Comparison:
    """The same question put to both; and the softmax of more classes, without and with an offset to all its logits."""

    logistic: tuple[Spread, Spread]
    softmax: Spread
    more_classes: Spread
    offset: Spread
    from_logits: Spread

    @property
    def softmax_suffers_more(self) -> bool:
        """Whether a softmax of two loses more of the answers than a logistic unit does, yes and no alike often."""
        return self.softmax.lost > sum(of.lost for of in self.logistic) / 2

    @property
    def rows(self) -> tuple[Spread, ...]:
        return *self.logistic, self.softmax, self.more_classes, self.offset, self.from_logits


def compare() -> Comparison:
    """Measure all of it."""
    leads = SPREAD_LEADS.astype(np.float32)
    losses = {
        "logistic, t = 1": logistic(1),
        "logistic, t = 0": logistic(0),
        "softmax, 2 classes": softmax(2),
        f"softmax, {CLASSES} classes": softmax(CLASSES),
        f"softmax, {CLASSES} classes, raised by {OFFSET:g}": softmax(CLASSES, OFFSET),
    }
    truths = {name: true_loss(leads, loss.classes) for name, loss in losses.items()}
    yes, no, two, more, raised = (spread(name, loss.textbook(leads), truths[name]) for name, loss in losses.items())
    ours = [spread(name, loss.from_logits(leads), truths[name]) for name, loss in losses.items()]
    worst = Spread(
        "from logits, any of them",
        max(of.median_ulps for of in ours),
        max(of.worst_ulps for of in ours),
        max(of.lost for of in ours),
    )
    return Comparison((yes, no), two, more, raised, worst)


def zero_from() -> float:
    """The lead from which the logistic loss is 0 from the logits too: float32 holds nothing so small."""
    lead = first_failures(logistic(1).from_logits, 1, np.float32)["0"]
    assert lead is not None
    return lead


# --- all of it ---


@dataclass(frozen=True)
class Measured:
    """What `fromlogits roundoff` shows."""

    two_ways: tuple[TwoWays, TwoWays]
    logistic: Sweep
    softmax: Sweep
    first_failures: tuple[Failure, ...]
    from_logits_zero_from: float
    comparison: Comparison


def measure() -> Measured:
    """About half a second."""
    logistic_sweep, softmax_sweep = sweeps(TABLE_LEADS)
    return Measured(
        (two_ways(np.float64), two_ways(np.float32)),
        logistic_sweep,
        softmax_sweep,
        failures(),
        zero_from(),
        compare(),
    )
