"""The contract of an engine: it holds parameters, takes steps and returns logits. No code here.

Dimension letters: n rows, d features, h units of a layer, c outputs, k entries of a row order, s steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..data.features import EncodedRows
from ..data.label_sets import SparseLabels
from ..spec import HeadName, Network, Plan

Parameters = list[tuple[NDArray[np.float32], ...]]
"""Per layer its arrays, in the order and of the shapes of `Network.arrays`, row-major."""


@dataclass(frozen=True)
class Weights:
    """What counts how much in the loss that is trained.

    Attributes:
        each: of every row, float64 (n,), or with sigmoid of every entry (n, c); finite, at least 0, and where all rows
            that are trained on are known, in the mean 1 over them. What weighs 0 takes no part. None: 1.
        positive: of the sigmoid head, what target 1 of each output counts beside target 0; float64 (c,). None: 1.
    """

    each: NDArray[np.float64] | None = None
    positive: NDArray[np.float64] | None = None


UNWEIGHTED = Weights()


@dataclass(frozen=True)
class Steps:
    """The numbers of s steps that follow a schedule, float64 (s,) each.

    Attributes:
        rates: learning rates.
        decays: what the plan's weight_decay is times; at least 0. None: 1.
        dropouts: shares of the units that are dropped, in steps of 1/65536. None: the plan's.
    """

    rates: NDArray[np.float64]
    decays: NDArray[np.float64] | None = None
    dropouts: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rates)


class Engine(ABC):
    """A network with its parameters. Same seed, same bits: of the native engine for any number of threads.

    The others' products are those of a library, NumPy's or PyTorch's, which may round otherwise for another number of
    threads; theirs are the same bits for the same number.
    """

    name: ClassVar[str]
    side_by_side: ClassVar[bool] = True
    """Whether several are trained at a time, each on some of the threads, whose number may change on the way."""
    n_threads: int

    @abstractmethod
    def __init__(self, network: Network, head: HeadName, *, n_threads: int = 1) -> None:
        """`network` has its input width and ends in a linear layer."""

    @abstractmethod
    def initialise(self, seed: int) -> None:
        """Draw the parameters as `initialisation.initial_parameters` does."""

    @abstractmethod
    def parameters(self, into: Parameters | None = None) -> Parameters:
        """Copies, first layer first: in new arrays, or in those of an earlier call."""

    @abstractmethod
    def set_parameters(self, parameters: Parameters) -> None:
        """The inverse of `parameters`."""

    @abstractmethod
    def start(self, plan: Plan, seed: int) -> None:
        """Forget the optimizer's state: the next step is step 0 of this plan. `seed` fixes the dropout.

        What each array learns at is the learning rate times `rates.rate_factors`; what decays, `rates.decay_factors`.
        """

    @abstractmethod
    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any] | SparseLabels,
        order_k: NDArray[np.int64],
        steps: Steps,
        loss: float = 0.0,
        weights: Weights = UNWEIGHTED,
    ) -> float:
        """Take s = ceil(k / batch_size) steps; step i trains on the rows order_k[i·batch_size : (i+1)·batch_size].

        Args:
            features: all rows. Sparse ones are for networks of dense layers alone: ValueError.
            targets: softmax: class indices, int32 (n,), or probabilities, float32 (n, c); sigmoid: 0/1 or
                probabilities, float32 (n, c), or 0/1 as SparseLabels, which gives the same bits; NaN where a label is
                unknown: it has no loss and no gradient.
            order_k: row numbers in the order they are trained on.
            steps: one of each number for each step.
            loss: of the spans before this one.
            weights: of all rows: a step's gradient is that of Σ weight · loss over its rows, by their number.

        Returns:
            `loss` plus, added step by step, the sum over the k rows of each row's weighted loss before the step that it
            takes part in: softmax cross-entropy, or the sum over labels of the sigmoid cross-entropy; in nats. So a
            span's length changes no bits, neither of the parameters nor of an epoch's loss.
        """

    @abstractmethod
    def finish(self) -> None:
        """Give back the memory of steps; what is left predicts with exactly what `parameters` gives."""

    @abstractmethod
    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """(n, c) of all rows, or of those in `rows`, in that order.

        A row has the same bits alone or among any others: of the native engine always; of the torch engine as far as
        the library treats the rows of one product alike, since all of its products have the same shape; of the
        reference to within float64 rounding. Rows beside the ones that are asked for cost neither time nor memory.
        """
