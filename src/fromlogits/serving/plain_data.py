"""The numbers of a tensor in JSON, cut out of the body and read by the core."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _core
from .refusals import Refused
from .strict_json import parsed

KEY = b'"data"'
_TO_ARRAY = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*(?=\[)")


@dataclass(frozen=True)
class PlainData:
    """An array of numbers and null, flat or of flat ones.

    Attributes:
        text: as it stands in the body.
        values_n: float64, row by row; NaN for null. Integers are below 2^53.
        is_integral: every value is an integer.
    """

    text: bytes
    values_n: NDArray[np.float64]
    is_integral: bool

    def listed(self) -> Any:
        """As Python's reader gives it."""
        return json.loads(self.text)

    def of_type(self, dtype: DTypeLike, n: int) -> NDArray[Any] | None:
        """n values of a type of numbers; None where they are not so many, or one of them has no place in the type."""
        dtype, values_n = np.dtype(dtype), self.values_n
        if len(values_n) != n or dtype.kind not in "fiu":
            return None
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                rounded_n = values_n.astype(dtype)
            return rounded_n if not np.isinf(rounded_n).any() else None
        if not self.is_integral or values_n.min() < np.iinfo(dtype).min or values_n.max() > np.iinfo(dtype).max:
            return None
        return values_n.astype(dtype)


def content_of(body: bytes) -> dict[str, Any]:
    """As `strict_json.parsed`; but the data of a single input is PlainData where it is plain.

    A text that has no backslash holds no quotes, so the only "data" of the body is a key if anything.
    """
    if body.count(KEY) == 1 and b"\\" not in body and (colon := _TO_ARRAY.match(body, body.index(KEY) + len(KEY))):
        start = colon.end()
        if (read := _core.json_array(body, start)) is not None:
            values, end, is_integral = read
            try:
                content = parsed(body[:start] + b"null" + body[end:])
            except Refused:  # the whole body is needed to say where and why
                return parsed(body)
            inputs = content.get("inputs")
            if type(inputs) is list and len(inputs) == 1 and type(inputs[0]) is dict and "data" in inputs[0]:
                inputs[0]["data"] = PlainData(body[start:end], np.frombuffer(values), is_integral)
                return content
    return parsed(body)
