"""`fromlogits export`: a model in the form of other programs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .display import Screen
from .options import Json, Model, Overwrite
from .output import as_json, check_output, written


def export(
    model: Model,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The file to write; its ending says its form: .onnx or .html.", show_default=False
        ),
    ],
    overwrite: Overwrite = False,
    json: Json = False,
) -> int:
    """Write a model, from its columns to its decisions, as a file that other programs run."""
    from ..export.base import format_of
    from ..opening import open_model

    form = format_of(out)
    check_output(out, overwrite=overwrite, inputs=[model], option="OUT")
    exported = form.export(open_model(model, None, to_predict=False))
    with written(out, overwrite=overwrite) as stream:
        stream.write(exported.content)

    progress, results = Screen(sys.stderr), Screen(sys.stdout)
    for note in exported.notes:
        progress.tell(f"note: {note}.")
    if json:
        results.tell(as_json({"file": str(out), "bytes": len(exported.content), **exported.about}))
        return 0
    for name, value in exported.about.items():
        results.tell(f"{name}: {value}")
    results.tell(f"saved as {shlex.quote(str(out))}")
    return 0
