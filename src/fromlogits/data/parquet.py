"""Parquet through DuckDB: the columns keep their types and the names that the file gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .duck import as_column, connect, in_parts, lists_of, quoted, quoted_path, reason
from .files import hashing, head_of, looks_like
from .numbers import EXACT_INTEGERS
from .origin import FileRows, Origin, how_to_use
from .stream import rows_of_a_part
from .table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_RATIO = 1032  # of bytes of text to bytes of the file: what deflate can do, as for .npz


class ParquetTable:
    """A Parquet file; its columns keep their types."""

    is_text = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin: Origin = FileRows(path)
        self.notes: tuple[str, ...] = ()
        head = head_of(path)
        if head.startswith(b"PARE"):
            raise InputError(f"{path.name} is encrypted; write it without encryption.")
        if not head.startswith(b"PAR1"):
            what = looks_like(head)
            what = f"it looks like {what}" if what else "it does not start as one" if head else "it is empty"
            raise InputError(f"{path.name} must be a Parquet file; {what}.")
        self._digest = hashing(path)
        with connect() as connection:
            self.names = self._names(connection)
            described = self._fetch(connection, f"describe select * from {self._source()}")
        if len(described["column_name"]) != len(self.names):
            raise InputError(f"{path.name} can't be read as Parquet: its list of columns is damaged.")
        # DuckDB renames what differs in capital letters only, or has no name; the order stays.
        self._field = dict(zip(self.names, (quoted(name) for name in described["column_name"]), strict=True))
        self._types: dict[str, str] = dict(zip(self.names, described["column_type"], strict=True))

    @property
    def digest(self) -> str:
        return self._digest()

    def read(self, names: Sequence[str], as_text: Sequence[str] = (), sets: Sequence[str] = ()) -> Table:
        del as_text  # every value has its type here
        lists = {
            name: f"to_json({self._field[name]})::varchar" for name in sets if _LABELS.fullmatch(self._types[name])
        }
        with connect() as connection:
            self._refuse_repeated_text(connection, self._texts(names) | lists)
            wanted = {name: lists[name] if name in lists else self._expression(name) for name in names}
            arrays = self._columns(connection, wanted)
            long = [name for name in names if self._is_whole(name) and (np.abs(arrays[name]) > EXACT_INTEGERS).any()]
            if long:
                arrays |= self._columns(connection, {name: self._as_text(name) for name in long})
        columns = tuple(
            lists_of(as_column(name, arrays[name])) if name in lists
            else as_column(name, arrays[name], _kind(self._types[name]))
            for name in names
        )  # fmt: skip
        n_rows = len(columns[0].values) if columns else 0
        if n_rows == 0:
            raise self._no_rows()
        return Table(columns, n_rows, self.origin)

    def in_parts(
        self, names: Sequence[str], as_text: Sequence[str], keep: Sequence[str]
    ) -> Iterator[tuple[Table, Table]]:
        """The columns of `read` and those to keep, some consecutive rows at a time; their memory is bounded."""
        del as_text  # every value has its type here
        import duckdb

        every = tuple(dict.fromkeys((*names, *keep)))
        start = 0
        try:
            with connect() as connection:
                self._refuse_repeated_text(connection, self._texts(every))
                wanted = {name: (self._expression(name), self._type_read(name)) for name in every}
                if whole := [name for name in every if self._is_whole(name)]:
                    too_long = self._columns(
                        connection, {name: f"max(abs({wanted[name][0]})) > {EXACT_INTEGERS}" for name in whole}
                    )
                    wanted |= {name: (self._as_text(name), "varchar") for name in whole if too_long[name].tolist()[0]}
                part_rows = rows_of_a_part(len(every), sum(kind == "varchar" for _, kind in wanted.values()))
                for values in in_parts(connection, self._source(), list(wanted.values()), part_rows):
                    columns = {
                        name: Column.typed(name, *one, _kind(self._types[name]))
                        for name, one in zip(every, values, strict=True)
                    }
                    n_rows, origin = len(values[0][0]), self.origin.after(start)
                    start += n_rows
                    yield (
                        Table(tuple(columns[name] for name in names), n_rows, origin),
                        Table(tuple(columns[name] for name in keep), n_rows, origin),
                    )
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self._refusal(error) from None
        if start == 0:
            raise self._no_rows()

    def pictures_in(self, name: str) -> ParquetPictures | None:
        """The picture files in a column of bytes, or of the struct of bytes and path that datasets have."""
        kind, field = self._types[name], self._field[name]
        if kind == "BLOB":
            return ParquetPictures(self, field, "null")
        if kind in _PICTURES:
            return ParquetPictures(self, f"{field}.bytes", f"{field}.path")
        return None

    def _no_rows(self) -> InputError:
        return InputError(f"{self.path.name} has no rows.")

    def _texts(self, names: Sequence[str]) -> dict[str, str]:
        return {name: self._field[name] for name in names if self._types[name] == "VARCHAR"}

    def _names(self, connection: DuckDBPyConnection) -> tuple[str, ...]:
        """Of the columns, as they stand in the file; what is inside nested ones is passed over."""
        found = self._fetch(connection, f"select name, num_children from parquet_schema({quoted_path(self.path)})")
        inside = np.ma.filled(found["num_children"], 0).tolist()
        names: list[str] = []
        place = 1  # behind the root
        while place < len(inside):
            name = str(found["name"][place])
            if not name:
                raise InputError(f"{self.path.name}: column {len(names) + 1} has no name.")
            names.append(name)
            waiting = 1
            while waiting and place < len(inside):
                waiting += inside[place] - 1
                place += 1
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise InputError(f"{self.path.name}: column names must differ; found {twice!r} more than once.")
        return tuple(names)

    def _refuse_repeated_text(
        self, connection: DuckDBPyConnection, texts: dict[str, str], lengths: dict[str, str] | None = None
    ) -> None:
        """A dictionary can name one long text in every row; here each row has its own copy."""
        lengths = {name: f"strlen({sql})" for name, sql in texts.items()} | (lengths or {})
        if not lengths:
            return
        size = self.path.stat().st_size
        for length in self._columns(connection, {name: f"sum({sql})" for name, sql in lengths.items()}).values():
            if np.ma.filled(length, 0)[0] > MAX_RATIO * size:
                raise InputError(
                    f"{self.path.name} repeats a text until it has {int(length[0]):,} bytes: too much to unpack."
                )

    def _is_whole(self, name: str) -> bool:
        """Integers that come as float64."""
        kind = self._types[name]
        return kind in _HUGE or (kind.startswith("DECIMAL") and kind.endswith(",0)"))

    def _as_text(self, name: str) -> str:
        return f"cast({self._field[name]} as varchar)"

    def _type_read(self, name: str) -> str:
        """The type of `_expression`."""
        kind = self._types[name]
        return kind if kind in _NATIVE else "double" if kind.startswith("DECIMAL") or kind in _HUGE else "varchar"

    def _expression(self, name: str) -> str:
        kind, field = self._types[name], self._field[name]
        if kind.endswith("]") or kind.startswith(_NESTED):
            raise InputError(
                f"{self.path.name}: column {name!r} must hold one number or text a row; its type is {kind}."
                f" {how_to_use(self.origin, name, holds_files=self.pictures_in(name) is not None)}"
            )
        if kind in _NATIVE:
            return field
        if kind.startswith("DECIMAL") or kind in _HUGE:
            return f"cast({field} as double)"
        return self._as_text(name)

    def _columns(self, connection: DuckDBPyConnection, wanted: dict[str, str]) -> dict[str, NDArray[Any]]:
        """The values of each SQL expression, row by row in the file's order."""
        chosen = ", ".join(f"{sql} as v{position}" for position, sql in enumerate(wanted.values()))
        arrays = self._fetch(connection, f"select {chosen} from {self._source()}")
        return dict(zip(wanted, arrays.values(), strict=True))

    def _source(self) -> str:
        return f"read_parquet({quoted_path(self.path)}, hive_partitioning = false, filename = false)"

    def _fetch(self, connection: DuckDBPyConnection, sql: str) -> dict[str, NDArray[Any]]:
        import duckdb

        try:
            return connection.execute(sql).fetchnumpy()
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> InputError:
        why = reason(error, self.path)
        if "encrypt" in why.lower():
            return InputError(f"{self.path.name} is encrypted; write it without encryption.")
        return InputError(f"{self.path.name} can't be read as Parquet: it is cut off or damaged ({why}).")


class ParquetPictures:
    """A column of picture files; some rows of it are in memory at a time.

    Args:
        table: the file.
        data, path: SQL of the bytes and of the name.
    """

    def __init__(self, table: ParquetTable, data: str, path: str) -> None:
        self._table, self._data, self._path = table, data, path
        self.has_names = path != "null"
        with connect() as connection:
            table._refuse_repeated_text(connection, {}, {data: f"octet_length({data})"})
            count = table._fetch(connection, f"select count(*) as n from {table._source()}")
        self.n_rows = int(count["n"][0])

    def __iter__(self) -> Iterator[tuple[bytes | None, str | None]]:
        import duckdb

        try:
            with connect() as connection:
                connection.execute(f"select {self._data}, {self._path} from {self._table._source()}")
                while rows := connection.fetchmany(PICTURES_AT_ONCE):
                    yield from rows
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self._table._refusal(error) from None


PICTURES_AT_ONCE = 64
_PICTURES = ("STRUCT(bytes BLOB, path VARCHAR)", "STRUCT(path VARCHAR, bytes BLOB)")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NATIVE = (*_INTEGERS, "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR")
_HUGE = ("HUGEINT", "UHUGEINT")
_LABELS = re.compile(rf"({'|'.join(_INTEGERS)}|VARCHAR)\[[0-9]*\]")
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT", "BLOB", "BIT", "GEOMETRY")


def _kind(parquet_type: str) -> str:
    """Of a column that is read as text though it is none."""
    if parquet_type.startswith(("DATE", "TIMESTAMP")):
        return "dates"
    return "times" if parquet_type.startswith(("TIME", "INTERVAL")) else ""
