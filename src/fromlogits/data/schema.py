"""What the columns of the training data were, so that later data can be held against them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, nearest, one_line
from .pictures.files import PictureFiles
from .table import Inputs, Matrix, SparseMatrix, Table

MAX_FEATURES = 10_000_000
MAX_NAME_CHARACTERS = 100_000
REASONS = {
    "empty": "no value in the training rows",
    "constant": "the same value in every training row",
    "identifier": "a different value in nearly every row: it names the row",
    "text": "free text, which can't be learned from yet",
    "durations": "durations, which can't be learned from yet; turn them into numbers",
    "rare": "no value that three training rows share",
}
"""Why a column is left out -> in words."""
LATER = ("weight_names", "group_names", "time_names")
"""Name lists that files of the first version lack, and others where they are empty."""
NEW_KEYS = ("left_out", "pictures", *LATER)
"""Keys that the first files lacked."""
NAME_LISTS = ("target_names", "id_names", "ignored", "numeric", "missing_words", *LATER)
MOST_CHANNELS = 4
"""Of pictures as they mostly are; no picture is so low."""
_CHANNELS_LAST = "X.transpose(0, 2, 3, 1) puts the channels last."
_ONE_PICTURE = " A single picture is X[None]."
_PIXEL = re.compile(r"pixel_([0-9]{1,5})_([0-9]{1,5})")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Schema:
    """The columns of the training data.

    Attributes:
        names: of the features, in the order the network takes them; None for arrays without names.
        n_features: how many.
        picture_shape: (h, w) or (h, w, channels) when a row is a picture, row by row; else None.
        target_names: target columns of the training table.
        id_names: columns that name rows.
        ignored: columns left out on request.
        numeric: columns read as numbers on request, though they look like codes.
        missing_words: what stood for a missing value, beside an empty field.
        weight_names: the column of the rows' weights, if there was one.
        group_names: the column whose equal values are rows that were held out together, or none.
        time_names: the column by whose order rows were held out, or none.
        first_index: what a svmlight file counts its features from, 0 or 1; None for other data.
        left_out: columns that can't be learned from -> why, a key of REASONS.
        pictures: how the pictures were made of files, where they were.
    """

    names: tuple[str, ...] | None
    n_features: int
    picture_shape: Shape | None = None
    target_names: tuple[str, ...] = ()
    id_names: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    missing_words: tuple[str, ...] = ()
    weight_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    time_names: tuple[str, ...] = ()
    first_index: int | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    pictures: PictureFiles | None = None

    @classmethod
    def of(cls, inputs: Inputs, picture_shape: Shape | None = None, **roles: tuple[str, ...]) -> Schema:
        """The schema of training rows; columns named pixel_r_c over a full grid are put in order, row by row."""
        names = inputs.names
        n_features = inputs.n_features
        if n_features > MAX_FEATURES:
            raise InputError(f"X has {n_features:,} features; the limit is {MAX_FEATURES:,}.")
        if isinstance(inputs, Matrix):
            refuse_other_pictures(inputs, picture_shape)
            picture_shape = picture_shape or inputs.picture_shape
        _refuse_channels_in_front(picture_shape)
        if names is not None and (grid := pixel_grid(names)):
            if picture_shape not in (None, grid[0]):
                raise InputError(
                    f"the columns pixel_r_c span a picture of {_by(grid[0])}; the shape {_by(picture_shape)} was given."
                )
            picture_shape, names = grid
        if picture_shape is not None and math.prod(picture_shape) != n_features:
            raise InputError(
                f"pictures of shape {_by(picture_shape)} have {math.prod(picture_shape)} pixels;"
                f" the rows have {n_features} features."
            )
        first_index = inputs.first_index if isinstance(inputs, SparseMatrix) else None
        pictures = inputs.pictures if isinstance(inputs, Matrix) else None
        return cls(names, n_features, picture_shape, first_index=first_index, left_out={}, pictures=pictures, **roles)

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that are neither features nor targets."""
        return tuple(
            dict.fromkeys((*self.id_names, *self.ignored, *(name for key in LATER for name in getattr(self, key))))
        )

    def name_of(self, column: int) -> str:
        """A column as a message names it."""
        if self.first_index is not None:
            return f"index {column + self.first_index}"
        return f"column {repr(self.names[column]) if self.names else column}"

    def match(self, inputs: Inputs) -> tuple[Inputs, tuple[str, ...]]:
        """The features in the schema's order, and what has to be said. Other columns are left out.

        Where one side has no names, the order of the columns is all there is. Raises InputError when a feature is
        missing, or the rows are pictures of another shape.
        """
        if isinstance(inputs, Matrix):
            refuse_other_pictures(inputs, self.picture_shape)
        if self.names is None or inputs.names is None:
            self._check_width(inputs)
            return inputs, ()
        if inputs.names == self.names:
            return inputs, ()
        place = {name: position for position, name in enumerate(inputs.names)}
        missing = [name for name in self.names if name not in place]
        if missing:
            more = f" ({len(missing)} of {self.n_features} columns are missing)" if len(missing) > 1 else ""
            hint = nearest(missing[0], inputs.names)
            raise InputError(f"column {missing[0]!r} is missing: the model was trained with it.{hint}{more}")
        roles = {*self.names, *self.target_names, *self.others, *self.left_out}
        extra = [name for name in inputs.names if name not in roles]
        notes = (f"columns that the model does not know were ignored: {shown(extra)}",) if extra else ()
        if isinstance(inputs, Table):
            return inputs.select(self.names), notes
        assert isinstance(inputs, Matrix)
        columns = [place[name] for name in self.names]
        return Matrix(inputs.values[:, columns], inputs.picture_shape, self.names, inputs.origin), notes

    def _check_width(self, inputs: Inputs) -> None:
        if inputs.n_features != self.n_features:
            is_one_picture = (len(inputs), inputs.n_features) == self.picture_shape
            raise InputError(
                f"X has {inputs.n_features} features, but Classifier is expecting {self.n_features} features as input."
                + (_ONE_PICTURE if is_one_picture else "")
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "names": None if self.names is None else list(self.names),
            "n_features": self.n_features,
            "picture_shape": None if self.picture_shape is None else list(self.picture_shape),
            "target_names": list(self.target_names),
            "id_names": list(self.id_names),
            "ignored": list(self.ignored),
            "numeric": list(self.numeric),
            "missing_words": list(self.missing_words),
            "first_index": self.first_index,
            "left_out": dict(self.left_out),
            **{key: list(names) for key in LATER if (names := getattr(self, key))},
            **({} if self.pictures is None else {"pictures": self.pictures.to_json()}),
        }

    @classmethod
    def from_json(cls, value: object) -> Schema:
        """The inverse of `to_json`; raises InputError on anything else."""
        if not isinstance(value, dict) or {*value, *NEW_KEYS} != set(cls.__dataclass_fields__):
            raise InputError(f"schema must be an object with {', '.join(cls.__dataclass_fields__)}.")
        n_features, shape = value["n_features"], value["picture_shape"]
        if type(n_features) is not int or not 1 <= n_features <= MAX_FEATURES:
            raise InputError(f"schema: n_features must be a whole number from 1 to {MAX_FEATURES:,}.")
        names = None if value["names"] is None else _names("names", value["names"])
        if names is not None and len(names) != n_features:
            raise InputError(f"schema: {len(names)} names for {n_features} features.")
        if shape is not None:
            fine = isinstance(shape, list) and 1 <= len(shape) <= 3
            fine = fine and all(type(size) is int and 1 <= size <= MAX_FEATURES for size in shape)
            if not fine or math.prod(shape) != n_features:
                raise InputError(f"schema: picture_shape must be 1 to 3 sizes whose product is {n_features}.")
        first_index = value["first_index"]
        if first_index is not None and (type(first_index) is not int or first_index not in (0, 1)):
            raise InputError(f"schema: first_index must be 0, 1 or null; got {first_index!r}.")
        if first_index is not None and names is not None:
            raise InputError("schema: features have names or are counted from first_index, not both.")
        roles = {key: _names(key, value.get(key, [])) for key in NAME_LISTS}
        for key in LATER:
            if len(roles[key]) > 1:
                raise InputError(f"schema: {key} must hold one name or none; it holds {len(roles[key])}.")
        shape = None if shape is None else tuple(shape)
        left_out = _left_out(value.get("left_out", {}))
        pictures = PictureFiles.from_json(value.get("pictures"), shape)
        return cls(names, n_features, shape, first_index=first_index, left_out=left_out, pictures=pictures, **roles)


def refuse_other_pictures(rows: Matrix, shape: Shape | None) -> None:
    """Raise InputError for pictures of another shape than this, of as many values though they be.

    Args:
        rows: whose shape, where they have one, came with them.
        shape: that a model knows or an option says; None where there is none, and rows are rows of numbers.
    """
    found = rows.picture_shape
    if shape is None or found is None or _without_one_channel(found) == _without_one_channel(shape):
        return
    hint = ""
    if len(shape) == 3 and found == (shape[2], *shape[:2]):
        hint = f" {_CHANNELS_LAST}"
    elif (len(rows), *found) == shape:
        hint = _ONE_PICTURE
    raise InputError(f"X holds pictures of shape {found}; they must be of shape {shape}.{hint}")


def _refuse_channels_in_front(shape: Shape | None) -> None:
    """Raise InputError for (channels, h, w) where (h, w, channels) is wanted: 3 pixels high, with 32 channels."""
    if shape is not None and len(shape) == 3 and shape[0] <= MOST_CHANNELS < min(shape[1:]):
        raise InputError(
            f"pictures must be of shape (height, width, channels); in {shape} the channels seem to stand in front."
            f" {_CHANNELS_LAST} Rows of shape (n, {math.prod(shape)}) are learned from as they are."
        )


def _without_one_channel(shape: Shape) -> Shape:
    """(h, w, 1) are the pixels of (h, w)."""
    return shape[:2] if shape[2:] == (1,) else shape


def pixel_grid(names: Sequence[str]) -> tuple[tuple[int, int], tuple[str, ...]] | None:
    """(h, w) and the names row by row when all are pixel_r_c and fill an h × w grid, counted from 0 or 1; else None."""
    places: dict[tuple[int, int], str] = {}
    for name in names:
        match = _PIXEL.fullmatch(name)
        if not match:
            return None
        places[int(match[1]), int(match[2])] = name
    rows, columns = sorted({r for r, _ in places}), sorted({c for _, c in places})
    h, w = len(rows), len(columns)
    full = 0 < len(places) == len(names) == h * w
    if not full or rows != [*range(rows[0], rows[0] + h)] or columns != [*range(columns[0], columns[0] + w)]:
        return None
    if rows[0] > 1 or columns[0] > 1:
        return None
    return (h, w), tuple(places[place] for place in sorted(places))


def shown(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(word, names[:most])) + more


def word(name: str) -> str:
    """A name as it is, or quoted where it could be overlooked or taken for something else."""
    return name if one_line(name) == name.strip() != "" else repr(name)


def _names(key: str, value: object) -> tuple[str, ...]:
    fine = isinstance(value, list) and len(value) <= MAX_FEATURES
    if not fine or not all(isinstance(name, str) and len(name) <= MAX_NAME_CHARACTERS for name in value):  # type: ignore[attr-defined]
        raise InputError(f"schema: {key} must be a list of names.")
    assert isinstance(value, list)
    if len(set(value)) != len(value):
        raise InputError(f"schema: {key} must differ.")
    return tuple(value)


def _left_out(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(why, str) and why in REASONS for why in value.values()):
        raise InputError("schema: left_out must be an object of names and reasons.")
    _names("left_out", list(value))
    return value


def _by(shape: Shape) -> str:
    return "×".join(map(str, shape))
