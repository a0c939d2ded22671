"""Several labels: one network with an output for each, or a network for each.

    python benchmarks/separate_or_joint.py --data TABLES --backbones none --json separate_or_joint.json
    python benchmarks/separate_or_joint.py --backbones tiny --seeds 1 --calls 100 --json separate_or_joint.json
    python benchmarks/separate_or_joint.py --street STREET --fits fits.json --json separate_or_joint.json

Dense layers by the preset fast, which is one network (good is a few), and `tiny` by its usual preset, which is one too;
and the same with `separate_networks=True`:

- on the drawn scenes of examples/scenes.npz (600 of 3 000 pictures to test on); both kinds are trained in turn with
  each seed;
- on emotions, scene and yeast from TABLES, with the split of the Mulan repository, by dense layers alone;
- on the street photographs of STREET, by the folds and contenders of street.py: what its record, FITS, does not hold is
  made and added. Parameters, bytes and one picture's time are there those of networks trained for one pass, which
  change nothing of them.

Quality of tables is of the test rows, mean and standard deviation over the seeds; of pictures, ROC AUC and average
precision of each label, means over seeds (of the street: folds), with intervals of 95 %: the test pictures (of the
street: the cities of a fold) drawn again with replacement 1000 times, for both kinds alike, so that what one is ahead
of the other has an interval of its own. They hold the chance of the pictures, not that of the training.

Seconds and processor seconds are of `fit` (of the street: of the process); parameters are counted and bytes taken in
the saved file; one row is the median of `predict_proba` on single rows in turn, the two one after the other, over
--calls each. With --busy the record says that others used the machine. A pair that the file of --json holds is not
made again (unless --again), and it is written after each; --costs measures parameters, bytes and one row's time of such
pairs anew, of networks trained for one pass.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import street
from machine import machine, mean_and_deviation, show, spread
from quality import read as record_of
from quality import write
from safetensors import safe_open

import fromlogits as fl
from fromlogits.data.sources import read

SCENES = Path(__file__).parent.parent / "examples" / "scenes.npz"
METRICS = ("macro_f1", "micro_f1", "log_loss", "macro_roc_auc")
BACKBONES: dict[str, dict[str, Any]] = {"none": {"preset": "fast"}, "tiny": {"backbone": "tiny"}}
KINDS: dict[str, dict[str, Any]] = {"joint": {}, "separate": {"separate_networks": True}}
ON_STREET = {"none": ("none-fast", "none-fast-separate"), "tiny": ("tiny", "tiny-separate")}
Figures = dict[str, Any]


@dataclass(frozen=True)
class Split:
    train: Any
    train_labels: Any
    test: Any
    test_labels: Any

    @property
    def rows(self) -> list[Any]:
        """Single ones, as `predict_proba` takes them."""
        return [self.test[k : k + 1] for k in range(100)]


def scenes() -> Split:
    with np.load(SCENES) as held:
        pictures, labels = held["X"], held["y"]
    order = np.random.default_rng(0).permutation(len(pictures))
    train, test = order[600:], order[:600]
    return Split(pictures[train], labels[train], pictures[test], labels[test])


def table(folder: Path) -> Split:
    train, test = (read(folder / f"{part}.csv.gz", target="label:*") for part in ("train", "test"))

    def matrix(dataset: Any) -> Any:
        return np.column_stack([column.values for column in dataset.features.columns]).astype(np.float64)

    y, y_test = (np.asarray(dataset.targets.values).astype(np.int64) for dataset in (train, test))
    return Split(matrix(train), y, matrix(test), y_test)


def tiles(data: Path) -> Split:
    """The first fold is the test."""
    rows = street.pictures("tiles", data)
    is_test = street.folds(rows) == 0
    pictures = np.stack(list(street.decoded(rows, street.root("tiles", data))))
    y = street.truth(rows)
    return Split(pictures[~is_test], y[~is_test], pictures[is_test], y[is_test])


def size_of(clf: fl.Classifier) -> tuple[int, int]:
    """Parameters and bytes of the saved file."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.safetensors"
        clf.save(path)
        with safe_open(path, "numpy") as held:  # only the networks' parameters are float32
            tensors = [held.get_tensor(name) for name in held.keys()]  # noqa: SIM118
        parameters = sum(tensor.size for tensor in tensors if tensor.dtype == np.float32)
        return int(parameters), path.stat().st_size


def one_row(classifiers: dict[str, fl.Classifier], rows: Sequence[Any], calls: int) -> dict[str, float]:
    """Median microseconds of each."""
    taken: dict[str, list[int]] = {kind: [] for kind in classifiers}
    for clf in classifiers.values():
        clf.predict_proba(rows[0])
    for k in range(calls):
        for kind, clf in classifiers.items():
            start = time.perf_counter_ns()
            clf.predict_proba(rows[k % len(rows)])
            taken[kind].append(time.perf_counter_ns() - start)
    return {kind: statistics.median(of) / 1e3 for kind, of in taken.items()}


def costs(classifiers: dict[str, fl.Classifier], split: Split, calls: int) -> dict[str, Figures]:
    latency = one_row(classifiers, split.rows, calls)
    found = {}
    for kind, clf in classifiers.items():
        parameters, file_bytes = size_of(clf)
        found[kind] = {"parameters": parameters, "file_bytes": file_bytes, "one_row_us": latency[kind]}
    return found


def costs_alone(split: Split, backbone: str, options: argparse.Namespace) -> dict[str, Figures]:
    """Of networks trained for one pass."""
    classifiers, _ = fitted(split, backbone, 1, options.threads, lambda kind, clf: None, max_epochs=1)
    return costs(classifiers, split, options.calls)


def fitted(
    split: Split, backbone: str, seeds: int, threads: int, judged: Callable[[str, fl.Classifier], None], **more: Any
) -> tuple[dict[str, fl.Classifier], dict[str, Figures]]:
    """The last of each kind, and its seconds; each is shown to `judged`."""
    seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    classifiers: dict[str, fl.Classifier] = {}
    for seed in range(seeds):
        for kind, settings in KINDS.items():
            told = {**BACKBONES[backbone], **settings, **more}
            clf = fl.Classifier(random_state=seed, task="multi-label", n_jobs=threads, **told)
            start, cpu_start = time.perf_counter(), time.process_time()
            clf.fit(split.train, split.train_labels)
            seconds[kind].append((time.perf_counter() - start, time.process_time() - cpu_start))
            judged(kind, clf)
            classifiers[kind] = clf
            print(f"  {kind}, seed {seed}: {seconds[kind][-1][1]:.1f} processor s", flush=True)
    took = {
        kind: {name: spread(of) for name, of in zip(("fit_s", "fit_cpu_s"), zip(*pairs, strict=True), strict=True)}
        for kind, pairs in seconds.items()
    }
    return classifiers, took


def of_table(split: Split, backbone: str, options: argparse.Namespace) -> Figures:
    figures: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}

    def judged(kind: str, clf: fl.Classifier) -> None:
        found = clf.evaluate(split.test, split.test_labels)
        figures[kind].append({metric: found[metric] for metric in METRICS})

    classifiers, took = fitted(split, backbone, options.seeds, options.threads, judged)
    cost = costs(classifiers, split, options.calls)
    quality = {
        kind: {metric: mean_and_deviation([one[metric] for one in of]) for metric in METRICS}
        for kind, of in figures.items()
    }
    return {"seeds": options.seeds, **{kind: quality[kind] | took[kind] | cost[kind] for kind in KINDS}}


def of_pictures(split: Split, backbone: str, options: argparse.Namespace) -> Figures:
    weights_rn = street.drawn(np.arange(len(split.test)), 0)
    found: dict[str, list[Figures]] = {kind: [] for kind in KINDS}

    def judged(kind: str, clf: fl.Classifier) -> None:
        p_nc = np.asarray(clf.predict_proba(split.test), np.float64)
        found[kind].append(street.by_label(p_nc, split.test_labels.astype(np.int64), weights_rn))

    classifiers, took = fitted(split, backbone, options.seeds, options.threads, judged)
    cost = costs(classifiers, split, options.calls)
    quality = compared({kind: dict(enumerate(of)) for kind, of in found.items()})
    return {"seeds": options.seeds, **{kind: took[kind] | cost[kind] for kind in KINDS}, "quality": quality}


def compared(found: dict[str, dict[int, Figures]]) -> Figures:
    """Of both kinds, and of the separate networks less the joint one, "auc" and "ap" with their intervals; of the
    seeds or folds that both have."""
    which = sorted(set.intersection(*(set(of) for of in found.values())))
    report: Figures = {"which": which}
    for metric in ("auc", "ap"):
        joint, separate = (street.mean(found[kind], metric, which) for kind in KINDS)
        for name, values in (("joint", joint), ("separate", separate), ("difference", separate - joint)):
            report.setdefault(name, {})[metric] = street.intervals(values)
    return report


def fit_street(facts: Figures, options: argparse.Namespace) -> None:
    """What the record of street.py lacks. First of all: a process starts with the memory of the one that starts it."""
    record = record_of(options.fits, "street")
    record["runs"].append(facts)
    for contender in (name for backbone in options.backbones for name in ON_STREET[backbone]):
        street.add(
            record, options.fits, "tiles", options.street, contender, options.folds,
            seed=0, threads=options.threads, busy=options.busy,
        )  # fmt: skip


def of_street(split: Split, backbone: str, options: argparse.Namespace) -> Figures:
    record = record_of(options.fits, "street")
    contenders = dict(zip(KINDS, ON_STREET[backbone], strict=True))
    found = street.all_figures(record, "tiles", options.street)
    quality = compared({kind: found[contender] for kind, contender in contenders.items()})
    cost = costs_alone(split, backbone, options)
    report: Figures = {"quality": quality}
    for kind, contender in contenders.items():
        took = [record["fits"]["tiles"][contender][str(fold)]["fit"] for fold in quality["which"]]
        report[kind] = {f"fit_{name}": spread([one[name] for one in took]) for name in ("s", "cpu_s")} | cost[kind]
    return report


def shown(report: Figures) -> None:
    for kind in KINDS:
        of = report[kind]
        if "quality" in report:
            figures = report["quality"][kind]
            quality = "  ".join(f"{metric} {figures[metric]['mean'][0]:.4f}" for metric in ("auc", "ap"))
        else:
            quality = "  ".join(f"{m} {of[m]['mean']:.4f} ± {of[m]['deviation']:.4f}" for m in METRICS)
        print(
            f"  {kind:<9} {quality}  {of['fit_cpu_s']['median']:.2f} processor s  {of['parameters']:,} parameters,"
            f" {of['file_bytes']:,} bytes, one row {of['one_row_us']:.0f} us",
            flush=True,
        )
    print()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="One network for all labels, or one for each.")
    parser.add_argument("--data", type=Path, help="folder of the tables' folders")
    parser.add_argument("--tables", nargs="*", default=["emotions", "scene", "yeast"])
    parser.add_argument("--street", type=Path, help="folder of the street photographs and their tables")
    parser.add_argument("--fits", type=Path, help="with --street: the record of street.py to add to")
    parser.add_argument("--folds", nargs="+", type=int, default=range(street.FOLDS), help="of the street")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", action="store_true", help="the machine is shared: seconds by the clock mean nothing")
    parser.add_argument("--again", action="store_true", help="make anew what the record holds")
    parser.add_argument("--costs", action="store_true", help="measure sizes and one row's time of those anew")
    parser.add_argument("--json", type=Path, required=True, help="the record to add to")
    options = parser.parse_args(arguments)
    if (options.street is None) != (options.fits is None):
        parser.error("--street and --fits go together")
    facts = machine("safetensors", "torch")
    show(facts)

    record: Figures = {"benchmark": "separate_or_joint", "sets": {}}
    if options.json.exists():
        record = json.loads(options.json.read_text(encoding="utf-8"))
    about = {"on": facts, "busy": options.busy, "threads": options.threads}

    sets: dict[str, Any] = {"drawn scenes": (scenes, of_pictures, options.backbones)}
    for name in options.tables if options.data is not None else ():
        sets[name] = (functools.partial(table, options.data / name), of_table, ["none"])
    if options.street is not None:
        fit_street(facts, options)
        sets["street photographs"] = (functools.partial(tiles, options.street), of_street, options.backbones)
    for name, (load, measured, backbones) in sets.items():
        pairs = record["sets"].setdefault(name, {})
        for backbone in backbones:
            is_held = backbone in pairs and not options.again
            if is_held and not options.costs:
                continue
            split = load()
            if is_held:
                for kind, cost in costs_alone(split, backbone, options).items():
                    pairs[backbone][kind] |= cost
                write(options.json, record)
                shown(pairs[backbone])
                continue
            size = {"rows": len(split.train), "labels": split.train_labels.shape[1]}
            print(f"{name}, backbone {backbone}: {size['rows']:,} rows, {size['labels']} labels")
            pairs[backbone] = {**about, **size, **measured(split, backbone, options)}
            write(options.json, record)
            shown(pairs[backbone])


if __name__ == "__main__":
    main()
