"""The figures of one class per row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import exact
from .. import logits as from_logits
from ..heads import HEADS
from .calibration_error import calibration_error
from .counts import Counts, finite, mean, ratio, share
from .names import TOP
from .ranking import RankFigures, Ranking, ranked

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
BLOCK = 1 << 20
"""Entries that are computed at a time."""


def predicted_classes(logits_nc: Float32) -> NDArray[np.int64]:
    """Class indices (n,); one column is the two-class sigmoid head."""
    if logits_nc.shape[1] == 1:
        return HEADS["sigmoid"].decide(logits_nc)[:, 0]
    return HEADS["softmax"].decide(logits_nc)


class Classes(RankFigures):
    """Rows with one class each; each figure of the task is an attribute, computed when it is asked for."""

    def __init__(
        self,
        logits_nc: Float32,
        targets: NDArray[Any],
        weights_n: Float64 | None = None,
        decided_n: NDArray[np.int64] | None = None,
    ) -> None:
        self.logits_nc, self.targets, self.weights_n = logits_nc, targets, weights_n
        self.codes_n = targets.argmax(axis=1) if targets.ndim == 2 else targets
        self.predicted_n = predicted_classes(logits_nc) if decided_n is None else decided_n
        self.n_classes = max(logits_nc.shape[1], 2)

    @cached_property
    def known_n(self) -> Bools:
        """Whether the model knows the row's class."""
        return np.asarray(self.codes_n >= 0)

    @property
    def unknown(self) -> int:
        return int(np.count_nonzero(~self.known_n))

    # Of rows

    @property
    def accuracy(self) -> float | None:
        return share(self.predicted_n == self.codes_n, self.weights_n)

    @property
    def top_3_accuracy(self) -> float | None:
        return self._top(3)

    @property
    def top_5_accuracy(self) -> float | None:
        return self._top(5)

    def _top(self, k: int) -> float | None:
        return share(self.rank_n < k, self.weights_n) if self.n_classes > k else None

    @cached_property
    def rank_n(self) -> NDArray[np.int64]:
        """How many classes come before the true one by probability (ties: the lowest index); all before an unknown."""
        p_nc = self.probabilities_nc
        codes_n = np.maximum(self.codes_n, 0)
        true_n1 = np.take_along_axis(p_nc, codes_n[:, None], axis=1)
        is_before_nc = np.arange(self.n_classes) < codes_n[:, None]
        rank_n = np.count_nonzero((p_nc > true_n1) | ((p_nc == true_n1) & is_before_nc), axis=1)
        return np.asarray(np.where(self.known_n, rank_n, self.n_classes))

    # Of the classes that are predicted

    @cached_property
    def counts(self) -> list[Counts]:
        """Class by class."""
        is_hit_n = self.predicted_n == self.codes_n
        three = (
            np.bincount(
                codes_n[part], None if self.weights_n is None else self.weights_n[part], self.n_classes
            ).tolist()
            for codes_n, part in (
                (self.codes_n, is_hit_n), (self.predicted_n, slice(None)), (self.codes_n, self.known_n),
            )
        )  # fmt: skip
        return [Counts(*of_class) for of_class in zip(*three, strict=True)]

    @property
    def balanced_accuracy(self) -> float | None:
        return mean([counts.recall for counts in self.counts])

    @property
    def macro_f1(self) -> float | None:
        return mean([counts.f1 for counts in self.counts])

    @property
    def confusion(self) -> NDArray[Any]:
        """(K, K): the weight of the rows of a class, or how many, by the class that is predicted."""
        cells_n, weights_n = self._cells
        k = self.n_classes
        return np.bincount(cells_n, weights_n, k * k).reshape(k, k)

    def most_confused(self, at_most: int) -> list[tuple[int, int, float]]:
        """(true, predicted, weight or number of rows), different classes, most first; the matrix is never made."""
        cells_n, weights_n = self._cells
        is_wrong_n = cells_n // self.n_classes != cells_n % self.n_classes
        cells, place_n = np.unique(cells_n[is_wrong_n], return_inverse=True)
        sums = np.bincount(place_n, None if weights_n is None else weights_n[is_wrong_n], len(cells))
        order = np.argsort(-sums, kind="stable")[:at_most]
        return [(*divmod(cell, self.n_classes), support)
                for cell, support in zip(cells[order].tolist(), sums[order].tolist(), strict=True)]  # fmt: skip

    @property
    def _cells(self) -> tuple[NDArray[np.int64], Float64 | None]:
        """Of rows of known classes, their entry in the flat matrix, and weights."""
        known_n = self.known_n
        cells_n = self.codes_n[known_n].astype(np.int64) * self.n_classes + self.predicted_n[known_n]
        return cells_n, self._known(self.weights_n)

    # Of probabilities

    @cached_property
    def probabilities_nc(self) -> Float32:
        """(n, K), as `predict_proba` returns them."""
        if self.logits_nc.shape[1] == 1:
            return from_logits.sigmoid(np.hstack([-self.logits_nc, self.logits_nc]))
        return from_logits.softmax(self.logits_nc)

    @property
    def log_loss(self) -> float | None:
        losses_n, known_n = self.losses_n, self.known_n
        return finite(exact.mean(losses_n[known_n], self._known(self.weights_n)))

    @cached_property
    def losses_n(self) -> Float64:
        """Of each row in nats; 0 where its class is unknown."""
        losses_n, known_n = np.zeros(len(self.codes_n)), self.known_n
        logits_nc, targets = self.logits_nc[known_n], self.targets[known_n]
        if logits_nc.shape[1] == 1:
            second_n = targets[:, 1] if targets.ndim == 2 else targets
            losses_n[known_n] = from_logits.sigmoid_losses(logits_nc, second_n[:, None])[:, 0]
        else:
            losses_n[known_n] = from_logits.softmax_losses(logits_nc, targets)
        return losses_n

    @property
    def brier(self) -> float | None:
        return ratio(*self.row_sums["brier"])

    @property
    def squares_n(self) -> Float64:
        """Σ (p − t)² of each row, over the classes; of two classes half of it."""
        squares_n = np.empty(len(self.codes_n))
        n_rows = max(1, BLOCK // self.n_classes)
        for start in range(0, len(squares_n), n_rows):
            rows = slice(start, start + n_rows)
            error_nc = self.probabilities_nc[rows].astype(np.float64)
            if self.targets.ndim == 2:
                error_nc -= self.targets[rows]
            else:
                error_nc[np.arange(len(error_nc)), self.codes_n[rows]] -= 1.0
            squares_n[rows] = (error_nc**2).sum(axis=1)
        return squares_n / 2 if self.n_classes == 2 else squares_n

    @cached_property
    def reliability(self) -> tuple[float | None, float | None]:
        """ECE, and what it would be by chance."""
        known_n = self.known_n
        codes_n, p_nc = self.codes_n[known_n], self.probabilities_nc[known_n]
        told_n = np.ones(len(codes_n), np.int64) if self.n_classes == 2 else p_nc.argmax(axis=1)
        truth_n = self.targets[known_n][np.arange(len(told_n)), told_n] if self.targets.ndim == 2 else codes_n == told_n
        weights_n = self._known(self.weights_n)
        return calibration_error(p_nc[np.arange(len(told_n)), told_n], truth_n.astype(np.float64), weights_n)

    @property
    def ece(self) -> float | None:
        return self.reliability[0]

    @property
    def ece_by_chance(self) -> float | None:
        return self.reliability[1]

    # Of ranks

    @cached_property
    def scores_nc(self) -> Float32:
        """(known rows, K): log-probabilities, which still differ where probabilities have become equal."""
        known_nc = self.logits_nc[self.known_n]
        if known_nc.shape[1] == 1:
            return from_logits.log_sigmoid(np.hstack([-known_nc, known_nc]))
        return from_logits.log_softmax(known_nc)

    def rankings(self) -> list[Ranking]:
        """Each class against the rest, for intervals."""
        return [Ranking(*self._against_rest(k)) for k in range(self.n_classes)]

    def _against_rest(self, k: int) -> tuple[Float32, Bools, Float64 | None]:
        """Scores, truth and weights of the rows of known classes."""
        return self.scores_nc[:, k], self.codes_n[self.known_n] == k, self._known(self.weights_n)

    def _known(self, of_rows: Float64 | None) -> Float64 | None:
        return None if of_rows is None else of_rows[self.known_n]

    @cached_property
    def ranked(self) -> list[tuple[float | None, float | None]]:
        """ROC AUC and average precision of each class against the rest."""
        return [ranked(*self._against_rest(k)) for k in range(self.n_classes)]

    @cached_property
    def pooled(self) -> tuple[float | None, float | None]:
        """ROC AUC and average precision of all entries."""
        truth_nc = self.codes_n[self.known_n, None] == np.arange(self.n_classes)
        weights_n = self._known(self.weights_n)
        weights_nc = None if weights_n is None else np.broadcast_to(weights_n[:, None], truth_nc.shape)
        return ranked(self.scores_nc, truth_nc, weights_nc)

    # For a report and for intervals

    def per_class(self, classes: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "class": name,
                "support": counts.support,
                "precision": counts.precision,
                "recall": counts.recall,
                "f1": counts.f1,
                "roc_auc": auc,
                "average_precision": precision,
            }
            for name, counts, (auc, precision) in zip(classes, self.counts, self.ranked, strict=True)
        ]

    @cached_property
    def row_sums(self) -> dict[str, tuple[Float64, Float64]]:
        """By figure: numerators and denominators, both (n,), of those that are a ratio of sums over rows."""
        weights_n = np.ones(len(self.codes_n)) if self.weights_n is None else self.weights_n
        of_known_n = weights_n * self.known_n
        return {
            "accuracy": (weights_n * (self.predicted_n == self.codes_n), weights_n),
            **{f"top_{k}_accuracy": (weights_n * (self.rank_n < k), weights_n) for k in TOP if self.n_classes > k},
            "log_loss": (weights_n * self.losses_n, of_known_n),
            "brier": (of_known_n * self.squares_n, of_known_n),
        }

    @property
    def work_of_counts(self) -> int:
        """Of one resample."""
        return len(self.codes_n)

    def recounted(self, times_bn: Float64) -> dict[str, Float64]:
        """By figure, (b,): those that follow from the counts, where each row is there so many times."""
        k = self.n_classes
        # A row counts by its class and the one predicted alone; pairs are few. An unknown class is one more.
        codes_n = np.where(self.known_n, self.codes_n, k).astype(np.int64)
        pairs, pair_n = np.unique(codes_n * k + self.predicted_n, return_inverse=True)
        true, predicted = pairs // k, pairs % k
        hits_bk, predicted_bk, support_bk = (np.empty((len(times_bn), k)) for _ in range(3))
        for b, times_n in enumerate(times_bn):
            counts_n = times_n if self.weights_n is None else times_n * self.weights_n
            sums = np.bincount(pair_n, counts_n)
            hits_bk[b] = np.bincount(predicted, np.where(true == predicted, sums, 0.0), k)
            predicted_bk[b] = np.bincount(predicted, sums, k)
            support_bk[b] = np.bincount(true, sums, k + 1)[:k]
        with np.errstate(invalid="ignore", divide="ignore"):
            recall_bk, f1_bk = hits_bk / support_bk, 2 * hits_bk / (predicted_bk + support_bk)
        return {"balanced_accuracy": mean_of_defined(recall_bk), "macro_f1": mean_of_defined(f1_bk)}

    def reranked(self, rankings: Sequence[Ranking], times_bn: Float64) -> dict[str, Float64]:
        """By figure, (b,): those that follow from ranks, as `recounted`."""
        return macro_of_ranks(rankings, times_bn[:, self.known_n])


def macro_of_ranks(rankings: Sequence[Ranking], times_bn: Float64) -> dict[str, Float64]:
    aucs_bk = np.array([[ranking.resampled(times_n) for ranking in rankings] for times_n in times_bn])
    return {"macro_roc_auc": mean_of_defined(aucs_bk)}


def mean_of_defined(figures_bk: Float64) -> Float64:
    """(b,): over the classes or labels that have one; NaN where none has."""
    is_defined_bk = ~np.isnan(figures_bk)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(is_defined_bk, figures_bk, 0.0).sum(axis=1) / is_defined_bk.sum(axis=1))
