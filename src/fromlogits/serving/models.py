"""The models that a server answers for: opened before the first request, never by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifier import Classifier
from ..data.encodings.number import Number
from ..errors import InputError
from ..opening import has_backbone, open_model

DIGEST_BYTES, VERSION_CHARACTERS = 32, 12
MOST_BRIEF_BYTES = 65_536
BRIEF_PRODUCTS = 5_000_000
VALUE_PRODUCTS = 1000
"""As many as writing a probability takes the time of."""


@dataclass(frozen=True)
class Answer:
    """What a model says of some rows.

    Attributes:
        logits_nc: float32 (n, c), calibrated and finite.
        probabilities_nk: float32 (n, K).
        decided: as `Classifier.predict` gives it: classes (n,), or 0/1 (n, L).
        sets_nk: bool (n, K), the prediction sets, or None.
        notes: what was not as in the training, a sentence each.
    """

    logits_nc: NDArray[np.float32]
    probabilities_nk: NDArray[np.float32]
    decided: NDArray[Any]
    sets_nk: NDArray[np.bool_] | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.logits_nc)


@dataclass(frozen=True)
class Served:
    """A model under its name.

    Attributes:
        name: of its file, without the ending.
        version: the first digits of the file's SHA-256: another file is another version.
        classifier: predicts on the thread that asks. Several may ask at once: a loaded one is only read.
    """

    name: str
    version: str
    classifier: Classifier

    @classmethod
    def open(cls, path: str, backbone: str | None = None) -> Served:
        """Raises ModelFileError for what is no model."""
        classifier = open_model(path, "1", backbone)
        if classifier.encoder_.backbone is not None:
            classifier.encoder_.backbone.loaded()
        with Path(path).open("rb") as file:
            file.seek(-DIGEST_BYTES, 2)  # docs/file-format.md: the file ends with its digest
            version = file.read(DIGEST_BYTES).hex()[:VERSION_CHARACTERS]
        return cls(Path(path).stem, version, classifier)

    def answer(self, features: Any, coverage: float | None = None) -> Answer:
        """The same bits as the classifier's own `predict`, `predict_proba` and `predict_set`.

        Args:
            features: rows as the classifier takes them.
            coverage: of prediction sets; None: that of the model, if it has any.
        """
        clf = self.classifier
        sets = clf._sets_for(coverage) if coverage is not None else clf.sets_
        logits_nc, notes = clf._logits(features)
        if not (is_finite := np.isfinite(logits_nc)).all():
            row = int(np.argmin(is_finite.all(axis=1)))
            raise InputError(f"row {row}: its numbers are so large that the logits are not finite; rescale them.")
        probabilities_nk = clf._probabilities(logits_nc)
        sets_nk = None if sets is None else sets.of(logits_nc, coverage)
        return Answer(logits_nc, probabilities_nk, clf._decide_by(probabilities_nk), sets_nk, notes)

    def is_brief(self, n_rows: int) -> bool:
        """Whether to answer so many takes no longer than BRIEF_PRODUCTS do; behind a backbone one may take seconds."""
        return self.classifier.encoder_.backbone is None and n_rows * self._row_products <= BRIEF_PRODUCTS

    @cached_property
    def brief_bytes(self) -> int:
        """To read a smaller body, of JSON or tensors, is brief.

        Where columns are no numbers, Python looks at every value, so such a body must not hold more rows than it is
        brief to answer: a value takes a byte at least, so a row takes one for each column.
        """
        rows = MOST_BRIEF_BYTES if self.is_numeric else BRIEF_PRODUCTS // self._row_products
        return min(MOST_BRIEF_BYTES, self.classifier.n_features_in_ * rows)

    @cached_property
    def _row_products(self) -> int:
        network = self.classifier.network_
        if network.residual is not None:  # a parameter has a product for each pixel, and a block of rows is computed
            return BRIEF_PRODUCTS + 1
        return network.n_parameters * len(self.classifier.members_) + VALUE_PRODUCTS * len(self.classes)

    @property
    def is_multi_label(self) -> bool:
        return bool(self.classifier.target_.task == "multi-label")

    @property
    def classes(self) -> tuple[Any, ...]:
        return tuple(self.classifier.target_.classes)

    @property
    def logit_classes(self) -> tuple[Any, ...]:
        """What each logit speaks for: one unit for two classes speaks for the second."""
        return self.classes[-1:] if self.classifier._is_one_unit else self.classes

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of the features, in the model's order; None where they have none."""
        return self.classifier.encoder_.schema.names

    @property
    def is_numeric(self) -> bool:
        """Every column is a number."""
        table = self.classifier.encoder_.table
        return table is None or all(isinstance(encoding, Number) for encoding in table.columns)

    @property
    def picture_shape(self) -> tuple[int, ...] | None:
        return self.classifier.encoder_.schema.picture_shape


def opened(paths: Sequence[str], backbone: str | None = None) -> dict[str, Served]:
    """Each model by its name, all of them with their pretrained network there.

    Args:
        backbone: where it lies, of those models that have one.

    Raises InputError where two have one name, or none has a pretrained network of which it is said.
    """
    models: dict[str, Served] = {}
    behind = [path for path in paths if backbone is not None and has_backbone(path)]
    of_name: dict[str, str] = {}
    for path in paths:
        name = Path(path).stem
        if name in of_name:
            raise InputError(
                f"models are called by their file names, which must differ; {of_name[name]} and {path} are both"
                f" {name!r}. Rename one."
            )
        of_name[name] = path
        models[name] = Served.open(path, backbone if path in behind or not behind else None)
    return models
