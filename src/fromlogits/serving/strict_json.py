"""JSON as the standard has it: no key twice, no NaN, no half of a character, and a depth that the reader bears."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import orjson

from ..errors import brief
from .refusals import Refused

MOST_DIGITS = 18
"""Of an integer that surely fits into 64 bits."""
_SHAPES = bytes.maketrans(b"123456789[,: \t\r\n-", b"000000000,,,,,,,,")


def parsed(body: bytes) -> dict[str, Any]:
    """The object that a body holds; raises Refused for anything else."""
    value = _quickly(body)
    if value is None:
        value = _strictly(body)
    if not isinstance(value, dict):
        raise Refused(400, f"the body must be a JSON object; it is {brief(value)}.")
    return value


def _quickly(body: bytes) -> Any:
    """The value, in a fifth of the time; None where orjson may have taken what is refused, or lost a digit.

    It keeps the last of equal keys: none are equal where there are as many keys as colons. It makes a float of an
    integer beyond 64 bits: none is where no integer is so long.
    """
    if b"," + (MOST_DIGITS + 1) * b"0" in (b"," + body).translate(_SHAPES):
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:  # the strict reader finds the words
        return None
    return value if _has_keys(value, body.count(b":")) else None


def _has_keys(value: Any, n: int) -> bool:
    """Whether the objects in a value have n keys in all, where they can't have more; looks no deeper than it must."""
    level = [value]
    while level:
        objects = [one for one in level if type(one) is dict]
        n -= sum(map(len, objects))
        if n == 0:
            return True
        lists = (one for one in level if type(one) is list)
        level = [*chain.from_iterable(one.values() for one in objects), *chain.from_iterable(lists)]
    return False


def _strictly(body: bytes) -> Any:
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise Refused(400, f"the body must be JSON in UTF-8; byte {error.start} is 0x{byte:02x}.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, character {error.colno}"
        raise Refused(400, f"the body must be JSON; at {where}: {error.msg.lower()}.") from None
    except RecursionError:
        raise Refused(400, "the body must be JSON; its brackets are nested too deep.") from None
    except ValueError:  # an integer of thousands of digits
        raise Refused(400, "the body must be JSON; one of its integers is too long for any number.") from None
    if b"\\ud" in body.lower():  # the escape of a surrogate, which is half a character where it is alone
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Refused(400, "the body must be JSON; one of its texts has half of a surrogate pair.") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Refused(400, f"the body has an object with the key {twice!r} twice.")
    return found


def _constant(word: str) -> Any:
    raise Refused(400, f"the body has {word}, which is no JSON; write null where there is no value.")
