"""Bodies and answers as JSON: the quick ways give what the slow and obvious ones give."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fromlogits.serving import strict_json
from fromlogits.serving.models import Answer, Served
from fromlogits.serving.refusals import Refused
from fromlogits.serving.writing import Writer
from tests.serving.running import Kind

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=3), one, max_size=4),
    max_leaves=20,
)
signs = st.text('{}[]:,"0123456789.-+eE\\ud8 \n\ttruefalsnN', max_size=12)


def parsed(body: bytes) -> Any:
    try:
        return strict_json.parsed(body)
    except Refused as refused:
        return refused.status, refused.line


def strictly(body: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(strict_json, "_quickly", lambda body: None)
        return parsed(body)


@settings(max_examples=600, deadline=None)
@given(values, signs, st.data())
@example({"a": -9223372036854775809}, "", None)
@example({"a": 18446744073709551616}, "", None)
@example({"a": [2**64, -(2**63)], "b": "1:2"}, "", None)
def test_the_quick_reader_gives_what_the_strict_one_gives(value: Any, change: str, data: st.DataObject | None) -> None:
    text = json.dumps({"rows": value})
    if data is not None and change:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + change + text[at + data.draw(st.integers(0, 3)) :]
    body = text.encode()
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert repr(parsed(body)) == repr(strictly(body, monkeypatch))


@pytest.mark.parametrize(
    "body",
    [b'{"a": 1, "a": 2}', b'{"a": [{"b": 1, "b": 1}]}', b'{"a": {"b": {"c": 1, "c": 2}}, "d": ":"}', b'{"a": NaN}'],
)
def test_what_the_quick_reader_would_take_wrongly_is_refused(body: bytes) -> None:
    status, line = parsed(body)
    assert (status, line.split(";")[0][:8]) == (400, "the body")


def test_plain_rows_are_read_quickly() -> None:
    by_name = [{"a": 0.00012345678901234567, "b": 123456789012345678}] * 3
    for rows in ([[1.5, -2, None, True, "x"]] * 3, by_name):
        body = json.dumps({"rows": rows}).encode()
        assert strict_json._quickly(body) == {"rows": rows}


@pytest.mark.parametrize("name", ["numbers", "flowers", "labels", "several"])
@pytest.mark.parametrize("wants_logits", [False, True])
def test_an_answer_is_written_as_its_objects_are(kinds: dict[str, Kind], name: str, wants_logits: bool) -> None:
    model = Served.open(str(kinds[name].path))
    rng = np.random.default_rng(0)
    n, k = 5, len(model.classes)
    bits = rng.integers(0, 0x7F7FFFFF, (n, k)).astype(np.uint32)  # float32 of every size
    flags_nk = rng.integers(0, 2, (n, k))
    decided = flags_nk if model.is_multi_label else np.asarray(model.classes)[rng.integers(0, k, n)]
    logits_nc = -bits.view(np.float32)[:, : len(model.logit_classes)]
    notes = ("100 %s were read", '"quoted"')
    answer = Answer(logits_nc, bits.view(np.float32), decided, flags_nk == 1 if name == "numbers" else None, notes)

    found = json.loads(Writer(model)(answer, (notes[1],), wants_logits=wants_logits))

    assert found["notes"] == ['"quoted".', "100 %s were read."]
    assert len(found["predictions"]) == n
    for row, entry in enumerate(found["predictions"]):
        chosen = [model.classes[place] for place in np.flatnonzero(flags_nk[row])]
        if model.is_multi_label:
            assert entry.pop("labels") == chosen
        else:
            assert entry.pop("label") == decided[row].item()
        assert entry.pop("set", chosen) == chosen
        numbers = entry.pop("probabilities")
        assert list(numbers) == [str(one) for one in model.classes]
        assert struct.pack(f"{k}f", *numbers.values()) == bits[row].tobytes()
        assert ("logits" in entry) == wants_logits
        if wants_logits:
            assert [np.float32(one) for one in entry.pop("logits").values()] == logits_nc[row].tolist()
        assert not entry


def test_a_name_with_a_percent_sign_stays_as_it_is(kinds: dict[str, Kind], monkeypatch: pytest.MonkeyPatch) -> None:
    model = Served.open(str(kinds["numbers"].path))
    monkeypatch.setattr(Served, "classes", property(lambda self: ("100 %s", '"%d"')))
    one = np.ones((1, 2), np.float32)
    answer = Answer(one[:, :1], one, np.array(['"%d"']), None, ())

    found = json.loads(Writer(model)(answer, (), wants_logits=True))

    assert found == {
        "predictions": [{"label": '"%d"', "probabilities": {"100 %s": 1, '"%d"': 1}, "logits": {'"%d"': 1}}]
    }
