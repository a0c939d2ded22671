"""The endpoint for people: what goes in as JSON, CSV or a picture comes out as the classifier itself decides."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fromlogits as fl
from fromlogits.data.pictures.files import PictureFiles
from fromlogits.data.table import Matrix
from tests.serving.running import JSON, Kind, Running, serving

NAMES = ["numbers", "flowers", "labels", "table", "several"]


def as_rows(rows: Any) -> list[Any]:
    """What a person writes: null where there is no value, dates as texts."""
    if isinstance(rows, np.ndarray):
        return [list(map(float, row)) for row in rows.reshape(len(rows), -1)]
    records = rows.astype({"when": str}) if "when" in rows else rows
    return list(json.loads(records.to_json(orient="records", double_precision=15)))


def exactly(rows: Any) -> Any:
    """The rows whose values survive their way through JSON's decimals."""
    if isinstance(rows, np.ndarray):
        return rows.round(3)
    return rows.round({name: 3 for name in rows.select_dtypes("float")})


def probabilities(answer: Any) -> np.ndarray:
    return np.array([list(one["probabilities"].values()) for one in answer["predictions"]]).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_the_classifiers_own_to_the_bit(server: Running, kinds: dict[str, Kind], name: str) -> None:
    clf, rows = kinds[name].classifier, exactly(kinds[name].rows)
    reply = server.predict(name, as_rows(rows), "?logits=true")

    assert reply.status == 200, reply.body
    answer, own = reply.json, clf.predict(rows)
    assert np.array_equal(probabilities(answer), clf.predict_proba(rows))
    logits = np.array([list(one["logits"].values()) for one in answer["predictions"]]).astype(np.float32)
    assert np.array_equal(logits, clf.predict_logits(rows))
    if name == "labels":
        assert [one["labels"] for one in answer["predictions"]] == [
            [label for label, is_set in zip(clf.classes_, row, strict=True) if is_set] for row in own
        ]
    else:
        assert [one["label"] for one in answer["predictions"]] == own.tolist()
    assert list(answer["predictions"][0]["probabilities"]) == [str(one) for one in clf.classes_]


def test_costs_and_thresholds_decide_and_not_the_largest_probability(server: Running, kinds: dict[str, Kind]) -> None:
    flowers = kinds["flowers"]
    answer = server.predict("flowers", as_rows(flowers.rows)).json
    most_probable = flowers.classifier.classes_[probabilities(answer).argmax(axis=1)]
    assert any(one["label"] != best for one, best in zip(answer["predictions"], most_probable, strict=True))

    labels = kinds["labels"]
    answer = server.predict("labels", as_rows(labels.rows)).json
    above_half = [(row > 0.5).sum() for row in probabilities(answer)]
    assert any(len(one["labels"]) != count for one, count in zip(answer["predictions"], above_half, strict=True))


def test_a_model_with_prediction_sets_gives_them_for_its_coverage_or_another(
    server: Running, kinds: dict[str, Kind]
) -> None:
    clf, rows = kinds["numbers"].classifier, kinds["numbers"].rows

    for query, coverage in (("", None), ("?coverage=0.95", 0.95)):
        sets = clf.predict_set(exactly(rows), coverage)
        answer = server.predict("numbers", as_rows(exactly(rows)), query).json
        assert [one["set"] for one in answer["predictions"]] == [clf.classes_[row].tolist() for row in sets]
    assert "set" not in server.predict("several", [[0, 0, 0]]).json["predictions"][0]
    reply = server.predict("several", [[0, 0, 0]], "?coverage=0.9")
    assert reply.status == 400 and "no rows kept for prediction sets" in reply.error


@pytest.mark.parametrize(("kind", "separator"), [("text/csv", ","), ("text/tab-separated-values", "\t")])
def test_a_table_as_text_is_read_as_predict_reads_a_file(
    server: Running, kinds: dict[str, Kind], kind: str, separator: str
) -> None:
    table = kinds["table"]
    text = table.rows.to_csv(index=False, sep=separator).encode()
    answer = server.ask("POST", "/v1/models/table/predict", text, {"Content-Type": kind})

    assert answer.status == 200, answer.body
    assert np.array_equal(probabilities(answer.json), table.classifier.predict_proba(table.rows))


def test_a_query_says_how_a_text_is_to_be_read(server: Running, kinds: dict[str, Kind]) -> None:
    text = "a;b\n1,5;2,5\n-1;unknown\n"
    headers = {"Content-Type": "text/csv; charset=utf-16"}
    path = "/v1/models/flowers/predict?separator=%3B&decimal=,&missing=unknown"
    reply = server.ask("POST", path, text.encode("utf-16"), headers)
    own = kinds["flowers"].classifier.predict_proba(pd.DataFrame({"a": [1.5, -1.0], "b": [2.5, np.nan]}))

    assert np.array_equal(probabilities(reply.json), own)
    assert reply.json["notes"] == ["body.csv: 'unknown' stands for a missing value, as told."]


def test_a_row_of_a_text_that_the_model_can_not_take_is_said_with_its_line(server: Running) -> None:
    text = "size,colour,when,gap,level,is_new\n1,red,2024-03-01,1,2,yes\n1,red,yesterday,1,2,no\n"
    reply = server.ask("POST", "/v1/models/table/predict", text, {"Content-Type": "text/csv"})

    assert reply.status == 400
    assert reply.error.startswith("column 'when' must hold dates as in 2024-01-31") and "body.csv line 3" in reply.error


def test_json_lines_are_read_too(server: Running, kinds: dict[str, Kind]) -> None:
    flowers = kinds["flowers"]
    rows = exactly(flowers.rows)
    reply = server.ask(
        "POST", "/v1/models/flowers/predict", rows.to_json(orient="records", lines=True),
        {"Content-Type": "application/x-ndjson"},
    )  # fmt: skip

    assert np.array_equal(probabilities(reply.json), flowers.classifier.predict_proba(rows))


def picture(pixels: np.ndarray, form: str = "PNG") -> bytes:
    into = io.BytesIO()
    Image.fromarray(pixels).save(into, form)
    return into.getvalue()


def test_a_picture_of_the_trainings_shape_is_predicted(server: Running, kinds: dict[str, Kind]) -> None:
    pictures = kinds["pictures"]
    for form, kind in (("PNG", "image/png"), ("BMP", "image/bmp")):
        body = picture(pictures.rows[2], form)
        reply = server.ask("POST", "/v1/models/pictures/predict", body, {"Content-Type": kind})
        assert reply.status == 200, reply.body
        assert np.array_equal(probabilities(reply.json), pictures.classifier.predict_proba(pictures.rows[2:3]))


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (picture(np.zeros((3, 4), np.uint8)), "the picture must be 4 x 3 of grey, as those of the training; it is 3 x 4 of grey."),
        (picture(np.zeros((4, 3, 3), np.uint8)), "the picture must be 4 x 3 of grey, as those of the training; it is 4 x 3 of colour."),
        (picture(np.zeros((4, 3), np.uint8), "BMP"), "the body is no PNG picture."),
        (b"", "the body is no PNG picture."),
        (picture(np.zeros((4, 3), np.uint8))[:-24], "the PNG picture is damaged or cut off."),
    ],
)  # fmt: skip
def test_another_picture_is_refused_in_one_line(server: Running, body: bytes, line: str) -> None:
    reply = server.ask("POST", "/v1/models/pictures/predict", body, {"Content-Type": "image/png"})

    assert (reply.status, reply.error) == (400, line)


def test_a_model_of_files_takes_a_picture_of_any_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 4, 3, 3), dtype=np.uint8)
    rows = Matrix(pixels.reshape(60, -1), (4, 3, 3), pictures=PictureFiles())
    clf = fl.Classifier(hidden_layer_sizes=(6,), max_epochs=2, random_state=0)
    clf.fit(rows, (pixels.mean(axis=(1, 2, 3)) > 128).astype(int)).save(tmp_path / "files.safetensors")
    large = np.asarray(Image.fromarray(pixels[0]).resize((60, 80)))
    with serving(tmp_path / "files.safetensors") as running:
        reply = running.ask("POST", "/v1/models/files/predict", picture(large), {"Content-Type": "image/png"})
        bad = running.ask("POST", "/v1/models/files/predict", picture(large)[:99], {"Content-Type": "image/png"})

    expected = np.asarray(Image.fromarray(large).resize((3, 4), Image.Resampling.BILINEAR))
    assert np.array_equal(probabilities(reply.json), clf.predict_proba(expected[None]))
    assert (bad.status, bad.error) == (400, "the picture can't be used: it is damaged or cut off.")


def test_what_is_unusual_in_the_rows_is_said(server: Running, kinds: dict[str, Kind]) -> None:
    [row] = as_rows(kinds["table"].rows[:1])
    answer = server.predict("table", [{**row, "colour": "pink", "new": 1}, row]).json

    assert answer["notes"] == [
        "columns that the model does not know were ignored: new.",
        "values that the training never had count for nothing: column 'colour' (1 of 2 rows).",
    ]
    assert "notes" not in server.predict("table", [row]).json


def test_a_row_has_the_same_answer_alone_and_among_others(server: Running, kinds: dict[str, Kind]) -> None:
    for name in NAMES:
        rows = as_rows(kinds[name].rows)
        together = server.predict(name, rows).json["predictions"]
        assert [server.predict(name, [row]).json["predictions"][0] for row in rows[:5]] == together[:5]


def test_requests_at_once_get_their_own_bits(server: Running, kinds: dict[str, Kind]) -> None:
    expected = {name: kinds[name].classifier.predict_proba(exactly(kinds[name].rows)) for name in NAMES}
    wrong: list[str] = []

    def ask_on(number: int) -> None:
        for turn in range(12):
            name = NAMES[(number + turn) % len(NAMES)]
            at = turn % 3
            reply = server.predict(name, as_rows(exactly(kinds[name].rows)[at:]))
            if reply.status != 200 or not np.array_equal(probabilities(reply.json), expected[name][at:]):
                wrong.append(name)

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


BAD_BODIES = {
    "": "the body must be JSON; at line 1, character 1: expecting value.",
    "[1]": "the body must be a JSON object; it is [1].",
    '{"rows": [[1, 2, NaN]]}': "the body has NaN, which is no JSON; write null where there is no value.",
    '{"rows": [[1, 2, -Infinity]]}': "the body has -Infinity, which is no JSON; write null where there is no value.",
    '{"rows": [], "rows": []}': "the body has an object with the key 'rows' twice.",
    '{"row": []}': "the body must be {\"rows\": [...]} and nothing else; it has 'row'.",
    "{}": 'the body must be {"rows": [...]} and nothing else; it has no rows.',
    '{"rows": []}': '"rows" must be a list with an object for each row; it is [].',
    '{"rows": {"a": 1}}': "\"rows\" must be a list with an object for each row; it is {'a': 1}.",
    '{"rows": [1]}': "rows must all be objects, or all lists; row 0 is 1.",
    '{"rows": [[1, 2, 3], {}]}': "rows must all be objects, or all lists; row 1 is {}.",
    '{"rows": [{"a": 1}]}': "the model's columns have no names; a row must be a list of its 3 numbers.",
    '{"rows": [[1, 2, 3], [1, 2]]}': "a row must have 3 values, as many as the model has columns; row 1 has 2.",
    '{"rows": [[1, 2, [3]]]}': "column '2' must hold one number or text a row; row 0 has a list.",
    '{"rows": [[1, 2, "x"]]}': "column '2' must hold numbers; row 0 has 'x', which is not a number. Write null where the value is unknown; the model needs the column.",
    '{"rows": [[1, 2, 1e999]]}': "column '2' must hold finite numbers; row 0 has infinity. Write null where the value is unknown; the model needs the column.",
    '{"rows": [[1, 2, 9007199254740993]]}': "column '2' must hold numbers; row 0 has '9007199254740993', an integer too long for float64, which is exact below 2^53. The model needs it.",
    '{"rows": [[1, 2, ' + "9" * 5000 + "]]}": "the body must be JSON; one of its integers is too long for any number.",
    '{"rows": ' + "[" * 100_000 + "]" * 100_000 + "}": "the body must be JSON; its brackets are nested too deep.",
}  # fmt: skip


@pytest.mark.parametrize(("body", "line"), BAD_BODIES.items(), ids=range(len(BAD_BODIES)))
def test_a_bad_body_gets_one_line(server: Running, body: str, line: str) -> None:
    reply = server.ask("POST", "/v1/models/numbers/predict", body, JSON)

    assert (reply.status, reply.error) == (400, line)


def test_a_body_that_is_no_utf_8_says_where(server: Running) -> None:
    reply = server.ask("POST", "/v1/models/numbers/predict", b'{"rows": \xff}', JSON)

    assert (reply.status, reply.error) == (400, "the body must be JSON in UTF-8; byte 9 is 0xff.")


def test_a_column_that_a_row_lacks_is_named(server: Running) -> None:
    reply = server.predict("flowers", [{"a": 1, "b": 2}, {"a": 1, "B": 2}])

    assert reply.status == 400
    assert reply.error.startswith("row 1 has no column 'b'; the model was trained with it.")


@pytest.mark.parametrize(
    ("path", "headers", "status", "line"),
    [
        ("/v1/models/number/predict", JSON, 404, "there is no model 'number'. Did you mean 'numbers'?"),
        ("/v1/models/numbers/predict", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "Content-Type must be one of application/json, "),
        ("/v1/models/numbers/predict", {}, 415, "Content-Type is missing; it must be one of application/json, "),
        ("/v1/models/numbers/predict?coverage=2", JSON, 400, "coverage must be a number between 0 and 1, as in 0.9; got '2'."),
        ("/v1/models/numbers/predict?logits=1", JSON, 400, "logits must be true or false; it is '1'."),
        ("/v1/models/numbers/predict?logit=true", JSON, 400, "there is no 'logit' to be asked for. Did you mean 'logits'?"),
        ("/v1/models/numbers/predict?separator=x", JSON, 400, "there is no 'separator' to be asked for."),
        ("/v1/models/numbers/predict?logits=true&logits=true", JSON, 400, "logits is said twice."),
        ("/v1/models/numbers", JSON, 404, "there is nothing at '/v1/models/numbers'; GET /docs lists what there is."),
        ("/v1/models/..%2f..%2fetc%2fpasswd/predict", JSON, 404, "there is nothing at "),
        ("/v2", JSON, 405, "POST is not for '/v2'; GET /docs lists what is."),
    ],
)  # fmt: skip
def test_a_request_that_is_not_right_gets_one_line(
    server: Running, path: str, headers: dict[str, str], status: int, line: str
) -> None:
    reply = server.ask("POST", path, '{"rows": [[1, 2, 3]]}', headers)

    assert reply.status == status
    assert reply.error.startswith(line)


def test_nothing_of_the_machine_is_in_an_answer(server: Running) -> None:
    reply = server.ask(
        "POST", "/v1/models/table/predict", "size,colour,when,gap,level,is_new\n1\n", {"Content-Type": "text/csv"}
    )

    assert (reply.status, reply.error.split(":")[0]) == (400, "body.csv line 2")
    assert "/" not in reply.error
