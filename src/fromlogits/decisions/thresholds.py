"""Fits a decision rule to an objective, on rows that did not train the network, and says what it gains.

A threshold is sought among all cuts between the distinct probabilities of a label. Few rows would choose a cut by
luck, so each row counts as a mixture: as its truth, and with the weight PRIOR / (PRIOR + m) as the probability of its
truth, where m is the number of rows with the rarer answer. Many rows count as their truth alone; a label that no row
has gets the threshold that its probabilities call for. A bound is kept as if one more row were there, and against it.

The gain is cross-fitted: each fold of the rows is decided by a rule that the other folds chose, and the figures of all
these decisions stand beside those of the natural rule. A rule that gains nothing is not kept.

Sources: the optimum of F measures: Lipton, Elkan & Naryanaswamy, ECML 2014; of the macro-average over classes: its
gradient, Narasimhan, Ramaswamy, Saha & Agarwal, ICML 2015; one row more than there are: Vovk, Gammerman & Shafer,
Algorithmic Learning in a Random World, 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import brief
from ..heads import THRESHOLD
from ..metrics import effective_number
from .folds import FOLDS, folds
from .objectives import Costs, Objective
from .rules import Codes, Rule, Scores, SecondClass, Task, Thresholds

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Folds = NDArray[np.int64]

PRIOR = 20.0
"""Rows that the probabilities themselves are worth (docs/decisions/0018-decisions.md)."""
MOST_STEPS = 12
SHOWN = 5
ROUNDING = 1e-12
"""What the rounding of a sum of weights may take from it."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows to choose by, their truth known.

    Attributes:
        probabilities: float32 (n, K) as `predict_proba` returns them.
        truth: multi-class: codes (n,), -1 where it is unknown. Labels: 0/1 (n, L), NaN where it is unknown;
            probabilities count as set above 0.5.
        weights: what each row counts for, (n,), or each label of each row, (n, L); None: 1. Only ratios matter.
        tilt: of each class (K,), or of each label's 1 beside its 0 (L,): how much more it weighed where the
            probabilities were learned than it does here; None: the same.
    """

    probabilities: Float32
    truth: NDArray[Any]
    weights: Float64 | None = None
    tilt: Float64 | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A rule and what it is worth.

    Attributes:
        rule: the natural one where another would gain nothing.
        is_natural: whether it is.
        figures: by name, ("natural", "decided"): without and with it, cross-fitted where anything was chosen; None
            where a figure is undefined.
        folds: so many; 0 where nothing was chosen.
        notes: what has to be said.
    """

    rule: Rule
    is_natural: bool
    figures: dict[str, dict[str, float | None]]
    folds: int
    notes: tuple[str, ...] = ()

    @property
    def gain(self) -> float | None:
        """Of the first figure."""
        first = next(iter(self.figures.values()))
        both = first["natural"], first["decided"]
        return None if both[0] is None or both[1] is None else both[1] - both[0]

    def to_json(self) -> dict[str, Any]:
        return {"kept": not self.is_natural, "folds": self.folds, "figures": self.figures, "notes": list(self.notes)}


def fit(what_for: Objective | Costs, natural: Rule, evidence: Evidence, task: Task, classes: Sequence[Any]) -> Fitted:
    """The rule for this target and this objective.

    Args:
        what_for: as `objectives.resolve` gives it.
        natural: the rule that decides otherwise.
    """
    if isinstance(what_for, Costs):
        return _of_costs(what_for, natural, evidence)
    if task == "multi-class" and len(classes) > 2:
        return _Classes(what_for, natural, evidence, classes).fitted()
    return _Answers(what_for, natural, evidence, task, classes).fitted()


def mean_cost(costs: Costs, decided: Codes, evidence: Evidence) -> float | None:
    """Of a decision: of a row's class, or of one of its labels."""
    truth, weights = evidence.truth, evidence.weights
    if costs.values.ndim == 2:
        is_known = truth >= 0
        each = costs.values[np.where(is_known, truth, 0), decided]
    else:
        is_known = ~np.isnan(truth)
        each = costs.values[np.arange(truth.shape[1]), (truth > 0.5).astype(np.int64), decided]
    counts = is_known * (1.0 if weights is None else weights if weights.ndim == each.ndim else weights[:, None])
    return float((counts * each).sum() / counts.sum()) if counts.any() else None


def _of_costs(costs: Costs, natural: Rule, evidence: Evidence) -> Fitted:
    rule = costs.rule()
    both = {
        name: mean_cost(costs, one.decide(evidence.probabilities), evidence)
        for name, one in (("natural", natural), ("decided", rule))
    }
    return Fitted(rule, False, {"mean_cost": both}, 0)


# --- yes or no: labels, and the second of two classes ---


class _Answers:
    """Labels, each with its threshold; the second of two classes is one."""

    def __init__(
        self, objective: Objective, natural: Rule, evidence: Evidence, task: Task, classes: Sequence[Any]
    ) -> None:
        self.objective, self.natural, self.is_multi_label = objective, natural, task == "multi-label"
        truth, weights, tilt = evidence.truth, evidence.weights, evidence.tilt
        self.probabilities = evidence.probabilities
        self.p_nk = self.probabilities if self.is_multi_label else self.probabilities[:, 1:]
        kind, judged = ("label", classes) if self.is_multi_label else ("class", classes[1:])
        self.names = [f"{kind} {brief(name)}" for name in judged]
        is_known = ~np.isnan(truth) if self.is_multi_label else (truth >= 0)[:, None]
        self.truth_nk = truth > 0.5 if self.is_multi_label else (truth == 1)[:, None]
        self.is_known_nk, self.weights = is_known, weights
        self.tilt_k = None if tilt is None else tilt if self.is_multi_label else tilt[1:] / tilt[0]
        self.fold_n = folds(len(truth))

    def fitted(self) -> Fitted:
        n_labels = self.p_nk.shape[1]
        thresholds = np.full((FOLDS + 1, n_labels), THRESHOLD)  # without each fold, and of all rows
        notes: dict[str, list[str]] = {}
        for k in range(1 if self.objective.measure == "micro_f" else n_labels):
            ranked = self._ranked(k)
            for fold in range(FOLDS):
                thresholds[fold, k] = ranked.without(fold).threshold(self.objective)[0]
            thresholds[FOLDS, k], note = ranked.threshold(self.objective)
            if note and self.objective.measure != "micro_f":
                notes.setdefault(note, []).append(self.names[k])
        if self.objective.measure == "micro_f":
            thresholds[:] = thresholds[:, :1]
        natural_nk, decided_nk = np.empty(self.p_nk.shape, bool), np.empty(self.p_nk.shape, bool)
        for fold in range(FOLDS):  # of all rows at once the whole numbers, and thresholds, would be large
            rows = self.fold_n == fold
            natural_nk[rows] = self.natural.decide(self.probabilities[rows]).reshape(-1, n_labels)
            decided_nk[rows] = self.p_nk[rows] > thresholds[fold]
        figures = {
            name: {"natural": natural, "decided": decided}
            for (name, natural), (_, decided) in zip(self._figures(natural_nk), self._figures(decided_nk), strict=True)
        }
        values = thresholds[FOLDS]
        rule: Rule = Thresholds(values) if self.is_multi_label else SecondClass(float(values[0]))
        said = tuple(f"{note}: {_listed(names)}" for note, names in notes.items())
        fitted = Fitted(rule, False, figures, FOLDS, said)
        return fitted if self.objective.is_bound else _kept_if_it_gains(fitted, self.natural)

    def _counts(self, k: int) -> Float64:
        """What each row counts for in a column; 0 where its truth is unknown."""
        if self.weights is None:
            return self.is_known_nk[:, k].astype(np.float64)
        return np.where(self.is_known_nk[:, k], self.weights if self.weights.ndim == 1 else self.weights[:, k], 0.0)

    def _ranked(self, k: int) -> _Ranked:
        """Of a column; of all together where one threshold is sought."""
        if self.objective.measure != "micro_f":
            return _Ranked.of([self._entries(k)])
        return _Ranked.of([self._entries(column) for column in range(self.p_nk.shape[1])])

    def _entries(self, k: int) -> tuple[Float32, Bools, Float64, Float64, Folds]:
        p_n, counts_n = self.p_nk[:, k], self._counts(k)
        likely_n = p_n.astype(np.float64)
        if self.tilt_k is not None:
            likely_n /= likely_n + self.tilt_k[k] * (1.0 - likely_n)
        part_n = counts_n > 0
        return p_n[part_n], self.truth_nk[part_n, k], likely_n[part_n], counts_n[part_n], self.fold_n[part_n]

    def _sums(self, decided_nk: Bools) -> tuple[Float64, Float64, Float64, Float64]:
        """By column: the weight of the decisions that are yes and right, that are yes, that should be, and of all."""
        sums = np.empty((4, decided_nk.shape[1]))
        for k in range(decided_nk.shape[1]):
            counts_n, yes_n, truth_n = self._counts(k), decided_nk[:, k], self.truth_nk[:, k]
            sums[:, k] = [counts_n[flags_n].sum() for flags_n in (yes_n & truth_n, yes_n, truth_n, slice(None))]
        return sums[0], sums[1], sums[2], sums[3]

    def _figures(self, decided_nk: Bools) -> list[tuple[str, float | None]]:
        """The figures of these decisions by name, that of the objective first."""
        measure, beta, name = self.objective.measure, self.objective.number, self.objective.name
        hits, yes, positives, total = self._sums(decided_nk)
        judged = total > 0
        if self.objective.is_bound:
            by_name = {
                "recall": _mean(hits[positives > 0] / positives[positives > 0]),
                "precision": _mean(hits[yes > 0] / yes[yes > 0]),
            }
            order = ("recall", "precision") if measure == "recall" else ("precision", "recall")
            return [(name, by_name[name]) for name in order]
        if measure == "accuracy":
            wrong = (yes + positives - 2 * hits).sum()
            return [("accuracy", float(1 - wrong / total.sum()) if judged.any() else None)]
        if measure == "balanced_accuracy":
            both = (positives > 0) & (positives < total)
            right_no = (total - positives - yes + hits)[both] / (total - positives)[both]
            return [("balanced_accuracy", _mean((hits[both] / positives[both] + right_no) / 2))]
        if measure == "micro_f":
            return [(name, float(_f(hits.sum(), yes.sum(), positives.sum(), beta)) if judged.any() else None)]
        each = _f(hits, yes, positives, beta)
        if not self.is_multi_label and measure == "macro_f":
            each = (each + _f(total - positives - yes + hits, total - yes, total - positives, beta)) / 2
        is_macro = self.is_multi_label and measure == "f"
        return [(f"macro_{name}" if is_macro else name, _mean(each[judged]))]


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Entries, the most probable first: probability, whether it is true, how likely it is, weight, fold."""

    p: Float32
    truth: Bools
    likely: Float64
    weights: Float64
    fold: Folds

    @classmethod
    def of(cls, columns: Sequence[tuple[Float32, Bools, Float64, Float64, Folds]]) -> _Ranked:
        p, truth, likely, weights, fold = (
            np.concatenate(parts) if len(columns) > 1 else parts[0] for parts in zip(*columns, strict=True)
        )
        order = np.argsort(-p)
        return cls(p[order], truth[order], likely[order], weights[order], fold[order])

    def without(self, fold: int) -> _Ranked:
        keep = self.fold != fold
        return _Ranked(self.p[keep], self.truth[keep], self.likely[keep], self.weights[keep], self.fold[keep])

    def threshold(self, objective: Objective) -> tuple[float, str]:
        """The best one, and what has to be said of it.

        Among cuts that are equally good the one nearest to 0.5 is taken, and in its gap a short number near the middle.
        """
        if len(self.p) == 0:
            return THRESHOLD, "unknown in every row, so 0.5"
        last = np.flatnonzero(np.append(self.p[1:] != self.p[:-1], True))
        gap_ends = self.p[last].astype(np.float64)
        highs, lows = np.append(1.0, gap_ends), np.append(gap_ends, 0.0)
        if gap_ends[-1] == 0:  # no threshold from 0 to 1 decides for what has probability 0
            last, highs, lows = last[:-1], highs[:-1], lows[:-1]
        yes = np.append(0.0, np.cumsum(self.weights)[last])
        total, positives = self.weights.sum(), float(self.weights[self.truth].sum())
        note = ""
        if objective.is_bound:
            hits = np.append(0.0, np.cumsum(np.where(self.truth, self.weights, 0.0))[last])
            if positives == 0:
                return THRESHOLD, f"{objective.name}: no row is positive, so nothing can be said and 0.5 stays"
            place, note = _bounded(objective, hits, yes, positives, self)
            return _between(float(lows[place]), float(highs[place])), note
        rarer = min(effective_number(self.weights[self.truth]), effective_number(self.weights[~self.truth]))
        if rarer == 0:
            note = "all rows alike, so the threshold comes from the probabilities alone"
        trust = rarer / (PRIOR + rarer)
        shares = self.weights * (trust * self.truth + (1.0 - trust) * self.likely)
        hits, positives = np.append(0.0, np.cumsum(shares)[last]), float(shares.sum())
        if not 0 < positives < total:  # probabilities of 0 or 1 alone
            return THRESHOLD, note
        value = _value(objective, hits, yes, positives, float(total))
        best = np.flatnonzero(value == value.max())
        distance = np.maximum(np.maximum(lows[best] - THRESHOLD, THRESHOLD - highs[best]), 0.0)
        place = int(best[distance.argmin()])
        return _between(float(lows[place]), float(highs[place])), note


def _value(objective: Objective, hits: Float64, yes: Float64, positives: float, total: float) -> Float64:
    """What each cut is worth."""
    right_no = total - positives - yes + hits
    if objective.measure == "accuracy":
        return hits + right_no
    if objective.measure == "balanced_accuracy":
        return hits / positives + right_no / (total - positives)
    value: Float64 = _f(hits, yes, positives, objective.number)
    if objective.measure == "macro_f":
        value += _f(right_no, total - yes, total - positives, objective.number)
    return value


def _bounded(objective: Objective, hits: Float64, yes: Float64, positives: float, ranked: _Ranked) -> tuple[int, str]:
    """The cut that keeps the bound, and why if none does.

    As if one more row were seen, a positive one that is missed, or a yes that is wrong: so the recall of a new row that
    is like these has the bound for its mean, and one lucky row at the top has no precision of 1.
    """
    if objective.measure == "recall":
        of_positives = ranked.weights[ranked.truth]
        needed = objective.number * (positives + positives / effective_number(of_positives))
        enough = np.flatnonzero(hits >= needed * (1 - ROUNDING))
        if len(enough):
            return int(enough[0]), ""
        all_of_them = np.flatnonzero(hits >= positives * (1 - ROUNDING))
        place = int(all_of_them[0]) if len(all_of_them) else len(hits) - 1
        return place, f"{objective.name} can't be promised by so few positive rows; all of them are decided for"
    one_more = ranked.weights.sum() / effective_number(ranked.weights)
    enough = np.flatnonzero((hits >= objective.number * (yes + one_more) * (1 - ROUNDING)) & (yes > 0))
    if len(enough):
        return int(enough[hits[enough].argmax()]), ""
    return 0, f"{objective.name} is reached by no threshold; nothing is decided for"


def _between(low: float, high: float) -> float:
    """A threshold that parts low from high: 0.5 where it does, or else a short number in the middle half."""
    if low <= THRESHOLD < high:
        return THRESHOLD
    middle = low + (high - low) / 2
    for digits in range(1, 17):
        short = float(f"{middle:.{digits}g}")
        if abs(short - middle) <= (high - low) / 4:
            return short
    return middle


# --- one class of three or more ---


class _Classes:
    """Classes, decided for by scores."""

    def __init__(self, objective: Objective, natural: Rule, evidence: Evidence, classes: Sequence[Any]) -> None:
        self.objective, self.natural, self.classes = objective, natural, classes
        known = evidence.truth >= 0
        self.p_nk, self.codes_n = evidence.probabilities[known], evidence.truth[known].astype(np.int64)
        weights = np.ones(len(known)) if evidence.weights is None else evidence.weights
        self.weights_n = weights[known]
        self.untilt_k = np.ones(len(classes)) if evidence.tilt is None else 1.0 / evidence.tilt
        self.fold_n = folds(len(self.codes_n))

    def fitted(self) -> Fitted:
        natural_n = self.natural.decide(self.p_nk)
        decided_n = natural_n.copy()
        if len(self.codes_n):
            for fold in range(FOLDS):
                rows = self.fold_n == fold
                if rows.any() and not rows.all():
                    decided_n[rows] = self._scores(~rows).decide(self.p_nk[rows])
        name = f"macro_{self.objective.name}" if self.objective.measure == "f" else self.objective.name
        figures = {name: {"natural": self._figure(natural_n), "decided": self._figure(decided_n)}}
        absent = np.bincount(self.codes_n, self.weights_n, len(self.classes)) == 0
        notes = []
        if absent.any():
            named = [f"class {brief(name)}" for name, is_absent in zip(self.classes, absent, strict=True) if is_absent]
            notes.append(f"no row has it, so its score comes from the probabilities alone: {_listed(named)}")
        if self.objective.measure == "accuracy" and (self.untilt_k == 1).all():
            return Fitted(self.natural, True, figures, 0, ("accuracy: the largest probability is the best there is",))
        if not len(self.codes_n):
            return Fitted(self.natural, True, figures, FOLDS, tuple(notes))
        rule = self._scores(np.ones(len(self.codes_n), bool))
        return _kept_if_it_gains(Fitted(rule, False, figures, FOLDS, tuple(notes)), self.natural)

    def _scores(self, rows: Bools) -> Scores:
        """Those of a macro-average follow its gradient: a row more of a class that is decided for adds to the class's
        hits with its probability, and to the decisions for it."""
        p_nk, codes_n, weights_n = self.p_nk[rows], self.codes_n[rows], self.weights_n[rows]
        k, no_charge = len(self.classes), np.zeros(len(self.classes))
        start = Scores(self.untilt_k, no_charge)
        if self.objective.measure == "accuracy":
            return start
        trust_k = np.array([effective_number(weights_n[codes_n == code]) for code in range(k)])
        trust_k /= PRIOR + trust_k
        likely_nk: Float64 = p_nk * self.untilt_k
        likely_nk /= likely_nk.sum(axis=1, keepdims=True)
        seen_k = np.bincount(codes_n, weights_n, k)
        # Not by @: OpenBLAS adds in an order that depends on how many threads it has.
        support_k = trust_k * seen_k + (1.0 - trust_k) * np.einsum("n,nk->k", weights_n, likely_nk)
        support_k = np.maximum(support_k, support_k.max() * 1e-6)
        if self.objective.measure == "balanced_accuracy":
            factors_k = self.untilt_k / support_k
            return Scores(factors_k / factors_k.max(), no_charge)
        beta, best, best_value, before_n = self.objective.number, start, -1.0, np.full(len(codes_n), -1, np.int64)
        scores = start
        for _ in range(MOST_STEPS):
            decided_n = scores.decide(p_nk)
            if np.array_equal(decided_n, before_n):
                break
            own_n = likely_nk[np.arange(len(codes_n)), decided_n]
            seen_n, likely_n = weights_n * (decided_n == codes_n), weights_n * own_n
            hits_k = trust_k * np.bincount(decided_n, seen_n, k) + (1.0 - trust_k) * np.bincount(decided_n, likely_n, k)
            yes_k = np.bincount(decided_n, weights_n, k)
            f_k = _f(hits_k, yes_k, support_k, beta)
            if f_k.mean() > best_value:
                best, best_value = scores, float(f_k.mean())
            weight_k = 1.0 / (beta**2 * support_k + yes_k)
            factors_k, charges_k = weight_k * self.untilt_k, weight_k * f_k / (1 + beta**2)
            scores, before_n = Scores(factors_k / factors_k.max(), charges_k / factors_k.max()), decided_n
        return best

    def _figure(self, decided_n: Codes) -> float | None:
        if not len(decided_n):
            return None
        k = len(self.classes)
        hits, yes, support = (
            np.bincount(codes, self.weights_n * flags, k)
            for codes, flags in ((decided_n, decided_n == self.codes_n), (decided_n, 1), (self.codes_n, 1))
        )
        if self.objective.measure == "accuracy":
            return float(hits.sum() / support.sum())
        if self.objective.measure == "balanced_accuracy":
            return _mean(hits[support > 0] / support[support > 0])
        there = support + yes > 0  # as scikit-learn's macro-average, over classes that occur
        return _mean(_f(hits, yes, support, self.objective.number)[there])


def _kept_if_it_gains(fitted: Fitted, natural: Rule) -> Fitted:
    gain = fitted.gain
    if gain is not None and gain > 0:
        return fitted
    note = "it gains nothing on rows that did not choose it, so the decisions stay as they are without it"
    return Fitted(natural, True, fitted.figures, fitted.folds, (note,))


def _f(hits: Any, yes: Any, positives: Any, beta: float) -> Any:
    """(1 + β²) · hits / (β² · positives + yes); 0 where nothing is positive and nothing decided for."""
    below = beta**2 * positives + yes
    return np.divide((1 + beta**2) * hits, below, out=np.zeros_like(below, np.float64), where=below > 0)


def _mean(figures: Float64) -> float | None:
    return float(figures.mean()) if figures.size else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
