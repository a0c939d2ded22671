"""What a model remembers of picture files, so that later ones become the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import InputError, brief

BILINEAR = "bilinear"
MAX_NAME_CHARACTERS = 100_000


@dataclass(frozen=True)
class PictureFiles:
    """How files became pictures; their height, width and channels are the schema's picture_shape.

    Attributes:
        column: of the training table, that held their names or bytes; None: they stood in a folder.
        resize: the filter; the aspect is not kept. Docs: docs/decisions/0025-pictures.md.
    """

    column: str | None = None
    resize: str = BILINEAR

    def to_json(self) -> dict[str, Any]:
        return {"column": self.column, "resize": self.resize}

    @classmethod
    def from_json(cls, value: object, picture_shape: tuple[int, ...] | None) -> PictureFiles | None:
        """The inverse of `to_json`, None where there is none; raises InputError on anything else."""
        if value is None:
            return None
        if not isinstance(value, dict) or set(value) != {"column", "resize"}:
            raise InputError("schema: pictures must be an object with column and resize.")
        column, resize = value["column"], value["resize"]
        if column is not None and not (isinstance(column, str) and len(column) <= MAX_NAME_CHARACTERS):
            raise InputError("schema: pictures: column must be a name or null.")
        if resize != BILINEAR:
            raise InputError(f"schema: pictures: resize must be {BILINEAR!r}; got {brief(resize)}.")
        if picture_shape is None or len(picture_shape) < 2 or (len(picture_shape) == 3 and picture_shape[2] != 3):
            raise InputError("schema: pictures of files must have the shape (h, w) or (h, w, 3).")
        return cls(column, resize)
