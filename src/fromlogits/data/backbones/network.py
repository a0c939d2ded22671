"""A pretrained network of transformers, loaded from a folder that was looked at before, and what it makes of pictures.

Nothing is fetched and no code of a model's folder is run: the network must be one that transformers itself knows, its
weights are read as safetensors, and everything is read from the folder alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, one_line
from .finding import CONFIG, WEIGHTS, Found, read_json, refuse_unavailable

BATCH = 64
"""Pictures at a time on another device than the processor, always: the last ones are filled up."""
POOLER = "pooler"
CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
"""How the parameter of a first token that stands for the whole picture is called."""
MAX_SIDE = 4_096
MOST_OF_A_REASON = 300
_OTHER_KERNELS = ("attn_implementation", "_attn_implementation", "attn_implementation_internal")
_OTHER_WEIGHTS = "transformers_weights"
"""Of a configuration: the file that transformers then loads, beside the one that was digested."""

_LOADED: dict[tuple[Any, ...], PretrainedNetwork] = {}
_LOADING = threading.Lock()


class PretrainedNetwork:
    """The part of the network that sees, ready to compute.

    Attributes:
        feature: what is taken of its output, one of `reference.FEATURES`.
        n_features: how many numbers that are.
        size: (h, w) of the pictures that its preprocessing makes first of all, before it cuts anything off.
    """

    def __init__(self, found: Found, device: str | None) -> None:
        import torch

        self._asked = found.asked
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._computing = threading.Lock()
        with _quiet(), _offline():
            _refuse_unknown(found)
            self._prepare = _preprocessing(found)
            self._network, lacks_pooler = _network(found)
        self._network.to(self._device)
        for array in (*self._network.parameters(), *self._network.buffers()):
            array.data = array.data.clone()  # out of the file, which is mapped into memory and may be written to
        grey = np.full((2, 64, 64, 3), 127, np.uint8)
        grey[:, ::7] = 40  # two rows alike, and not all of one colour
        prepared = self._prepared(grey)
        self.size = _first_size(self._prepare, prepared.shape[-2:])
        self.feature = _feature(self._outputs(prepared[:1]), self._network, found.asked, lacks_pooler=lacks_pooler)
        first, second = self.features(grey, 1), self.features(grey[:1], 1)
        self.n_features = int(first.shape[1])
        if not np.array_equal(first[:1], second) or not np.isfinite(first).all():
            raise InputError(
                f"{found.asked}: it must make the same finite numbers of the same picture each time, and does not."
            )

    @property
    def is_on_processor(self) -> bool:
        return bool(self._device.type == "cpu")

    @property
    def device(self) -> str:
        return str(self._device.type)

    def features(self, pictures: NDArray[np.uint8], n_threads: int) -> NDArray[np.float32]:
        """Of pictures (n, h, w, 3), float32 (n, n_features).

        On the processor each picture is computed alone and on one thread, so that its bits do not depend on the others
        or on the number of threads; what that costs says docs/decisions/0027-frozen-backbones.md.
        """
        from .. import torch_settings

        with self._computing, torch_settings.ours(self._device):
            if not self.is_on_processor:
                return self._in_batches(pictures)
            return self._one_by_one(pictures, n_threads)

    def _one_by_one(self, pictures: NDArray[np.uint8], n_threads: int) -> NDArray[np.float32]:
        import torch

        def one(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            torch.set_num_threads(1)
            return self._taken(self._outputs(self._prepared(picture[None])))

        before = torch.get_num_threads()
        try:
            if n_threads == 1 or len(pictures) == 1:
                return np.concatenate([one(picture) for picture in pictures])
            with ThreadPoolExecutor(min(n_threads, len(pictures))) as pool:
                return np.concatenate(list(pool.map(one, pictures)))
        finally:
            torch.set_num_threads(before)

    def _in_batches(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        made = []
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            prepared = self._prepared(batch)
            filled = np.concatenate([prepared, np.repeat(prepared[-1:], BATCH - len(batch), axis=0)])
            made.append(self._taken(self._outputs(filled))[: len(batch)])
        return np.concatenate(made)

    def _prepared(self, pictures: Sequence[Any] | NDArray[np.uint8]) -> NDArray[np.float32]:
        made = self._prepare(images=list(pictures), return_tensors="np", input_data_format="channels_last")
        pixels: NDArray[np.float32] = np.ascontiguousarray(made["pixel_values"], np.float32)
        if pixels.ndim != 4 or pixels.shape[1] != 3 or max(pixels.shape[2:]) > MAX_SIDE:
            raise InputError(
                f"{self._asked}: its preprocessing makes {' x '.join(map(str, pixels.shape[1:]))} numbers of a picture;"
                " they must be 3 x height x width."
            )
        return pixels

    def _outputs(self, prepared: NDArray[np.float32]) -> Any:
        import torch

        with torch.inference_mode():
            try:
                return self._network(pixel_values=torch.from_numpy(prepared).to(self._device), return_dict=True)
            except (TypeError, ValueError, RuntimeError) as error:
                raise _refusal(self._asked, "it takes no pictures", error) from None

    def _taken(self, outputs: Any) -> NDArray[np.float32]:
        """The features of each picture: (n, d)."""
        if self.feature == "pooled":
            taken = outputs.pooler_output.flatten(1)
        elif self.feature == "first_token":
            taken = outputs.last_hidden_state[:, 0]
        elif self.feature == "mean_of_tokens":
            taken = outputs.last_hidden_state.mean(dim=1)
        else:
            taken = outputs.last_hidden_state.mean(dim=(2, 3))
        return np.asarray(taken.float().cpu().numpy(), np.float32)


def load(found: Found, device: str | None, digests: dict[str, str]) -> PretrainedNetwork:
    """The network of these files; one that was loaded already is the same one. Raises InputError that says why not."""
    refuse_unavailable(found.asked)
    key = (tuple(sorted(digests.items())), device)
    with _LOADING:
        if key not in _LOADED:
            network = PretrainedNetwork(found, device)
            _LOADED.clear()  # one at a time: it may be large
            _LOADED[key] = network
        return _LOADED[key]


def _refuse_unknown(found: Found) -> None:
    """Raise InputError for a network that transformers does not know by itself, or that asks for code or for more."""
    from transformers import CONFIG_MAPPING

    config = read_json(found.path / CONFIG, found.asked)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        own = " Code that comes with a model is never run." if "auto_map" in config else ""
        raise InputError(
            f"{found.asked}: this version of transformers knows no model of the kind {str(kind)[:100]!r}.{own}"
        )
    for key, value in _entries(config):
        if key == "quantization_config":
            raise InputError(
                f"{found.asked}: its weights are quantized; take the model in float32, float16 or bfloat16."
            )
        if key in _OTHER_KERNELS and isinstance(value, str) and "/" in value:
            raise InputError(f"{found.asked}: {CONFIG} asks for code from elsewhere ({one_line(value)[:100]}).")
        if key == _OTHER_WEIGHTS and value is not None:
            raise InputError(
                f"{found.asked}: {CONFIG} asks for weights in a file of another name ({one_line(str(value))[:100]});"
                f" they are read from {WEIGHTS} alone. Take {_OTHER_WEIGHTS} out of it."
            )


def _network(found: Found) -> tuple[Any, bool]:
    """The network, or of one that sees and reads the part that sees; and whether its pooler has no weights."""
    import torch
    from transformers import AutoModel

    try:
        network, info = AutoModel.from_pretrained(
            found.path, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
            attn_implementation="eager", output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # whatever transformers says of a folder that it refuses
        raise _refusal(found.asked, "transformers can't load it", error) from None
    seeing, prefix = network, ""
    if hasattr(network, "vision_model"):  # of a network that also reads
        seeing, prefix = network.vision_model, "vision_model."
    missing = sorted(name for name in info["missing_keys"] if name.startswith(prefix))
    needed = [name for name in missing if POOLER not in name]
    if needed or info["mismatched_keys"]:
        names = needed or sorted(str(one[0]) for one in info["mismatched_keys"])
        raise InputError(
            f"{found.asked}: its files lack {len(names):,} of the network's arrays, such as {one_line(names[0])}, which"
            " would be drawn at random. Take a model whose own weights are all there."
        )
    return seeing.eval().requires_grad_(False), bool(missing)


def _preprocessing(found: Found) -> Any:
    """What turns pixels into what the network takes, by Pillow and NumPy: torchvision would give other bits."""
    from transformers import AutoImageProcessor

    try:
        return AutoImageProcessor.from_pretrained(
            found.path, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except Exception as error:
        raise _refusal(found.asked, "transformers can't load its preprocessing", error) from None


def _first_size(preprocessing: Any, otherwise: tuple[int, ...]) -> tuple[int, int]:
    """(h, w) to which it resizes square pictures."""
    size = getattr(preprocessing, "size", None)
    size = dict(size) if size is not None else {}
    if not getattr(preprocessing, "do_resize", True):
        size = {}
    if size.get("height") and size.get("width"):
        height, width = int(size["height"]), int(size["width"])
    elif side := size.get("shortest_edge"):
        crop = getattr(preprocessing, "crop_pct", None)
        height = width = int(side / crop) if crop and side < 384 else int(side)  # as ConvNeXt's own does it
    else:
        height, width = (int(side) for side in otherwise)
    return min(height, MAX_SIDE), min(width, MAX_SIDE)


def _feature(outputs: Any, network: Any, asked: str, *, lacks_pooler: bool) -> str:
    """What is taken of the output."""
    if getattr(outputs, "pooler_output", None) is not None and not lacks_pooler:
        return "pooled"
    hidden = getattr(outputs, "last_hidden_state", None)
    if hidden is None or hidden.ndim not in (3, 4):
        raise InputError(f"{asked}: it gives no features of a picture, neither pooled nor of its parts.")
    if hidden.ndim == 4:
        return "mean_of_places"
    has_first = any(name.endswith(CLASS_TOKENS) for name, _ in network.named_parameters())
    return "first_token" if has_first else "mean_of_tokens"


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """All keys and values of a JSON object, nested ones too."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _refusal(asked: str, what: str, error: Exception) -> InputError:
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):  # see `_offline`
        return InputError(f"{asked}: {CONFIG} asks for another model, and nothing is downloaded.")
    why = one_line(str(error).strip().partition("\n")[0])[:MOST_OF_A_REASON].rstrip(".") or type(error).__name__
    return InputError(f"{asked}: {what}: {why}.")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """transformers says nothing and draws nothing: what there is to say, we say."""
    from transformers.utils import logging

    level, draws = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if draws:
            logging.enable_progress_bar()


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """No server is asked, whatever a configuration makes transformers look for beside the folder."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
