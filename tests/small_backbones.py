"""Small networks of every family, their weights drawn at random: folders as `save_pretrained` leaves them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.backbones import network
from fromlogits.data.backbones.kept import Recent

HAS_TRANSFORMERS = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))
needs_transformers = pytest.mark.skipif(
    not HAS_TRANSFORMERS, reason="transformers is not installed: pip install 'fromlogits[torch]'"
)
VIT = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
TEXT = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
FAMILIES = ("vit", "vit_classifier", "dinov2", "convnextv2", "resnet", "swin", "clip", "clip_vision", "siglip", "ijepa")


def save(folder: Path, family: str, seed: int = 0) -> Path:
    """A network of this family with its preprocessing, in a new folder."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    square, short = {"height": 32, "width": 32}, {"shortest_edge": 32}
    vit = t.ViTImageProcessorPil(size=square)
    convnext = t.ConvNextImageProcessorPil(size=short, crop_pct=0.8)
    clip = t.CLIPImageProcessorPil(size=short, crop_size=square)
    make: dict[str, Any] = {
        "vit": lambda: (t.ViTModel(t.ViTConfig(**VIT)), vit),
        "vit_classifier": lambda: (t.ViTForImageClassification(t.ViTConfig(**VIT)), vit),
        "dinov2": lambda: (
            t.Dinov2Model(t.Dinov2Config(**VIT, mlp_ratio=2)),
            t.BitImageProcessorPil(size={"shortest_edge": 40}, crop_size=square),
        ),
        "convnextv2": lambda: (
            t.ConvNextV2Model(t.ConvNextV2Config(hidden_sizes=[8, 12], depths=[1, 1], num_stages=2)), convnext,
        ),
        "resnet": lambda: (
            t.ResNetModel(t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])), convnext,
        ),
        "swin": lambda: (
            t.SwinModel(
                t.SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4)
            ),
            vit,
        ),
        "clip": lambda: (t.CLIPModel(t.CLIPConfig(text_config=TEXT, vision_config=VIT, projection_dim=8)), clip),
        "clip_vision": lambda: (t.CLIPVisionModel(t.CLIPVisionConfig(**VIT)), clip),
        "siglip": lambda: (
            t.SiglipModel(t.SiglipConfig(text_config=TEXT, vision_config=VIT)),
            t.SiglipImageProcessorPil(size=square),
        ),
        "ijepa": lambda: (t.IJepaModel(t.IJepaConfig(**VIT), add_pooling_layer=False), vit),
    }  # fmt: skip
    network, preprocessing = make[family]()
    network.save_pretrained(folder)
    preprocessing.save_pretrained(folder)
    return folder


def pictures(n: int = 60, size: tuple[int, int] = (32, 32), seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Reddish and greenish ones, uint8 (n, h, w, 3), and which they are."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, n)
    found = rng.integers(0, 90, (n, *size, 3)).astype(np.uint8)
    found[np.arange(n), :, :, kinds] += 120
    return found, np.array(["red", "green"])[kinds]


class Counted:
    """How many pictures were computed since, nothing being remembered of earlier tests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        monkeypatch.setattr("fromlogits.data.backbones.backbone.RECENT", Recent())
        compute = network.PretrainedNetwork.features

        def counting(one: network.PretrainedNetwork, pixels: NDArray[np.uint8], n_threads: int) -> NDArray[np.float32]:
            if hasattr(one, "n_features"):  # a new one is tried on pictures of its own
                self.n += len(pixels)
            return compute(one, pixels, n_threads)

        monkeypatch.setattr(network.PretrainedNetwork, "features", counting)
