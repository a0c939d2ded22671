"""A date, or a time of day: how long ago it was, and where it stands in the year, the month, the week and the day.

What comes round again is an angle, so that December is beside January; a day of the week has a feature of its own.
Angles come from tables of whole days and minutes: a moment has the same bits in any row.
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..columns import MAX_WORD, ColumnFault
from ..table import Column
from .base import Encoding, Slots, checked_object, stacked
from .scale import KEYS, Scale, has_range

PARTS = {"when": 1, "year": 2, "month": 2, "weekday": 7, "day": 2}
"""Part of a moment -> how many features; in this order."""
_IN_WORDS = {
    "when": "how long ago", "year": "the day in the year", "month": "the day in the month",
    "weekday": "the day of the week", "day": "the time of day",
}  # fmt: skip
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ISO = re.compile(rf"{_DATE}(?:[T ]{_TIME} ?(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?")
_TIME_OF_DAY = re.compile(_TIME)
_EPOCH = datetime.datetime(1970, 1, 1)
DAY_S, MINUTE_S = 86_400, 60


@dataclass(frozen=True)
class Moment(Encoding):
    """Parts of a date or a time of day.

    Attributes:
        parts: of PARTS, those that differ in the training rows.
        is_time: it is a time of day, without a date.
        scale: of the days since 1970 (of a time of day: of the days since midnight).
    """

    kind: ClassVar[str] = "moment"
    reads_text: ClassVar[bool] = True
    parts: tuple[str, ...]
    is_time: bool
    scale: Scale
    n_missing: int = 0

    @classmethod
    def fit(
        cls,
        column: Column,
        weights: NDArray[np.float64] | None = None,
        *,
        is_time: bool,
        is_robust: bool = False,
    ) -> Moment:
        """From the training rows and what they count for (None: 1); raises ColumnFault for what is no moment."""
        seconds, is_missing = _seconds(column, is_time=is_time)
        there = seconds[~is_missing]
        parts = [name for name in PARTS if not (is_time and name in ("year", "month", "weekday"))]
        parts = [name for name in parts if len(there) and _differs(name, there)]
        weights = None if weights is None else weights[~is_missing]
        scale = Scale.fit(there / DAY_S, weights, is_robust=is_robust)
        assert scale is not None, "all days that there are lie close enough"
        return cls(tuple(parts), is_time, scale, int(is_missing.sum()))

    @property
    def n_features(self) -> int:
        return sum(PARTS[part] for part in self.parts) + (self.n_missing > 0)

    @property
    def n_slots(self) -> int:
        return sum(1 if part == "weekday" else PARTS[part] for part in self.parts) + (self.n_missing > 0)

    @property
    def numbers(self) -> tuple[int, ...]:
        return (0,) if self.parts[:1] == ("when",) and not self.scale.is_constant else ()

    def encode(self, column: Column) -> Slots:
        seconds, is_missing = _seconds(column, is_time=self.is_time)
        slots: list[tuple[Any, Any]] = []
        place = 0
        for part in self.parts:
            if part == "when":
                slots.append((place, np.where(is_missing, 0.0, self.scale.of(seconds / DAY_S))))
            elif part == "weekday":
                slots.append((place + _counted(part, seconds), ~is_missing))
            else:
                at = _counted(part, seconds)
                slots += [(place + n, np.where(is_missing, 0.0, table[at])) for n, table in enumerate(_ANGLES[part])]
            place += PARTS[part]
        if self.n_missing:
            slots.append((place, is_missing))
        return stacked(*slots)

    def noticed(self, column: Column) -> tuple[int, int]:
        return int(_seconds(column, is_time=self.is_time)[1].sum()), 0

    @property
    def what(self) -> str:
        return "time of day" if self.is_time else "date and time" if "day" in self.parts else "date"

    @property
    def how(self) -> str:
        words = [_IN_WORDS[part] for part in self.parts] + ["missing"] * (self.n_missing > 0)
        return f"{self.n_features} features: {', '.join(words)}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "parts": list(self.parts),
            "is_time": self.is_time,
            **self.scale.to_json(),
            "missing": self.n_missing,
        }

    @classmethod
    def from_json(cls, value: object) -> Moment:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = checked_object(value, {"parts", "is_time", *KEYS[has_range(value)]}, cls.kind)
        parts, is_time = fields["parts"], fields["is_time"]
        if not isinstance(parts, list) or parts != [name for name in PARTS if name in parts]:
            raise InputError(f"encoding moment: parts must be some of {', '.join(PARTS)}, in this order.")
        if type(is_time) is not bool:
            raise InputError("encoding moment: is_time must be true or false.")
        one = cls(tuple(parts), is_time, Scale.from_json(fields, cls.kind), fields["missing"])
        if one.n_features == 0:
            raise InputError("encoding moment: it makes no feature.")
        return one


def _counted(part: str, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which day of the year, of the month or of the week it is, or which minute of the day, from 0."""
    days = np.floor(seconds / DAY_S).astype(np.int64)
    if part == "weekday":
        return (days + 3) % 7  # 1970-01-01 was a Thursday, Monday is 0
    if part == "day":
        return ((seconds - days * DAY_S) // MINUTE_S).astype(np.int64)
    dates = days.astype("datetime64[D]")
    since: NDArray[np.int64] = (dates - dates.astype(f"datetime64[{'Y' if part == 'year' else 'M'}]")).astype(np.int64)
    return since


def _differs(part: str, seconds: NDArray[np.float64]) -> bool:
    if part == "when":
        return bool(seconds.min() < seconds.max())
    if part == "year":  # within a month, the day of the month says as much
        months = np.floor(seconds / DAY_S).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        return bool(months.min() < months.max())
    counted = _counted(part, seconds)
    return bool(counted.min() < counted.max())


def _round(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angles = [2 * math.pi * step / n for step in range(n)]
    return np.array([math.sin(angle) for angle in angles]), np.array([math.cos(angle) for angle in angles])


_ANGLES = {"year": _round(366), "month": _round(31), "day": _round(DAY_S // MINUTE_S)}


def _seconds(column: Column, *, is_time: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Since 1970, or since midnight; and where there is none. Moments with a zone are counted in UTC."""
    is_missing = column.is_missing.copy()
    seconds = np.zeros(len(column.values))
    if column.is_numeric and not is_missing.all():
        row = int(np.argmin(is_missing))
        raise _fault(column, row, is_time)
    known: dict[Any, float | None] = {}
    for row, value in enumerate(column.values):
        if is_missing[row]:
            continue
        if isinstance(value, str) and not value.strip():
            is_missing[row] = True
            continue
        try:
            if value not in known:
                known[value] = seconds_of(value, is_time=is_time)
            found = known[value]
        except TypeError:  # a list can't be a key
            found = None
        if found is None:
            raise _fault(column, row, is_time)
        seconds[row] = found
    return seconds, is_missing


def _fault(column: Column, row: int, is_time: bool) -> ColumnFault:
    what = "times of day as in 14:30 or 14:30:00" if is_time else "dates as in 2024-01-31 or 2024-01-31 14:30:00"
    value = column.values[row]
    word = value.strip() if isinstance(value, str) and len(value) <= MAX_WORD else ""
    return ColumnFault(f" must hold {what}; ", row, f" has {str(value)[:60]!r}", word=word)


def seconds_of(value: object, *, is_time: bool) -> float | None:
    """A moment in seconds since 1970, or since midnight; None of anything else."""
    if isinstance(value, str):
        text = value.strip()
        if not (_TIME_OF_DAY if is_time else _ISO).fullmatch(text):
            return None
        try:
            value = datetime.time.fromisoformat(text) if is_time else datetime.datetime.fromisoformat(_strict(text))
        except ValueError:
            return None
    if is_time:
        if not isinstance(value, datetime.time):
            return None
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return (datetime.datetime(*value.timetuple()[:6], value.microsecond) - _EPOCH).total_seconds()
    if isinstance(value, datetime.date):
        return float((value - _EPOCH.date()).days * DAY_S)
    return None


def _strict(text: str) -> str:
    """Without the space before a zone that some programs write."""
    return re.sub(r" (?=Z|[+-])", "", text)
