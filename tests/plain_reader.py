"""A reader of model files written from docs/file-format.md alone, with NumPy and the standard library."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests import plain_columns, plain_network
from tests.plain_network import sigmoid

Array = Any  # of NumPy, float64
TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def mean(z: Array, head: Any) -> Array:
    log_p = np.log(head(z).mean(axis=0))
    return log_p if head is softmax else log_p - np.log(head(-z).mean(axis=0))


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    """The manifest and the tensors."""
    data = path.read_bytes()
    assert hashlib.sha256(data[:-32]).digest() == data[-32:], "damaged"
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    manifest = json.loads(header.pop("__metadata__")["fromlogits"])
    assert manifest["format"] == {"name": "fromlogits-model", "version": 1}
    tensors: dict[str, Any] = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return manifest, tensors


def probabilities(path: Path, x: Any) -> Array:
    """Of each class or label, (n, K), for raw rows (n, d) in the order of the schema, or pictures (n, h, w).

    Rows of several kinds of columns are lists of their values, see plain_columns.
    """
    manifest, tensors = read(path)
    encoder = manifest["encoder"]
    x = x if encoder["kind"] == "columns" else np.reshape(x, (len(x), -1))
    if encoder["kind"] == "columns":
        x = plain_columns.features(encoder["table"], x)
    elif encoder["kind"] == "standard":
        x = ((x - tensors["encoder.mean"]) * tensors["encoder.inverse_spread"]).astype(np.float32)
    elif encoder["kind"] == "robust":
        z = (x - tensors["encoder.median"]) * tensors["encoder.inverse_range"]
        x = (z / np.sqrt(1 + (z / 3) ** 2)).astype(np.float32)
    else:
        x = x.astype(np.float32) * np.float32(encoder["scale"]) + np.float32(encoder["shift"])
    spec = manifest["spec"]
    x = plain_network.outputs(spec["network"], tensors, x)
    n_rounds = spec.get("members", {"ensemble": 1})["ensemble"]
    rounds = x.reshape(n_rounds, -1, *x.shape[-2:])  # of each one network, or one for each label
    z = rounds.swapaxes(1, 2).reshape(n_rounds, x.shape[-2], -1)
    softmaxes = spec["head"] == "softmax"
    z = mean(z, softmax if softmaxes else sigmoid) if n_rounds > 1 else z[0]
    z = z / tensors.get("calibration.temperatures", manifest["calibration"]["temperature"])
    z = z + tensors.get("calibration.biases", 0)
    if softmaxes:
        return softmax(z)
    is_yes_or_no = manifest["target"]["task"] == "multi-class"
    return np.hstack([sigmoid(-z), sigmoid(z)]) if is_yes_or_no else sigmoid(z)


def decisions(path: Path, x: Any) -> Array:
    """The number of each row's class, (n,), or whether each label is set, 0/1 (n, L)."""
    (manifest, _), p = read(path), probabilities(path, x)
    are_labels, softmaxes = manifest["target"]["task"] == "multi-label", manifest["spec"]["head"] == "softmax"
    decision = manifest.get("decision", {"rule": {"kind": "largest" if softmaxes else "natural"}})
    if "rule" in decision:
        rule = decision["rule"]
        if rule["kind"] == "scores":
            return (p * rule["factors"] - rule["charges"]).argmax(axis=1)
        if rule["kind"] == "largest":
            return p.argmax(axis=1)
        threshold = np.array(rule.get("thresholds", rule.get("threshold", 0.5)))
    else:
        costs = np.array(decision["decide_for"], float)
        if costs.ndim == 2 and len(costs) > 2:
            return (p @ costs).argmin(axis=1)
        a, b = costs[..., 0, 1] - costs[..., 0, 0], costs[..., 1, 0] - costs[..., 1, 1]
        threshold = a / (a + b)
    return ((p if are_labels else p[:, 1]) > threshold).astype(int)


def prediction_sets(path: Path, x: Any, coverage: float) -> Array:
    """Whether a class or label is in a row's set, (n, K); not by the method "aps"."""
    (manifest, tensors), p = read(path), probabilities(path, x)
    allowed = (manifest["sets"]["rows"] + 1) * (1 - Fraction(str(coverage))) - 1
    place = next(j for j, missed in enumerate(tensors["sets.missed"]) if missed <= allowed)
    if manifest["sets"]["method"] == "recall":
        scores = np.log1p(-p) - np.log(p)
    else:
        scores = np.where(p == p.max(axis=1, keepdims=True), -2, -np.log(p))
    return scores <= tensors["sets.thresholds"][place]
