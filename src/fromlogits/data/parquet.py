"""Parquet through DuckDB: the columns keep their types and the names that the file gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .duck import as_column, connect, lists_of, quoted, quoted_path, reason
from .files import hashing, head_of, looks_like
from .numbers import EXACT_INTEGERS
from .origin import FileRows, Origin
from .table import Table

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
            texts = {name: self._field[name] for name in names if self._types[name] == "VARCHAR"}
            self._refuse_repeated_text(connection, texts | lists)
            wanted = {name: lists[name] if name in lists else self._expression(name) for name in names}
            arrays = self._columns(connection, wanted)
            long = [name for name in names if self._is_whole(name) and (np.abs(arrays[name]) > EXACT_INTEGERS).any()]
            if long:
                arrays |= self._columns(connection, {name: f"cast({self._field[name]} as varchar)" for name in long})
        columns = tuple(
            lists_of(as_column(name, arrays[name])) if name in lists
            else as_column(name, arrays[name], _kind(self._types[name]))
            for name in names
        )  # fmt: skip
        n_rows = len(columns[0].values) if columns else 0
        if n_rows == 0:
            raise InputError(f"{self.path.name} has no rows.")
        return Table(columns, n_rows, self.origin)

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

    def _refuse_repeated_text(self, connection: DuckDBPyConnection, texts: dict[str, str]) -> None:
        """A dictionary can name one long text in every row; here each row has its own copy."""
        if not texts:
            return
        size = self.path.stat().st_size
        for length in self._columns(connection, {name: f"sum(strlen({sql}))" for name, sql in texts.items()}).values():
            if np.ma.filled(length, 0)[0] > MAX_RATIO * size:
                raise InputError(
                    f"{self.path.name} repeats a text until it has {int(length[0]):,} bytes: too much to unpack."
                )

    def _is_whole(self, name: str) -> bool:
        """Integers that come as float64."""
        kind = self._types[name]
        return kind in _HUGE or (kind.startswith("DECIMAL") and kind.endswith(",0)"))

    def _expression(self, name: str) -> str:
        kind, field = self._types[name], self._field[name]
        if kind.endswith("]") or kind.startswith(_NESTED):
            raise InputError(
                f"{self.path.name}: column {name!r} must hold one number or text a row; its type is {kind}."
                f" {self.origin.how_to_leave_out([name])}"
            )
        if kind in _NATIVE:
            return field
        if kind.startswith("DECIMAL") or kind in _HUGE:
            return f"cast({field} as double)"
        return f"cast({field} as varchar)"

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
            if "encrypt" in reason(error, self.path).lower():
                raise InputError(f"{self.path.name} is encrypted; write it without encryption.") from None
            raise InputError(
                f"{self.path.name} can't be read as Parquet: it is cut off or damaged ({reason(error, self.path)})."
            ) from None


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
