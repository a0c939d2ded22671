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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import brief
from ..heads import THRESHOLD
from ..metrics import effective_number
from .common_threshold import Entries, common_thresholds
from .cuts import best_cut, between, without_tilt
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
BLOCK = 1 << 16
"""Entries that are counted at a time, so that they stay in a cache."""
ENTRIES_AT_A_TIME = 1 << 20
ZERO, ONE = np.zeros(1, np.float32), np.ones(1, np.float32)


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


def judge(
    what_for: Objective | Costs,
    decided: NDArray[Any],
    natural: Rule,
    evidence: Evidence,
    task: Task,
    classes: Sequence[Any],
) -> dict[str, dict[str, float | None]]:
    """What decisions are worth by what they are for, as `Fitted.figures`; rows of unknown truth take no part.

    Args:
        decided: what was decided on each row of the evidence, codes (n,), or of labels 0 and 1 (n, L).
        natural: the rule that they are compared with.
    """
    if isinstance(what_for, Costs):
        natural_n = natural.decide(evidence.probabilities)
        return {"mean_cost": _both(*(mean_cost(what_for, codes, evidence) for codes in (natural_n, decided)))}
    if task == "multi-class" and len(classes) > 2:
        return _Classes(what_for, natural, evidence, classes).judged(decided)
    return _Answers(what_for, natural, evidence, task, classes).judged(
        decided if decided.ndim == 2 else decided[:, None]
    )


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
    both = _both(*(mean_cost(costs, one.decide(evidence.probabilities), evidence) for one in (natural, rule)))
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
        thresholds, notes = self._common() if self.objective.measure == "micro_f" else self._of_each()
        figures = self._both(lambda rows: self.p_nk[rows] > thresholds[self.fold_n[rows]])
        values = thresholds[FOLDS]
        rule: Rule = Thresholds(values) if self.is_multi_label else SecondClass(float(values[0]))
        said = tuple(f"{note}: {_listed(names)}" for note, names in notes.items())
        fitted = Fitted(rule, False, figures, FOLDS, said)
        return fitted if self.objective.is_bound else _kept_if_it_gains(fitted, self.natural)

    def judged(self, decided_nk: NDArray[Any]) -> dict[str, dict[str, float | None]]:
        """What these decisions are worth, and the natural ones."""
        return self._both(lambda rows: np.asarray(decided_nk[rows], bool))

    def _both(self, decided: Callable[[slice], Bools]) -> dict[str, dict[str, float | None]]:
        pairs = zip(self._figures(self._naturally), self._figures(decided), strict=True)
        return {name: _both(natural, other) for (name, natural), (_, other) in pairs}

    def _naturally(self, rows: slice) -> Bools:
        decided = self.natural.decide(self.probabilities[rows])
        return np.asarray(decided, bool).reshape(-1, self.p_nk.shape[1])

    def _of_each(self) -> tuple[Float64, dict[str, list[str]]]:
        """Of every column, (FOLDS + 1, K), without each fold and of all rows; and of which what has to be said."""
        thresholds = np.empty((FOLDS + 1, self.p_nk.shape[1]))
        notes: dict[str, list[str]] = {}
        for k, name in enumerate(self.names):
            ranked = self._ranked(k)
            for fold in range(FOLDS):
                thresholds[fold, k] = ranked.without(fold).threshold(self.objective)[0]
            thresholds[FOLDS, k], note = ranked.threshold(self.objective)
            if note:
                notes.setdefault(note, []).append(name)
        return thresholds, notes

    def _common(self) -> tuple[Float64, dict[str, list[str]]]:
        """The same, one threshold for all columns."""
        n_columns = self.p_nk.shape[1]
        largest = 1.0 if self.weights is None or not self.weights.any() else float(self.weights.max())

        def blocks() -> Iterator[Entries]:
            for rows in self._blocks(ENTRIES_AT_A_TIME):
                is_known_nk, counts_nk = self._counts(rows)
                part = np.flatnonzero(is_known_nk if counts_nk is None else counts_nk > 0)
                yield Entries(
                    self.p_nk[rows].ravel()[part],
                    self.truth_nk[rows].ravel()[part],
                    without_tilt(self.p_nk[rows], self.tilt_k).ravel()[part],
                    None if counts_nk is None else counts_nk.ravel()[part] / largest,
                    np.repeat(self.fold_n[rows], n_columns)[part],
                )

        values = common_thresholds(blocks, self.objective.number, PRIOR)
        return np.repeat(values[:, None], n_columns, axis=1), {}

    def _blocks(self, n_entries: int) -> Iterator[slice]:
        """All rows, so many entries at a time."""
        size = max(1, n_entries // max(1, self.p_nk.shape[1]))
        return (slice(start, start + size) for start in range(0, len(self.p_nk), size))

    def _counts(self, rows: slice, columns: Any = slice(None)) -> tuple[Bools, Float64 | None]:
        """Whether the truth is known; and what these entries count for, 0 where it is not; None: 1 where it is."""
        is_known = self.is_known_nk[rows, columns]
        if self.weights is None:
            return is_known, None
        if self.weights.ndim == 2:
            return is_known, np.where(is_known, self.weights[rows, columns], 0.0)
        weights = self.weights[rows]
        return is_known, np.where(is_known, weights if is_known.ndim == 1 else weights[:, None], 0.0)

    def _ranked(self, k: int) -> _Ranked:
        is_known_n, counts_n = self._counts(slice(None), k)
        part = np.flatnonzero(is_known_n if counts_n is None else counts_n > 0)
        p_n = self.p_nk[part, k]
        order = np.argsort(-p_n)
        rows = part[order]
        return _Ranked(
            p_n[order],
            self.truth_nk[rows, k],
            None if counts_n is None else counts_n[rows],
            self.fold_n[rows],
            None if self.tilt_k is None else float(self.tilt_k[k]),
        )

    def _sums(self, decided: Callable[[slice], Bools]) -> tuple[Float64, Float64, Float64, Float64]:
        """By column: the weight of the decisions that are yes and right, that are yes, that should be, and of all."""
        sums = np.zeros((4, self.p_nk.shape[1]))
        for rows in self._blocks(BLOCK):
            yes_nk, truth_nk = decided(rows), self.truth_nk[rows]
            is_known_nk, counts_nk = self._counts(rows)
            counted_nk: NDArray[Any] = is_known_nk if counts_nk is None else counts_nk
            yes_counted_nk = counted_nk * yes_nk
            each = (yes_counted_nk * truth_nk, yes_counted_nk, counted_nk * truth_nk, counted_nk)
            sums += [values_nk.sum(axis=0) for values_nk in each]
        return sums[0], sums[1], sums[2], sums[3]

    def _figures(self, decided: Callable[[slice], Bools]) -> list[tuple[str, float | None]]:
        """The figures of the decisions of all rows by name, that of the objective first."""
        measure, beta, name = self.objective.measure, self.objective.number, self.objective.name
        hits, yes, positives, total = self._sums(decided)
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
    """Entries, the most probable first: probability, whether it is true, weight (None: 1), fold; and their tilt."""

    p: Float32
    truth: Bools
    weights: Float64 | None
    fold: Folds
    tilt: float | None = None

    def without(self, fold: int) -> _Ranked:
        keep = np.flatnonzero(self.fold != fold)
        weights = None if self.weights is None else self.weights[keep]
        return _Ranked(self.p[keep], self.truth[keep], weights, self.fold[keep], self.tilt)

    def threshold(self, objective: Objective) -> tuple[float, str]:
        """The best one, and what has to be said of it.

        Among cuts that are equally good the one nearest to 0.5 is taken, and in its gap a short number near the middle.
        """
        if len(self.p) == 0:
            return THRESHOLD, "unknown in every row, so 0.5"
        is_last = np.append(self.p[1:] != self.p[:-1], self.p[-1] > 0)  # no threshold from 0 to 1 decides for a p of 0
        last = np.flatnonzero(is_last)
        bounds = np.concatenate((ONE, self.p[last], ZERO))  # the cut at place i parts bounds[i] from bounds[i + 1]
        weights = self.weights
        yes = np.append(0.0, last + 1.0 if weights is None else weights.cumsum()[last])
        note = ""
        if objective.is_bound:
            if not self.truth.any():
                return THRESHOLD, f"{objective.name}: no row is positive, so nothing can be said and 0.5 stays"
            seen = self.truth.astype(np.float64) if weights is None else np.where(self.truth, weights, 0.0)
            hits = np.append(0.0, seen.cumsum()[last])
            place, note = _bounded(objective, hits, yes, seen if objective.measure == "recall" else weights)
            return between(float(bounds[place + 1]), float(bounds[place])), note
        rarer = min(self._number_of(self.truth), self._number_of(~self.truth))
        if rarer == 0:
            note = "all rows alike, so the threshold comes from the probabilities alone"
        shares = without_tilt(self.p, self.tilt)
        trust = rarer / (PRIOR + rarer)
        shares *= 1.0 - trust
        shares += trust * self.truth
        if weights is not None:
            shares *= weights
        total, positives = len(self.p) if weights is None else float(weights.sum()), float(shares.sum())
        if not 0 < positives < total:  # probabilities of 0 or 1 alone
            return THRESHOLD, note
        value = _value(objective, np.append(0.0, shares.cumsum()[last]), yes, positives, total)
        return best_cut(value, bounds), note

    def _number_of(self, entries: Bools) -> float:
        """As how many of equal weight these count."""
        if self.weights is None:
            return float(np.count_nonzero(entries))
        return effective_number(self.weights[entries])


def _value(objective: Objective, hits: Float64, yes: Float64, positives: float, total: float) -> Float64:
    """What each cut is worth; positives lie above 0 and below the total."""
    if objective.measure == "accuracy":
        return hits + (total - positives - yes + hits)
    if objective.measure == "balanced_accuracy":
        return hits / positives + (total - positives - yes + hits) / (total - positives)
    squared = objective.number**2
    value = (1 + squared) * hits / (squared * positives + yes)
    if objective.measure == "macro_f":
        value += (1 + squared) * (total - positives - yes + hits) / (squared * (total - positives) + (total - yes))
    return value


def _bounded(objective: Objective, hits: Float64, yes: Float64, counts: Float64 | None) -> tuple[int, str]:
    """The cut that keeps the bound, and why if none does.

    As if one more row were seen, a positive one that is missed, or a yes that is wrong: so the recall of a new row that
    is like these has the bound for its mean, and one lucky row at the top has no precision of 1.

    Args:
        counts: what each entry counts for; of a recall, 0 for what is not positive. None: 1.
    """
    one_more = 1.0 if counts is None else float(counts.sum() / effective_number(counts))
    if objective.measure == "recall":
        assert counts is not None
        positives = float(counts.sum())
        enough = np.flatnonzero(hits >= objective.number * (positives + one_more) * (1 - ROUNDING))
        if len(enough):
            return int(enough[0]), ""
        all_of_them = np.flatnonzero(hits >= positives * (1 - ROUNDING))
        place = int(all_of_them[0]) if len(all_of_them) else len(hits) - 1
        return place, f"too few positive rows to promise {objective.name}; the threshold finds all of them"
    enough = np.flatnonzero((hits >= objective.number * (yes + one_more) * (1 - ROUNDING)) & (yes > 0))
    if len(enough):
        return int(enough[hits[enough].argmax()]), ""
    return 0, f"no threshold reaches {objective.name}; the one kept lies above every probability of these rows"


# --- one class of three or more ---


class _Classes:
    """Classes, decided for by scores."""

    def __init__(self, objective: Objective, natural: Rule, evidence: Evidence, classes: Sequence[Any]) -> None:
        self.objective, self.natural, self.classes = objective, natural, classes
        self.is_known_n = known = evidence.truth >= 0
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
        figures = {self.figure_name: _both(self._figure(natural_n), self._figure(decided_n))}
        absent = np.bincount(self.codes_n, self.weights_n, len(self.classes)) == 0
        notes = []
        if absent.any():
            named = [f"class {brief(name)}" for name, is_absent in zip(self.classes, absent, strict=True) if is_absent]
            notes.append(f"no row has it, so its probabilities alone say when it is decided for: {_listed(named)}")
        if self.objective.measure == "accuracy" and (self.untilt_k == 1).all():
            return Fitted(self.natural, True, figures, 0, ("accuracy: the largest probability is the best there is",))
        if not len(self.codes_n):
            return Fitted(self.natural, True, figures, FOLDS, tuple(notes))
        rule = self._scores(np.ones(len(self.codes_n), bool))
        return _kept_if_it_gains(Fitted(rule, False, figures, FOLDS, tuple(notes)), self.natural)

    @property
    def figure_name(self) -> str:
        return f"macro_{self.objective.name}" if self.objective.measure == "f" else self.objective.name

    def judged(self, decided_n: Codes) -> dict[str, dict[str, float | None]]:
        """What these decisions are worth, and the natural ones."""
        natural = self._figure(self.natural.decide(self.p_nk))
        return {self.figure_name: _both(natural, self._figure(decided_n[self.is_known_n]))}

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


def _both(natural: float | None, decided: float | None) -> dict[str, float | None]:
    return {"natural": natural, "decided": decided}


def _mean(figures: Float64) -> float | None:
    return float(figures.mean()) if figures.size else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
