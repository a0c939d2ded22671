"""How sparse features are best scaled, and how fast svmlight files are read.

    python benchmarks/sparse_rows.py --data FOLDER --json sparse_rows.json

FOLDER holds the folders bibtex, eurlex57k and imdb_genres with train.svm.gz and test.svm.gz, and reuters21578, adult
and bank_marketing with train.csv.gz and test.csv.gz; one that is missing is left out.

Scaling: `Classifier` at its defaults, one thread, with each scale in the place of the encoder's own. Reuters: words
that are in 8 texts or more, the 4 000 most frequent, as counts and as tf-idf. EUR-Lex: the first 12 000 rows, the 6 000
most frequent words and 500 most frequent labels. Adult and bank: the first 8 000 rows, text columns as flags, numbers
as they are. Reading: beside scikit-learn's `load_svmlight_file`, both unpacking, in turns in this process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import machine, mean_and_deviation, show, spread, write_json
from numpy.typing import NDArray
from scipy import sparse
from sklearn.datasets import load_svmlight_file
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

import fromlogits as fl
from fromlogits.data import encoders
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.schema import Schema
from fromlogits.data.svmlight import read_svmlight
from fromlogits.data.table import SparseMatrix

Float64 = NDArray[np.float64]
Split = tuple[Any, Any, Any, Any]


# --- data ---


def labelled(folder: Path, rows: int | None = None, words: int | None = None, most: int | None = None) -> Split:
    """A multi-label svmlight set; the first rows, the most frequent words and labels."""
    parts = [load_svmlight_file(str(folder / f"{part}.svm.gz"), multilabel=True) for part in ("train", "test")]
    d = max(X.shape[1] for X, _ in parts)
    c = 1 + max(int(max(own)) for _, y in parts for own in y if own)
    split: list[Any] = []
    for (X, y), n in zip(parts, (rows, None if rows is None else rows // 4), strict=True):
        X.resize(X.shape[0], d)
        Y = np.zeros((len(y), c), np.int64)
        for row, own in zip(Y, y, strict=True):
            row[[int(label) for label in own]] = 1
        split += [X[:n], Y[:n]]
    X, Y, X_test, Y_test = split
    columns = np.sort(np.argsort(-np.asarray((X != 0).sum(axis=0)).ravel(), kind="stable")[:words])
    frequent = np.sort(np.argsort(-Y.sum(axis=0), kind="stable")[:most])
    return X[:, columns], Y[:, frequent], X_test[:, columns], Y_test[:, frequent]


def texts(folder: Path, *, tfidf: bool) -> Split:
    train, test = pd.read_csv(folder / "train.csv.gz"), pd.read_csv(folder / "test.csv.gz")
    labels = [name for name in train.columns if name.startswith("label:")]
    words = CountVectorizer(min_df=8, max_features=4000, token_pattern=r"(?u)\b[a-z]{3,}\b")
    both = [frame["title"].fillna("") + " " + frame["text"].fillna("") for frame in (train, test)]
    X, X_test = words.fit_transform(both[0]).astype(float), words.transform(both[1]).astype(float)
    if tfidf:
        weights = TfidfTransformer(sublinear_tf=True).fit(X)
        X, X_test = weights.transform(X), weights.transform(X_test)
    return X, train[labels].to_numpy(), X_test, test[labels].to_numpy()


def flags(folder: Path, target: str = "target") -> Split:
    train, test = pd.read_csv(folder / "train.csv.gz")[:8000], pd.read_csv(folder / "test.csv.gz")[:5000]
    both = pd.get_dummies(pd.concat([train, test]).drop(columns=[target]).fillna("?"))
    X = sparse.csr_array(both.to_numpy(float))
    return X[: len(train)], train[target].to_numpy(str), X[len(train) :], test[target].to_numpy(str)


SETS: dict[str, Callable[[Path], Split]] = {
    "bibtex": lambda data: labelled(data / "bibtex"),
    "reuters, counts": lambda data: texts(data / "reuters21578", tfidf=False),
    "reuters, tf-idf": lambda data: texts(data / "reuters21578", tfidf=True),
    "eurlex57k": lambda data: labelled(data / "eurlex57k", 12_000, 6_000, 500),
    "adult": lambda data: flags(data / "adult"),
    "bank_marketing": lambda data: flags(data / "bank_marketing"),
}


# --- scales: of the columns of training rows, from their sizes and largest values ---


def sizes(inputs: SparseMatrix) -> tuple[Float64, Float64, Float64]:
    """Number of values, root of their mean square, largest; 1 where a column has none."""
    d, magnitudes = inputs.n_features, np.abs(inputs.values.astype(float))
    counts = np.bincount(inputs.indices, minlength=d)
    largest = np.zeros(d)
    np.maximum.at(largest, inputs.indices, magnitudes)
    squares = np.bincount(inputs.indices, magnitudes**2, minlength=d)
    is_used = largest > 0
    return counts, np.where(is_used, np.sqrt(squares / np.maximum(counts, 1)), 1.0), np.where(is_used, largest, 1.0)


def none(inputs: SparseMatrix) -> Float64:
    return np.ones(inputs.n_features)


def largest(inputs: SparseMatrix) -> Float64:
    return 1 / sizes(inputs)[2]


def each_column(inputs: SparseMatrix) -> Float64:
    return 1 / sizes(inputs)[1]


def together(inputs: SparseMatrix) -> Float64:
    values = inputs.values.astype(float)
    return np.full(inputs.n_features, 1 / np.sqrt((values**2).mean()))


def all_rows(inputs: SparseMatrix) -> Float64:
    counts, size, _ = sizes(inputs)
    return 1 / (size * np.sqrt(np.maximum(counts, 1) / len(inputs)))


SCALES: dict[str, Callable[[SparseMatrix], Float64] | None] = {
    "none": none,
    "1 / largest value": largest,
    "1 / size, each column": each_column,
    "1 / size, all columns together": together,
    "1 / size over all rows, zeros too": all_rows,
    "fromlogits": None,
}


def measure(split: Split, scale: Callable[[SparseMatrix], Float64] | None, seed: int) -> dict[str, float]:
    """Train and judge with a scale in the place of the encoder's own; None keeps that."""
    own = encoders._fit_scaled

    def fit_scaled(schema: Schema, inputs: SparseMatrix) -> FeatureEncoder:
        assert scale is not None
        return FeatureEncoder(schema, "scaled", inverse_spread=scale(inputs))

    X, y, X_test, y_test = split
    try:
        if scale is not None:
            encoders._fit_scaled = fit_scaled
        clf = fl.Classifier(random_state=seed, n_jobs=1, task="multi-label" if y.ndim == 2 else None).fit(X, y)
    finally:
        encoders._fit_scaled = own
    figures = clf.evaluate(X_test, y_test)
    if y.ndim == 1:
        return {name: figures[name] for name in ("accuracy", "log_loss")}
    best = clf.predict_logits(X_test).argmax(axis=1)
    precision = float(y_test[np.arange(len(best)), best].mean())
    return {"precision_at_1": precision, **{name: figures[name] for name in ("log_loss", "micro_f1")}}


def compare_scales(data: Path, seeds: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name, load in SETS.items():
        try:
            split = load(data)
        except FileNotFoundError as error:
            print(f"{name}: left out, there is no {error.filename}")
            continue
        X = split[0]
        share = X.count_nonzero() / np.prod(X.shape)
        print(f"{name}: {X.shape[0]:,} rows, {X.shape[1]:,} features, {100 * share:.2g} % not zero, {seeds} seeds")
        report[name] = {"not_zero": share}
        for words, scale in SCALES.items():
            runs = [measure(split, scale, seed) for seed in range(seeds)]
            figures = {metric: mean_and_deviation([run[metric] for run in runs]) for metric in runs[0]}
            report[name][words] = figures
            shown = "  ".join(f"{metric} {v['mean']:.4f} ± {v['deviation']:.4f}" for metric, v in figures.items())
            print(f"  {words:<34} {shown}", flush=True)
        print()
    return report


# --- reading ---


def compare_readers(data: Path, repeats: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name in ("bibtex", "imdb_genres", "eurlex57k"):
        path = data / name / "train.svm.gz"
        if not path.exists():
            print(f"{name}: left out, there is no {path}")
            continue
        report[name] = read_in_turns(name, path, repeats)
    return report


def read_in_turns(name: str, path: Path, repeats: int) -> dict[str, Any]:
    readers: dict[str, Callable[[], Any]] = {
        "fromlogits": lambda: read_svmlight(path),
        "scikit-learn": lambda: load_svmlight_file(str(path), multilabel=True),
    }
    seconds: dict[str, list[float]] = {reader: [] for reader in readers}
    for _ in range(repeats):
        for reader, run in readers.items():
            start = time.perf_counter()
            run()
            seconds[reader].append(time.perf_counter() - start)
    figures = {reader: spread(times) for reader, times in seconds.items()}
    shown = "  ".join(
        f"{reader} {v['median']:.3f} s ({v['lowest']:.3f} to {v['highest']:.3f})" for reader, v in figures.items()
    )
    print(f"{name}: {shown}", flush=True)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Sparse rows: scales of their features, and reading them.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets' folders")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn", "scipy")
    show(facts)

    reading = compare_readers(options.data, options.repeats)
    print()
    scales = compare_scales(options.data, options.seeds)
    write_json(options.json, {**facts, "seeds": options.seeds, "reading": reading, "scales": scales})


if __name__ == "__main__":
    main()
