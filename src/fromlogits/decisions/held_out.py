"""Rows that a calibration is fitted to: their logits, their targets, and what they count for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..logits import sigmoid_losses, softmax_losses
from ..metrics import effective_number, has_unknown, row_weights
from ..spec import HeadName

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Rows = NDArray[np.int64]

BLOCK_VALUES = 1 << 17
"""Logits that are worked on at a time, so that what is made of them stays in a cache: 1 MB of float64."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The rows that count, at least one known entry in each.

    Attributes:
        logits_nc: float32 (n, c), finite.
        targets: softmax: int32 (n,) or float32 (n, c); sigmoid: float32 (n, c), 0 where the label is unknown.
        counts: what each row (n,), with sigmoid each entry (n, c), counts for, 0 where it is unknown; None: 1. So
            scaled that all rows count for as many as there are in effect.
        number: how many that is, see `effective_number`.
    """

    head: HeadName
    logits_nc: Float32
    targets: NDArray[Any]
    counts: Float64 | None
    number: float

    @classmethod
    def of(
        cls, logits_nc: Float32, targets: NDArray[Any], head: HeadName, weights: Float64 | None = None
    ) -> HeldOut | None:
        """None where no row counts, or a logit is not finite.

        Args:
            targets: softmax: class indices (n,), where −1 leaves a row out, or probabilities (n, c); sigmoid: 0/1 or
                probabilities (n, c), NaN where a label is unknown, and with one unit also what softmax takes of two
                classes.
            weights: what each row counts for, (n,), or with sigmoid each entry, (n, c); only their ratios matter.
        """
        if targets.ndim == 1 and not (known_n := targets >= 0).all():
            logits_nc, targets = logits_nc[known_n], targets[known_n]
            weights = None if weights is None else weights[known_n]
        counts = weights
        if head == "sigmoid":
            is_of_two = targets.ndim == 2 and logits_nc.shape[1] < targets.shape[1]
            targets = targets[:, 1] if is_of_two else targets
            targets = np.ascontiguousarray(targets.reshape(logits_nc.shape), np.float32)
            if weights is not None and weights.ndim == 1:
                counts = np.broadcast_to(weights[:, None], targets.shape)
            if has_unknown(targets):
                counts = np.where(np.isnan(targets), 0.0, 1.0 if counts is None else counts)
                targets = np.nan_to_num(targets)
        else:
            targets = np.ascontiguousarray(targets, np.int32 if targets.ndim == 1 else np.float32)
        if counts is not None and not (part_n := (counts if counts.ndim == 1 else counts.max(axis=1)) > 0).all():
            logits_nc, targets, counts = logits_nc[part_n], targets[part_n], counts[part_n]
        if len(logits_nc) == 0 or not np.isfinite(logits_nc).all():
            return None
        if counts is None:
            return cls(head, logits_nc, targets, None, len(logits_nc))
        weights_n = _of_rows(counts)
        number = effective_number(weights_n)
        return cls(head, logits_nc, targets, counts * (number / weights_n.sum()), number)

    def __len__(self) -> int:
        return len(self.logits_nc)

    def take(self, rows: Rows) -> HeldOut:
        counts = None if self.counts is None else self.counts[rows]
        return HeldOut(self.head, self.logits_nc[rows], self.targets[rows], counts, self.number_of(rows))

    def number_of(self, rows: Rows) -> float:
        """The `number` of some of the rows."""
        return len(rows) if self.counts is None else effective_number(_of_rows(self.counts[rows]))

    @property
    def rows_at_a_time(self) -> int:
        return max(1, BLOCK_VALUES // int(self.logits_nc.shape[1]))

    def blocks(self) -> Iterator[slice]:
        """All rows, some at a time."""
        most = self.rows_at_a_time
        return (slice(start, start + most) for start in range(0, len(self), most))

    @property
    def weight(self) -> float:
        """The sum of what all rows, or all entries, count for."""
        if self.counts is None:
            return float(len(self) if self.head == "softmax" else self.logits_nc.size)
        return float(self.counts.sum())

    def losses(self, calibrate: Callable[[Float32], Float32], rows: Rows | slice = slice(None)) -> float:
        """The sum of the losses of these rows, whose logits are calibrated so."""
        targets = self.targets[rows]
        losses = (softmax_losses if self.head == "softmax" else sigmoid_losses)(
            calibrate(self.logits_nc[rows]), targets
        )
        return float(losses.sum() if self.counts is None else (self.counts[rows] * losses).sum())

    def loss(self, calibrate: Callable[[Float32], Float32]) -> float:
        """The mean over rows, with sigmoid over known entries."""
        return sum(self.losses(calibrate, block) for block in self.blocks()) / self.weight


def _of_rows(counts: Float64) -> Float64:
    return counts if counts.ndim == 1 else row_weights(counts)
