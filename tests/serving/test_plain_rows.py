"""Rows of numbers, read by the core: the very matrix that JSON's own reader and `records` make, or none."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fromlogits import _core
from fromlogits.errors import InputError
from fromlogits.serving import records
from fromlogits.serving.limits import Limits
from fromlogits.serving.models import Served
from fromlogits.serving.plain_rows import PlainRows
from fromlogits.serving.refusals import Refused
from fromlogits.serving.strict_json import parsed
from tests.serving.running import Kind

MOST_ROWS = 6


@pytest.fixture(scope="module")
def by_name(kinds: dict[str, Kind]) -> dict[str, Served]:
    return {name: Served.open(str(kinds[name].path)) for name in ("numbers", "flowers", "table")}


def slowly(body: bytes, model: Served) -> Any:
    """The matrix by the way that knows all of JSON; None where that makes none, has something to say, or refuses."""
    try:
        content = parsed(body)
        if set(content) != {"rows"}:
            return None
        Limits(max_rows=MOST_ROWS).check_rows(len(content["rows"]) if isinstance(content["rows"], list) else 0)
        features, notes = records.features_of(content["rows"], model)
    except (InputError, Refused):
        return None
    return features if isinstance(features, np.ndarray) and not notes else None


def number(rng: random.Random) -> str:
    """Of every size and length, as people and programs write it."""
    kind = rng.randrange(6)
    if kind == 0:
        return repr(rng.choice([1, -1]) * math.ldexp(rng.random(), rng.randint(-1080, 1024)))
    if kind == 1:
        return str(rng.randint(-(10 ** rng.randint(1, 20)), 10 ** rng.randint(1, 20)))
    if kind == 2:
        return f"{rng.uniform(-1000, 1000):.{rng.randint(1, 25)}f}"
    if kind == 3:
        digits = "".join(rng.choices("0123456789", k=rng.randint(1, 40)))
        return f"{rng.randint(0, 9)}.{digits}{rng.choice('eE')}{rng.choice(['', '+', '-'])}{rng.randint(0, 330)}"
    if kind == 4:  # half of the way between two float64, and a little beside it
        value = math.ldexp(1 + rng.randrange(2**52) / 2**52, rng.randint(-60, 60))
        middle = (int(value * 2**112) + int(math.nextafter(value, math.inf) * 2**112)) // 2
        return f"{middle + rng.randint(-1, 1)}e0" if rng.random() < 0.5 else f"{value!r}{rng.randint(0, 99):02}"
    return rng.choice(
        ["0", "-0", "-0.0", "0e9", "1e22", "1e23", "5e-324", "2.4703282292062327e-324", "9007199254740993.0"]
    )


def test_a_number_is_the_one_that_python_reads() -> None:
    rng = random.Random(5)
    reader = _core.JsonRows(1, [])
    n_read = 0
    for _ in range(60_000):
        text = number(rng)
        found = reader.read(b'{"rows":[[%s]]}' % text.encode(), 1)
        expected = json.loads(text)
        if found is None:  # 2^53 and more, beyond float64, or smaller than all of it
            digits = text.lstrip("-0.").partition("e")[0]
            is_large = type(expected) is int and abs(expected) >= 2**53
            assert is_large or math.isinf(expected) or (expected == 0 and digits.strip("0.")), text
            continue
        n_read += 1
        assert found == np.float64(expected).tobytes(), text
    assert n_read > 40_000


plain = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**54), 2**54) | st.none()
odd = st.booleans() | st.text(max_size=2) | st.lists(plain, max_size=2) | st.integers()
rows = (
    st.lists(st.lists(plain, min_size=3, max_size=3), min_size=1, max_size=4)
    | st.lists(st.lists(plain | odd, min_size=2, max_size=4), max_size=8)
    | st.lists(
        st.permutations(["a", "b"]).flatmap(lambda k: st.fixed_dictionaries(dict.fromkeys(k, plain))), max_size=4
    )
    | st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), plain | odd, max_size=3), max_size=3)
    | st.lists(plain | odd, max_size=3)
)
signs = st.text('{}[]:,"0123456789.-+eE\\u ab\n\ttruefalsnN\xfc', max_size=8)


@settings(max_examples=1500, deadline=None)
@given(rows, st.sampled_from([None, 1]), st.sampled_from([(", ", ": "), (",", ":")]), signs, st.data())
@example([{"a": 1, "b": 2}, {"b": 3, "a": None}], None, (",", ":"), "", None)
@example([[1, 2, 3]] * (MOST_ROWS + 1), None, (",", ":"), "", None)
@example([[1, 2**53 + 1, 3]], None, (",", ":"), "", None)
@example([[None, -0.0, 0]], None, (",", ":"), "", None)
@example([[None, 0.0, 2**53]], None, (",", ":"), "", None)
@example([[1, 2, 1 - 2**53]], None, (",", ":"), "", None)
def test_a_body_is_read_as_the_slow_way_reads_it_or_left_to_it(
    by_name: dict[str, Served],
    listed: Any,
    indent: int | None,
    separators: tuple[str, str],
    change: str,
    data: st.DataObject | None,
) -> None:
    text = json.dumps({"rows": listed}, indent=indent, separators=separators)
    if data is not None and change:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + change + text[at + data.draw(st.integers(0, 3)) :]
    body = text.encode()
    for model in by_name.values():
        found, expected = PlainRows(model)(body, MOST_ROWS), slowly(body, model)
        if found is not None:
            assert expected is not None and (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert found.tobytes() == expected.tobytes()
        elif expected is not None:  # an escape in a name, or less than the smallest float64
            assert change and ("\\" in text or "e-" in text.lower()), text


def test_names_are_known_in_every_spelling(kinds: dict[str, Kind], monkeypatch: pytest.MonkeyPatch) -> None:
    names = ('Größe "1"', "a\\b\n", "\U0001f600")
    monkeypatch.setattr(Served, "columns", property(lambda self: names))
    read = PlainRows(Served.open(str(kinds["numbers"].path)))
    rows = [dict(zip(names, (1.0, 2.0, 3.0), strict=True)), dict(zip(reversed(names), (6.0, 5.0, 4.0), strict=True))]
    for is_ascii in (True, False):
        found = read(json.dumps({"rows": rows}, ensure_ascii=is_ascii).encode(), 2)
        assert found is not None and found.tolist() == [[1, 2, 3], [4, 5, 6]]
    twice = '{"rows": [{"\\ud83d\\ude00": 1, "\U0001f600": 2, "a\\\\b\\n": 3}]}'
    assert read(twice.encode(), 2) is None


def test_half_a_character_in_a_name_can_not_be_asked_for(
    kinds: dict[str, Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Served, "columns", property(lambda self: ("\ud800", "b", "c")))
    read = PlainRows(Served.open(str(kinds["numbers"].path)))
    assert read(b'{"rows": [{"\\ud800": 1, "b": 2, "c": 3}]}', 1) is None
    assert read(b'{"rows": [[1, 2, 3]]}', 1) is not None


def test_a_long_body_is_read_too(by_name: dict[str, Served]) -> None:
    x = np.random.default_rng(0).normal(size=(4000, 3))
    body = json.dumps({"rows": x.tolist()}).encode()
    assert len(body) > 200_000
    found = PlainRows(by_name["numbers"])(body, 4000)
    assert found is not None and np.array_equal(found, x)
    assert PlainRows(by_name["numbers"])(body, 3999) is None
