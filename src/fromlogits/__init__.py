"""A neural-network classifier, softmax or sigmoid, that computes everything from the logits.

>>> import fromlogits as fl
>>> clf = fl.Classifier(hidden_layer_sizes=(25, 15), random_state=0)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from . import _isa as _isa  # before the core is loaded
from . import errors
from ._core import version as _version

if TYPE_CHECKING:
    from . import textbook
    from .classifier import Classifier, load
    from .logits import (
        log_sigmoid,
        log_softmax,
        logsumexp,
        sigmoid,
        sigmoid_cross_entropy,
        softmax,
        softmax_cross_entropy,
    )
    from .mlp_classifier import MLPClassifier
    from .spec import Dense, Embedding, Network, Periodic, PiecewiseLinear, Residual, Scaling

__version__ = _version()

__all__ = [
    "Classifier",
    "Dense",
    "Embedding",
    "MLPClassifier",
    "Network",
    "Periodic",
    "PiecewiseLinear",
    "Residual",
    "Scaling",
    "__version__",
    "errors",
    "load",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "sigmoid",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "textbook",
]

# Loaded on first use, so that the import costs no more than NumPy and the core.
_FROM_LOGITS = (
    "softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid", "softmax_cross_entropy", "sigmoid_cross_entropy"
)  # fmt: skip
_ROOMS = {
    "Classifier": "classifier",
    "load": "classifier",
    "MLPClassifier": "mlp_classifier",
    **dict.fromkeys(("Dense", "Embedding", "Network", "Periodic", "PiecewiseLinear", "Residual", "Scaling"), "spec"),
    **dict.fromkeys(_FROM_LOGITS, "logits"),
}


def __getattr__(name: str) -> object:
    if name == "textbook":
        return import_module(".textbook", __name__)
    if name not in _ROOMS:
        raise AttributeError(f"module 'fromlogits' has no attribute {name!r}")
    value: object = getattr(import_module(f".{_ROOMS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
