"""A table's columns become features: written from docs/file-format.md alone, with NumPy and the standard library."""

import datetime
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
SINCE = {False: datetime.datetime(1970, 1, 1), True: datetime.datetime(1, 1, 1)}
HIGHEST = 2**53 - 1


def features(table: Any, rows: Sequence[Sequence[Any]]) -> Any:
    """Float32 (n, d) of rows that hold a value for each column: number, text, bool, date or time; None or NaN: none."""
    pairs = [zip(table["columns"], row, strict=True) for row in rows]
    return np.array([[feature for column, value in row for feature in of_column(column, value)] for row in pairs], "f4")


def of_column(column: Any, value: Any) -> list[Any]:
    kind = column["kind"]
    if kind == "levels":
        number = of_column(column["number"], value)
        if "category" in column:
            return [*number, *of_column(column["category"], value)]
        return [*number, *(text_of(value) == one for one in column["values"])]
    is_missing = text_of(value) is None
    if kind == "number":
        found = [scaled(column, column["median"] if is_missing else float(value))]
    elif kind == "category":
        found = of_category(column, value)
    elif kind == "code":
        found = [*of_category(column, value), *[is_missing] * (column["missing"] > 0)]
        return [found.index(True) if True in found else -1]
    else:
        moment = SINCE[False] if is_missing else moment_of(value)
        found = [feature * (not is_missing) for part in column["parts"] for feature in of_moment(column, part, moment)]
    return [*found, is_missing] if column["missing"] else found


def of_category(column: Any, value: Any) -> list[Any]:
    found = [text_of(value) == one for one in column["values"]]
    if column["rare"]:
        found.append(text_of(value) is not None and not any(found))
    return found


def scaled(column: Any, x: float) -> float:
    if "inverse_range" not in column:
        return float((x - column["mean"]) * column["inverse_spread"])
    z = float((x - column["median"]) * column["inverse_range"])
    return z / math.sqrt(1 + (z / 3) ** 2)


def of_moment(column: Any, part: str, moment: datetime.datetime) -> list[Any]:
    if part == "when":
        days = (moment - SINCE[column["is_time"]]).total_seconds() / 86_400
        return [scaled(column, days)]
    if part == "weekday":
        return [moment.weekday() == day for day in range(7)]
    k, n = {
        "year": (moment.timetuple().tm_yday - 1, 366),
        "month": (moment.day - 1, 31),
        "day": (moment.hour * 60 + moment.minute, 1440),
    }[part]
    return [math.sin(2 * math.pi * k / n), math.cos(2 * math.pi * k / n)]


def moment_of(value: Any) -> datetime.datetime:
    """In UTC where it has a zone; a time of day is one of the first day."""
    if isinstance(value, str):
        is_time = ":" in value[:3]
        value = (datetime.time if is_time else datetime.datetime).fromisoformat(value.strip())
    if isinstance(value, datetime.time):
        return datetime.datetime.combine(SINCE[True], value)
    if not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value


def text_of(value: Any) -> str | None:
    """None where there is no value."""
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool | int):
        return str(int(value))
    text = str(value).strip()
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        return text
    number = float(text)
    if number.is_integer() and abs(number) <= HIGHEST:
        return str(int(number))
    return text if re.fullmatch("[+-]?[0-9]+", text) else repr(number)
