"""`fromlogits cv`: how good a recipe is, by cross-validation."""

from __future__ import annotations

import dataclasses
import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.reading import Reading, one_character
from ..errors import InputError
from ..whole_file import check_room
from .display import Screen
from .evaluate import about_weights
from .options import (
    Categorical,
    Config,
    Data,
    DecideFor,
    Epochs,
    Group,
    Ids,
    Ignore,
    ImageShape,
    Json,
    LabelSeparator,
    Layers,
    Metric,
    Overwrite,
    Preset,
    Seed,
    SeparateNetworks,
    Sets,
    Targets,
    Task,
    Threads,
    TimeColumn,
    Weights,
    listed_names,
    named,
    picture_shape,
    reads_files,
    with_categories,
)
from .output import (
    FIGURES,
    Predictions,
    aligned,
    as_json,
    check_output,
    delimiter_of,
    in_words,
    listed,
    naming,
    per_label_table,
    written,
)
from .predict import MIN_PROBABILITY

if TYPE_CHECKING:
    from ..cross_validation import CrossValidation, Fold
    from ..data.sources import Dataset


@reads_files
def cv(
    data: Data,
    reading: Reading,
    targets: Targets = None,
    label_separator: LabelSeparator = None,
    folds: Annotated[str, typer.Option("--folds", metavar="N", help="How many folds [5].")] = "5",
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write each row's prediction to this .csv or .tsv."),
    ] = None,
    layers: Layers = None,
    preset: Preset = None,
    epochs: Epochs = None,
    seed: Seed = None,
    threads: Threads = None,
    metric: Metric = None,
    decide_for: DecideFor = None,
    task: Task = None,
    separate_networks: SeparateNetworks = False,
    ids: Ids = None,
    weights: Weights = None,
    ignore: Ignore = None,
    categorical: Categorical = None,
    group: Group = None,
    time_column: TimeColumn = None,
    image_shape: ImageShape = None,
    sets: Sets = None,
    config: Config = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress; warnings and results only.")] = False,
    overwrite: Overwrite = False,
) -> int:
    """Say how good a training on DATA is: each fold of the rows is judged by a network trained on the others."""
    started = time.perf_counter()
    from .. import Classifier
    from ..cross_validation import cross_validate
    from ..data.sources import read
    from ..settings import collect

    if not (folds.isdecimal() and 2 <= int(folds) < 10**9):
        raise InputError(f"--folds must be a whole number from 2; got {folds!r}.")
    by_flag = {
        "--layers": layers,
        "--preset": preset,
        "--epochs": epochs,
        "--seed": seed,
        "--threads": threads,
        "--metric": metric,
        "--decide-for": decide_for,
        "--task": task,
        "--separate-networks": "true" if separate_networks else None,
    }
    classifier = Classifier(**collect(by_flag, sets or (), config))
    path = None if output is None else Path(output)
    if path is not None:
        delimiter_of(path)
        check_output(path, overwrite=overwrite, inputs=[data])
    separator = one_character("--label-separator", label_separator)
    reading = dataclasses.replace(with_categories(reading, categorical), label_separator=separator)
    dataset = read(
        data,
        target=",".join(targets) if targets else None,
        ids=listed_names(ids),
        ignore=listed_names(ignore),
        weights=weights,
        group=group,
        time=time_column,
        picture_shape=picture_shape(image_shape),
        reading=reading,
    )
    progress, results = Screen(sys.stderr, is_quiet=quiet), Screen(sys.stdout)
    for note in dataset.notes:
        progress.say(f"note: {note.rstrip('.')}.")
    if words := about_weights(data, dataset, weights):
        progress.say(f"note: {words}.")

    def fold_done(fold: Fold) -> None:
        progress.say(
            f"fold {fold.number} of {folds}: {fold.n_train + fold.n_validation:,} rows trained on, {len(fold.rows):,}"
            f" judged after {time.perf_counter() - started:.1f} s"
        )

    try:
        with naming(data):
            found = cross_validate(
                classifier, dataset.features, dataset.targets, n_folds=int(folds), sample_weight=dataset.weights,
                groups=dataset.groups, times=dataset.times, picture_shape=dataset.picture_shape,
                numeric=reading.numeric, categorical=reading.as_text, fold_done=fold_done,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was written") from None
    if path is not None:
        _write(found, dataset, path, overwrite=overwrite)
    report = _report(found, len(dataset), time.perf_counter() - started)
    if path is not None:
        report["output"] = str(path)
    if json:
        results.tell(as_json(report))
        return 0
    kind = "classes" if found.target.task == "multi-class" else "labels"
    classes = found.target.classes
    results.tell(f"{named(data)}: {len(dataset):,} rows; {len(classes):,} {kind}: {listed(classes)}")
    results.tell(_table(found))
    unit = "rows" if group is None else f"groups of {group}"
    judged = report["out_of_fold"]["rows"]
    results.tell(f"\nout of fold ({judged:,} rows, which took no part in the training that judges them):")
    for name in _names(found):
        low_high = found.intervals.get(name)
        interval = "" if low_high is None else f"  [{low_high[0]:.4f}, {low_high[1]:.4f}]"
        results.tell(f"  {name} {in_words(found.figures[name])}{interval}", "bold green")
    results.tell(f"in brackets: the middle 95 % over resamples of the {unit}; how trainings differ is not in it")
    if table := per_label_table(found.figures):
        results.tell(table)
    if path is not None:
        results.tell(f"{len(dataset):,} predictions written to {path}")
    return 0


def _names(found: CrossValidation) -> list[str]:
    return [name for name in FIGURES if name in found.figures]


def _table(found: CrossValidation) -> str:
    """A line per fold, their mean and their spread."""
    names = [name for name in _names(found) if name != "unknown_class_rows"]
    rows = [["fold", "rows", "best epoch", *names]]
    for fold in found.folds:
        figures = (in_words(fold.figures[name]) for name in names)
        rows.append([str(fold.number), f"{len(fold.rows):,}", f"{fold.best_epoch} of {fold.n_epochs}", *figures])
    spread = found.over_folds()
    for place, word in enumerate(("mean", "deviation")):
        rows.append([word, "", "", *(in_words(spread[name][place] if name in spread else None) for name in names)])
    return aligned(rows)


def _report(found: CrossValidation, n_rows: int, seconds: float) -> dict[str, Any]:
    """What --json prints."""
    spread = found.over_folds()
    return {
        "task": found.target.task,
        "rows": n_rows,
        "classes": list(found.target.classes),
        "seconds": round(seconds, 3),
        "seed": found.seed,
        "folds": [
            {
                "rows": len(fold.rows),
                "training_rows": fold.n_train,
                "validation_rows": fold.n_validation,
                "epochs": fold.n_epochs,
                "best_epoch": fold.best_epoch,
                **{name: figure for name, figure in fold.figures.items() if name != "per_label"},
            }
            for fold in found.folds
        ],
        "mean": {name: mean for name, (mean, _) in spread.items()},
        "deviation": {name: deviation for name, (_, deviation) in spread.items()},
        "out_of_fold": {"rows": int((found.fold_of >= 0).sum()), **found.figures},
        "interval": {name: found.intervals.get(name) for name in _names(found) if name != "unknown_class_rows"},
    }


def _write(found: CrossValidation, dataset: Dataset, path: Path, *, overwrite: bool) -> None:
    """The out-of-fold predictions, in the form of `fromlogits predict`."""
    least = len(dataset) * (2 + MIN_PROBABILITY * len(found.target.classes))
    check_room("the predictions need at least", path.resolve().parent, least)
    is_judged = found.fold_of >= 0
    predictions = Predictions(
        dataset.ids.columns,
        found.predicted,
        found.target.classes,
        found.probabilities,
        None,
        is_multi_label=found.target.task == "multi-label",
        separator=found.target.separator or "|",
        is_there=None if is_judged.all() else is_judged,
    )
    with (
        written(path, overwrite=overwrite) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        predictions.write(text, delimiter_of(path))
