"""One fit of one contender in a process of its own, for quality.py: reads, trains, judges the test rows, writes JSON.

    python benchmarks/contenders.py DATA SET CONTENDER SEED THREADS CPU_S OUT
    python benchmarks/contenders.py versions OUT

The interpreter needs the packages of that contender, scikit-learn and pandas; fromlogits only where it is the
contender. After CPU_S seconds of processor time the process is ended by the system.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from machine import machine
from tables import categorical, split

DIGITS = Path(__file__).resolve().parent.parent / "examples" / "digits.csv"
TABLE, PICTURES, LABELS = "table", "pictures", "labels"
SETS = {
    "soybean": TABLE,
    "german_credit": TABLE,
    "digits": TABLE,
    "satimage": TABLE,
    "wine_quality": TABLE,
    "drybean": TABLE,
    "letter": TABLE,
    "adult": TABLE,
    "bank_marketing": TABLE,
    "shuttle": TABLE,
    "connect4": TABLE,
    "sleep": TABLE,
    "mnist": PICTURES,
    "fashion_mnist": PICTURES,
    "emotions": LABELS,
    "scene": LABELS,
    "yeast": LABELS,
    "bibtex": LABELS,
    "imdb_genres": LABELS,
}
"""What each set is; of a kind, from few rows to many."""
PACKAGES = ("scikit-learn", "pandas", "lightgbm", "catboost", "pytabkit", "torch")
Predict = Callable[[], Any]
Figures = dict[str, Any]


@dataclass
class Problem:
    """Rows to train and to test on. Classes are numbered from 0, labels are 0/1 columns."""

    kind: str
    X: Any
    y: Any
    X_test: Any
    y_test: Any
    categorical: list[str]

    def as_categories(self, *, same: bool) -> tuple[Any, Any]:
        """The tables with the columns that are categories as pandas' own; same: a level of the test rows that the
        training rows lack is then missing."""
        X, X_test = self.X, self.X_test
        for column in self.categorical:
            X = X.assign(**{column: X[column].astype("category")})
            X_test = X_test.assign(**{column: X_test[column].astype(X[column].dtype if same else "category")})
        return X, X_test


def problem(name: str, data: Path) -> Problem:
    import numpy as np

    if name == "digits":
        import pandas as pd

        table = pd.read_csv(DIGITS)
        order = np.random.default_rng(0).permutation(len(table))
        parts = (table.iloc[order[len(table) // 5 :]], table.iloc[order[: len(table) // 5]])
        (X, y), (X_test, y_test) = ((t.drop(columns="digit"), t["digit"].to_numpy()) for t in parts)
        told = []
    else:
        X, y, X_test, y_test = split("mnist" if SETS[name] == PICTURES else name, data / name)
        told = categorical(data / name) if SETS[name] == TABLE else []
    if y.ndim == 1:
        classes, y = np.unique(y, return_inverse=True)
        codes = {value: code for code, value in enumerate(classes)}
        y_test = np.array([codes[value] for value in y_test])
    return Problem(SETS[name], X, y, X_test, y_test, told)


# --- the contenders: each trains, and returns what predicts the test rows' probabilities ---


def ours(preset: str, of: Problem, seed: int, threads: int) -> Predict:
    import fromlogits as fl

    X, X_test = of.as_categories(same=False)
    if of.kind == PICTURES:
        X, X_test = (pictures.reshape(-1, 28, 28) for pictures in (X, X_test))
    task = "multi-label" if of.kind == LABELS else "multi-class"
    clf = fl.Classifier(preset=preset, task=task, random_state=seed, n_jobs=threads).fit(X, of.y)
    return OursOfTest(clf, X_test, of.y_test)


@dataclass
class OursOfTest:
    clf: Any
    X_test: Any
    y_test: Any

    def __call__(self) -> Any:
        return self.clf.predict_proba(self.X_test)

    def log_loss(self) -> float:
        """From the logits, where no probability is 0."""
        return float(self.clf.evaluate(self.X_test, self.y_test)["log_loss"])


def mlp(of: Problem, seed: int, threads: int) -> Predict:
    from scipy.sparse import issparse
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    scaler: Any = StandardScaler(with_mean=not issparse(of.X))
    if of.kind == TABLE:
        numbers = [column for column in of.X.columns if column not in of.categorical]
        scaler = make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), scaler), numbers),
            (OneHotEncoder(handle_unknown="ignore"), of.categorical),
        )
    model = make_pipeline(scaler, MLPClassifier(random_state=seed)).fit(of.X, of.y)
    return lambda: model.predict_proba(of.X_test)


def boosting(of: Problem, seed: int, threads: int) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, X_test = of.as_categories(same=True)
    model = HistGradientBoostingClassifier(random_state=seed).fit(X, of.y)
    return lambda: model.predict_proba(X_test)


def lightgbm(of: Problem, seed: int, threads: int) -> Predict:
    """Of labels one model each; a label that all or none of the training rows have keeps that share."""
    import numpy as np
    from lightgbm import LGBMClassifier

    X, X_test = of.as_categories(same=True)
    if hasattr(X, "columns"):  # it refuses some characters in names
        numbered = dict(zip(X.columns, [f"x{i}" for i in range(X.shape[1])], strict=True))
        X, X_test = X.rename(columns=numbered), X_test.rename(columns=numbered)

    def fit(y: Any) -> Any:
        return LGBMClassifier(random_state=seed, n_jobs=threads, verbosity=-1).fit(X, y)

    if of.kind != LABELS:
        model = fit(of.y)
        return lambda: model.predict_proba(X_test)
    if not hasattr(X, "columns"):
        X, X_test = X.astype(np.float32), X_test.astype(np.float32)
    shares = of.y.mean(axis=0)
    models = [fit(of.y[:, label]) if 0 < share < 1 else None for label, share in enumerate(shares)]
    rows = X_test.shape[0]
    return lambda: np.column_stack(
        [
            np.full(rows, share) if model is None else model.predict_proba(X_test)[:, 1]
            for model, share in zip(models, shares, strict=True)
        ]
    )


def catboost(of: Problem, seed: int, threads: int) -> Predict:
    """Its categories are text, a missing one too."""
    from catboost import CatBoostClassifier

    def as_text(X: Any) -> Any:
        return X.assign(**{column: X[column].astype(object).fillna("(missing)") for column in of.categorical})

    X, X_test = as_text(of.X), as_text(of.X_test)
    options = {"random_seed": seed, "thread_count": threads, "verbose": False, "allow_writing_files": False}
    model = CatBoostClassifier(cat_features=of.categorical, **options).fit(X, of.y)
    return lambda: model.predict_proba(X_test)


def realmlp(options: dict[str, Any], of: Problem, seed: int, threads: int) -> Predict:
    """It takes no missing numbers; no number is missing in these sets."""
    from pytabkit import RealMLP_TD_Classifier

    X, X_test = of.as_categories(same=True)
    model = RealMLP_TD_Classifier(device="cpu", random_state=seed, n_threads=threads, **options)
    model.fit(X, of.y, cat_col_names=of.categorical)
    return lambda: model.predict_proba(X_test)


CONTENDERS: dict[str, tuple[Callable[[Problem, int, int], Predict], tuple[str, ...], str]] = {
    "fast": (partial(ours, "fast"), (TABLE, PICTURES, LABELS), "fromlogits"),
    "good": (partial(ours, "good"), (TABLE, PICTURES, LABELS), "fromlogits"),
    "best": (partial(ours, "best"), (TABLE, PICTURES, LABELS), "fromlogits"),
    "lightgbm": (lightgbm, (TABLE, PICTURES, LABELS), "lightgbm"),
    "hgb": (boosting, (TABLE, PICTURES), "scikit-learn"),
    "mlp": (mlp, (TABLE, PICTURES, LABELS), "scikit-learn"),
    "catboost": (catboost, (TABLE,), "catboost"),
    "realmlp-ce": (partial(realmlp, {"val_metric_name": "cross_entropy", "use_ls": False}), (TABLE,), "pytabkit"),
    "realmlp": (partial(realmlp, {}), (TABLE,), "pytabkit"),
}
"""What trains it, the kinds of sets it is given, and the package it needs."""
OURS = ("fast", "good", "best")


# --- one fit ---


def judged(p_nc: Any, y_test: Any) -> Figures:
    """Figures of the test rows. The log-loss is in nats, of labels per entry; a probability of 0 for what is true
    counts as the smallest normal float64, and `zeros` says how many there were."""
    import numpy as np

    if y_test.ndim == 1:
        true_n = p_nc[np.arange(len(y_test)), y_test].astype(np.float64)
        errors = int((p_nc.argmax(axis=1) != y_test).sum())
        rows = len(y_test)
        figures: Figures = {"rows": rows, "errors": errors, "error": errors / rows, "accuracy": 1 - errors / rows}
    else:
        from sklearn.metrics import f1_score

        true_n = np.where(y_test == 1, p_nc, 1 - p_nc.astype(np.float64)).ravel()
        held_nc = (p_nc > 0.5).astype(np.int8)
        figures = {"rows": len(y_test), "labels": y_test.shape[1]}
        for average in ("macro", "micro"):
            figures[f"{average}_f1"] = float(f1_score(y_test, held_nc, average=average, zero_division=0.0))
    floor = np.finfo(np.float64).tiny
    figures["log_loss"] = float(-np.log(np.maximum(true_n, floor)).mean())
    figures["zeros"] = int((true_n <= 0).sum())
    return figures


def cpu_s() -> float:
    """Seconds of processor time of this process, its threads and the processes it has waited for."""
    return sum(os.times()[:4])


def one_fit(data: Path, name: str, contender: str, seed: int, threads: int) -> Figures:
    of = problem(name, data)
    start, cpu = time.perf_counter(), cpu_s()
    predict = CONTENDERS[contender][0](of, seed, threads)
    figures: Figures = {"fit_s": time.perf_counter() - start, "fit_cpu_s": cpu_s() - cpu}
    start = time.perf_counter()
    p_nc = predict()
    figures["predict_s"] = time.perf_counter() - start
    figures |= judged(p_nc, of.y_test)
    if isinstance(predict, OursOfTest):
        figures |= {"log_loss": predict.log_loss(), "zeros": 0}
    return figures


def versions() -> Figures:
    """What this interpreter has, and the presets of its fromlogits."""
    facts = machine(*PACKAGES)
    if facts["versions"]["fromlogits"] is not None:
        from fromlogits.presets import PRESETS

        facts["presets"] = list(PRESETS)
    return facts


def main() -> None:
    *what, out = sys.argv[1:]
    if what == ["versions"]:
        found = versions()
    else:
        data, name, contender, seed, threads, limit_s = what
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s), resource.RLIM_INFINITY))
        with warnings.catch_warnings(action="ignore"):  # that its epochs were not enough
            found = one_fit(Path(data), name, contender, int(seed), int(threads))
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
