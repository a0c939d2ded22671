"""Every verb with a model that has convolutions, computed by PyTorch: `nox -s torch`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import fromlogits as fl
from fromlogits.spec import PRECISIONS
from tests.cli.here import Here
from tests.data.picture_files import encoded
from tests.every_engine import needs_torch
from tests.test_backbone import pictures

pytestmark = needs_torch
HEIGHT, WIDTH, N = 12, 10, 60
TRAIN = (
    f"train bars.csv --images file --target lies,red --group street --image-size {HEIGHT}x{WIDTH} --epochs 2 --quiet"
    " --set learning_rate=0.01"
)


def bars() -> NDArray[np.uint8]:
    """bars.csv and its pictures in files/, of another size than the network's; gives what Pillow makes of them."""
    X, y = pictures(N)
    Path("files").mkdir()
    lines, rows = ["file,lies,red,street"], []
    for row, (pixels, (lies, red)) in enumerate(zip(X, y, strict=True)):
        file = Path(f"files/{row:02}.png")
        Image.fromarray(pixels).resize((17 + row % 2, 23), Image.Resampling.NEAREST).save(file)
        rows.append(np.asarray(Image.open(file).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)))
        lines.append(f"{file},{lies},{red},s{row % 12}")
    Path("bars.csv").write_text("\n".join(lines) + "\n")
    np.savez("bars.npz", X=np.array(rows), y=y, classes=np.array(["lies", "red"]))
    return np.array(rows)


def logits_in(rows: list[dict[str, str]]) -> NDArray[np.float32]:
    return np.array([[row["logit:lies"], row["logit:red"]] for row in rows], np.float32)


@pytest.mark.parametrize("kind", ["joint", "separate"])
def test_one_model_through_every_verb(here: Here, kind: str) -> None:
    pixels = bars()
    units, more = (2, "") if kind == "joint" else (1, "--separate-networks")
    here(f"{TRAIN} --layers 'residual 8-16 1 1, {units} linear' {more} --decide-for f1 --coverage 0.8 -o m.safetensors")
    clf = fl.load("m.safetensors")
    z, decided = clf.predict_logits(pixels), clf.predict(pixels)

    # Whatever the pictures come in, they are resized as Pillow resizes them, and the bits are the same.
    shutil.make_archive("files", "zip", "files")
    for data in ("bars.csv", "files", "files.zip", "bars.npz"):
        assert np.array_equal(logits_in(here.rows(f"predict m.safetensors {data} --logits")), z), data
    rows = here.rows("predict m.safetensors files --coverage 0.85 --top 1")
    assert [row["prediction"] for row in rows] == [
        "|".join(clf.classes_[labels == 1]) for labels in decided
    ] and "set" in rows[0]  # fmt: skip
    assert np.array_equal(logits_in(here.rows("predict m.safetensors files/07.png --logits")), z[7:8])

    report = here.json("inspect m.safetensors bars.csv --row 5")
    assert np.array_equal(np.array([unit["logit"] for unit in report["units"]], np.float32), z[5])
    out, err = here("inspect m.safetensors files/07.png")
    assert "m.safetensors on row 0 of 07.png\n" in out and "threshold" in out
    assert "no loss is shown: 07.png is one picture, whose class is not known" in err
    assert "residual 8-16 1 1" in here("inspect m.safetensors")[0]

    figures = clf.evaluate(pixels, np.load("bars.npz")["y"])
    found = here.json("evaluate m.safetensors bars.npz")
    assert {name: found[name] for name in ("macro_f1", "log_loss")} == {
        name: pytest.approx(figures[name], rel=1e-12) for name in ("macro_f1", "log_loss")
    }
    assert here.json("evaluate m.safetensors bars.csv")["held_out"]["rows"] > 0  # it knows its training file
    here("calibrate m.safetensors bars.npz --decide-for recall>=0.9 --coverage 0.8 -o c.safetensors")
    assert np.array_equal(fl.load("c.safetensors").predict_logits(pixels, calibrated=False),
                          clf.predict_logits(pixels, calibrated=False))  # fmt: skip

    code, out, err = here.ended("export m.safetensors lesson.html")
    assert (code, out) == (2, "") and "`fromlogits serve MODEL` shows the same page" in err


def test_a_picture_that_cant_be_read_is_refused_or_marked(here: Here) -> None:
    pixels = bars()
    here(f"{TRAIN} --layers 'residual 8-16 1 1, 2 linear' -o m.safetensors")
    Path("files/03.png").write_bytes(encoded(pixels[3])[:60])

    assert here.ended("predict m.safetensors files")[0] == 2
    rows = here.rows("predict m.safetensors files --skip-bad --logits")
    assert len(rows) == N and (rows[3]["logit:red"], rows[3]["error"]) == (
        "", "it is damaged or cut off",
    )  # fmt: skip
    good = np.delete(np.arange(N), 3)
    found = logits_in([rows[row] for row in good])
    assert np.array_equal(found, fl.load("m.safetensors").predict_logits(pixels[good]))
    assert here.json("evaluate m.safetensors bars.csv --skip-bad")["rows"] == N - 1


@pytest.mark.parametrize("stated", PRECISIONS)
def test_the_plan_and_the_model_say_in_which_precision_its_convolutions_were_trained(here: Here, stated: str) -> None:
    bars()
    loud = TRAIN.replace(" --quiet", "")
    said = "".join(here(f"{loud} --layers 'residual 8-16 1 1, 2 linear' --set precision={stated} -o m.safetensors"))
    assert f", convolutions in {stated}\n" in said
    assert f"in {stated} in training" in here("inspect m.safetensors")[0]


def test_cv_trains_the_backbone_in_folds(here: Here) -> None:
    bars()
    report = here.json(
        f"cv bars.csv --images file --target lies,red --group street --folds 2 --image-size {HEIGHT}x{WIDTH} --epochs 1"
        " --backbone tiny --quiet"
    )
    assert report["rows"] == N and report["task"] == "multi-label"


def test_dense_networks_that_pytorch_trained_are_evaluated_by_our_own_engine(here: Here) -> None:
    pixels = bars()
    here(f"{TRAIN} --layers 9 --set engine=torch -o d.safetensors")
    by_native = logits_in(here.rows("predict d.safetensors files --logits"))
    by_torch = fl.load("d.safetensors", engine="torch").predict_logits(pixels)

    np.testing.assert_allclose(by_native, by_torch, rtol=0, atol=64 * 2.0**-23 * np.abs(by_torch).max())
    assert here.json("evaluate d.safetensors bars.npz")["rows"] == N
