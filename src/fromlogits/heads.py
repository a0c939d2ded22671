"""What an output layer is: its probabilities, its loss per row, its decision. All of it from logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import logits as from_logits
from .spec import HeadName

Float32 = NDArray[np.float32]
THRESHOLD = 0.5


class Head(ABC):
    """A kind of output layer over c linear units."""

    name: ClassVar[HeadName]

    @abstractmethod
    def probabilities(self, logits_nc: Float32) -> Float32:
        """(n, c)."""

    @abstractmethod
    def log_probabilities(self, logits_nc: Float32) -> Float32:
        """(n, c)."""

    @abstractmethod
    def losses(self, logits_nc: Float32, targets: NDArray[Any]) -> NDArray[np.float64]:
        """Loss of each row in nats, (n,); `targets` as for `Engine.train_span`."""

    @abstractmethod
    def decide(self, logits_nc: Float32) -> NDArray[np.int64]:
        """Class indices (n,), or a 0/1 matrix (n, c): by the probabilities as they are returned, rounded."""

    def describe(self, units: int) -> str:
        plural = "unit" if units == 1 else "units"
        return f"{units} linear {plural}, {self.name} head, loss from logits"


class Softmax(Head):
    """One class out of c."""

    name = "softmax"

    def probabilities(self, logits_nc: Float32) -> Float32:
        return from_logits.softmax(logits_nc)

    def log_probabilities(self, logits_nc: Float32) -> Float32:
        return from_logits.log_softmax(logits_nc)

    def losses(self, logits_nc: Float32, targets: NDArray[Any]) -> NDArray[np.float64]:
        return from_logits.softmax_losses(logits_nc, targets)

    def decide(self, logits_nc: Float32) -> NDArray[np.int64]:
        return np.asarray(self.probabilities(logits_nc).argmax(axis=1), np.int64)  # ties go to the lowest index


class Sigmoid(Head):
    """Any subset of c labels; with one unit, the yes/no question."""

    name = "sigmoid"

    def probabilities(self, logits_nc: Float32) -> Float32:
        return from_logits.sigmoid(logits_nc)

    def log_probabilities(self, logits_nc: Float32) -> Float32:
        return from_logits.log_sigmoid(logits_nc)

    def losses(self, logits_nc: Float32, targets: NDArray[Any]) -> NDArray[np.float64]:
        losses_n: NDArray[np.float64] = from_logits.sigmoid_losses(logits_nc, targets).sum(axis=1)
        return losses_n

    def decide(self, logits_nc: Float32) -> NDArray[np.int64]:
        return (self.probabilities(logits_nc) > THRESHOLD).astype(np.int64)


HEADS: dict[str, Head] = {"softmax": Softmax(), "sigmoid": Sigmoid()}
