"""Calibration, thresholds and prediction sets on held-out rows, beside scikit-learn's and MAPIE's.

    python benchmarks/decisions.py --data TABLES --json decisions.json

TABLES is as for tables.py. Of the rows to train on a fifth is kept for the decisions; `Classifier(calibrate=False)` is
trained on the others and stopped by those kept. That network is then everybody's: each fits its part on the kept rows,
and is judged on the test rows. Seconds are of that fit, the network's predictions of the kept rows included.
Classes are numbered from 0: with a gap in the numbers, as sleep has one, scikit-learn 1.9.1 fits a temperature that is
no minimum.

- Calibration: log-loss (labels: nats per entry) and expected calibration error before and after `calibrate`;
  scikit-learn's CalibratedClassifierCV(FrozenEstimator(network)) with each of its methods, of one class of many only.
- Thresholds: macro-F1 as it is and with decide_for="f1"; of two classes it is the F1 of the second, as with
  TunedThresholdClassifierCV(FrozenEstimator(network), scoring="f1", cv="prefit").
- Prediction sets: the test rows are cut in two at random, 100 times; sets are made from one half and judged on the
  other: mean coverage, mean size, and the share of the cuts inside the two numbers that hold 95 of 100 of them, by the
  guarantee's exact distribution for classes, by its bounds and the rows' spread for labels. MAPIE's
  SplitConformalClassifier and, of labels, MultiLabelClassificationController(risk="recall") get the same probabilities
  of the same cuts, or of fewer where they take more than the cap; the latter only where the array it makes, of rows by
  labels by 99 thresholds, has at most 4 GB.

A peer's fit that takes more than the cap of seconds is ended and named. The exit status is 1 where the mean coverage of
our sets lies below what was asked for by more than three standard errors of the mean over the cuts.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json
from tables import IDX, SETS, split

import fromlogits as fl
from fromlogits.decisions.sets import Method, PredictionSets, figures
from fromlogits.metrics.classes import Classes

NAMES = ("letter", "mnist", "adult", "sleep", "scene", "yeast", "bibtex", "eurlex57k")
COVERAGES = (0.8, 0.9, 0.95)
METHODS = ("temperature", "sigmoid", "isotonic")
CUTS = 100
MOST_GB = 4
Figures = dict[str, Any]


class TookTooLong(Exception):
    """A peer, by the cap."""


@contextmanager
def capped(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def of_peer(work: Callable[[], Figures], cap_s: float) -> Figures:
    """What it found, or that it took too long."""
    try:
        with capped(cap_s), warnings.catch_warnings(action="ignore"):
            return work()
    except TookTooLong:
        return {"exceeds_s": cap_s}


def log_loss(p_nk: Any, codes_n: Any) -> float:
    """Of probabilities as somebody else returns them; one that is 0 is the smallest float64's neighbour of 1 apart."""
    p_n = np.clip(p_nk[np.arange(len(codes_n)), codes_n].astype(np.float64), np.finfo(np.float64).eps, None)
    return float(-np.log(p_n).mean())


class Set:
    """One set: a network, its kept rows and its test rows."""

    def __init__(self, name: str, folder: Path) -> None:
        from sklearn.model_selection import train_test_split

        X, y, X_test, y_test = split(name, folder)
        if SETS[name][0] == IDX:
            X, X_test = (pictures.reshape(-1, 28, 28) for pictures in (X, X_test))
        if y.ndim == 1:
            classes, y = np.unique(y, return_inverse=True)
            y_test = np.searchsorted(classes, y_test)
        rows = np.arange(len(y))
        fit, keep = train_test_split(rows, test_size=0.2, random_state=0, stratify=y if y.ndim == 1 else None)
        parts = X.iloc if hasattr(X, "iloc") else X
        self.name, self.X, self.y = name, parts[keep], y[keep]
        self.X_test, self.y_test = X_test, y_test
        start = time.perf_counter()
        self.network = fl.Classifier(random_state=0, calibrate=False, task=None if y.ndim == 1 else "multi-label")
        self.network.fit(parts[fit], y[fit], X_val=self.X, y_val=self.y)
        self.training_s = time.perf_counter() - start
        self.targets = self.network.target_.encode(y_test, unknown="mark")
        self.is_classes = y.ndim == 1
        self.is_binary = self.is_classes and len(self.network.classes_) == 2

    def copy(self) -> fl.Classifier:
        import pickle

        clf: fl.Classifier = pickle.loads(pickle.dumps(self.network))
        return clf

    def figures(self, clf: fl.Classifier) -> Figures:
        of = clf.evaluate(self.X_test, self.y_test)
        of |= {"f1": of["per_class"][1]["f1"]} if self.is_binary else {}
        return {key: of[key] for key in ("log_loss", "ece", "f1", "macro_f1", "accuracy") if key in of}

    # Calibration and thresholds

    def calibration(self) -> Figures:
        before = self.figures(self.network)
        start = time.perf_counter()
        calibrated = self.copy().calibrate(self.X, self.y)
        seconds = time.perf_counter() - start
        after = self.figures(calibrated)
        return {
            "before": before,
            "after": after,
            "seconds": seconds,
            "share_of_training": seconds / self.training_s,
        }

    def their_calibration(self, method: str) -> Figures:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.frozen import FrozenEstimator

        start = time.perf_counter()
        other = CalibratedClassifierCV(FrozenEstimator(self.network), method=method).fit(self.X, self.y)
        seconds = time.perf_counter() - start
        p_nk = other.predict_proba(self.X_test)
        logits_nk = np.log(np.clip(p_nk, np.finfo(np.float64).eps, 1)).astype(np.float32)
        ece = Classes(logits_nk, self.targets).ece
        return {"log_loss": log_loss(p_nk, self.targets), "ece": ece, "seconds": seconds}

    def thresholds(self) -> Figures:
        plain = self.copy().calibrate(self.X, self.y)
        start = time.perf_counter()
        decided = self.copy().calibrate(self.X, self.y, decide_for="f1")
        seconds = time.perf_counter() - start
        return {"natural": self.figures(plain), "f1": self.figures(decided), "seconds": seconds}

    def their_threshold(self) -> Figures:
        from sklearn.frozen import FrozenEstimator
        from sklearn.metrics import f1_score, make_scorer
        from sklearn.model_selection import TunedThresholdClassifierCV

        positive = self.network.classes_[1]
        scorer = make_scorer(f1_score, pos_label=positive)
        start = time.perf_counter()
        other = TunedThresholdClassifierCV(FrozenEstimator(self.network), scoring=scorer, cv="prefit", refit=False)
        other.fit(self.X, self.y)
        seconds = time.perf_counter() - start
        return {"f1": f1_score(self.y_test, other.predict(self.X_test), pos_label=positive), "seconds": seconds}

    # Prediction sets

    def halves(self) -> Iterator[tuple[Any, Any]]:
        rng = np.random.default_rng(0)
        for _ in range(CUTS):
            order = rng.permutation(len(self.targets))
            yield order[: len(order) // 2], order[len(order) // 2 :]

    def sets(self, logits_nc: Any, method: Method) -> Figures:
        found: Figures = {}
        for coverage in COVERAGES:
            shares, sizes, seconds, inside = [], [], [], 0
            for kept, judged in self.halves():
                start = time.perf_counter()
                sets = PredictionSets.fit(method, coverage, logits_nc[kept], self.targets[kept])
                seconds.append(time.perf_counter() - start)
                of_cut = figures(sets, logits_nc[judged], self.targets[judged])
                shares.append(of_cut["coverage"])
                sizes.append(of_cut["mean_size"])
                low, high = of_cut["expected"]
                inside += low <= shares[-1] and (high is None or shares[-1] <= high)
            found[str(coverage)] = {
                **summary(coverage, shares, sizes), "seconds": statistics.median(seconds), "inside": inside / CUTS
            }  # fmt: skip
        return found

    def covered(self, sets_nk: Any, rows: Any) -> float:
        """The share of rows with their class in the set, or the mean share of a row's labels, of rows that have any."""
        targets = self.targets[rows]
        if self.is_classes:
            return float(sets_nk[np.arange(len(rows)), targets].mean())
        has_nc = targets == 1
        counts_n = has_nc.sum(axis=1)
        return float(((has_nc & sets_nk).sum(axis=1)[counts_n > 0] / counts_n[counts_n > 0]).mean())

    def their_sets(self, p_nk: Any, method: str, coverage: float, cap_s: float) -> Figures:
        """MAPIE's; each estimator sees row numbers, and answers with the probabilities of these rows."""
        make = self._mapie_classes if self.is_classes else self._mapie_labels
        if self.is_binary and method == "aps":
            return {"refuses": "two classes"}
        array_gb = p_nk.size * 99 * 8 / 2e9
        if not self.is_classes and array_gb > MOST_GB:
            return {"exceeds_gb": round(array_gb, 1)}
        shares, sizes, seconds, start = [], [], [], time.perf_counter()
        for kept, judged in self.halves():
            begin = time.perf_counter()
            sets_nk, fitted_s = make(p_nk, method, coverage, kept, judged)
            seconds.append(fitted_s - begin)
            shares.append(self.covered(sets_nk, judged))
            sizes.append(float(sets_nk.sum(axis=1).mean()))
            if time.perf_counter() - start > cap_s / len(COVERAGES):
                break
        return {**summary(coverage, shares, sizes), "seconds": statistics.median(seconds)}

    def _mapie_classes(self, p_nk: Any, method: str, coverage: float, kept: Any, judged: Any) -> tuple[Any, float]:
        from mapie.classification import SplitConformalClassifier

        known = Known(p_nk)
        mapie = SplitConformalClassifier(known, confidence_level=coverage, conformity_score=method, random_state=0)
        mapie.conformalize(kept[:, None], self.targets[kept])
        fitted = time.perf_counter()
        return mapie.predict_set(judged[:, None])[1][:, :, 0], fitted

    def _mapie_labels(self, p_nk: Any, method: str, coverage: float, kept: Any, judged: Any) -> tuple[Any, float]:
        from mapie.risk_control import MultiLabelClassificationController

        mapie = MultiLabelClassificationController(Known(p_nk).predict_proba, risk="recall", target_level=coverage)
        has = kept[(self.targets[kept] == 1).any(axis=1)]
        mapie.calibrate(has[:, None], self.targets[has].astype(np.int64))
        fitted = time.perf_counter()
        return np.asarray(mapie.predict(judged[:, None]), bool).reshape(len(judged), -1), fitted


class Known:
    """A fitted classifier of row numbers, to scikit-learn's conventions."""

    _estimator_type = "classifier"

    def __init__(self, p_nk: Any = None) -> None:
        self.p_nk = p_nk
        self.classes_ = np.arange(p_nk.shape[1])
        self.n_features_in_ = 1

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator, ClassifierMixin

        return type("Tagged", (ClassifierMixin, BaseEstimator), {})().__sklearn_tags__()

    def get_params(self, deep: bool = True) -> Figures:
        return {"p_nk": self.p_nk}

    def fit(self, X: Any, y: Any) -> Known:
        return self

    def predict_proba(self, X: Any) -> Any:
        p_nk = self.p_nk[np.asarray(X)[:, 0].astype(np.int64)].astype(np.float64)
        return p_nk

    def predict(self, X: Any) -> Any:
        return self.predict_proba(X).argmax(axis=1)


def summary(asked: float, shares: Sequence[float], sizes: Sequence[float]) -> Figures:
    return {
        "asked": asked,
        "cuts": len(shares),
        "coverage": statistics.fmean(shares),
        "deviation": statistics.stdev(shares) if len(shares) > 1 else 0.0,
        "size": statistics.fmean(sizes),
    }


def judge(name: str, folder: Path, cap_s: float, *, with_peers: bool) -> Figures:
    """Everything about one set."""
    one = Set(name, folder)
    found: Figures = {
        "rows": {"kept": len(one.y), "test": len(one.y_test)},
        "classes": len(one.network.classes_),
        "training_s": one.training_s,
        "calibration": {"fromlogits": one.calibration()},
        "thresholds": {"fromlogits": one.thresholds()},
        "sets": {},
    }
    if with_peers and one.is_classes:
        for method in METHODS:
            found["calibration"][method] = of_peer(partial(one.their_calibration, method), cap_s)
        if one.is_binary:
            found["thresholds"]["TunedThresholdClassifierCV"] = of_peer(one.their_threshold, cap_s)
    calibrated = one.copy().calibrate(one.X, one.y)
    logits_nc, p_nk = calibrated.predict_logits(one.X_test), calibrated.predict_proba(one.X_test)
    for method in ("lac", "aps") if one.is_classes else ("recall",):
        found["sets"][method] = {"fromlogits": one.sets(logits_nc, method)}
        if with_peers:
            found["sets"][method]["MAPIE"] = {
                str(coverage): of_peer(partial(one.their_sets, p_nk, method, coverage, cap_s), cap_s)
                for coverage in COVERAGES
            }
    return found


def text(found: Figures) -> Iterator[str]:
    """Line by line."""
    number = "  ".join
    for what in ("calibration", "thresholds"):
        for who, of_one in found[what].items():
            parts = [f"{key} {value:.4g}" for key, value in of_one.items() if isinstance(value, float)]
            for key, value in of_one.items():
                if isinstance(value, dict):
                    parts.append(f"{key}: " + number(f"{k} {v:.4f}" for k, v in value.items()))
            yield f"  {what:<12} {who:<28} {number(parts)}"
    for method, contenders in found["sets"].items():
        for who, by_coverage in contenders.items():
            for asked, f in by_coverage.items():
                if "coverage" not in f:
                    yield f"  sets {method:<7} {who:<28} {asked}: {f}"
                    continue
                inside = f"  inside {f['inside']:.0%}" if "inside" in f else ""
                yield (
                    f"  sets {method:<7} {who:<28} {asked}: {f['coverage']:.4f} ± {f['deviation']:.4f}"
                    f"  size {f['size']:.3f}  {f['cuts']} cuts  {f['seconds']:.3g} s{inside}"
                )


def falls_short(found: Figures) -> bool:
    """Whether the mean coverage of ours is too small to be chance."""
    every = (f for contenders in found["sets"].values() for f in contenders["fromlogits"].values())
    return any(f["coverage"] < f["asked"] - 3 * f["deviation"] / f["cuts"] ** 0.5 for f in every)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when the sets' guarantee is not kept."""
    parser = argparse.ArgumentParser(description="Calibration, thresholds and prediction sets, beside peers.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets' folders")
    parser.add_argument("--sets", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="scikit-learn and MAPIE")
    parser.add_argument("--cap", type=float, default=60, help="seconds that a peer may take (default 60)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn", "mapie", "pandas")
    show(facts)
    report: Figures = {"benchmark": "decisions", **facts, "cap_s": options.cap, "sets": {}}
    status = 0
    for name in options.sets:
        found = judge(name, options.data / name, options.cap, with_peers=options.peers)
        report["sets"][name] = found
        print(f"{name}: {found['rows']['kept']:,} rows kept, {found['rows']['test']:,} to test on, trained in"
              f" {found['training_s']:.1f} s")  # fmt: skip
        for line in text(found):
            print(line)
        sys.stdout.flush()
        status |= falls_short(found)
        write_json(options.json, report)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
