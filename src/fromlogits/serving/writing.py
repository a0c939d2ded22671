"""Predictions as JSON: one text with places for the values of a row, made once a model, and filled for all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from .models import Answer, Served


class Writer:
    """Writes a model's answers; objects for each row and value would take five times as long."""

    def __init__(self, model: Served) -> None:
        self.model = model
        self._probabilities = _places(model.classes)
        self._logits = _places(model.logit_classes)

    def __call__(self, answer: Answer, notes: tuple[str, ...], *, wants_logits: bool) -> bytes:
        """{"predictions": [an object for each row], "notes": [...]}; a float32 as `refusals.as_json` writes it."""
        if self.model.is_multi_label:
            pattern, columns = ['"labels":%s'], [self._chosen(answer.decided)]
        else:
            decided = answer.decided.tolist()
            words = {value: _json(value) for value in {*decided}}
            pattern, columns = ['"label":%s'], [[words[value] for value in decided]]
        pattern.append(f'"probabilities":{self._probabilities}')
        columns += _columns(answer.probabilities_nk)
        if answer.sets_nk is not None:
            pattern.append('"set":%s')
            columns.append(self._chosen(answer.sets_nk))
        if wants_logits:
            pattern.append(f'"logits":{self._logits}')
            columns += _columns(answer.logits_nc)
        values = [""] * (len(answer) * len(columns))
        for place, column in enumerate(columns):
            values[place :: len(columns)] = column
        row = "{" + ",".join(pattern) + "}"
        rows = ",".join([row] * len(answer)) % tuple(values)
        said = list(dict.fromkeys(f"{note.rstrip('.')}." for note in (*notes, *answer.notes)))
        end = f',"notes":{_json(said)}}}' if said else "}"
        return f'{{"predictions":[{rows}]{end}'.encode()

    def _chosen(self, flags_nk: NDArray[Any]) -> list[str]:
        return [_json([self.model.classes[place] for place in np.flatnonzero(flags_k)]) for flags_k in flags_nk]


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _places(names: tuple[Any, ...]) -> str:
    return "{" + ",".join(_json(str(name)).replace("%", "%%") + ":%s" for name in names) + "}"


def _columns(values_nk: NDArray[np.float32]) -> list[list[str]]:
    """The texts of each column."""
    width = values_nk.shape[1]
    texts = _json(np.ascontiguousarray(values_nk).ravel())[1:-1].split(",")
    return [texts[place::width] for place in range(width)]
