"""A saved model, and a file read as its model needs it: what evaluate, predict and inspect begin with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..data.sources import Dataset

PACKABLE = (".csv", ".tsv", ".jsonl", ".ndjson")
TYPED = (".parquet", ".pq", ".arrow", ".feather", ".ipc", ".arrows")
TABLES = (*PACKABLE, *(f"{ending}.gz" for ending in PACKABLE), *TYPED)


def open_model(path: str, threads: str | None) -> Classifier:
    """The classifier in a model file, computing with so many threads."""
    from .. import load
    from ..settings import BY_NAME, read_value

    n_jobs = None if threads is None else read_value(BY_NAME["n_jobs"], threads, f"--threads {threads}")
    return load(path, n_jobs=n_jobs)  # type: ignore[arg-type]


def read_labelled(classifier: Classifier, path: str) -> Dataset:
    """A file with its targets, columns by the names that the model knows."""
    from ..data.sources import read

    schema = classifier.encoder_.schema
    if not schema.target_names and path.lower().endswith(TABLES):
        raise InputError(
            f"{Path(path).name}: a table can't be evaluated by this model: it was trained on a file without named"
            " columns, so it knows no target column. Evaluate it on such a file (.npz or IDX images)."
        )
    dataset = read(
        path,
        target=schema.target_names or None,
        ignore=(*schema.id_names, *schema.ignored),
        features=schema.names,
        picture_shape=schema.picture_shape,
    )
    targets = dataset.targets
    if targets is not None and targets.label_names is not None and targets.names == schema.target_names:
        # A label's name is what the star of "label:*" stood for; the columns are the ones that were trained on.
        names = tuple(str(name) for name in classifier.target_.classes)
        dataset = dataclasses.replace(dataset, targets=dataclasses.replace(targets, label_names=names))
    return dataset


def read_unlabelled(classifier: Classifier, path: str) -> Dataset:
    """A file to predict: targets may be missing, the id columns not."""
    from ..data.sources import read

    schema = classifier.encoder_.schema
    return read(
        path,
        target=schema.target_names or None,
        ids=schema.id_names,
        ignore=schema.ignored,
        features=schema.names,
        picture_shape=schema.picture_shape,
        labelled=False,
    )


def read_labelled_or_not(classifier: Classifier, path: str) -> tuple[Dataset, str]:
    """A file with its targets; or, where they are not there or not right, without them and why."""
    try:
        return read_labelled(classifier, path), ""
    except InputError as error:
        return read_unlabelled(classifier, path), str(error)
