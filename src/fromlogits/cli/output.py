"""Results: figures as text, JSON, and predictions as CSV or TSV."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from ..errors import FromlogitsError, InputError, counted, one_line
from ..whole_file import check_folder, whole_file
from .options import named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..classifier import Classifier
    from ..data.sources import Dataset
    from ..data.table import Column
    from ..spec import Plan

BLOCK_ROWS = 4096
FIGURES = (
    "accuracy", "balanced_accuracy", "top_3_accuracy", "top_5_accuracy", "subset_accuracy", "hamming_loss", "micro_f1",
    "macro_f1", "macro_roc_auc", "micro_roc_auc", "macro_average_precision", "micro_average_precision", "log_loss",
    "brier", "ece", "unknown_class_rows",
)  # fmt: skip
"""In the order in which they are shown."""
MOST_ROWS = 20
"""Of a table with a line per class or label."""
PER_LABEL = ("label", "support", "roc_auc", "average_precision", "f1", "threshold")
SET_NAMES = ("set", "set_size")
"""The columns of prediction sets."""
NO_PART = "took no part in the training"
OUT_OF_FOLD = "each by the networks that were not trained on it"
NUMBERS = re.compile(r"\[\n +[-+.\deE]+(?:,\n +[-+.\deE]+)*\n *\]")
"""A list of numbers over several lines, which no string holds: a line's end is escaped there."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def as_json(value: object, *, is_wide: bool = False) -> str:
    """One JSON object; NumPy's scalars are welcome, NaN is an error. A list of numbers alone is on one line.

    Args:
        is_wide: on one line, for many rows.
    """
    text = json.dumps(
        value,
        indent=None if is_wide else 2,
        ensure_ascii=False,
        allow_nan=False,
        default=lambda scalar: scalar.item() if hasattr(scalar, "item") else str(scalar),
    )
    return NUMBERS.sub(lambda numbers: re.sub(r"\n *", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]"), text)


def json_numbers(value: Any) -> Any:
    """Numbers, arrays, lists and dicts as JSON holds them; what it has no number for is "inf", "-inf" or "nan".

    A float32 becomes the shortest decimal that gives it back.
    """
    if isinstance(value, dict):
        return {name: json_numbers(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_numbers(part) for part in value]
    if hasattr(value, "dtype"):
        if value.ndim:
            return [json_numbers(part) for part in value]
        value = float(str(value)) if value.dtype.kind == "f" else value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def in_words(value: object) -> str:
    """A figure, four decimals; "undefined" where there is none."""
    if value is None:
        return "undefined"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if type(value) is int else str(value)


def kinds_text(task: str, n_classes: int) -> str:
    """How many classes, or labels."""
    return f"{n_classes:,} classes" if task == "multi-class" else counted(n_classes, "label")


def figures_text(about: str, figures: Mapping[str, Any], wide: int = 100) -> str:
    """The figures of all rows behind what they are about: "test: accuracy 0.9833  log_loss 0.0871"."""
    lines = [about]
    for name in FIGURES:
        if name in figures:
            figure = f"{name} {in_words(figures[name])}"
            if len(lines[-1]) + 2 + len(figure) > wide:
                lines.append(f"  {figure}")
            else:
                lines[-1] += f"{' ' if lines[-1] is about else '  '}{figure}"
    return "\n".join(lines)


def if_weighted(dataset: Dataset | None) -> str:
    """What follows a count of rows whose figures count each by its weight."""
    return "" if dataset is None or dataset.weights is None else ", weighted"


def joined_notes(datasets: Sequence[Dataset]) -> list[str]:
    """The notes on several files; what begins with a file's name and holds of others too is said once, of all."""
    files: dict[str, dict[str, None]] = {}
    for dataset in datasets:
        name = "" if dataset.arrived is None else f"{dataset.arrived.path.name}: "
        for note in dataset.notes:
            own = files.setdefault(note.removeprefix(name), {})
            if name and note.startswith(name):
                own[name.removesuffix(": ")] = None
    return [f"{', '.join(names)}: {words}" if names else words for words, names in files.items()]


def calibration_text(record: Mapping[str, Any], *, is_one_unit: bool) -> str:
    """What was fitted and what it was chosen by: "one temperature; log_loss 0.3411 -> 0.2939, cross-fitted"."""
    how = record.get("calibration")
    if not isinstance(how, dict):
        return "none"
    kind, losses = how["kind"], how["log_loss"]
    if len(losses) < 2:
        return "none, too few rows were held out"
    both = losses["none"], min(loss for name, loss in losses.items() if name != "none")
    before, after = (f"{loss:.4g}" for loss in both)
    change = f"log_loss {before} -> {after}"
    if kind == "none":
        worth = "gain nothing" if before == after else "make it worse"
        return f"none, it would {worth}: {change}, cross-fitted"
    of_each = "a temperature and a bias" + " for each label" * (not is_one_unit)
    return f"{of_each if kind == 'per_label' else 'one temperature'}; {change}, cross-fitted"


def temperature_and_bias(temperature: Any, bias: Any) -> list[tuple[str, str]]:
    """A line for each of the two, of many units the range."""
    if bias is None:
        return [("temperature", f"{temperature:.4f}")]
    return [("temperature", _from_to(temperature)), ("bias", _from_to(bias))]


def _from_to(values: Any) -> str:
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{min(values):.4f} to {max(values):.4f}, one for each label"


def selected_on(plan: Plan, *, decides: bool = False) -> bool:
    """Whether validation rows have a say in the model; `decides`: they chose its decisions."""
    return plan.early_stopping or plan.calibrate or decides


def say_of_validation(plan: Plan, *, decides: bool = False) -> str:
    """What the validation rows did, to follow "rows, which"."""
    if plan.early_stopping:
        return "chose the epoch" + "s" * (plan.folds > 1) + " and the decisions" * decides
    if plan.calibrate:
        return "calibrated it" + " and chose its decisions" * decides
    return "chose its decisions" if decides else NO_PART


def about_validation(plan: Plan, weighted: str = "", *, decides: bool = False) -> str:
    """What follows a count of validation rows: who judges them, and what they did."""
    say = say_of_validation(plan, decides=decides)
    return f"{weighted}, which {say}" if plan.folds == 1 else f"{weighted}, {OUT_OF_FOLD}; they {say}"


def chose_decisions(record: Mapping[str, Any]) -> bool:
    """Whether validation rows chose the decisions: not costs, nor rows that calibrated the model after its training."""
    return "calibrated" not in record and record.get("decision", {}).get("folds", 0) > 0


def purpose_of_validation(plan: Plan, *, decides: bool = False) -> str:
    """What the validation rows are for, to follow a number of rows."""
    jobs = ["choose the best epoch"] * plan.early_stopping + ["calibrate"] * plan.calibrate
    jobs += ["choose the decisions"] * decides
    return f"to {listed_with_and(jobs) or 'judge it'}"


def listed_with_and(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([*([", ".join(parts[:-1])] if len(parts) > 1 else []), *parts[-1:]])


def decision_report(classifier: Classifier) -> dict[str, Any]:
    """What is decided for and what it gains, for --json; nothing where decisions are the natural ones."""
    decision = classifier._model.decision
    if decision is None:
        return {}
    return {"decision": {"decide_for": decision.decide_for, **(classifier.decision_ or {})}}


def decision_text(classifier: Classifier, figures: Mapping[str, Any] | None = None) -> str:
    """How rows are decided, and what it gains: "f1, thresholds 0.12 to 0.5; macro_f1 0.61 -> 0.67, cross-fitted".

    Args:
        classifier: one that decides for something.
        figures: by name, without and with its decisions, on certain rows; None: those of its own record.
    """
    decision, record, thresholds = classifier._model.decision, classifier.decision_, classifier.thresholds_
    assert decision is not None
    kept = record is None or record["kept"]
    words = [decision.in_words(classifier.target_.task, classifier.target_.classes)]
    if kept and thresholds is not None:
        low, high = thresholds.min(), thresholds.max()
        words[0] += f", threshold {low:.4g}" if low == high else f", thresholds {low:.4g} to {high:.4g}"
    shown = figures if figures is not None else {} if record is None else record["figures"]
    words += [decided_figures_text(shown)] * bool(shown)
    if figures is not None:
        words[-1] += " on these rows" if kept else ""
        words += [] if kept or record is None else record["notes"]
    elif record is not None:
        words[-1] += ", cross-fitted" if record["folds"] else ""
        words += record["notes"]
    return "; ".join(words)


def decided_figures_text(figures: Mapping[str, Any]) -> str:
    """Without and with other decisions than the natural ones: "recall 0.6469 -> 0.8883; precision 0.7 -> 0.5261"."""
    return "; ".join(
        f"{name} {in_words(both['natural'])} -> {in_words(both['decided'])}" for name, both in figures.items()
    )


def sets_text(figures: Mapping[str, Any]) -> str:
    """What prediction sets are worth; empty where there are none."""
    sets = figures.get("sets")
    if not isinstance(sets, dict) or sets["expected"] is None:
        return ""
    low, high = sets["expected"]
    expected = f"{low:.4f} or more" if high is None else f"{low:.4f} to {high:.4f}"
    single = f", {sets['single']:.1%} of them of one class" if "single" in sets else ""
    return (
        f"prediction sets for {sets['asked']:g}: coverage {in_words(sets['coverage'])} (expected {expected}), mean size"
        f" {sets['mean_size']:.2f}{single}"
    )


def per_label_table(figures: Mapping[str, Any]) -> str:
    """A line per label of a multi-label task, the worst of many; empty for the others."""
    labels = figures.get("per_label")
    if not isinstance(labels, list) or not labels or not all(isinstance(row, dict) for row in labels):
        return ""
    shown = worst_first(labels)[:MOST_ROWS]
    rows = ([str(row.get("label")), *(in_words(row.get(name)) for name in PER_LABEL[1:])] for row in shown)
    rest = len(labels) - len(shown)
    return aligned([PER_LABEL, *rows]) + (f"\nand {rest:,} more; --json has all" if rest else "")


def worst_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Classes or labels by their F1, of equal ones the most frequent first; those without one last."""

    def place(row: Mapping[str, Any]) -> tuple[float, float]:
        f1, support = row.get("f1"), row.get("support")
        return math.inf if f1 is None else f1, -(support or 0)

    return sorted(rows, key=place)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the first to the left and the others to the right."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    wide = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(wide[0]), *(cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True))])
        for row in rows
    )


def listed(names: Sequence[object], at_most: int = 90) -> str:
    """ "0 to 99", or "ant, bee, ..., yak": the first ones and the last, in at most so many characters."""
    if len(names) > 4 and all(type(name) is int for name in names) and list(names) == list(_range_of(names)):
        return f"{names[0]} to {names[-1]}"
    texts = [one_line(str(name)) for name in names]
    if len(", ".join(texts)) <= at_most:
        return ", ".join(texts)
    room, first = at_most - len(texts[-1]) - 7, []
    for text in texts[:-1]:
        room -= len(text) + 2
        if room < 0:
            break
        first.append(text)
    return ", ".join([*first, "...", texts[-1]])


def _range_of(numbers: Sequence[Any]) -> range:
    return range(numbers[0], numbers[0] + len(numbers))


class Predictions:
    """A row for each of some rows of the input, in its order.

    Args:
        copied: columns of the input, to stand in front.
        predicted: classes (n,), None where none is decided for; or 0/1 (n, L) for labels, NaN where neither is.
        classes: class or label names.
        probabilities: (n, K).
        logits: (n, c) to be shown as well, or None.
        is_multi_label: whether `predicted` is a matrix of labels.
        separator: the sign between the labels of a row.
        top: the most probable classes or labels (n, k), best first, and their probabilities, to stand instead of all;
            None: all.
        says_undecided: a column has the labels without an answer.
        sets: (n, K) 0/1 of the classes or labels in each row's prediction set, or None.
        is_there: (n,) whether a row has a prediction; its cells are empty where not. None: all have.
    """

    def __init__(
        self,
        copied: Sequence[Column],
        predicted: NDArray[Any],
        classes: Sequence[Any],
        probabilities: NDArray[Any],
        logits: NDArray[Any] | None,
        *,
        is_multi_label: bool,
        separator: str = "|",
        top: tuple[NDArray[Any], NDArray[Any]] | None = None,
        says_undecided: bool = False,
        sets: NDArray[Any] | None = None,
        is_there: NDArray[Any] | None = None,
    ) -> None:
        self.copied, self.predicted, self.classes = copied, predicted, classes
        self.probabilities, self.logits = probabilities, logits
        self.is_multi_label, self.separator, self.is_there = is_multi_label, separator, is_there
        self.top, self.says_undecided, self.sets = top, says_undecided, sets
        self._is_separable = not any(separator in str(name) for name in classes)
        # One unit for two classes: its logit speaks for the second.
        units = classes[-1:] if logits is not None and logits.shape[1] < len(classes) else classes
        self.logit_names = [str(name) for name in units] if logits is not None else []

    def __len__(self) -> int:
        return len(self.predicted)

    @property
    def own_names(self) -> list[str]:
        """Of the columns that the input does not have."""
        k = None if self.top is None else self.top[0].shape[1]
        has_sets = self.sets is not None
        return own_names(self.classes, self.logit_names, k, says_undecided=self.says_undecided, has_sets=has_sets)

    def write(self, stream: TextIO, delimiter: str, *, has_header: bool = True) -> None:
        """A line per row, below a header if it is the first part. Numbers are the shortest for the same float32."""
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        if has_header:
            writer.writerow([*(column.name for column in self.copied), *self.own_names])
        for start in range(0, len(self), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            columns = [[self._joined(row) if self.is_multi_label else _text(row) for row in self.predicted[part]]]
            if self.says_undecided:
                columns.append([self._joined(row != row) for row in self.predicted[part]])
            if self.sets is not None:
                columns.append([self._joined(row) for row in self.sets[part]])
                columns.append([str(size) for size in self.sets[part].sum(axis=1).tolist()])
            if self.top is None:
                columns += self.probabilities[part].astype("U").T.tolist()
            else:
                for names_n, values_n in zip(self.top[0][part].T, self.top[1][part].T, strict=True):
                    columns += [[str(name) for name in names_n], values_n.astype("U").tolist()]
            if self.logits is not None:
                columns += self.logits[part].astype("U").T.tolist()
            if self.is_there is not None:
                there = self.is_there[part].tolist()
                columns = [[cell if is_there else "" for cell, is_there in zip(column, there, strict=True)]
                           for column in columns]  # fmt: skip
            columns = [*(_texts(column, part) for column in self.copied), *columns]
            writer.writerows(zip(*columns, strict=True))

    def _joined(self, row: Any) -> str:
        """Its classes or labels with the separator between them; a JSON list where a name has one within."""
        names = [str(name) for name in self._named(row)]
        return self.separator.join(names) if self._is_separable else json.dumps(names, ensure_ascii=False)

    def _named(self, row: Any) -> list[Any]:
        """The classes or labels whose answer is yes."""
        return [name for name, answer in zip(self.classes, row, strict=True) if answer == 1]

    @property
    def n_undecided(self) -> int:
        """Rows without a prediction; of labels, those without an answer to some label."""
        if self.is_multi_label:
            return int((self.predicted != self.predicted).any(axis=1).sum())
        return sum(predicted is None for predicted in self.predicted)

    def as_objects(self) -> list[dict[str, Any]]:
        """A JSON object per row; the prediction of labels is a list."""
        rows = []
        for row in range(len(self)):
            predicted = self.predicted[row]
            entry: dict[str, Any] = {column.name: _value(column, row) for column in self.copied}
            entry["prediction"] = self._named(predicted) if self.is_multi_label else predicted
            if self.says_undecided:
                entry["undecided"] = self._named(predicted != predicted)
            if self.sets is not None:
                own = self._named(self.sets[row])
                entry |= dict(zip(SET_NAMES, (own, len(own)), strict=True))
            if self.top is None:
                entry["probability"] = _named(self.classes, self.probabilities[row])
            else:
                what = "label" if self.is_multi_label else "class"
                best = zip(self.top[0][row], self.top[1][row], strict=True)
                entry["top"] = [{what: name, "probability": float(str(value))} for name, value in best]
            if self.logits is not None:
                entry["logit"] = _named(self.logit_names, self.logits[row])
            if self.is_there is not None and not self.is_there[row]:
                entry |= dict.fromkeys(list(entry)[len(self.copied) :])
            rows.append(entry)
        return rows


def own_names(
    classes: Sequence[Any], logit_names: Sequence[str], top: int | None, *, says_undecided: bool, has_sets: bool
) -> list[str]:
    """The columns of predictions that the input does not have."""
    names = ["prediction", *(["undecided"] * says_undecided), *(SET_NAMES if has_sets else ())]
    if top is None:
        names += [f"probability:{name}" for name in classes]
    else:
        names += [f"top_{rank}{what}" for rank in range(1, top + 1) for what in ("", "_probability")]
    return [*names, *(f"logit:{name}" for name in logit_names)]


def _text(name: Any) -> str:
    """Of a class; empty for none."""
    return "" if name is None else str(name)


def _named(names: Sequence[Any], values: NDArray[Any]) -> dict[str, float | None]:
    """Each value as the shortest decimal of its float32."""
    return {str(name): float(str(value)) for name, value in zip(names, values, strict=True)}


def _value(column: Column, row: int) -> Any:
    if column.missing is not None and column.missing[row]:
        return None
    value = column.values[row]
    return value.item() if hasattr(value, "item") else value


def _texts(column: Column, part: slice) -> list[str]:
    texts = [str(value) for value in column.values[part].tolist()]
    if column.missing is None:
        return texts
    return ["" if is_missing else text for text, is_missing in zip(texts, column.missing[part], strict=True)]


def delimiter_of(path: Path) -> str:
    """By the end of the name, of a device or pipe otherwise that of CSV; InputError for what can't be written."""
    delimiter = DELIMITERS.get(path.suffix.lower(), "," if takes_a_stream(path) else None)
    if delimiter is None:
        raise InputError(
            f"-o {shlex.quote(str(path))}: predictions are written to a file whose name ends in .csv or .tsv."
        )
    return delimiter


def takes_a_stream(path: Path) -> bool:
    """A device or a pipe, which takes what is written as it comes: nothing of it can be taken back."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def check_output(
    path: Path, *, overwrite: bool, inputs: Sequence[str] = (), option: str = "-o", may_be_stream: bool = False
) -> None:
    """Raise InputError unless a file may be written there; it is asked before the work starts.

    Args:
        path: where to.
        overwrite: a file that is there is replaced.
        inputs: files that are read.
        option: that named the path.
        may_be_stream: a device or a pipe will do.
    """
    shown = f"{option} {shlex.quote(str(path))}"
    if str(path) == "-":
        raise InputError(f"{shown}: this must name a file; standard output can't be written whole or not at all.")
    folder = path.absolute().parent
    try:
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{shown}: this is a folder; add a file name.")
        if not folder.is_dir():
            raise InputError(f"{shown}: the folder {str(path.parent)!r} does not exist; make it first.")
        if os.path.lexists(path):
            if any(Path(other).exists() and path.exists() and path.samefile(other) for other in inputs):
                raise InputError(f"{shown}: this file is read from; choose another name.")
            if may_be_stream and takes_a_stream(path):
                if not os.access(path, os.W_OK):
                    raise InputError(f"{shown}: this can't be written to; choose another name.")
                return
            if mode is not None and not stat.S_ISREG(mode):
                raise InputError(f"{shown}: this is a device or a pipe; it must be a file.")
            if not overwrite:
                raise InputError(f"{shown}: the file exists; choose another name, or add --overwrite to replace it.")
            if mode is not None and not (mode & 0o222 and os.access(path, os.W_OK)):  # access knows immutable files
                raise InputError(
                    f"{shown}: the file is read-only and is not replaced; choose another name, or make it writable"
                    " first."
                )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{shown}: the folder {str(path.parent)!r} can't be written to; choose another.")
        target = Path(os.path.realpath(path))
        check_folder(target.parent)
        with contextlib.suppress(FileNotFoundError):
            os.lstat(target)  # asks the file system whether it takes such a name
    except OSError as error:
        raise InputError(f"{shown}: {(error.strerror or str(error)).lower()}; choose another name.") from None


@contextlib.contextmanager
def naming(path: str | None) -> Iterator[None]:
    """Puts a file's name before what is wrong with it, where the message does not have it."""
    try:
        yield
    except InputError as error:
        name = None if path is None else named(Path(path).name)
        if name is None or name in str(error):
            raise
        raise InputError(f"{name}: {error}") from error


@contextlib.contextmanager
def spooled() -> Iterator[TextIO]:
    """A text that is on disk without a name, to be read once it is whole; FromlogitsError if it can't be written."""
    import tempfile

    try:
        with contextlib.ExitStack() as closing:
            spool = closing.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline=""))
            yield spool
            spool.flush()
            closing.pop_all()  # it is whole: the caller closes it
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FromlogitsError(
            f"the predictions could not be written to {tempfile.gettempdir()}: {why}. TMPDIR names another folder, -o a"
            " file."
        ) from error


@contextlib.contextmanager
def written(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file that appears under its name whole or not at all; FromlogitsError if it can't be written.

    A device or a pipe is written as it is.
    """
    try:
        with open(path, "wb") if takes_a_stream(path) else whole_file(path, overwrite=overwrite) as stream:
            yield stream
    except FileExistsError:
        raise FromlogitsError(f"{path.name} was made by another program meanwhile; it is left as it is.") from None
    except OSError as error:
        shown = path if takes_a_stream(path) else path.name
        raise FromlogitsError(f"{shown} could not be written: {(error.strerror or str(error)).lower()}.") from error
