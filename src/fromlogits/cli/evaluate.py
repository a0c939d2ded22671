"""`fromlogits evaluate`: how good a model is on rows with known classes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from .display import Screen
from .opening import open_model, read_labelled
from .options import Data, Json, Model, Threads
from .output import as_json, figures_text, listed, naming, per_label_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..classifier import Classifier


def evaluate(model: Model, data: Data, threads: Threads = None, json: Json = False) -> int:
    """Say how good MODEL is on DATA, its target known."""
    started = time.perf_counter()
    from .. import metrics

    classifier = open_model(model, threads)
    dataset = read_labelled(classifier, data)
    with naming(data):
        logits_nc = classifier.predict_logits(dataset.features)
        targets = classifier.target_.encode(dataset.targets, unknown="mark")
    task, classes = classifier.target_.task, classifier.target_.classes
    figures = metrics.evaluate(task, classes, logits_nc, targets)
    report: dict[str, Any] = {"task": task, "rows": len(dataset), "classes": list(classes), "seconds": 0.0, **figures}

    is_training_file = classifier.record_["data_sha256"] == dataset.digest
    rows = held_out_rows(classifier, targets) if is_training_file else None
    if rows is not None:
        held_out = metrics.evaluate(task, classes, logits_nc[rows], targets[rows])
        report["held_out"] = {"rows": len(rows), "selected_on": True, **held_out}
    report["seconds"] = round(time.perf_counter() - started, 3)

    progress, results = Screen(sys.stderr), Screen(sys.stdout)
    for note in dataset.notes:
        progress.tell(f"note: {note.rstrip('.')}.")
    if is_training_file:
        progress.tell(f"warning: the model was trained on this very file ({data}): {_what_to_trust(rows)}.", "yellow")
    if unknown := figures.get("unknown_class_rows"):
        progress.tell(
            f"warning: {unknown:,} rows have a class that the model does not know; they count as wrong and are left"
            " out of log_loss.",
            "yellow",
        )
    if json:
        results.tell(as_json(report))
        return 0
    results.tell(f"{model} on {data}: {len(dataset):,} rows; {len(classes):,} {_kind(task)}: {listed(classes)}")
    results.tell(figures_text("all rows:", figures), "bold" if rows is not None else "bold green")
    if rows is None:
        shown = figures
    else:
        shown = held_out
        results.tell(figures_text(f"held-out rows ({len(rows):,}, which chose the epoch):", held_out), "bold green")
    if table := per_label_table(shown):
        results.tell(table)
    return 0


def _kind(task: str) -> str:
    return "classes" if task == "multi-class" else "labels"


def _what_to_trust(rows: NDArray[np.int64] | None) -> str:
    if rows is None:
        return "the figures say how well it remembers, not how good it is on new rows"
    return "only the held-out rows say how good it is on new ones, and they chose the epoch"


def held_out_rows(classifier: Classifier, targets: NDArray[Any]) -> NDArray[np.int64] | None:
    """The rows of the training file that were held out, drawn again from the split's seed; None if there were none."""
    from ..data.splits import validation_rows

    split = classifier.record_["split"]
    fraction, seed = split.get("fraction"), split.get("seed")
    if split.get("kind") != "fraction" or type(fraction) is not float or type(seed) is not int:
        return None
    if not 0 < fraction < 1 or not 0 <= seed < 2**63:  # the file may come from a stranger
        return None
    rows = validation_rows(targets, classifier.target_.n_classes, fraction, seed)[1]
    return rows if len(rows) == classifier.record_["n_validation"] else None
