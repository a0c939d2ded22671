"""`--backbone`: trained, evaluated, predicted, calibrated and looked into by the verbs, each picture computed once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fromlogits as fl
from fromlogits.data.backbones import network
from fromlogits.data.backbones.kept import Recent
from tests.cli.here import Here
from tests.every_engine import needs_torch
from tests.small_backbones import Counted, needs_transformers, pictures, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("backbones") / "vit", "vit")


def class_folders() -> None:
    """photos/red/00.png and so on, 60 pictures."""
    X, kinds = pictures(60, (40, 48))
    for row, (pixels, kind) in enumerate(zip(X, kinds, strict=True)):
        at = Path("photos", kind, f"{row:02}.png")
        at.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(at)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@needs_transformers
def test_every_verb_knows_it(folder: Path, here: Here, counted: Counted) -> None:
    X, kinds = pictures(60, (40, 48))
    class_folders()
    shutil.copytree(folder, "vit")
    told = here("train photos --backbone hf:vit --image-cache kept --preset fast --epochs 20")[1]
    assert "photos: 60 pictures of 32x32x3, 24 features of each by hf:vit; 2 classes" in told
    assert "all are 40 x 48, resized to 32 x 32." in told
    assert counted.n == 60
    report = here.json("evaluate photos.safetensors photos --image-cache kept")
    assert report["accuracy"] > 0.95
    rows = here.rows("predict photos.safetensors photos")
    one = here.rows(f"predict photos.safetensors photos/{rows[7]['file']}")
    assert {**one[0], "file": ""} == {**rows[7], "file": ""}
    here("calibrate photos.safetensors photos -o calibrated.safetensors --coverage 0.8")
    assert len(here.rows("predict calibrated.safetensors photos --coverage 0.8")) == 60
    assert "hf:vit" in here("inspect photos.safetensors")[0]
    assert "the logits" in here("inspect photos.safetensors photos --row 3")[0]
    assert counted.n == 60

    with pytest.MonkeyPatch.context() as patch:  # what is kept says all that is needed of the network
        patch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
        patch.setattr(network, "load", None)
        again = "--backbone hf:vit --image-cache kept --preset fast --epochs 20"
        here(f"train photos {again} -o second.safetensors")
        here("evaluate second.safetensors photos --image-cache kept")
    assert Path("second.safetensors").read_bytes() == Path("photos.safetensors").read_bytes()
    assert here.json("cv photos --backbone hf:vit --preset fast --epochs 5 --folds 3")["rows"] == 60
    assert counted.n == 60
    assert "no ONNX file can say it" in here("export photos.safetensors m.onnx", code=2)[1]
    assert "the lesson page can't compute the backbone 'hf:vit'" in here("export photos.safetensors m.html", code=2)[1]

    np.savez("arrays.npz", X=X, y=kinds)
    here("train arrays.npz --backbone hf:vit --image-cache kept --preset fast --epochs 2 --test arrays.npz")
    assert counted.n == 60 + 60  # other pixels: nothing resized these
    assert len(here.rows("predict arrays.safetensors arrays.npz --image-cache kept")) == 60
    assert counted.n == 120
    Path("vit").rename("away")
    refused = here("evaluate photos.safetensors photos", code=2)[1]
    assert refused == (
        "fromlogits: the model was trained behind the pretrained network in a folder 'vit', which is not in the current"
        " one. Say where it lies: backbone='hf:FOLDER' (--backbone hf:FOLDER).\n"
    )
    there = "--backbone hf:away"
    assert here.json(f"evaluate photos.safetensors photos {there}")["accuracy"] == report["accuracy"]
    assert here.rows(f"predict photos.safetensors photos {there}") == rows
    assert "hf:vit" in here(f"inspect photos.safetensors {there}")[0]
    assert "the logits" in here(f"inspect photos.safetensors photos --row 3 {there}")[0]
    told = here(f"calibrate photos.safetensors photos -o moved.safetensors {there}")[0]
    assert f"fromlogits predict moved.safetensors photos {there}" in told
    assert len(here.rows(f"predict moved.safetensors photos {there}")) == 60
    Path("deep").mkdir()
    Path("away").rename("deep/vit")
    told = here(f"train photos --backbone hf:deep/vit {again.partition('vit ')[2]} -o third.safetensors")[0]
    assert told.count(" --backbone hf:deep/vit\n") == 3
    assert Path("third.safetensors").read_bytes() == Path("photos.safetensors").read_bytes()


@needs_transformers
def test_one_row_is_looked_at_alone(folder: Path, here: Here, counted: Counted) -> None:
    class_folders()
    X, kinds = pictures(60, (40, 48))
    np.savez("arrays.npz", X=X, y=kinds)
    here(f"train arrays.npz --backbone hf:{folder} --preset fast --epochs 2")
    logits = fl.load("arrays.safetensors", backbone=f"hf:{folder}").predict_logits(X)
    counted.n = 0
    with pytest.MonkeyPatch.context() as patch:
        for n, (data, row, of) in enumerate((("arrays.npz", 7, 7), ("photos", 0, int(np.argmax(kinds == "green"))))):
            patch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
            found = here.json(f"inspect arrays.safetensors {data} --row {row} --backbone hf:{folder}")
            assert counted.n == n + 1
            assert np.float32(found["units"][0]["logit"]) == logits[of, 0]
            assert (found["row"], found["target"]) == (row, kinds[of])
    outside = here(f"inspect arrays.safetensors arrays.npz --row 60 --backbone hf:{folder}", 2)[1]
    assert outside == "fromlogits: --row must be 0 to 59, as arrays.npz has 60 rows; got 60. Rows are counted from 0.\n"


@needs_transformers
def test_a_dry_run_looks_at_no_picture(folder: Path, here: Here, counted: Counted) -> None:
    class_folders()
    for row in range(20):  # the same pixels in other files
        kind = "red" if Path(f"photos/red/{row:02}.png").exists() else "green"
        Image.open(f"photos/{kind}/{row:02}.png").save(f"photos/{kind}/again{row:02}.bmp")
    command = f"train photos --backbone hf:{folder} --test photos --dry-run"
    shown, planned = here(command)[0], here.json(command)
    for number in (1, 2):
        here(f"cv photos --backbone hf:{folder} --folds {number + 1} --dry-run")
    assert counted.n == 0
    here(f"train photos --backbone hf:{folder} --preset fast --epochs 1 -o trained.safetensors")
    assert counted.n == 80

    assert planned["duplicates"]["validation"] > 0
    assert here.json(command) == planned  # what is known now says the same
    assert here(command)[0] == shown


@needs_transformers
def test_serve_looks_for_it_where_a_model_has_one(folder: Path, here: Here) -> None:
    opened = pytest.importorskip("fromlogits.serving.models").opened
    class_folders()
    place = f"hf:{folder}"
    here(f"train photos --backbone {place} --preset fast --epochs 1 -o behind.safetensors")
    here("train photos --preset fast --epochs 1 -o plain.safetensors")
    models = opened(["plain.safetensors", "behind.safetensors"], place)
    assert models["plain"].classifier.encoder_.backbone is None
    assert models["behind"].classifier.encoder_.backbone.place == place
    with pytest.raises(fl.errors.InputError, match=r"behind a pretrained network; plain\.safetensors has none"):
        opened(["plain.safetensors"], place)


@needs_torch
def test_tiny_is_trained_by_its_option(here: Here) -> None:
    X, kinds = pictures(40, (12, 10))
    np.savez("arrays.npz", X=X, y=kinds)
    told = here("train arrays.npz --backbone tiny --epochs 1")[1]
    assert "residual 32-64-128 1 1" in told
    assert len(here.rows("predict arrays.safetensors arrays.npz")) == 40
