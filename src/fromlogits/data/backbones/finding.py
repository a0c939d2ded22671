"""Where a backbone lies on this machine, and the digests of its files. Nothing is downloaded, and no code is run."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import EngineUnavailableError, InputError, one_line
from .reference import PREFIX

NEEDED = ("torch", "transformers", "PIL")
"""Modules -> what brings them is the extra `torch`."""
CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PREPROCESSING = ("preprocessor_config.json", "processor_config.json")
ADAPTER = "adapter_config.json"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")
MAX_JSON_BYTES = 1 << 24
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_REVISION = re.compile(r"[\w./-]{1,200}")
_DIGESTS: dict[tuple[str, int, int, int], str] = {}
"""Of files that were digested already, by path, inode, size and time of change."""


@dataclass(frozen=True)
class Found:
    """A backbone's folder.

    Attributes:
        name, revision: as in `Reference`.
        path: of the folder.
        files: that say what the backbone computes, by name.
        asked: what it was asked for by, as a message names it.
    """

    name: str
    revision: str | None
    path: Path
    files: tuple[str, ...]
    asked: str

    def digests(self) -> dict[str, str]:
        """Of each file its SHA-256, in hex."""
        return {name: _sha256(self.path / name, self.asked) for name in self.files}


def refuse_unavailable(asked: str) -> None:
    """Raise EngineUnavailableError where something is not installed that a backbone needs. Loads nothing."""
    missing = [name for name in NEEDED if not _is_installed(name)]
    if missing:
        words = {"torch": "PyTorch", "PIL": "Pillow"}
        named = " and ".join(words.get(name, name) for name in missing)
        are = "is" if len(missing) == 1 else "are"
        raise EngineUnavailableError(
            f"{asked} needs {named}, which {are} not installed: pip install 'fromlogits[torch]'."
        )


def find(backbone: str) -> Found:
    """The folder of "hf:NAME", "hf:NAME@REVISION" or "hf:FOLDER"; a folder of that name goes first.

    Raises:
        InputError: it is not there, or holds what is not loaded; one line says what to do.
        EngineUnavailableError: what looks for it is not installed.
    """
    asked = f"backbone {one_line(backbone)!r}"
    said = backbone.removeprefix(PREFIX)
    if not said or "\0" in said:
        raise InputError(f"{asked}: behind hf: stands the name of a model on Hugging Face, or a folder.")
    folder = Path(said)
    if folder.is_dir():
        name = os.path.basename(os.path.abspath(said)) or said  # the rest says where the user keeps things
        return Found(name, None, folder, _files(folder, asked), asked)
    name, _, revision = said.partition("@")
    if not _HUB_NAME.fullmatch(name) or ".." in name or (revision and not _REVISION.fullmatch(revision)):
        raise InputError(f"{asked}: there is no such folder, and no model on Hugging Face can have this name.")
    refuse_unavailable(asked)
    folder = _in_cache(name, revision or None, asked)
    return Found(name, folder.name, folder, _files(folder, asked), asked)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # of one that was taken away
        return False


def _in_cache(name: str, revision: str | None, asked: str) -> Path:
    """The folder of a model that was fetched earlier."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    found = try_to_load_from_cache(name, CONFIG, revision=revision)
    if not isinstance(found, str):
        at = "" if revision is None else f" --revision {revision}"
        raise InputError(
            f"{asked}: there is no such folder, and no copy of this model in {HF_HUB_CACHE}. fromlogits downloads"
            f" nothing: fetch it once by `hf download {name}{at}`."
        )
    return Path(found).parent


def _files(folder: Path, asked: str) -> tuple[str, ...]:
    """The names of the files that say what the backbone computes; raises InputError for a folder that can't be one."""
    try:
        there = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{asked}: the folder can't be read: {(error.strerror or str(error)).lower()}.") from None
    if CONFIG not in there:
        raise InputError(f"{asked}: the folder {folder} holds no {CONFIG}, as a model of transformers does.")
    if ADAPTER in there:
        raise InputError(
            f"{asked}: the folder holds an adapter ({ADAPTER}), which needs another model. Merge the two and save the"
            " result."
        )
    if WEIGHTS in there:
        weights = [WEIGHTS]
    elif INDEX in there:
        weights = [INDEX, *_shards(folder, there, asked)]
    else:
        pickled = next((name for name in there if name.endswith(PICKLED)), None)
        why = f"its weights are in {pickled}, which may run code when it is read" if pickled else "it holds none"
        raise InputError(
            f"{asked}: weights are read from {WEIGHTS} alone; {why}. Save it as safetensors:"
            " model.save_pretrained(FOLDER)."
        )
    preprocessing = [name for name in PREPROCESSING if name in there]
    if not preprocessing:
        raise InputError(
            f"{asked}: the folder holds no {PREPROCESSING[0]}, which says how pictures are prepared. Save it by"
            " image_processor.save_pretrained(FOLDER)."
        )
    return (CONFIG, *weights, *preprocessing)


def _shards(folder: Path, there: list[str], asked: str) -> Iterator[str]:
    index = read_json(folder / INDEX, asked)
    places = index.get("weight_map")
    names = sorted(set(places.values())) if isinstance(places, dict) else []
    if not names or not all(isinstance(name, str) and name in there for name in names):
        raise InputError(f"{asked}: {INDEX} names files that are not beside it; fetch the model again.")
    yield from names


def read_json(path: Path, asked: str) -> dict[str, Any]:
    """A small JSON object of the backbone's folder."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{asked}: {path.name} can't be read; fetch the model again.") from None
    return value


def _sha256(path: Path, asked: str) -> str:
    try:
        if not path.is_file():
            raise InputError(f"{asked}: {path.name} is no regular file.")
        status = path.stat()
        key = (os.fspath(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in _DIGESTS:
            with path.open("rb") as file:
                _DIGESTS[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return _DIGESTS[key]
    except OSError as error:
        raise InputError(f"{asked}: {path.name} can't be read: {(error.strerror or str(error)).lower()}.") from None
