"""`fromlogits evaluate`: how good a model is on rows with known classes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.groups_and_times import as_groups
from ..data.inputs import as_inputs
from ..data.reading import Reading
from ..decisions.sets import NOT_OF_GROUPS
from ..errors import counted
from ..metrics import SHORT
from ..opening import open_model, read_labelled
from ..weights import checked
from .columns import as_report, noticed_notes
from .display import Screen
from .figures import show
from .options import Data, Json, Model, Place, Threads, named, read_coverage, reads_files
from .output import (
    about_validation,
    as_json,
    chose_decisions,
    decision_text,
    figures_text,
    if_weighted,
    kinds_text,
    listed,
    naming,
    say_of_validation,
    selected_on,
    sets_text,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..classifier import Classifier
    from ..data.label_sets import SparseLabels
    from ..data.sources import Dataset
    from ..data.targets import TargetEncoder


@reads_files
def evaluate(
    model: Model,
    data: Data,
    reading: Reading,
    coverage: Annotated[
        str | None,
        typer.Option(
            "--coverage",
            metavar="P",
            help="Judge the prediction sets of this coverage, such as 0.8, not of the one that MODEL's were made for.",
        ),
    ] = None,
    backbone: Place = None,
    threads: Threads = None,
    json: Json = False,
) -> int:
    """Say how good MODEL is on DATA, its target known."""
    started = time.perf_counter()
    wanted = read_coverage(coverage)
    classifier = open_model(model, threads, backbone)
    if wanted is not None:
        classifier._sets_for(wanted)
    dataset = read_labelled(classifier, data, reading)
    with naming(data):
        noticed = classifier.encoder_.noticed(as_inputs(dataset.features))
        logits_nc, _ = classifier._logits(dataset.features)
        targets = classifier.target_.encode_rows(dataset.targets, unknown="mark")
        weights = checked("sample_weight", dataset.weights, len(dataset), classifier.target_)
    task, classes = classifier.target_.task, classifier.target_.classes
    groups = None if dataset.groups is None else as_groups(dataset.groups, len(dataset))
    figures = classifier._figures(logits_nc, targets, weights, groups, coverage=wanted)
    report: dict[str, Any] = {"task": task, "rows": len(dataset), "classes": list(classes), "seconds": 0.0, **figures}
    report["columns"] = as_report(noticed)

    n_unknown, unknown = unknown_labels(dataset, classifier.target_)
    if n_unknown:
        report["unknown_label_rows"] = n_unknown
    decides = chose_decisions(classifier.record_)
    say = say_of_validation(classifier.plan_, decides=decides)
    split = classifier.record_["split"]
    is_validation_file = (
        selected_on(classifier.plan_, decides=decides)
        and split.get("kind") == "given"
        and split.get("data_sha256") == dataset.digest
    )
    calibrated: dict[str, Any] = classifier.record_.get("calibrated", {})
    has_calibrated = bool(dataset.digest) and calibrated.get("data_sha256") == dataset.digest
    if is_validation_file or has_calibrated:
        report["selected_on"] = True
    is_training_file = classifier.record_["data_sha256"] == dataset.digest
    held = _held_out(classifier, targets, dataset, logits_nc) if is_training_file else None
    if held is not None:
        rows, held_nc = held
        of_rows = None if weights is None else weights[rows]
        of_group = None if groups is None else groups[rows]
        held_out = classifier._figures(held_nc, targets.take(rows, axis=0), of_rows, of_group, coverage=wanted)
        report["held_out"] = {
            "rows": len(rows),
            "selected_on": selected_on(classifier.plan_, decides=decides),
            **held_out,
        }
    report["seconds"] = round(time.perf_counter() - started, 3)

    progress, results = Screen(sys.stderr), Screen(sys.stdout)
    for note in (*dataset.notes, *noticed_notes(noticed, named(data), len(dataset))):
        progress.tell(f"note: {note.rstrip('.')}.")
    if words := about_weights(data, dataset, *trained_with_weights(classifier)):
        progress.tell(f"note: {words}.")
    if figures.get("sets") and groups is not None:
        progress.tell(f"note: {NOT_OF_GROUPS}.")
    if is_training_file:
        trust = _what_to_trust(classifier, say, has_held_out=held is not None)
        progress.tell(f"warning: the model was trained on this very file ({named(data)}): {trust}.", "yellow")
    elif is_validation_file:
        progress.tell(
            f"warning: this is the file that the training was validated on ({named(data)}): these rows {say}, so the"
            " figures are a little too good.",
            "yellow",
        )
    if has_calibrated:
        about = f"the model was calibrated on this very file ({named(data)})"
        progress.tell(f"warning: {about}: {_of_calibrated(classifier.record_)}.", "yellow")
    if unknown:
        progress.tell(f"warning: {unknown}", "yellow")
    if figures.get("unknown_class_rows"):
        progress.tell(f"warning: {unknown_classes(dataset, targets, classes)}", "yellow")
    if json:
        results.tell(as_json(report))
        return 0
    kinds = kinds_text(task, len(classes))
    results.tell(f"{model} on {named(data)}: {counted(len(dataset), 'row')}; {kinds}: {listed(classes)}")
    weighted = if_weighted(dataset)
    shares = [say] * is_validation_file + ["calibrated it"] * has_calibrated
    about = f"all rows{weighted}, which {' and '.join(shares)}:" if shares else f"all rows{weighted}:"
    if held is None:
        shown, shown_groups = figures, groups
    else:
        results.tell(figures_text(about, {name: figures[name] for name in SHORT[task]}), "bold")
        which = "held-out rows" if classifier.plan_.folds == 1 else "rows out of fold"
        about = f"\n{which} ({len(rows):,}{about_validation(classifier.plan_, weighted, decides=decides)}):"
        shown, shown_groups = held_out, of_group
    column = next(iter(classifier.encoder_.schema.group_names), "")
    show(results, about, shown, None if shown_groups is None else (column, len(set(shown_groups.tolist()))))
    if decision := shown.get("decision"):
        results.tell(f"decides for: {decision_text(classifier, decision['figures'])}")
    if words := sets_text(shown):
        results.tell(words)
    return 0


def _of_calibrated(record: dict[str, Any]) -> str:
    rows, kept = record["calibrated"]["rows"], record["calibrated"]["kept"]
    what = "the calibration" + " and the decisions" * (record.get("decision", {}).get("folds", 0) > 0)
    sets = f", {kept:,} more made the prediction sets" if kept else ""
    return f"{rows:,} of its rows chose {what}{sets}, so the figures are a little too good"


def about_weights(data: str, dataset: Dataset, column: str | None, is_weighted: bool = False) -> str:
    """What is said of rows that have weights, or might.

    Args:
        column: that of the weights, of a table.
        is_weighted: whether the rows that are trained on have weights.
    """
    is_npz = dataset.arrived is not None and dataset.arrived.form == "npz"
    kind, name = ("array", "sample_weight") if is_npz else ("column", column)
    weights = dataset.weights
    if weights is None:
        is_missed = column is not None or (is_npz and is_weighted)
        return f"{named(data)} has no {kind} {name!r} of weights: every row counts 1" if is_missed else ""
    what = "rows count" if weights.ndim == 1 else "labels of rows count"
    zeros = int((weights == 0).sum())
    none = f", {zeros:,} of them 0" if zeros else ""
    return f"{named(data)}: {what} by their {name!r}, from {weights.min():g} to {weights.max():g}{none}"


def trained_with_weights(classifier: Classifier) -> tuple[str | None, bool]:
    """The column of weights that the model knows, and whether it was trained with weights."""
    is_weighted: bool = classifier.record_.get("weights", {}).get("rows", False)
    return next(iter(classifier.encoder_.schema.weight_names), None), is_weighted


def unknown_labels(dataset: Dataset, target: TargetEncoder) -> tuple[int, str]:
    """How many rows have labels that a multi-label model does not know, and what is said of them; "" of none."""
    from ..data.label_sets import LabelSets

    if not isinstance(dataset.targets, LabelSets) or target.task != "multi-label":
        return 0, ""
    count, words = dataset.targets.unknown_to(target.classes)
    return count, f"{words}." if words else ""


def unknown_classes(
    dataset: Dataset,
    targets: NDArray[Any] | SparseLabels,
    classes: Sequence[Any],
    one: str = "it counts as wrong and is left out of log_loss",
    several: str = "they count as wrong and are left out of log_loss",
) -> str:
    """What is said of rows whose class the model does not know, and of what becomes of one or of several."""
    from ..data.label_sets import SparseLabels

    assert dataset.targets is not None and not isinstance(targets, SparseLabels)
    is_unknown = targets == -1
    row, count = int(is_unknown.argmax()), int(is_unknown.sum())
    texts = dataset.targets.texts if isinstance(classes[0], str) else None
    value = (dataset.targets.values if texts is None else texts).reshape(-1)[row]
    value = value.item() if hasattr(value, "item") else value
    first = f"{value!r} at {dataset.targets.origin.where(row)} (known: {listed(classes)})"
    if count == 1:
        return f"1 row has a class that the model does not know, {first}; {one}."
    return f"{count:,} rows have a class that the model does not know, such as {first}; {several}."


def _what_to_trust(classifier: Classifier, say: str, *, has_held_out: bool) -> str:
    if not has_held_out:
        return "the figures say how well it remembers, not how good it is on new rows"
    if classifier.plan_.folds > 1:
        return (
            "only what is said of the rows out of fold, by the networks that were not trained on them, says how good it"
            f" is on new ones, and they {say}"
        )
    return f"only the held-out rows say how good it is on new ones, and they {say}"


def _held_out(
    classifier: Classifier, targets: NDArray[Any] | SparseLabels, dataset: Dataset, logits_nc: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """The rows of the training file that have figures of their own, and their logits; None if there are none.

    Args:
        logits_nc: of all rows. With folds those of networks that were trained on a row have no say in its own.
    """
    if classifier.plan_.folds == 1:
        rows = held_out_rows(classifier, targets, dataset)
        return None if rows is None else (rows, logits_nc[rows])
    from ..data.label_sets import SparseLabels
    from ..fitting import folds_of

    if not isinstance(targets, SparseLabels) and (targets < 0).any():
        return None  # a forged record, likewise
    groups = None if dataset.groups is None else as_groups(dataset.groups, len(dataset))
    split, n_rounds = classifier.record_["split"], classifier._networks.n_rounds
    folds = folds_of(split, n_rounds, targets, dataset.weights, classifier.target_, groups)
    if folds is None:
        return None
    features = classifier.encoder_.encode(as_inputs(dataset.features))
    places, own_nc = folds.out_of_fold(classifier._networks, features, classifier.head_)
    if len(places) != classifier.record_["n_validation"]:
        return None
    return folds.rows[places], classifier.calibration_.apply(own_nc)


def held_out_rows(
    classifier: Classifier, targets: NDArray[Any] | SparseLabels, dataset: Dataset
) -> NDArray[np.int64] | None:
    """The rows of the training file that were held out, found again as they were then; None if there were none."""
    from ..data.groups_and_times import as_times
    from ..data.label_sets import SparseLabels
    from ..fitting import split_off

    if not isinstance(targets, SparseLabels) and (targets < 0).any():
        return None  # a forged record: the training file has no class that the model does not know
    groups = None if dataset.groups is None else as_groups(dataset.groups, len(dataset))
    times = None if dataset.times is None else as_times(dataset.times, len(dataset))
    rows = split_off(classifier.record_["split"], targets, dataset.weights, classifier.target_, groups, times)[1]
    return rows if rows is not None and len(rows) == classifier.record_["n_validation"] else None
