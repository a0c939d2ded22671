"""What is wrong with a svmlight file: found by walking through its lines slowly, when there is reason to."""

from __future__ import annotations

import re

from ..errors import InputError
from .numbers import EXACT_INTEGERS, NUMBER, number_fault
from .schema import MAX_FEATURES

MAX_NUMBER_CHARACTERS = 400
"""A float64 written out in full, exponent apart, has up to 767 digits; nothing that is written to be read has these."""

_INDEX = re.compile(r"0|[1-9][0-9]*+")
_NUMBER = re.compile(NUMBER)
_SIZES = re.compile(rb"[0-9]{1,15} [0-9]{1,15} [0-9]{1,15}\s*")  # rows, features, labels: how some collections begin


class _Fault(Exception):
    """What is wrong, and at which character of the line, from 0."""

    def __init__(self, place: int, words: str) -> None:
        super().__init__(place, words)
        self.place = place
        self.words = words


def refuse_first_fault(name: str, text: bytes, first_line: int) -> None:
    """Raise InputError for the first line that is not as it must be.

    Args:
        name: of the file.
        text: whole lines.
        first_line: the number of the first of them.
    """
    for number, line in enumerate(text.split(b"\n")[:-1], first_line):
        if number == 1 and _SIZES.fullmatch(line):
            raise InputError(
                f"{name} line 1 holds the sizes of the file, {line.decode().strip()!r}, and no row; take the line out."
            )
        try:
            _check(line.removesuffix(b"\r"))
        except _Fault as fault:
            raise InputError(f"{name} line {number}, character {fault.place + 1}: {fault.words}") from None


def _check(raw: bytes) -> None:
    try:
        line = raw.decode()
    except UnicodeDecodeError as error:
        raise _Fault(error.start, f"the byte 0x{raw[error.start]:02x} is not UTF-8 text.") from None
    if "\0" in line:
        raise _Fault(line.index("\0"), "a NUL byte. Is it text at all?")
    content, comment, _ = line.partition("#")
    tokens = [(match.start(), match[0]) for match in re.finditer(r"[^ \t]+", content)]
    if not tokens:
        if content:
            raise _Fault(
                0,
                f"the line holds spaces{' and a comment' if comment else ''} only. Take it out; or, if it is a row"
                " without labels and features, give it a feature of value 0, as in 1:0.",
            )
        return
    if ":" not in tokens[0][1] and tokens[0][0] > 0:
        raise _Fault(
            tokens[0][0],
            f"a line that starts with a space has no label, and here {_shown(tokens[0][1])} stands where index:value"
            " must. Take the space away if it is the label.",
        )
    if ":" not in tokens[0][1]:
        _check_labels(*tokens.pop(0))
    last = -1
    for place, token in tokens:
        last = _check_pair(place, token, last)


def _check_labels(place: int, token: str) -> None:
    seen = set()
    for text in token.split(","):
        if not text:
            raise _Fault(place, "a label is missing beside a comma.")
        _check_length(place, text)
        if not _NUMBER.fullmatch(text):
            raise _Fault(
                place, f"a label must be a whole number; found {_shown(text)}. Number the classes, or give a table."
            )
        number = float(text)
        if abs(number) > EXACT_INTEGERS:
            raise _Fault(place, f"a label must lie within ±(2^53 - 1); found {_shown(text)}.")
        if number != int(number):
            raise _Fault(
                place,
                f"a label must be a whole number; found {_shown(text)}, which looks like a measured value: put it into"
                " classes first.",
            )
        if number in seen:
            raise _Fault(place, f"the label {_shown(text)} stands twice in the line; write it once.")
        seen.add(number)
        place += len(text) + 1


def _check_pair(place: int, token: str, last: int) -> int:
    """The index of a feature, where nothing is wrong with it; `last` is the one before."""
    if token.startswith("qid:"):
        raise _Fault(
            place, "qid: marks a query of a ranking task, which fromlogits does not learn. Take the qid: entries out."
        )
    index, colon, value = token.partition(":")
    if not colon:
        raise _Fault(place, f"a feature must be written index:value, as in 7:1.5; found {_shown(token)}.")
    if not _INDEX.fullmatch(index) or len(index) > 15 or int(index) > MAX_FEATURES:
        raise _Fault(place, f"an index must be a whole number from 0 or 1 to {MAX_FEATURES:,}; found {_shown(index)}.")
    number = int(index)
    if number == last:
        raise _Fault(place, f"index {index} stands twice in the line; add its values up or take one out.")
    if number < last:
        raise _Fault(place, f"indices must ascend along a line; {index} follows {last}. Sort the line by index.")
    place += len(index) + 1
    if not value:
        raise _Fault(place, f"index {index} has no value; leave it out if it is 0.")
    _check_length(place, value)
    if fault := _number_fault(value):
        raise _Fault(place, f"the value of index {index} must be a finite number; found {_shown(value)}{fault}.")
    return number


def _number_fault(text: str) -> str:
    """As `number_fault`, which takes white space around a number and knows how to read decimal commas."""
    if "," in text and _NUMBER.fullmatch(text.replace(",", ".", 1)):
        return "; decimals are written with a point, as in 1.5"
    return number_fault(text) or ("" if _NUMBER.fullmatch(text) else ", which is not a number")


def _check_length(place: int, text: str) -> None:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise _Fault(
            place,
            f"a number may have {MAX_NUMBER_CHARACTERS} characters; found {len(text):,}, {text[:20]!r}... . Write fewer"
            " digits.",
        )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
