"""`backbone="hf:NAME"`: heads behind pretrained networks that stay as they are, and everything a classifier does."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits import model_file
from fromlogits.data.backbones.kept import Recent
from fromlogits.errors import EngineUnavailableError, InputError, ModelFileError
from fromlogits.model import Model
from fromlogits.spec import Dense, Network
from tests.every_engine import needs_torch
from tests.serving.running import serving
from tests.small_backbones import Counted, needs_transformers, pictures, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("backbones") / "vit", "vit")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def quick(folder: Path, **settings: Any) -> fl.Classifier:
    usual: dict[str, Any] = {"backbone": f"hf:{folder}", "preset": "fast", "max_epochs": 20, "random_state": 0}
    return fl.Classifier(**{**usual, **settings})


@needs_transformers
def test_the_head_learns_and_the_file_holds_it_alone(folder: Path, tmp_path: Path) -> None:
    X, y = pictures(80)
    other_X, other_y = pictures(40, seed=1)
    clf = quick(folder, decide_for="f1").fit(X, y)
    assert clf.score(other_X, other_y) > 0.95
    assert (clf.n_features_in_, clf.network_.n_features) == (32 * 32 * 3, 24)
    assert "24 -> 128" in str(clf.network_)
    clf.save(tmp_path / "m.safetensors")
    weights = (folder / "model.safetensors").stat().st_size
    _, tensors = model_file.load_model(tmp_path / "m.safetensors")
    assert sum(tensor.size for tensor in tensors.values()) < weights / 4 + clf.network_.n_parameters
    assert str(folder.parent).encode() not in (tmp_path / "m.safetensors").read_bytes()
    read = fl.load(tmp_path / "m.safetensors", backbone=f"hf:{folder}")
    assert np.array_equal(read.predict_proba(other_X), clf.predict_proba(other_X))
    assert read.get_params()["backbone"] == f"hf:{folder}"
    for one in (copy.deepcopy(clf), pickle.loads(pickle.dumps(read))):
        assert np.array_equal(one.predict_logits(other_X), clf.predict_logits(other_X))
    again = quick(folder, decide_for="f1").fit(X, y)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@needs_transformers
def test_the_head_is_the_one_that_the_features_give(folder: Path) -> None:
    """Behind the backbone nothing is new: a classifier of the very numbers that it makes."""
    X, y = pictures(80)
    clf = quick(folder, hidden_layer_sizes=(9,)).fit(X, y)
    backbone = clf.encoder_.backbone
    assert backbone is not None
    plain = fl.Classifier(hidden_layer_sizes=(9,), preset="fast", max_epochs=20, random_state=0)
    plain.fit(backbone.features(X), y)
    assert np.array_equal(clf.predict_logits(X), plain.predict_logits(backbone.features(X)))


@needs_transformers
def test_every_picture_is_computed_once(folder: Path, counted: Counted) -> None:
    X, y = pictures(60, seed=3)
    clf = quick(folder, preset="good").fit(X, y)
    clf.predict(X)
    clf.evaluate(X, y)
    fl.Classifier(backbone=f"hf:{folder}", preset="fast", random_state=1).fit(
        X[:40], y[:40], X_val=X[40:], y_val=y[40:]
    )
    assert counted.n == 60


@needs_transformers
def test_a_row_has_the_same_bits_alone_and_by_any_number_of_threads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = pictures(40)
    clf = quick(folder).fit(X, y)
    expected = clf.predict_logits(X)
    for n_jobs in (1, 3):
        monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
        clf.set_params(n_jobs=n_jobs)
        assert np.array_equal(np.concatenate([clf.predict_logits(X[row : row + 1]) for row in range(5)]), expected[:5])
        monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
        assert np.array_equal(clf.predict_logits(X), expected)


@needs_transformers
def test_labels_calibration_and_sets_are_those_of_any_model(folder: Path) -> None:
    X, kinds = pictures(160)
    y = np.stack([kinds == "red", np.arange(160) % 2 == 0], axis=1).astype(int)
    clf = quick(folder, task="multi-label", separate_networks=True).fit(X[:100], y[:100])
    clf.calibrate(X[100:], y[100:], coverage=0.8, decide_for="f1")
    assert clf.predict_set(X).shape == (160, 2)
    assert clf.thresholds_ is not None and len(clf.thresholds_) == 2
    assert clf.evaluate(X, y)["per_label"][0]["roc_auc"] > 0.95


@needs_transformers
def test_partial_fit_and_warm_start_go_on_behind_it(folder: Path) -> None:
    X, y = pictures(60)
    one = quick(folder).partial_fit(X, y, classes=["green", "red"]).partial_fit(X, y)
    assert one.encoder_.backbone is not None
    assert one.network_.n_features == 24
    warm = quick(folder, warm_start=True).fit(X, y)
    before = warm.encoder_
    assert warm.fit(X, y).encoder_.backbone is before.backbone


@needs_transformers
@pytest.mark.parametrize("engine", ["reference", pytest.param("torch", marks=needs_torch)])
def test_other_engines_train_and_read_the_head(engine: str, folder: Path, tmp_path: Path) -> None:
    X, y = pictures(60)
    clf = quick(folder, engine=engine, max_epochs=3).fit(X, y)
    clf.save(tmp_path / "m")
    native = fl.load(tmp_path / "m", backbone=f"hf:{folder}")
    np.testing.assert_allclose(native.predict_logits(X), clf.predict_logits(X), rtol=1e-4, atol=1e-4)


@needs_transformers
def test_a_stated_network_is_the_head(folder: Path) -> None:
    X, y = pictures(60)
    clf = quick(folder, network=Network([Dense(7, "tanh"), Dense(1)])).fit(X, y)
    assert [layer.units for layer in clf.network_.dense] == [7, 1]


@needs_transformers
def test_a_model_says_which_weights_it_needs_and_takes_no_others(folder: Path, tmp_path: Path) -> None:
    X, y = pictures(40)
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    clf = quick(own).fit(X, y)
    clf.save(tmp_path / "m")
    own.rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"in a folder 'own', which is not in the current one\. Say where it lies"):
        fl.load(tmp_path / "m")
    moved = fl.load(tmp_path / "m", backbone=f"hf:{tmp_path / 'moved'}")
    assert np.array_equal(moved.predict_logits(X), clf.predict_logits(X))
    moved.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    assert np.array_equal(pickle.loads(pickle.dumps(moved)).predict_logits(X), clf.predict_logits(X))
    other = save(tmp_path / "other", "vit", seed=1)
    with pytest.raises(InputError, match=r"the file model\.safetensors is another one\. Give it the very files"):
        fl.load(tmp_path / "m", backbone=f"hf:{other}")
    with pytest.raises(InputError, match=r"backbone \(--backbone\) must be hf: and a name or a folder"):
        fl.load(tmp_path / "m", backbone="tiny")
    fl.Classifier(hidden_layer_sizes=(2,), random_state=0, max_epochs=1).fit(X.reshape(40, -1), y).save(
        tmp_path / "plain"
    )
    with pytest.raises(InputError, match="plain has none"):
        fl.load(tmp_path / "plain", backbone=f"hf:{other}")


@needs_transformers
def test_other_rows_than_pictures_are_refused(folder: Path) -> None:
    X, y = pictures(40)
    clf = quick(folder).fit(X, y)
    flat = X.reshape(40, -1)
    assert np.array_equal(clf.predict_logits(flat.astype(np.float64)), clf.predict_logits(X))
    for rows, words in (
        (flat / 255.0, r"whole numbers from 0 to 255; row 0, pixel 0 is 0\."),
        (X[:, :16], r"shape \(16, 32, 3\); they must be of shape \(32, 32, 3\)"),
        (np.where(flat == 0, np.nan, flat.astype(float)), "NaN"),
    ):
        with pytest.raises(InputError, match=words):
            clf.predict(rows)
    for given, words in (
        (flat[:, :5], "looks at pictures; the rows are none"),
        (np.zeros((40, 8, 8, 2), np.uint8), r"these are of \(8, 8, 2\)"),
    ):
        with pytest.raises(InputError, match=words):
            quick(folder).fit(given, y)
    with pytest.raises(InputError, match=r"device='cuda' is not there|device must be"):
        quick(folder, device="cuda" if not has_cuda() else "gpu").fit(X, y)


def has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


@needs_transformers
def test_a_forged_file_is_refused(folder: Path, tmp_path: Path) -> None:
    X, y = pictures(40)
    quick(folder, max_epochs=1).fit(X, y).save(tmp_path / "m")
    manifest, tensors = model_file.load_model(tmp_path / "m")
    assert manifest["encoder"]["backbone"]["name"] == folder.name
    early = copy.deepcopy(manifest)  # before version 0.1 was out a folder was kept as it was typed
    early["encoder"]["backbone"]["name"] = str(folder)
    model_file.save_model(tmp_path / "early", early, tensors, overwrite=False)
    assert fl.load(tmp_path / "early").get_params()["backbone"] == f"hf:{folder}"

    def refused(change: Any) -> str:
        forged, other = copy.deepcopy(manifest), dict(tensors)
        change(forged["encoder"], other)
        model_file.save_model(tmp_path / "bad", forged, other, overwrite=True)
        with pytest.raises(ModelFileError) as caught:
            Model.load(tmp_path / "bad")
        return str(caught.value)

    assert "takes 24" in refused(lambda encoder, other: (
        encoder["backbone"].update(n_features=23),
        other.update({name: other[name][:23] for name in other if name.startswith("encoder.")}),
    ))  # fmt: skip
    assert "behind must be standard or robust" in refused(lambda encoder, _: encoder.update(behind="picture"))
    assert "behind must be standard or robust" in refused(lambda encoder, _: encoder.update(behind={}))
    assert "encoder must be an object with" in refused(lambda encoder, _: encoder.pop("backbone"))
    assert "encoder must be an object with" in refused(lambda encoder, _: encoder.update(kind=["backbone"]))
    assert "backbone: files" in refused(lambda encoder, _: encoder["backbone"].update(files={"a/b": "0" * 64}))
    assert "a backbone sees pictures" in refused(lambda encoder, _: encoder["schema"].update(picture_shape=[3072]))
    assert "expected the tensors" in refused(lambda _, other: other.pop("encoder.mean"))


@needs_transformers
def test_a_server_answers_with_the_bits_of_predict_proba(folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    X, y = pictures(60)
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    clf = quick(own).fit(X, y)
    clf.save(tmp_path / "m.safetensors")
    own.rename(tmp_path / "moved")
    png = io.BytesIO()
    Image.fromarray(X[5]).save(png, "PNG")
    with serving(tmp_path / "m.safetensors", "--backbone", f"hf:{tmp_path / 'moved'}") as server:
        by_rows = server.predict("m", X[4:6].reshape(2, -1).tolist())
        by_picture = server.ask("POST", "/v1/models/m/predict", png.getvalue(), {"Content-Type": "image/png"})
        page = server.ask("GET", "/")
    expected = clf.predict_proba(X[4:6])
    answers = [*by_rows.json["predictions"], *by_picture.json["predictions"]]
    for answer, row in zip(answers, (*expected, expected[1]), strict=True):
        assert np.array_equal(np.array(list(answer["probabilities"].values()), np.float32), row)
    assert b"compute the backbone" in page.body


def test_without_what_it_needs_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = pictures(20)
    (tmp_path / "vit").mkdir()
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / "vit" / name).write_text("{}")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(EngineUnavailableError, match=r"^backbone='hf:.*\) needs .*transformers.*fromlogits\[torch\]"):
        quick(tmp_path / "vit").fit(X, y)
    with pytest.raises(EngineUnavailableError, match=r"^backbone='hf:a/b' \(--backbone hf:a/b\) needs "):
        fl.Classifier(backbone="hf:a/b").fit(X, y)


def test_without_pytorch_tiny_is_named_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    X, y = pictures(20)
    with pytest.raises(EngineUnavailableError, match=r"^backbone='tiny' \(--backbone tiny\) needs PyTorch"):
        fl.Classifier(backbone="tiny").fit(X, y)
    with pytest.raises(EngineUnavailableError, match=r"^engine='torch' needs PyTorch"):
        fl.Classifier(backbone="tiny", engine="torch").fit(X, y)
