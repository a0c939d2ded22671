"""A saved model, and a file read as its model needs it: what evaluate, predict, inspect and serve begin with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    from .classifier import Classifier
    from .data.reading import Reading
    from .data.sources import Dataset
    from .data.stream import Stream


def open_model(path: str, threads: str | None, backbone: str | None = None, *, to_predict: bool = True) -> Classifier:
    """The classifier in a model file, computing with so many threads.

    Args:
        backbone: where its pretrained network lies, as for `load`.
        to_predict: its engine must be there, and is made ready; or else only what the file holds is looked at.

    Raises EngineUnavailableError where it is not.
    """
    from .classifier import load
    from .settings import BY_NAME, read_value

    n_jobs = None if threads is None else read_value(BY_NAME["n_jobs"], threads, f"--threads {threads}")
    classifier = load(path, n_jobs=n_jobs, backbone=backbone)  # type: ignore[arg-type]
    if to_predict:
        _ = classifier._networks
    return classifier


def has_backbone(path: str) -> bool:
    """Whether a model file is of a network behind a pretrained one, which need not be there."""
    from .model import Model

    return Model.load(Path(path)).encoder.backbone is not None


def read_labelled(classifier: Classifier, path: str, reading: Reading, row: int | None = None) -> Dataset:
    """A file with its targets, columns by the names that the model knows; `row` as in `data.sources.read`."""
    from .data.label_sets import SIGN, LabelSets
    from .data.sources import read

    schema = classifier.encoder_.schema
    dataset = read(
        path,
        target=schema.target_names or None,
        ignore=(*schema.id_names, *schema.ignored, *schema.left_out),
        group=next(iter(schema.group_names), None),
        time=next(iter(schema.time_names), None),
        features=schema.names if schema.pictures is None else (),
        picture_shape=schema.picture_shape,
        pictures=schema.pictures,
        reading=_as_trained(reading, classifier),
        first_index=schema.first_index,
        n_features=schema.n_features,
        weights=next(iter(schema.weight_names), None),
        has_target_column=bool(schema.target_names),
        row=row,
    )
    targets = dataset.targets
    if classifier.target_.task == "multi-label" and dataset.arrived and dataset.arrived.form == "pictures":
        raise InputError(
            f"{Path(path).name}: a folder says one class of each picture, and this model answers for each of its"
            f" {len(classifier.target_.classes):,} labels; name a table with a column for each label, and --images."
        )
    if targets is not None and targets.label_names is not None and targets.names == schema.target_names:
        # A label's name is what the star of "label:*" stood for; the columns are the ones that were trained on.
        names = tuple(str(name) for name in classifier.target_.classes)
        dataset = dataclasses.replace(dataset, targets=dataclasses.replace(targets, label_names=names))
    if isinstance(targets, LabelSets) and targets.separator is not None and classifier.target_.separator is None:
        said = f"target {targets.names[0]!r}: its texts were read as sets of labels with {SIGN!r} between them"
        dataset = dataclasses.replace(dataset, notes=(*dataset.notes, said))
    return _with_conversions(dataset, classifier)


def read_unlabelled(classifier: Classifier, path: str, reading: Reading, row: int | None = None) -> Dataset:
    """A file without its targets: they and id columns may be missing; `row` as in `data.sources.read`."""
    from .data.sources import read

    return _with_conversions(read(path, labelled=False, row=row, **_of_unlabelled(classifier, reading)), classifier)


def stream_unlabelled(classifier: Classifier, path: str, reading: Reading, keep: Sequence[str]) -> Stream:
    """A file to predict, its rows some at a time: targets and id columns may be missing, those to keep may not."""
    from .data.sources import read_in_parts

    stream = read_in_parts(path, keep=keep, **_of_unlabelled(classifier, reading))
    return stream.as_learned(classifier.encoder_)


def _of_unlabelled(classifier: Classifier, reading: Reading) -> dict[str, Any]:
    schema = classifier.encoder_.schema
    return {
        "target": schema.target_names or None,
        "ids": schema.id_names,
        "ignore": (*schema.ignored, *schema.left_out, *schema.group_names, *schema.time_names),
        "features": schema.names if schema.pictures is None else (),
        "picture_shape": schema.picture_shape,
        "pictures": schema.pictures,
        "weights": next(iter(schema.weight_names), None),
        "reading": _as_trained(reading, classifier),
        "first_index": schema.first_index,
        "n_features": schema.n_features,
    }


def _with_conversions(dataset: Dataset, classifier: Classifier) -> Dataset:
    """The same, and said of it what columns are read as."""
    from .data.table import Table

    if not isinstance(dataset.features, Table):
        return dataset
    return dataclasses.replace(dataset, notes=(*dataset.notes, *classifier.encoder_.conversions(dataset.features)))


def read_row(classifier: Classifier, path: str, reading: Reading, row: int) -> tuple[Dataset, str]:
    """A file for one of its rows, as in `data.sources.read`: with targets; or, where they are not there or not right,
    without them and why."""
    try:
        return read_labelled(classifier, path, reading, row), ""
    except InputError as error:
        return read_unlabelled(classifier, path, reading, row), str(error)


def _as_trained(reading: Reading, classifier: Classifier) -> Reading:
    """What is said about the file, and what the model remembers of its training file's columns."""
    from .data.label_sets import SIGN

    schema, target = classifier.encoder_.schema, classifier.target_
    has_sets = target.task == "multi-label" and len(schema.target_names) == 1
    backbone = classifier.encoder_.backbone
    if backbone is not None and reading.image_cache is not None:
        backbone.keep_in(Path(reading.image_cache))
    remembered = (name for name in schema.numeric if name in (schema.names or ()))
    return dataclasses.replace(
        reading,
        label_separator=(target.separator or SIGN) if has_sets else None,
        missing=tuple(dict.fromkeys((*schema.missing_words, *reading.missing))),
        numeric=tuple(dict.fromkeys((*reading.numeric, *remembered))),
        as_text=classifier.encoder_.text_names,
        backbone=backbone,
    )
