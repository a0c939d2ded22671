"""`fromlogits predict`: classes and probabilities of rows, as CSV, TSV or JSON."""

from __future__ import annotations

import io
import itertools
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import numpy as np
import typer

from ..data.label_sets import SIGN
from ..data.noticed import Noticed
from ..data.pictures.asked import error_column
from ..data.reading import Reading
from ..errors import InputError, counted
from ..opening import open_model, stream_unlabelled
from ..whole_file import check_room
from .columns import as_report, noticed_notes
from .display import Screen, standard_output
from .options import (
    Coverage,
    Data,
    Json,
    Model,
    Overwrite,
    Place,
    Threads,
    listed_names,
    named,
    read_coverage,
    reads_files,
)
from .output import (
    Predictions,
    as_json,
    check_output,
    delimiter_of,
    naming,
    own_names,
    spooled,
    takes_a_stream,
    written,
)

if TYPE_CHECKING:
    from ..data.stream import Part
    from ..data.table import Column

MIN_PROBABILITY = len(",0.0")
ERROR = "error"
"""The column that says why a picture can't be read, with --skip-bad."""


@reads_files
def predict(
    model: Model,
    data: Data,
    reading: Reading,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write to this .csv, .tsv or pipe [CSV to standard output]."
        ),
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Add the logits, one column per output unit.")] = False,
    coverage: Coverage = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", metavar="COLUMNS", help="Columns of DATA to copy to the predictions, as they stand there."
        ),
    ] = None,
    top: Annotated[
        str | None,
        typer.Option(
            "--top", metavar="K", help="The K most probable classes or labels, best first, instead of all of them."
        ),
    ] = None,
    abstain_below: Annotated[
        str | None,
        typer.Option(
            "--abstain-below",
            metavar="P",
            help="No prediction where the probability that it is right is below P; of labels, those are listed apart.",
        ),
    ] = None,
    backbone: Place = None,
    threads: Threads = None,
    json: Json = False,
    overwrite: Overwrite = False,
) -> int:
    """Predict the class of each row, and probabilities."""
    path = Path(output) if output is not None else None
    if path is not None:
        delimiter_of(path)
        check_output(path, overwrite=overwrite, inputs=[model, data], may_be_stream=True)
    from ..decisions import rules

    wanted = read_coverage(coverage)
    classifier = open_model(model, threads, backbone)
    n_classes, is_multi_label = len(classifier.target_.classes), classifier.target_.task == "multi-label"
    k = None if top is None else rules.checked_top("--top", int(top) if top.isdecimal() else top, n_classes)
    least_share = None if abstain_below is None else _share("--abstain-below", abstain_below)
    says_undecided = is_multi_label and least_share is not None
    sets = None if wanted is None else classifier._sets_for(wanted)
    stream = stream_unlabelled(classifier, data, reading, listed_names(keep))
    noticed = Noticed(classifier.encoder_)
    n_rows = n_undecided = 0

    def predicted(part: Part) -> Iterator[Predictions]:
        nonlocal n_undecided
        start = 0
        for logits_nc in classifier._logits_in_parts(part.features, classifier.calibration_):
            stop = start + len(logits_nc)
            probabilities_nk = classifier._probabilities(logits_nc)
            bad = None if part.bad is None else {row - start: why for row, why in part.bad.items() if row >= start}
            predictions = Predictions(
                [
                    *(column.part(start, stop) for column in part.copied),
                    *([] if bad is None else [error_column(ERROR, bad, stop - start)]),
                ],
                classifier._decide(logits_nc, least_share),
                classifier.target_.classes,
                probabilities_nk,
                logits_nc if logits else None,
                is_multi_label=is_multi_label,
                separator=classifier.target_.separator or SIGN,
                top=None if k is None else classifier._top(probabilities_nk, k),
                says_undecided=says_undecided,
                sets=None if sets is None else sets.of(logits_nc, wanted),
                is_there=None if not bad else np.array([row not in bad for row in range(stop - start)]),
            )
            if least_share is not None:
                n_undecided += predictions.n_undecided
            yield predictions
            start = stop

    def check(first: Part) -> None:
        logit_names = [str(name) for name in classifier.target_.classes] if logits else []
        own = own_names(
            classifier.target_.classes, logit_names, k, says_undecided=says_undecided, has_sets=sets is not None
        )
        _refuse_two_of_a_name(first.copied, own if first.bad is None else [*own, ERROR])
        if path is not None and not takes_a_stream(path):
            least = len(first) * (2 + MIN_PROBABILITY * (n_classes if k is None else k))
            check_room("the predictions need at least", path.resolve().parent, least)

    def parts() -> Iterator[Predictions]:
        nonlocal n_rows
        fault: InputError | None = None
        rest = stream.parts()
        with naming(data):
            first = next(rest)
        check(first)
        with naming(data):
            for part in itertools.chain([first], rest):
                n_rows += len(part)
                try:
                    noticed.add(part.features)
                    if noticed.unusable or fault is not None:
                        continue  # nothing will be written; more columns may be unusable
                    yield from predicted(part)
                except InputError as error:  # said behind what can't be read, wherever that stands
                    fault = fault or error
            if noticed.unusable:
                raise noticed.refusal(stream.whole_column)
            if fault is not None:
                raise fault

    def write(text: TextIO, delimiter: str) -> None:
        for number, part in enumerate(parts()):
            part.write(text, delimiter, has_header=number == 0)

    progress, results = Screen(sys.stderr), Screen(sys.stdout)

    def tell_notes() -> None:
        for note in (*stream.notes(), *noticed_notes(noticed.counts(), named(data), n_rows)):
            progress.tell(f"note: {note.rstrip('.')}.")

    def about() -> dict[str, Any]:
        return {
            "task": classifier.target_.task,
            "rows": n_rows,
            "classes": list(classifier.target_.classes),
            "columns": as_report(noticed.counts()),
            **({} if least_share is None else {"undecided_rows": n_undecided}),
        }

    def send(spool: TextIO, before: str = "", after: str = "") -> None:
        """To standard output all or nothing, as with a file: a row that can't be predicted may come late."""
        with spool, standard_output():
            sys.stdout.write(before)
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout)
            sys.stdout.write(after)

    if path is not None:
        with (
            written(path, overwrite=overwrite) as file,
            io.TextIOWrapper(file, encoding="utf-8", newline="") as text,
        ):
            write(text, delimiter_of(path))
        tell_notes()
        if json:
            results.tell(as_json({**about(), "output": str(path)}))
        else:
            say = progress if takes_a_stream(path) else results  # a pipe may be standard output itself
            say.tell(f"{counted(n_rows, 'prediction')} written to {path}{_undecided(n_undecided, says_undecided)}")
    elif json:
        with spooled() as spool:
            for number, row in enumerate(row for part in parts() for row in part.as_objects()):
                spool.write(f"{', ' * (number > 0)}{as_json(row, is_wide=True)}")
        tell_notes()
        around = as_json({**about(), "predictions": []}, is_wide=True)
        send(spool, around.removesuffix("]}"), "]}\n")
    else:
        with spooled() as spool:
            write(spool, ",")
        tell_notes()
        send(spool)
    return 0


def _undecided(n_rows: int, of_labels: bool) -> str:
    """What follows a number of predictions of which some were not made."""
    if not n_rows:
        return ""
    return f", {n_rows:,} of them {'with labels undecided' if of_labels else 'left empty'}"


def _share(option: str, text: str) -> float:
    from ..decisions import rules

    try:
        value: object = float(text)
    except ValueError:
        value = text
    return rules.checked_share(option, value)


def _refuse_two_of_a_name(copied: Sequence[Column], own: Sequence[str]) -> None:
    """The columns of the predictions have names that differ."""
    for column in copied:
        if column.name in own:
            raise InputError(
                f"column {column.name!r} can't be copied to the predictions, which have a column of that name; leave it"
                " out of --keep, or rename it in the file."
            )
