"""The output layer laid open on one row: from each logit to its probability, and the loss both ways.

`fromlogits inspect MODEL DATA --row N`. The loss "from the logits" is the one the network is trained by; the textbook's
is computed from the probability, a float32, as the network holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import logits as from_logits
from .. import textbook
from ..errors import InputError, one_line
from ..spec import Members
from .output import aligned, listed, temperature_and_bias
from .rounding import DIGITS, digits_lost, ulps

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..data.sources import Dataset
    from ..decisions.calibration import Calibration

Array = NDArray[Any]
MANY = 40
"""Of more units than these, the largest logits and the true ones are shown."""
LARGEST = 20
WIDEST_NAME = 16


@dataclass(frozen=True)
class Loss:
    """A loss both ways, float32.

    Attributes:
        digits_lost: how many of 7.2 decimal digits the textbook's has wrong; None where there is no loss to compare.
    """

    from_logits: np.float32
    textbook: np.float32
    digits_lost: float | None

    @classmethod
    def of(cls, ours: Any, theirs: Any) -> Loss:
        error = ulps(np.asarray([theirs]), np.asarray([ours], np.float64))[0]
        lost = digits_lost(float(error)) if np.isfinite(ours) else None
        return cls(np.float32(ours), np.float32(theirs), lost)


@dataclass(frozen=True)
class OutputLayer:
    """One row at the output layer; c units, K classes or labels.

    Attributes:
        head: "softmax" or "sigmoid".
        names: of the units: the classes or labels; one unit speaks for the second class.
        classes: all of them.
        is_multi_label: whether each unit is a question of its own.
        of: of several networks, how the logits are theirs; None where there is one.
        calibration: what makes the logits of the raw ones.
        raw: float32 (c,), as the network, or all of them together, computed them.
        logits: float32 (c,), as `predict_logits` gives them.
        shifted: softmax: z − max; sigmoid: −|z|. float64 (c,).
        exps: exp of that.
        probabilities: float32 (K,), as `predict_proba` gives them.
        predicted: a class, or the list of labels.
        target: the same, or None where it is not known.
        truth: the target as numbers: the class's, or 0 and 1 for each unit, NaN where it is unknown.
        losses: of the row (softmax), or of each unit, None where its target is unknown; empty without a target.
        total: of the row.
    """

    head: str
    names: tuple[Any, ...]
    classes: tuple[Any, ...]
    is_multi_label: bool
    of: str | None
    calibration: Calibration
    raw: NDArray[np.float32]
    logits: NDArray[np.float32]
    shifted: NDArray[np.float64]
    exps: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    thresholds: NDArray[np.float64] | None
    predicted: Any
    target: Any
    truth: Array | None
    losses: tuple[Loss | None, ...]
    total: Loss | None

    @property
    def others(self) -> float:
        """The sum of exp, the largest logit's 1 left out."""
        return float(np.delete(self.exps, self.logits.argmax()).sum())

    def threshold(self, unit: int) -> np.float64:
        """What the unit's probability has to exceed; of a sigmoid unit."""
        assert self.thresholds is not None
        return np.float64(self.thresholds[unit])

    @property
    def unit_probabilities(self) -> NDArray[np.float32]:
        """(c,): of one unit, that of the second class."""
        return self.probabilities[-len(self.logits) :]


def lay_open(classifier: Classifier, dataset: Dataset, row: int, truth: Array | None) -> OutputLayer:
    """Run one row through the network.

    Args:
        truth: the row's target as `TargetEncoder.encode` gives it, or None.
    """
    if truth is not None and np.isnan(truth).all():
        truth = None
    raw_nc = classifier.predict_logits(dataset.features.take(np.array([row])), calibrated=False)
    z_nc = classifier.calibration_.apply(raw_nc)
    z, target = z_nc[0], classifier.target_
    probabilities = classifier._probabilities(z_nc)[0]
    predicted = classifier._decide(z_nc)[0]
    is_multi_label = target.task == "multi-label"
    wide = z.astype(np.float64)
    with np.errstate(invalid="ignore"):
        shifted = wide - wide.max() if classifier.head_ == "softmax" else -np.abs(wide)
    losses: tuple[Loss | None, ...] = ()
    total = None
    if truth is not None and classifier.head_ == "softmax":
        ours = from_logits.softmax_cross_entropy(z, truth)
        total = Loss.of(ours, textbook.softmax_cross_entropy(probabilities, truth))
        losses = (total,)
    elif truth is not None:
        truth = np.asarray(truth, np.float32).reshape(-1)
        a = probabilities[-len(z) :]
        ours = from_logits.sigmoid_cross_entropy(z, truth, reduction="none")
        theirs = textbook.sigmoid_cross_entropy(a, truth, reduction="none")
        known = ~np.isnan(truth)
        losses = tuple(
            Loss.of(*both) if is_known else None for *both, is_known in zip(ours, theirs, known, strict=True)
        )
        total = Loss.of(
            from_logits.sigmoid_cross_entropy(z[known], truth[known], reduction="sum"),
            textbook.sigmoid_cross_entropy(a[known], truth[known], reduction="sum"),
        )
    held: Any
    true: Any = None
    if is_multi_label:
        held = _where(target.classes, predicted)
        true = None if truth is None else _where(target.classes, truth == 1)
    else:
        held = predicted.item() if hasattr(predicted, "item") else predicted
        true = None if truth is None else target.classes[int(truth.item())]
    return OutputLayer(
        classifier.head_,
        target.classes[-len(z) :],
        target.classes,
        is_multi_label,
        _of(classifier._model.members),
        classifier.calibration_,
        raw_nc[0],
        z,
        shifted,
        np.exp(shifted),
        probabilities,
        classifier.thresholds_,
        held,
        true,
        truth,
        losses,
        total,
    )


def _where(names: Sequence[Any], flags: Array) -> list[Any]:
    return [name for name, is_on in zip(names, flags, strict=True) if is_on]


def truth_of(classifier: Classifier, dataset: Dataset, row: int) -> tuple[Array | None, str]:
    """A row's target in numbers; or None, and why."""
    if dataset.targets is None:
        return None, ""
    try:
        truth = classifier.target_.encode(dataset.targets, unknown="mark")[row]
    except InputError as error:
        return None, str(error)
    if truth.ndim and classifier.target_.task == "multi-class":
        return None, "this row's target is probabilities; a loss is shown for a class"
    if truth.ndim == 0 and truth < 0:
        texts = dataset.targets.texts if isinstance(classifier.classes_[0], str) else None
        value = (dataset.targets.values if texts is None else texts).reshape(-1)[row]
        known = listed(classifier.target_.classes)
        return None, f"the model does not know the class {str(value)!r} of this row (known: {known})"
    return truth, ""


def as_report(layer: OutputLayer) -> dict[str, Any]:
    """What --json prints."""
    what = "label" if layer.is_multi_label else "class"
    units: list[dict[str, Any]] = []
    for k, name in enumerate(layer.names):
        unit = {what: name, "raw_logit": layer.raw[k], "logit": layer.logits[k]}
        if layer.head == "softmax":
            unit |= {"below_max": layer.shifted[k], "exp": layer.exps[k], "probability": layer.probabilities[k]}
        else:
            a = layer.unit_probabilities[k]
            threshold = layer.threshold(k)
            unit |= {"exp": layer.exps[k], "probability": a, "threshold": threshold, "answer": bool(a > threshold)}
            loss = layer.losses[k] if layer.losses else None
            unit["target"] = None if layer.truth is None or loss is None else bool(layer.truth[k])
            unit["loss"] = None if loss is None else _loss(loss)
        units.append(unit)
    return {
        "head": layer.head,
        **layer.calibration.describe(),
        "units": units,
        **({"sum_of_others": layer.others} if layer.head == "softmax" else {}),
        "predicted": layer.predicted,
        "target": layer.target,
        "loss": None if layer.total is None else _loss(layer.total),
    }


def _loss(loss: Loss) -> dict[str, Any]:
    lost = None if loss.digits_lost is None else round(loss.digits_lost, 2)
    return {"from_logits": loss.from_logits, "textbook": loss.textbook, "digits_lost": lost}


def as_text(layer: OutputLayer) -> str:
    """Meant for 80 columns; long names are cut."""
    parts = [_about(layer), _softmax(layer) if layer.head == "softmax" else _sigmoid(layer)]
    if layer.total is not None:
        parts.append(_losses(layer))
    return "\n".join(line.rstrip() for line in "\n\n".join(parts).splitlines())


def _about(layer: OutputLayer) -> str:
    answer = f"predicted: {_said(layer.predicted)}"
    if layer.target is not None:
        answer += f"; true: {_said(layer.target)}"
    if layer.calibration.is_nothing:
        whole = "the logits, as the network computes them" if layer.of is None else f"the logits of {layer.of}"
        return f"{answer}\nz: {whole} (temperature 1)"
    whole = "the network's logits" if layer.of is None else f"the logits of {layer.of}"
    (_, temperature), *bias = temperature_and_bias(*layer.calibration.describe().values())
    if not bias:
        return f"{answer}\nz: {whole}, divided by the temperature {temperature} (calibrated)"
    if len(layer.raw) == 1:
        return f"{answer}\nz: {whole}, divided by the temperature {temperature}, plus {bias[0][1]} (calibrated)"
    return f"{answer}\nz: {whole} (raw z), divided by the label's temperature, plus its bias (calibrated)"


def _of(members: Members) -> str | None:
    if members == Members():
        return None
    if members.ensemble == 1:
        return "each label's own network"
    return f"the mean probability of {members.ensemble:,} networks{' per label' * members.separate_networks}"


def _said(answer: Any) -> str:
    """A class, or labels."""
    return (listed(answer) or "no label") if isinstance(answer, list) else one_line(str(answer))


def _softmax(layer: OutputLayer) -> str:
    rows, marks = [("class", "z", "z - max", "exp(z - max)", "a = exp/sum")], [""]
    shown = _shown(layer)
    for k in shown:
        numbers = (f"{layer.logits[k]:.4f}", f"{layer.shifted[k]:.4f}", f"{layer.exps[k]:.6g}")
        rows.append((_name(layer.names[k]), *numbers, f"{layer.probabilities[k]:.6g}"))
        is_which = {"predicted": layer.names[k] == layer.predicted, "true": layer.names[k] == layer.target}
        marks.append(", ".join(word for word, holds in is_which.items() if holds))
    table = [f"{line}  {mark}" for line, mark in zip(aligned(rows).splitlines(), marks, strict=True)]
    return "\n".join(
        [*table, f"sum: 1 + {layer.others:.6g}, the largest's own and the others'{_left_out(layer, shown)}"]
    )


def _sigmoid(layer: OutputLayer) -> str:
    has_raw = layer.calibration.biases is not None
    head = ("z", "e^-|z|", "a", "threshold", "answer")
    rows = [("label" if layer.is_multi_label else "class", *["raw z"] * has_raw, *head)]
    shown = _shown(layer)
    for k in shown:
        a = layer.unit_probabilities[k]
        threshold = layer.threshold(k)
        raw = [f"{layer.raw[k]:.4f}"] * has_raw
        numbers = (*raw, f"{layer.logits[k]:.4f}", f"{layer.exps[k]:.6g}", f"{a:.6g}", f"{threshold:.6g}")
        rows.append((_name(layer.names[k]), *numbers, _yes(a > threshold)))
    table = aligned(rows)
    if layer.is_multi_label:
        return table + _left_out(layer, shown)
    other, unit = map(_name, layer.classes)
    return f"{table}\na: the probability of {unit}; that of {other} is sigmoid(-z) = {layer.probabilities[0]:.6g}"


def _losses(layer: OutputLayer) -> str:
    assert layer.total is not None
    if layer.head == "softmax":
        which = _name(layer.target)
        lines = [
            (f"loss of class {which}", "", "digits lost"),
            ("from the logits: (max - z) + log1p(others)", _number(layer.total.from_logits), ""),
            ("textbook: -log(a)", _number(layer.total.textbook), _lost(layer.total)),
        ]
        return aligned(lines)
    assert layer.truth is not None
    rows = [("loss", "true", "from the logits", "textbook", "digits lost")]
    for k in _shown(layer):
        loss = layer.losses[k]
        if loss is None:
            rows.append((_name(layer.names[k]), "unknown", "-", "-", "-"))
            continue
        both = (_number(loss.from_logits), _number(loss.textbook))
        rows.append((_name(layer.names[k]), _yes(layer.truth[k]), *both, _lost(loss)))
    if layer.is_multi_label:
        total = layer.total
        rows.append(("sum", "", _number(total.from_logits), _number(total.textbook), _lost(total)))
    return f"{aligned(rows)}\ntextbook: -t log(a) - (1 - t) log(1 - a), with t = 1 where it is true"


def _shown(layer: OutputLayer) -> list[int]:
    """Unit numbers: all, or of many the largest logits and the true ones."""
    c = len(layer.names)
    if c <= MANY:
        return list(range(c))
    chosen = set(np.argsort(-layer.logits, kind="stable")[:LARGEST].tolist())
    if layer.truth is not None:
        chosen |= set(
            np.flatnonzero(layer.truth == 1)[:LARGEST].tolist() if layer.is_multi_label else [int(layer.truth)]
        )
    return sorted(chosen)


def _left_out(layer: OutputLayer, shown: Sequence[int]) -> str:
    rest = len(layer.names) - len(shown)
    return f"\nshown are the largest logits; --json has the other {rest:,}" if rest else ""


def _name(name: Any) -> str:
    text = str(name)
    return text if len(text) <= WIDEST_NAME else f"{text[: WIDEST_NAME - 1]}…"


def _yes(flag: Any) -> str:
    return "yes" if flag else "no"


def _number(loss: np.float32) -> str:
    """Nine digits, which tell every float32 from its neighbours."""
    if loss == 0:
        return "0"
    return f"{loss:#.9g}" if np.isfinite(loss) else str(loss).replace("nan", "NaN")


def _lost(loss: Loss) -> str:
    if loss.digits_lost is None:
        return "-"
    if loss.digits_lost >= DIGITS:
        return "all"
    return "none" if loss.digits_lost < 0.05 else f"{loss.digits_lost:.1f} of {DIGITS:.1f}"
