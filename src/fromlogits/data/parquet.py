"""Parquet through DuckDB: the columns keep their types."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .duck import as_column, connect, quoted_path, reason
from .files import looks_like, stored_chunks
from .origin import FileRows, Origin
from .table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class ParquetTable:
    """A Parquet file; its columns keep their types."""

    is_text = False

    def __init__(self, path: Path) -> None:
        self.path = path
        sha = hashlib.sha256()
        head = b""
        for chunk in stored_chunks(path, sha):
            head = head or chunk[:64]
        if not head.startswith(b"PAR1"):
            what = looks_like(head)
            what = f"it looks like {what}" if what else "it does not start as one" if head else "it is empty"
            raise InputError(f"{path.name} must be a Parquet file; {what}.")
        self.digest = sha.hexdigest()
        self.origin: Origin = FileRows(path)
        self.notes: tuple[str, ...] = ()
        with connect() as connection:
            described = self._execute(connection, f"describe select * from {self._source()}").fetchall()
        self._types: dict[str, str] = {name: kind for name, kind, *_ in described}
        self.names = tuple(self._types)

    def read(self, names: Sequence[str], as_text: Sequence[str] = ()) -> Table:
        del as_text  # every value has its type here
        wanted = ", ".join(f"{self._expression(name)} as v{position}" for position, name in enumerate(names))
        with connect() as connection:
            arrays = self._execute(connection, f"select {wanted} from {self._source()}").fetchnumpy()
        columns = tuple(
            as_column(name, values, _kind(self._types[name]))
            for name, values in zip(names, arrays.values(), strict=True)
        )
        n_rows = len(columns[0].values) if columns else 0
        if n_rows == 0:
            raise InputError(f"{self.path.name} has no rows.")
        return Table(columns, n_rows, self.origin)

    def _expression(self, name: str) -> str:
        kind = self._types[name]
        field = '"' + name.replace('"', '""') + '"'
        if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "BLOB", "GEOMETRY")):
            raise InputError(
                f"{self.path.name}: column {name!r} must hold one number or text a row; its type is {kind}."
                f" {self.origin.how_to_leave_out(name)}"
            )
        if kind in _NATIVE:
            return field
        if kind.startswith("DECIMAL") or kind in ("HUGEINT", "UHUGEINT"):
            return f"cast({field} as double)"
        return f"cast({field} as varchar)"

    def _source(self) -> str:
        return f"read_parquet({quoted_path(self.path)}, hive_partitioning = false, filename = false)"

    def _execute(self, connection: DuckDBPyConnection, sql: str) -> Any:
        import duckdb

        try:
            return connection.execute(sql)
        except duckdb.Error as error:
            raise InputError(
                f"{self.path.name} can't be read as Parquet: it is cut off or damaged ({reason(error)})."
            ) from None


_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NATIVE = (*_INTEGERS, "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR")


def _kind(parquet_type: str) -> str:
    """Of a column that is read as text though it is none."""
    if parquet_type.startswith(("DATE", "TIMESTAMP")):
        return "dates"
    return "times" if parquet_type.startswith(("TIME", "INTERVAL")) else ""
