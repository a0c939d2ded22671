"""Calibration: a scale, or a scale and a bias for each label, that makes a network's probabilities honest.

It acts on the logits: z becomes z / T, or z / T_k + b_k. Which of them helps, if any, is decided by cross-fitting: the
held-out rows are shared out among folds, each fold is judged by what the others alone would have fitted, and the log
loss of all of them together chooses. What is chosen is fitted once more, to all the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from ..spec import HeadName, json_object, one_of
from .folds import FOLDS, folds
from .held_out import Float32, Float64, HeldOut
from .scale_and_bias import fit_scale_and_bias, grouped, refine
from .temperature import MAX_TEMPERATURE, MIN_TEMPERATURE, fit_temperature, minimiser

KINDS = NONE, TEMPERATURE, PER_LABEL = "none", "temperature", "per_label"
"""What is tried, the simpler first: it wins where they are equal."""
MOST_TEMPERATURE, MOST_BIAS = 1e6, 1e6
"""Bounds of a file; what is fitted lies well within."""
SAMPLE_VALUES = 1 << 14
ROUGHLY, NEARLY = 1e-2, 1e-5
"""Tolerances of log T: where groups of logits are laid out by it, and where it only decides."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What becomes of the logits (n, c): z / temperature + bias, in float64 and rounded once.

    Attributes:
        temperatures: float64 (1,): one for all units, and no bias; or (c,), of each unit.
        biases: float64 (c,), or None: nothing is added.
    """

    temperatures: Float64
    biases: Float64 | None = None

    @classmethod
    def of(cls, temperature: float) -> Calibration:
        return cls(np.array([temperature], np.float64))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Calibration):
            return NotImplemented
        return np.array_equal(self.temperatures, other.temperatures) and (
            other.biases is None
            if self.biases is None
            else other.biases is not None and np.array_equal(self.biases, other.biases)
        )

    @property
    def temperature(self) -> float | Float64:
        """One number, or of each unit its own."""
        return float(self.temperatures[0]) if self.biases is None else self.temperatures

    @property
    def is_nothing(self) -> bool:
        return self.biases is None and self.temperatures[0] == 1.0

    def apply(self, logits_nc: Float32) -> Float32:
        """The calibrated logits, float32 (n, c)."""
        if self.is_nothing:
            return logits_nc
        wide_nc = logits_nc.astype(np.float64)
        wide_nc /= self.temperatures
        if self.biases is not None:
            wide_nc += self.biases
        return wide_nc.astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """As JSON: `temperature`, one number or one for each unit, and `bias`, one for each unit or None."""
        if self.biases is None:
            return {"temperature": self.temperature, "bias": None}
        return {"temperature": self.temperatures.tolist(), "bias": self.biases.tolist()}

    def to_json(self) -> dict[str, Any]:
        """For the model's manifest; what each unit has of its own is in `tensors`."""
        return {"temperature": self.temperature if self.biases is None else None}

    def tensors(self) -> dict[str, NDArray[Any]]:
        if self.biases is None:
            return {}
        return {"calibration.temperatures": self.temperatures, "calibration.biases": self.biases}

    @classmethod
    def from_json(cls, value: object, tensors: Mapping[str, NDArray[Any]], n_units: int, head: HeadName) -> Calibration:
        """The inverse; `tensors` are those of its names. InputError where they make no sense."""
        temperature = json_object("calibration", value, {"temperature"})["temperature"]
        wanted = [] if temperature is not None else ["calibration.biases", "calibration.temperatures"]
        if sorted(tensors) != wanted:
            raise InputError(f"calibration: expected the tensors {wanted}; found {sorted(tensors)[:5]}.")
        if temperature is not None:
            is_number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
            if not is_number or not 1 / MOST_TEMPERATURE < temperature < MOST_TEMPERATURE:
                raise InputError(f"the temperature must be a positive number; it is {brief(temperature)}.")
            return cls.of(temperature)
        for name, tensor in tensors.items():
            if tensor.dtype != np.float64 or tensor.shape != (n_units,):
                raise InputError(f"tensor {name} must be {n_units} float64 values, one for each logit.")
        if head == "softmax":
            raise InputError("the classes of a softmax share one temperature; it is null.")
        biases, temperatures = (tensors[name] for name in wanted)
        if not ((temperatures > 1 / MOST_TEMPERATURE) & (temperatures < MOST_TEMPERATURE)).all():
            raise InputError("the temperature of each unit must be a positive number.")
        if not (np.abs(biases) < MOST_BIAS).all():
            raise InputError(f"the bias of each unit must lie between -{MOST_BIAS:g} and {MOST_BIAS:g}.")
        return cls(temperatures, biases)


NOTHING = Calibration.of(1.0)


@dataclass(frozen=True)
class Fitted:
    """A calibration, and why it is the one.

    Attributes:
        kind: of `KINDS`.
        log_losses: of each kind that was tried, on rows that its fit had not seen; empty where there were too few.
    """

    calibration: Calibration
    kind: str
    log_losses: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """For the model's record."""
        return {"kind": self.kind, "folds": FOLDS, "log_loss": self.log_losses}


def check_record(value: object) -> None:
    """Raise InputError unless it is what `Fitted.to_json` gives."""
    record = json_object("record's calibration", value, {"kind", "folds", "log_loss"})
    losses = record["log_loss"]
    are_fine = isinstance(losses, dict) and losses.keys() <= set(KINDS)
    if not are_fine or not all(type(loss) is float and math.isfinite(loss) for loss in losses.values()):
        raise InputError(f"the record's calibration: log_loss must be numbers for {', '.join(KINDS)}.")
    one_of("the record's calibration: kind", record["kind"], (NONE, *losses))
    if type(record["folds"]) is not int or not 0 < record["folds"] < 1_000:
        raise InputError(f"the record's calibration: folds can't be {brief(record['folds'])}.")


NOT_FITTED = Fitted(NOTHING, NONE, {})


def fit(logits_nc: Float32, targets: NDArray[Any], head: HeadName, weights: Float64 | None = None) -> Fitted:
    """The calibration by which these rows lose least when they are judged by what others have fitted.

    Args:
        logits_nc: float32 (n, c), of rows that did not train the network.
        targets, weights: as for `HeldOut.of`.

    Returns:
        Nothing at all where no other kind makes the cross-fitted log loss smaller, or where fewer than two rows count.
    """
    rows = HeldOut.of(logits_nc, targets, head, weights)
    if rows is None or len(rows) < 2:
        return NOT_FITTED
    fold_n = folds(len(rows))
    with np.errstate(over="ignore", invalid="ignore"):  # of logits near the largest float32
        tried = (_softmax if head == "softmax" else _sigmoid)(rows, fold_n)
        log_losses = {kind: _cross_fitted_loss(rows, fold_n, one.without_fold) for kind, one in tried.items()}
        log_losses = {kind: loss for kind, loss in log_losses.items() if math.isfinite(loss)}
        if NONE in log_losses and (best := min(log_losses, key=log_losses.__getitem__)) != NONE:
            calibration = tried[best].of_all()
            if rows.loss(calibration.apply) < log_losses[NONE]:
                return Fitted(calibration, best, log_losses)
    return Fitted(NOTHING, NONE, log_losses)


@dataclass(frozen=True)
class _Tried:
    """One kind: what each fold's others have fitted, and how all rows are."""

    without_fold: Sequence[Calibration]
    of_all: Callable[[], Calibration]


NOTHING_TRIED = _Tried([NOTHING] * FOLDS, lambda: NOTHING)


def _softmax(rows: HeldOut, fold_n: NDArray[np.int64]) -> dict[str, _Tried]:
    of_all = fit_temperature(rows)
    without = [fit_temperature(rows.take(np.flatnonzero(fold_n != f)), of_all, NEARLY) for f in range(FOLDS)]
    return {
        NONE: NOTHING_TRIED,
        TEMPERATURE: _Tried([Calibration.of(one) for one in without], lambda: Calibration.of(of_all)),
    }


def _sigmoid(rows: HeldOut, fold_n: NDArray[np.int64]) -> dict[str, _Tried]:
    few = rows.take(np.arange(0, len(rows), 1 + rows.logits_nc.size // SAMPLE_VALUES))
    parts = grouped(rows, fold_n, FOLDS, 1.0 / fit_temperature(few, tolerance=ROUGHLY))
    number_f = [rows.number, *(rows.number_of(np.flatnonzero(fold_n != f)) for f in range(FOLDS))]
    shared_f = np.empty(1 + FOLDS)
    for f, number in enumerate(number_f):
        start = shared_f[0] if f else 1.0
        shared_f[f] = minimiser(parts.slope(f, number), start, NEARLY)
    slopes_fl, biases_fl = fit_scale_and_bias(parts, 1.0 / shared_f)

    def shared() -> float:
        return fit_temperature(rows, shared_f[0])

    def per_label() -> Calibration:
        return _bounded(*refine(rows, 1.0 / shared(), slopes_fl[0], biases_fl[0]))

    return {
        NONE: NOTHING_TRIED,
        TEMPERATURE: _Tried(
            [Calibration.of(one) for one in shared_f[1:].tolist()],
            lambda: Calibration.of(shared()),
        ),
        PER_LABEL: _Tried([_bounded(*one) for one in zip(slopes_fl[1:], biases_fl[1:], strict=True)], per_label),
    }


def _bounded(slope_l: Float64, bias_l: Float64) -> Calibration:
    return Calibration(np.clip(1.0 / slope_l, MIN_TEMPERATURE, MAX_TEMPERATURE), bias_l)


def _cross_fitted_loss(rows: HeldOut, fold_n: NDArray[np.int64], without_fold: Sequence[Calibration]) -> float:
    """The mean of all rows' losses, each calibrated by what the rows of the other folds have fitted."""
    most = rows.rows_at_a_time
    loss = 0.0
    for f, calibration in enumerate(without_fold):
        part = np.flatnonzero(fold_n == f)
        loss += sum(rows.losses(calibration.apply, part[i : i + most]) for i in range(0, len(part), most))
    return loss / rows.weight
