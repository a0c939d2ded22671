"""An ONNX graph while it is made: nodes one after the other, arrays beside them, names that differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import helper, numpy_helper

OPSET, ML_OPSET, IR_VERSION = 18, 3, 8
"""What the operators mean, those of ai.onnx.ml too, and the form of the file: read by onnxruntime from 1.14 on."""
ML = "ai.onnx.ml"
Value = str | NDArray[Any] | np.generic
"""What a node takes: the name of another's result, or an array."""


class Graph:
    """Nodes in the order in which they are computed.

    `graph("Add", x, array)` adds a node and gives the name of its result; arrays are stored in the file.

    Args:
        taken: names of inputs and outputs, which nothing within may have.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._count = 0
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def __call__(self, operator: str, *inputs: Value, output: str | None = None, ml: bool = False, **said: Any) -> str:
        """Add a node of one result.

        Args:
            operator: of ONNX, or with `ml` of ai.onnx.ml.
            inputs: names and arrays.
            output: the result's name, where it is the graph's.
            said: the operator's attributes.
        """
        names = [one if isinstance(one, str) else self._stored(one) for one in inputs]
        output = output or self._name()
        self.nodes.append(helper.make_node(operator, names, [output], domain=ML if ml else None, **said))
        return output

    def cast(self, x: Value, dtype: DTypeLike) -> str:
        return self("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def concat(self, parts: list[str], axis: int) -> str:
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=axis)

    def take(self, x: str, places: Iterable[int], width: int) -> str:
        """Columns of x, which has so many, by their places."""
        wanted = list(places)
        return x if wanted == list(range(width)) else self("Gather", x, np.array(wanted, np.int64), axis=1)

    def input(self, name: str, dtype: DTypeLike, width: int) -> str:
        """An input [n, width]; its dtype is that of NumPy, object for texts."""
        self.inputs.append(helper.make_tensor_value_info(name, _type(dtype), ["n", width]))
        return name

    def output(self, name: str, x: str, dtype: DTypeLike, *widths: int) -> None:
        """An output [n, *widths]."""
        self("Identity", x, output=name)
        self.outputs.append(helper.make_tensor_value_info(name, _type(dtype), ["n", *widths]))

    def model(self, **about: Any) -> Any:
        """The ModelProto; `about` are its fields."""
        graph = helper.make_graph(self.nodes, "fromlogits", self.inputs, self.outputs, self.arrays)
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == ML for node in self.nodes):
            opsets.append(helper.make_opsetid(ML, ML_OPSET))
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, **about)

    def _stored(self, array: NDArray[Any] | np.generic) -> str:
        name = self._name()
        self.arrays.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _name(self) -> str:
        while True:
            self._count += 1
            if (name := f"_{self._count}") not in self._taken:
                return name


def _type(dtype: DTypeLike) -> int:
    dtype = np.dtype(dtype)
    return int(helper.np_dtype_to_tensor_dtype(dtype) if dtype.kind in "biuf" else onnx.TensorProto.STRING)
