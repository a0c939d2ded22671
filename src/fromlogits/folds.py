"""Folds inside one training: what each network is trained on, and what is said of a row by those that never saw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import splits
from .data.features import EncodedRows
from .heads import HEADS
from .members import Logits, seeds
from .spec import HeadName

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Folds:
    """The rows that take part, shared out among folds, and after every `count` rounds of networks shared out anew.

    Round i leaves out the (i mod count)-th fold; separate networks of one round leave out the same rows.

    Attributes:
        count: of folds.
        rows: numbers of the rows that take part, sorted (m,).
        deals: for each `count` rounds the fold of each of these rows, from 0 (m,).
    """

    count: int
    rows: Rows
    deals: tuple[Rows, ...]

    @classmethod
    def of(
        cls,
        split: Mapping[str, Any],
        n_rounds: int,
        rows: Rows,
        examples: splits.Targets,
        n_classes: int,
        groups: Rows | None = None,
    ) -> Folds | None:
        """Those of so many rounds, by a split as the training record describes it; None where it describes none.

        Args:
            split: {"kind": "folds", "folds", "seed"}; it may come from a stranger.
            rows: numbers of the rows that take part.
            examples, n_classes, groups: of these rows, as `splits.folds` takes them.
        """
        count, seed = split.get("folds"), split.get("seed")
        if split.get("kind") != "folds" or type(count) is not int or count < 2:
            return None
        if type(seed) is not int or not 0 <= seed < 2**63:
            return None
        return cls(
            count,
            rows,
            tuple(
                splits.folds(examples, n_classes, count, own, groups, option="--set folds=")
                for own in seeds(seed, n_rounds)[::count]
            ),
        )

    def judged(self, number: int) -> Rows:
        """Places in `rows` of those that round `number` leaves out."""
        return np.flatnonzero(self.deals[number // self.count] == number % self.count)

    def trained_on(self, number: int) -> Rows:
        """Numbers of the rows that it is trained on."""
        return np.delete(self.rows, self.judged(number))

    def out_of_fold(self, networks: Logits, features: EncodedRows, head: HeadName) -> tuple[Rows, NDArray[np.float32]]:
        """What the networks that were not trained on a row make of it: the ensemble of these alone.

        Args:
            networks: the first rounds, perhaps not all.
            features: of all rows.

        Returns:
            Places in `rows` of those that have such a network, sorted (n,), and their logits (n, c), not calibrated.
        """
        by_deal: list[NDArray[np.float32]] = []
        is_last = np.zeros(len(self.rows), bool)
        for number in range(networks.n_rounds):
            places = self.judged(number)
            own_nc = networks.of_round(number, features, self.rows[places])
            if number % self.count == 0:
                by_deal.append(np.zeros((len(self.rows), own_nc.shape[1]), np.float32))
                is_last[:] = False
            by_deal[-1][places] = own_nc
            is_last[places] = True
        combine, last = HEADS[head].combine, np.flatnonzero(is_last)
        of_last_nc = combine([logits_nc[last] for logits_nc in by_deal])
        if len(by_deal) == 1:
            return last, of_last_nc
        logits_nc = combine(by_deal[:-1])
        logits_nc[last] = of_last_nc
        return np.arange(len(self.rows)), logits_nc
