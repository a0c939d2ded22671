"""A time limit: what of a training fits into it, chosen before it starts, and when it has to stop all the same."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import training
from .errors import InputError, brief
from .fitting import Fit
from .members import Member

RESERVE = 0.02
"""Share of the limit that is kept beside what is reckoned with."""
MARGIN = 1.1
"""Trial steps run alone and on warm caches; several networks at a time share the memory."""
CALIBRATION_S = 2e-6
"""For each logit of the validation rows: calibration and figures took 0.3 to 1.9 µs (one core of an AMD EPYC)."""
SAVING_S, BYTES_PER_S = 0.05, 1e8
"""A file is hashed, written and synced."""


@dataclass(frozen=True)
class Amount:
    """How much is trained.

    Attributes:
        n_rounds: the size of the ensemble.
        max_epochs: of each network.
    """

    n_rounds: int
    max_epochs: int


@dataclass(frozen=True)
class Limit:
    """What a time limit makes of a training.

    Attributes:
        seconds: as it was asked for; None: there is none.
        stop_at: when networks stop after their span, so that the rest is done in time; by `time.perf_counter`.
        planned, chosen: what there would be without the limit, and what is trained.
        fits: whether an epoch of every network that is trained does.
    """

    seconds: float | None
    stop_at: float
    planned: Amount
    chosen: Amount
    fits: bool = True

    def has_cut_short(self, trained: Sequence[Member], n_networks: int) -> bool:
        """Whether some of so many networks were stopped, or did not begin."""
        stopped = any(one.history.stopped_by == "time_limit" for one in trained)
        return self.seconds is not None and (stopped or len(trained) < n_networks)

    @property
    def words(self) -> str:
        """What is left out, or "" where all fits."""
        if self.seconds is None:
            return ""
        limit = f"the time limit of {self.seconds:g} s"
        if not self.fits:
            return f"{limit} leaves no time for an epoch of each network; what is reached until then is kept"
        parts = []
        if self.chosen.n_rounds < self.planned.n_rounds:
            parts.append(f"an ensemble of {self.chosen.n_rounds:,} instead of {self.planned.n_rounds:,}")
        if self.chosen.max_epochs < self.planned.max_epochs:
            parts.append(f"at most {self.chosen.max_epochs:,} epochs instead of {self.planned.max_epochs:,}")
        return f"{limit} leaves time for {' and '.join(parts)}" if parts else ""


def checked(time_limit: object) -> float | None:
    """Seconds, or None; InputError for anything else."""
    if time_limit is None:
        return None
    is_number = hasattr(time_limit, "__float__") and not isinstance(time_limit, (bool, str))
    seconds = float(time_limit) if is_number else math.nan  # type: ignore[arg-type]
    if not 0 < seconds < math.inf:
        raise InputError(f"time_limit must be a number of seconds above 0, or None; got {brief(time_limit)}.")
    return seconds


def within(fit: Fit, time_limit: object, started: float) -> tuple[Fit, Limit]:
    """The part of a training that fits, by trial steps, into a limit of so many seconds from `started` on.

    First the ensemble gets smaller, down to one network for each fold; then the epochs get fewer, and the schedule is
    that of so many epochs. Where not even one epoch of these fits, there are fewer networks, one at least.
    """
    seconds, summary = checked(time_limit), fit.summary
    planned = Amount(summary.members.ensemble, summary.plan.max_epochs)
    if seconds is None:
        return fit, Limit(None, math.inf, planned, planned)
    a_round = summary.n_networks // planned.n_rounds

    def estimate(n_rounds: int) -> float:
        return MARGIN * fit.estimate(n_rounds * a_round)

    end = started + (1 - RESERVE) * seconds
    stop_at = end - reserve(fit, planned.n_rounds)
    chosen, fits = choose(stop_at - time.perf_counter(), planned, summary.plan.folds, estimate)
    if chosen != planned:
        stop_at = end - reserve(fit, chosen.n_rounds)
        fit = fit.reduced(chosen.n_rounds, chosen.max_epochs)
    return fit, Limit(seconds, stop_at, planned, chosen, fits)


def choose(seconds: float, planned: Amount, fewest: int, estimate: Callable[[int], float]) -> tuple[Amount, bool]:
    """What of a plan fits into so many seconds, and whether an epoch of each network does.

    Args:
        fewest: rounds that are given up last.
        estimate: of so many rounds, the seconds of all epochs.
    """
    if estimate(planned.n_rounds) <= seconds:
        return planned, True
    n_rounds = fewest + bisect_right(range(fewest, planned.n_rounds), seconds, key=estimate) - 1
    if n_rounds >= fewest:
        return Amount(n_rounds, planned.max_epochs), True
    max_epochs = math.floor(seconds * planned.max_epochs / estimate(fewest))
    if max_epochs >= 1:
        return Amount(fewest, max_epochs), True
    n_rounds = bisect_right(range(1, fewest), seconds * planned.max_epochs, key=estimate)
    return Amount(max(n_rounds, 1), 1), n_rounds >= 1


def reserve(fit: Fit, n_rounds: int) -> float:
    """Seconds that are kept for what follows the training of so many rounds: the last span and epoch's judgement, the
    validation rows' logits, calibration and figures, and the file."""
    summary = fit.summary
    n_networks = n_rounds * (summary.n_networks // summary.members.ensemble)
    n_outputs = summary.network.n_outputs * (n_networks // n_rounds)
    judging = fit.judging_seconds(n_networks)
    calibration = CALIBRATION_S * n_outputs * (summary.n_valid + summary.n_kept)
    file = SAVING_S + 4 * summary.network.n_parameters * n_networks / BYTES_PER_S
    return training.SPAN_S + judging + calibration + file
