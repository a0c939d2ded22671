"""Arrow IPC files and streams, Feather among them, through pyarrow; it is no part of the base install.

pyarrow believes what a file says of itself: every batch is validated in full before a value is touched, no value is
copied as often as a dictionary or a view repeats it, and no more rows are believed than the bytes can hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineUnavailableError, InputError
from .files import looks_like, stored_chunks
from .numbers import EXACT_INTEGERS
from .origin import FileRows, Origin, how_to_use
from .stream import rows_of_a_part
from .table import Column, Table, objects

FILE, STREAM = b"ARROW1", b"\xff\xff\xff\xff"
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
MAX_RATIO = 1032  # of bytes in memory to bytes in the file: what deflate can do, as for .npz

Part = tuple[NDArray[Any], NDArray[Any] | None]


class ArrowTable:
    """An Arrow IPC file or stream; its columns keep their types."""

    is_text = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin: Origin = FileRows(path)
        self.notes: tuple[str, ...] = ()
        sha = hashlib.sha256()
        head = tail = b""
        for chunk in stored_chunks(path, sha):
            head = head or chunk[:64]
            tail = chunk[-8:] if len(chunk) > 7 else tail + chunk
        self.digest = sha.hexdigest()
        self._is_stream = head.startswith(STREAM)
        if not head.startswith((FILE, STREAM)):
            raise InputError(f"{path.name} must be an Arrow file; {_what_it_is(head)}.")
        if self._is_stream and not tail.endswith(END_OF_STREAM):
            raise InputError(f"{path.name} is cut off: an Arrow stream must end in its mark. Copy it again.")
        self._arrow = _pyarrow(path)
        with self._opened() as reader:
            self._types: dict[str, Any] = dict(zip(reader.schema.names, reader.schema.types, strict=True))
            if len(self._types) < len(reader.schema):
                twice = next(name for name in self._types if len(reader.schema.get_all_field_indices(name)) > 1)
                raise InputError(f"{path.name}: column names must differ; found {twice!r} more than once.")
        self.names = tuple(self._types)

    def read(self, names: Sequence[str], as_text: Sequence[str] = (), sets: Sequence[str] = ()) -> Table:
        del as_text  # every value has its type here
        for name in names:
            if name not in sets or not _is_labels(self._types[name]):
                self._refuse_nested(name)
        parts: dict[str, list[Part]] = {name: [] for name in names}
        n_rows = 0
        for n_rows_of_part, values in self._in_parts(names):
            n_rows += n_rows_of_part
            for name in names:
                parts[name].append(values[name])
        return Table(tuple(_column(name, parts.pop(name), self._types[name]) for name in names), n_rows, self.origin)

    def in_parts(
        self, names: Sequence[str], as_text: Sequence[str], keep: Sequence[str]
    ) -> Iterator[tuple[Table, Table]]:
        """The columns of `read` and those to keep, some consecutive rows at a time; one batch is in memory."""
        del as_text  # every value has its type here
        every = tuple(dict.fromkeys((*names, *keep)))
        for name in every:
            self._refuse_nested(name)
        whole = [name for name in every if _is_whole(self._types[name])]
        long: set[str] = set()
        for _, values in self._in_parts(whole, rows_of_a_part(0, len(whole))) if whole else ():
            long |= {name for name in whole if values[name][0].dtype.kind == "O"}
        n_numbers = sum(_is_number(self._types[name]) and name not in long for name in every)
        start = 0
        for n_rows, values in self._in_parts(every, rows_of_a_part(n_numbers, len(every) - n_numbers)):
            columns = {name: _column(name, [values[name]], self._types[name], are_texts=name in long) for name in every}
            origin = self.origin.after(start)
            start += n_rows
            yield tuple(Table(tuple(columns[name] for name in some), n_rows, origin) for some in (names, keep))  # type: ignore[misc]

    def pictures_in(self, name: str) -> ArrowPictures | None:
        """The picture files in a column of bytes, or of the struct of bytes and path that datasets have."""
        kind = self._types[name]
        if _is(kind, "binary", "large_binary", "binary_view"):
            return ArrowPictures(self, name, has_names=False)
        is_struct = _is(kind, "struct") and {field.name for field in kind} == {"bytes", "path"}
        if is_struct and _is(kind.field("bytes").type, "binary", "large_binary", "binary_view"):
            return ArrowPictures(self, name, has_names=True)
        return None

    def _in_parts(self, names: Sequence[str], part_rows: int = 0) -> Iterator[tuple[int, dict[str, Part]]]:
        """Batch by batch (0) or fewer rows at a time: how many rows, and the values of each column. Some are there."""
        size = self.path.stat().st_size
        n_rows = 0
        with self._opened(names) as reader:
            for batch in self._checked(reader):
                n_rows += batch.num_rows
                for start in range(0, batch.num_rows, part_rows or batch.num_rows or 1):
                    part = batch.slice(start, part_rows or None)
                    yield part.num_rows, {name: self._values(part.column(name), MAX_RATIO * size) for name in names}
        if n_rows == 0:
            raise InputError(f"{self.path.name} has no rows.")

    def _refuse_nested(self, name: str) -> None:
        kind = self._types[name]
        if not _is_single(kind.value_type if _is(kind, "dictionary") else kind):
            raise InputError(
                f"{self.path.name}: column {name!r} must hold one number or text a row; its type is {kind}."
                f" {how_to_use(self.origin, name, holds_files=self.pictures_in(name) is not None)}"
            )

    def _checked(self, reader: Any) -> Iterator[Any]:
        """The batches, none of which is other than the file can hold."""
        size, n_rows = self.path.stat().st_size, 0
        for batch in self._batches(reader):
            n_rows += batch.num_rows
            if n_rows > 8 * MAX_RATIO * size:
                raise InputError(f"{self.path.name} is damaged: {size:,} bytes can't hold {n_rows:,} rows.")
            batch.validate(full=True)
            yield batch

    def _batches(self, reader: Any) -> Iterator[Any]:
        if self._is_stream:
            yield from reader
        else:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def _values(self, array: Any, most_bytes: int) -> Part:
        """The values of one batch, and where there is none."""
        arrow = self._arrow
        if _is(array.type, "dictionary"):  # each value is made once, however often it is named
            values, no_value = self._values(array.dictionary, most_bytes)
            places, missing = self._values(array.indices, most_bytes)
            if not len(values):
                values, no_value = np.zeros(1), np.ones(1, bool)
            if no_value is not None:
                missing = no_value[places] if missing is None else missing | no_value[places]
            return values[places], missing
        if _is(array.type, "null"):
            return np.zeros(len(array)), np.ones(len(array), bool)
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        if _is_labels(array.type):  # no text is repeated in a plain list, so the file's size bounds them
            return objects(array.to_pylist(), len(array)), missing
        if _is(array.type, "decimal"):
            return self._decimals(array, missing), missing
        if _is(array.type, "timestamp") and array.type.tz:
            array = array.cast(arrow.timestamp(array.type.unit, "UTC"))  # other zones need the system's data
        if not _is_native(array.type):
            array = array.cast(arrow.string())
        if _is(array.type, "string_view") and (length := _length_of_views(array, missing)) > most_bytes:
            raise InputError(f"{self.path.name} repeats a text until it has {length:,} bytes: too much to unpack.")
        if not _is_text(array.type) and missing is not None:
            array = array.fill_null(False if _is(array.type, "boolean") else 0)
        found: NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return found, missing

    def _decimals(self, array: Any, missing: NDArray[Any] | None) -> NDArray[Any]:
        """float64, rounded once; the text of integers that float64 can't hold."""
        values: NDArray[Any] = array.cast(self._arrow.float64()).to_numpy(zero_copy_only=False)
        if missing is not None:
            values = np.where(missing, 0.0, values)
        if array.type.scale > 0 or (np.abs(values) <= EXACT_INTEGERS).all():
            return values
        texts: NDArray[Any] = array.cast(self._arrow.string()).to_numpy(zero_copy_only=False)
        return texts

    @contextmanager
    def _opened(self, names: Sequence[str] = ()) -> Iterator[Any]:
        """The file's reader, of these columns; of the schema alone where there are none.

        Not mapped: pyarrow copies a mapped file too where some columns are left out, and who shortens it would end us.
        """
        arrow = self._arrow
        try:
            with arrow.OSFile(str(self.path)) as file:
                places = sorted(list(self._types).index(name) for name in names)
                options = arrow.ipc.IpcReadOptions(included_fields=places)
                opened = arrow.ipc.open_stream if self._is_stream else arrow.ipc.open_file
                yield opened(file, options=options)
        except (arrow.ArrowException, OSError, UnicodeDecodeError):
            raise InputError(f"{self.path.name} can't be read as Arrow: it is cut off or damaged.") from None


class ArrowPictures:
    """A column of picture files; one batch of it is in memory at a time."""

    def __init__(self, table: ArrowTable, name: str, *, has_names: bool) -> None:
        self._table, self._name, self.has_names = table, name, has_names
        with table._opened((name,)) as reader:
            self.n_rows = sum(len(batch) for batch in table._checked(reader))
        if not self.n_rows:
            raise InputError(f"{table.path.name} has no rows.")

    def __iter__(self) -> Iterator[tuple[bytes | None, str | None]]:
        with self._table._opened((self._name,)) as reader:
            for batch in self._table._checked(reader):
                for value in batch.column(0):
                    held = value.as_py()
                    if self.has_names:
                        yield (None, None) if held is None else (held["bytes"], held["path"])
                    else:
                        yield held, None


def _column(name: str, parts: list[Part], kind: Any, *, are_texts: bool = False) -> Column:
    values = [part for part, _ in parts]
    if are_texts or any(part.dtype.kind == "O" for part in values):  # some decimals are texts, so all are
        values = [part if part.dtype.kind == "O" else _texts(part) for part in values]
    missing = None
    if any(mask is not None for _, mask in parts):
        missing = np.concatenate([np.zeros(len(part), bool) if mask is None else mask for part, mask in parts])
    return Column.typed(name, np.concatenate(values), missing, _what(kind))


def _length_of_views(array: Any, missing: NDArray[Any] | None) -> int:
    """In bytes; each view begins with its length, and all may point to one long text."""
    end = array.offset + len(array)  # the buffer may be longer, by any number of bytes
    views = np.frombuffer(array.buffers()[1], np.int32, 4 * end).reshape(-1, 4)[array.offset :]
    return int(views[:, 0].sum(dtype=np.int64, where=True if missing is None else ~missing))


def _texts(whole: NDArray[Any]) -> NDArray[Any]:
    return np.array([f"{value:.0f}" for value in whole], dtype=object)


def _what(kind: Any) -> str:
    """What values are called that are read as text though they are none."""
    kind = kind.value_type if _is(kind, "dictionary") else kind
    if _is(kind, "date", "timestamp"):
        return "dates"
    return "times" if _is(kind, "time", "duration") else ""


def _is(kind: Any, *names: str) -> bool:
    from pyarrow import types

    return any(getattr(types, f"is_{name}")(kind) for name in names)


def _is_whole(kind: Any) -> bool:
    """Whether it is a decimal without places behind the point, which comes as text where some value is too long."""
    kind = kind.value_type if _is(kind, "dictionary") else kind
    return _is(kind, "decimal") and kind.scale <= 0


def _is_number(kind: Any) -> bool:
    return _is(kind, "integer", "floating", "boolean", "decimal", "null")


def _is_text(kind: Any) -> bool:
    return _is(kind, "string", "large_string", "string_view")


def _is_labels(kind: Any) -> bool:
    """Whether it is a list of integers or texts."""
    return _is(kind, "list", "large_list", "fixed_size_list") and _is(
        kind.value_type, "integer", "string", "large_string"
    )


def _is_native(kind: Any) -> bool:
    return _is(kind, "integer", "floating", "boolean") or _is_text(kind)


def _is_single(kind: Any) -> bool:
    return _is_native(kind) or _is(kind, "decimal", "date", "timestamp", "time", "duration", "null")


def _what_it_is(head: bytes) -> str:
    if head.startswith(b"FEA1"):
        return "it is Feather of version 1; write it again with a pyarrow of today"
    known = looks_like(head)
    return f"it looks like {known}" if known else "it does not start as one" if head else "it is empty"


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise EngineUnavailableError(
            f"{path.name}: Arrow files need pyarrow, which is not installed; install it by"
            " `pip install 'fromlogits[arrow]'`."
        ) from None
    return pyarrow
