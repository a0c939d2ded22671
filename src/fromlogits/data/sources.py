"""One function that reads a file of any known form into features, targets and what has to be said about them."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, nearest
from .arrival import Arrived, arrive
from .columns import as_said
from .idx import read_idx
from .inputs import as_matrix, refuse_infinity
from .label_sets import LabelSets
from .npz import NAMES, layout, listed, read_npz, rows_in_parts
from .origin import FileRows, Origin
from .pictures.asked import Asked, PictureNames, PictureRows, in_column, in_store, names_column, names_of, root_of
from .pictures.files import PictureFiles
from .pictures.folders import FILE, Listed, list_pictures, without_rows
from .pictures.parts import PictureParts
from .pictures.stores import File, Store, is_one_file, opened
from .reading import Reading
from .schema import Shape, pixel_grid, refuse_other_pictures, shown
from .stream import Part, Stream, checked_parts, rows_of_a_part
from .svmlight import Indices, SvmlightFile, SvmlightRows, read_svmlight, svmlight_in_parts
from .table import Column, Inputs, Matrix, Table, objects
from .target import Target
from .target_columns import find_targets, several_targets, single_target, target_of_sets

if TYPE_CHECKING:
    from .tables import TableFile

STREAMED = ("csv", "tsv", "jsonl", "parquet", "arrow", "npz", "svmlight", "pictures")
"""Forms that are read in parts where that is enough."""
TABLE_FORMS = ("csv", "tsv", "jsonl", "parquet", "arrow")
"""With named columns, of which one is the target."""


@dataclass(frozen=True)
class Dataset:
    """What a file holds.

    Attributes:
        features: the table without target, id and ignored columns; or a matrix of uint8 or numbers, dense or sparse.
        targets: None when not asked for.
        ids: the id columns, as they stand in the file; may have no columns.
        kept: columns to copy to the predictions; of delimited text exactly as they stand there.
        picture_shape: (h, w) or (h, w, channels) when each row is a picture.
        feature_names: in the file's order, when it names them.
        classes: the names in the array `classes` of an .npz file; `targets` holds them already.
        origin: says where a row stands.
        digest: SHA-256 of the file, in hex (of images and labels together for IDX).
        notes: everything that was found out, decided or converted, one sentence each.
        arrived: where the bytes are; a copy of a pipe goes away with it.
        groups, times: the column that groups the rows, and that of their times, as a table of one column; None where
            there is none.
    """

    features: Inputs
    targets: Target | None
    ids: Table
    picture_shape: Shape | None
    feature_names: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    origin: Origin
    digest: str
    notes: tuple[str, ...]
    arrived: Arrived | None = None
    weights: NDArray[np.float64] | None = None
    """Of the rows (n,), where a column of them was asked for and is there; of an .npz file, its array sample_weight,
    (n,) or (n, labels), where it is there."""
    kept: Table | None = None
    groups: Table | None = None
    times: Table | None = None
    bad: Mapping[int, str] = field(default_factory=dict)
    """Rows whose pictures can't be read -> why, where they were to be marked."""

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Sequence[int]) -> Dataset:
        """Some rows, in the order of `rows`; what is said of the file stays."""
        places = np.array(rows, np.int64)

        def some(held: Any) -> Any:
            return None if held is None else held.take(places)

        return dataclasses.replace(
            self,
            features=some(self.features),
            targets=some(self.targets),
            ids=some(self.ids),
            origin=some(self.origin),
            weights=None if self.weights is None else self.weights[places],
            kept=some(self.kept),
            groups=some(self.groups),
            times=some(self.times),
            bad={place: self.bad[row] for place, row in enumerate(rows) if row in self.bad},
        )


def read(
    path: str | Path | Arrived,
    *,
    target: str | Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    ids: Sequence[str] = (),
    keep: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    features: Sequence[str] | None = None,
    picture_shape: Shape | None = None,
    labelled: bool = True,
    reading: Reading | None = None,
    has_target_column: bool = True,
    first_index: int | None = None,
    n_features: int | None = None,
    weights: str | None = None,
    pictures: PictureFiles | None = None,
    marks_bad: bool = False,
    row: int | None = None,
) -> Dataset:
    """Read CSV, TSV, JSON lines or svmlight (plain, .gz or .zst), Parquet, Arrow, .npz, IDX images and their labels, or
    picture files in a folder or named by a table.

    For training, `target` (and `ignore`, `ids`) are what the user says. For later data, give what the model's
    schema says, its feature names too: then no other column is read.

    Args:
        path: the file, whose name says what form it has; or "-" for standard input; or what has arrived.
        target: of a table, the target column: a name, several separated by commas, a glob such as "label:*";
            or a sequence of exact names.
        ignore: columns to leave out; for training they must be there.
        ids: columns that name the rows; kept, but no features. Data without targets may lack them, with a note.
        keep: columns to copy to the predictions, whatever else they are.
        group, time: the column that groups the rows, and that of their times; no features. With `features`, they may
            be missing.
        features: the columns a model knows, which must be there; others are left out with a note. None: all that
            have no other role.
        picture_shape: each row is a picture of this shape.
        labelled: whether targets are needed; if not, target columns are left out when they are there.
        reading: what the user says about the file.
        has_target_column: False for a model that was trained on a file without named columns.
        weights: the column of the rows' weights, no feature; of data for a model it may be missing.
        first_index, n_features: of svmlight data, what a model counts the indices from (None: the file says), and how
            many it knows; others are left out with a note.
        pictures: how the pictures that a model knows were made of files.
        marks_bad: rows whose pictures can't be read stay, where `reading` skips them, and are named in the data set.
        row: the one that is wanted; InputError where it is not there. Where each takes work, as picture files and
            what a backbone looks at, the data set holds it alone.
    """
    reading = reading or Reading()
    arrived = path if isinstance(path, Arrived) else arrive(path, reading)
    name = arrived.path.name
    _refuse_what_means_nothing(arrived, reading, keep, n_features)
    if features is None and arrived.form not in TABLE_FORMS:
        _refuse_columns(arrived, (*ignore, *ids), group, time, weights if labelled else None)
    asked = Asked(picture_shape, pictures, reading, n_features is not None, marks_bad, row)
    images: str | None = None
    if arrived.form in TABLE_FORMS:
        if labelled and not has_target_column:
            raise InputError(
                f"{name}: a table can't be evaluated by this model: it was trained on a file without named columns, so"
                " it knows no target column. Evaluate it on such a file (.npz, .svm, IDX images or a folder of"
                " pictures)."
            )
        file = _open_table(arrived, reading, keep)
        images = asked.column(name)
        roles = _roles(file, name, target, ignore, ids, weights, group, time, features, labelled, reading, images)
        if images is None:
            dataset = _read_table(file, name, roles, picture_shape, reading)
        else:
            dataset = _read_pictures_of_table(file, arrived, roles, images, asked)
        from .tables import TextTable

        if keep := roles.kept(keep):
            kept = file.verbatim(keep) if isinstance(file, TextTable) else file.read(keep, as_text=keep)
            dataset = dataclasses.replace(dataset, kept=kept)
    elif arrived.form == "pictures":
        dataset = _read_picture_files(arrived, _said(arrived.path, target), asked, labelled)
    else:
        dataset = _read_arrays(arrived, target, picture_shape, labelled, (first_index, n_features))
    if row is not None and images is None and arrived.form != "pictures":
        rows = asked.rows(len(dataset), name)
        dataset = dataset if reading.backbone is None else dataset.take(rows)
    if reading.backbone is not None:
        from .encoders import seen_rows

        pictures_seen = seen_rows(dataset.features, reading.backbone, dataset.picture_shape)
        dataset = dataclasses.replace(dataset, features=pictures_seen, picture_shape=pictures_seen.picture_shape)
    arrived.check_unchanged()
    return dataclasses.replace(dataset, digest=arrived.digest or dataset.digest, arrived=arrived)


def read_in_parts(
    path: str | Path,
    *,
    features: Sequence[str] | None,
    target: str | Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    ids: Sequence[str] = (),
    keep: Sequence[str] = (),
    reading: Reading | None = None,
    **about: Any,
) -> Stream:
    """Rows for a model to predict, some at a time; of most forms never is all in memory.

    Args are those of `read`, with labelled=False. What is read is the same, and so is what is refused: the roles of the
    columns here, their values while the rows are taken.
    """
    reading = reading or Reading()
    arrived = arrive(path, reading)
    common: dict[str, Any] = {"features": features, "target": target, "ignore": ignore, "ids": ids, **about}

    def whole() -> Dataset:
        return read(arrived, labelled=False, keep=keep, reading=reading, marks_bad=reading.skip_bad, **common)

    if arrived.form not in STREAMED:
        return Stream.of_whole(whole)
    _refuse_what_means_nothing(arrived, reading, keep, about.get("n_features"))
    if arrived.form == "svmlight":
        return _svmlight_in_parts(
            arrived, _said(arrived.path, target), about.get("first_index"), about.get("n_features")
        )
    if arrived.form == "npz":
        stream = _npz_in_parts(arrived, _said(arrived.path, target), about.get("picture_shape"))
        return stream or Stream.of_whole(whole)
    asked = Asked(about.get("picture_shape"), about.get("pictures"), reading, True, True)
    keeps_pixels = reading.image_cache is not None and reading.backbone is None
    if arrived.form == "pictures":
        if keeps_pixels:
            return Stream.of_whole(whole, marks_bad=reading.skip_bad)
        return _pictures_in_parts(arrived, _said(arrived.path, target), asked)
    file = _open_table(arrived, reading, keep, is_held=False)
    name = arrived.path.name
    weights = about.get("weights")
    images = asked.column(name)
    if images is not None:
        if keeps_pixels or (images in file.names and file.pictures_in(images)):
            return Stream.of_whole(whole, marks_bad=reading.skip_bad)
        roles = _roles(file, name, target, ignore, ids, weights, None, None, features, False, reading, images)
        return _table_of_pictures_in_parts(file, arrived, roles, roles.kept(keep), images, asked)
    if not file.is_text and {*reading.numeric} & {*file.names}:
        return Stream.of_whole(whole)  # whether texts are numbers is a question to all of them
    roles = _roles(file, name, target, ignore, ids, weights, None, None, features, False, reading)
    kept_names = roles.kept(keep)

    def parts(chosen: Sequence[str], ids: Sequence[str], keep: Sequence[str]) -> Iterator[Part]:
        names = tuple(dict.fromkeys((*chosen, *ids)))
        as_text = [column for column in roles.as_text if column in names]
        for table, kept in file.in_parts(names, as_text, keep):
            table = table if file.is_text else as_said(table, reading)[0]
            yield Part(table.select(chosen), (*table.select(ids).columns, *kept.columns))
        arrived.check_unchanged()

    return Stream(
        parts=lambda: parts(roles.chosen, roles.ids, kept_names),
        column=lambda name: parts([name], (), ()),
        notes=lambda: _notes_of_table(file, name, roles, reading),
    )


def _svmlight_in_parts(
    arrived: Arrived, said: tuple[str, ...], first_index: int | None, n_features: int | None
) -> Stream:
    path = arrived.path
    indices = Indices(
        path.name, first_index, n_features, lambda: any([part.has_zero for part in svmlight_in_parts(path)])
    )

    def part(file: SvmlightFile) -> Part:
        return Part(indices.matrix(file, SvmlightRows(path, file.lines)), ())

    def parts() -> Iterator[Part]:
        yield from checked_parts(svmlight_in_parts(path), part)
        arrived.check_unchanged()

    return Stream.of_array(parts, lambda: (*said, *indices.notes))


def _npz_in_parts(arrived: Arrived, said: tuple[str, ...], picture_shape: Shape | None) -> Stream | None:
    """None where the rows do not stand one behind the other, or are not as they must be, which `read` then says."""
    path = arrived.path
    found = layout(path)
    is_picture = found.dtype == np.uint8 and len(found.shape) in (3, 4)
    shape = found.shape[1:] if is_picture else picture_shape
    if found.is_fortran or 0 in found.shape or not (is_picture or len(found.shape) == 2):
        return None
    if found.dtype.kind not in "buif":
        return None
    width = math.prod(found.shape[1:])
    names = None if found.features is None else _names(path, "features", found.features, width)
    origin = FileRows(path)

    def part(rows: tuple[int, NDArray[Any]]) -> Part:
        start, values = rows
        values = values.reshape(len(values), width)
        if values.dtype.kind == "f":
            try:
                refuse_infinity(values, start)
            except InputError as error:
                raise InputError(f"{path.name}: {error}") from None
        return Part(Matrix(values, shape, names, origin.after(start)), ())

    def parts() -> Iterator[Part]:
        part_rows = rows_of_a_part(width, 0)
        starts = range(0, found.shape[0], part_rows)
        yield from checked_parts(zip(starts, rows_in_parts(path, part_rows), strict=True), part)
        arrived.check_unchanged()

    said = (*said, *_of_unknown(path, found.unknown))
    return Stream.of_array(parts, lambda: said)


def _refuse_what_means_nothing(arrived: Arrived, reading: Reading, keep: Sequence[str], n_features: int | None) -> None:
    """Raise InputError for what is said about the file and makes no sense for its form."""
    name = arrived.path.name
    if arrived.form not in ("csv", "tsv") and (option := reading.is_about_text):
        raise InputError(f"{name}: --{option} is for CSV and TSV files.")
    if arrived.form in TABLE_FORMS:
        return
    if arrived.form == "pictures" and reading.image_cache is not None:
        cache, path = Path(reading.image_cache).resolve(), arrived.path.resolve()
        if path == cache or path in cache.parents:
            raise InputError(
                f"--image-cache {reading.image_cache}: this must be a folder outside of {name}, whose pictures are"
                " read."
            )
    if reading.images is not None or reading.image_root is not None:
        option = "images" if reading.images is not None else "image-root"
        raise InputError(f"{name}: --{option} is for tables that name picture files.")
    if arrived.form != "pictures" and (option := reading.is_about_pictures):
        raise InputError(f"{name}: --{option} is for picture files; its pictures are arrays of pixels.")
    if reading.is_about_columns:
        raise InputError(
            f"{name}: --missing, --numeric and --categorical are for tables, whose columns have names and texts."
        )
    if reading.label_separator is not None and n_features is None:
        raise InputError(f"{name}: --label-separator is for a table with one target column of texts.")
    if keep:
        raise InputError(f"{name}: --keep is for tables, whose columns have names; it has none.")


def _refuse_columns(
    arrived: Arrived, others: Sequence[str], group: str | None, time: str | None, weights: str | None
) -> None:
    """Raise InputError for a column in a role, `others` of ids and ignored ones: the file has no named columns."""
    more = ""
    if arrived.form == "pictures":
        more = " List the pictures in a table with that column; --images COLUMN says which one names them."
    elif arrived.form == "npz" and weights is not None:
        more = " The weights of an .npz file are its array sample_weight, which counts without --weights."
    for column, what in (
        (weights, "can't hold the weights of its rows"),
        (next(iter(others), None), "can be no id and not be ignored"),
        (group, "can't group its rows"),
        (time, "can't be their time"),
    ):
        if column is not None:
            raise InputError(f"{arrived.path.name} has no named columns, so {column!r} {what}.{more}")


def _read_arrays(
    arrived: Arrived,
    target: str | Sequence[str] | None,
    picture_shape: Shape | None,
    labelled: bool,
    indices: tuple[int | None, int | None],
) -> Dataset:
    path = arrived.path
    said = _said(path, target)
    if arrived.form == "svmlight":
        return _read_svmlight(path, picture_shape, labelled, said, *indices)
    read_form = _read_npz if arrived.form == "npz" else _read_idx
    return read_form(path, picture_shape, labelled, said)


def _said(path: Path, target: str | Sequence[str] | None) -> tuple[str, ...]:
    if not isinstance(target, str):
        return ()
    return (f"{path.name} holds its own targets: no column {target!r} is looked for",)


def _open_table(arrived: Arrived, reading: Reading, keep: Sequence[str], *, is_held: bool = True) -> TableFile:
    """A table, whose values may be held from the first reading on where they are wanted all together."""
    from .arrow import ArrowTable
    from .json_lines import JsonLinesTable
    from .parquet import ParquetTable
    from .tables import TextTable

    make: dict[str, Callable[[], TableFile]] = {
        "parquet": lambda: ParquetTable(arrived.path),
        "arrow": lambda: ArrowTable(arrived.path),
        "jsonl": lambda: JsonLinesTable(arrived.path, is_held=is_held),
    }
    file = make.get(arrived.form, lambda: TextTable(arrived.path, reading))()
    for column in keep:
        if column not in file.names:
            raise InputError(f"{arrived.path.name} has no column {column!r} to be kept.{nearest(column, file.names)}")
    return file


@dataclass(frozen=True)
class _Roles:
    """What the columns of a table are for.

    Attributes:
        chosen: the features.
        ids, targets, of_rows: names; of_rows -> in words.
        label_names: of several targets.
        group, time, weights: of `of_rows`.
        as_text: columns whose text is wanted as it stands.
        sets: a target that may hold sets of labels.
        notes: what was decided.
    """

    chosen: tuple[str, ...]
    ids: tuple[str, ...]
    targets: tuple[str, ...]
    of_rows: Mapping[str, str]
    label_names: tuple[str, ...] | None
    group: str | None
    time: str | None
    weights: str | None
    as_text: tuple[str, ...]
    sets: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def wanted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.chosen, *self.ids, *self.of_rows, *self.targets)))

    def kept(self, keep: Sequence[str]) -> list[str]:
        """Columns to copy beside the ids."""
        return [column for column in dict.fromkeys(keep) if column not in self.ids]


def _roles(
    file: TableFile,
    name: str,
    target: str | Sequence[str] | None,
    ignore: Sequence[str],
    ids: Sequence[str],
    weights: str | None,
    group: str | None,
    time: str | None,
    features: Sequence[str] | None,
    labelled: bool,
    reading: Reading,
    images: str | None = None,
) -> _Roles:
    if len(file.names) == 1 and labelled:
        signs = " Values are separated by commas, tabs, semicolons or bars; --separator names another sign."
        raise InputError(
            f"{name} has one column only, {file.names[0]!r}; a target and features are needed."
            f"{signs if file.is_text else ''}"
        )
    notes: list[str] = []
    if not labelled:
        for column in ids:
            if column not in file.names:
                notes.append(f"{name} has no id column {column!r}; the rows are known by their order alone")
        ids = [column for column in ids if column in file.names]
    is_new = features is None and labelled
    of_rows: dict[str, str] = {}
    for one, what in ((weights, "the rows' weights"), (group, "the group"), (time, "the time")):
        if one is None:
            continue
        if is_new or (labelled and one in file.names):
            if one in of_rows:
                raise InputError(f"{name}: column {one!r} can't be {of_rows[one]} and {what} too.")
            of_rows[one] = what
        else:
            ignore = (*ignore, one)
    new_roles = (("ignored", ignore), ("numeric", reading.numeric), ("categorical", reading.as_text)) if is_new else ()
    for role, wanted in (("id", ids), *((what, [column]) for column, what in of_rows.items()), *new_roles):
        for column in wanted:
            if column not in file.names:
                raise InputError(f"{name} has no column {column!r} to be {role}.{nearest(column, file.names)}")
    targets, label_names = _targets(file, name, target, (*ignore, *of_rows), labelled)
    if is_new and (both := [column for column in targets if column in ignore]):
        raise InputError(f"{name}: column {both[0]!r} can't be the target and ignored too.")
    for column, what in of_rows.items():
        if column in targets:
            raise InputError(f"{name}: column {column!r} can't be the target and {what} too.")
        if column == weights and column in (*ids, *(ignore if is_new else ())):
            other = "an id" if column in ids else "ignored"
            raise InputError(f"{name}: column {column!r} can't be {other} and {what} too.")
    roles = {*targets, *ids, *ignore, *of_rows}
    chosen = [column for column in file.names if column not in roles]
    if features is not None:
        there = set(file.names)
        missing = [column for column in features if column not in there]
        if missing:
            more = f" ({len(missing)} of {len(features)} columns are missing.)" if len(missing) > 1 else ""
            hint = nearest(missing[0], chosen)
            raise InputError(f"{name} has no column {missing[0]!r}; the model was trained with it.{hint}{more}")
        file.origin.is_for_model = True
        known = set(features)
        extra = [column for column in chosen if column not in known]
        chosen = [column for column in chosen if column in known]
        if extra and images is None:
            notes.append(f"{name}: columns that the model does not know were ignored: {shown(extra)}")
        for column in reading.numeric:
            if column not in there:
                raise InputError(f"{name} has no column {column!r} to be numeric.{nearest(column, chosen)}")
            if column not in {*known, *of_rows, *ignore}:
                raise InputError(f"{name}: column {column!r} can't be numeric: the model does not learn from it.")
    elif is_new:
        _refuse_two_statements(reading, {*targets, *ids, *ignore}, of_rows, group)
    if images is not None:
        if images not in file.names:
            hint = nearest(images, file.names)
            if reading.images is None:
                hint += " --images COLUMN says which column names them, or holds them."
            raise InputError(f"{name} has no column {images!r} of pictures.{hint}")
        if images in {*targets, *ignore, *of_rows}:
            what = "the target" if images in targets else of_rows.get(images, "ignored")
            raise InputError(f"{name}: column {images!r} can't hold the pictures and be {what} too.")
        others = [column for column in file.names if column not in {*roles, images}]
        if others:
            notes = [f"{name}: the pictures of column {images!r} are the one input; ignored: {shown(others)}"]
        chosen = [images]
    if not chosen:
        further = "group, " * bool(group) + "time, " * bool(time)
        raise InputError(f"{name} has no feature column: {shown(file.names)} are target, {further}ids or ignored.")
    if not labelled:
        targets, label_names = (), None
    is_single = len(targets) == 1
    if len(targets) > 1 and reading.label_separator is not None:
        raise InputError(
            f"{name}: --label-separator is for one target column that holds all labels of a row; {target!r} names"
            f" {len(targets)} columns."
        )
    as_text = (
        *ids,
        *(targets if is_single else ()),
        *(column for column in of_rows if column == group),
        *(set(reading.as_text) if file.is_text else ()),
    )
    sets = targets if is_single and (not file.is_text or reading.label_separator is not None) else ()
    return _Roles(
        tuple(chosen), tuple(ids), tuple(targets), of_rows, label_names, group, time, weights, as_text, tuple(sets),
        tuple(notes),
    )  # fmt: skip


def _notes_of_table(
    file: TableFile, name: str, roles: _Roles, reading: Reading, became_numbers: Sequence[str] = ()
) -> tuple[str, ...]:
    """What was found in the file, decided and converted, once it has been read."""
    notes = [*file.notes, *roles.notes]
    if became_numbers:
        notes.append(f"{name}: codes were read as numbers, as told: {shown(became_numbers)}")
    if reading.missing:
        words = ", ".join(map(repr, reading.missing))
        stand = "stands" if len(reading.missing) == 1 else "stand"
        notes.append(f"{name}: {words} {stand} for a missing value, as told")
    return tuple(notes)


def _pictures_in_parts(arrived: Arrived, said: tuple[str, ...], asked: Asked) -> Stream:
    """The pictures of a folder or a zip file, or one picture file."""
    store, listed, what = _found_pictures(arrived, labelled=False)
    pictures = PictureParts(asked, what)

    def parts() -> Iterator[Part]:
        for start in range(0, len(listed.names), pictures.n_rows):
            names = listed.names[start : start + pictures.n_rows]
            origin = PictureNames(arrived.path, names)
            yield from pictures.part(partial(in_store, store, names), len(names), origin, FILE)
        pictures.end()

    return Stream.of_array(parts, lambda: (*said, *listed.notes, *pictures.notes()))


def _table_of_pictures_in_parts(
    file: TableFile, arrived: Arrived, roles: _Roles, keep: Sequence[str], images: str, asked: Asked
) -> Stream:
    """Rows of a table that names pictures."""
    pictures = PictureParts(asked, arrived.path.name)
    root = root_of(arrived, asked.reading)

    def parts() -> Iterator[Part]:
        wanted = tuple(dict.fromkeys((images, *roles.ids)))
        for table, kept in file.in_parts(wanted, [*roles.as_text, images], keep):
            for start in range(0, len(table), pictures.n_rows):
                stop = min(start + pictures.n_rows, len(table))
                names = names_of(table[images].part(start, stop), arrived.path.name)
                ids = [column for column in table.columns if column.name != images]
                copied = [column.part(start, stop) for column in (*ids, *kept.columns) if column.name != images]
                origin = table.origin.after(start)
                yield from pictures.part(partial(in_store, root, names), len(names), origin, images, copied)
        pictures.end()
        arrived.check_unchanged()

    return Stream.of_array(parts, lambda: (*_notes_of_table(file, arrived.path.name, roles, asked.reading),
                                           *pictures.notes()))  # fmt: skip


def _read_table(file: TableFile, name: str, roles: _Roles, picture_shape: Shape | None, reading: Reading) -> Dataset:
    table = file.read(roles.wanted, roles.as_text, roles.sets)
    became: tuple[str, ...] = ()
    if not file.is_text:
        table, became = as_said(table, reading)
    return _dataset_of(table, file, _notes_of_table(file, name, roles, reading, became), roles, picture_shape, reading)


def _dataset_of(
    table: Table, file: TableFile, notes: tuple[str, ...], roles: _Roles, picture_shape: Shape | None, reading: Reading
) -> Dataset:
    """Rows of a table, each column in its role."""
    targets, weights, group, time = roles.targets, roles.weights, roles.group, roles.time
    found: Target | None = None
    if len(targets) == 1:
        values = table[targets[0]]
        found, said = target_of_sets(values, table, reading, is_text_file=file.is_text) or single_target(
            values, table, is_text_file=file.is_text
        )
        notes += said
    elif targets:
        found = several_targets([table[column] for column in targets], roles.label_names, table)
    grid = pixel_grid(roles.chosen)
    return Dataset(
        features=table.select(roles.chosen),
        targets=found,
        ids=table.select(roles.ids),
        picture_shape=picture_shape or (grid[0] if grid else None),
        feature_names=roles.chosen,
        classes=None,
        origin=file.origin,
        digest=file.digest,
        notes=notes,
        weights=_weights(table[weights], table) if weights is not None and weights in roles.of_rows else None,
        groups=table.select([group]) if group is not None and group in roles.of_rows else None,
        times=table.select([time]) if time is not None and time in roles.of_rows else None,
    )


def _read_pictures_of_table(file: TableFile, arrived: Arrived, roles: _Roles, images: str, asked: Asked) -> Dataset:
    """Rows whose one input is the picture that a column names, or holds."""
    name, reading, origin = arrived.path.name, asked.reading, file.origin
    held = file.pictures_in(images)
    if held is not None and reading.image_root is not None:
        raise InputError(f"{name}: column {images!r} holds the pictures themselves, so there is no --image-root.")
    roles = dataclasses.replace(
        roles,
        chosen=() if held is not None else (images,),
        ids=tuple(column for column in roles.ids if column != images),
        as_text=(*roles.as_text, images),
    )
    table = Table((), 0 if held is None else held.n_rows, origin)
    if roles.wanted:
        table = file.read(roles.wanted, roles.as_text, roles.sets)
    became: tuple[str, ...] = ()
    if not file.is_text:
        table, became = as_said(table, reading)
    notes = _notes_of_table(file, name, roles, reading, became)
    dataset = _dataset_of(table, file, notes, roles, None, reading)  # before the pictures, which take time
    wanted = asked.rows(len(table), name)
    if held is not None:
        every = partial(in_column, held, origin)
    else:
        every = partial(in_store, root_of(arrived, reading), names_of(table[images], name))
    rows = asked.read(lambda: islice(every(), wanted.start, wanted.stop), len(wanted), name, images)
    kept = [wanted[place] for place in range(len(wanted)) if asked.marks_bad or place not in rows.bad]
    if len(kept) < len(table):
        dataset = dataset.take(kept)
    has_names = held is None or held.has_names
    return _with_pictures(dataset, rows, dataset.origin, images if has_names else None, (file.digest,))


def _read_picture_files(arrived: Arrived, notes: tuple[str, ...], asked: Asked, labelled: bool) -> Dataset:
    """The pictures of a folder or a zip file, or one picture file."""
    path = arrived.path
    store, listed, what = _found_pictures(arrived, labelled=labelled)
    if asked.row is not None:
        listed = listed.take(asked.rows(len(listed.names), what))
        what = listed.names[0]
    rows = asked.read(lambda: in_store(store, listed.names), len(listed.names), what, None)
    kept = range(len(listed.names)) if asked.marks_bad else rows.good
    origin = PictureNames(path, [listed.names[row] for row in kept])
    classes = None if listed.classes is None else [listed.classes[row] for row in kept]
    lost = without_rows(what, {*(listed.classes or ())} - {*(classes or ())}, "can be read of")
    dataset = Dataset(
        features=Matrix(np.zeros((0, 0))),
        targets=None if classes is None else Target(objects(classes, len(classes)), origin=origin),
        ids=Table((), len(kept), origin),
        picture_shape=None,
        feature_names=None,
        classes=None,
        origin=origin,
        digest="",
        notes=(*notes, *listed.notes, *lost),
    )
    return _with_pictures(dataset, rows, origin, FILE, classes or ())


def _found_pictures(arrived: Arrived, *, labelled: bool) -> tuple[Store, Listed, str]:
    """Where they lie, their names, and the name of the file or folder."""
    path = arrived.path
    what = path.name or str(path)
    if not is_one_file(path):
        store = opened(path)
        return store, list_pictures(store, what, labelled=labelled), what
    if labelled:
        raise InputError(f"{what} is one picture, whose class is not known; name a folder, or a table and --images.")
    return File(path), Listed((path.name,), None, ()), what


def _with_pictures(
    dataset: Dataset, rows: PictureRows, origin: Origin, names: str | None, digested: Sequence[str]
) -> Dataset:
    """The rows with their pictures as features.

    Args:
        names: of the column of the predictions that names the pictures, or None.
        digested: what the digest depends on, beside the pictures.
    """
    ids = dataset.ids
    if names is not None:
        named = names_column(names, rows.names)
        ids = Table((named, *ids.columns), len(named.values), origin)
    return dataclasses.replace(
        dataset,
        features=rows.matrix(origin),
        ids=ids,
        picture_shape=rows.shape,
        feature_names=None,
        digest=hashlib.sha256("\\0".join((rows.digest, *digested)).encode()).hexdigest(),
        notes=(*dataset.notes, *rows.notes),
        bad=rows.bad if rows.marks_bad else {},
    )


def _refuse_two_statements(reading: Reading, others: set[str], of_rows: dict[str, str], group: str | None) -> None:
    """Raise InputError for a column that is said to be two things, of which only one could be done.

    Args:
        reading: what is said of columns.
        others: the target, ids and ignored columns.
        of_rows: columns of weights, groups and times -> their role. Weights and times are numbers, which may be said.
        group: the column of groups.
    """
    numeric = dict.fromkeys(reading.numeric, "numeric")
    taken = dict.fromkeys(others, "target, id or ignored")
    for what, columns, roles in (
        ("numeric", reading.numeric, taken | {column: role for column, role in of_rows.items() if column == group}),
        ("categorical", reading.as_text, numeric | of_rows | taken),
    ):
        for column in columns:
            if column in roles:
                raise InputError(f"column {column!r} can't be {what}: it is {roles[column]} already.")


def _weights(column: Column, table: Table) -> NDArray[np.float64]:
    """The rows' weights, each a finite number of at least 0."""
    if not column.is_numeric:
        raise InputError(f"{column.name!r} must hold the rows' weights, numbers; it holds text.")
    weights = column.values.astype(np.float64)
    bad = ~np.isfinite(weights) | (weights < 0)
    if column.missing is not None:
        bad |= column.missing
    if bad.any():
        row = int(np.argmax(bad))
        is_missing = np.isnan(weights[row]) or (column.missing is not None and column.missing[row])
        found = "none" if is_missing else f"{weights[row]:g}"
        raise InputError(
            f"the weight {column.name!r} must be a finite number of at least 0 in every row;"
            f" {table.origin.where(row)} has {found}. Take such rows out, or give them the weight 0."
        )
    if not weights.any():
        raise InputError(f"the weight {column.name!r} must not be zero in every row.")
    return weights


def _targets(
    file: TableFile, name: str, target: str | Sequence[str] | None, ignore: Sequence[str], labelled: bool
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The target columns and the names of the labels; of unlabelled data, the target columns that are there."""
    if target:
        try:
            return find_targets(target, file.names, name, ignore)
        except InputError:
            if labelled:
                raise
            words = [target, *target.split(",")] if isinstance(target, str) else target
            return tuple(dict.fromkeys(word.strip() for word in words if word.strip() in file.names)), None
    if labelled:
        raise InputError(
            f"{name}: which column is the target? Say it as in --target {shlex.quote(file.names[-1])}."
            f" Its columns: {shown(file.names, 10)}."
        )
    return (), None


def _read_idx(path: Path, picture_shape: Shape | None, labelled: bool, notes: tuple[str, ...]) -> Dataset:
    pictures = read_idx(path, labelled=labelled)
    origin = FileRows(path)
    matrix = Matrix(pictures.pixels, pictures.shape if len(pictures.shape) > 1 else picture_shape, None, origin)
    try:
        refuse_other_pictures(matrix, picture_shape)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    if pictures.labels_path is not None:
        notes = (*notes, f"{path.name}: its labels are in {pictures.labels_path.name}")
    return Dataset(
        features=matrix,
        targets=None if pictures.labels is None else Target(pictures.labels, origin=origin),
        ids=Table((), len(pictures.pixels), origin),
        picture_shape=matrix.picture_shape,
        feature_names=None,
        classes=None,
        origin=origin,
        digest=pictures.digest,
        notes=notes,
    )


def _read_svmlight(
    path: Path,
    picture_shape: Shape | None,
    labelled: bool,
    notes: tuple[str, ...],
    first_index: int | None,
    n_features: int | None,
) -> Dataset:
    file = read_svmlight(path)
    origin = SvmlightRows(path, file.lines)
    if labelled and len(file.labels) == 0:
        raise InputError(f"{path.name} has no label: no line starts with one.")
    indices = Indices(path.name, first_index, n_features, lambda: file.has_zero)
    features, said = indices.matrix(file, origin), indices.notes
    targets = None
    if labelled:
        is_set = np.diff(file.label_starts) != 1
        is_several = bool(is_set.any())
        if is_several and n_features is None:
            row = int(np.argmax(is_set))
            count = int(np.diff(file.label_starts)[row]) or "no"
            said = (*said, f"{origin.where(row)} has {count} label{'s' * (count != 'no')}: each label is a yes or no")
        targets = LabelSets(file.labels, origin=origin, starts=file.label_starts, is_several=is_several)
    return Dataset(
        features=features,
        targets=targets,
        ids=Table((), len(file), origin),
        picture_shape=picture_shape,
        feature_names=None,
        classes=None,
        origin=origin,
        digest=file.digest,
        notes=(*notes, *said),
    )


def _read_npz(path: Path, picture_shape: Shape | None, labelled: bool, notes: tuple[str, ...]) -> Dataset:
    archive = read_npz(path, labelled=labelled)
    origin = FileRows(path)
    try:
        matrix = as_matrix(archive.X)
        refuse_other_pictures(matrix, picture_shape)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    names = None if archive.features is None else _names(path, "features", archive.features, matrix.values.shape[1])
    matrix = Matrix(matrix.values, matrix.picture_shape or picture_shape, names, origin)
    return Dataset(
        features=matrix,
        targets=None if archive.y is None else _npz_target(path, archive.y, archive.classes, len(matrix), origin),
        ids=Table((), len(matrix), origin),
        picture_shape=matrix.picture_shape,
        feature_names=names,
        classes=None if archive.classes is None else tuple(archive.classes.tolist()),
        origin=origin,
        digest=archive.digest,
        notes=(*notes, *_of_unknown(path, archive.unknown)),
        weights=None if archive.sample_weight is None else _npz_weights(path, archive.sample_weight, archive.y),
    )


def _of_unknown(path: Path, unknown: tuple[str, ...]) -> tuple[str, ...]:
    """What is said of arrays that are not known."""
    if not unknown:
        return ()
    are = "arrays that are not known were" if len(unknown) > 1 else "an array that is not known was"
    return (f"{path.name}: {are} ignored: {listed(unknown)} (known: {', '.join(NAMES)})",)


def _npz_weights(path: Path, weights: NDArray[Any], y: NDArray[Any] | None) -> NDArray[np.float64]:
    """What each row counts for, or each label of each row."""
    assert y is not None
    shapes = [y.shape[:1], *([y.shape] if y.ndim == 2 else [])]
    if weights.dtype.kind not in "buif" or weights.shape not in shapes:
        raise InputError(
            f"{path.name}: the array sample_weight must hold numbers, of shape {' or '.join(map(str, shapes))}; it is"
            f" {weights.dtype} of shape {weights.shape}."
        )
    values = weights.astype(np.float64)
    is_fine = np.isfinite(values) & (values >= 0)
    if not is_fine.all():
        place = tuple(np.argwhere(~is_fine)[0].tolist())
        where = f"row {place[0]}" + (f", label {place[1]}" if len(place) == 2 else "")
        raise InputError(
            f"{path.name}: the array sample_weight must be finite and at least 0; {where} has {values[place]:g}."
        )
    if not values.any():
        raise InputError(f"{path.name}: the array sample_weight must not be zero in every row.")
    return values


def _names(path: Path, array: str, values: NDArray[Any], expected: int | None = None) -> tuple[str, ...]:
    """The values of a 1-D array of different names."""
    names = tuple(str(name) for name in values.reshape(-1))
    if values.ndim != 1 or values.dtype.kind not in "Uiu" or len(set(names)) < len(names):
        raise InputError(
            f"{path.name}: the array {array} must hold names that differ; it is {values.dtype} of shape {values.shape}."
        )
    if expected not in (None, len(names)):
        raise InputError(f"{path.name}: the array {array} must hold {expected} names; it holds {len(names)}.")
    return names


def _npz_target(path: Path, y: NDArray[Any], classes: NDArray[Any] | None, n: int, origin: Origin) -> Target:
    """y with the names of its classes: y may number them from 0, or hold the names themselves."""
    if y.ndim not in (1, 2) or len(y) != n:
        raise InputError(
            f"{path.name}: y must be of shape ({n},) or ({n}, labels), as X has {n} rows; it is of shape {y.shape}."
        )
    y = y.astype(object) if y.dtype.kind == "U" else y
    if classes is None:
        return Target(y, origin=origin)
    names = _names(path, "classes", classes, y.shape[1] if y.ndim == 2 else None)
    if y.ndim == 2:
        return Target(y, label_names=names, origin=origin)
    if y.dtype.kind not in "iu" or classes.dtype.kind != "U":
        return Target(y, origin=origin)
    outside = (y < 0) | (y >= len(names))
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{path.name}: y must number the {len(names)} classes from 0 to {len(names) - 1}; row {row} has {y[row]}."
        )
    return Target(np.array(names, dtype=object)[y], origin=origin)
