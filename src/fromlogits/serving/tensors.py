"""Tensors of the Open Inference Protocol, in JSON or as bytes behind it; both are checked before memory is taken."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.table import objects
from ..errors import InputError, brief
from .plain_data import PlainData

DTYPES: Mapping[str, str] = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Datatype -> NumPy's; BYTES has none."""
MOST_DIMENSIONS = 8
LENGTH_BYTES = 4


@dataclass(frozen=True)
class Tensor:
    """A named array.

    Attributes:
        values: of DTYPES, NaN where there is no value; or of BYTES an object array of str, None where there is none.
    """

    name: str
    datatype: str
    values: NDArray[Any]


def inputs_of(listed: Any, binary: memoryview) -> list[Tensor]:
    """The inputs of a request; those with a binary_data_size lie in `binary`, in their order. Raises InputError."""
    if not isinstance(listed, list) or not listed:
        raise InputError(f'"inputs" must be a list of tensors; it is {brief(listed)}.')
    tensors: list[Tensor] = []
    at = 0
    for one in listed:
        if not isinstance(one, dict):
            raise InputError(f"an input must be an object with name, shape, datatype and data; it is {brief(one)}.")
        name: Any = one.get("name")
        shape: Any = one.get("shape")
        datatype: Any = one.get("datatype")
        if not isinstance(name, str):
            raise InputError(f"an input must have a name; it is {brief(name)}.")
        if any(tensor.name == name for tensor in tensors):
            raise InputError(f"input {name!r} is there twice.")
        if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in DTYPES):
            raise InputError(
                f"input {name!r}: datatype must be one of {', '.join(DTYPES)}, BYTES; it is {brief(datatype)}."
            )
        is_shape = isinstance(shape, list) and 0 < len(shape) <= MOST_DIMENSIONS
        if not is_shape or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
            raise InputError(f"input {name!r}: shape must be a list of sizes; it is {brief(shape)}.")
        n_bytes = _parameters(one, f"input {name!r}").get("binary_data_size")
        if n_bytes is None:
            values = _of_json(one.get("data"), name, datatype, math.prod(shape))
        elif type(n_bytes) is not int or not 0 <= n_bytes <= len(binary) - at:
            raise InputError(
                f"input {name!r}: binary_data_size must be a part of the {len(binary):,} bytes behind the JSON;"
                f" it is {brief(n_bytes)} from byte {at:,} on."
            )
        elif "data" in one:
            raise InputError(f"input {name!r} has data and a binary_data_size too; it must have one of them.")
        else:
            values = _of_bytes(binary[at : at + n_bytes], name, datatype, math.prod(shape))
            at += n_bytes
        tensors.append(Tensor(name, datatype, values.reshape(shape)))
    if at != len(binary):
        raise InputError(f"{len(binary):,} bytes follow the JSON; the inputs' binary_data_size account for {at:,}.")
    return tensors


def _parameters(of: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    parameters = of.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InputError(f"{what}: parameters must be an object; it is {brief(parameters)}.")
    return parameters


def _of_json(data: Any, name: str, datatype: str, n: int) -> NDArray[Any]:
    """Row by row, nested or flat."""
    if isinstance(data, PlainData):
        if (of_type := data.of_type(DTYPES.get(datatype, "O"), n)) is not None:
            return of_type
        data = data.listed()  # what is wrong is found in the values as they were written
    if not isinstance(data, list):
        raise InputError(f"input {name!r}: data must be a list; it is {brief(data)}.")
    for _ in range(MOST_DIMENSIONS):
        if not any(isinstance(one, list) for one in data):
            break
        if not all(isinstance(one, list) for one in data):
            raise InputError(f"input {name!r}: data must be flat, or nested alike everywhere.")
        data = [one for part in data for one in part]
    if len(data) != n:
        raise InputError(f"input {name!r}: its shape has {n:,} values, its data {len(data):,}.")
    kinds = set(map(type, data))
    is_float = datatype.startswith("FP")
    has_gaps = type(None) in kinds and (datatype == "BYTES" or is_float)
    wanted: set[type] = (
        {str} if datatype == "BYTES" else {bool} if datatype == "BOOL" else {int, float} if is_float else {int}
    )
    if not kinds <= (wanted | {type(None)} if has_gaps else wanted):
        odd = next(value for value in data if type(value) not in wanted and not (has_gaps and value is None))
        raise InputError(f"input {name!r}: {brief(odd)} is no {datatype}.")
    if datatype == "BYTES":
        return objects(data, n)
    dtype = np.dtype(DTYPES[datatype])
    too_large = InputError(f"input {name!r}: it has a number that is too large for {datatype}.")
    if dtype.kind == "f":
        try:
            exact = np.array(data, np.float64)
        except OverflowError:
            raise too_large from None
        with np.errstate(over="ignore"):
            values = exact.astype(dtype)
        if not (np.isfinite(values) | np.isnan(exact)).all():
            raise too_large
        return values
    if dtype.kind != "b" and n and not np.iinfo(dtype).min <= min(data) <= max(data) <= np.iinfo(dtype).max:
        raise too_large
    return np.array(data, dtype)


def _of_bytes(data: memoryview, name: str, datatype: str, n: int) -> NDArray[Any]:
    if datatype == "BYTES":
        return objects(_texts(data, name, n), n)
    dtype = np.dtype(DTYPES[datatype])
    if len(data) != n * dtype.itemsize:
        raise InputError(
            f"input {name!r}: {n:,} values of {datatype} take {n * dtype.itemsize:,} bytes; binary_data_size is"
            f" {len(data):,}."
        )
    if datatype == "BOOL" and not (np.frombuffer(data, np.uint8) <= 1).all():
        raise InputError(f"input {name!r}: a byte of BOOL must be 0 or 1.")
    values = np.frombuffer(data, dtype)
    return values if values.flags.aligned else values.copy()  # it may begin anywhere in the body


def _texts(data: memoryview, name: str, n: int) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(data):
        start = at + LENGTH_BYTES
        at = start + struct.unpack_from("<I", data, at)[0] if start <= len(data) else len(data) + 1
        if at > len(data):
            raise InputError(
                f"input {name!r}: text {len(texts):,} of its BYTES is longer than binary_data_size has left."
            )
        try:
            texts.append(str(data[start:at], "utf-8"))
        except UnicodeDecodeError:
            raise InputError(f"input {name!r}: text {len(texts):,} of its BYTES is no UTF-8.") from None
    if len(texts) != n:
        raise InputError(f"input {name!r}: its shape has {n:,} values, its BYTES {len(texts):,}.")
    return texts


def bytes_of(values: NDArray[Any]) -> bytes:
    """As the protocol writes it: little-endian, row by row; of texts each with its length in front."""
    if values.dtype != object:
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    texts = [text.encode() for text in values.ravel()]
    return b"".join(part for text in texts for part in (struct.pack("<I", len(text)), text))


def outputs_asked(content: Mapping[str, Any], known: Sequence[str]) -> list[tuple[str, bool, int | None]]:
    """Name of each output wanted, whether as bytes, and of how many classes, or None: as a tensor."""
    every = _parameters(content, "the request").get("binary_data_output", False)
    if type(every) is not bool:
        raise InputError(f"binary_data_output must be true or false; it is {brief(every)}.")
    listed = content.get("outputs")
    if listed is None:
        return [(name, every, None) for name in known]
    if not isinstance(listed, list) or not listed:
        raise InputError(f'"outputs" must be a list of outputs, or not be there; it is {brief(listed)}.')
    asked: list[tuple[str, bool, int | None]] = []
    for one in listed:
        name: Any = one.get("name") if isinstance(one, dict) else None
        if name not in known:
            raise InputError(f"an output must have a name, one of {', '.join(known)}; it is {brief(name)}.")
        if any(name == other for other, _, _ in asked):
            raise InputError(f"output {name!r} is asked for twice.")
        parameters = _parameters(one, f"output {name!r}")
        is_binary, k = parameters.get("binary_data", every), parameters.get("classification")
        if type(is_binary) is not bool:
            raise InputError(f"output {name!r}: binary_data must be true or false; it is {brief(is_binary)}.")
        if k is not None and (type(k) is not int or k < 1):
            raise InputError(f"output {name!r}: classification must be a number of classes; it is {brief(k)}.")
        asked.append((name, is_binary, k))
    return asked
