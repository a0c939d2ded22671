"""Cars, buses and pedestrians in street photographs of cities that no training saw: `tiny` and what it must beat.

    python benchmarks/street.py --data STREET --json street.json
    python benchmarks/street.py --data STREET --summary street.json

STREET holds tiles.csv (file, car, bus, pedestrian, frame, city) with tiles.zip, and for the whole frames labels.csv,
areas.csv (file, city) and images/. The pictures are for research alone: nothing of them, and no model of them, goes
anywhere but a folder that is deleted; figures do.

Three folds: the cities in the order of their names, the i-th in fold i mod 3. Each fold is predicted by what was
trained on the two others, with whole frames held out to choose epochs and calibrate.

- none-fast, none-fast-separate, none: `fromlogits train --backbone none`, dense layers on the native engine, by the
  preset fast, one network, and with `--separate-networks` one for each label; and by good.
- tiny, tiny-separate, tiny-best: `--backbone tiny`, one network; one for each label; and the preset best.
- tiny-whole: of whole frames alone, `--backbone tiny --image-size 128x256`, as large as they are.
- hog: histograms of oriented gradients (scikit-image: 9 orientations, cells of 8 x 8 pixels, blocks of 2 x 2 cells) in
  colour, standardised, and scikit-learn's LogisticRegression for each label, whose C is chosen among four by the mean
  ROC AUC over three groups of the training cities.
- frequencies: of every picture each label's share of the training rows.

Figures of a label are means over the folds (those that were run) of ROC AUC and average precision. Intervals are of
95 %: the cities of each fold are drawn again with replacement, 1000 times, and the figures of every contender computed
anew of the same draws, so that differences have intervals of their own. They hold the chance of the cities, not that of
the training.

Ours and hog are processes of their own on --threads threads, with seconds, processor seconds and peak memory. With
--busy the record says that others used the machine, so that its seconds mean nothing. What the file of --json holds is
not made again (unless --again), and it is written after each fit. --mistakes N prints, of each label, the N tiles for
which a contender was surest of what is wrong, to be looked at.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show
from numpy.typing import NDArray
from quality import read, variables, write

LABELS = ("car", "bus", "pedestrian")
FOLDS = 3
GOALS = {"car": 0.97, "bus": 0.86, "pedestrian": 0.94}
"""ROC AUC of `tiny` on tiles."""
DRAWS = 1000
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2)
FROMLOGITS = (sys.executable, "-c", "from fromlogits.cli.main import run; raise SystemExit(run())")
WHOLE = "tiny-whole"
"""Of frames alone."""
OURS = {
    "none-fast": ("--backbone", "none", "--preset", "fast"),
    "none-fast-separate": ("--backbone", "none", "--preset", "fast", "--separate-networks"),
    "none": ("--backbone", "none"),
    "tiny": ("--backbone", "tiny"),
    "tiny-separate": ("--backbone", "tiny", "--separate-networks"),
    "tiny-best": ("--backbone", "tiny", "--preset", "best"),
    WHOLE: ("--backbone", "tiny", "--image-size", "128x256"),
}
BASELINES = ("hog", "frequencies")
CONTENDERS = (*OURS, *BASELINES)
PARTS = ("tiles", "frames")
Figures = dict[str, Any]
Floats = NDArray[np.float64]


# --- the pictures ---


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pictures(part: str, data: Path) -> list[dict[str, str]]:
    """Of each its file, labels, frame and city."""
    if part == "tiles":
        return table(data / "tiles.csv")
    cities = {row["file"]: row["city"] for row in table(data / "areas.csv")}
    return [{**row, "frame": row["file"], "city": cities[row["file"]]} for row in table(data / "labels.csv")]


def root(part: str, data: Path) -> Path:
    return data / "tiles.zip" if part == "tiles" else data


def folds(rows: Sequence[dict[str, str]]) -> NDArray[np.int64]:
    """(n,): which fold a picture is in, by its city."""
    places = {city: number % FOLDS for number, city in enumerate(sorted({row["city"] for row in rows}))}
    return np.array([places[row["city"]] for row in rows])


def truth(rows: Sequence[dict[str, str]]) -> NDArray[np.int64]:
    """(n, labels)."""
    return np.array([[int(row[label]) for label in LABELS] for row in rows])


# --- one fit ---


def timed(command: Sequence[str], folder: str, environment: dict[str, str]) -> Figures:
    """Seconds, processor seconds and peak memory of a process in this folder; SystemExit where it fails."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}: {said.read().decode()[-2000:]}")
    return {"s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss * 1024 / 1e6}


def predictions(path: Path) -> list[list[float]]:
    return [[float(row[f"probability:{label}"]) for label in LABELS] for row in table(path)]


def fit(part: str, data: Path, contender: str, fold: int, seed: int, threads: int, environment: Any) -> Figures:
    """Probabilities of the fold's pictures by what was trained on the others."""
    rows = pictures(part, data)
    is_test = folds(rows) == fold
    with tempfile.TemporaryDirectory() as folder:
        for name, wanted in (("train.csv", False), ("test.csv", True)):
            with Path(folder, name).open("w", encoding="utf-8", newline="") as file:
                written = csv.DictWriter(file, ["file", *LABELS, "frame", "city"], extrasaction="ignore")
                written.writeheader()
                written.writerows(row for row, is_in in zip(rows, is_test, strict=True) if is_in == wanted)
        where = str(root(part, data.resolve()))
        if contender in BASELINES:
            command = [sys.executable, __file__, "--baseline", contender, "--data", where]
            figures = {"fit": timed(command, folder, environment)}
        else:
            same = ("--image-root", where, "--threads", str(threads), "--quiet")
            told = ("--images", "file", "--target", ",".join(LABELS), "--group", "frame", "--seed", str(seed))
            training = ("train", "train.csv", *told, *same, "-o", "m.safetensors", *OURS[contender])
            figures = {
                "fit": timed([*FROMLOGITS, *training], folder, environment),
                "predict": timed(
                    [*FROMLOGITS, "predict", "m.safetensors", "test.csv", *same[:4], "-o", "predictions.csv"],
                    folder, environment,
                ),
            }  # fmt: skip
        return figures | {"p": predictions(Path(folder, "predictions.csv"))}


# --- the baselines, in a process of their own ---


def baseline(name: str, where: Path) -> None:
    """Reads train.csv and test.csv of this folder, and writes predictions.csv as `fromlogits predict` does."""
    train, test = table(Path("train.csv")), table(Path("test.csv"))
    y = truth(train)
    if name == "frequencies":
        p_nc = np.tile(y.mean(axis=0), (len(test), 1))
    else:
        cities = np.array([row["city"] for row in train])
        p_nc = by_gradients(gradients(train, where), y, cities, gradients(test, where))
    with Path("predictions.csv").open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow([f"probability:{label}" for label in LABELS])
        written.writerows(p_nc.tolist())


def decoded(rows: Sequence[dict[str, str]], where: Path) -> Iterator[NDArray[np.uint8]]:
    """(h, w, 3) of each."""
    from PIL import Image

    from fromlogits.data.pictures import stores

    store = stores.opened(where)
    for row in rows:
        yield np.asarray(Image.open(io.BytesIO(store.read(row["file"]))).convert("RGB"))


def gradients(rows: Sequence[dict[str, str]], where: Path) -> NDArray[np.float32]:
    from skimage.feature import hog

    told = {"channel_axis": -1, "cells_per_block": (2, 2), "pixels_per_cell": (8, 8)}
    return np.array([hog(picture, **told).astype(np.float32) for picture in decoded(rows, where)])


def by_gradients(x_nd: Any, y: Any, cities: Any, test_nd: Any) -> Floats:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    def learned(x_nd: Any, y_n: Any, penalty: float) -> Any:
        return LogisticRegression(C=penalty, max_iter=500).fit(x_nd, y_n)

    scaler = StandardScaler().fit(x_nd)
    x_nd, test_nd = scaler.transform(x_nd), scaler.transform(test_nd)
    groups = np.unique(cities, return_inverse=True)[1] % 3
    p_nc = np.empty((len(test_nd), len(LABELS)))
    for column in range(len(LABELS)):
        y_n = y[:, column]
        areas = []
        for penalty in PENALTIES:
            judged = []
            for group in range(3):
                inside, outside = groups != group, groups == group
                scores_n = learned(x_nd[inside], y_n[inside], penalty).decision_function(x_nd[outside])
                judged.append(roc_auc_score(y_n[outside], scores_n))
            areas.append(np.mean(judged))
        best = PENALTIES[int(np.argmax(areas))]
        p_nc[:, column] = learned(x_nd, y_n, best).predict_proba(test_nd)[:, 1]
    return p_nc


# --- what the fits say ---


def joined(records: Sequence[Figures]) -> Figures:
    """One record of several; of a fit that several hold, the last counts."""
    whole = records[0]
    for record in records[1:]:
        first = len(whole["runs"])
        whole["runs"] += record["runs"]
        for part, contenders in record["fits"].items():
            for who, fits in contenders.items():
                own = whole["fits"].setdefault(part, {}).setdefault(who, {})
                own |= {fold: {**one, "run": one["run"] + first} for fold, one in fits.items()}
    return whole


def figures_of(p_n: Floats, y_n: NDArray[np.int64], weights_rn: Floats) -> tuple[Floats, Floats]:
    """(r,) ROC AUC and (r,) average precision of the rows, with each of r weightings of them; nan where the weighted
    rows are all alike."""
    order = np.argsort(-p_n, kind="stable")
    is_last = np.append(np.diff(p_n[order]) != 0, True)  # of equal probabilities
    weights_rn = weights_rn[:, order]
    true_rt = np.cumsum(weights_rn * y_n[order], axis=1)[:, is_last]
    false_rt = np.cumsum(weights_rn * (1 - y_n[order]), axis=1)[:, is_last]
    more_true_rt, more_false_rt = (np.diff(x_rt, axis=1, prepend=0.0) for x_rt in (true_rt, false_rt))
    with np.errstate(invalid="ignore", divide="ignore"):
        area_r = (more_false_rt * (true_rt - more_true_rt / 2)).sum(axis=1) / (true_rt[:, -1] * false_rt[:, -1])
        shares_rt = np.where(more_true_rt > 0, true_rt / (true_rt + false_rt), 0.0)
        precision_r = (more_true_rt * shares_rt).sum(axis=1) / true_rt[:, -1]
    return area_r, precision_r


def by_label(p_nc: Floats, y_nc: NDArray[np.int64], weights_rn: Floats) -> dict[str, Floats]:
    """ "auc" and "ap", (r, labels and their mean)."""
    pairs = [figures_of(p_nc[:, c], y_nc[:, c], weights_rn) for c in range(len(LABELS))]
    return {
        name: np.column_stack([*values, np.mean(values, axis=0)])
        for name, values in zip(("auc", "ap"), zip(*pairs, strict=True), strict=True)
    }


def drawn(cities_n: NDArray[Any], seed: int) -> Floats:
    """(1 + DRAWS, n): what each row counts: once, and then as often as its city was drawn."""
    names, of_row = np.unique(cities_n, return_inverse=True)
    draws = np.random.default_rng(seed).integers(0, len(names), (DRAWS, len(names)))
    counts_rc = np.stack([np.bincount(draw, minlength=len(names)) for draw in draws])
    return np.concatenate([np.ones((1, len(names))), counts_rc])[:, of_row].astype(np.float64)


def all_figures(record: Figures, part: str, data: Path) -> dict[str, dict[int, dict[str, Floats]]]:
    """Of each contender and fold "auc" and "ap", (1 + DRAWS, labels and their mean): as it is, and of the draws."""
    rows = pictures(part, data)
    y, fold_n, cities_n = truth(rows), folds(rows), np.array([row["city"] for row in rows])
    found: dict[str, dict[int, dict[str, Floats]]] = {}
    for contender in CONTENDERS:
        for fold, one in sorted(record["fits"].get(part, {}).get(contender, {}).items()):
            inside = fold_n == int(fold)
            figures = by_label(np.array(one["p"]), y[inside], drawn(cities_n[inside], int(fold)))
            found.setdefault(contender, {})[int(fold)] = figures
    return found


def mean(of: dict[int, dict[str, Floats]], metric: str, which: Sequence[int]) -> Floats:
    return np.asarray(np.mean([of[fold][metric] for fold in which], axis=0))


def intervals(values_rc: Floats) -> dict[str, list[float]]:
    """Of each label and the mean."""
    return {name: interval(values_rc[:, k]) for k, name in enumerate((*LABELS, "mean"))}


def interval(values_r: Floats) -> list[float]:
    """The figure, and the interval of 95 % of the draws."""
    low, high = np.nanquantile(values_r[1:], [0.025, 0.975])
    return [float(values_r[0]), float(low), float(high)]


def digest(record: Figures, data: Path) -> Figures:
    """The figures of a record without its probabilities: by part and contender, of each label and their mean."""
    parts: Figures = {}
    for part, fits in record["fits"].items():
        found = all_figures(record, part, data)
        rows = pictures(part, data)
        cities_n = np.array([row["city"] for row in rows])
        contenders: Figures = {}
        for who, of in found.items():
            contenders[who] = {metric: intervals(mean(of, metric, list(of))) for metric in ("auc", "ap")}
            contenders[who]["folds"] = {fold: one["auc"][0].tolist() for fold, one in of.items()}
            shared = [fold for fold in of if fold in found.get("tiny", {})]
            if shared and who != "tiny":
                behind = mean(found["tiny"], "auc", shared) - mean(of, "auc", shared)
                contenders[who] |= {"behind": intervals(behind), "shared": shared}
        parts[part] = {
            "rows": len(rows),
            "cities": [sorted(set(cities_n[folds(rows) == fold].tolist())) for fold in range(FOLDS)],
            "shares": dict(zip(LABELS, truth(rows).mean(axis=0).tolist(), strict=True)),
            "contenders": contenders,
            "fits": {
                who: {fold: {name: x for name, x in one.items() if name != "p"} for fold, one in by_fold.items()}
                for who, by_fold in fits.items()
            },
        }
    return {"benchmark": "street", "runs": record["runs"], "parts": parts}


def summary(of: Figures) -> Iterator[str]:
    names = (*LABELS, "mean")
    for part, found in of["parts"].items():
        for metric in ("auc", "ap"):
            yield f"| {part}: {metric} | folds | {' | '.join(names)} | processor s of a fold |"
            yield "|---" * (3 + len(names)) + "|"
            for who, figures in found["contenders"].items():
                cells = ["{:.4f} ({:.4f} to {:.4f})".format(*figures[metric][name]) for name in names]
                took = [one["fit"]["cpu_s"] for one in found["fits"][who].values()]
                yield f"| {who} | {len(figures['folds'])} | {' | '.join(cells)} | {np.mean(took):.0f} |"
            yield ""
        for who, figures in found["contenders"].items():
            if "behind" in figures:
                cells = ["{} {:+.4f} ({:+.4f} to {:+.4f})".format(name, *figures["behind"][name]) for name in names]
                yield f"ROC AUC of tiny less that of {who}, {len(figures['shared'])} folds: {', '.join(cells)}"
        yield ""


def mistakes(record: Figures, part: str, data: Path, contender: str, count: int) -> Iterator[str]:
    """The surest wrong answers of each label: what is there and was found improbable, and the other way round."""
    rows = pictures(part, data)
    y, fold_n = truth(rows), folds(rows)
    fits = record["fits"].get(part, {}).get(contender, {})
    for c, label in enumerate(LABELS):
        surest: list[tuple[float, str]] = []
        for fold, one in fits.items():
            inside = np.flatnonzero(fold_n == int(fold))
            for place, p_c in zip(inside, one["p"], strict=True):
                wrong = abs(y[place, c] - p_c[c])
                there = "there" if y[place, c] else "not there"
                surest.append((wrong, f"{rows[place]['file']}  {label} is {there} by the labels, probability {p_c[c]}"))
        yield from (text for _, text in sorted(surest, reverse=True)[:count])


# --- all of them ---


def add(
    record: Figures, path: Path, part: str, data: Path, contender: str, folds: Sequence[int],
    *, seed: int, threads: int, busy: bool, again: bool = False,
) -> None:  # fmt: skip
    """A contender's fits to the record, whose last run this is; it is written after each."""
    fits = record["fits"].setdefault(part, {}).setdefault(contender, {})
    for fold in folds:
        if str(fold) in fits and not again:
            continue
        found = fit(part, data, contender, fold, seed, threads, variables(threads, busy=busy))
        about = {"threads": threads, "busy": busy, "seed": seed}
        fits[str(fold)] = {**about, "run": len(record["runs"]) - 1, **found}
        took = found["fit"]
        print(
            f"{part} {contender} fold {fold}: {took['cpu_s']:.0f} processor s, {took['s']:.0f} s,"
            f" {took['peak_mb']:.0f} MB",
            flush=True,
        )
        write(path, record)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 unless `tiny` has its goals on all folds of the tiles."""
    parser = argparse.ArgumentParser(description="What is in street photographs of other cities.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables and pictures")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS, metavar="NAME")
    parser.add_argument("--folds", nargs="+", type=int, default=range(FOLDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", action="store_true", help="the machine is shared: seconds by the clock mean nothing")
    parser.add_argument("--again", action="store_true", help="make fits anew that the record holds")
    parser.add_argument("--json", type=Path, help="the record to add to")
    parser.add_argument("--summary", nargs="+", type=Path, metavar="JSON", help="only print what these records say")
    parser.add_argument("--digest", type=Path, metavar="JSON", help="write the record's figures, without probabilities")
    parser.add_argument("--mistakes", type=int, default=0, metavar="N", help="of each label the N surest, of tiny")
    parser.add_argument("--baseline", choices=BASELINES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.baseline:
        baseline(options.baseline, options.data)
        return 0
    if options.json is None and options.summary is None:
        parser.error("--json must be given, or --summary")

    record = joined([read(path, "street") for path in options.summary or [options.json]])
    if not options.summary:
        facts = machine("torch", "scikit-learn", "scikit-image", "pillow")
        show(facts)
        record["runs"].append(facts)
        for part in options.parts:
            for contender in options.contenders:
                if (part, contender) == ("tiles", WHOLE):
                    continue
                add(
                    record, options.json, part, options.data, contender, options.folds,
                    seed=options.seed, threads=options.threads, busy=options.busy, again=options.again,
                )  # fmt: skip
    of = digest(record, options.data)
    print("\n".join(summary(of)))
    for part in record["fits"] if options.mistakes else ():
        print("\n".join(mistakes(record, part, options.data, "tiny", options.mistakes)))
    if options.digest:
        write(options.digest, of)
    reached = of["parts"].get("tiles", {}).get("contenders", {}).get("tiny")
    return int(
        reached is None
        or len(reached["folds"]) < FOLDS
        or any(reached["auc"][label][0] < goal for label, goal in GOALS.items())
    )


if __name__ == "__main__":
    raise SystemExit(main())
