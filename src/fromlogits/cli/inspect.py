"""`fromlogits inspect`: what a model file holds, and its output layer on one row."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.inputs import as_inputs
from ..data.reading import Reading
from ..errors import InputError, counted
from ..heads import HEADS
from ..opening import open_model, read_row
from ..spec import Members
from .columns import as_report, columns_table, noticed_table
from .display import Screen
from .options import DATA_HELP, Json, Model, Place, reads_files
from .output import (
    OUT_OF_FOLD,
    aligned,
    as_json,
    calibration_text,
    chose_decisions,
    decision_text,
    figures_text,
    json_numbers,
    kinds_text,
    listed,
    naming,
    per_label_table,
    say_of_validation,
    temperature_and_bias,
)

if TYPE_CHECKING:
    from ..classifier import Classifier

MOST_NETWORKS = 40


@reads_files
def inspect(
    model: Model,
    reading: Reading,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help=f"Rows, one of which is shown: {DATA_HELP}", show_default=False),
    ] = None,
    row: Annotated[
        int | None,
        typer.Option("--row", metavar="N", help="The row of DATA to show, counted from 0. [0]", show_default=False),
    ] = None,
    backbone: Place = None,
    json: Json = False,
) -> int:
    """Say what MODEL holds and how it was trained; with DATA, what it lacks and the output layer on one row."""
    if data is not None:
        return _inspect_row(model, data, reading, 0 if row is None else row, backbone, json)
    if row is not None:
        raise InputError(
            f"--row {row} needs the file that the row is of: fromlogits inspect {shlex.quote(model)} DATA --row {row}."
        )
    classifier = open_model(model, None, backbone, to_predict=False)
    results = Screen(sys.stdout)
    held = classifier.describe()
    if json:
        results.tell(as_json(held))
        return 0
    schema, record, plan = classifier.encoder_.schema, held["record"], held["plan"]
    kinds = kinds_text(held["task"], len(held["classes"]))
    results.tell(f"{model}: {held['task']}, {kinds}: {listed(held['classes'])}", "bold")
    members = Members.from_json(held["members"])
    results.tell(f"\n{classifier.network_}")
    if members == Members():
        results.tell(f"{held['head']}\n")
    else:
        head = HEADS[classifier.head_].describe(classifier.network_.n_outputs)
        results.tell(f"{members.describe(classifier.network_, len(held['classes']))}; each {head}\n")
    lines: list[tuple[str, str]] = [("input", _input(schema)), *_backbone(classifier)]
    columns = (
        ("target", schema.target_names),
        ("id", schema.id_names),
        ("ignored", schema.ignored),
        ("weights", schema.weight_names),
        ("group", schema.group_names),
        ("time", schema.time_names),
    )
    for what, names in columns:
        if names:
            lines.append((what, listed(names)))
    say = say_of_validation(classifier.plan_, decides=chose_decisions(record))
    digest = record["split"].get("data_sha256")
    more = "of the same row" if digest is not None and digest == record["data_sha256"] else "more row"
    judged = f"{counted(record['n_validation'], more)} {say}"
    if plan["folds"] > 1:
        judged = f"{counted(record['n_validation'], 'row')} in {plan['folds']} folds, {OUT_OF_FOLD}; they {say}"
    if len(classifier.members_) > 1:
        epochs = f"{classifier.n_iter_} at most"
    else:
        best = f"the best was {classifier.best_epoch_}" if classifier.plan_.early_stopping else "the last is kept"
        epochs = f"{classifier.n_iter_}, {best}; ended by {classifier.history_.stopped_by}"
    lines += [
        ("optimizer", f"{plan['optimizer']}, learning rate {plan['learning_rate']:g}, {plan['schedule']}"),
        ("batches", counted(plan["batch_size"], "row")),
        *([] if classifier.network_.residual is None else [("convolutions", f"in {plan['precision']} in training")]),
        ("trained on", counted(record["n_train"], "row")),
        ("validation", judged if record["n_validation"] else "no rows were held out"),
        ("epochs", epochs),
        ("seed", str(record["seed"])),
        ("calibration", calibration_text(record, is_one_unit=classifier._is_one_unit)),
        *temperature_and_bias(held["temperature"], held["bias"]),
    ]
    if classifier._model.decision:
        words = decision_text(classifier)
        lines.append(("decides for", words))
    if calibrated := record.get("calibrated"):
        lines.append(("calibrated", f"after the training, on {counted(calibrated['rows'], 'other row')}"))
    if sets := classifier.sets_:
        asked = f"coverage {sets.coverage:g}, or any up to {sets.most_coverage:.4f}"
        lines.append(("sets", f"{sets.method}, from {counted(sets.n_rows, 'row')} kept for them: {asked}"))
    for setting in ("class_weight", "pos_weight"):
        if each := record.get("weights", {}).get(setting):
            lines.append(
                (
                    setting,
                    listed([f"{weight:.4g} for {name}" for name, weight in zip(held["classes"], each, strict=True)]),
                )
            )
    wide = max(len(name) for name, _ in lines)
    for name, text in lines:
        results.tell(f"{name.ljust(wide)}  {text}")
    if table := columns_table(classifier.encoder_):
        results.tell(f"\n{table}")
    if table := _members_table(classifier, members):
        results.tell(f"\n{table}")
    figures = record["validation"]
    weighted = ", weighted" if record.get("weights", {}).get("rows") and record["split"]["kind"] != "given" else ""
    if isinstance(figures, dict):
        when = "validation before it was calibrated on other rows" if calibrated else "validation"
        judged = counted(record["n_validation"], "row")
        results.tell(figures_text(f"\n{when} ({judged}{weighted}, which {say}):", figures))
        if table := per_label_table(figures):
            results.tell(f"\n{table}")
    return 0


def _members_table(classifier: Classifier, members: Members) -> str:
    """A line per network where there are several; of very many the first."""
    trained = classifier.members_
    if len(trained) == 1:
        return ""
    a_round = members.a_round(len(classifier.target_.classes))
    rows = [("network", "seed", "epochs", "best", "validation", "ended by")]
    for number, member in enumerate(trained[:MOST_NETWORKS]):
        name = "" if member.label is None else str(member.label)
        which = str(number // a_round + 1) if a_round < len(trained) else ""
        best = next((epoch.validation for epoch in member.history.epochs if epoch.is_best), None)
        rows.append(
            (
                " ".join(part for part in (name, which) if part),
                str(member.seed),
                f"{member.n_epochs:,}",
                f"{member.best_epoch:,}",
                "" if best is None else f"{member.metric} {best:.4f}",
                member.history.stopped_by,
            )
        )
    rest = len(trained) - MOST_NETWORKS
    return aligned(rows) + (f"\nand {rest:,} more; --json has all" if rest > 0 else "")


def _inspect_row(model: str, data: str, reading: Reading, row: int, backbone: str | None, json: bool) -> int:
    from . import output_layer

    if row < 0:
        raise InputError(f"--row must be 0 or more; got {row}. Rows are counted from 0.")
    classifier = open_model(model, None, backbone)
    dataset, why_not = read_row(classifier, data, reading, row)
    name, place = Path(data).name, row if len(dataset) > 1 else 0  # of pictures that row alone was read
    truth, unknown = output_layer.truth_of(classifier, dataset, place)
    with naming(data):
        noticed = classifier.encoder_.noticed(as_inputs(dataset.features))
        layer = output_layer.lay_open(classifier, dataset, place, truth)
    progress, results = Screen(sys.stderr), Screen(sys.stdout)
    for note in dataset.notes:
        progress.tell(f"note: {note.rstrip('.')}.")
    if truth is None:
        progress.tell(f"note: no loss is shown: {(why_not or unknown).rstrip('.')}.")
    line, where = dataset.origin.line(place), dataset.origin.where(place)
    if json:
        report = {"task": classifier.target_.task, "row": row, "line": line, **output_layer.as_report(layer)}
        report["columns"] = as_report(noticed)
        results.tell(as_json(json_numbers(report)))
        return 0
    if classifier.encoder_.table is not None:
        results.tell(f"{name}: {noticed_table(noticed, len(dataset))}\n")
    named = "" if where in (name, f"row {row} of {name}") else f" ({where})"  # the picture's file, say
    results.tell(f"{model} on row {row:,} of {name}{named if line is None else f' (line {line:,})'}", "bold")
    results.tell(f"{classifier.describe()['head']}\n{output_layer.as_text(layer)}")
    return 0


def _backbone(classifier: Classifier) -> list[tuple[str, str]]:
    """What looks at the pictures, where something does, and what it makes of one."""
    backbone = classifier.encoder_.backbone
    if backbone is None:
        return []
    reference = backbone.reference
    return [
        ("backbone", f"{reference.text}, {reference.n_features:,} features ({reference.feature.replace('_', ' ')})")
    ]


def _input(schema: Any) -> str:
    if schema.picture_shape is not None:
        of_files = ", to which picture files are resized" if schema.pictures is not None else ""
        return f"pictures of {'x'.join(map(str, schema.picture_shape))}{of_files}"
    if schema.first_index is not None:
        last = schema.first_index + schema.n_features - 1
        return f"{schema.n_features:,} features, indices {schema.first_index} to {last}"
    if schema.names is None:
        return f"{schema.n_features:,} numbers"
    return f"{schema.n_features:,} columns: {listed(schema.names)}"
