"""Which backbone a model was trained behind, exactly: by what its files hold, not by where they lie."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InputError, brief

PREFIX = "hf:"
FEATURES = ("pooled", "first_token", "mean_of_tokens", "mean_of_places")
"""What of a backbone's output is a picture's features; docs/decisions/0027-frozen-backbones.md."""
MAX_NAME_CHARACTERS = 1_000
MAX_FILES = 1_000
MAX_FEATURES = 1_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def is_pretrained(backbone: object) -> bool:
    """Whether the setting names a pretrained network."""
    return isinstance(backbone, str) and backbone.startswith(PREFIX)


@dataclass(frozen=True)
class Reference:
    """Which backbone.

    Attributes:
        name: what stood behind "hf:", without a revision: of a model on Hugging Face; of a folder the last
            part of its path (files of early versions: the path as it was typed).
        revision: the commit of a model on Hugging Face; None of a folder.
        files: of its folder -> SHA-256: weights, network and preprocessing.
        feature: what is taken of its output, one of FEATURES.
        n_features: how many numbers that are.
    """

    name: str
    revision: str | None
    files: Mapping[str, str]
    feature: str
    n_features: int

    @property
    def text(self) -> str:
        """As one types it."""
        return PREFIX + self.name + ("" if self.revision is None else f"@{self.revision}")

    @property
    def digest(self) -> bytes:
        """Of all that the features depend on, and not of its name."""
        about = [dict(self.files), self.feature, self.n_features]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).digest()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "revision": self.revision,
            "files": dict(self.files),
            "feature": self.feature,
            "n_features": self.n_features,
        }

    @classmethod
    def from_json(cls, value: object) -> Reference:
        """The inverse of `to_json`; raises InputError on anything else."""
        if not isinstance(value, dict) or set(value) != set(cls.__dataclass_fields__):
            raise InputError(f"backbone must be an object with {', '.join(cls.__dataclass_fields__)}.")
        name, revision, files, n_features = value["name"], value["revision"], value["files"], value["n_features"]
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
            raise InputError(f"backbone: name must be a printable text; got {brief(name)}.")
        if revision is not None and not (isinstance(revision, str) and _COMMIT.fullmatch(revision)):
            raise InputError(f"backbone: revision must be a commit or null; got {brief(revision)}.")
        if not isinstance(files, dict) or not 1 <= len(files) <= MAX_FILES:
            raise InputError("backbone: files must be an object of names and digests.")
        for file, digest in files.items():
            if not _FILE.fullmatch(file) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
                raise InputError(f"backbone: files must be names and digests in hex; got {brief(file)}.")
        if value["feature"] not in FEATURES:
            raise InputError(f"backbone: feature must be one of {', '.join(FEATURES)}; got {brief(value['feature'])}.")
        if type(n_features) is not int or not 1 <= n_features <= MAX_FEATURES:
            raise InputError(f"backbone: n_features must be a whole number from 1 to {MAX_FEATURES:,}.")
        return cls(name, revision, files, value["feature"], n_features)
