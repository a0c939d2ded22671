"""Arguments and options that several verbs share, and those that stand for a setting of the registry."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..settings import SETTINGS


def setting_option(flag: str, help: str | None = None, default: str | None = None) -> Any:
    """The option of a setting: its flag, help and default as the registry has them, unless told otherwise."""
    setting = next(setting for setting in SETTINGS if setting.flag == flag)
    words = help or setting.help
    if setting.allowed:
        words += f": {' or '.join(setting.allowed)}"
    default = f" [{default or setting.default}]" if default or not help else ""
    return typer.Option(flag, metavar=setting.kind.metavar, help=f"{_sentence(words)}{default}")


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


DATA_HELP = (
    "CSV, TSV or JSON lines (also .gz), Parquet, Arrow or Feather, .npz with arrays X and y, or IDX images with their"
    " labels beside them."
)
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file that train saved (.safetensors).", show_default=False)
]
Threads = Annotated[str | None, setting_option("--threads")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output file that exists.")]
