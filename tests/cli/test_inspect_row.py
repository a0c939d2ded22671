"""`fromlogits inspect MODEL DATA --row N`: every number it shows follows from the logits by plain arithmetic."""

import dataclasses
import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import fromlogits as fl
from fromlogits.cli.main import run
from fromlogits.decisions.calibration import Calibration

Inspect = Callable[[str], tuple[str, str]]
ALL_DIGITS = round(24 * math.log10(2), 2)


@pytest.fixture
def inspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inspect:
    """Runs `fromlogits inspect ...` in a folder of its own: (standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run_it(arguments: str) -> tuple[str, str]:
        capsys.readouterr()  # what a training said
        assert run(["inspect", *shlex.split(arguments)]) == 0
        captured = capsys.readouterr()
        return captured.out, captured.err

    return run_it


def report(inspect: Inspect, arguments: str) -> dict[str, Any]:
    out, err = inspect(f"{arguments} --json")
    assert err == ""
    found: dict[str, Any] = json.loads(out, parse_constant=pytest.fail)
    return found


def floats(units: list[dict[str, Any]], name: str) -> list[float]:
    """One number of each unit, as float32."""
    values: list[float] = np.array([unit[name] for unit in units], np.float32).tolist()
    return values


def write(name: str, header: str, x: np.ndarray[Any, Any], answers: list[str] | None) -> None:
    """A table of numbers, and the target columns unless they are None."""
    lines = [",".join(f"{value:.4f}" for value in row) for row in x]
    if answers is not None:
        lines = [f"{line},{answer}" for line, answer in zip(lines, answers, strict=True)]
    Path(name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def train(header: str, x: np.ndarray[Any, Any], answers: list[str], target: str, more: str = "") -> fl.Classifier:
    """m.safetensors, trained on t.csv."""
    write("t.csv", header, x, answers)
    assert (
        run(
            shlex.split(
                f"train t.csv --target {target} --preset fast --epochs 20 --quiet -o m.safetensors --overwrite {more}"
            )
        )
        == 0
    )
    return fl.load("m.safetensors")


def three_classes(more: str = "") -> tuple[fl.Classifier, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(150, 2)) + 2 * np.repeat(np.eye(3)[:, :2], 50, axis=0), 4)
    return train("u,v,kind", x, ["ant"] * 50 + ["bee"] * 50 + ["cow"] * 50, "kind", more), x


def yes_or_no() -> tuple[fl.Classifier, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(100, 2)) + 2 * np.repeat([[0.0, 0.0], [1.0, 1.0]], 50, axis=0), 4)
    return train("u,v,answer", x, ["no"] * 50 + ["yes"] * 50, "answer"), x


def labels(more: str = "") -> tuple[fl.Classifier, np.ndarray[Any, Any]]:
    x = np.round(np.random.default_rng(0).normal(size=(200, 3)), 4)
    answers = [f"{int(a > 0)},{int(a + b > 1)}" for a, b, _ in x]
    return train("x,y,z,label:car,label:bus", x, answers, "label:*", more), x


def with_calibration(classifier: fl.Classifier, calibration: Calibration) -> None:
    """m.safetensors again, calibrated so."""
    classifier._become(dataclasses.replace(classifier._model, calibration=calibration))
    classifier.save("m.safetensors", overwrite=True)


def with_temperature(classifier: fl.Classifier, temperature: float) -> None:
    with_calibration(classifier, Calibration.of(temperature))


@pytest.mark.parametrize("row", [0, 77, 149])
def test_softmax_goes_from_each_logit_to_its_probability_and_the_loss(inspect: Inspect, row: int) -> None:
    classifier, x = three_classes()
    found = report(inspect, f"m.safetensors t.csv --row {row}")
    z = classifier.predict_logits(x[[row]])[0]
    truth = row // 50

    assert (found["task"], found["head"], found["row"], found["line"]) == ("multi-class", "softmax", row, row + 2)
    assert (found["target"], found["predicted"]) == (["ant", "bee", "cow"][truth], classifier.predict(x[[row]])[0])
    assert [unit["class"] for unit in found["units"]] == ["ant", "bee", "cow"]
    assert floats(found["units"], "logit") == z.tolist()
    below = [float(each) - float(z.max()) for each in z]
    assert [unit["below_max"] for unit in found["units"]] == below
    exps = [math.exp(each) for each in below]
    assert [unit["exp"] for unit in found["units"]] == pytest.approx(exps, rel=1e-15)
    assert found["sum_of_others"] == pytest.approx(math.fsum(exps) - 1, rel=1e-12)
    probabilities = [float(np.float32(each / math.fsum(exps))) for each in exps]
    assert floats(found["units"], "probability") == probabilities

    # log(1 + the sum of exp(z_k − z_y)), and the logarithm of the float32 probability.
    loss = math.log1p(math.fsum(math.exp(float(z[k]) - float(z[truth])) for k in range(3) if k != truth))
    assert np.float32(found["loss"]["from_logits"]) == np.float32(loss)
    assert found["loss"]["textbook"] == pytest.approx(-math.log(probabilities[truth]), rel=2**-22)
    off = abs(found["loss"]["textbook"] - found["loss"]["from_logits"]) / np.spacing(np.float32(loss))
    assert found["loss"]["digits_lost"] == pytest.approx(max(math.log10(max(off, 1)), 0), abs=0.02)


def test_the_words_of_a_softmax_row(inspect: Inspect) -> None:
    classifier, x = three_classes("--set calibrate=false")
    out, err = inspect("m.safetensors t.csv --row 60")
    z = classifier.predict_logits(x[[60]])[0]
    said = classifier.predict(x[[60]])[0]

    assert err == ""
    assert out.startswith(
        "m.safetensors on row 60 of t.csv (line 62)\n3 linear units, softmax head, loss from logits\n"
        f"predicted: {said}; true: bee\nz: the logits, as the network computes them (temperature 1)\n"
    )
    assert [line.split()[:2] for line in out.splitlines() if line.endswith(("  true", ", true"))] == [
        ["bee", f"{z[1]:.4f}"]
    ]
    assert "\nloss of class bee " in out
    assert "\nfrom the logits: (max - z) + log1p(others)  " in out
    assert "\ntextbook: -log(a) " in out


@pytest.mark.parametrize("row", [0, 9])
def test_sigmoid_shows_each_label_on_its_own(inspect: Inspect, row: int) -> None:
    classifier, x = labels()
    found = report(inspect, f"m.safetensors t.csv --row {row}")
    z = classifier.predict_logits(x[[row]])[0]
    truth = [bool(x[row, 0] > 0), bool(x[row, 0] + x[row, 1] > 1)]

    assert (found["task"], found["head"]) == ("multi-label", "sigmoid")
    losses = []
    for k, unit in enumerate(found["units"]):
        e = math.exp(-abs(float(z[k])))
        a = np.float32(1 / (1 + e) if z[k] > 0 else e / (1 + e))
        assert (unit["label"], np.float32(unit["logit"]), unit["target"]) == (["car", "bus"][k], z[k], truth[k])
        assert unit["exp"] == pytest.approx(e, rel=1e-15)
        assert (np.float32(unit["probability"]), unit["threshold"], unit["answer"]) == (a, 0.5, bool(z[k] > 0))
        lead = float(z[k]) if truth[k] else -float(z[k])
        losses.append(max(-lead, 0) + math.log1p(e))
        assert np.float32(unit["loss"]["from_logits"]) == np.float32(losses[-1])
        # One rounding of 1 − a, one of the logarithm; the other term is 0.
        wrong = float(np.float32(1) - a) if not truth[k] else float(a)
        assert unit["loss"]["textbook"] == pytest.approx(-math.log(wrong), rel=2**-22)
    assert found["predicted"] == [unit["label"] for unit in found["units"] if unit["answer"]]
    assert found["target"] == [name for name, is_true in zip(("car", "bus"), truth, strict=True) if is_true]
    assert np.float32(found["loss"]["from_logits"]) == np.float32(math.fsum(losses))


def test_the_words_of_a_sigmoid_row(inspect: Inspect) -> None:
    _, x = labels()
    row = int(np.argmin(x[:, 0]))  # neither car nor bus
    out, err = inspect(f"m.safetensors t.csv --row {row}")

    assert err == ""
    assert "\npredicted: no label; true: no label\n" in out
    heads = [line.split() for line in out.splitlines() if line.startswith(("label", "loss"))]
    assert heads[0] == ["label", "z", "e^-|z|", "a", "threshold", "answer"]
    assert heads[1] == ["loss", "true", "from", "the", "logits", "textbook", "digits", "lost"]
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("car", "bus", "sum"))] == [
        "car", "bus", "car", "bus", "sum",
    ]  # fmt: skip


def test_one_unit_speaks_for_the_second_of_two_classes(inspect: Inspect) -> None:
    classifier, x = yes_or_no()
    found = report(inspect, "m.safetensors t.csv --row 3")
    out, _ = inspect("m.safetensors t.csv --row 3")
    z = float(classifier.predict_logits(x[[3]])[0, 0])

    [unit] = found["units"]
    assert (unit["class"], unit["logit"], unit["target"], found["target"]) == ("yes", pytest.approx(z), False, "no")
    assert found["predicted"] == ("yes" if z > 0 else "no")
    # The answer no costs log(1 + exp(z)).
    assert np.float32(found["loss"]["from_logits"]) == np.float32(math.log1p(math.exp(z)))
    assert found["loss"] == unit["loss"]
    assert f"\na: the probability of yes; that of no is sigmoid(-z) = {1 / (1 + math.exp(z)):.6g}\n" in out


def test_a_textbook_loss_that_is_lost_is_shown_as_it_is(inspect: Inspect) -> None:
    """A row far away: the unit is so sure that its float32 probability is 1."""
    classifier, _ = yes_or_no()
    far = np.array([[8.0, 8.0], [8.0, 8.0], [-40.0, -40.0]])
    while not 20 < (z := float(classifier.predict_logits(far)[0, 0])) < 80:
        far[:2] *= 1.5 if z < 20 else 0.9
    write("far.csv", "u,v,answer", far, ["yes", "no", "no"])
    z = float(classifier.predict_logits(np.round(far, 4))[0, 0])
    right, wrong = (report(inspect, f"m.safetensors far.csv --row {row}")["loss"] for row in (0, 1))

    assert right == {
        "from_logits": pytest.approx(math.exp(-z), rel=1e-6), "textbook": "nan", "digits_lost": ALL_DIGITS,
    }  # fmt: skip
    assert wrong == {"from_logits": pytest.approx(z, rel=1e-6), "textbook": "inf", "digits_lost": ALL_DIGITS}
    assert "NaN          all\n" in inspect("m.safetensors far.csv --row 0")[0]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_logits_are_those_of_the_probabilities_and_it_is_said_how_they_came(
    inspect: Inspect, temperature: float
) -> None:
    classifier, x = three_classes()
    with_temperature(classifier, temperature)
    found = report(inspect, "m.safetensors t.csv --row 4")
    out, _ = inspect("m.safetensors t.csv --row 4")
    raw = classifier.predict_logits(x[[4]], calibrated=False)[0].astype(np.float64)

    assert found["temperature"] == temperature
    assert floats(found["units"], "logit") == (raw / temperature).astype(np.float32).tolist()
    assert floats(found["units"], "probability") == classifier.predict_proba(x[[4]])[0].tolist()
    divided = "\nz: the network's logits, divided by the temperature 2.5000 (calibrated)\n"
    assert (divided in out) == (temperature != 1)


def test_where_each_unit_has_its_own_the_raw_logit_stands_beside_the_calibrated(inspect: Inspect) -> None:
    classifier, x = labels()
    with_calibration(classifier, Calibration(np.array([2.0, 0.5]), np.array([-1.0, 0.25])))
    found = report(inspect, "m.safetensors t.csv --row 4")
    out, _ = inspect("m.safetensors t.csv --row 4")
    raw = classifier.predict_logits(x[[4]], calibrated=False)[0]

    assert (found["temperature"], found["bias"]) == ([2.0, 0.5], [-1.0, 0.25])
    assert floats(found["units"], "raw_logit") == raw.tolist()
    assert floats(found["units"], "logit") == [np.float32(raw[0] / 2.0 - 1), np.float32(raw[1] / 0.5 + 0.25)]
    assert "\nz: the network's logits (raw z), divided by the label's temperature, plus its bias (calibrated)\n" in out
    assert out.splitlines()[5].split() == ["label", "raw", "z", "z", "e^-|z|", "a", "threshold", "answer"]
    assert out.splitlines()[6].split()[:3] == ["car", f"{raw[0]:.4f}", f"{found['units'][0]['logit']:.4f}"]
    assert max(map(len, out.splitlines()[5:8])) <= 80
    assert "\ntemperature  0.5000 to 2.0000, one for each label\n" in inspect("m.safetensors")[0]
    assert "\nbias         -1.0000 to 0.2500, one for each label\n" in inspect("m.safetensors")[0]


def test_one_unit_says_its_temperature_and_bias(inspect: Inspect) -> None:
    classifier, _ = yes_or_no()
    with_calibration(classifier, Calibration(np.array([2.0]), np.array([-0.25])))
    out, _ = inspect("m.safetensors t.csv --row 4")
    words = "divided by the temperature 2.0000, plus -0.2500 (calibrated)"
    assert f"\nz: the network's logits, {words}\n" in out
    assert "\ntemperature  2.0000\nbias         -0.2500\n" in inspect("m.safetensors")[0]


@pytest.mark.parametrize(
    ("more", "of"),
    [
        ("--separate-networks", "each label's own network"),
        ("--set ensemble=2", "the mean probability of 2 networks"),
        ("--separate-networks --set ensemble=3", "the mean probability of 3 networks per label"),
    ],
)
def test_of_several_networks_it_is_said_whose_logits_they_are(inspect: Inspect, more: str, of: str) -> None:
    classifier, x = labels(more)
    found = report(inspect, "m.safetensors t.csv --row 4")

    assert floats(found["units"], "logit") == classifier.predict_logits(x[[4]])[0].tolist()
    for temperature, how in ((1.0, " (temperature 1)"), (2.5, ", divided by the temperature 2.5000 (calibrated)")):
        with_temperature(classifier, temperature)
        assert f"\nz: the logits of {of}{how}\n" in inspect("m.safetensors t.csv --row 4")[0]


def test_without_a_target_the_loss_is_left_out_and_it_is_said_why(inspect: Inspect) -> None:
    _, x = three_classes()
    write("new.csv", "u,v", x, None)
    out, err = inspect("m.safetensors new.csv --row 4")
    found = json.loads(inspect("m.safetensors new.csv --row 4 --json")[0])

    assert err == "note: no loss is shown: new.csv has no target column 'kind'. Its columns: u, v.\n"
    assert "loss of" not in out and "true" not in out
    assert (found["loss"], found["target"]) == (None, None)
    assert found["units"] == report(inspect, "m.safetensors t.csv --row 4")["units"]


def test_a_class_that_the_model_does_not_know_has_no_loss(inspect: Inspect) -> None:
    _, x = three_classes()
    write("new.csv", "u,v,kind", x[:2], ["dog", "ant"])

    assert inspect("m.safetensors new.csv")[1] == (
        "note: no loss is shown: the model does not know the class 'dog' of this row (known: ant, bee, cow).\n"
    )
    assert inspect("m.safetensors new.csv --row 1")[1] == ""


def test_the_first_row_is_shown_unless_told(inspect: Inspect) -> None:
    three_classes()

    assert inspect("m.safetensors t.csv") == inspect("m.safetensors t.csv --row 0")
    assert inspect("m.safetensors t.csv")[0].startswith("m.safetensors on row 0 of t.csv (line 2)\n")


def test_of_many_classes_the_largest_and_the_true_one_are_shown(inspect: Inspect) -> None:
    x = np.tile(np.linspace(-2, 2, 60), 4)[:, None]
    classifier = train("x,kind", x, [str(k % 60) for k in range(240)], "kind", "--layers 8")
    z = classifier.predict_logits(np.round(x, 4))
    row = int(np.flatnonzero(np.argsort(np.argsort(-z, axis=1), axis=1)[np.arange(60), np.arange(60)] >= 20)[0])
    out, _ = inspect(f"m.safetensors t.csv --row {row}")

    assert "\nshown are the largest logits; --json has the other 39\n" in out
    table = out.split("class ")[1].splitlines()
    shown = [int(line.split()[0]) for line in table[1:] if line[:1].isdigit()]
    assert set(shown) == {*np.argsort(-z[row], kind="stable")[:20].tolist(), row}
    assert shown == sorted(shown)
    assert len(report(inspect, f"m.safetensors t.csv --row {row}")["units"]) == 60


def test_pictures_and_arrays_have_rows_too(inspect: Inspect) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 4, 4), np.uint8)
    np.savez("t.npz", X=x, y=(x[:, :2].mean(axis=(1, 2)) > 127).astype(int))
    assert run(shlex.split("train t.npz --preset fast --epochs 2 --quiet -o m.safetensors")) == 0
    found = report(inspect, "m.safetensors t.npz --row 59")

    assert (found["row"], found["line"], len(found["units"])) == (59, None, 1)
    assert np.float32(found["units"][0]["logit"]) == fl.load("m.safetensors").predict_logits(x[59:])[0, 0]


@pytest.mark.parametrize("kind", ["softmax", "labels", "unit"])
def test_eighty_columns_are_enough(inspect: Inspect, kind: str) -> None:
    {"softmax": three_classes, "labels": labels, "unit": yes_or_no}[kind]()
    out, _ = inspect("m.safetensors t.csv --row 7")

    assert max(map(len, out.splitlines())) <= 80


def test_a_name_with_a_line_end_stays_on_its_line(inspect: Inspect) -> None:
    columns = {"x": np.arange(40.0), "kind": [["a\nb", "c\u2028d", "e"][k % 3] for k in range(40)]}
    pl.DataFrame(columns).write_parquet("t.parquet")
    assert run(shlex.split("train t.parquet --target kind --epochs 2 --layers 3 --quiet -o m.safetensors")) == 0
    out, _ = inspect("m.safetensors t.parquet --row 0")

    assert "true: a\\u000ab\n" in out
    assert "\na\\u000ab  " in out
    assert "\nc\\u2028d  " in out


def test_a_long_name_is_cut(inspect: Inspect) -> None:
    x = np.arange(40.0)[:, None] / 2
    names = ["a class with a very long name of its own", "short", "middling"]
    train("x,kind", x, [names[k % 3] for k in range(40)], "kind")
    out, _ = inspect("m.safetensors t.csv --row 1")

    assert "\na class with a …  " in out
