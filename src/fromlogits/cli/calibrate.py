"""`fromlogits calibrate`: calibration, decisions and prediction sets from rows that the training never saw."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.inputs import as_inputs
from ..data.reading import Reading
from ..decisions.sets import NOT_OF_GROUPS
from ..errors import FromlogitsError, InputError, counted
from ..opening import open_model, read_labelled
from .columns import noticed_notes
from .display import Screen, duration
from .evaluate import about_weights, trained_with_weights, unknown_classes, unknown_labels
from .options import (
    STDIN,
    Coverage,
    Data,
    DecideForAnew,
    Json,
    Model,
    Overwrite,
    Place,
    Threads,
    named,
    read_coverage,
    reads_files,
)
from .output import as_json, calibration_text, check_output, decision_report, decision_text, in_words, naming

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..calibrating import Calibrated
    from ..classifier import Classifier
    from ..data.sources import Dataset


@reads_files
def calibrate(
    model: Model,
    data: Data,
    reading: Reading,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="NEW", help="Where to save the calibrated model.", show_default=False),
    ],
    decide_for: DecideForAnew = None,
    coverage: Coverage = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="Prediction sets of classes: lac, the smallest, or aps, more even over easy and hard rows. [lac]",
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option("--seed", metavar="N", help="Draws the rows for prediction sets. [that of the training]"),
    ] = None,
    backbone: Place = None,
    threads: Threads = None,
    json: Json = False,
    overwrite: Overwrite = False,
) -> int:
    """Calibrate MODEL on DATA, whose rows the training never saw, and save it anew."""
    started = time.perf_counter()
    from ..settings import BY_NAME, DECIDE_FOR, read_value

    wanted = read_coverage(coverage)
    decides_for = None
    if decide_for is not None:  # "none" is refused: what the model decides for is kept unless another is named
        decides_for = read_value(BY_NAME["decide_for"], decide_for, f"--decide-for {decide_for}", DECIDE_FOR)
    drawn_by = None if seed is None else read_value(BY_NAME["random_state"], seed, f"--seed {seed}")
    path = Path(output)
    check_output(path, overwrite=overwrite, inputs=[model, data])
    classifier = open_model(model, threads, backbone)
    dataset = read_labelled(classifier, data, reading)
    with naming(data):
        noticed = classifier.encoder_.noticed(as_inputs(dataset.features))
        targets = classifier.target_.encode(dataset.targets, unknown="mark")
        done, _ = classifier._calibrated(
            dataset.features,
            dataset.targets,
            dataset.weights,
            decide_for=decides_for,
            coverage=wanted,
            method=method,
            groups=None if wanted is None else dataset.groups,
            random_state=drawn_by,
            data_sha256=dataset.digest,
        )
    classifier._become(done.model)
    try:
        classifier.save(path, overwrite=overwrite)
    except InputError as error:  # what goes wrong now is no bad input any more
        raise FromlogitsError(str(error)) from error
    report = _report(classifier, done, len(dataset), path)
    report["seconds"] = round(time.perf_counter() - started, 3)

    progress, results = Screen(sys.stderr), Screen(sys.stdout)
    for note in (*dataset.notes, *noticed_notes(noticed, named(data), len(dataset))):
        progress.tell(f"note: {note.rstrip('.')}.")
    if words := about_weights(data, dataset, *trained_with_weights(classifier)):
        progress.tell(f"note: {words}.")
    if wanted is not None and dataset.groups is not None:
        progress.tell(f"note: {NOT_OF_GROUPS}.")
    for words in _warnings(classifier, data, dataset, targets):
        progress.tell(f"warning: {words}", "yellow")
    if json:
        results.tell(as_json(report))
        return 0
    results.tell(_figures(report, classifier))
    results.tell(f"\nsaved as {path} after {duration(report['seconds'])}; now:")
    place = [] if backbone is None else ["--backbone", backbone]
    rows = shlex.join(["DATA" if data == STDIN else data, *reading.options(), *place])
    more = "" if wanted is None else f" --coverage {wanted:g}"
    results.tell(f"  fromlogits predict {shlex.quote(str(path))} {rows}{more}", "cyan")
    return 0


def _report(classifier: Classifier, done: Calibrated, n_rows: int, path: Path) -> dict[str, Any]:
    """What --json prints."""
    before, after = done.log_loss
    sets = classifier.sets_
    return {
        "task": classifier.target_.task,
        "rows": n_rows,
        "classes": list(classifier.target_.classes),
        "seconds": 0.0,
        "model": str(path),
        "seed": classifier.record_["calibrated"]["seed"],
        **classifier.calibration_.describe(),
        "calibration": classifier.record_["calibration"],
        **decision_report(classifier),
        "chosen_on": len(done.chose),
        "log_loss": {
            "rows": len(done.chose if done.kept is None else done.kept),
            **({"selected_on": True} if done.kept is None else {}),
            "before": before,
            "after": after,
        },
        "sets": None if sets is None else {**sets.to_json(), "most": sets.most_coverage, "mean_size": done.mean_size},
    }


def _figures(report: dict[str, Any], classifier: Classifier) -> str:
    """The same for a person."""
    loss, sets = report["log_loss"], report["sets"]
    which = "which chose it" if "selected_on" in loss else "which chose nothing"
    text = (
        f"calibration: {calibration_text(classifier.record_, is_one_unit=classifier._is_one_unit)}, on"
        f" {counted(report['chosen_on'], 'row')}\nlog_loss {in_words(loss['before'])} -> {in_words(loss['after'])} on"
        f" {counted(loss['rows'], 'row')}, {which}"
    )
    if classifier._model.decision:
        text += f"\ndecides for: {decision_text(classifier)}"
    if sets is None:
        return text
    what = "labels" if sets["method"] == "recall" else "classes"
    return (
        f"{text}\nprediction sets ({sets['method']}) from {sets['rows']:,} of those rows: coverage"
        f" {sets['coverage']:g}, {sets['mean_size']:.2f} {what} on average; predict takes any coverage up to"
        f" {sets['most']:.4f}"
    )


def _warnings(classifier: Classifier, data: str, dataset: Dataset, targets: NDArray[Any]) -> list[str]:
    """What makes the result worth less than it looks."""
    record, said = classifier.record_, []
    file = named(data)
    promise = "" if classifier.sets_ is None else " Prediction sets made from such rows promise nothing."
    if dataset.digest and dataset.digest == record["data_sha256"]:
        said.append(f"the model was trained on this very file ({file}), and is surer there than on new rows.{promise}")
    elif dataset.digest and dataset.digest == record["split"].get("data_sha256"):
        said.append(f"the training was validated on this very file ({file}): its rows chose the epoch.{promise}")
    said.append(unknown_labels(dataset, classifier.target_)[1])
    if targets.ndim == 1 and (targets < 0).any():
        said.append(unknown_classes(dataset, targets, classifier.target_.classes, *["every set misses it"] * 2))
    return [words for words in said if words]
