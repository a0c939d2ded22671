"""Models in the forms of other programs: which there are, by the ending of a file's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..errors import InputError

if TYPE_CHECKING:
    from ..classifier import Classifier


@dataclass(frozen=True)
class Exported:
    """A model in another form.

    Attributes:
        content: the file's bytes; the same model gives the same.
        about: what the file is and takes and gives, by name.
        notes: what of the model it does not hold.
    """

    content: bytes
    about: dict[str, str]
    notes: tuple[str, ...] = ()


class Format(ABC):
    """A form that a model can be written in."""

    ending: ClassVar[str]

    @abstractmethod
    def export(self, classifier: Classifier) -> Exported:
        """The fitted classifier in this form.

        Raises:
            InputError: the form can't say what the classifier does; the message says what.
            EngineUnavailableError: the library that writes it is not installed.
        """


def format_of(path: Path) -> Format:
    """By the ending of the name; InputError for one that no form has."""
    from .lesson import Lesson
    from .onnx import Onnx

    formats: tuple[Format, ...] = (Onnx(), Lesson())
    for one in formats:
        if path.suffix.lower() == one.ending:
            return one
    known = " or ".join(one.ending for one in formats)
    raise InputError(f"OUT {path}: a model is exported to a file whose name ends in {known}.")
