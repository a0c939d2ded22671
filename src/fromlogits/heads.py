"""What an output layer is: its probabilities, its loss per row, its decision. All of it from logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import logits as from_logits
from .spec import HeadName

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
THRESHOLD = 0.5
BLOCK = 1 << 18
"""Float64 logits that are combined at a time."""


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

    def combine(self, members: Sequence[Float32]) -> Float32:
        """The logits of an ensemble, (n, c): those of the mean of its members' probabilities.

        Args:
            members: the logits of each, (n, c). Those of a single one come back as they are.

        Numerics: in float64 from the logits, rounded once; no probability is made, so none rounds to 0 or 1.
        """
        if len(members) == 1:
            return members[0]
        combined_nc = np.empty_like(members[0])
        n_rows = max(1, BLOCK // (len(members) * combined_nc.shape[1]))
        for start in range(0, len(combined_nc), n_rows):
            rows = slice(start, start + n_rows)
            combined_nc[rows] = self._combined(np.stack([z_nc[rows] for z_nc in members]).astype(np.float64))
        return combined_nc

    @abstractmethod
    def _combined(self, logits_mnc: Float64) -> Float64:
        """Of m members, (n, c)."""

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

    def _combined(self, logits_mnc: Float64) -> Float64:
        """The logarithm of the mean probability."""
        return _log_mean_exp(from_logits.log_softmax(logits_mnc))


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

    def _combined(self, logits_mnc: Float64) -> Float64:
        """log p − log(1 − p) of the mean p.

        Where both logarithms are nearly equal their difference is lost: with p = ½ + ½·tanh(z/2), it is
        2·atanh of the mean of tanh(z/2).
        """
        yes_nc = _log_mean_exp(from_logits.log_sigmoid(logits_mnc))
        no_nc = _log_mean_exp(from_logits.log_sigmoid(-logits_mnc))
        lean_nc = np.tanh(0.5 * logits_mnc).mean(axis=0)
        is_near_0 = np.abs(lean_nc) < 0.5
        return np.where(is_near_0, 2.0 * np.arctanh(np.where(is_near_0, lean_nc, 0.0)), yes_nc - no_nc)


def _log_mean_exp(x_mnc: Float64) -> Float64:
    """logsumexp over the members minus log m, for x <= 0: both terms below are at most 0, so nothing cancels."""
    top_nc = x_mnc.max(axis=0)
    return np.asarray(top_nc + np.log1p(np.expm1(x_mnc - top_nc).mean(axis=0)))


HEADS: dict[str, Head] = {"softmax": Softmax(), "sigmoid": Sigmoid()}
