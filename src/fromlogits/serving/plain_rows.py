"""Rows of numbers in JSON, read by the core straight into a matrix: what most bodies are."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .models import Served


class PlainRows:
    """Reads {"rows": [...]} for a model of numbers; what is not plain is for `strict_json` and `records`.

    Those know all that a body may hold, and have the words for what is wrong. A plain body is one that they would make
    the same matrix of, bit for bit: rows that are all lists, or all objects with the model's columns and no others, of
    numbers and null, no integer of them of 2^53 or more and nothing beyond float64.
    """

    def __init__(self, model: Served) -> None:
        self.width = model.classifier.n_features_in_
        try:
            spellings = [_spellings(name) for name in model.columns or ()]
        except UnicodeEncodeError:  # half of a surrogate pair: no body can have it
            spellings = []
        self._core = _core.JsonRows(self.width, spellings) if model.is_numeric else None

    def __call__(self, body: bytes, most_rows: int) -> NDArray[np.float64] | None:
        """float64 (n, d), NaN for null; None where the body is not plain, or has more rows."""
        values = None if self._core is None else self._core.read(body, most_rows)
        return None if values is None else np.frombuffer(values).reshape(-1, self.width)


def _spellings(name: str) -> list[str]:
    """As writers of JSON put it between quotes."""
    spellings = [json.dumps(name, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)]
    spellings[1].encode()
    return spellings
