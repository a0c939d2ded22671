"""A neural-network classifier, softmax or sigmoid, that computes everything from the logits.

>>> import fromlogits as fl
>>> clf = fl.Classifier(hidden_layer_sizes=(25, 15), random_state=0)
"""

from . import _isa as _isa  # before the core is loaded
from . import errors
from ._core import version as _version
from .classifier import Classifier, load
from .spec import Dense, Network

__version__ = _version()

__all__ = ["Classifier", "Dense", "Network", "__version__", "errors", "load"]
