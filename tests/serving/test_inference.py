"""The Open Inference Protocol: metadata as it prescribes, and tensors that are the classifier's own to the bit."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from tests.serving.running import LENGTH, Kind, Reply, Running

NUMERIC = ["numbers", "flowers", "labels", "pictures", "several"]


def test_the_server_says_what_it_is(server: Running) -> None:
    assert server.ask("GET", "/v2/health/live").json == {"live": True}
    assert server.ask("GET", "/v2/health/ready").json == {"live": True, "ready": True}
    for path in ("/v2", "/v2/"):
        about = server.ask("GET", path).json
        assert (about["name"], about["extensions"]) == ("fromlogits", ["binary_tensor_data", "classification"])
        assert isinstance(about["version"], str)


def test_a_model_says_what_it_takes_and_gives(server: Running) -> None:
    about = server.ask("GET", "/v2/models/flowers").json
    assert about == {
        "name": "flowers",
        "versions": [server.about["models"]["flowers"]["version"]],
        "platform": "fromlogits",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [
            {"name": "logits", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
        ],
    }
    assert server.ask("GET", "/v2/models/flowers/ready").json == {"name": "flowers", "ready": True}
    one_unit = server.ask("GET", "/v2/models/numbers").json["outputs"]
    assert [output["shape"] for output in one_unit] == [[-1, 1], [-1, 2], [-1]]
    table = server.ask("GET", "/v2/models/table").json["inputs"]
    assert [(one["name"], one["datatype"]) for one in table] == [
        ("size", "FP64"), ("colour", "BYTES"), ("when", "BYTES"), ("gap", "FP64"), ("level", "FP64"),
        ("is_new", "FP64"),
    ]  # fmt: skip
    assert {tuple(one["shape"]) for one in table} == {(-1, 1)}


def test_a_version_is_the_file_and_no_other_is_there(server: Running, kinds: dict[str, Kind]) -> None:
    version = kinds["flowers"].path.read_bytes()[-32:].hex()[:12]
    for end in ("", "/ready"):
        path = f"/v2/models/flowers/versions/{version}{end}"
        assert server.ask("GET", path).body == server.ask("GET", f"/v2/models/flowers{end}").body
        reply = server.ask("GET", f"/v2/models/flowers/versions/1{end}")
        assert (reply.status, reply.error) == (
            404,
            f"model 'flowers' has the version {version} alone; there is no '1'.",
        )


def outputs(reply: Reply) -> dict[str, Any]:
    """Each output as an array, from JSON or from the bytes behind it."""
    assert reply.status == 200, reply.body
    at = int(reply.headers.get(LENGTH.lower(), len(reply.body)))
    content = json.loads(reply.body[:at])
    found: dict[str, Any] = {}
    for one in content["outputs"]:
        if "data" in one:
            assert "parameters" not in one
            flat = np.array(one["data"], np.float32 if one["datatype"] == "FP32" else object)
        else:
            data = reply.body[at : at + one["parameters"]["binary_data_size"]]
            at += len(data)
            flat = np.frombuffer(data, "<f4") if one["datatype"] == "FP32" else np.array(texts(data), object)
        found[one["name"]] = flat.reshape(one["shape"])
    assert at == len(reply.body)
    return found


def texts(data: bytes) -> list[str]:
    found = []
    while data:
        [length] = struct.unpack("<I", data[:4])
        found.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return found


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("name", NUMERIC)
def test_tensors_of_numbers_are_answered_to_the_bit(
    server: Running, kinds: dict[str, Kind], name: str, is_binary: bool
) -> None:
    clf = kinds[name].classifier
    x = np.asarray(kinds[name].rows).reshape(len(kinds[name].rows), -1).astype(np.float32)
    tensor: dict[str, Any] = {"name": "x", "shape": list(x.shape), "datatype": "FP32"}
    if is_binary:
        tensor["parameters"] = {"binary_data_size": x.nbytes}
        request = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
        found = outputs(server.infer(name, request, x.tobytes()))
    else:
        found = outputs(server.infer(name, {"inputs": [{**tensor, "data": x.tolist()}]}))

    assert np.array_equal(found["logits"], clf.predict_logits(x))
    assert np.array_equal(found["probabilities"], clf.predict_proba(x))
    own = ("|".join(clf.classes_[row == 1]) if name == "labels" else str(row) for row in clf.predict(x))
    assert found["label"].tolist() == list(own)


def test_a_pictures_bytes_are_as_good_as_floats(server: Running, kinds: dict[str, Kind]) -> None:
    pictures = kinds["pictures"]
    x = pictures.rows.reshape(-1, 12)
    tensor = {"name": "x", "shape": list(x.shape), "datatype": "UINT8", "parameters": {"binary_data_size": x.nbytes}}
    found = outputs(server.infer("pictures", {"inputs": [tensor]}, x.tobytes()))

    assert np.array_equal(found["probabilities"], pictures.classifier.predict_proba(pictures.rows))


@pytest.mark.parametrize("shape", [[9], [9, 1]])
def test_a_table_goes_in_column_by_column(server: Running, kinds: dict[str, Kind], shape: list[int]) -> None:
    table = kinds["table"]
    columns = {name: column.tolist() for name, column in table.rows.astype({"when": str}).items()}
    kinds_of = {str: "BYTES", float: "FP64", int: "INT64", bool: "BOOL"}
    inputs = [
        {"name": name, "shape": shape, "datatype": kinds_of[type(values[0])],
         "data": [None if value != value else value for value in values]}
        for name, values in columns.items()
    ]  # fmt: skip
    found = outputs(server.infer("table", {"inputs": inputs}))

    assert np.array_equal(found["probabilities"], table.classifier.predict_proba(table.rows))
    assert found["label"].tolist() == [str(one) for one in table.classifier.predict(table.rows)]


def test_the_classification_extension_gives_the_best_classes(server: Running, kinds: dict[str, Kind]) -> None:
    flowers = kinds["flowers"]
    x = flowers.rows.to_numpy(np.float32)
    request = {
        "inputs": [{"name": "x", "shape": list(x.shape), "datatype": "FP32", "data": x.tolist()}],
        "outputs": [
            {"name": "probabilities", "parameters": {"classification": 2}},
            {"name": "logits", "parameters": {"classification": 99, "binary_data": True}},
        ],
    }
    found = outputs(server.infer("flowers", request))
    names, best = flowers.classifier.predict_top(x, 2)
    indices = [[list(flowers.classifier.classes_).index(name) for name in row] for row in names]

    assert found["logits"].shape == (len(x), 3)
    for row, own in enumerate(found["probabilities"]):
        values, places, labels = zip(*(text.split(":") for text in own), strict=True)
        assert np.array_equal(np.array(values, np.float32), best[row])
        assert ([int(place) for place in places], list(labels)) == (indices[row], names[row].tolist())
    top_logit = [np.float32(row[0].split(":")[0]) for row in found["logits"]]
    assert np.array_equal(top_logit, flowers.classifier.predict_logits(x).max(axis=1))


def test_an_id_comes_back_and_only_what_was_asked_for(server: Running) -> None:
    request = {
        "id": "seven", "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}],
        "outputs": [{"name": "label"}],
    }  # fmt: skip
    answer = server.infer("numbers", request).json

    assert answer["id"] == "seven"
    assert [one["name"] for one in answer["outputs"]] == ["label"]
    assert (answer["model_name"], answer["model_version"]) == ("numbers", server.about["models"]["numbers"]["version"])
    assert "id" not in server.infer("numbers", {"inputs": request["inputs"]}).json


def x(shape: list[int], data: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": shape, "datatype": "FP32", "data": data, **more}


REFUSED: list[tuple[str, Any, str]] = [
    ("numbers", {}, '"inputs" must be a list of tensors; it is None.'),
    ("numbers", {"inputs": [1]}, "an input must be an object with name, shape, datatype and data; it is 1."),
    ("numbers", {"inputs": [x([1, 3], [1, 2, 3])] * 2}, "input 'x' is there twice."),
    ("numbers", {"inputs": [x([1, 2], [1, 2])]}, "input 'x' must have the shape [n, 3]; it has [1, 2]."),
    ("numbers", {"inputs": [x([3], [1, 2, 3])]}, "input 'x' must have the shape [n, 3]; it has [3]."),
    ("numbers", {"inputs": [x([0, 3], [])]}, "input 'x' must have the shape [n, 3]; it has [0, 3]."),
    ("numbers", {"inputs": [x([1, 3], [1, 2, 3], name="y")]}, "there is no input 'y'; the inputs are 'x'."),
    ("numbers", {"inputs": [x([1, 3], ["1", "2", "3"], datatype="BYTES")]}, "input 'x' must hold numbers, as FP32; it is BYTES."),
    ("numbers", {"id": 7, "inputs": [x([1, 3], [1, 2, 3])]}, "id must be a text; it is 7."),
    ("numbers", {"inputs": [x([1, 3], [1, 2, 3])], "outputs": [{"name": "y"}]}, "an output must have a name, one of logits, probabilities, label; it is 'y'."),
    ("numbers", {"inputs": [x([1, 3], [1, 2, 3])], "outputs": [{"name": "label", "parameters": {"classification": 1}}]}, "classification is for probabilities and logits; label is one text a row already."),
    ("numbers", {"inputs": [x([1, 3], [1, 2, 3])], "outputs": [{"name": "logits", "parameters": {"classification": 1}}]}, "this model has one logit for two classes; ask for the classification of probabilities."),
    ("table", {"inputs": [x([1, 3], [1, 2, 3])]}, "there is no input 'x'; the inputs are 'size', 'colour', "),
    ("table", {"inputs": [x([1], [1], name="size")]}, "input 'colour' is missing; the inputs are 'size', 'colour', "),
]  # fmt: skip


@pytest.mark.parametrize(("model", "request_", "line"), REFUSED, ids=range(len(REFUSED)))
def test_a_request_that_is_not_right_gets_one_line(server: Running, model: str, request_: Any, line: str) -> None:
    reply = server.infer(model, request_)

    assert reply.status == 400
    assert reply.error.startswith(line)


@pytest.mark.parametrize("length", ["-1", "x", "", "9999", "1e1", "٣"])
def test_a_length_of_json_that_can_not_be_is_refused(server: Running, length: str) -> None:
    headers = {LENGTH: length.encode("utf-8").decode("latin-1")}
    reply = server.ask("POST", "/v2/models/numbers/infer", b"{}", headers)

    assert reply.status == 400
    assert reply.error.startswith(f"{LENGTH} must be the bytes of JSON in a body of 2;")


def test_rows_that_the_network_can_not_hold_are_refused_by_their_number(server: Running) -> None:
    data = [0, 0, 0, 1e300, 1e300, 1e300]
    reply = server.infer("numbers", {"inputs": [x([2, 3], data, datatype="FP64")]})

    assert reply.status == 400
    assert "row 1: the value lies so far from the training rows" in reply.error
