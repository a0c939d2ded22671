"""Clients that nobody here wrote, unmodified: `nox -s clients` installs them."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import numpy as np
import pytest

from tests.serving.running import Kind, Running

AWAY = "its client is not installed; nox -s clients installs it"


@pytest.fixture
def triton() -> Any:
    return pytest.importorskip("tritonclient.http", reason=AWAY)


@pytest.fixture
def kserve() -> Any:
    return pytest.importorskip("kserve", reason=AWAY)


def of(values: np.ndarray) -> str:
    return {"f4": "FP32", "f8": "FP64"}.get(values.dtype.str[1:], "BYTES")


def test_tritons_client_asks_for_everything(server: Running, kinds: dict[str, Kind], triton: Any) -> None:
    with triton.InferenceServerClient(f"localhost:{server.port}") as client:
        assert client.is_server_live() and client.is_server_ready()
        assert client.get_server_metadata()["extensions"] == ["binary_tensor_data", "classification"]
        version = server.about["models"]["flowers"]["version"]
        assert client.is_model_ready("flowers") and client.is_model_ready("flowers", version)
        assert not client.is_model_ready("nobody")
        assert client.get_model_metadata("flowers", version)["inputs"][0]["shape"] == [-1, 2]
        with pytest.raises(importlib.import_module("tritonclient.utils").InferenceServerException) as raised:
            client.get_model_metadata("nobody")
        assert "there is no model 'nobody'" in str(raised.value)


@pytest.mark.parametrize("is_binary", [True, False])
def test_tritons_client_gets_the_classifiers_bits(
    server: Running, kinds: dict[str, Kind], triton: Any, is_binary: bool
) -> None:
    flowers = kinds["flowers"]
    x = flowers.rows.to_numpy(np.float32)
    tensor = triton.InferInput("x", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x, binary_data=is_binary)
    names = ("logits", "probabilities", "label")
    asked = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in names]
    with triton.InferenceServerClient(f"localhost:{server.port}") as client:
        for outputs in (asked, None):
            result = client.infer("flowers", [tensor], outputs=outputs, request_id="7")
            assert result.get_response()["id"] == "7"
            assert np.array_equal(result.as_numpy("logits"), flowers.classifier.predict_logits(x))
            assert np.array_equal(result.as_numpy("probabilities"), flowers.classifier.predict_proba(x))
            labels = [one.decode() if isinstance(one, bytes) else one for one in result.as_numpy("label")]
            assert labels == flowers.classifier.predict(x).tolist()
        best = triton.InferRequestedOutput("probabilities", binary_data=is_binary, class_count=1)
        [text, *_] = client.infer("flowers", [tensor], outputs=[best]).as_numpy("probabilities")[0]
        assert (text.decode() if isinstance(text, bytes) else text).split(":")[2] in flowers.classifier.classes_


def test_tritons_client_sends_a_table_column_by_column(server: Running, kinds: dict[str, Kind], triton: Any) -> None:
    table = kinds["table"]
    tensors = []
    for name, column in table.rows.astype({"when": str, "level": float, "is_new": float}).items():
        values = column.to_numpy(np.float64 if column.dtype.kind == "f" else object).reshape(-1, 1)
        tensors.append(triton.InferInput(name, list(values.shape), of(values)))
        tensors[-1].set_data_from_numpy(values)
    with triton.InferenceServerClient(f"localhost:{server.port}") as client:
        found = client.infer("table", tensors).as_numpy("probabilities")

    assert np.array_equal(found, table.classifier.predict_proba(table.rows))


@pytest.mark.parametrize("is_binary", [True, False])
def test_kserves_client_gets_the_classifiers_bits(
    server: Running, kinds: dict[str, Kind], kserve: Any, is_binary: bool
) -> None:
    flowers = kinds["flowers"]
    x = flowers.rows.to_numpy(np.float32)
    url = f"http://localhost:{server.port}"

    async def scene() -> Any:
        config = kserve.inference_client.RESTConfig(protocol="v2")
        async with kserve.InferenceRESTClient(config) as client:
            assert await client.is_server_live(url) and await client.is_server_ready(url)
            assert await client.is_model_ready(url, "flowers")
            tensor = kserve.InferInput("x", list(x.shape), "FP32")
            tensor.set_data_from_numpy(x, binary_data=is_binary)
            request = kserve.InferRequest("flowers", [tensor], request_id="7")
            return await client.infer(url, request, model_name="flowers")

    result = asyncio.run(scene())
    found = {one.name: one.as_numpy() for one in result.outputs}
    assert result.id == "7"
    assert np.array_equal(found["logits"], flowers.classifier.predict_logits(x))
    assert np.array_equal(found["probabilities"], flowers.classifier.predict_proba(x))
