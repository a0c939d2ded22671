"""`backbone="tiny"`: pictures, a small residual network, and everything a classifier does with it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits import model_file
from fromlogits.engines import precision
from fromlogits.errors import EngineUnavailableError, InputError, ModelFileError
from fromlogits.model import Model
from fromlogits.presets import PRESETS, Task, tiny
from fromlogits.spec import Dense, Network, Residual, describe_layer, parse_layers
from tests.every_engine import HAS_TORCH, needs_torch

SMALL = Residual((8, 16), 1, 1)


def pictures(n: int = 160, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Of 10 by 8 pixels in colour, with a bar that lies or stands somewhere, red or green: two labels."""
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 60, (n, 10, 8, 3)).astype(np.uint8), rng.integers(0, 2, (n, 2))
    for picture, (lies, is_red) in zip(X, y, strict=True):
        a, b = rng.integers(0, 5), rng.integers(0, 3)
        place = (slice(a, a + 1), slice(b, b + 5)) if lies else (slice(a, a + 5), slice(b, b + 1))
        picture[(*place, 0 if is_red else 1)] = 250
    return X, y


def quick(**settings: Any) -> fl.Classifier:
    network = Network([SMALL, Dense(1 if settings.get("separate_networks") else 2)])
    given = {"network": network, "task": "multi-label", "max_epochs": 8, "learning_rate": 0.01, "batch_size": 16}
    return fl.Classifier(**{**given, "optimizer": "adamw", "random_state": 0, **settings})


@needs_torch
@pytest.mark.parametrize("separate", [False, True], ids=["joint", "separate"])
def test_a_bar_is_seen_wherever_it_is_and_the_file_holds_all_of_it(separate: bool, tmp_path: Path) -> None:
    X, y = pictures()
    clf = quick(separate_networks=separate, decide_for="f1", max_epochs=12).fit(X, y)
    other_X, other_y = pictures(200, seed=1)
    figures = clf.evaluate(other_X, other_y)
    assert figures["macro_roc_auc"] > 0.9
    clf.save(tmp_path / "m.safetensors")
    read = fl.load(tmp_path / "m.safetensors")
    assert np.array_equal(read.predict_proba(other_X), clf.predict_proba(other_X))
    assert np.array_equal(copy.deepcopy(clf).predict_logits(other_X), clf.predict_logits(other_X))
    alone = np.concatenate([clf.predict_logits(other_X[k : k + 1]) for k in range(5)])
    assert np.array_equal(alone, clf.predict_logits(other_X)[:5])
    by_reference = fl.load(tmp_path / "m.safetensors", engine="reference")
    np.testing.assert_allclose(by_reference.predict_logits(X[:9]), clf.predict_logits(X[:9]), rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError, match="the native engine has no layer 'residual 8-16 1 1'"):
        fl.load(tmp_path / "m.safetensors", engine="native")


@needs_torch
def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    X, y = pictures(64)
    for name in ("a", "b"):
        settings = {"spec": {"precision": "bfloat16", "shift": 0.1, "flip": True, "colour": 0.2}}
        quick(max_epochs=2, **settings).fit(X, y).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@needs_torch
def test_the_backbone_is_a_network_and_a_plan_of_its_own() -> None:
    X, y = pictures(40)
    clf = fl.Classifier(
        backbone="tiny", task="multi-label", hidden_layer_sizes=(9,), max_epochs=1, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert [describe_layer(one) for one in clf.network_.layers] == ["residual 32-64-128 1 1", "9 relu", "2 linear"]
    assert (clf.plan_.precision, clf.plan_.flip, clf.plan_.max_epochs) == (precision.fastest(None, None), True, 1)
    assert "residual 32-64-128 1 1 240 -> 128" in str(clf.network_)
    clf.partial_fit(X, y)


@needs_torch
@pytest.mark.parametrize(
    ("narrow_s", "faster"), [(0.5, "bfloat16"), (0.9, "float32"), (10.0, "float32")], ids=["half", "alike", "slow"]
)
def test_convolutions_are_computed_in_what_is_clearly_faster_here(
    narrow_s: float, faster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Step:
        def __init__(self, device: str, of: str) -> None:
            self._each = iter([5.0, 3.0, *([narrow_s] * 9)] if of == "bfloat16" else [9.0, 1.0, 4.0, 1.1, 1.0])

        def taken(self) -> float:
            return next(self._each)

    monkeypatch.setattr(precision, "_Step", Step)
    precision._measured.cache_clear()
    X, y = pictures(40)
    fits: dict[str, Any] = {"backbone": "tiny", "task": "multi-label", "max_epochs": 1, "random_state": 0}
    try:
        assert fl.Classifier(**fits).fit(X, y).plan_.precision == faster
        stated = fl.Classifier(**fits, spec={"precision": "bfloat16"}).fit(X, y)
        assert stated.plan_.precision == "bfloat16"
    finally:
        precision._measured.cache_clear()


def test_only_the_engine_of_pytorch_has_another_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_measured", lambda device: "bfloat16")
    assert [precision.fastest(engine, "cpu") for engine in ("native", "reference")] == ["float32"] * 2
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert precision.fastest(None, None) == "float32"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_plan_follows_pictures_and_preset(preset: str) -> None:
    digits, photographs = (tiny(preset, Task(5_000, picture_shape=shape)) for shape in ((28, 28), (96, 96, 3)))
    assert (digits.plan["flip"], photographs.plan["flip"]) == (False, True)
    assert (digits.plan["colour"], photographs.plan["colour"] > 0) == (0.0, True)
    assert [one.layers[0].patch for one in (digits, photographs) if isinstance(one.layers[0], Residual)] == [1, 3]
    assert digits.ensemble == (3 if preset == "best" else 1)
    assert digits.plan["averaging"] == photographs.plan["averaging"] == 0.125


def of_size(preset: str, n: int, *shape: int) -> tuple[str, int, int]:
    one = tiny(preset, Task(n, picture_shape=shape))
    return describe_layer(one.layers[0]), one.plan["batch_size"], one.plan["max_epochs"]


def test_a_network_is_as_fine_as_its_pictures_are_small_and_few_pictures_are_passed_often() -> None:
    assert of_size("good", 60_000, 28, 28) == ("residual 32-64-128 1 1", 128, 10)
    assert of_size("good", 2_400, 32, 32, 3) == ("residual 32-64-128 1 1", 32, 166)
    assert of_size("good", 2_000, 64, 128, 3) == ("residual 32-64-128-256 1 2", 32, 200)
    assert of_size("good", 6_700, 96, 96, 3) == ("residual 32-64-128-256 1 3", 64, 59)
    assert of_size("good", 6_700, 1000, 800, 3)[0] == "residual 32-64-128-256 1 8"
    passes = [[of_size(preset, n, 28, 28)[2] for n in (100, 7_000, 60_000)] for preset in PRESETS]
    assert passes == [[200, 21, 4], [200, 57, 10], [200, 57, 15]]


def test_without_pytorch_the_backbone_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    X, y = pictures(40)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'fromlogits\[torch\]'"):
        quick().fit(X, y)


def test_without_pytorch_a_model_is_looked_at_and_saved_and_does_not_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = pictures(40)
    by_reference = quick(engine="reference", max_epochs=1).fit(X, y)
    by_reference.save(tmp_path / "a")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    clf = fl.load(tmp_path / "a")
    assert clf.describe() == by_reference.describe()
    clf.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(EngineUnavailableError, match="the layer 'residual 8-16 1 1' needs PyTorch"):
        clf.predict(X)
    with pytest.raises(EngineUnavailableError, match="engine='torch' needs PyTorch"):
        fl.load(tmp_path / "a", engine="torch")
    monkeypatch.undo()
    if HAS_TORCH:
        assert clf.predict(X).shape == (40, 2)  # PyTorch was installed since


def test_the_native_engine_names_the_one_that_has_the_layer() -> None:
    X, y = pictures(40)
    with pytest.raises(InputError, match="the native engine has no layer 'residual 8-16 1 1'; engine='torch'"):
        quick(engine="native").fit(X, y)


def test_layers_are_read_as_they_are_described_and_json_gives_them_back() -> None:
    text = "residual 8-16 1 1, 2 linear"
    network = parse_layers(text)
    assert isinstance(network, Network)
    assert ", ".join(map(describe_layer, network.layers)) == text
    whole = network.with_input(240, picture_shape=(10, 8, 3))
    assert Network.from_json(whole.to_json()) == whole
    assert whole.n_parameters == sum(int(np.prod(s)) for a in whole.arrays for s in a.values())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Residual(()), "the stages of Residual must be a whole number from 1 to 8; got 0"),
        (lambda: Residual((8, 5000)), "a width of Residual must be a whole number from 1 to 4096; got 5000"),
        (lambda: Residual((8,), patch=0), "Residual patch must be a whole number from 1 to 64; got 0"),
        (lambda: Network([Dense(3, "relu"), SMALL, Dense(2)]), "or Residual alone, in front of the Dense layers"),
        (lambda: Network([SMALL, Dense(2)], 12), "each row must be one, of shape"),
        (lambda: Network([SMALL, Dense(2)], 12, picture_shape=(5, 5)), "have 25 values, not 12"),
        (lambda: Network([Residual((8,), 1, 4), Dense(2)], 9, picture_shape=(3, 3)), "patch must be 3 at most"),
    ],
)
def test_what_is_no_network_over_pictures_is_refused(make: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert words in str(caught.value)


@needs_torch
def test_a_forged_file_is_refused(tmp_path: Path) -> None:
    X, y = pictures(40)
    quick(max_epochs=1).fit(X, y).save(tmp_path / "m")
    manifest, tensors = model_file.load_model(tmp_path / "m")

    def refused(change: Any) -> str:
        forged, other = copy.deepcopy(manifest), dict(tensors)
        change(forged, other)
        model_file.save_model(tmp_path / "bad", forged, other, overwrite=True)
        with pytest.raises(ModelFileError) as caught:
            Model.load(tmp_path / "bad")
        return str(caught.value)

    def other_shape(forged: Any, _: Any) -> None:
        forged["spec"]["network"]["picture_shape"] = [8, 10, 3]

    def no_shape(forged: Any, _: Any) -> None:
        del forged["spec"]["network"]["picture_shape"]

    def huge(forged: Any, _: Any) -> None:
        forged["spec"]["network"]["layers"][0] |= {"widths": [4096] * 8, "blocks": 64}

    def negative(_: Any, other: Any) -> None:
        other["layer.0.variances.0"] = -other["layer.0.variances.0"] - 1

    assert "the network takes pictures of shape (8, 10, 3)" in refused(other_shape)
    assert "each row must be one" in refused(no_shape)
    assert "parameters" in refused(huge)
    assert "variances of a norm must be at least 0" in refused(negative)
