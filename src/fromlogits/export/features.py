"""The encoders as ONNX: from the columns as they come to the float32 features [n, d] of the network.

Computed in float64 and rounded once, as the encoders do; pictures in float32, likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.encoders import FeatureEncoder
from ..data.encodings.base import Encoding
from ..data.encodings.category import Category
from ..data.encodings.code import Code
from ..data.encodings.levels import Levels
from ..data.encodings.moment import Moment
from ..data.encodings.number import Number
from ..data.statistics import FAR, MOST
from ..errors import InputError

if TYPE_CHECKING:
    from .graph import Graph

X = "x"
"""The one input where every column is a number."""
Part = tuple[str, list[int]]
"""Some features, and which ones they are."""


def is_numeric(encoder: FeatureEncoder) -> bool:
    """Whether every column is a number."""
    return encoder.table is None or all(isinstance(one, Number) for one in encoder.table.columns)


def input_names(encoder: FeatureEncoder) -> list[str]:
    """x, or one for each column; those without names are called by their numbers."""
    if is_numeric(encoder):
        return [X]
    return list(encoder.schema.names or map(str, range(encoder.schema.n_features)))


def refuse_unsayable(encoder: FeatureEncoder, outputs: Sequence[str]) -> None:
    """Raise InputError for a column that ONNX can't say, or whose name can't be an input's beside these outputs."""
    if encoder.backbone is not None:
        raise InputError(
            f"the model is a head behind the backbone {encoder.backbone.reference.text!r}, whose weights it does not"
            " hold, so no ONNX file can say it. Predict with it by fromlogits (predict, serve)."
        )
    names = input_names(encoder)
    for name in names:
        if name in outputs:
            raise InputError(f"column {name!r} has the name of an output; rename the column and train again.")
        if not name:
            raise InputError("a column has no name, and an input of ONNX needs one; name it and train again.")
    if encoder.table is not None:
        for place, one in enumerate(encoder.table.columns):
            if isinstance(one, Moment):
                raise InputError(
                    f"column {names[place]!r} holds dates or times, and ONNX has no operators that read them. Turn it"
                    " into numbers, or train without it (--ignore)."
                )


def features(graph: Graph, encoder: FeatureEncoder) -> str:
    """What the network takes, float32 [n, d]."""
    width = encoder.schema.n_features
    if encoder.kind == "picture":
        pixels = graph.input(X, np.float32, width)
        return graph("Add", graph("Mul", pixels, np.float32(encoder.scale)), np.float32(encoder.shift))
    if encoder.table is not None:
        return _columns(graph, encoder, encoder.table.columns)
    x = graph.input(X, np.float64, width)
    if encoder.kind == "scaled":
        assert encoder.inverse_spread is not None
        encoded = graph.cast(graph("Mul", x, encoder.inverse_spread), np.float32)
    else:
        is_robust = encoder.kind == "robust"
        learned = (encoder.median, encoder.inverse_range) if is_robust else (encoder.mean, encoder.inverse_spread)
        encoded = _scaled(graph, x, *learned, is_robust=is_robust)
    return graph("Where", graph("IsNaN", x), np.float32(0), encoded)


def _scaled(graph: Graph, x: str, centre: Any, factor: Any, *, is_robust: bool) -> str:
    """(x - centre) · factor, where it is robust softly clipped as `statistics.robust` does."""
    scaled = graph("Sub", x, centre)
    if is_robust:
        scaled = graph("Clip", scaled, np.float64(-MOST), np.float64(MOST))
    scaled = graph("Mul", scaled, factor)
    if is_robust:
        scaled = graph("Clip", scaled, np.float64(-FAR), np.float64(FAR))
        third = graph("Div", scaled, np.float64(3))
        scaled = graph("Div", scaled, graph("Sqrt", graph("Add", graph("Mul", third, third), np.float64(1))))
    return graph.cast(scaled, np.float32)


def _columns(graph: Graph, encoder: FeatureEncoder, encodings: Sequence[Encoding]) -> str:
    """Each column by its own encoding: the numbers together, and at the end all in the order of the features."""
    starts = list(accumulate((one.n_features for one in encodings[:-1]), initial=0))
    columns = _inputs(graph, encoder, encodings)
    parts: list[Part] = []
    for is_robust in (False, True):
        own = {
            at: one for at, each in enumerate(encodings) if (one := _number(each)) and one.scale.is_robust is is_robust
        }
        if own:
            parts += _numbers(graph, columns(list(own)), list(own.values()), [starts[at] for at in own], is_robust)
    for at, (encoding, start) in enumerate(zip(encodings, starts, strict=True)):
        if isinstance(encoding, Levels):
            parts += _levels(graph, columns([at]), encoding, start + encoding.number.n_features)
        elif isinstance(encoding, Category):
            place = _place(graph, columns([at]), encoding)
            parts.append(_one_of(graph, place, np.arange(encoding.n_features), start))
        elif isinstance(encoding, Code):
            parts.append((graph.cast(_place(graph, columns([at]), encoding.category), np.float32), [start]))
    places = [place for _, own_places in parts for place in own_places]
    return graph.take(graph.concat([part for part, _ in parts], 1), np.argsort(places).tolist(), len(places))


def _inputs(graph: Graph, encoder: FeatureEncoder, encodings: Sequence[Encoding]) -> Callable[[list[int]], str]:
    """The inputs are made; what is returned gives some columns side by side."""
    if is_numeric(encoder):
        x = graph.input(X, np.float64, len(encodings))
        return lambda places: graph.take(x, places, len(encodings))
    named = zip(input_names(encoder), encodings, strict=True)
    each = [graph.input(name, object if _number(one) is None else np.float64, 1) for name, one in named]
    return lambda places: graph.concat([each[place] for place in places], 1)


def _number(encoding: Encoding) -> Number | None:
    """What is encoded as a number, if anything is."""
    if isinstance(encoding, Levels):
        return encoding.number
    return encoding if isinstance(encoding, Number) else None


def _numbers(graph: Graph, x: str, numbers: list[Number], starts: list[int], is_robust: bool) -> list[Part]:
    """Their values, the median where there is none; and, of those that lacked some in training, that it is missing."""
    is_missing = graph("IsNaN", x)
    filled = graph("Where", is_missing, np.array([one.median for one in numbers]), x)
    centre, factor = (np.array([getattr(one.scale, name) for one in numbers]) for name in ("centre", "factor"))
    parts = [(_scaled(graph, filled, centre, factor, is_robust=is_robust), starts)]
    if lacked := [at for at, one in enumerate(numbers) if one.n_missing]:
        flags = graph.cast(graph.take(is_missing, lacked, len(numbers)), np.float32)
        parts.append((flags, [starts[at] + 1 for at in lacked]))
    return parts


def _place(graph: Graph, texts: str, category: Category) -> str:
    """Which of the category's features a text has, int64 [n, 1], or -1; an empty one is missing."""
    n = len(category.values)
    rare = n if category.n_rare else -1
    missing = n + (category.n_rare > 0) if category.n_missing else -1
    keys, places = [*category.values, ""], [*range(n), missing]
    return graph("LabelEncoder", texts, ml=True, keys_strings=keys, values_int64s=places, default_int64=rare)


def _levels(graph: Graph, x: str, levels: Levels, start: int) -> list[Part]:
    """What stands behind the number, of a column [n, 1]."""
    each = levels.each
    n, values = len(each.values), np.array([_value(text) for text in each.values])
    is_one = graph("Equal", x, values)
    if not levels.n_codes and not each.n_rare:
        return [(graph.cast(is_one, np.float32), list(range(start, start + n)))]
    # From 1: which of the values it is; 0: none of them.
    place = graph(
        "ReduceMax", graph("Mul", graph.cast(is_one, np.float32), np.arange(1, n + 1, dtype=np.float32)), np.array([1])
    )
    if each.n_rare:  # every other number shares the feature behind them
        is_rare = graph("And", graph("Equal", place, np.zeros(1, np.float32)), graph("Not", graph("IsNaN", x)))
        place = graph("Where", is_rare, np.full(1, n + 1, np.float32), place)
    if levels.n_codes:
        return [(graph("Sub", place, np.ones(1, np.float32)), [start])]
    return [_one_of(graph, place, np.arange(1, n + 2, dtype=np.float32), start)]


def _value(text: str) -> float:
    """The number of a level, whose text is `texts.canonical`; NaN, which equals nothing, of any other."""
    try:
        return float(text)
    except ValueError:
        return np.nan


def _one_of(graph: Graph, x: str, values: NDArray[Any], start: int) -> Part:
    """A feature for each value, 1 where x [n, 1] is that one."""
    return graph.cast(graph("Equal", x, values), np.float32), list(range(start, start + len(values)))
