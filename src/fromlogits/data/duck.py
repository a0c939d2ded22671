"""DuckDB as we use it: a connection, a file's name in SQL, a column as it comes, its words in an error."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .table import Column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def connect() -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing, writes nothing and shows nothing."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("set enable_progress_bar = false; set temp_directory = ''")
    # DuckDB 2.0 moves a try_cast into the CSV reader, where it fails at the first word (duckdb issue 23818).
    with contextlib.suppress(duckdb.Error):  # older versions know no such optimizer, and need no switch
        connection.execute("set disabled_optimizers = 'type_pushdown'")
    return connection


def quoted_path(path: Path) -> str:
    """An SQL string that names this one file: `*`, `?` and `[` are no wildcards in it."""
    pattern = re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
    return "'" + pattern.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def as_column(name: str, values: NDArray[Any], kind: str = "") -> Column:
    """A column as DuckDB hands it over: masked where NULL."""
    if not isinstance(values, np.ma.MaskedArray):
        return Column.typed(name, values, None, kind)
    missing = np.ma.getmaskarray(values)
    return Column.typed(name, np.ma.getdata(values), missing if missing.any() else None, kind)


def reason(error: Exception, path: Path) -> str:
    """DuckDB's own words about a file, without their kind, the folder and what stands on further lines."""
    line = str(error).partition("\n")[0].replace(str(path.absolute()), path.name)
    return (line.partition("Error: ")[2] or line)[:120].rstrip(". ")
