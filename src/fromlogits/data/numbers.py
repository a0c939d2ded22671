"""What counts as a number in text: as Python's float() reads it, without its words and underscores."""

from __future__ import annotations

import math
import re

EXACT_INTEGERS = 2**53 - 1
"""Up to here float64 tells neighbouring integers apart."""

NUMBER = r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
INTEGER = r"[+-]?[0-9]+"
ANY_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
COMMA_NUMBER = r"[+-]?(?:0|[1-9][0-9]*)(?:,[0-9]+)?(?:[eE][+-]?[0-9]+)?"
"""A number with a comma before its decimals, or without decimals."""
THOUSANDS = r"\s*[+-]?[1-9][0-9]{0,2},[0-9]{3}\s*"
"""A comma that may stand before decimals or between thousands."""

CODE = ", which has a leading zero: a code, not a number"
TOO_LONG = ", an integer too long for float64, which is exact below 2^53"

NOT_A_NUMBER = ", which is not a number"
NOT_FINITE = ", which is not a finite number"

_CODE = re.compile(r"[+-]?0[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NOT_FINITE = re.compile(r"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)


_AS_WRITTEN = re.compile(r"0|-?[1-9][0-9]{0,17}")


def is_integer(text: str) -> bool:
    """Whether a text is an integer of 64 bits as one writes it, so that it comes back as the same text."""
    return bool(_AS_WRITTEN.fullmatch(text))


def is_not_finite(text: str) -> bool:
    """Whether a text is one of the words for NaN and infinity that float() takes."""
    return bool(_NOT_FINITE.fullmatch(text.strip(" \t\n\r\f\v")))


def number_fault(text: str) -> str:
    """Why a text is no number, to be put behind it in a message; "" when it is one."""
    text = text.strip(" \t\n\r\f\v")
    if _NOT_FINITE.fullmatch(text):
        return NOT_FINITE
    if _CODE.fullmatch(text):
        return CODE
    if _DECIMAL_COMMA.fullmatch(text):
        return "; --decimal , says that a comma stands before decimals"
    if not re.fullmatch(NUMBER, text):
        return NOT_A_NUMBER
    if not math.isfinite(float(text)):
        return ", which float64 can only hold as infinity"
    if re.fullmatch(INTEGER, text) and abs(int(text)) > EXACT_INTEGERS:
        return TOO_LONG
    return ""
