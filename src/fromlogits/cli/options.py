"""Arguments and options that several verbs share, and those that stand for a setting of the registry."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..settings import SETTINGS

if TYPE_CHECKING:
    from ..data.reading import Reading


def setting_option(flag: str, help: str | None = None, default: str | None = None) -> Any:
    """The option of a setting: its flag, help and default as the registry has them, unless told otherwise."""
    setting = next(setting for setting in SETTINGS if setting.flag == flag)
    words = help or setting.help
    if setting.allowed:
        words += f": {' or '.join(setting.allowed)}"
    default = f" [{default or setting.default}]" if default or not help else ""
    return typer.Option(flag, metavar=setting.kind.metavar, help=f"{_sentence(words)}{default}")


def switch_option(flag: str) -> Any:
    """The option that turns a setting on."""
    setting = next(setting for setting in SETTINGS if setting.flag == flag)
    return typer.Option(flag, help=_sentence(setting.help))


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


STDIN = "-"
DATA_HELP = (
    "CSV, TSV, JSON lines or svmlight (also .gz, .zst), Parquet, Arrow or Feather, .npz with arrays X and y, or IDX"
    " images with their labels beside them; - is standard input."
)
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file that train saved (.safetensors).", show_default=False)
]
Threads = Annotated[str | None, setting_option("--threads")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output file that exists.")]

Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help='The column to predict; several ("car,bus" or "label:*") are 0/1 labels. Only tables need it.',
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="SIGN",
        help='The target column holds sets of labels with this sign between them, as in "car|bus".',
    ),
]
Layers = Annotated[
    str | None,
    setting_option(
        "--layers", help='Hidden units as in "25,15", or the whole network as in "25 relu, 15 relu, 10 linear"'
    ),
]
Preset = Annotated[str | None, setting_option("--preset")]
Epochs = Annotated[str | None, setting_option("--epochs")]
Seed = Annotated[str | None, setting_option("--seed", default="0")]
Metric = Annotated[str | None, setting_option("--metric")]
DecideFor = Annotated[str | None, setting_option("--decide-for")]
DecideForAnew = Annotated[
    str | None,
    setting_option(
        "--decide-for",
        "what decisions are for, chosen on DATA; as for train",
        "what MODEL decides for, if anything, chosen anew",
    ),
]
Task = Annotated[str | None, setting_option("--task")]
SeparateNetworks = Annotated[bool, switch_option("--separate-networks")]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="COLUMNS", help="Columns that name a row: kept in predictions, not learned from."),
]
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="COLUMN", help="The column that says what each row counts for; no feature."),
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="COLUMNS", help="Columns to leave out.")]
Categorical = Annotated[
    list[str] | None,
    typer.Option(
        "--categorical", metavar="COLUMNS", help="Columns that are categories, though they look like numbers."
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="COLUMN",
        help="Rows with one value of this column, such as a patient's, stay together when rows are held out.",
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time-column",
        metavar="COLUMN",
        help="Hold out the last rows by this column of numbers or dates (2026-11-27, 2026-11-27T17:30:00).",
    ),
]
ImageShape = Annotated[
    str | None, typer.Option("--image-shape", metavar="8x8", help="Each row is a picture of this height and width.")
]
Coverage = Annotated[
    str | None,
    typer.Option(
        "--coverage",
        metavar="P",
        help="Prediction sets that hold a new row's class with this probability, such as 0.9, from rows kept for them.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting by its name, as in dropout=0.2."),
]
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Settings from a TOML or JSON file; the command line wins."),
]
"""The options by which a training is described."""


READING: dict[str, tuple[Any, str, str, str]] = {
    "form": (str, "--format", "FORM", "What kind of file DATA is, whatever its name says: {forms}."),
    "encoding": (str, "--encoding", "NAME", "The encoding of text that is not UTF-8, such as cp1252 or utf-16."),
    "separator": (str, "--separator", "SIGN", "The sign between the values of a row [found out]."),
    "quote": (str, "--quote", "SIGN", 'The sign around values that hold a separator, or none ["].'),
    "decimal": (str, "--decimal", "SIGN", "The sign before decimals, . or , [found out]."),
    "header": (
        str,
        "--header",
        "WHAT",
        "What line 1 is: names, none (it is data), or mend (number repeated and empty names) [found out].",
    ),
    "missing": (
        list[str],
        "--missing",
        "WORDS",
        "Words for a missing value, as in NA,?; an empty field is one anyway.",
    ),
    "numeric": (list[str], "--numeric", "COLUMNS", "Columns to read as numbers though they look like codes, as 007."),
}
"""How a file is to be read: field of `Reading` -> type, flag, metavar, help."""


def reads_files(verb: Callable[..., int]) -> Callable[..., int]:
    """The verb with the options about how files are read, which it gets as one `Reading`."""
    from ..data.reading import FORMS, Reading

    signature = inspect.signature(verb)
    hints = typing.get_type_hints(verb, include_extras=True)
    of_verb = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
        if name != "reading"
    ]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None,
            annotation=Annotated[
                kind | None, typer.Option(flag, metavar=metavar, help=words.format(forms=", ".join(FORMS)))
            ],
        )
        for name, (kind, flag, metavar, words) in READING.items()
    ]

    @functools.wraps(verb)
    def with_reading(**arguments: Any) -> int:
        said = {name: arguments.pop(name) for name in READING}
        for name in ("missing", "numeric"):
            said[name] = listed_names(said[name])
        return verb(**arguments, reading=Reading.of_options(**said))

    parameters = [*of_verb, *options]
    with_reading.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_reading.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del with_reading.__wrapped__
    return with_reading


def with_categories(reading: Reading, categorical: list[str] | None) -> Reading:
    """The reading with what --categorical says."""
    names = listed_names(categorical)
    return dataclasses.replace(reading, as_text=names, is_about_columns=reading.is_about_columns or bool(names))


def read_coverage(text: str | None) -> float | None:
    """What --coverage says."""
    from ..decisions.sets import checked_coverage

    if text is None:
        return None
    try:
        return checked_coverage(float(text))
    except ValueError:  # InputError is one
        raise InputError(f"--coverage must be a number between 0 and 1, as in 0.9; got {text!r}.") from None


def picture_shape(text: str | None) -> tuple[int, ...] | None:
    """What --image-shape says."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) in (2, 3) and all(part.isdecimal() and 0 < int(part) < 100_000 for part in parts):
        return tuple(int(part) for part in parts)
    raise InputError(f"--image-shape must be height x width, as in 8x8 (or 32x32x3 with colours); got {text!r}.")


def named(data: str) -> str:
    """A file as a sentence names it."""
    return "standard input" if data == STDIN else data


def listed_names(texts: list[str] | None) -> tuple[str, ...]:
    """Names separated by commas, from an option that may be repeated."""
    return tuple(name.strip() for text in texts or () for name in text.split(",") if name.strip())
