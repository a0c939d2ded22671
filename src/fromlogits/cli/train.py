"""`fromlogits train`: from a file to a saved model."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.reading import Reading
from ..errors import FromlogitsError, InputError, counted
from . import clock
from . import live as watching
from .columns import columns_table, noticed_notes
from .display import Screen, display_for, duration, how_it_ended
from .evaluate import about_weights, unknown_labels
from .options import (
    STDIN,
    Coverage,
    Data,
    DryRun,
    Json,
    Live,
    Overwrite,
    Quiet,
    Recipe,
    describes_training,
    named,
    read_coverage,
    reads_files,
)
from .output import (
    NO_PART,
    about_validation,
    as_json,
    calibration_text,
    check_output,
    chose_decisions,
    decided_figures_text,
    decision_report,
    decision_text,
    figures_text,
    if_weighted,
    joined_notes,
    kinds_text,
    listed,
    naming,
    per_label_table,
    purpose_of_validation,
    say_of_validation,
    selected_on,
    sets_text,
)

if TYPE_CHECKING:
    from ..budget import Limit
    from ..classifier import Classifier
    from ..data.sources import Dataset
    from ..data.targets import TargetEncoder
    from ..fitting import Fit, FitSummary
    from ..members import Member
    from ..spec import Plan
    from ..training import StopOnSignal

STOPPED = {"interrupt": 130, "terminate": 143}
MAX_TABLE_LAYERS = 12
TRAINED_ON = "the network was trained on"
HOLDS_OUT = ("fraction", "group", "time")
"""The kinds of split whose validation rows are not trained on, and come from the same file."""


@describes_training
@reads_files
def train(
    data: Data,
    recipe: Recipe,
    reading: Reading,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="MODEL", help="Where to save the model [named after the data]."),
    ] = None,
    valid: Annotated[
        str | None,
        typer.Option("--valid", metavar="FILE", help="Choose the best epoch on these rows, instead of held-out ones."),
    ] = None,
    test: Annotated[
        str | None, typer.Option("--test", metavar="FILE", help="After the training, report figures on these rows.")
    ] = None,
    coverage: Coverage = None,
    live: Live = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Train a classifier on DATA and save it as one file."""
    started = clock.began()
    from .. import budget
    from ..data.duplicates import SeenRows
    from ..data.inputs import as_inputs
    from ..data.sources import read
    from ..decisions.objectives import Objective
    from ..model_file import check_writable
    from ..weights import checked

    wanted = read_coverage(coverage)
    classifier = recipe.classifier()
    path = Path(output) if output is not None else default_name(data)
    check_output(path, overwrite=overwrite, inputs=[name for name in (data, valid, test) if name is not None])
    asked = recipe.asked(reading, classifier, dry_run=dry_run)
    listening = watching.listen(live)
    dataset = read(data, **asked)
    pictures = getattr(dataset.features, "pictures", None)
    alike = {
        **asked,
        "ids": (),
        "ignore": (*asked["ids"], *asked["ignore"], *(name for name in (asked["group"], asked["time"]) if name)),
        "group": None,
        "time": None,
        "features": dataset.feature_names if pictures is None else (),
        "picture_shape": dataset.picture_shape,
        "pictures": pictures,
        "first_index": getattr(dataset.features, "first_index", None),
        "n_features": dataset.features.n_features,
        "reading": dataclasses.replace(
            asked["reading"],
            as_text=_text_names(dataset),
            label_separator=_separator(dataset, reading),
            is_about_columns=reading.is_about_columns,
            image_size=None,
        ),
    }
    valid_data = read(valid, **alike) if valid is not None else None
    test_data = read(test, **alike) if test is not None else None
    fit = _prepare(classifier, dataset, valid_data, asked, wanted)
    training_plan = fit.summary.plan
    duplicates: dict[str, int] = {}
    seen = SeenRows(fit.features, fit.rows, is_sparse=fit.encoder.kind == "scaled")
    if fit.valid_features is not None:
        duplicates["validation"] = (
            seen.count([fit.valid_features], fit.valid_rows)
            if fit.folds is None
            else seen.count_across(fit.folds.deals[0])
        )
    if test_data is not None:
        with naming(test):  # a fault is told now, not after the training
            duplicates["test"] = seen.count(fit.encoder.encode_parts(as_inputs(test_data.features)))
            fit.target.encode_rows(test_data.targets, unknown="mark")
            checked("sample_weight", test_data.weights, len(test_data), fit.target)
    check_writable(path, _file_bytes(fit), overwrite=overwrite)

    progress, results = Screen(sys.stderr, is_quiet=quiet), Screen(sys.stdout)
    if dry_run and not json:
        results.tell(found(data, dataset, fit, fit.target), "bold")
    else:
        progress.say(found(data, dataset, fit, fit.target), "bold")
    files = [
        (name, other) for name, other in ((data, dataset), (valid, valid_data), (test, test_data)) if name and other
    ]
    notes = joined_notes([other for _, other in files])
    for name, later in files[1:]:
        notes += fit.encoder.conversions(as_inputs(later.features))
        notes += noticed_notes(fit.encoder.noticed(as_inputs(later.features)), named(name), len(later))
    for note in dict.fromkeys((*notes, *fit.summary.notes)):
        progress.say(f"note: {note.rstrip('.')}.")
    is_weighted = dataset.weights is not None
    for words in dict.fromkeys(about_weights(name, one, recipe.weights, is_weighted) for name, one in files):
        if words:
            progress.say(f"note: {words}.")
    for words in fit.summary.warnings:
        progress.tell(f"warning: {words.rstrip('.')}.", "yellow")
    for _, other in files[1:]:
        if words := unknown_labels(other, fit.target)[1]:
            progress.tell(f"warning: {words}", "yellow")
    if valid is not None and valid_data is not None and valid_data.digest == dataset.digest:
        progress.tell(
            f"warning: --valid {named(valid)} holds the very rows that are trained on: they don't say how good the"
            f" network is on new ones{', nor which epoch is best' if training_plan.early_stopping else ''}.",
            "yellow",
        )
    test_say = (
        NO_PART
        if test_data is None
        else say_of_test(dataset, valid_data, test_data, training_plan, decides=isinstance(fit.decides_for, Objective))
    )
    if test is not None and test_say != NO_PART:
        progress.tell(
            f"warning: --test {named(test)} holds the very rows which {test_say}: its figures don't say how good the"
            " network is on new ones.",
            "yellow",
        )
    n_test = None if test_data is None else len(test_data)
    if duplicates.get("validation") and (valid_data is None or valid_data.digest != dataset.digest):
        progress.say(f"note: {say_of_duplicates(duplicates['validation'], fit.summary.n_valid, 'validation')}.")
    if n_test is not None and duplicates["test"] and test_say != TRAINED_ON:
        progress.tell(f"warning: {say_of_duplicates(duplicates['test'], n_test, 'test')}.", "yellow")
    fit, limit = budget.within(fit, classifier.time_limit, started)
    if limit.words:
        progress.tell(f"warning: {limit.words}.", "yellow")
    training_plan = fit.summary.plan
    table = columns_table(fit.encoder)
    words = f"{table}\n\n" if table else ""
    words += plan(fit.summary, valid, test, n_test, decides=isinstance(fit.decides_for, Objective))
    if dry_run:
        if listening is not None:
            listening.close()
        results.tell(
            as_json({**_resolved(fit, path, n_test), "duplicates": duplicates, **_limited(limit)})
            if json
            else f"{words}\nwould be saved as {path}"
        )
        return 0
    progress.say(f"\n{words}\nall epochs take about {duration(fit.estimate())}")
    if waiting := fit.waiting():
        progress.tell(f"warning: {waiting}.", "yellow")

    unsaid: list[str] = []

    def heard() -> None:
        if window is not None:
            window.watched.stopping()
        if not classifier.__sklearn_is_fitted__():
            what = "the best epoch so far" if training_plan.early_stopping else "what was reached"
            words = f"stopping after this step; {what} will be saved (Ctrl-C again gives up)"
            try:
                progress.say(words)
            except RuntimeError:  # it came while another line was being written
                unsaid.append(words)

    def stopped_by() -> str | None:
        with contextlib.suppress(IndexError):
            progress.say(unsaid.pop())
        return stop.reason

    with (
        _stop_on_signals(heard) as stop,
        watching.window(listening, progress, named(data), fit, lambda: stop.ask("interrupt")) as window,
    ):
        try:
            with display_for(progress, training_plan, fit.summary.n_networks) as display:
                classifier._run(
                    fit,
                    observer=display if window is None else window.watched.beside(display),
                    stop=stopped_by,
                    stop_at=limit.stop_at,
                    callback_of=None if window is None else window.watched.callback_of,
                )
                display.finished(classifier.history_)
            how = how_it_ended(classifier.members_, training_plan, fit.summary.n_networks)
            progress.say(f"{how}\n")
            if words := hardly_trained(classifier.members_):
                progress.tell(f"warning: {words}.", "yellow")
            if words := fit.summary.without_a_judge(classifier.record_["n_validation"]):
                progress.tell(f"warning: {words}.", "yellow")
            path = _save(classifier, path, data, is_named=output is not None, overwrite=overwrite)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("nothing was saved") from None
        report = _report(classifier, len(dataset), path, time.perf_counter() - started)
        if test_data is not None:
            logits_nc, _ = classifier._logits(test_data.features)
            known = classifier.target_.encode_rows(test_data.targets, unknown="mark")
            figures = classifier._short_figures(logits_nc, known, test_data.weights)
            marked = {} if test_say == NO_PART else {"selected_on": True}
            count = unknown_labels(test_data, fit.target)[0]
            report["test"] = {"rows": n_test, **marked, **figures, **({"unknown_label_rows": count} if count else {})}
        report |= {"duplicates": duplicates, **_limited(limit)}
        if window is not None:
            window.ended(watching.came_out(how, report))
        if json:
            results.tell(as_json(report))
        else:
            weighted, decides = if_weighted(valid_data or dataset), chose_decisions(classifier.record_)
            says = {
                "validation": about_validation(training_plan, weighted, decides=decides),
                "test": f"{if_weighted(test_data)}, which {test_say}",
            }
            rows = shlex.join(
                ["DATA" if (test or valid or data) == STDIN else test or valid or data, *reading.options()]
            )
            _tell(results, classifier, report, says, rows)
    return STOPPED.get(stop.reason or "", 0)


def _text_names(dataset: Dataset) -> tuple[str, ...]:
    """Columns that hold text: a validation file's must not be taken for numbers or booleans by their looks."""
    from ..data.table import Table

    features = dataset.features
    columns = features.columns if isinstance(features, Table) else ()
    return tuple(column.name for column in columns if not column.is_numeric)


def _separator(dataset: Dataset, reading: Reading) -> str | None:
    """The sign between labels in a validation or test file, which may write the sets in another form."""
    from ..data.label_sets import SIGN, LabelSets

    targets = dataset.targets
    has_sets = isinstance(targets, LabelSets) and targets.is_several and bool(targets.names)
    return reading.label_separator or (SIGN if has_sets else None)


def say_of_test(dataset: Dataset, valid: Dataset | None, test: Dataset, plan: Plan, *, decides: bool = False) -> str:
    """What the test rows did in the training, to follow "rows, which": nothing, one hopes."""
    if test.digest == dataset.digest:
        return TRAINED_ON
    return say_of_validation(plan, decides=decides) if valid is not None and test.digest == valid.digest else NO_PART


def say_of_duplicates(count: int, n_rows: int, what: str) -> str:
    """That rows which judge the network are like rows that it is trained on."""
    have = "has" if count == 1 else "have"
    return (
        f"{count:,} of the {n_rows:,} {what} rows {have} the very features of a row that is trained on; figures flatter"
    )


def _prepare(
    classifier: Classifier, dataset: Dataset, valid: Dataset | None, asked: dict[str, Any], coverage: float | None
) -> Fit:
    """Everything checked, nothing learned yet."""
    return classifier._prepare(
        dataset.features,
        dataset.targets,
        None if valid is None else valid.features,
        None if valid is None else valid.targets,
        sample_weight=dataset.weights,
        sample_weight_val=None if valid is None else valid.weights,
        picture_shape=dataset.picture_shape,
        data_digest=dataset.digest,
        valid_digest=None if valid is None else valid.digest,
        groups=dataset.groups,
        times=dataset.times,
        coverage=coverage,
        use_up=True,
        roles={
            "target_names": () if dataset.targets is None else dataset.targets.names,
            "id_names": asked["ids"],
            "ignored": asked["ignore"],
            "group_names": () if asked["group"] is None else (asked["group"],),
            "time_names": () if asked["time"] is None else (asked["time"],),
            "numeric": asked["reading"].numeric,
            "missing_words": asked["reading"].missing,
            "weight_names": () if asked["weights"] is None else (asked["weights"],),
        },
        categorical=asked["reading"].as_text,
    )


def _file_bytes(fit: Fit) -> int:
    """How large the model file will be, generously."""
    from ..decisions.sets import MAX_POINTS

    summary, schema = fit.summary, fit.encoder.schema
    names = sum(len(str(name)) + 4 for name in (*summary.classes, *(schema.names or ())))
    count, epochs = summary.n_networks, summary.plan.max_epochs * summary.n_networks
    described = 16_384 + names + 120 * epochs + 300 * len(summary.classes) + 200 * count
    encodings = 0 if fit.encoder.table is None else 2 * len(as_json(fit.encoder.table.to_json(), is_wide=True))
    described += len(as_json(summary.network.to_json(), is_wide=True))
    described += 0 if fit.kept is None else 16 * min(len(fit.kept.rows) * len(summary.classes), MAX_POINTS)
    return described + encodings + 4 * summary.network.n_parameters * count + 16 * schema.n_features


def default_name(data: str) -> Path:
    """digits.safetensors for data/digits.csv.gz, in the current folder; digits-2.safetensors if that exists."""
    from ..data.arrival import ENDINGS
    from ..data.packed import ENDINGS as PACKED_ENDINGS

    folder = Path(data) if Path(data).name not in ("", "..") else Path(data).resolve()  # . and .. are folders too
    stem = "model" if data == STDIN else folder.name
    while Path(stem).suffix.lower() in (*ENDINGS, *PACKED_ENDINGS) and Path(stem).stem:
        stem = Path(stem).stem
    for number in itertools.count(1):
        path = Path(f"{stem}.safetensors" if number == 1 else f"{stem}-{number}.safetensors")
        if not os.path.lexists(path):
            return path
    raise AssertionError


def _save(classifier: Classifier, path: Path, data: str, *, is_named: bool, overwrite: bool) -> Path:
    """Save it; what goes wrong now is no bad input any more. A default name that was taken meanwhile gives the next."""
    for _ in range(1000):
        try:
            classifier.save(path, overwrite=overwrite and is_named)
            return path
        except InputError as error:
            if is_named or not os.path.lexists(path):
                raise FromlogitsError(str(error)) from error
            path = default_name(data)
    raise FromlogitsError(f"no free name like {path} was found; choose one with -o.")


@contextlib.contextmanager
def _stop_on_signals(heard: Callable[[], None]) -> Iterator[StopOnSignal]:
    """Ctrl-C and SIGTERM ask the training to stop; what follows it is done to the end."""
    from ..training import StopOnSignal

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL) if is_main else None  # StopOnSignal takes only the default
    try:
        with StopOnSignal((signal.SIGINT, signal.SIGTERM), heard) as stop:
            yield stop
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


# --- words ---


def found(data: str, dataset: Dataset, fit: Fit, target: TargetEncoder) -> str:
    """What the file holds, in a sentence."""
    from ..data.table import SparseMatrix

    summary = fit.summary
    shape, targets, features = summary.picture_shape, dataset.targets, dataset.features
    if shape is not None:
        rows = f"pictures of {'x'.join(map(str, shape))}"
        if (backbone := fit.encoder.backbone) is not None:
            rows += f", {backbone.n_features:,} features of each by {backbone.reference.text}"
    elif isinstance(features, SparseMatrix):
        rows = f"rows, {counted(features.n_features, 'feature')}, {100 * features.density:.2g} % not zero"
    elif fit.encoder.table is not None:
        n = fit.encoder.schema.n_features
        rows = f"rows of {counted(n, 'column')}, encoded as {counted(fit.encoder.n_features, 'feature')}"
    else:
        rows = f"rows of {counted(fit.encoder.n_features, 'number')}"
    names = targets.names if targets is not None else ()
    column = f" in column {names[0]!r}" if len(names) == 1 else ""
    kinds = kinds_text(target.task, target.n_classes)
    return f"{named(data)}: {len(dataset):,} {rows}; {kinds}{column}: {listed(target.classes)}"


def plan(
    summary: FitSummary,
    valid: str | None = None,
    test: str | None = None,
    n_test: int | None = None,
    *,
    decides: bool = False,
) -> str:
    """What will be done, a few lines."""
    rows, folds = f"{counted(summary.n_train, 'row')} to train on", summary.plan.folds
    purpose = purpose_of_validation(summary.plan, decides=decides)
    if folds > 1:
        rows = (
            f"{counted(summary.n_train, 'row')}: {summary.n_networks:,} networks, each trained on {folds - 1} of"
            f" {folds} folds, the rows it did not see {purpose}"
        )
    elif summary.n_valid:
        rows += f", {summary.n_valid:,}{f' of {valid}' if valid else ''} {purpose}"
    else:
        rows += ", none held out"
    if summary.n_kept:
        rows += f"; {summary.n_kept:,} kept for prediction sets"
    if test is not None:
        rows += f"; {n_test:,} of {test} to test it"
    return f"{layers(summary)}\n{rows}\n{steps(summary)}"


def layers(summary: FitSummary) -> str:
    """The network, layer by layer, and how many there are of it."""
    from ..spec import Members

    network = summary.network
    if len(network.layers) <= MAX_TABLE_LAYERS:
        words = f"{network}\n"
    else:
        words = f"{len(network.layers)} layers, {network.n_parameters:,} parameters"
    if summary.members != Members():
        in_all = network.n_parameters * summary.n_networks
        words += f"\n{summary.members.describe(network, len(summary.classes))}: {in_all:,} parameters in all\n"
    return words


def steps(summary: FitSummary) -> str:
    """How it is trained."""
    recipe = summary.plan
    rate = f"learning rate {recipe.learning_rate:g}" + (
        "" if recipe.schedule == "constant" else f", {recipe.schedule.replace('_', ' ')}"
    )
    threads = f"{summary.n_threads} thread{'s' * (summary.n_threads > 1)}"
    computed = "" if summary.network.residual is None else f", convolutions in {recipe.precision}"
    return (
        f"{recipe.optimizer}, {rate}; batches of {recipe.batch_size:,},"
        f" at most {counted(recipe.max_epochs, 'epoch')}, seed {summary.seed}, {threads}{computed}"
    )


def hardly_trained(members: Sequence[Member]) -> str:
    """What is said of labels whose networks a stop left without a whole epoch; "" where there are none."""
    labels = [one.label for one in members if one.label is not None and not one.history.has_an_epoch]
    if not labels:
        return ""
    whose = "the network of {}: its" if len(labels) == 1 else "the networks of {}: their"
    return f"not one whole epoch is behind {whose.format(listed(labels))} probabilities mean little"


def _resolved(fit: Fit, path: Path, n_test: int | None) -> dict[str, Any]:
    """What --dry-run --json prints."""
    summary = fit.summary
    return {
        "task": summary.task,
        "rows": len(fit.rows) + summary.n_kept + (summary.n_valid if fit.split["kind"] in HOLDS_OUT else 0),
        "training_rows": summary.n_train,
        "validation_rows": summary.n_valid,
        **({"set_rows": summary.n_kept} if summary.n_kept else {}),
        "test_rows": n_test,
        "classes": list(summary.classes),
        **resolved(fit),
        "model": str(path),
    }


def _limited(limit: Limit) -> dict[str, Any]:
    """What --json says of a time limit: what there would be without it, and what was chosen before the training."""
    if limit.seconds is None:
        return {}
    planned, chosen = (
        {"ensemble": amount.n_rounds, "max_epochs": amount.max_epochs} for amount in (limit.planned, limit.chosen)
    )
    return {"time_limit": {"seconds": limit.seconds, "planned": planned, "chosen": chosen}}


def resolved(fit: Fit) -> dict[str, Any]:
    """The network, how it would be trained, and what each column is taken for."""
    summary = fit.summary
    return {
        "network": summary.network.to_json(),
        "members": summary.members.to_json(),
        "parameters": summary.network.n_parameters * summary.n_networks,
        "head": summary.head,
        "preset": summary.preset,
        "plan": summary.plan.to_json(),
        "seed": summary.seed,
        "threads": summary.n_threads,
        "schema": fit.encoder.schema.to_json(),
        "columns": fit.encoder.described(),
        "warnings": list(summary.warnings),
    }


def _report(classifier: Classifier, n_rows: int, path: Path, seconds: float) -> dict[str, Any]:
    """What --json prints, without the test rows' figures."""
    figures, record = classifier.validation_metrics_, classifier.record_
    has_say = selected_on(classifier.plan_, decides=chose_decisions(classifier.record_))
    validation = None if figures is None else {"rows": record["n_validation"], "selected_on": has_say, **figures}
    return {
        "task": classifier.target_.task,
        "rows": n_rows,
        "classes": list(classifier.target_.classes),
        "seconds": round(seconds, 3),
        "model": str(path),
        "epochs": classifier.n_iter_,
        "best_epoch": classifier.best_epoch_,
        "seed": classifier.seed_,
        **({"members": _members(classifier)} if len(classifier.members_) > 1 else {}),
        "calibration": record.get("calibration"),
        **decision_report(classifier),
        "validation": validation,
        **({} if classifier.sets_ is None else {"sets": classifier.sets_.to_json()}),
    }


def _members(classifier: Classifier) -> list[dict[str, Any]]:
    """Each network's training, without its epochs."""
    return [
        {
            "label": member.label,
            "seed": member.seed,
            "metric": member.metric,
            "epochs": member.n_epochs,
            "best_epoch": member.best_epoch,
            "stopped_by": member.history.stopped_by,
        }
        for member in classifier.members_
    ]


def _tell(results: Screen, classifier: Classifier, report: dict[str, Any], says: dict[str, str], rows: str) -> None:
    """The head, the figures and the next commands, on `rows`: a file and how to read it, as one types them."""
    results.tell(classifier.describe()["head"])
    for name, say in says.items():
        figures = report.get(name)
        if figures is not None:
            results.tell(figures_text(f"{name} ({counted(figures['rows'], 'row')}{say}):", figures), "bold green")
            if decision := figures.get("decision"):
                results.tell(f"  by what it decides for: {decided_figures_text(decision['figures'])}")
            if words := sets_text(figures):
                results.tell(words)
            if table := per_label_table(figures):
                results.tell(table)
    if report["calibration"] is not None:
        results.tell(f"calibration: {calibration_text(classifier.record_, is_one_unit=classifier._is_one_unit)}")
    if classifier._model.decision:
        results.tell(f"decides for: {decision_text(classifier)}", "bold green")
    results.tell(f"\nsaved as {report['model']} after {duration(report['seconds'])}; now:")
    model, backbone = shlex.quote(report["model"]), classifier.encoder_.backbone
    for verb, more in (("evaluate", f" {rows}"), ("predict", f" {rows}"), ("inspect", "")):
        if verb == "predict" and classifier.sets_ is not None:
            more += f" --coverage {classifier.sets_.coverage:g}"
        if backbone is not None and backbone.reference.revision is None and backbone.place != backbone.reference.text:
            more += f" --backbone {shlex.quote(backbone.place)}"
        results.tell(f"  fromlogits {verb} {model}{more}", "cyan")
