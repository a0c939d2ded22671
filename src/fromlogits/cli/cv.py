"""`fromlogits cv`: how good a recipe is, by cross-validation."""

from __future__ import annotations

import dataclasses
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.label_sets import SIGN
from ..data.reading import Reading
from ..errors import InputError, counted
from ..whole_file import check_room
from .columns import columns_table
from .display import Screen
from .evaluate import about_weights
from .figures import show
from .options import Data, DryRun, Json, Overwrite, Quiet, Recipe, describes_training, named, reads_files
from .output import (
    FIGURES,
    Predictions,
    aligned,
    as_json,
    check_output,
    decided_figures_text,
    delimiter_of,
    if_weighted,
    in_words,
    kinds_text,
    listed,
    naming,
    takes_a_stream,
    written,
)
from .predict import MIN_PROBABILITY
from .train import found as found_in
from .train import layers, resolved, steps

PART_VALUES = 1 << 22
"""Predictions that are written at a time."""

if TYPE_CHECKING:
    from ..cross_validation import CrossValidation, Division, Fold
    from ..data.sources import Dataset
    from ..fitting import Fit


@describes_training
@reads_files
def cv(
    data: Data,
    recipe: Recipe,
    reading: Reading,
    folds: Annotated[str, typer.Option("--folds", metavar="N", help="How many folds [5].")] = "5",
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write each row's prediction to this .csv, .tsv or pipe."),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Say how good a training on DATA is: each fold of the rows is judged by a network trained on the others."""
    started = time.perf_counter()
    from ..cross_validation import divided, trained
    from ..data.sources import read

    if not (folds.isdecimal() and 2 <= int(folds) < 10**9):
        raise InputError(f"--folds must be a whole number from 2; got {folds!r}.")
    classifier = recipe.classifier()
    path = None if output is None else Path(output)
    if path is not None:
        delimiter_of(path)
        check_output(path, overwrite=overwrite, inputs=[data], may_be_stream=True)
    asked = recipe.asked(reading, classifier, dry_run=dry_run)
    dataset = read(data, **asked)
    progress, results = Screen(sys.stderr, is_quiet=quiet), Screen(sys.stdout)
    said: set[str] = set()

    def note(words: str) -> None:
        if words not in said:
            said.add(words)
            progress.say(f"note: {words.rstrip('.')}.")

    for words in dataset.notes:
        note(words)
    if words := about_weights(data, dataset, recipe.weights):
        note(words)

    def warn(words: str) -> None:
        if words not in said:
            said.add(words)
            progress.tell(f"warning: {words.rstrip('.')}.", "yellow")

    def fold_begins(fit: Fit, left_out: str = "") -> None:
        """What was noticed about the columns, which each training learns anew, and what a time limit leaves out."""
        if left_out:
            warn(left_out)
        for words in fit.encoder.notes:
            note(words)
        for words in fit.encoder.warnings:
            warn(words)

    def fold_done(fold: Fold) -> None:
        trained_on = counted(len(division.trained_on(fold.number - 1)), "row")
        progress.say(
            f"fold {fold.number} of {folds}: {trained_on} trained on, {len(fold.rows):,}"
            f" judged after {time.perf_counter() - started:.1f} s"
        )

    with naming(data):
        division = divided(
            classifier, dataset.features, dataset.targets, n_folds=int(folds), sample_weight=dataset.weights,
            groups=dataset.groups, times=dataset.times, picture_shape=dataset.picture_shape,
            numeric=asked["reading"].numeric, categorical=asked["reading"].as_text,
        )  # fmt: skip
    for words in (*division.target.warnings, *division.warnings):
        warn(words)
    try:
        with naming(data):
            if dry_run:
                results.tell(_planned(division, data, dataset, path, fold_begins, is_json=json))
                return 0
            found = trained(division, fold_begins=fold_begins, fold_done=fold_done)
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
    classes = found.target.classes
    kinds = kinds_text(found.target.task, len(classes))
    results.tell(f"{named(data)}: {len(dataset):,} rows; {kinds}: {listed(classes)}")
    results.tell(_table(found))
    judged = report["out_of_fold"]["rows"]
    weighted = if_weighted(dataset)
    about = f"\nout of fold ({counted(judged, 'row')}{weighted}, which took no part in the training that judges them):"
    groups = None
    if recipe.group is not None and division.groups is not None:
        groups = recipe.group, len(set(division.groups[found.fold_of >= 0].tolist()))
    show(results, about, found.figures, groups, "; how trainings differ is not in it")
    if decision := found.figures.get("decision"):
        gain = decided_figures_text(decision["figures"])
        results.tell(f"by what each fold decides for: {gain}")
    if path is not None:
        say = progress if takes_a_stream(path) else results  # a pipe may be standard output itself
        say.tell(f"{counted(len(dataset), 'prediction')} written to {path}")
    return 0


def _planned(
    division: Division,
    data: str,
    dataset: Dataset,
    path: Path | None,
    fold_begins: Callable[[Fit], None],
    *,
    is_json: bool,
) -> str:
    """What --dry-run prints: the folds, and of the first one the columns and the network."""
    folds: list[dict[str, int]] = []
    about: dict[str, Any] = {}
    for number in range(division.n_folds):
        _, fit = division.prepared(number)
        fold_begins(fit)
        if not number:
            about, summary = resolved(fit), fit.summary
            words = [found_in(data, dataset, fit, division.target), columns_table(fit.encoder), layers(summary)]
        n_train, n_valid = fit.summary.n_train, fit.summary.n_valid
        folds.append({"rows": len(division.judged(number)), "training_rows": n_train, "validation_rows": n_valid})
    if is_json:
        return as_json({
            "task": division.target.task,
            "rows": len(dataset),
            "classes": list(division.target.classes),
            "folds": folds,
            **about,
            "output": None if path is None else str(path),
        })  # fmt: skip
    rows = [["fold", "training rows", "validation rows", "judged rows"]]
    for number, fold in enumerate(folds, 1):
        counts = fold["training_rows"], fold["validation_rows"], fold["rows"]
        rows.append([f"{count:,}" for count in (number, *counts)])
    words += [aligned(rows), steps(summary)]
    return "\n\n".join(text.rstrip() for text in words if text) + (f"\nwould write {path}" if path else "")


def _names(found: CrossValidation) -> list[str]:
    """Of the figures that each fold has."""
    return [name for name in FIGURES if any(name in fold.figures for fold in found.folds)]


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
    if not takes_a_stream(path):
        least = len(dataset) * (2 + MIN_PROBABILITY * len(found.target.classes))
        check_room("the predictions need at least", path.resolve().parent, least)
    is_judged, columns = found.fold_of >= 0, dataset.ids.columns
    most_rows = max(1, PART_VALUES // len(found.target.classes))
    with (
        written(path, overwrite=overwrite) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        for start in range(0, len(dataset), most_rows):
            rows = slice(start, min(start + most_rows, len(dataset)))
            part = dataclasses.replace(
                found, logits=found.logits[rows], decided=found.decided[rows], fold_of=found.fold_of[rows]
            )
            Predictions(
                [column.part(rows.start, rows.stop) for column in columns],
                part.predicted,
                found.target.classes,
                part.probabilities,
                None,
                is_multi_label=found.target.task == "multi-label",
                separator=found.target.separator or SIGN,
                is_there=None if is_judged.all() else is_judged[rows],
            ).write(text, delimiter_of(path), has_header=start == 0)
