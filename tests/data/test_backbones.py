"""Frozen backbones: found, known by their files, loaded without running code, and computed as transformers does."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fromlogits.data.backbones import finding, network
from fromlogits.data.backbones.backbone import Backbone, coloured
from fromlogits.data.backbones.kept import OVERHEAD_BYTES, Folder, Recent
from fromlogits.data.backbones.reference import Reference
from fromlogits.errors import FromlogitsError, InputError
from tests.small_backbones import FAMILIES, Counted, needs_transformers, pictures, save

FEATURES = {"vit_classifier": "first_token", "ijepa": "mean_of_tokens"}
SIZES = {"dinov2": (40, 40), "convnextv2": (40, 40), "resnet": (40, 40)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backbones")
    for family in FAMILIES:
        save(folder / family, family)
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def directly(folder: Path, family: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The features as the papers take them, by transformers' own classes of this family."""
    import torch
    import transformers as t

    classes: dict[str, tuple[Any, Any]] = {
        "vit": (t.ViTModel, t.ViTImageProcessorPil),
        "vit_classifier": (t.ViTForImageClassification, t.ViTImageProcessorPil),
        "dinov2": (t.Dinov2Model, t.BitImageProcessorPil),
        "convnextv2": (t.ConvNextV2Model, t.ConvNextImageProcessorPil),
        "resnet": (t.ResNetModel, t.ConvNextImageProcessorPil),
        "swin": (t.SwinModel, t.ViTImageProcessorPil),
        "clip": (t.CLIPModel, t.CLIPImageProcessorPil),
        "clip_vision": (t.CLIPVisionModel, t.CLIPImageProcessorPil),
        "siglip": (t.SiglipModel, t.SiglipImageProcessorPil),
        "ijepa": (t.IJepaModel, t.ViTImageProcessorPil),
    }
    of_network, of_preprocessing = classes[family]
    model = of_network.from_pretrained(folder).eval()
    prepared = of_preprocessing.from_pretrained(folder)([Image.fromarray(one) for one in pixels], return_tensors="pt")
    with torch.no_grad():
        x = prepared["pixel_values"]
        if family == "vit":  # the pooler's weights are in the file
            class_token = model(x).last_hidden_state[:, 0]
            found = torch.tanh(class_token @ model.pooler.dense.weight.T + model.pooler.dense.bias)
        elif family == "vit_classifier":  # what the classifier takes: the class token behind the last norm
            found = model.vit(x).last_hidden_state[:, 0]
        elif family == "dinov2":
            found = model(x).last_hidden_state[:, 0]
        elif family in ("convnextv2", "resnet"):
            found = model(x).last_hidden_state.mean(dim=(2, 3))
            found = model.layernorm(found) if family == "convnextv2" else found
        elif family in ("swin", "ijepa"):
            found = model(x).last_hidden_state.mean(dim=1)
        elif family in ("clip", "clip_vision"):
            vision = model.vision_model if family == "clip" else model
            found = vision.post_layernorm(vision(pixel_values=x).last_hidden_state[:, 0])
        else:  # the head that pools by attention
            found = model.vision_model.head(model.vision_model(x).last_hidden_state)
    return np.asarray(found.numpy())


@needs_transformers
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_that_are_computed_directly(family: str, folders: Path) -> None:
    backbone = Backbone.open(f"hf:{folders / family}")
    assert backbone.reference.feature == FEATURES.get(family, "pooled")
    assert backbone.size == SIZES.get(family, (32, 32))
    pixels = pictures(5, (48, 36))[0]
    found = backbone.features(pixels)
    expected = directly(folders / family, family, pixels)
    assert found.shape == expected.shape == (5, backbone.n_features)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())  # float32, other batches
    assert np.ptp(found, axis=0).max() > 1e-4  # they tell pictures apart


@needs_transformers
@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_has_the_same_bits_alone_among_others_and_by_any_threads(family: str, folders: Path) -> None:
    found = finding.find(f"hf:{folders / family}")
    one = network.load(found, "cpu", found.digests())
    pixels = pictures(9)[0]
    together = one.features(pixels, 1)
    assert np.array_equal(one.features(pixels, 4), together)
    assert np.array_equal(np.concatenate([one.features(pixels[row : row + 1], 2) for row in range(9)]), together)


@needs_transformers
def test_batches_of_another_device_are_filled_up(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding.find(f"hf:{folders / 'vit'}")
    one = network.load(found, "cpu", found.digests())
    monkeypatch.setattr(network, "BATCH", 4)
    pixels = pictures(9)[0]
    np.testing.assert_allclose(one._in_batches(pixels), one.features(pixels, 1), rtol=1e-4, atol=1e-5)


@needs_transformers
def test_grey_is_colour_with_three_channels_alike(folders: Path) -> None:
    backbone = Backbone.open(f"hf:{folders / 'vit'}")
    grey = pictures(3)[0][..., 0]
    by_colour = backbone.features(np.repeat(grey[..., None], 3, axis=3))
    assert np.array_equal(backbone.features(grey), by_colour)
    assert np.array_equal(backbone.features(grey[..., None]), by_colour)
    assert coloured(grey).shape == (3, 32, 32, 3)


@needs_transformers
def test_each_picture_is_computed_once(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone.open(f"hf:{folders / 'vit'}")
    counted = Counted(monkeypatch)
    pixels = pictures(20, seed=5)[0]
    twice = np.concatenate([pixels, pixels[:7]])
    found = backbone.features(twice)
    assert counted.n == 20
    assert np.array_equal(backbone.features(pixels[3:9]), found[3:9])
    assert counted.n == 20

    backbone.keep_in(tmp_path)
    monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
    backbone.features(pixels[:12])
    monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
    again = Backbone.open(f"hf:{folders / 'vit'}")
    again.keep_in(tmp_path)
    assert np.array_equal(again.features(pixels), found[:20])
    assert counted.n == 20 + 12 + 8  # the first twelve came from the folder

    [folder] = tmp_path.iterdir()
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
    again.keep_in(tmp_path)
    assert np.array_equal(again.features(pixels), found[:20])  # damaged files hold nothing
    assert counted.n == 60


@needs_transformers
def test_what_one_device_computed_is_not_taken_for_another_s(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone.open(f"hf:{folders / 'vit'}")
    counted = Counted(monkeypatch)
    pixels = pictures(3, seed=6)[0]
    for one in (backbone, backbone.placed(None, "cpu"), backbone, backbone.placed(None, "cpu")):
        one.features(pixels)
    assert counted.n == 6


def test_a_folder_of_features_takes_the_bytes_that_it_says_and_is_whole_or_not_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {rng.bytes(32): rng.normal(size=7).astype(np.float32) for _ in range(50)}
    folder = Folder(tmp_path, 7)
    folder.keep(made)
    [file] = tmp_path.iterdir()
    assert file.stat().st_size == 50 * (32 + 4 * 7) + 30
    again = Folder(tmp_path, 7)
    assert len(again) == 50
    assert all(np.array_equal(again.get(key), features) for key, features in made.items())  # type: ignore[arg-type]
    assert again.get(b"?" * 32) is None
    assert len(Folder(tmp_path, 8)) == 0  # of another width
    file.rename(tmp_path / f"{'0' * 64}.features")
    assert len(Folder(tmp_path, 7)) == 0
    with pytest.raises(FromlogitsError, match="features could not be written"):
        Folder(tmp_path / "gone", 7).keep(made)


def test_memory_forgets_the_oldest_and_stays_bounded() -> None:
    one = np.ones(100, np.float32)
    recent = Recent(10 * (one.nbytes + OVERHEAD_BYTES))
    for number in range(30):
        recent.put(bytes([number]), one * number)
    assert recent.get(bytes([19])) is None
    assert all(recent.get(bytes([number])) is not None for number in range(20, 30))


@needs_transformers
def test_a_backbone_that_changed_is_another_one(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the reference holds the folder's name alone
    folder = Path(shutil.copytree(folders / "vit", tmp_path / "vit"))
    reference = Reference.from_json(json.loads(json.dumps(Backbone.open(f"hf:{folder}").reference.to_json())))
    Backbone(reference).check()
    save(tmp_path / "other", "vit", seed=1)
    shutil.copy(tmp_path / "other" / "model.safetensors", folder)
    with pytest.raises(InputError, match=r"the file model\.safetensors is another one\. Give it the very files"):
        Backbone(reference).check()
    with pytest.raises(InputError, match="is another one"):
        Backbone(reference).features(pictures(1, seed=77)[0])
    Backbone(reference, f"hf:{folders / 'vit'}").check()
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"weights are read from model\.safetensors alone; it holds none"):
        Backbone(reference).check()


@needs_transformers
def test_a_network_that_is_loaded_does_not_change_with_its_file(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path / "own", "vit", seed=2)
    backbone = Backbone.open(f"hf:{folder}")
    pixels = pictures(2)[0]
    before = backbone.features(pixels)
    with (folder / "model.safetensors").open("r+b") as file:  # the very file, not another one of its name
        file.write((folders / "vit" / "model.safetensors").read_bytes())
    monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
    assert np.array_equal(backbone.features(pixels), before)


def edited(folder: Path, name: str, **changes: Any) -> Path:
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def without_weights(folder: Path, name: str) -> Path:
    (folder / "model.safetensors").rename(folder / name)
    return folder


def fewer_weights(folder: Path) -> Path:
    from safetensors.numpy import load_file, save_file

    held = load_file(folder / "model.safetensors")
    held.pop(next(name for name in held if "query" in name or "q_proj" in name))
    save_file(held, folder / "model.safetensors", {"format": "pt"})
    return folder


def wrote(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content)
    return folder


@needs_transformers
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda at: wrote(at, "config.json", "{"), "config.json can't be read; fetch the model again"),
        (lambda at: edited(at, "config.json", model_type="own", auto_map={"AutoModel": "own.Own"}),
         "knows no model of the kind 'own'. Code that comes with a model is never run"),
        (lambda at: edited(at, "config.json", quantization_config={"bits": 4}), "its weights are quantized"),
        (lambda at: edited(at, "config.json", attn_implementation="someone/kernels"),
         "asks for code from elsewhere (someone/kernels)"),
        (lambda at: edited(at, "config.json", transformers_weights="other.safetensors"),
         "asks for weights in a file of another name (other.safetensors); they are read from model.safetensors alone"),
        (lambda at: edited(at, "config.json", hidden_size=20), "transformers can't load it"),
        (lambda at: without_weights(at, "pytorch_model.bin"),
         "its weights are in pytorch_model.bin, which may run code when it is read"),
        (lambda at: without_weights(at, "weights.safetensors"), "weights are read from model.safetensors alone"),
        (lambda at: wrote(at, "adapter_config.json", "{}"), "holds an adapter (adapter_config.json)"),
        (fewer_weights, "lack 1 of the network's arrays"),
        (lambda at: wrote(at, "preprocessor_config.json", "[]"), ""),
        (lambda at: edited(at, "preprocessor_config.json", image_processor_type="Own",
                           auto_map={"AutoImageProcessor": "own.Own"}),
         "transformers can't load its preprocessing"),
        (lambda at: wrote(without_weights(at, "a.safetensors"), "model.safetensors.index.json",
                          '{"weight_map": {"a": "../a.safetensors"}}'),
         "names files that are not beside it"),
        (lambda at: wrote(at, "model.safetensors", "no weights"), "transformers can't load it"),
    ],
)  # fmt: skip
def test_a_folder_that_can_t_be_trusted_is_refused_in_a_line(
    spoil: Any, words: str, folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = spoil(Path(shutil.copytree(folders / "vit", tmp_path / "vit")))
    (folder / "own.py").write_text("raise SystemExit('this was run')")
    shutil.copy(folders / "vit" / "model.safetensors", folder / "other.safetensors")
    with pytest.raises(InputError) as caught:
        Backbone.open(f"hf:{folder}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 900
    assert capfd.readouterr() == ("", "")


@needs_transformers
@pytest.mark.parametrize("kind", ["detr", "dpt"])
def test_a_configuration_that_names_another_model_asks_no_server(
    kind: str, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers looks for the network that these are built on."""
    looked_for: list[Any] = []

    def refuse(*where: Any, **_: Any) -> Any:
        looked_for.append(where)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    folder = Path(shutil.copytree(folders / "vit", tmp_path / "own"))
    wrote(folder, "config.json", json.dumps({"model_type": kind, "backbone": "a/b", "use_timm_backbone": False}))
    with pytest.raises(InputError, match=r"config\.json asks for another model, and nothing is downloaded\.$"):
        Backbone.open(f"hf:{folder}")
    assert not looked_for


@needs_transformers
def test_a_network_that_draws_lots_is_refused(tmp_path: Path) -> None:
    import torch
    import transformers as t

    torch.manual_seed(0)
    masked = t.ViTMAEConfig(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                            image_size=32, patch_size=8)  # fmt: skip
    t.ViTMAEModel(masked).save_pretrained(tmp_path)
    t.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="the same finite numbers of the same picture each time"):
        Backbone.open(f"hf:{tmp_path}")


@needs_transformers
@pytest.mark.usefixtures("no_network")
def test_a_model_of_the_hub_is_found_in_its_cache_and_known_by_its_commit(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, file_download

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(file_download, "HF_HUB_CACHE", str(tmp_path), raising=False)
    with pytest.raises(InputError, match="fetch it once by `hf download someone/vit`"):
        finding.find("hf:someone/vit")
    commit = "0123456789abcdef0123456789abcdef01234567"
    at = tmp_path / "models--someone--vit"
    shutil.copytree(folders / "vit", at / "snapshots" / commit)
    (at / "refs").mkdir()
    (at / "refs" / "main").write_text(commit)

    backbone = Backbone.open("hf:someone/vit")
    assert backbone.reference.text == f"hf:someone/vit@{commit}"
    Backbone(backbone.reference).check()
    (at / "refs" / "main").write_text("f" * 40)  # the newest is another one now; the model's own is still there
    Backbone(backbone.reference).check()
    with pytest.raises(InputError, match="hf download someone/vit"):
        finding.find("hf:someone/vit")
    with pytest.raises(InputError, match=r"--revision v2"):
        finding.find("hf:someone/vit@v2")


@pytest.mark.parametrize(
    "name", ["hf:", "hf:no/such/folder", "hf:../up", "hf:a b", "hf:a/b@c d", "hf:\0", "hf:a@..\\b"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"no model on Hugging Face can have this name|behind hf: stands the name"):
        finding.find(name)


GOOD = {"name": "a/b", "revision": None, "files": {"config.json": "0" * 64}, "feature": "pooled", "n_features": 8}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""), ("name", "a\nb"), ("name", 3), ("name", "a" * 2000), ("revision", "main"), ("revision", 1),
        ("files", {}), ("files", []), ("files", {"../x": "0" * 64}), ("files", {"config.json": "00"}),
        ("files", {"config.json": 1}), ("feature", "all"), ("feature", None), ("n_features", 0), ("n_features", True),
        ("n_features", 2**40), ("more", 1),
    ],
)  # fmt: skip
def test_a_forged_reference_is_refused(key: str, value: Any) -> None:
    assert Reference.from_json(GOOD).to_json() == GOOD
    with pytest.raises(InputError, match="backbone"):
        Reference.from_json(GOOD | {key: value})
