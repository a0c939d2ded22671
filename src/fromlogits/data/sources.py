"""One function that reads a file of any known format into features, targets and what has to be said about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, nearest
from .files import existing_file
from .idx import read_idx
from .inputs import as_matrix
from .npz import Archive, read_npz
from .origin import FileRows, Origin
from .schema import pixel_grid, shown
from .table import Matrix, Table
from .target_columns import find_targets, several_targets, single_target
from .targets import Target

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dataset:
    """What a file holds.

    Attributes:
        features: the table without target, id and ignored columns; or a matrix of uint8 or numbers.
        targets: None when not asked for.
        ids: the id columns, as they stand in the file; may have no columns.
        picture_shape: (h, w) or (h, w, channels) when each row is a picture.
        feature_names: of an array's columns, when the file names them.
        classes: of an .npz file that names its classes.
        origin: says where a row stands.
        digest: SHA-256 of the file, in hex (of images and labels together for IDX).
        notes: everything that was found out, decided or converted, one sentence each.
    """

    features: Table | Matrix
    targets: Target | None
    ids: Table
    picture_shape: Shape | None
    feature_names: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    origin: Origin
    digest: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.features)


def read(
    path: str | Path,
    *,
    target: str | Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    ids: Sequence[str] = (),
    picture_shape: Shape | None = None,
    labelled: bool = True,
) -> Dataset:
    """Read CSV or TSV (plain or .gz), Parquet, .npz, or IDX images with the labels beside them.

    Args:
        path: the file; its name says what it is.
        target: of a table, the target column: a name, several separated by commas, a glob such as "label:*";
            or a sequence of exact names.
        ignore: columns to leave out.
        ids: columns that name the rows; kept, but no features.
        picture_shape: each row is a picture of this shape.
        labelled: whether targets are needed; if not, target columns are left out when they are there.
    """
    path = existing_file(path)
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    if plain.endswith((".csv", ".tsv")) or name.endswith((".parquet", ".pq")):
        return _read_table(path, target, ignore, ids, picture_shape, labelled)
    if ignore or ids:
        raise InputError(f"{path.name} has no named columns, so {(*ignore, *ids)[0]!r} can't be an id or be ignored.")
    notes = (f"{path.name} holds its own targets; no column {target!r} was looked for",) if target else ()
    if name.endswith(".npz"):
        return _read_npz(path, picture_shape, labelled, notes)
    if re.search(r"idx[1-4]?(-ubyte)?$|-ubyte$", plain):
        return _read_idx(path, labelled, notes)
    raise InputError(
        f"{path.name}: a file is known by its name: .csv or .tsv (also .csv.gz), .parquet, .npz, or IDX images as in"
        " train-images-idx3-ubyte.gz."
    )


def _read_table(
    path: Path,
    target: str | Sequence[str] | None,
    ignore: Sequence[str],
    ids: Sequence[str],
    picture_shape: Shape | None,
    labelled: bool,
) -> Dataset:
    from .tables import ParquetTable, TextTable

    is_text = not path.name.lower().endswith((".parquet", ".pq"))
    file = TextTable(path) if is_text else ParquetTable(path)
    for role, names in (("ignored", ignore), ("id", ids)):
        for name in names:
            if name not in file.names and (labelled or role == "id"):
                raise InputError(f"{path.name} has no column {name!r} to be {role}.{nearest(name, file.names)}")
    targets: tuple[str, ...] = ()
    label_names: tuple[str, ...] | None = None
    if target is not None and labelled:
        targets, label_names = find_targets(target, file.names, path.name)
    elif target is not None:
        targets = tuple(name for name in _words(target) if name in file.names)
    elif labelled:
        raise InputError(
            f"{path.name}: say which column is the target, as in --target {file.names[-1]}; its columns: {shown(file.names, 10)}."
        )
    others = {*targets, *ids, *ignore}
    features = [name for name in file.names if name not in others]
    if not features:
        raise InputError(
            f"{path.name} has no feature column: {shown(file.names)} {'are' if len(file.names) > 1 else 'is'} the target, an id or"
            " ignored. The delimiter of a .csv must be a comma, tab or semicolon."
        )
    read_targets = targets if labelled else ()
    as_text = (*ids, *read_targets) if label_names is None else tuple(ids)
    wanted = tuple(dict.fromkeys((*features, *ids, *read_targets)))
    table = file.read(wanted, as_text)
    notes = list(file.notes)
    found: Target | None = None
    if label_names is not None:
        found = several_targets([table[name] for name in targets], label_names, table)
    elif read_targets:
        found, said = single_target(table[targets[0]], table, is_text_file=is_text)
        notes += said
    grid = pixel_grid(features)
    return Dataset(
        features=table.select(features),
        targets=found,
        ids=table.select(ids),
        picture_shape=picture_shape or (grid[0] if grid else None),
        feature_names=tuple(features),
        classes=None,
        origin=file.origin,
        digest=file.digest,
        notes=tuple(notes),
    )


def _words(target: str | Sequence[str]) -> Sequence[str]:
    return [target, *(part.strip() for part in target.split(","))] if isinstance(target, str) else target


def _read_idx(path: Path, labelled: bool, notes: tuple[str, ...]) -> Dataset:
    pictures = read_idx(path, labelled=labelled)
    origin = FileRows(path)
    shape = pictures.shape if len(pictures.shape) > 1 else None
    labels = None if pictures.labels is None else Target(pictures.labels, origin=origin)
    return Dataset(
        features=Matrix(pictures.pixels, shape, None, origin),
        targets=labels,
        ids=Table((), len(pictures.pixels), origin),
        picture_shape=shape,
        feature_names=None,
        classes=None,
        origin=origin,
        digest=pictures.digest,
        notes=notes,
    )


def _read_npz(path: Path, picture_shape: Shape | None, labelled: bool, notes: tuple[str, ...]) -> Dataset:
    archive = read_npz(path, labelled=labelled)
    origin = FileRows(path)
    try:
        matrix = as_matrix(archive.X)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    names = _names_of(path, "features", archive.features, matrix.values.shape[1])
    matrix = Matrix(matrix.values, picture_shape or matrix.picture_shape, names, origin)
    classes = None if archive.classes is None else tuple(archive.classes.tolist())
    targets = None if archive.y is None else _npz_target(path, archive, len(matrix), origin)
    return Dataset(
        features=matrix,
        targets=targets,
        ids=Table((), len(matrix), origin),
        picture_shape=matrix.picture_shape,
        feature_names=names,
        classes=classes,
        origin=origin,
        digest=archive.digest,
        notes=notes,
    )


def _names_of(path: Path, name: str, values: Any, expected: int) -> tuple[str, ...] | None:
    if values is None:
        return None
    if values.ndim != 1 or values.dtype.kind != "U" or len(values) != expected or len(set(values.tolist())) != expected:
        raise InputError(
            f"{path.name}: array {name} must be {expected} different names; it is of shape {values.shape} and dtype {values.dtype}."
        )
    return tuple(values.tolist())


def _npz_target(path: Path, archive: Archive, n: int, origin: Origin) -> Target:
    y, classes = archive.y, archive.classes
    assert y is not None
    if y.ndim not in (1, 2) or len(y) != n:
        raise InputError(f"{path.name}: X has {n} rows, so y must be of shape ({n},) or ({n}, labels); it is {y.shape}.")
    if classes is None:
        return Target(y.astype(object) if y.dtype.kind == "U" else y, origin=origin)
    if classes.ndim != 1 or classes.dtype.kind not in "Uiu" or len(set(classes.tolist())) < len(classes):
        raise InputError(f"{path.name}: array classes must be different names; it is of shape {classes.shape} and dtype {classes.dtype}.")
    if y.ndim == 2:
        return Target(y, (), _names_of(path, "classes", classes.astype(str), y.shape[1]), None, origin)
    if y.dtype.kind not in "iu" or np.isin(y, classes).all():
        return Target(y.astype(object) if y.dtype.kind == "U" else y, origin=origin)
    outside = (y < 0) | (y >= len(classes))
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{path.name}: y must number the {len(classes)} classes from 0 to {len(classes) - 1}; row {row} has {y[row]}."
        )
    names = classes.astype(object) if classes.dtype.kind == "U" else classes
    return Target(names[y], origin=origin)
