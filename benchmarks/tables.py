"""Every table by one command of the shell: quality, seconds and peak memory of whole processes, beside scikit-learn.

    python benchmarks/tables.py --data TABLES --json tables.json

TABLES holds a folder for each set: train.csv.gz and test.csv.gz with the column `target` or 0/1 columns `label:*`, and
schema.json, which says what each column is; train.svm.gz and test.svm.gz; or the IDX files of MNIST. `synthetic` is
drawn here: 2 000 rows of 500 numbers, and 400 labels, each a linear rule of five of them and some noise.

- fromlogits: `fromlogits train TRAIN --target ... --test TEST --json`, nothing else said.
- fromlogits, told: with --categorical for the columns that schema.json calls so, where it does.
- fromlogits, fast: with --preset fast, and nothing told.
- MLPClassifier: scikit-learn's, early_stopping=True and else its defaults, on a median-imputing StandardScaler and a
  OneHotEncoder(handle_unknown="ignore"); sparse rows are scaled only, for to centre them would make them dense.
- HistGradientBoostingClassifier: its defaults, categorical columns as pandas' categories; no several labels.

scikit-learn is told the types. Each contender is a process of its own that reads, trains and judges: seconds are from
its start to its end, memory is its largest resident set. One that takes longer than the cap is ended and named.
Multi-class: accuracy and log-loss; labels: macro-F1, micro-F1 and log-loss in nats per entry, of the labels that the
training rows have. P@k is the share of the k likeliest labels that hold, mean over the rows; ours comes from the saved
model in a second process. Sets that the file of --json holds already stay there, so that they can be run a few at a
time. The exit status is 1 where a command of ours fails, or `synthetic` takes more than a minute or 1 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from machine import machine, show, write_json

# A process inherits the largest resident set of the one that started it, so nothing large is imported up here.

CSV, SVM = ("train.csv.gz", "test.csv.gz"), ("train.svm.gz", "test.svm.gz")
IDX = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
CLASSES, LABELS = ("--target", "target"), ("--target", "label:*")
SETS: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "adult": (CSV, CLASSES),
    "bank_marketing": (CSV, CLASSES),
    "connect4": (CSV, CLASSES),
    "drybean": (CSV, CLASSES),
    "german_credit": (CSV, CLASSES),
    "letter": (CSV, CLASSES),
    "satimage": (CSV, CLASSES),
    "shuttle": (CSV, CLASSES),
    "sleep": (CSV, CLASSES),
    "soybean": (CSV, CLASSES),
    "wine_quality": (CSV, CLASSES),
    "mnist": (IDX, ()),
    "emotions": (CSV, LABELS),
    "scene": (CSV, LABELS),
    "yeast": (CSV, LABELS),
    "synthetic": (CSV, LABELS),
    "bibtex": (SVM, ()),
    "eurlex57k": (SVM, ()),
    "imdb_genres": (SVM, ()),
}
"""Files to train and to test on, and what the command must be told."""
RANKED = ("bibtex", "eurlex57k")
MLP, BOOSTING = "MLPClassifier", "HistGradientBoostingClassifier"
COMMAND = (sys.executable, "-c", "from fromlogits.cli.main import run; raise SystemExit(run())")
"""What the `fromlogits` script does, with this interpreter."""
MOST_SECONDS, MOST_MB = 60, 1000
"""What `synthetic` may take of ours."""
Figures = dict[str, Any]


def run(command: Sequence[str], cap_s: float | None = None) -> tuple[Figures, str]:
    """What a process found, the JSON that it printed, with its seconds and peak memory; and what it said beside."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=said)
        timer = threading.Timer(cap_s or threading.TIMEOUT_MAX, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said.seek(0)
        words = said.read().decode()
        found: Figures = {"seconds": seconds, "peak_mb": usage.ru_maxrss * 1024 / 1e6}  # Linux counts in KiB
        if process.returncode == 0:
            return {**json.loads(output.read()), **found}, words
    if cap_s is not None and seconds >= cap_s:
        return {**found, "exceeds_s": cap_s}, words
    return {**found, "failed": f"exit {process.returncode}: {(words.splitlines() or [''])[-1]}"}, words


def categorical(folder: Path) -> list[str]:
    """The columns that schema.json calls categorical."""
    path = folder / "schema.json"
    schema = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return [column["name"] for column in schema.get("features", ()) if column["type"] == "categorical"]


def ours(name: str, folder: Path, said: Sequence[str], scratch: Path) -> tuple[Figures, str]:
    (train, test), target = SETS[name]
    model = scratch / f"{name}.safetensors"
    command = ["train", str(folder / train), *target, "--test", str(folder / test), "--json", "-o", str(model), *said]
    found, words = run([*COMMAND, *command, "--overwrite"])
    figures = {key: found[key] for key in ("seconds", "peak_mb", "failed") if key in found}
    if "failed" in found:
        return figures, words
    of_test = ("accuracy", "macro_f1", "micro_f1", "log_loss")
    figures |= {key: found["test"][key] for key in of_test if key in found["test"]}
    if name in RANKED:
        figures["ranks"], _ = run([sys.executable, __file__, "--child", "ranks", str(model), str(folder / test)])
    return figures, words


def contenders(name: str, folder: Path, scratch: Path, cap_s: float | None) -> Iterator[tuple[str, Figures, str]]:
    """Ours, and scikit-learn's where there is a cap."""
    yield "fromlogits", *ours(name, folder, (), scratch)
    if told := categorical(folder):
        yield "fromlogits, told", *ours(name, folder, ("--categorical", ",".join(told)), scratch)
    yield "fromlogits, fast", *ours(name, folder, ("--preset", "fast"), scratch)
    if cap_s is not None:
        for peer in (MLP, BOOSTING) if SETS[name][1] == CLASSES or name == "mnist" else (MLP,):
            yield peer, *run([sys.executable, __file__, "--child", peer, name, str(folder)], cap_s)


# --- in a process of its own ---


def draw(folder: Path) -> Figures:
    """The synthetic set, as two tables."""
    import gzip

    import numpy as np

    n, d, c, of_rule = 3000, 500, 400, 5
    rng = np.random.default_rng(0)
    features_nd = rng.standard_normal((n, d))
    rules_cd = np.zeros((c, d))
    for rule_d in rules_cd:
        rule_d[rng.choice(d, of_rule, replace=False)] = rng.standard_normal(of_rule)
    scores_nc = features_nd @ rules_cd.T + 0.3 * rng.standard_normal((n, c))
    shares_c = rng.uniform(0.02, 0.2, c)
    thresholds_c = [np.quantile(scores_n, 1 - share) for scores_n, share in zip(scores_nc.T, shares_c, strict=True)]
    table = np.hstack([features_nd, scores_nc > thresholds_c])
    header = ",".join([f"x{i}" for i in range(d)] + [f"label:{i}" for i in range(c)])
    for path, rows in zip(CSV, (table[:2000], table[2000:]), strict=True):
        with gzip.open(folder / path, "wt", compresslevel=1) as file:
            np.savetxt(file, rows, fmt=["%.5f"] * d + ["%d"] * c, delimiter=",", header=header, comments="")
    return {}


def ranks(model: Path, test: Path) -> Figures:
    """P@1 and P@5 of a saved model."""
    import fromlogits as fl
    from fromlogits.data.reading import Reading
    from fromlogits.opening import read_labelled

    clf = fl.load(model)
    dataset = read_labelled(clf, str(test), Reading())
    return precisions(clf.target_.encode(dataset.targets, unknown="mark"), clf.predict_proba(dataset.features))


def precisions(truth_nc: Any, p_nc: Any) -> Figures:
    import numpy as np

    likeliest_nk = np.argsort(-p_nc, axis=1, kind="stable")[:, :5]
    hits_nk = np.take_along_axis(truth_nc, likeliest_nk, axis=1) == 1
    return {"p_at_1": float(hits_nk[:, 0].mean()), "p_at_5": float(hits_nk.mean())}


def split(name: str, folder: Path) -> tuple[Any, Any, Any, Any]:
    """Rows and targets to train and to test on, as scikit-learn likes them."""
    import numpy as np

    paths = [folder / file for file in SETS[name][0]]
    if SETS[name][0] == IDX:
        import gzip

        def images(path: Path) -> tuple[Any, Any]:
            with gzip.open(path) as rows, gzip.open(str(path).replace("images-idx3", "labels-idx1")) as labels:
                y_n = np.frombuffer(labels.read(), np.uint8, offset=8)
                return np.frombuffer(rows.read(), np.uint8, offset=16).reshape(len(y_n), -1), y_n

        return *images(paths[0]), *images(paths[1])
    if SETS[name][0] == SVM:
        from sklearn.datasets import load_svmlight_files
        from sklearn.preprocessing import MultiLabelBinarizer

        X, y, X_test, y_test = load_svmlight_files([str(path) for path in paths], multilabel=True)
        labels = MultiLabelBinarizer().fit(y)
        known = set(labels.classes_)
        return X, labels.transform(y), X_test, labels.transform([known.intersection(own) for own in y_test])
    import pandas as pd

    text = dict.fromkeys(categorical(folder), str)
    tables = [pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""]) for path in paths]
    targets = "target" if SETS[name][1] == CLASSES else [c for c in tables[0].columns if c.startswith("label:")]
    X, X_test = (table.drop(columns=targets) for table in tables)
    return X, tables[0][targets].to_numpy(), X_test, tables[1][targets].to_numpy()


def theirs(peer: str, name: str, folder: Path) -> Figures:
    """Read, train and judge in this process."""
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.metrics import f1_score, log_loss
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X, y, X_test, y_test = split(name, folder)
    kinds = categorical(folder)
    if peer == BOOSTING:
        for column in kinds:
            X[column] = X[column].astype("category")
            X_test[column] = X_test[column].astype(X[column].dtype)
        model: Any = HistGradientBoostingClassifier(random_state=0)
    else:
        scaler: Any = StandardScaler(with_mean=SETS[name][0] != SVM)
        if SETS[name][0] == CSV:
            scaler = make_column_transformer(
                (make_pipeline(SimpleImputer(strategy="median"), scaler), [c for c in X.columns if c not in kinds]),
                (OneHotEncoder(handle_unknown="ignore"), kinds),
            )
        model = make_pipeline(scaler, MLPClassifier(early_stopping=True, random_state=0))
    with warnings.catch_warnings(action="ignore"):  # that its 200 epochs were not enough
        model.fit(X, y)
    p_nc = model.predict_proba(X_test)
    if y.ndim == 1:
        predicted_n = model.classes_[p_nc.argmax(axis=1)]
        return {
            "accuracy": float((predicted_n == y_test).mean()),
            "log_loss": log_loss(y_test, p_nc, labels=model.classes_),
        }
    predicted_nc = (p_nc > 0.5).astype(np.int8)
    known_nc = np.clip(np.where(y_test == 1, p_nc, 1 - p_nc), np.finfo(np.float64).eps, 1)
    return {
        "macro_f1": f1_score(y_test, predicted_nc, average="macro", zero_division=0.0),
        "micro_f1": f1_score(y_test, predicted_nc, average="micro", zero_division=0.0),
        "log_loss": float(-np.log(known_nc).mean()),
        **({"ranks": precisions(y_test, p_nc)} if name in RANKED else {}),
    }


def child(what: str, *arguments: str) -> Figures:
    if what == "draw":
        return draw(Path(arguments[0]))
    if what == "ranks":
        return ranks(Path(arguments[0]), Path(arguments[1]))
    return theirs(what, arguments[0], Path(arguments[1]))


# --- all of them ---


def shown(found: Figures) -> str:
    if "failed" in found:
        return f"failed: {found['failed']}"
    if "exceeds_s" in found:
        return f"exceeds {found['exceeds_s']:.0f} s, peak {found['peak_mb']:.0f} MB"
    figures = {**found.get("ranks", {}), **found}
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "ranks")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when one of ours fails or takes too much."""
    parser = argparse.ArgumentParser(description="Every table by one command, beside scikit-learn.")
    parser.add_argument("--data", type=Path, help="folder of the sets' folders")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="scikit-learn's, too")
    parser.add_argument("--cap", type=float, default=120, help="seconds that a peer may take (default 120)")
    parser.add_argument("--json", type=Path, help="also write the figures here, beside other sets' that it holds")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(child(*options.child)))
        return 0
    if options.data is None and options.sets != ["synthetic"]:
        parser.error("--data must name the folder of the sets' folders")
    facts = machine("scikit-learn", "pandas")
    show(facts)

    report: Figures = {"benchmark": "tables", **facts, "cap_s": options.cap, "sets": {}}
    if options.json is not None and options.json.exists():
        report["sets"] = json.loads(options.json.read_text(encoding="utf-8"))["sets"]
    status = 0
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        for name in options.sets:
            folder = scratch if name == "synthetic" else options.data / name
            if name == "synthetic":
                run([sys.executable, __file__, "--child", "draw", str(scratch)])
            print(name)
            report["sets"].setdefault(name, {})
            for who, found, words in contenders(name, folder, scratch, options.cap if options.peers else None):
                report["sets"][name][who] = found
                print(f"  {who:<30}  {shown(found)}")
                for line in words.splitlines():
                    if line.startswith(("warning:", "note:")):
                        print(f"    {line}")
                sys.stdout.flush()
                if who.startswith("fromlogits"):
                    is_too_much = found["seconds"] > MOST_SECONDS or found["peak_mb"] > MOST_MB
                    is_failed = "failed" in found or "failed" in found.get("ranks", {})
                    status |= is_failed or (name == "synthetic" and is_too_much)
            write_json(options.json, report)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
