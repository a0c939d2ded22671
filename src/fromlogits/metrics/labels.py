"""The figures of any subset of labels per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import exact
from .. import logits as from_logits
from ..heads import THRESHOLD
from .calibration_error import calibration_error
from .classes import macro_of_ranks, mean_of_defined
from .counts import Counts, finite, mean, ratio, share
from .ranking import Ranking, ranked

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
BLOCK = 1 << 20
"""Entries that are computed at a time: (n, L) doubles of thousands of labels would be gigabytes."""


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


class Labels:
    """Rows with any subset of labels; each figure of the task is an attribute, computed when it is asked for."""

    def __init__(
        self,
        logits_nc: Float32,
        targets_nc: NDArray[Any],
        thresholds: Sequence[float] | None = None,
        weights: Float64 | None = None,
        decided_nc: NDArray[Any] | None = None,
    ) -> None:
        self.logits_nc, self.targets_nc, self.weights, self.decided_nc = logits_nc, targets_nc, weights, decided_nc
        self.n_classes: int = logits_nc.shape[1]
        usual = THRESHOLD if decided_nc is None else None  # who decides by thresholds gives them
        self.thresholds: Sequence[float | None] = [usual] * self.n_classes if thresholds is None else thresholds

    @cached_property
    def counts_nc(self) -> Float64 | None:
        """What each entry counts for, 0 where its label is unknown; None: all of them 1."""
        if self.weights is None and not has_unknown(self.targets_nc):
            return None
        weights = np.ones(len(self.targets_nc)) if self.weights is None else self.weights
        return np.where(np.isnan(self.targets_nc), 0.0, weights if weights.ndim == 2 else weights[:, None])

    def counts_of(self, k: int) -> Float64 | None:
        return None if self.counts_nc is None else self.counts_nc[:, k]

    @cached_property
    def is_judged(self) -> list[bool]:
        """Label by label, whether any row takes part."""
        if (counts_nc := self.counts_nc) is None:
            return [True] * self.logits_nc.shape[1]
        return [bool(most > 0) for most in counts_nc.max(axis=0, initial=0.0)]

    @cached_property
    def truth_nc(self) -> Bools:
        return np.asarray(self.targets_nc > 0.5)

    @cached_property
    def predicted_nc(self) -> Bools:
        if self.decided_nc is not None:
            return self.decided_nc.astype(bool)
        return predicted_labels(self.logits_nc, self.thresholds)  # type: ignore[arg-type]  # none is None here

    # Of entries

    @cached_property
    def counts(self) -> list[Counts]:
        """Label by label."""
        matrices = (self.predicted_nc & self.truth_nc, self.predicted_nc, self.truth_nc)
        if (counts_nc := self.counts_nc) is None:
            hits, predicted, support = (matrix.sum(axis=0).tolist() for matrix in matrices)
        else:
            hits, predicted, support = (np.where(matrix, counts_nc, 0.0).sum(axis=0).tolist() for matrix in matrices)
            if self.weights is None:
                support = [int(rows) for rows in support]
        return [Counts(*three) for three in zip(hits, predicted, support, strict=True)]

    @property
    def subset_accuracy(self) -> float | None:
        is_right_nc = self.predicted_nc == self.truth_nc
        if (counts_nc := self.counts_nc) is None:
            return share(is_right_nc.all(axis=1))
        return share((is_right_nc | (counts_nc == 0)).all(axis=1), row_weights(counts_nc))

    @property
    def hamming_loss(self) -> float | None:
        return share(self.predicted_nc != self.truth_nc, self.counts_nc)

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
        return finite(exact.mean(from_logits.sigmoid_losses(self.logits_nc, self.targets_nc), self.counts_nc))

    @property
    def brier(self) -> float | None:
        return ratio(*self.row_sums["brier"])

    @cached_property
    def reliability(self) -> list[tuple[float | None, float | None]]:
        """Label by label: ECE, and what it would be by chance."""
        found = []
        p_nc = from_logits.sigmoid(self.logits_nc)
        for k in range(self.n_classes):
            known_n = ~np.isnan(self.targets_nc[:, k])
            counts_n = self.counts_of(k)
            truth_n = self.targets_nc[known_n, k].astype(np.float64)
            found.append(calibration_error(p_nc[known_n, k], truth_n, None if counts_n is None else counts_n[known_n]))
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
        return [Ranking(*self._of_label(k)) for k in range(self.n_classes)]

    def _of_label(self, k: int) -> tuple[Float32, Bools, Float64 | None]:
        """Scores, truth and what each row counts for."""
        return self.logits_nc[:, k], self.truth_nc[:, k], self.counts_of(k)

    @cached_property
    def ranked(self) -> list[tuple[float | None, float | None]]:
        """ROC AUC and average precision, label by label."""
        return [ranked(*self._of_label(k)) for k in range(self.n_classes)]

    @cached_property
    def pooled(self) -> tuple[float | None, float | None]:
        """ROC AUC and average precision of all entries."""
        return ranked(self.logits_nc, self.truth_nc, self.counts_nc)

    @property
    def macro_roc_auc(self) -> float | None:
        return mean([auc for auc, _ in self.ranked])

    @property
    def macro_average_precision(self) -> float | None:
        return mean([precision for _, precision in self.ranked])

    @property
    def micro_roc_auc(self) -> float | None:
        return self.pooled[0]

    @property
    def micro_average_precision(self) -> float | None:
        return self.pooled[1]

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
        for rows, counts_nc in self._blocks():
            targets_nc, logits_nc = self.targets_nc[rows], self.logits_nc[rows]
            is_known_nc = counts_nc > 0
            truth_nc, predicted_nc = self.truth_nc[rows], self.predicted_nc[rows]
            is_wrong_nc = truth_nc != predicted_nc
            of_rows_n = row_weights(counts_nc)
            losses_nc = np.where(is_known_nc, from_logits.sigmoid_losses(logits_nc, targets_nc), 0.0)
            squares_nc = np.where(is_known_nc, (from_logits.sigmoid(logits_nc).astype(float) - targets_nc) ** 2, 0.0)
            for part, each_nc in enumerate(
                (
                    counts_nc,
                    counts_nc * is_wrong_nc,
                    counts_nc * (2.0 * (truth_nc & predicted_nc)),
                    counts_nc * (truth_nc.astype(float) + predicted_nc),
                    counts_nc * losses_nc,
                    counts_nc * squares_nc,
                )
            ):
                sums_8n[part, rows] = each_nc.sum(axis=1)
            sums_8n[6, rows] = of_rows_n * ~(is_wrong_nc & is_known_nc).any(axis=1)
            sums_8n[7, rows] = of_rows_n
        entries, wrong, twice_hits, both, losses, squares, right, of_rows = sums_8n
        return {
            "subset_accuracy": (right, of_rows),
            "hamming_loss": (wrong, entries),
            "micro_f1": (twice_hits, both),
            "log_loss": (losses, entries),
            "brier": (squares, entries),
        }

    def _blocks(self) -> Iterator[tuple[slice, Float64]]:
        """Some rows, and what their entries count for."""
        n, c = self.logits_nc.shape
        n_rows = max(1, BLOCK // max(c, 1))
        for start in range(0, n, n_rows):
            rows = slice(start, start + n_rows)
            counts_nc = np.ones(self.logits_nc[rows].shape) if self.counts_nc is None else self.counts_nc[rows]
            yield rows, counts_nc

    @property
    def work_of_counts(self) -> int:
        """Of one resample; a matrix product is through with some 32 entries while one is gathered."""
        return max(1, self.logits_nc.size // 32)

    def recounted(self, times_bn: Float64) -> dict[str, Float64]:
        """By figure, (b,): those that follow from the counts, where each row is there so many times."""
        n, c = self.logits_nc.shape
        f1_bc = np.empty((len(times_bn), c))
        n_labels = max(1, BLOCK // max(n, 1))
        for start in range(0, c, n_labels):
            some = slice(start, start + n_labels)
            truth_nc, predicted_nc = self.truth_nc[:, some], self.predicted_nc[:, some]
            counts_nc = np.ones(truth_nc.shape) if self.counts_nc is None else self.counts_nc[:, some]
            twice_hits_bc = times_bn @ (counts_nc * (2.0 * (truth_nc & predicted_nc)))
            both_bc = times_bn @ (counts_nc * (truth_nc.astype(float) + predicted_nc))
            f1_bc[:, some] = twice_hits_bc / np.maximum(both_bc, np.finfo(float).tiny)
        return {"macro_f1": mean_of_defined(np.where(self.is_judged, f1_bc, np.nan))}

    def reranked(self, rankings: Sequence[Ranking], times_bn: Float64) -> dict[str, Float64]:
        """By figure, (b,): those that follow from ranks, as `recounted`."""
        return macro_of_ranks(rankings, times_bn)
