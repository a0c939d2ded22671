"""What users let take part in a fit: plain functions, and the objects of scikit-learn's callback interface.

scikit-learn's (1.9 and newer) see a tree of tasks: "fit" with an "epoch" for each, or, of several networks, a "network"
for each with its epochs below. Their networks are trained side by side, but one callback is called at a time.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .engines.base import Engine
from .errors import EngineUnavailableError, InputError
from .fitting import Fit
from .members import Member
from .model import Model
from .training import Callback, EpochRecord, History

Plain = Callable[[EpochRecord], object]
CallbackOf = Callable[[int], Callback]


def plain(callbacks: object) -> tuple[Plain, ...]:
    """The functions that `fit` was given: one, or several in a list; InputError for anything else."""
    if callbacks is None:
        return ()
    several: list[Any] = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in several:
        if hasattr(callback, "on_fit_task_end"):
            raise InputError(
                f"callbacks takes functions; {type(callback).__name__} is of scikit-learn's kind: give it to"
                " set_callbacks before fit."
            )
        if not callable(callback):
            raise InputError(
                "callbacks must be a function that is called with each epoch's record, or a list of such;"
                f" got {callback!r}."
            )
    return tuple(several)


def set_on(estimator: Any, callbacks: Sequence[Any]) -> None:
    """Keep scikit-learn's callbacks on the estimator, where scikit-learn looks for them."""
    try:
        from sklearn.callback import CallbackSupportMixin
    except ImportError:
        raise EngineUnavailableError(
            "set_callbacks needs scikit-learn 1.9 or newer (pip install -U scikit-learn); fit(X, y, callbacks=[...])"
            " takes plain functions without it."
        ) from None
    CallbackSupportMixin.set_callbacks(estimator, *callbacks)


def train(
    estimator: Any,
    fit: Fit,
    functions: Sequence[Plain],
    run: Callable[[CallbackOf | None], None],
    become: Callable[[Model], Mapping[str, Any]],
    data: Mapping[str, Any],
) -> None:
    """Run the training with all callbacks in it.

    Args:
        estimator: who is fitted.
        functions: the plain callbacks.
        run: trains; takes what `members.train` takes.
        become: from a model to the attributes of the estimator that has been fitted to it.
        data: X and y as they were given, and metadata (such as sample_weight), or less.
    """
    # A meta-estimator's task goes on here even where none of its callbacks does.
    if not {"_skl_callbacks", "_parent_callback_ctx"} & vars(estimator).keys():
        run(_Taking(fit, functions).of if functions else None)
        return
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    def with_theirs(estimator: Any) -> None:
        n, max_epochs = len(fit.untrained), fit.summary.plan.max_epochs
        root = CallbackSupportMixin._init_callback_context(
            estimator, max_subtasks=max_epochs if n == 1 else n, sequential_subtasks=n == 1
        )
        told = {"estimator": estimator, **data}
        root.call_on_fit_task_begin(**told)
        run(_Taking(fit, functions, root, told, become).of)
        root.call_on_fit_task_end(**told, reconstruction_attributes={})

    with_callbacks(with_theirs)(estimator)


class _Taking:
    """The callbacks of one fit, shared by its networks."""

    def __init__(
        self,
        fit: Fit,
        functions: Sequence[Plain],
        root: Any = None,
        told: Mapping[str, Any] | None = None,
        become: Callable[[Model], Mapping[str, Any]] | None = None,
    ) -> None:
        self.fit, self.functions, self.root, self.become = fit, functions, root, become
        self.told = dict(told or {})
        self.lock = threading.Lock()

    @property
    def n_networks(self) -> int:
        return len(self.fit.untrained)

    def of(self, number: int) -> Callback:
        return _OfNetwork(self, number)


class _OfNetwork:
    """The callbacks as one network's training calls them."""

    def __init__(self, taking: _Taking, number: int) -> None:
        self._taking, self._untrained = taking, taking.fit.untrained[number]
        self._name = self._untrained.name if taking.n_networks > 1 else ""
        self._records: list[EpochRecord] = []
        self._network = self._epoch = taking.root
        if taking.root is not None and taking.n_networks > 1:
            with taking.lock:
                self._network = taking.root.subcontext(
                    task_name="network", task_id=number, max_subtasks=taking.fit.summary.plan.max_epochs
                )
                self._network.call_on_fit_task_begin(**taking.told)

    def epoch_begins(self, engine: Engine) -> None:
        if self._network is not None:
            with self._taking.lock:
                self._epoch = self._network.subcontext(task_name="epoch")
                self._epoch.call_on_fit_task_begin(
                    **self._taking.told, reconstruction_attributes=lambda: self._fitted(engine)
                )

    def epoch_ended(self, record: EpochRecord, engine: Engine) -> bool:
        self._records.append(record)
        told = dataclasses.replace(record, network=self._name)
        with self._taking.lock:
            answers = [bool(function(told)) for function in self._taking.functions]  # each is told, whoever stops
            if self._epoch is not None:
                answers.append(
                    self._epoch.call_on_fit_task_end(
                        **self._taking.told, reconstruction_attributes=lambda: self._fitted(engine)
                    )
                )
        return any(answers)

    def training_ended(self) -> None:
        if self._taking.n_networks > 1 and self._network is not None:
            with self._taking.lock:
                self._network.call_on_fit_task_end(**self._taking.told)

    def _fitted(self, engine: Engine) -> Mapping[str, Any] | None:
        """The attributes of a classifier with the network as it is now; of several networks there is none yet."""
        if self._taking.n_networks > 1 or self._taking.become is None:
            return None
        one, now = self._untrained, self._records[-1].epoch if self._records else 0
        history = History(tuple(self._records), now, "callback")
        member = Member(one.label, one.seed, one.metric, history, engine.parameters())
        return self._taking.become(self._taking.fit.model_of([member]))
