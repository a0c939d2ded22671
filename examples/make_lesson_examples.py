"""Write the rows of the example data that the lesson page shows: `python examples/make_lesson_examples.py`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PAGE = HERE.parent / "src" / "fromlogits" / "export" / "lesson" / "examples.json"
OF_EACH_DIGIT = 2
SETS = ("", "car", "bus", "pedestrian", "car bus", "car pedestrian", "bus pedestrian", "car bus pedestrian")


def digits() -> dict[str, Any]:
    """The last rows of each digit: a training that holds out a part by chance has learned most of the file."""
    table = np.loadtxt(HERE / "digits.csv", delimiter=",", skiprows=1, dtype=np.uint8)
    chosen = sorted(int(row) for digit in range(10) for row in np.flatnonzero(table[:, -1] == digit)[-OF_EACH_DIGIT:])
    chosen.sort(key=lambda row: int(table[row, -1]))
    source = (
        "Digits from E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning"
        " Repository, 1998, doi:10.24432/C50P49, CC BY 4.0."
    )
    rows = [[row, _packed(table[row, :-1]), [str(table[row, -1])]] for row in chosen]
    return {"shape": [8, 8], "classes": [str(digit) for digit in range(10)], "source": source, "rows": rows}


def scenes() -> dict[str, Any]:
    """One scene of each set of labels."""
    with np.load(HERE / "scenes.npz") as data:
        pictures, labels, classes = data["X"], data["y"], [str(name) for name in data["classes"]]
    rows = []
    for names in SETS:
        wanted = [name in names.split() for name in classes]
        row = int(np.flatnonzero((labels == wanted).all(axis=1))[-1])
        rows.append([row, _packed(pictures[row]), names.split()])
    shape = list(pictures.shape[1:])
    return {"shape": shape, "classes": classes, "source": "Scenes drawn by fromlogits.", "rows": rows}


def _packed(values: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.uint8).tobytes()).decode()


if __name__ == "__main__":
    text = ",\n".join(json.dumps(one, separators=(",", ":")) for one in (digits(), scenes()))
    PAGE.write_text(f"[{text}]\n", encoding="ascii")
