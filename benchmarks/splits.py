"""Seconds and quality of held-out rows of many labels, beside a random split and other libraries' stratified ones.

    python benchmarks/splits.py --data DATA [--sets yeast ...] [--seeds N] [--cap S] [--json FILE]

DATA holds a folder for each set, as benchmarks/tables.py takes it; `drawn` is made here: 100 000 rows and 100 labels,
of which label k holds in a share of 0.3 / (k + 1), each on its own. A tenth of the training file's rows is held out by

- fromlogits: `data.splits.validation_rows`, what `train` does;
- random: a tenth of the rows, whatever their labels;
- iterative-stratification: MultilabelStratifiedShuffleSplit(test_size=0.1);
- scikit-multilearn: IterativeStratification(n_splits=2, order=1), a tenth and the rest. Its draws are NumPy's global.

What is not installed is left out. Each contender is a process of its own; seconds are of the split alone, from a matrix
in memory, the median over the seeds. One that takes longer than the cap in all is ended and named. A label's share is
that of the rows that have it; the difference between its shares of the held-out and of the training rows is given for
the worst label and as the mean, in points, the median over the seeds; so is how many labels that are set in 10 rows or
more have no held-out row, and how many of two rows or more no training row.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json
from numpy.typing import NDArray

from fromlogits.data.label_sets import SparseLabels

SETS = {
    "drawn": ("", None),
    "yeast": ("train.csv.gz", "label:*"),
    "scene": ("train.csv.gz", "label:*"),
    "emotions": ("train.csv.gz", "label:*"),
    "reuters21578": ("train.csv.gz", "label:*"),
    "bibtex": ("train.svm.gz", None),
    "imdb_genres": ("train.svm.gz", None),
    "eurlex57k": ("train.svm.gz", None),
}
FRACTION = 0.1
Figures = dict[str, Any]
Held = NDArray[Any]
"""Numbers of the held-out rows."""


def labels_of(name: str, data: str) -> SparseLabels:
    """The labels of a set's training rows."""
    from fromlogits.data.label_sets import of_sparse
    from fromlogits.data.sources import read
    from fromlogits.data.targets import TargetEncoder

    if name == "drawn":
        rng = np.random.default_rng(0)
        matrix = rng.random((100_000, 100)) < 0.3 / (np.arange(100) + 1)
    else:
        file, target = SETS[name]
        dataset = read(str(Path(data) / name / file), target=target)
        found = TargetEncoder.fit(dataset.targets, "multi-label").encode_rows(dataset.targets)
        if isinstance(found, SparseLabels):
            return found
        matrix = found == 1
    from scipy.sparse import csr_array

    sets = of_sparse(csr_array(matrix))
    found = TargetEncoder.fit(sets, "multi-label").encode_rows(sets)
    assert isinstance(found, SparseLabels)
    return found


def splitter(who: str, labels: SparseLabels) -> Callable[[int], Held]:
    """From a seed to the held-out rows, the matrix in the form that it takes already there."""
    n = len(labels)
    if who == "fromlogits":
        from fromlogits.data.splits import validation_rows

        return lambda seed: validation_rows(labels, labels.n_labels, FRACTION, seed)[1]
    if who == "random":
        return lambda seed: np.random.default_rng(seed).permutation(n)[: round(n * FRACTION)]
    rows_n1 = np.arange(n)[:, None]
    if who == "iterative-stratification":
        from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

        matrix = labels[:].astype(bool)

        def by_iterstrat(seed: int) -> Held:
            split = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=FRACTION, random_state=seed)
            return np.asarray(next(split.split(rows_n1, matrix))[1])

        return by_iterstrat
    from skmultilearn.model_selection import IterativeStratification

    integers = labels[:].astype(np.int64)

    def by_multilearn(seed: int) -> Held:
        np.random.seed(seed)
        split = IterativeStratification(n_splits=2, order=1, sample_distribution_per_fold=[FRACTION, 1 - FRACTION])
        parts = [np.asarray(part) for part in next(split.split(rows_n1, integers))]
        return min(parts, key=len)

    return by_multilearn


CONTENDERS = {
    "fromlogits": None,
    "random": None,
    "iterative-stratification": "iterstrat",
    "scikit-multilearn": "skmultilearn",
}
"""And the module that is needed for it."""


def quality(labels: SparseLabels, held: Held) -> Figures:
    rows, columns = labels.nonzero()
    is_held = np.zeros(len(labels), bool)
    is_held[held] = True
    held_c, all_c = (np.bincount(columns[some], minlength=labels.n_labels) for some in (is_held[rows], slice(None)))
    points_c = 100 * np.abs(held_c / len(held) - (all_c - held_c) / (len(labels) - len(held)))
    return {
        "rows_held": len(held),
        "largest": float(points_c.max()),
        "mean": float(points_c.mean()),
        "never_held": int(((all_c >= 1 / FRACTION) & (held_c == 0)).sum()),
        "never_trained": int(((all_c >= 2) & (held_c == all_c)).sum()),
    }


def child(who: str, name: str, data: str, n_seeds: int) -> Figures:
    """One contender on one set."""
    labels = labels_of(name, data)
    split = splitter(who, labels)
    seconds, found = [], []
    for seed in range(n_seeds):
        start = time.perf_counter()
        held = split(seed)
        seconds.append(time.perf_counter() - start)
        found.append(quality(labels, held))
    return {
        "rows": len(labels),
        "labels": labels.n_labels,
        "seconds": statistics.median(seconds),
        **{figure: statistics.median(one[figure] for one in found) for figure in found[0]},
    }


def measured(who: str, name: str, data: Path | None, n_seeds: int, cap_s: float) -> Figures:
    command = [sys.executable, __file__, "--child", who, name, str(data), str(n_seeds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=cap_s, check=False)
    except subprocess.TimeoutExpired:
        return {"exceeds_s": cap_s}
    if done.returncode:
        return {"failed": (done.stderr.splitlines() or [""])[-1]}
    figures: Figures = json.loads(done.stdout)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when ours fails."""
    parser = argparse.ArgumentParser(description="Held-out rows of many labels: seconds and quality.")
    parser.add_argument("--data", type=Path, help="folder of the sets' folders")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=3, help="splits of each (default 3)")
    parser.add_argument("--cap", type=float, default=300, help="seconds that all of them may take (default 300)")
    parser.add_argument("--json", type=Path, help="also write the figures here, beside other sets' that it holds")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        who, name, data, n_seeds = options.child
        print(json.dumps(child(who, name, data, int(n_seeds))))
        return 0
    if options.data is None and options.sets != ["drawn"]:
        parser.error("--data must name the folder of the sets' folders")
    contenders = [who for who, module in CONTENDERS.items() if module is None or find_spec(module)]
    facts = machine("iterative-stratification", "scikit-multilearn", "scikit-learn")
    show(facts)

    report: Figures = {"benchmark": "splits", **facts, "cap_s": options.cap, "seeds": options.seeds, "sets": {}}
    if options.json is not None and options.json.exists():
        report["sets"] = json.loads(options.json.read_text(encoding="utf-8"))["sets"]
    status = 0
    for name in options.sets:
        report["sets"][name] = {}
        for who in contenders:
            found = measured(who, name, options.data, options.seeds, options.cap)
            report["sets"][name][who] = found
            print(f"{name:<12}  {who:<25}  {'  '.join(f'{key} {value}' for key, value in found.items())}", flush=True)
            status |= who == "fromlogits" and "seconds" not in found
        write_json(options.json, report)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
