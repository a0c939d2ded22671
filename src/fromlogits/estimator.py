"""What scikit-learn's tools ask of an estimator, without its base class: it is imported inside the calls alone."""

from __future__ import annotations

import inspect
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from .callbacks import set_on
from .errors import InputError, NotFittedError, nearest
from .model import Model

P = ParamSpec("P")
R = TypeVar("R")
OF_ONE_FIT = ("_model", "_engine", "_ready", "_increments")
"""What is fitted beside the attributes whose names end in an underscore."""
PACKAGE = __name__.partition(".")[0]
ROUTED = ("fit", "partial_fit", "score")
"""Methods with arguments beside X and y."""


class NamedAsASetting(Generic[P, R]):
    """A method whose name a setting has too.

    The attribute is the method; assigning to it sets the setting, which `get_params` reads.
    """

    def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None:
        self._method, self._name = method, method.__name__
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], R]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self._method if instance is None else self._method.__get__(instance, owner)

    def __set__(self, instance: object, value: Any) -> None:
        vars(instance)[self._name] = value


class Parameterised(ABC):
    """Parameters, tags and metadata of a classifier whose constructor's keywords are its settings."""

    def __new__(cls, *positional: Any, **settings: Any) -> Self:
        """Refuses an unknown setting with the nearest known one, as `set_params` does."""
        parameters = inspect.signature(cls.__init__).parameters
        known = cls._parameter_names()
        takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
        for name in () if takes_any else settings:
            if name not in known:
                raise UnknownArgument(  # a TypeError too, as Python's own
                    f"{cls.__name__} has no setting {name!r}.{nearest(name, known)} Known: {', '.join(known)}."
                )
        return super().__new__(cls)

    def __init_subclass__(cls) -> None:
        """Its signature is that of its settings, not of `__new__`."""
        super().__init_subclass__()
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's settings."""
        own = vars(self)  # not getattr, which finds a method of that name
        return {name: own[name] for name in self._parameter_names()}

    def set_params(self, **settings: Any) -> Self:
        """Change settings; an unknown one is refused with the nearest known one."""
        known = self._parameter_names()
        for name, value in settings.items():
            if name not in known:
                raise InputError(
                    f"Invalid parameter {name!r} for {type(self).__name__}.{nearest(name, known)}"
                    f" Known: {', '.join(known)}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = {name: repr(p.default) for name, p in inspect.signature(type(self).__init__).parameters.items()}
        values = {name: repr(value) for name, value in self.get_params().items()}
        stated = [f"{name}={value}" for name, value in values.items() if value != defaults[name]]
        return f"{type(self).__name__}({', '.join(stated)})"

    # What scikit-learn's tools ask

    @abstractmethod
    def __sklearn_is_fitted__(self) -> bool: ...

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_label=True),
            input_tags=InputTags(sparse=True, allow_nan=True),
        )

    def get_metadata_routing(self) -> Any:
        """Which of the arguments beside X and y each method asks a meta-estimator for: scikit-learn's object."""
        from sklearn.base import clone
        from sklearn.utils.metadata_routing import MetadataRequest

        if "_metadata_request" in vars(self):
            return clone(self._metadata_request)
        request = MetadataRequest(owner=self)
        for method in ROUTED:
            for name in self._metadata(method):
                getattr(request, method).add_request(param=name, alias=None)
        return request

    def set_fit_request(self, **requests: bool | str | None) -> Self:
        """Which arguments of `fit` meta-estimators pass on, as in `set_fit_request(sample_weight=True)`.

        For scikit-learn's metadata routing, which `sklearn.set_config(enable_metadata_routing=True)` turns on.
        True: pass it on if it is given; False: don't; None: an error if it is given; a name: it is given under that.
        """
        return self._set_request("fit", requests)

    def set_partial_fit_request(self, **requests: bool | str | None) -> Self:
        """Which arguments of `partial_fit` meta-estimators pass on; as for `set_fit_request`."""
        return self._set_request("partial_fit", requests)

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Which arguments of `score` meta-estimators pass on; as for `set_fit_request`."""
        return self._set_request("score", requests)

    def _set_request(self, method: str, requests: dict[str, bool | str | None]) -> Self:
        import sklearn

        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError(  # the kind that scikit-learn's own estimators raise
                "metadata routing is off; turn it on by sklearn.set_config(enable_metadata_routing=True)."
            )
        known = self._metadata(method)
        for name in requests:
            if name not in known:
                # A TypeError too, as for a keyword that a function does not have.
                raise UnknownArgument(
                    f"{method} has no argument {name!r} to be routed; it has {', '.join(known) or 'none'}."
                    f"{nearest(name, known)}"
                )
        request = self.get_metadata_routing()
        for name, alias in requests.items():
            getattr(request, method).add_request(param=name, alias=alias)
        self._metadata_request = request
        return self

    def _metadata(self, method: str) -> list[str]:
        """The arguments of a method beside X and y."""
        return [name for name in inspect.signature(getattr(self, method)).parameters if name not in ("X", "y")]


class Estimator(Parameterised):
    """The same, with a fitted `Model`, which is copied and pickled as its file is written."""

    _model: Model
    _engine: str

    def __sklearn_is_fitted__(self) -> bool:
        return "_model" in vars(self)

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Let objects of scikit-learn's callback interface (`sklearn.callback`, 1.9 and newer) take part in `fit`.

        They see the task "fit" with an "epoch" for each, or of several networks a "network" for each with its epochs
        below. `fitted_estimator` is the network as it is after the epoch, not calibrated; of several networks None.
        X and y are those that `fit` was given, held-out rows included. None given: none take part any more.
        """
        set_on(self, callbacks)
        return self

    # Copies and pickles

    def __getstate__(self) -> dict[str, Any]:
        """The settings and the bytes that `save` writes: no training data, and nothing that loading would not check."""
        state = {name: value for name, value in vars(self).items() if not _is_fitted_attribute(name)}
        if self.__sklearn_is_fitted__():
            state["_model"], state["_engine"] = self._model.to_bytes(), self._engine
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = {name: value for name, value in state.items() if not _is_fitted_attribute(name)}
        vars(self).update(own)
        if "_model" in state:
            model = Model.from_bytes(state["_model"], f"pickled {type(self).__name__}")
            self._become(model, engine=state["_engine"])

    @abstractmethod
    def _become(self, model: Model, networks: Any = None, engine: str | None = None) -> None:
        """Set every fitted attribute; it predicts by these networks, or by new ones of engines of this name."""

    def _unfit(self) -> None:
        """Forget everything of an earlier fit."""
        for name in [name for name in vars(self) if _is_fitted_attribute(name)]:
            delattr(self, name)


class UnknownArgument(InputError, TypeError):
    """A keyword that a method, or the constructor, does not have."""


def _is_fitted_attribute(name: str) -> bool:
    return (name.endswith("_") and not name.startswith("_")) or name in OF_ONE_FIT


def warn_caller(words: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the line that called into this library, however deep inside it is found out."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        level, frame = level + 1, frame.f_back
    warnings.warn(words, category, stacklevel=level)


def not_fitted(message: str) -> NotFittedError:
    """Also scikit-learn's own NotFittedError where it is loaded, so that its tools recognise it."""
    theirs = sys.modules.get("sklearn.exceptions")
    if theirs is None:
        return NotFittedError(message)
    bases = (NotFittedError, theirs.NotFittedError)
    # Made anew in the process that it reaches: a class without a module of its own can't be pickled by name.
    both = type("NotFittedError", bases, {"__reduce__": lambda error: (not_fitted, (str(error),))})
    error: NotFittedError = both(message)
    return error
