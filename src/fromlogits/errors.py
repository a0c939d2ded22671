"""Everything fromlogits raises on purpose.

    FromlogitsError
    ├── InputError               also a ValueError: an argument, a table or a file is not what it must be
    ├── NotFittedError           also a ValueError and an AttributeError: used before `fit`
    ├── ModelFileError           also a ValueError: not a model file, damaged, or of a newer version
    ├── EngineUnavailableError   also an ImportError: engine or library not installed; names the extra to install
    └── DivergedError            the loss stopped being finite; carries the step and the last finite loss

Each message says what must be, what was found, where, and what to do next, in one line.
"""

import re
from collections.abc import Iterable

MAX_WORD = 1000
_ENDS_OR_STEERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MIN_BEGINNING = 4


class FromlogitsError(Exception):
    """Base of all errors of this library."""


class InputError(FromlogitsError, ValueError):
    """An argument, a table or a file is not what it must be."""


class NotFittedError(FromlogitsError, ValueError, AttributeError):
    """The classifier was used before `fit` (or `load`)."""


class ModelFileError(FromlogitsError, ValueError):
    """The file is not a fromlogits model, is damaged, or needs a newer version."""


class EngineUnavailableError(FromlogitsError, ImportError):
    """An engine, or a library that draws, is not installed here; the message names the extra that brings it."""


class DivergedError(FromlogitsError):
    """Training left the finite numbers.

    Attributes:
        step: the optimizer step, from 1, at the end of which the loss was found not finite.
        last_finite_loss: mean training loss of the last span that was finite, or None.
    """

    def __init__(self, message: str, step: int = 0, last_finite_loss: float | None = None) -> None:
        super().__init__(message, step, last_finite_loss)  # all three, so that it crosses to another process
        self.step = step
        self.last_finite_loss = last_finite_loss

    def __str__(self) -> str:
        return str(self.args[0])


def brief(value: object) -> str:
    """A value as Python writes it, cut short: it may come from a stranger's file and be of any size."""
    import reprlib

    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 100
    return short.repr(value)


def one_line(text: str) -> str:
    """A text of a stranger within a line: signs that end it or move a terminal's cursor are escaped."""
    return _ENDS_OR_STEERS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def counted(n: int, noun: str) -> str:
    """So many of them: "1 row", "2,000 rows"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint to put behind an error about an unknown word: " Did you mean 'x'?" or an empty string."""
    import difflib

    if len(word) > MAX_WORD:  # the time goes with the product of the lengths
        return ""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.61)
    if not close and len(word) >= MIN_BEGINNING:  # "hiden" is near no name, but near the beginning of one
        beginnings = {name[: len(word) + 1]: name for name in reversed(names)}
        close = [beginnings[one] for one in difflib.get_close_matches(word, list(beginnings), n=1, cutoff=0.8)]
    return f" Did you mean {close[0]!r}?" if close else ""
