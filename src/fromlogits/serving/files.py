"""Rows as a file has them: CSV, TSV or JSON lines, read from a request just as `fromlogits predict` reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ..data.reading import Reading
from ..data.table import Inputs
from ..errors import InputError
from ..opening import read_unlabelled
from .models import Served

FORMS = {
    "text/csv": "csv", "text/tab-separated-values": "tsv",
    "application/x-ndjson": "jsonl", "application/jsonl": "jsonl",
}  # fmt: skip
"""Content type -> the form of the file."""
OPTIONS = ("separator", "quote", "decimal", "header", "missing", "numeric")
"""Of the command line, that a query may give by their names."""


def features_of(
    body: bytes,
    content_type: str,
    charset: str | None,
    said: Mapping[str, str],
    model: Served,
    until: ExitStack,
) -> tuple[Inputs, tuple[str, ...]]:
    """The rows, and what was found, decided and converted.

    Args:
        body: of the request.
        content_type: one of FORMS.
        charset: of its text; None: UTF-8.
        said: OPTIONS as they were given.
        until: keeps the file, in which an error about a row looks for its line.
    """
    if not body:
        raise InputError("the body is empty; it must hold a line of column names and rows below it.")
    form = FORMS[content_type]
    lists = {name: tuple(said[name].split(",")) if name in said else () for name in ("missing", "numeric")}
    signs = {name: said.get(name) for name in ("separator", "quote", "decimal", "header")}
    reading = Reading.of_options(form=form, encoding=charset, **signs, **lists)  # type: ignore[arg-type]
    path = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="fromlogits-"))) / f"body.{form}"
    path.write_bytes(body)
    dataset = read_unlabelled(model.classifier, str(path), reading)
    return dataset.features, dataset.notes
