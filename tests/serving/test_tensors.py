"""Tensors as the protocol writes them: what is read is what was written, and nothing else is read."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fromlogits.errors import InputError
from fromlogits.serving.plain_data import content_of
from fromlogits.serving.refusals import Refused
from fromlogits.serving.strict_json import parsed
from fromlogits.serving.tensors import DTYPES, bytes_of, inputs_of, outputs_asked

NONE = memoryview(b"")


def read(binary: bytes = b"", **tensor: Any) -> Any:
    [one] = inputs_of([{"name": "x", **tensor}], memoryview(binary))
    return one.values


@pytest.mark.parametrize("datatype", DTYPES)
def test_numbers_come_back_as_they_were_from_bytes_and_from_json(datatype: str) -> None:
    dtype = np.dtype(DTYPES[datatype])
    if dtype.kind in "iu":
        values = np.array([0, 1, np.iinfo(dtype).min, np.iinfo(dtype).max, 7, 5], dtype).reshape(2, 3)
    elif dtype.kind == "f":
        values = np.array([0, -1.5, np.finfo(dtype).max, np.finfo(dtype).tiny, 0.1, 3], dtype).reshape(2, 3)
    else:
        values = np.array([True, False, True, True, False, False]).reshape(2, 3)
    n_bytes = {"binary_data_size": values.nbytes}

    for found in (
        read(bytes_of(values), datatype=datatype, shape=[2, 3], parameters=n_bytes),
        read(datatype=datatype, shape=[2, 3], data=values.tolist()),
        read(datatype=datatype, shape=[2, 3], data=values.ravel().tolist()),
    ):
        assert found.dtype == dtype
        assert np.array_equal(found, values)


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=8))
def test_texts_come_back_as_they_were(texts: list[str]) -> None:
    body = bytes_of(np.array([*texts, None], object)[:-1])
    found = read(body, datatype="BYTES", shape=[len(texts)], parameters={"binary_data_size": len(body)})

    assert found.tolist() == texts
    assert read(datatype="BYTES", shape=[len(texts)], data=texts).tolist() == texts


def test_null_is_a_missing_value_where_there_can_be_one() -> None:
    assert np.isnan(read(datatype="FP32", shape=[2], data=[None, 1.5])).tolist() == [True, False]
    assert read(datatype="BYTES", shape=[2], data=[None, "a"]).tolist() == [None, "a"]
    for datatype in ("INT64", "BOOL"):
        with pytest.raises(InputError, match=f"input 'x': None is no {datatype}."):
            read(datatype=datatype, shape=[1], data=[None])


BAD: dict[str, dict[str, Any]] = {
    "an input must have a name; it is None.": {"name": None},
    "input 'x': datatype must be one of BOOL, ": {"datatype": "FP8"},
    "input 'x': shape must be a list of sizes; it is []": {"shape": []},
    "input 'x': shape must be a list of sizes; it is [-1]": {"shape": [-1]},
    "input 'x': shape must be a list of sizes; it is [2.0]": {"shape": [2.0]},
    "input 'x': shape must be a list of sizes; it is [True]": {"shape": [True]},
    "input 'x': shape must be a list of sizes; it is [4294967296]": {"shape": [2**32]},
    "input 'x': data must be a list; it is None.": {"data": None},
    "input 'x': its shape has 2 values, its data 3.": {"data": [1, 2, 3]},
    "input 'x': data must be flat, or nested alike everywhere.": {"data": [1, [2]]},
    "input 'x': 'a' is no FP32.": {"data": [1, "a"]},
    "input 'x': True is no FP32.": {"data": [1, True]},
    "input 'x': it has a number that is too large for FP32.": {"data": [1, 1e39]},
    "input 'x': 1.5 is no INT8.": {"datatype": "INT8", "data": [1.5, 1]},
    "input 'x': it has a number that is too large for INT8.": {"datatype": "INT8", "data": [1, 128]},
    "input 'x': it has a number that is too large for UINT8.": {"datatype": "UINT8", "data": [1, -1]},
    "input 'x': it has a number that is too large for INT64.": {"datatype": "INT64", "data": [1, 2**63]},
    "input 'x': it has a number that is too large for UINT64.": {"datatype": "UINT64", "data": [-1, 2**63]},
    "input 'x': it has a number that is too large for FP64.": {"datatype": "FP64", "data": [1, 10**400]},
    "input 'x': parameters must be an object; it is [].": {"parameters": []},
    "input 'x': binary_data_size must be a part of the 0 bytes behind the JSON; it is 8 from byte 0 on.": {
        "parameters": {"binary_data_size": 8}
    },
}


@pytest.mark.parametrize(("line", "change"), BAD.items(), ids=range(len(BAD)))
def test_a_tensor_that_is_not_right_is_refused(line: str, change: dict[str, Any]) -> None:
    good = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}
    with pytest.raises(InputError) as raised:
        inputs_of([{**good, **change}], NONE)

    assert str(raised.value).startswith(line)


def text_of(*lengths: int) -> bytes:
    return b"".join(struct.pack("<I", length) for length in lengths)


@pytest.mark.parametrize(
    ("binary", "tensor", "line"),
    [
        (b"1234567", {"datatype": "FP32", "n": 7}, "input 'x': 2 values of FP32 take 8 bytes; binary_data_size is 7."),
        (b"12345678", {"datatype": "FP32", "n": 4}, "input 'x': 2 values of FP32 take 8 bytes; binary_data_size is 4."),
        (b"\x00\x02", {"datatype": "BOOL", "n": 2}, "input 'x': a byte of BOOL must be 0 or 1."),
        (text_of(2**32 - 1, 0), {"datatype": "BYTES", "n": 8}, "input 'x': text 0 of its BYTES is longer than"),
        (text_of(0) + b"\x00", {"datatype": "BYTES", "n": 5}, "input 'x': text 1 of its BYTES is longer than"),
        (text_of(0), {"datatype": "BYTES", "n": 4}, "input 'x': its shape has 2 values, its BYTES 1."),
        (text_of(1) + b"\xff", {"datatype": "BYTES", "n": 5}, "input 'x': text 0 of its BYTES is no UTF-8."),
        (
            b"123456789",
            {"datatype": "FP32", "n": 8},
            "9 bytes follow the JSON; the inputs' binary_data_size account for 8.",
        ),
        (b"", {"datatype": "FP32", "n": "8"}, "input 'x': binary_data_size must be a part of the 0 bytes"),
    ],
)
def test_bytes_that_are_not_right_are_refused(binary: bytes, tensor: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as raised:
        read(binary, datatype=tensor["datatype"], shape=[2], parameters={"binary_data_size": tensor["n"]})

    assert str(raised.value).startswith(line)


def test_what_is_asked_for_is_read() -> None:
    known = ("logits", "label")
    assert outputs_asked({}, known) == [("logits", False, None), ("label", False, None)]
    assert outputs_asked({"parameters": {"binary_data_output": True}}, known)[0] == ("logits", True, None)
    asked = {"outputs": [{"name": "label", "parameters": {"binary_data": True, "classification": 2}}]}
    assert outputs_asked(asked, known) == [("label", True, 2)]
    bad: list[Any] = [
        [], {}, [1], [{"name": "x"}], [{"name": "label"}] * 2, [{"name": "label", "parameters": {"classification": 0}}],
        [{"name": "label", "parameters": {"classification": True}}], [{"name": "label", "parameters": {"binary_data": 1}}],
    ]  # fmt: skip
    for outputs in bad:
        with pytest.raises(InputError):
            outputs_asked({"outputs": outputs}, known)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "y"]) | values,
        "datatype": st.sampled_from([*DTYPES, "BYTES"]) | values,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | values,
    },
    optional={
        "data": st.lists(st.integers() | st.floats() | st.none() | st.text(max_size=3), max_size=9) | values,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 20)}) | values,
    },
)


@settings(max_examples=400)
@given(st.lists(tensors, max_size=3) | values, st.binary(max_size=30))
def test_whatever_comes_is_read_or_refused(listed: Any, binary: bytes) -> None:
    try:
        found = inputs_of(listed, memoryview(binary))
    except InputError as error:
        assert str(error)
    else:
        assert all(one.values.shape == tuple(said["shape"]) for one, said in zip(found, listed, strict=True))


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-300, 300) | st.integers() | st.none()
plain = st.lists(numbers, max_size=6) | st.lists(st.lists(st.integers(-9, 300), max_size=3), max_size=3)
bodies = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "data", '"']),
        "datatype": st.sampled_from([*DTYPES, "BYTES"]),
        "shape": st.lists(st.integers(1, 6), min_size=1, max_size=2) | values,
        "data": plain | plain | values,
    },
    optional={"parameters": st.just({}) | st.fixed_dictionaries({"data": plain})},
)
signs = st.text('{}[]:,"0123456789.-+eE\\u data\n\ttruefalsnN', max_size=6)


def inputs_in(body: bytes, read: Any) -> Any:
    """Of each input its type, shape and bytes; or why there are none."""
    try:
        found = inputs_of(read(body).get("inputs"), NONE)
    except (InputError, Refused) as error:
        return error.args
    return [
        (one.name, one.datatype, one.values.dtype, one.values.shape)
        + ((one.values.tolist(),) if one.datatype == "BYTES" else (one.values.tobytes(),))
        for one in found
    ]


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@settings(max_examples=1500, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=2) | bodies, signs, st.data())
@example([{"name": "x", "datatype": "INT8", "shape": [2], "data": [1, -129]}], "", None)
@example([{"name": "x", "datatype": "UINT64", "shape": [2], "data": [2**64 - 1, 0]}], "", None)
@example([{"name": "x", "datatype": "FP16", "shape": [2, 1], "data": [[65504], [-0.0]]}], "", None)
@example([{"name": "x", "datatype": "FP32", "shape": [1], "data": [1e39]}], "", None)
@example([{"name": "x", "datatype": "FP32", "shape": [1], "parameters": {"data": [1]}}], "", None)
@example([{"name": "x", "datatype": "INT8", "shape": [1], "data": [1.0]}], "", None)
@example([{"name": "x", "datatype": "INT8", "shape": [1], "data": [None]}], "", None)
@example([{"name": "x", "datatype": "BOOL", "shape": [1], "data": [1]}], "", None)
@example([{"name": "x", "datatype": "BYTES", "shape": [1], "data": [None]}], "", None)
def test_data_that_is_cut_out_is_what_it_is_in_its_place(listed: Any, change: str, data: st.DataObject | None) -> None:
    text = json.dumps({"inputs": listed, "id": "7"})
    if data is not None and change:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + change + text[at + data.draw(st.integers(0, 3)) :]
    body = text.encode()
    assert inputs_in(body, content_of) == inputs_in(body, parsed)


def test_plain_data_is_cut_out() -> None:
    for text in ("[1, 2.5, null]", "[[1, 2], [-3, 4e1]]"):
        body = '{"inputs": [{"name": "x", "data" :\nDATA, "shape": [3]}], "id": "1"}'.replace("DATA", text)
        content = content_of(body.encode())
        assert content["inputs"][0]["data"].text == text.encode()
        assert {**content["inputs"][0], "data": None} == {"name": "x", "data": None, "shape": [3]}


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_bytes_come_are_an_object_of_json_or_refused(body: bytes) -> None:
    try:
        content = parsed(body)
    except Refused as refused:
        assert refused.status == 400
    else:
        assert content == json.loads(body)
