"""`fromlogits predict`: classes and probabilities of rows, as CSV, TSV or JSON."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..data.inputs import as_inputs
from ..data.reading import Reading
from ..whole_file import check_room
from .columns import noticed_notes
from .display import Screen, standard_output
from .opening import open_model, read_unlabelled
from .options import Data, Json, Model, Overwrite, Threads, named, reads_files
from .output import Predictions, as_json, check_output, delimiter_of, naming, written

MIN_PROBABILITY = len(",0.0")


@reads_files
def predict(
    model: Model,
    data: Data,
    reading: Reading,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to this .csv or .tsv [CSV to standard output]."),
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Add the logits, one column per output unit.")] = False,
    threads: Threads = None,
    json: Json = False,
    overwrite: Overwrite = False,
) -> int:
    """Predict the class of each row, and probabilities."""
    path = Path(output) if output is not None else None
    if path is not None:
        delimiter_of(path)
        check_output(path, overwrite=overwrite, inputs=[model, data])
    classifier = open_model(model, threads)
    dataset = read_unlabelled(classifier, data, reading)
    if path is not None:
        least = len(dataset) * (2 + MIN_PROBABILITY * len(classifier.target_.classes))
        check_room("the predictions need at least", path.resolve().parent, least)
    with naming(data):
        noticed = classifier.encoder_.noticed(as_inputs(dataset.features))
        logits_nc = classifier.predict_logits(dataset.features)
    predictions = Predictions(
        dataset.ids.columns,
        classifier._decide(logits_nc),
        classifier.target_.classes,
        classifier._probabilities(logits_nc),
        logits_nc if logits else None,
        is_multi_label=classifier.target_.task == "multi-label",
        separator=classifier.target_.separator or "|",
    )
    progress, results = Screen(sys.stderr), Screen(sys.stdout)
    for note in (*dataset.notes, *noticed_notes(noticed, named(data), len(dataset))):
        progress.tell(f"note: {note.rstrip('.')}.")
    about = {
        "task": classifier.target_.task,
        "rows": len(predictions),
        "classes": list(classifier.target_.classes),
    }
    if path is not None:
        with (
            written(path, overwrite=overwrite) as stream,
            io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
        ):
            predictions.write(text, delimiter_of(path))
        if json:
            results.tell(as_json({**about, "output": str(path)}))
        else:
            results.tell(f"{len(predictions):,} predictions written to {path}")
    else:
        with standard_output():
            if json:
                print(as_json({**about, "predictions": predictions.as_objects()}, is_wide=True))
            else:
                predictions.write(sys.stdout, ",")
    return 0
