"""Picture files made from examples/scenes.npz, where a test runs: folders, zip files, tables and columns of bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SCENES = Path(__file__).parents[2] / "examples" / "scenes.npz"
LABELS = ("car", "bus", "pedestrian")


def scenes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n pictures, uint8 (n, 32, 32, 3), and their labels 0/1 (n, 3)."""
    with np.load(SCENES) as held:
        return held["X"][:n], held["y"][:n]


def encoded(pixels: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    """A file of these pixels."""
    into = io.BytesIO()
    Image.fromarray(pixels).save(into, form, **options)
    return into.getvalue()


def has_bus(labels: np.ndarray) -> list[str]:
    """Two classes."""
    return ["bus" if row[1] else "other" for row in labels]


def class_folders(folder: Path, n: int = 60) -> list[str]:
    """folder/bus/000.png and so on; gives the names in the order in which they are read."""
    pixels, labels = scenes(n)
    names = []
    for row, kind in enumerate(has_bus(labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{row:03}.png").write_bytes(encoded(pixels[row]))
        names.append(f"{kind}/{row:03}.png")
    return sorted(names)


def table_and_zip(folder: Path, n: int = 60, name: str = "scenes") -> None:
    """scenes.csv, which names the pictures in scenes.zip, with 0/1 labels, a place and a size."""
    pixels, labels = scenes(n)
    lines = [",".join(("file", *LABELS, "place", "size"))]
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for row in range(n):
            archive.writestr(f"{row:03}.png", encoded(pixels[row]))
            lines.append(",".join((f"{row:03}.png", *map(str, labels[row]), f"p{row % 10}", str(row))))
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def parquet(path: Path, n: int = 60, *, is_struct: bool = True) -> None:
    """A column of pictures, as data sets have it or of plain bytes, and two classes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pixels, labels = scenes(n)
    files = [encoded(one) for one in pixels]
    column = [{"bytes": file, "path": f"{row:03}.png"} for row, file in enumerate(files)] if is_struct else files
    table = pa.table({"image": column, "kind": has_bus(labels), "size": list(range(n))})
    if path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        pq.write_table(table, path, row_group_size=25)
