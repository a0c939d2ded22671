"""Classes, and the values that mean one of them: 1 and "1", 2.0 and "2", true and "True"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Label = int | float | bool | str
KINDS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}


def numbers_of(values: Sequence[Any], classes: Sequence[Label]) -> NDArray[np.int32]:
    """For each value the number of the class that it means, -1 where it is none."""
    number = {label: index for index, label in enumerate(classes)}
    forms = _as_texts if isinstance(classes[0], str) else _as_numbers
    return np.array([next((number[form] for form in forms(value) if form in number), -1) for value in values], np.int32)


def factorise(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """The distinct values as Python objects, and for each value the number of its own among them."""
    if values.dtype == object:
        seen: dict[Any, int] = {}
        codes = np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int64, len(values))
        return list(seen), codes
    distinct = np.unique(values)
    return distinct.tolist(), np.searchsorted(distinct, values)


def known(classes: Sequence[Label]) -> str:
    """The first classes, as a message lists them."""
    return ", ".join(repr(label) for label in classes[:10]) + (", …" if len(classes) > 10 else "")


def named(one: str, many: str, names: Sequence[Label]) -> str:
    """The first few, with the word for one or several before them."""
    shown = ", ".join(repr(name) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{one if len(names) == 1 else many} {shown}"


def _as_texts(value: Any) -> Iterator[Any]:
    """The ways in which a text file may spell it, the likeliest first."""
    yield str(value)
    if isinstance(value, bool):
        yield from (str(value).lower(), str(value).upper())
    elif isinstance(value, int):
        yield f"{value}.0"
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))


def _as_numbers(value: Any) -> Iterator[Any]:
    """What a text stands for; anything else as it is."""
    if not isinstance(value, str):
        yield value
        return
    for read in (int, float):
        try:
            yield read(value)
        except (ValueError, OverflowError):
            continue
    if value.strip().casefold() in ("true", "false"):
        yield value.strip().casefold() == "true"
