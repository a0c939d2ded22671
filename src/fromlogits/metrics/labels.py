"""The figures of any subset of labels per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import exact
from .. import logits as from_logits
from ..heads import THRESHOLD
from .calibration_error import calibration_error
from .classes import macro_of_ranks, mean_of_defined
from .counts import Counts, finite, mean, ratio, share
from .ranking import Entries, RankFigures, Ranking, ranked, ranked_together

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
BLOCK = 1 << 20
"""Entries of a part: (n, L) doubles of thousands of labels would be gigabytes."""


def predicted_labels(logits_nc: Float32, thresholds: Sequence[float] | None = None) -> Bools:
    """(n, c): whether the probability exceeds its label's threshold."""
    above = np.asarray([THRESHOLD] if thresholds is None else thresholds, np.float64)
    return np.asarray(from_logits.sigmoid(logits_nc) > above)


def has_unknown(targets: NDArray[Any]) -> bool:
    """Whether any label is unknown; for no memory, as NaN survives a sum."""
    return bool(np.isnan(targets.sum(dtype=np.float64)))


def row_weights(counts_nc: Float64) -> Float64:
    """(n,): the mean of what the row's entries count for, over those that do; 0 where none does.

    So rows whose entries all weigh the same have that weight, however many labels are known.
    """
    part_n = np.count_nonzero(counts_nc, axis=1)
    return np.asarray(counts_nc.sum(axis=1) / np.maximum(part_n, 1))


@dataclass(frozen=True)
class Tally:
    """What is counted of decisions.

    Attributes:
        counts, is_judged: label by label; is_judged says whether any row takes part.
        right_rows: the share of rows whose entries are all right.
    """

    counts: list[Counts]
    is_judged: list[bool]
    right_rows: float | None


class SparseTargets(Protocol):
    """A matrix (n, L) that is dense, float32, where a slice asks for it."""

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> Float32: ...

    def take(self, rows: NDArray[np.int64], axis: int = 0) -> SparseTargets:
        """Some rows, not dense."""


class Labels(RankFigures):
    """Rows with any subset of labels; each figure of the task is an attribute, computed when it is asked for.

    Beside the logits little is in memory: what has the size of the matrix is made part by part, and anew for each
    figure.
    """

    def __init__(
        self,
        logits_nc: Float32,
        targets_nc: NDArray[Any] | SparseTargets,
        thresholds: Sequence[float] | None = None,
        weights: Float64 | None = None,
        decided_nc: NDArray[Any] | None = None,
    ) -> None:
        self.logits_nc, self.targets_nc, self.weights, self.decided_nc = logits_nc, targets_nc, weights, decided_nc
        self.n_classes: int = logits_nc.shape[1]
        usual = THRESHOLD if decided_nc is None else None  # who decides by thresholds gives them
        self.thresholds: Sequence[float | None] = [usual] * self.n_classes if thresholds is None else thresholds

    def _by_rows(self) -> Iterator[Part]:
        """All labels of some rows at a time; one part at least."""
        return self._parts(0)

    def _by_labels(self) -> Iterator[Part]:
        """All rows of some labels at a time."""
        return self._parts(1)

    def _parts(self, axis: int) -> Iterator[Part]:
        if self.logits_nc.size <= BLOCK:
            yield self._whole
            return
        at_a_time = max(1, BLOCK // self.logits_nc.shape[1 - axis])
        for start in range(0, self.logits_nc.shape[axis], at_a_time):
            some = slice(start, start + at_a_time)
            yield Part(self, some, slice(None)) if axis == 0 else Part(self, slice(None), some)

    @cached_property
    def _whole(self) -> Part:
        return Part(self, slice(None), slice(None))

    @cached_property
    def is_even(self) -> bool:
        """Whether every entry counts 1."""
        return self.weights is None and not any(has_unknown(part.targets_nc) for part in self._by_rows())

    # Of entries

    @cached_property
    def _tally(self) -> Tally:
        n, c = self.logits_nc.shape
        sums_3c, is_judged_c = np.zeros((3, c)), np.full(c, self.is_even)
        is_right_n, weights_n = np.empty(n, bool), np.ones(n)
        for part in self._by_rows():
            flags = (part.predicted_nc & part.truth_nc, part.predicted_nc, part.truth_nc)
            is_wrong_nc, counts_nc = part.predicted_nc != part.truth_nc, part.counts_nc
            if counts_nc is None:
                sums_3c += [flags_nc.sum(axis=0) for flags_nc in flags]
            else:
                sums_3c += [np.where(flags_nc, counts_nc, 0.0).sum(axis=0) for flags_nc in flags]
                is_judged_c |= (counts_nc > 0).any(axis=0)
                is_wrong_nc &= counts_nc > 0
                weights_n[part.rows] = row_weights(counts_nc)
            is_right_n[part.rows] = ~is_wrong_nc.any(axis=1)
        if self.weights is None:
            sums_3c = sums_3c.astype(np.int64)
        counts = [Counts(*three) for three in sums_3c.T.tolist()]
        return Tally(counts, is_judged_c.tolist(), share(is_right_n, weights_n))

    @property
    def counts(self) -> list[Counts]:
        """Label by label."""
        return self._tally.counts

    @property
    def is_judged(self) -> list[bool]:
        """Label by label, whether any row takes part."""
        return self._tally.is_judged

    @property
    def subset_accuracy(self) -> float | None:
        return self._tally.right_rows

    @property
    def hamming_loss(self) -> float | None:
        return finite(
            exact.mean_of_parts((part.predicted_nc != part.truth_nc, part.counts_nc) for part in self._by_rows())
        )

    @property
    def micro_f1(self) -> float | None:
        if not any(self.is_judged):
            return None
        together = Counts(
            sum(label.hits for label in self.counts),
            sum(label.predicted for label in self.counts),
            sum(label.support for label in self.counts),
        )
        return together.f1 or 0.0

    @property
    def macro_f1(self) -> float | None:
        judged = zip(self.counts, self.is_judged, strict=True)
        return mean([label.f1 or 0.0 for label, is_judged in judged if is_judged])

    # Of probabilities

    @property
    def log_loss(self) -> float | None:
        return finite(exact.mean_of_parts((part.losses_nc, part.counts_nc) for part in self._by_rows()))

    @property
    def brier(self) -> float | None:
        return ratio(*self.row_sums["brier"])

    @cached_property
    def reliability(self) -> list[tuple[float | None, float | None]]:
        """Label by label: ECE, and what it would be by chance."""
        found = []
        for part in self._by_labels():
            p_nc, is_known_nc, counts_nc = (
                from_logits.sigmoid(part.logits_nc),
                ~np.isnan(part.targets_nc),
                part.counts_nc,
            )
            for k in range(p_nc.shape[1]):
                known_n = is_known_nc[:, k]
                truth_n = part.targets_nc[known_n, k].astype(np.float64)
                counts_n = None if counts_nc is None else counts_nc[known_n, k]
                found.append(calibration_error(p_nc[known_n, k], truth_n, counts_n))
        return found

    @property
    def ece(self) -> float | None:
        return mean([error for error, _ in self.reliability])

    @property
    def ece_by_chance(self) -> float | None:
        return mean([by_chance for _, by_chance in self.reliability])

    # Of ranks

    def rankings(self) -> list[Ranking]:
        """Label by label, for intervals."""
        return [Ranking(*of_label) for of_label in self._label_by_label()]

    def _label_by_label(self) -> Iterator[Entries]:
        for part in self._by_labels():
            counts_nc = part.counts_nc
            for k in range(part.logits_nc.shape[1]):
                yield part.logits_nc[:, k], part.truth_nc[:, k], None if counts_nc is None else counts_nc[:, k]

    @cached_property
    def ranked(self) -> list[tuple[float | None, float | None]]:
        """ROC AUC and average precision, label by label."""
        return [ranked(*of_label) for of_label in self._label_by_label()]

    @cached_property
    def pooled(self) -> tuple[float | None, float | None]:
        """ROC AUC and average precision of all entries."""
        return ranked_together(lambda: ((part.logits_nc, part.truth_nc, part.counts_nc) for part in self._by_rows()))

    # For a report and for intervals

    def per_label(self, labels: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "label": label,
                "support": counts.support,
                "roc_auc": auc,
                "average_precision": precision,
                "f1": counts.f1,
                "threshold": None if threshold is None else float(threshold),
            }
            for label, counts, (auc, precision), threshold in zip(
                labels, self.counts, self.ranked, self.thresholds, strict=True
            )
        ]

    def in_full(self, labels: Sequence[Any]) -> list[dict[str, Any]]:
        """What `per_label` says, and the figures that only a report has."""
        return [
            {**about, "precision": counts.precision, "recall": counts.recall, "ece": ece}
            for about, counts, (ece, _) in zip(self.per_label(labels), self.counts, self.reliability, strict=True)
        ]

    @cached_property
    def row_sums(self) -> dict[str, tuple[Float64, Float64]]:
        """By figure: numerators and denominators, both (n,), of those that are a ratio of sums over rows."""
        sums_8n = np.zeros((8, len(self.logits_nc)))
        for part in self._by_rows():
            counts_nc = np.ones(part.logits_nc.shape) if part.counts_nc is None else part.counts_nc
            is_known_nc, truth_nc, predicted_nc = counts_nc > 0, part.truth_nc, part.predicted_nc
            is_wrong_nc = truth_nc != predicted_nc
            of_rows_n = row_weights(counts_nc)
            losses_nc = np.where(is_known_nc, part.losses_nc, 0.0)
            error_nc = from_logits.sigmoid(part.logits_nc).astype(float) - part.targets_nc
            squares_nc = np.where(is_known_nc, error_nc**2, 0.0)
            for number, each_nc in enumerate(
                (
                    counts_nc,
                    counts_nc * is_wrong_nc,
                    counts_nc * (2.0 * (truth_nc & predicted_nc)),
                    counts_nc * (truth_nc.astype(float) + predicted_nc),
                    counts_nc * losses_nc,
                    counts_nc * squares_nc,
                )
            ):
                sums_8n[number, part.rows] = each_nc.sum(axis=1)
            sums_8n[6, part.rows] = of_rows_n * ~(is_wrong_nc & is_known_nc).any(axis=1)
            sums_8n[7, part.rows] = of_rows_n
        entries, wrong, twice_hits, both, losses, squares, right, of_rows = sums_8n
        return {
            "subset_accuracy": (right, of_rows),
            "hamming_loss": (wrong, entries),
            "micro_f1": (twice_hits, both),
            "log_loss": (losses, entries),
            "brier": (squares, entries),
        }

    @property
    def work_of_counts(self) -> int:
        """Of one resample; a matrix product is through with some 32 entries while one is gathered."""
        return max(1, self.logits_nc.size // 32)

    def recounted(self, times_bn: Float64) -> dict[str, Float64]:
        """By figure, (b,): those that follow from the counts, where each row is there so many times."""
        f1_bc = np.empty((len(times_bn), self.n_classes))
        for part in self._by_labels():
            truth_nc, predicted_nc = part.truth_nc, part.predicted_nc
            counts_nc = np.ones(truth_nc.shape) if part.counts_nc is None else part.counts_nc
            twice_hits_bc = times_bn @ (counts_nc * (2.0 * (truth_nc & predicted_nc)))
            both_bc = times_bn @ (counts_nc * (truth_nc.astype(float) + predicted_nc))
            f1_bc[:, part.labels] = twice_hits_bc / np.maximum(both_bc, np.finfo(float).tiny)
        return {"macro_f1": mean_of_defined(np.where(self.is_judged, f1_bc, np.nan))}

    def reranked(self, rankings: Sequence[Ranking], times_bn: Float64) -> dict[str, Float64]:
        """By figure, (b,): those that follow from ranks, as `recounted`."""
        return macro_of_ranks(rankings, times_bn)


class Part:
    """Some entries: all labels of some rows, or some labels of all rows; what they are is computed once."""

    def __init__(self, case: Labels, rows: slice, labels: slice) -> None:
        self.case, self.rows, self.labels = case, rows, labels
        self.logits_nc = np.ascontiguousarray(case.logits_nc[rows, labels])

    @cached_property
    def targets_nc(self) -> NDArray[Any]:
        return np.asarray(self.case.targets_nc[self.rows, self.labels])

    @cached_property
    def counts_nc(self) -> Float64 | None:
        """What each entry counts for, 0 where its label is unknown; None: all of them 1."""
        if self.case.is_even:
            return None
        weights = 1.0 if self.case.weights is None else self.case.weights
        if isinstance(weights, np.ndarray):
            weights = weights[self.rows, self.labels] if weights.ndim == 2 else weights[self.rows, None]
        return np.where(np.isnan(self.targets_nc), 0.0, weights)

    @cached_property
    def truth_nc(self) -> Bools:
        return np.asarray(self.targets_nc > 0.5)

    @cached_property
    def predicted_nc(self) -> Bools:
        if self.case.decided_nc is not None:
            return self.case.decided_nc[self.rows, self.labels].astype(bool)
        thresholds = self.case.thresholds[self.labels]
        return predicted_labels(self.logits_nc, thresholds)  # type: ignore[arg-type]  # none is None here

    @property
    def losses_nc(self) -> Float64:
        return from_logits.sigmoid_losses(self.logits_nc, self.targets_nc)
