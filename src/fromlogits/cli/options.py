"""Arguments and options that several verbs share, and those that stand for a setting of the registry."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.reading import FORMS, Reading, one_character
from ..errors import InputError
from ..settings import SETTINGS
from .pictures import telling_of_pictures

if TYPE_CHECKING:
    from ..classifier import Classifier


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
MAX_SIDE = 1024
"""Of pictures that a network takes, in pixels: three bytes each in every row."""
OPTIONAL = ("--live",)
"""Options whose value may be left out."""
DATA_HELP = (
    "CSV, TSV, JSON lines or svmlight (also .gz, .zst), Parquet, Arrow or Feather, .npz with arrays X and y, IDX"
    " images with their labels beside them, or a folder or .zip of pictures, a folder for each class; - is standard"
    " input."
)
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file that train saved (.safetensors).", show_default=False)
]
Threads = Annotated[str | None, setting_option("--threads")]
Place = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        metavar="hf:FOLDER",
        help="Where the pretrained network lies that MODEL was trained behind. [found by its name]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output file that exists.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; warnings and results only.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, print what would be done, train nothing.")]

Live = Annotated[
    str | None,
    typer.Option(
        "--live",
        metavar="[PORT]",
        help="Show the training on a page of this machine, at this port or one that is free, with a button to stop it.",
    ),
]

DecideForAnew = Annotated[
    str | None,
    setting_option(
        "--decide-for",
        "what decisions are for, chosen on DATA; as for train",
        "what MODEL decides for, if anything, chosen anew",
    ),
]
Coverage = Annotated[
    str | None,
    typer.Option(
        "--coverage",
        metavar="P",
        help="Prediction sets that hold a new row's class with this probability, such as 0.9, from rows kept for them.",
    ),
]


@dataclass(frozen=True)
class Recipe:
    """What is typed to describe a training: each field is an option."""

    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="COLUMN",
            help='The column to predict; several ("car,bus" or "label:*") are 0/1 labels. Only tables need it.',
        ),
    ] = None
    label_separator: Annotated[
        str | None,
        typer.Option(
            "--label-separator",
            metavar="SIGN",
            help='The target column holds sets of labels with this sign between them, as in "car|bus".',
        ),
    ] = None
    layers: Annotated[
        str | None,
        setting_option(
            "--layers", help='Hidden units as in "25,15", or the whole network as in "25 relu, 15 relu, 10 linear"'
        ),
    ] = None
    preset: Annotated[str | None, setting_option("--preset")] = None
    backbone: Annotated[str | None, setting_option("--backbone")] = None
    epochs: Annotated[str | None, setting_option("--epochs")] = None
    time_limit: Annotated[str | None, setting_option("--time-limit")] = None
    seed: Annotated[str | None, setting_option("--seed", default="0")] = None
    threads: Threads = None
    metric: Annotated[str | None, setting_option("--metric")] = None
    decide_for: Annotated[str | None, setting_option("--decide-for")] = None
    task: Annotated[str | None, setting_option("--task")] = None
    separate_networks: Annotated[bool, switch_option("--separate-networks")] = False
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="COLUMNS", help="Columns that name a row: kept in predictions, not learned from."),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="COLUMN", help="The column that says what each row counts for; no feature."),
    ] = None
    ignore: Annotated[list[str] | None, typer.Option("--ignore", metavar="COLUMNS", help="Columns to leave out.")] = (
        None
    )
    categorical: Annotated[
        list[str] | None,
        typer.Option(
            "--categorical", metavar="COLUMNS", help="Columns that are categories, though they look like numbers."
        ),
    ] = None
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            help="Rows with one value of this column, such as a patient's, stay together when rows are held out.",
        ),
    ] = None
    time_column: Annotated[
        str | None,
        typer.Option(
            "--time-column",
            metavar="COLUMN",
            help="Hold out the last rows by this column of numbers or dates (2026-11-27, 2026-11-27T17:30:00).",
        ),
    ] = None
    image_shape: Annotated[
        str | None, typer.Option("--image-shape", metavar="8x8", help="Each row is a picture of this height and width.")
    ] = None
    image_size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="64x64",
            help="The height and width that picture files are resized to [theirs if small and all one, or else a short"
            " side of 64].",
        ),
    ] = None
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting by its name, as in dropout=0.2."),
    ] = None
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="Settings from a TOML or JSON file; the command line wins."),
    ] = None

    def classifier(self) -> Classifier:
        """With the settings, not fitted."""
        from .. import Classifier
        from ..settings import collect

        by_flag = {
            "--layers": self.layers,
            "--preset": self.preset,
            "--backbone": self.backbone,
            "--epochs": self.epochs,
            "--time-limit": self.time_limit,
            "--seed": self.seed,
            "--threads": self.threads,
            "--metric": self.metric,
            "--decide-for": self.decide_for,
            "--task": self.task,
            "--separate-networks": "true" if self.separate_networks else None,
        }
        return Classifier(**collect(by_flag, self.sets or (), self.config))

    def asked(self, reading: Reading, classifier: Classifier, *, dry_run: bool) -> dict[str, Any]:
        """What `data.sources.read` is asked for, to train this classifier; or to say what that would be."""
        from ..fitting import backbone_of

        cache = None if reading.image_cache is None else Path(reading.image_cache)
        backbone = backbone_of(classifier.get_params(), cache=cache)
        if backbone is not None:
            backbone.is_dry = dry_run
        names = listed_names(self.categorical)
        return {
            "target": ",".join(self.target) if self.target else None,
            "ids": listed_names(self.ids),
            "ignore": listed_names(self.ignore),
            "weights": self.weights,
            "group": self.group,
            "time": self.time_column,
            "picture_shape": _picture_shape(self.image_shape),
            "reading": dataclasses.replace(
                reading,
                label_separator=one_character("--label-separator", self.label_separator),
                as_text=names,
                is_about_columns=reading.is_about_columns or bool(names),
                image_size=_image_size(self.image_size),
                backbone=backbone,
            ),
        }


def describes_training(verb: Callable[..., int]) -> Callable[..., int]:
    """The verb with the options of a `Recipe`, which it gets as one, in the place of its parameter `recipe`."""
    hints = typing.get_type_hints(Recipe, include_extras=True)
    options = [_parameter(field.name, hints[field.name], field.default) for field in dataclasses.fields(Recipe)]
    return _with_options(verb, "recipe", options, lambda said: Recipe(**said))


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
    "images": (str, "--images", "COLUMN", "The table's column that names picture files, or holds them: the one input."),
    "image_root": (
        str,
        "--image-root",
        "FOLDER|ZIP",
        "The folder or .zip in which the table's picture files lie [the table's folder].",
    ),
    "image_cache": (
        str,
        "--image-cache",
        "FOLDER",
        "Keep decoded pixels in this folder, or a pretrained backbone's features, for commands that follow.",
    ),
    "skip_bad": (bool, "--skip-bad", "", "Go on without pictures that can't be read, and say which [refuse them all]."),
}
"""How a file is to be read: field of `Reading` -> type, flag, metavar, help."""


def reads_files(verb: Callable[..., int]) -> Callable[..., int]:
    """The verb with the options about how files are read, its last ones, which it gets as one `Reading`."""

    def option(kind: Any, flag: str, metavar: str, words: str) -> Any:
        if kind is bool:
            return Annotated[bool, typer.Option(flag, help=words)]
        return Annotated[kind | None, typer.Option(flag, metavar=metavar, help=words.format(forms=", ".join(FORMS)))]

    def made(said: dict[str, Any]) -> Reading:
        return Reading.of_options(**said | {name: listed_names(said[name]) for name in ("missing", "numeric")})

    options = [_parameter(name, option(*about), False if about[0] is bool else None) for name, about in READING.items()]
    return _with_options(telling_of_pictures(verb), "reading", options, made, is_last=True)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def _with_options(
    verb: Callable[..., int],
    group: str,
    options: list[inspect.Parameter],
    made: Callable[[dict[str, Any]], Any],
    *,
    is_last: bool = False,
) -> Callable[..., int]:
    """The verb with these options instead of its parameter `group`, which is made of them."""
    signature = inspect.signature(verb)
    hints = typing.get_type_hints(verb, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name != group:
            parameters.append(parameter.replace(annotation=hints[name]))
        elif not is_last:
            parameters += options
    if is_last:
        parameters += options

    @functools.wraps(verb)
    def with_group(**arguments: Any) -> int:
        said = {option.name: arguments.pop(option.name) for option in options}
        return verb(**arguments, **{group: made(said)})

    with_group.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_group.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del with_group.__wrapped__
    return with_group


def with_values(arguments: list[str]) -> list[str]:
    """The command line, an option whose value is left out given an empty one: a value is a number, or follows a =."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [
        f"{one}=" if one in OPTIONAL and place < end and not _is_number(arguments[place + 1 :]) else one
        for place, one in enumerate(arguments)
    ]


def _is_number(rest: list[str]) -> bool:
    return bool(rest) and rest[0].isdecimal()


def read_coverage(text: str | None) -> float | None:
    """What --coverage says."""
    from ..decisions.sets import checked_coverage

    if text is None:
        return None
    try:
        return checked_coverage(float(text))
    except ValueError:  # InputError is one
        raise InputError(f"--coverage must be a number between 0 and 1, as in 0.9; got {text!r}.") from None


def _picture_shape(text: str | None) -> tuple[int, ...] | None:
    """What --image-shape says."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) in (2, 3) and all(part.isdecimal() and 0 < int(part) < 100_000 for part in parts):
        return tuple(int(part) for part in parts)
    raise InputError(f"--image-shape must be height x width, as in 8x8 (or 32x32x3 with colours); got {text!r}.")


def _image_size(text: str | None) -> tuple[int, int] | None:
    """What --image-size says."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) == 2 and all(part.isdecimal() and 0 < int(part) <= MAX_SIDE for part in parts):
        return int(parts[0]), int(parts[1])
    raise InputError(f"--image-size must be height x width, each from 1 to {MAX_SIDE:,}, as in 64x64; got {text!r}.")


def named(data: str) -> str:
    """A file as a sentence names it."""
    return "standard input" if data == STDIN else data


def listed_names(texts: list[str] | None) -> tuple[str, ...]:
    """Names separated by commas, from an option that may be repeated."""
    return tuple(name.strip() for text in texts or () for name in text.split(",") if name.strip())
