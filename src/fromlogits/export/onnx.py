"""ONNX: encoders, networks, calibration, head and decisions in one file that needs nothing of ours to run.

Inputs and outputs are called as the server calls them (docs/how-to/serve.md). The networks are computed in float32, all
before and behind them in float64: results agree with the classifier's to the rounding of float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import _core
from ..decisions.rules import Rule, Scores, SecondClass, SmallestCost, Thresholds
from ..errors import EngineUnavailableError, InputError
from . import features, network
from .base import Exported, Format

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..model import Model
    from .graph import Graph

OUTPUTS = LOGITS, PROBABILITIES, LABEL = "logits", "probabilities", "label"
MOST_BYTES = 2**31 - 2**20
"""Of parameters: a file of ONNX is one message of Protocol Buffers, which has less than 2 GiB."""


class Onnx(Format):
    """One file for onnxruntime and whatever else reads ONNX."""

    ending: ClassVar[str] = ".onnx"

    def export(self, classifier: Classifier) -> Exported:
        model = classifier._model
        features.refuse_unsayable(model.encoder, OUTPUTS)
        if (size := 4 * len(model.trained) * model.network.n_parameters) > MOST_BYTES:
            raise InputError(
                f"the model has {size:,} bytes of parameters, and a file of ONNX has room for {MOST_BYTES:,}; a smaller"
                " network or fewer members fit."
            )
        try:
            import onnx

            from .graph import ML_OPSET, OPSET, Graph
        except ImportError as error:
            raise EngineUnavailableError(
                f"export to ONNX needs {(error.name or 'a library').partition('.')[0]}, which is not installed; install"
                " it by `pip install 'fromlogits[onnx]'`."
            ) from None
        graph = Graph((*features.input_names(model.encoder), *OUTPUTS))
        z = network.logits(graph, model, features.features(graph, model.encoder))
        p = _probabilities(graph, model, z)
        graph.output(LOGITS, z, np.float32, _n_units(model))
        graph.output(PROBABILITIES, p, np.float32, model.target.n_classes)
        if model.target.task == "multi-label":
            graph.output(LABEL, _decided(graph, model.rule, p), np.int64, model.target.n_classes)
        else:
            classes = _classes(model)
            graph.output(LABEL, graph("Gather", classes, _decided(graph, model.rule, p), axis=0), classes.dtype)
        made = graph.model(producer_name="fromlogits", producer_version=_core.version())
        names = json.dumps(list(model.target.classes), ensure_ascii=False)
        onnx.helper.set_model_props(made, {"task": model.target.task, "head": model.head, "classes": names})
        onnx.checker.check_model(made, full_check=True)
        about = {
            "opset": f"{OPSET}, ai.onnx.ml {ML_OPSET}" if len(made.opset_import) > 1 else str(OPSET),
            "inputs": _listed(made.graph.input),
            "outputs": _listed(made.graph.output),
        }
        return Exported(made.SerializeToString(deterministic=True), about, tuple(_left_out(model)))


def _left_out(model: Model) -> Iterator[str]:
    """What whoever runs the file must do without, or before."""
    schema = model.encoder.schema
    if model.sets is not None:
        yield "prediction sets are not in the file, ONNX having no place for them"
    if schema.pictures is not None and schema.picture_shape is not None:
        height, width, *channels = schema.picture_shape
        yield (
            f"x takes the pixels of {'coloured' if channels else 'grey'} pictures of 8 bits a channel, upright, white"
            f" where they are clear, resized to {height} x {width} as Pillow's bilinear resize does it"
            " (docs/how-to/onnx.md has a function that makes them so)"
        )


def _n_units(model: Model) -> int:
    return model.target.n_classes if model.members.separate_networks else model.network.n_outputs


def _probabilities(graph: Graph, model: Model, z: str) -> str:
    """Of each class or label, float32 [n, K]: in float64 from the logits, rounded once."""
    wide = graph.cast(z, np.float64)
    if model.target.task == "multi-class" and _n_units(model) == 1:
        wide = graph.concat([graph("Neg", wide), wide], 1)
    p = graph("Softmax", wide, axis=1) if model.head == "softmax" else graph("Sigmoid", wide)
    return graph.cast(p, np.float32)


def _decided(graph: Graph, rule: Rule, p: str) -> str:
    """Places of classes [n], or 0 and 1 of labels [n, L], from the probabilities as they are given."""
    wide = graph.cast(p, np.float64)
    if isinstance(rule, Thresholds):
        return graph.cast(graph("Greater", wide, rule.values), np.int64)
    if isinstance(rule, SecondClass):
        second = graph("Gather", wide, np.int64(1), axis=1)
        return graph.cast(graph("Greater", second, np.float64(rule.threshold)), np.int64)
    if isinstance(rule, Scores):
        wide = graph("Sub", graph("Mul", wide, rule.factors), rule.charges)
    elif isinstance(rule, SmallestCost):  # class by class, as the rule adds them up: ties stay ties
        each = [graph("Mul", graph.take(wide, [k], len(rule.costs)), costs) for k, costs in enumerate(rule.costs)]
        wide = each[0]
        for costs in each[1:]:
            wide = graph("Add", wide, costs)
        return graph("ArgMin", wide, axis=1, keepdims=0)
    return graph("ArgMax", wide, axis=1, keepdims=0)


def _classes(model: Model) -> Any:
    """The classes as `predict` gives them: numbers, or texts."""
    classes = model.target.classes_array
    return classes if classes.dtype.kind in "biuf" else np.array([str(name) for name in classes], object)


def _listed(values: Any) -> str:
    """ "x double [n, 64]", one after the other."""
    import onnx

    def shown(value: Any) -> str:
        of = value.type.tensor_type
        shape = ", ".join(size.dim_param or str(size.dim_value) for size in of.shape.dim)
        return f"{value.name} {onnx.TensorProto.DataType.Name(of.elem_type).lower()} [{shape}]"

    listed = [shown(value) for value in values[:8]]
    return "; ".join(listed) + (f"; and {len(values) - 8} more" if len(values) > 8 else "")
