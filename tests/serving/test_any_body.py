"""Whatever a body holds, it is answered or refused in one line, and never by a fault of ours."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fromlogits.errors import InputError
from fromlogits.serving import files, pictures, records
from fromlogits.serving.models import Served
from tests.serving.running import JSON, Kind, Running

COLUMNS = ["size", "colour", "when", "gap", "level", "is_new"]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
    | st.sampled_from(["red", "2024-02-30", "2024-03-01 10:00", "yes", "1e5", "007", " 1 "])
)  # fmt: skip
cells = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
objects = st.fixed_dictionaries({name: scalars for name in COLUMNS}, optional={"new": cells})
rows = st.lists(
    objects
    | st.dictionaries(st.sampled_from(COLUMNS), cells, max_size=6)
    | st.lists(scalars, min_size=3, max_size=3)
    | cells,
    max_size=4,
)


@functools.cache
def opened(path: Path) -> Served:
    return Served.open(str(path))


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("name", ["table", "numbers", "pictures"])
def test_any_rows_of_json_are_answered_or_refused(kinds: dict[str, Kind], name: str) -> None:
    model = opened(kinds[name].path)

    @settings(max_examples=150, deadline=None)
    @given(rows)
    def check(listed: Any) -> None:
        try:
            features, _ = records.features_of(listed, model)
            answer = model.answer(features)
        except InputError as error:
            assert str(error)
        else:
            assert len(answer) == len(listed)
            assert np.isfinite(answer.probabilities_nk).all()

    check()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_text_is_answered_or_refused(kinds: dict[str, Kind], data: st.DataObject) -> None:
    model = opened(kinds["table"].path)
    good = kinds["table"].rows.to_csv(index=False).encode()
    at, change = data.draw(st.integers(0, len(good))), data.draw(st.binary(max_size=6))
    body = good[:at] + change + good[at + data.draw(st.integers(0, 30)) :]
    with contextlib.ExitStack() as until:
        try:
            features, _ = files.features_of(body, "text/csv", None, {}, model, until)
            assert len(model.answer(features)) == len(features)
        except InputError as error:
            assert tempfile.gettempdir() not in str(error)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "BMP", "WEBP"]), st.data())
def test_any_picture_is_answered_or_refused(kinds: dict[str, Kind], form: str, data: st.DataObject) -> None:
    model = opened(kinds["pictures"].path)
    into = io.BytesIO()
    Image.fromarray(kinds["pictures"].rows[0]).save(into, form)
    body = bytearray(into.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(1, 2 * len(body))) :]
    kind = next(kind for kind, name in pictures.FORMATS.items() if name == form)
    try:
        assert pictures.features_of(bytes(body), kind, model)[0].shape == (1, 4, 3)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "where", ['{"rows": [{"\\ud800": 1}]}', '{"rows": [{"size": "\\uDC80\\ud83d"}]}', '{"id": "\\uD800"}']
)
def test_half_a_character_is_refused_and_a_whole_one_taken(server: Running, where: str) -> None:
    for path, headers in (("/v1/models/table/predict", JSON), ("/v2/models/table/infer", {})):
        reply = server.ask("POST", path, where, headers)
        assert (reply.status, reply.error) == (
            400,
            "the body must be JSON; one of its texts has half of a surrogate pair.",
        )
    whole = {"size": 1, "colour": "\U0001f600", "when": None, "gap": 1, "level": 2, "is_new": True, "\U0001f600": 1}
    reply = server.predict("table", [whole])  # json.dumps writes it as a pair
    assert reply.status == 200
    assert reply.json["notes"][0] == "columns that the model does not know were ignored: \U0001f600."
