"""The one registry of what can be set: names, how their text is read, command-line flags, help and defaults.

The constructor of `Classifier` and the finer fields of `Plan` (its `spec=`) stand here once. The options of
`fromlogits train`, `--set KEY=VALUE`, `--config FILE` and docs/reference/settings.md are made from it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engines import DEVICES, ENGINES
from .errors import InputError, brief, counted, nearest
from .presets import BACKBONES, PRESETS, USUAL, check_backbone
from .spec import (
    FADES,
    HIDDEN_ACTIVATIONS,
    INITIALISATIONS,
    MAX_NETWORKS,
    NUMBER_SCALES,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    Network,
    Plan,
    one_of,
    parse_layers,
)

TASKS = ("multi-class", "multi-label")
MAX_CONFIG_BYTES = 2**20
MAX_COSTS_BYTES = 2**23


@dataclass(frozen=True)
class Kind:
    """How a value is written. `read` takes text, or what TOML and JSON know, and raises ValueError."""

    words: str
    metavar: str
    read: Callable[[object], object]


@dataclass(frozen=True)
class Setting:
    """One thing that can be set.

    Args:
        name: keyword of `Classifier`, or key of its `spec=` where is_finer.
        kind: how its value is written.
        default: what holds where it is not set, in words.
        help: one sentence, in the docs followed by its full stop.
        flag: its own option of `fromlogits train`, if it has one.
        is_finer: a field of `Plan` that goes through `spec=`.
        allowed: the words it takes, or empty.
        limits: the smallest and the largest whole number, where `Plan` does not check it.
    """

    name: str
    kind: Kind
    default: str
    help: str
    flag: str | None = None
    is_finer: bool = False
    allowed: tuple[str, ...] = ()
    limits: tuple[int, int] | None = None


def _read_whole(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,30}\s*", value):
        return int(value)
    raise ValueError("a whole number such as 30")


def _read_number(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", value):
        return float(value)
    raise ValueError("a number such as 0.001")


def _read_seconds(value: object) -> object:
    with contextlib.suppress(ValueError):
        seconds = _read_number(value)
        if isinstance(seconds, (int, float)) and 0 < seconds < math.inf:
            return seconds
    raise ValueError("seconds, a number above 0 such as 60")


def _read_switch(value: object) -> object:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in ("true", "yes", "on"):
        return True
    if word in ("false", "no", "off"):
        return False
    raise ValueError("true or false")


def _read_word(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("a word")


def _read_sizes(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, list) and all(isinstance(units, int) and not isinstance(units, bool) for units in value):
        return tuple(value)
    if isinstance(value, str):
        text = value.strip().removeprefix("(").removeprefix("[").removesuffix(")").removesuffix("]").rstrip(", ")
        if re.fullmatch(r"([0-9]{1,9}(\s*,\s*[0-9]{1,9})*)?", text):
            return parse_layers(text)
    raise ValueError('the units of the hidden layers, as in "25,15" (or "" for none)')


def _read_network(value: object) -> object:
    network = parse_layers(value) if isinstance(value, str) else None
    if isinstance(network, Network):
        return network
    raise ValueError('all layers with their activations, as in "25 relu, 15 relu, 10 linear"')


def _read_layers(value: object) -> object:
    if isinstance(value, str):
        return parse_layers(value)
    raise ValueError('hidden units as in "25,15", or a whole network as in "25 relu, 15 relu, 10 linear"')


def _read_by_name(value: object) -> dict[str, float] | None:
    """Weights by name: a table, or text as in "no:1,yes:5"; None for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or ":" not in value:
        return None
    weights: dict[str, float] = {}
    for part in value.split(","):
        name, _, number = part.rpartition(":")
        name = name.strip()
        if name in weights:
            raise ValueError(f"given once for each name, {name!r} is there twice")
        weights[name] = _read_number(number)  # type: ignore[assignment]
    return weights


def _read_class_weight(value: object) -> object:
    if isinstance(value, str) and value.strip() == "balanced":
        return "balanced"
    with contextlib.suppress(ValueError):
        if weights := _read_by_name(value):
            return weights
    raise ValueError('balanced, or the weights of classes, as in "no:1,yes:5"')


def _read_pos_weight(value: object) -> object:
    if isinstance(value, str) and value.strip() == "balanced":
        return "balanced"
    with contextlib.suppress(ValueError):
        if weights := _read_by_name(value):
            return weights
        if isinstance(value, list):
            return [_read_number(number) for number in value]
        if isinstance(value, str) and "," in value:
            return [_read_number(number) for number in value.split(",")]
        return _read_number(value)
    raise ValueError('balanced, a number, one for each label ("1,2.5,8"), or those of labels ("car:2.5,bus:8")')


def _read_decide_for(value: object) -> object:
    from .decisions.objectives import Objective

    if isinstance(value, (list, dict)):
        return value
    if isinstance(value, str):
        objective = Objective.parse(value)
        if objective is not None:
            return objective.name
        if value.strip().lower().endswith((".csv", ".tsv")):
            return costs_from_file(value.strip())
    raise ValueError(
        "accuracy, balanced_accuracy, f1 (f2, f0.5, macro_f1, micro_f1), recall>=0.9, precision>=0.9, or the .csv file"
        " of a cost matrix"
    )


def _or_none(kind: Kind) -> Kind:
    def read(value: object) -> object:
        if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
            return None
        try:
            return kind.read(value)
        except InputError:  # a file's fault has its own words
            raise
        except ValueError as error:
            raise ValueError(f"{error}, or none") from None

    return Kind(f"{kind.words}, or none", kind.metavar, read)


WHOLE = Kind("whole number", "N", _read_whole)
NUMBER = Kind("number", "X", _read_number)
SWITCH = Kind("true or false", "BOOL", _read_switch)
SECONDS = Kind("seconds", "S", _read_seconds)
WORD = Kind("word", "WORD", _read_word)
SIZES = Kind('units, as in "25,15"', "UNITS", _read_sizes)
NETWORK = Kind('layers, as in "25 relu, 10 linear"', "LAYERS", _read_network)
CLASS_WEIGHT = Kind('balanced, or weights, as in "no:1,yes:5"', "WEIGHTS", _read_class_weight)
POS_WEIGHT = Kind('balanced, a number, or weights, as in "car:2.5,bus:8"', "WEIGHTS", _read_pos_weight)
DECIDE_FOR = Kind('words such as f1 or "recall>=0.9", or a .csv file of costs', "WHAT", _read_decide_for)
LAYERS = Kind("either of the two", "LAYERS", _read_layers)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "network",
        NETWORK,
        "not stated",
        "the whole network, layer by layer, with periodic or piecewise, embedding and scaling in front where they are"
        " wanted; the last activation is linear (the target decides the head), softmax or sigmoid",
        flag="--layers",
    ),
    Setting(
        "hidden_layer_sizes",
        SIZES,
        "by the preset",
        "units of each hidden layer; the output layer follows from the target, and no hidden layer gives logistic or"
        " softmax regression",
        flag="--layers",
    ),
    Setting(
        "activation",
        WORD,
        "by the preset",
        "activation of the hidden layers of hidden_layer_sizes",
        allowed=HIDDEN_ACTIVATIONS,
    ),
    Setting(
        "preset", WORD, USUAL, "the recipe that gives every value that is not set", flag="--preset", allowed=PRESETS
    ),
    Setting(
        "backbone",
        _or_none(WORD),
        "none",
        "of pictures: what stands in front of the dense layers: none; tiny, a small residual network that the torch"
        " engine trains; or hf: and the name or the folder of a pretrained network, which stays as it is",
        flag="--backbone",
        allowed=BACKBONES,
    ),
    Setting("dropout", NUMBER, "by the preset", "share of each hidden layer's units set to 0 in a training step"),
    Setting(
        "optimizer",
        WORD,
        "by the preset",
        "what turns a gradient into a step; the last two have momentum",
        allowed=OPTIMIZERS,
    ),
    Setting("learning_rate", NUMBER, "by the preset", "size of a step at the start of the schedule"),
    Setting(
        "weight_decay",
        NUMBER,
        "by the preset",
        "λ: λ/2 · ‖W‖² is added to the mean loss; but adamw shrinks W by learning_rate · λ a step; biases are free",
    ),
    Setting("batch_size", WHOLE, "by the preset", "rows a step"),
    Setting("max_epochs", WHOLE, "by the preset", "passes over the training rows, at most", flag="--epochs"),
    Setting(
        "time_limit",
        _or_none(SECONDS),
        "none",
        "seconds that the training may take, from the start of the command (in Python, of fit) to the saved file; what"
        " does not fit, networks of the ensemble first and then epochs, is left out and said (cv: of each training)",
        flag="--time-limit",
    ),
    Setting(
        "early_stopping",
        SWITCH,
        "true",
        "hold out validation rows, stop when they no longer get better and keep the best epoch; false trains on every"
        " row for max_epochs (with calibrate=false)",
    ),
    Setting("patience", WHOLE, "by the preset", "epochs without a better one before the training stops"),
    Setting("validation_fraction", NUMBER, "0.1", "share of the rows held out for validation"),
    Setting(
        "metric",
        WORD,
        "log_loss",
        "what the validation rows are judged by: log_loss, brier, macro_f1, macro_roc_auc or macro_average_precision;"
        " for classes also accuracy, balanced_accuracy, top_3_accuracy or top_5_accuracy; for labels also micro_f1,"
        " subset_accuracy or hamming_loss",
        flag="--metric",
    ),
    Setting(
        "decide_for",
        _or_none(DECIDE_FOR),
        "none",
        "what decisions are for, chosen on the validation rows: f1, f2, micro_f1, balanced_accuracy, recall>=0.9 and"
        " others, or costs: a .csv file with the classes in its first column (true) and first line (decided)",
        flag="--decide-for",
    ),
    Setting(
        "class_weight",
        _or_none(CLASS_WEIGHT),
        "none",
        "of one class per row: what the rows of each class count for in the training; balanced gives a class"
        " n / (K · n_c), and one that is not named counts 1",
    ),
    Setting(
        "pos_weight",
        _or_none(POS_WEIGHT),
        "none",
        "of labels: what a 1 counts beside a 0 in the training, for all labels, one after the other or by name;"
        " balanced gives a label n_0 / n_1",
    ),
    Setting(
        "separate_networks",
        SWITCH,
        "false",
        "of labels: one network with one unit for each, instead of one network with a unit for each",
        flag="--separate-networks",
    ),
    Setting(
        "ensemble",
        _or_none(WHOLE),
        "by the preset",
        "so many networks from different seeds, whose mean probability is the answer; none leaves it to the preset",
        limits=(1, MAX_NETWORKS),
    ),
    Setting(
        "warm_start",
        SWITCH,
        "false",
        "in Python, a second fit goes on from the parameters, columns and classes of the first; a command trains once",
    ),
    Setting(
        "calibrate",
        SWITCH,
        "true",
        "fit a temperature, or a temperature and a bias for each label, on the validation rows, where that makes the"
        " log loss smaller",
    ),
    Setting(
        "task",
        _or_none(WORD),
        "none: the target decides",
        "one class per row (softmax, or one sigmoid unit for two classes), or any subset of labels (sigmoid)",
        flag="--task",
        allowed=TASKS,
    ),
    Setting(
        "engine",
        _or_none(WORD),
        "none: native, or torch for a backbone",
        "native (C++), torch (PyTorch, the extra fromlogits[torch]), or reference (NumPy float64: slow, the"
        " specification)",
        allowed=ENGINES,
    ),
    Setting(
        "device",
        _or_none(WORD),
        "none: the first CUDA device if there is one, else the processor",
        "of the torch engine: where it computes; the others compute on the cpu",
        allowed=DEVICES,
    ),
    Setting(
        "n_jobs",
        _or_none(WHOLE),
        "none: the cores this process may use",
        "threads; the result does not depend on it, unless PyTorch trains",
        flag="--threads",
        limits=(1, 1024),
    ),
    Setting(
        "random_state",
        _or_none(WHOLE),
        "0 on the command line; none in Python: drawn, and recorded",
        "the seed of initial weights, row order, dropout and held-out rows",
        flag="--seed",
        limits=(0, 2**63 - 1),
    ),
    Setting("verbose", SWITCH, "false", "print a line per epoch in Python; the command line has its own display"),
    Setting(
        "schedule",
        WORD,
        "by the preset",
        "learning rate over all steps: constant; cosine, half a wave down to 0; coslog4, four waves, each twice as long"
        " as the one before; flat_cosine, constant to the middle and then half a wave down to 0",
        is_finer=True,
        allowed=SCHEDULES,
    ),
    Setting("momentum", NUMBER, "0.9", "of sgd, and Nesterov's of nesterov", is_finer=True),
    Setting("beta1", NUMBER, "0.9", "of adam and adamw: how long the mean of the gradient remembers", is_finer=True),
    Setting(
        "beta2", NUMBER, "by the preset", "of adam and adamw: how long the mean of its square remembers", is_finer=True
    ),
    Setting("epsilon", NUMBER, "1e-08", "of adam and adamw: added to the divisor", is_finer=True),
    Setting("clip_norm", _or_none(NUMBER), "none", "the gradient is scaled down to this Euclidean norm", is_finer=True),
    Setting("bias_rate", NUMBER, "by the preset", "what biases learn at, times the learning rate", is_finer=True),
    Setting("slope_rate", NUMBER, "1", "likewise the slopes of parametric_selu", is_finer=True),
    Setting("scaling_rate", NUMBER, "by the preset", "likewise the factors of a scaling layer", is_finer=True),
    Setting(
        "embedding_rate",
        NUMBER,
        "by the preset",
        "likewise all of periodic, piecewise and embedding layers",
        is_finer=True,
    ),
    Setting(
        "rate_by_width",
        SWITCH,
        "by the preset",
        "the weights of a dense layer of d inputs learn at the learning rate over √d",
        is_finer=True,
    ),
    Setting(
        "scaling_decay",
        NUMBER,
        "by the preset",
        "what the weight decay of a scaling layer's factors is times; biases, slopes and embeddings never decay",
        is_finer=True,
    ),
    Setting(
        "decay_schedule",
        WORD,
        "constant",
        "weight_decay over all steps: constant, or flat_cosine, constant to the middle and then half a wave down to 0",
        is_finer=True,
        allowed=FADES,
    ),
    Setting("dropout_schedule", WORD, "constant", "likewise the dropout", is_finer=True, allowed=FADES),
    Setting(
        "label_smoothing",
        NUMBER,
        "by the preset",
        "share of each target that is spread over all classes, or goes towards a half for a label: less sure"
        " probabilities, which the calibration corrects",
        is_finer=True,
    ),
    Setting(
        "initialisation",
        WORD,
        "by the preset",
        "first weights: uniform, by the widths of the layers alone; data, rescaled so that what each unit computes of"
        " the training rows has the variance 1, with first biases from these rows",
        is_finer=True,
        allowed=INITIALISATIONS,
    ),
    Setting(
        "numbers",
        WORD,
        "by the preset",
        "columns of numbers: standard, by mean and standard deviation; or robust, by median and quartiles, softly"
        " clipped to ±3. Pictures and sparse rows keep a scale that their features share",
        is_finer=True,
        allowed=NUMBER_SCALES,
    ),
    Setting(
        "shift",
        NUMBER,
        "by the preset",
        "of a network with a backbone: pictures are moved, before each training step, by up to this share of their"
        " sides; predictions see them as they are",
        is_finer=True,
    ),
    Setting("zoom", NUMBER, "by the preset", "likewise made larger or smaller by up to this share", is_finer=True),
    Setting("flip", SWITCH, "by the preset", "likewise every other one mirrored left to right", is_finer=True),
    Setting(
        "colour",
        NUMBER,
        "by the preset",
        "likewise contrast, brightness and the brightness of each channel changed by up to this share of the standard"
        " deviation of the pixels",
        is_finer=True,
    ),
    Setting(
        "cut_out",
        NUMBER,
        "0",
        "likewise a part with this share of each side set to the mean pixel",
        is_finer=True,
    ),
    Setting(
        "precision",
        WORD,
        "by the preset",
        "of the convolutions of training steps in the torch engine: float32, or bfloat16, which takes half the time on"
        " some processors and ten times as long on others: by the preset the one that a second of trying finds faster;"
        " predictions are float32",
        is_finer=True,
        allowed=PRECISIONS,
    ),
    Setting(
        "averaging",
        NUMBER,
        "by the preset",
        "share of the epochs over which the parameters are averaged, exponentially, such as 0.125: the averages are"
        " judged and kept; 0 for what each epoch's last step left",
        is_finer=True,
    ),
    Setting(
        "folds",
        WHOLE,
        "by the preset",
        "from 2 on: the rows are shared out among so many folds, each network of the ensemble (so many unless ensemble"
        " says more) is trained on all folds but one, which judges it, and every row calibrates, by the networks that"
        " were not trained on it",
        is_finer=True,
    ),
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
_PLAN_FIELDS = frozenset(field.name for field in dataclasses.fields(Plan))


def find(name: str, source: str) -> Setting:
    """The setting of that name; an unknown one is refused with the nearest known one.

    Args:
        name: as in `--set NAME=VALUE`.
        source: where it was written, for the message: "--set epochs=3".
    """
    if name in BY_NAME:
        return BY_NAME[name]
    by_flag = {setting.flag.removeprefix("--"): setting.name for setting in SETTINGS if setting.flag}
    if name.replace("_", "-") in by_flag:
        hint = f" Did you mean {by_flag[name.replace('_', '-')]!r}?"
    else:
        hint = nearest(name, BY_NAME) or f" Known: {', '.join(BY_NAME)}."
    raise InputError(f"{source}: no setting is called {name!r}.{hint}")


def read_value(setting: Setting, value: object, source: str, kind: Kind | None = None) -> object:
    """A value from text, or from what TOML and JSON know, checked as far as it can be checked alone.

    Args:
        value: what was written.
        source: where, for the message: "--epochs ten".
        kind: read it so, instead of as the setting says (`--layers` stands for two settings).
    """
    try:
        result = (kind or setting.kind).read(value)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except ValueError as error:
        raise InputError(f"{source}: {setting.name} must be {error}; got {value!r}.") from None
    try:
        if len(setting.allowed) == 1 and result != setting.allowed[0]:
            raise InputError(f"the only {setting.name} of this version is {setting.allowed[0]}; got {result!r}.")
        if setting.name == "backbone":
            check_backbone(result if result is not None else "none")
        elif setting.allowed and result is not None:
            one_of(setting.name, result, setting.allowed)
        if setting.limits is not None and isinstance(result, int):
            low, high = setting.limits
            if not low <= result <= high:
                raise InputError(f"{setting.name} must be a whole number from {low} to {high}; got {result}.")
        if setting.name in _PLAN_FIELDS:
            Plan().replace({setting.name: result})
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return result


def from_pairs(pairs: Iterable[str]) -> dict[str, object]:
    """Read the texts of `--set KEY=VALUE`, in any number."""
    settings: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--set takes KEY=VALUE, as in --set dropout=0.2; got {pair!r}.")
        setting = find(name, f"--set {pair}")
        if name in settings:
            raise InputError(f"--set {pair}: {name} is set twice; leave one out.")
        settings[name] = read_value(setting, text, f"--set {pair}")
    return settings


def from_file(path: str | Path) -> dict[str, object]:
    """Read `--config FILE`: TOML, or JSON where the name ends in .json; its keys are the names of the settings."""
    path = Path(path)
    shown = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InputError(f"--config {shown}: {(error.strerror or str(error)).lower()}.") from None
    if len(data) > MAX_CONFIG_BYTES:
        raise InputError(
            f"--config {shown}: a configuration has at most {MAX_CONFIG_BYTES:,} bytes; this is no such file."
        )
    table = _parse(data, path)
    settings = {}
    for name, value in table.items():
        source = f"--config {shown}"
        settings[name] = read_value(find(name, source), value, source)
    return settings


def costs_from_file(path: str | Path) -> dict[str, dict[str, float]]:
    """A cost matrix, {true: {decided: cost}}, from a CSV or TSV file: names of the decided classes in line 1, the true
    class in front of each other line."""
    import csv
    import io

    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_COSTS_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be UTF-8 text; byte {error.start} is not.") from None
    if len(data) > MAX_COSTS_BYTES:
        raise InputError(f"{path}: a cost matrix has at most {MAX_COSTS_BYTES:,} bytes; this is no such file.")
    delimiter = "\t" if str(path).lower().endswith(".tsv") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    costs: dict[str, dict[str, float]] = {}
    try:
        header = [name.strip() for name in next(reader, [])]
        decided = header[1:]
        if not decided or len(set(decided)) < len(decided):
            raise InputError(
                f"{path}, line 1: must have an empty field and the name of each decided class, once,"
                f" separated by {'tabs' if delimiter != ',' else 'commas'}."
            )
        for true, *cells in reader:
            where = f"{path}, line {reader.line_num}"
            if len(cells) == len(header) and len(costs) == 0:
                raise InputError(
                    f"{path}, line 1: must begin with an empty field, as in {brief(delimiter.join(['', *header]))}: the"
                    " decided classes stand above their costs, and each true one in front of its line."
                )
            if len(cells) != len(decided):
                raise InputError(
                    f"{where}: must have a class and {counted(len(decided), 'cost')}; it has"
                    f" {counted(len(cells) + 1, 'field')}."
                )
            if true.strip() in costs:
                raise InputError(f"{where}: the class {true.strip()!r} is there twice.")
            try:
                row = [float(_read_number(cell)) for cell in cells]  # type: ignore[arg-type]
            except ValueError:
                raise InputError(f"{where}: costs must be numbers; found {cells!r}.") from None
            costs[true.strip()] = dict(zip(decided, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}.") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}, line {reader.line_num}: is empty; each line has a class and its costs.") from None
    return costs


def _parse(data: bytes, path: Path) -> dict[str, Any]:
    import json
    import tomllib

    is_json = path.suffix.lower() == ".json"
    language = "JSON" if is_json else "TOML"
    try:
        text = data.decode("utf-8-sig")
        table = json.loads(text) if is_json else tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(f"--config {path}: must be UTF-8 text; byte {error.start} is not.") from None
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        cure = "" if is_json else " Write one setting a line, as in dropout = 0.2; a JSON file's name ends in .json."
        raise InputError(f"--config {path}: is not {language}: {why}.{cure}") from None
    if not isinstance(table, dict):
        raise InputError(f'--config {path}: must be a JSON object, as in {{"dropout": 0.2}}.')
    return table


def collect(options: Mapping[str, str | None], pairs: Iterable[str] = (), config: str | None = None) -> dict[str, Any]:
    """Keywords for `Classifier` from a command line: options and `--set` win over `--config`.

    Args:
        options: the text of each setting's own option by its flag ("--epochs": "30"), or None where it was not given.
        pairs: the texts of `--set`.
        config: the file of `--config`.
    """
    given: dict[str, object] = {}
    for flag, text in options.items():
        if text is None:
            continue
        source = f"{flag} {shlex.quote(text)}"
        if flag == "--layers":
            setting = BY_NAME["network"]
            layers = read_value(setting, text, source, LAYERS)
            given["network" if isinstance(layers, Network) else "hidden_layer_sizes"] = layers
        else:
            setting = next(setting for setting in SETTINGS if setting.flag == flag)
            given[setting.name] = read_value(setting, text, source)
    for name, value in from_pairs(pairs).items():
        if name in given:
            raise InputError(f"--set {name}: {name} is also set by {BY_NAME[name].flag}; leave one out.")
        given[name] = value
    layers_of = {"network", "hidden_layer_sizes"}
    from_config = from_file(config) if config is not None else {}
    if layers_of & given.keys():
        from_config = {name: value for name, value in from_config.items() if name not in layers_of}
    settings = {"random_state": 0, **from_config, **given}
    if layers_of <= settings.keys():
        raise InputError("network and hidden_layer_sizes say the same thing twice; leave one out.")
    finer = {name: value for name, value in settings.items() if BY_NAME[name].is_finer}
    keywords = {name: value for name, value in settings.items() if not BY_NAME[name].is_finer}
    return {**keywords, "spec": finer} if finer else keywords
