"""The one list of bad inputs: each gives one clear line and its exit code, and nothing is written.

docs/reference/errors.md is made from it: `python tests/bad_input/make_errors_md.py`.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import json
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fromlogits import model_file
from fromlogits.cli.main import run
from fromlogits.data import memory
from fromlogits.data.table import Table
from fromlogits.data.tables import TextTable


@dataclass(frozen=True)
class Case:
    """A command that must be refused.

    Args:
        name: what is wrong with the input.
        make: puts the files into the current folder.
        command: behind `fromlogits`, as one types it.
        line: all of standard error behind "fromlogits: "; FOLDER stands for the current one.
        code: the exit code.
        fault: what the machine does wrong meanwhile.
    """

    name: str
    make: Callable[[], None]
    command: str
    line: str
    code: int = 2
    fault: Callable[[pytest.MonkeyPatch], None] = lambda patch: None


# --- files, good and bad ---


def table(rows: int = 40, *, header: str = "size,weight,kind", name: str = "t.csv") -> None:
    """Two numbers a row, which tell its class."""
    lines = [f"{row % 7},{row * 0.5},{'ab'[row % 2]}" for row in range(rows)]
    Path(name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def with_line(number: int, line: str, *, header: str = "size,weight,kind") -> Callable[[], None]:
    """The good table, one line of it (from 1) replaced."""

    def make() -> None:
        table(header=header)
        lines = Path("t.csv").read_text(encoding="utf-8").splitlines()
        lines[number - 1] = line
        Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return make


def text(content: str, name: str = "t.csv") -> Callable[[], None]:
    return lambda: bytes_of(content.encode(), name)


def bytes_of(content: bytes, name: str) -> None:
    Path(name).write_bytes(content)


def cut(name: str, make: Callable[[], None], keep: float = 0.5) -> Callable[[], None]:
    """A file of which only the beginning arrived."""

    def made() -> None:
        make()
        content = Path(name).read_bytes()
        Path(name).write_bytes(content[: int(len(content) * keep)])

    return made


def gzipped() -> None:
    table(400)
    Path("t.csv.gz").write_bytes(gzip.compress(Path("t.csv").read_bytes(), mtime=0))
    Path("t.csv").unlink()


def flipped_gzip() -> None:
    gzipped()
    content = bytearray(Path("t.csv.gz").read_bytes())
    content[len(content) // 2] ^= 1
    Path("t.csv.gz").write_bytes(content)


def parquet() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"size": np.arange(400) % 7, "weight": np.arange(400) * 0.5, "kind": np.arange(400) % 2}
    pq.write_table(pa.table(columns), "t.parquet")


def json_lines(number: int = 0, line: str = "", name: str = "t.jsonl", *, lists: bool = False) -> Callable[[], None]:
    """The good table as JSON lines, its classes in lists if so wished, one line of it (from 1) replaced."""

    def make() -> None:
        kinds = ['["a", "b"]', "[]"] if lists else ['"a"', '"b"']
        lines = [f'{{"size": {row % 7}, "weight": {row * 0.5}, "kind": {kinds[row % 2]}}}' for row in range(40)]
        if number:
            lines[number - 1] = line
        Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return make


def arrow(**columns: object) -> Callable[[], None]:
    def make() -> None:
        import pyarrow as pa

        table = pa.table({"size": list(range(40)), **columns, "kind": ["a", "b"] * 20})
        with pa.ipc.new_file("t.arrow", table.schema) as file:
            file.write_table(table)

    return make


def parquet_of(columns: str) -> Callable[[], None]:
    """40 rows of these SQL expressions of the row's number i, and the target."""

    def make() -> None:
        import duckdb

        with duckdb.connect() as connection:
            select = f"select {columns}, i % 2 as kind from range(40) rows(i)"
            connection.execute(f"copy ({select}) to 't.parquet' (format parquet)")

    return make


def idx(n_images: int = 40, promised: int | None = None, n_labels: int = 40) -> Callable[[], None]:
    """2x2 pictures and their labels, with a header that may lie."""

    def make() -> None:
        pixels = (np.arange(n_images * 4) % 251).astype(np.uint8).tobytes()
        labels = (np.arange(n_labels) % 2).astype(np.uint8).tobytes()
        bytes_of(struct.pack(">4B3I", 0, 0, 8, 3, promised or n_images, 2, 2) + pixels, "train-images-idx3-ubyte")
        bytes_of(struct.pack(">4BI", 0, 0, 8, 1, n_labels) + labels, "train-labels-idx1-ubyte")

    return make


def pixels() -> None:
    """Small pictures of two classes."""
    npz(X=np.zeros((40, 4, 4), np.uint8), y=np.arange(40) % 2)()


def backbone(*files: str) -> Callable[[], None]:
    """The pictures, and a folder with these files, which hold nothing."""

    def make() -> None:
        pixels()
        Path("net").mkdir()
        for name in files:
            (Path("net") / name).write_text("{}", encoding="utf-8")

    return make


def npz(**arrays: object) -> Callable[[], None]:
    def make() -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        bytes_of(buffer.getvalue(), "t.npz")

    return make


def renamed(name: str, other: str) -> Callable[[], None]:
    def make() -> None:
        Path(name).rename(other)

    return make


def read_only(name: str) -> Callable[[], None]:
    def make() -> None:
        bytes_of(b"", name)
        Path(name).chmod(0o444)

    return make


def several(*makes: Callable[[], None]) -> Callable[[], None]:
    def make() -> None:
        for one in makes:
            one()

    return make


def svmlight(*lines: str, rows: int = 40) -> Callable[[], None]:
    """Two classes with a feature each; the lines come behind them."""
    good = [f"{row % 2} {row % 2 + 1}:1" for row in range(rows)]
    return lambda: bytes_of("".join(f"{line}\n" for line in (*good, *lines)).encode(), "t.svm")


TRAINED: dict[str, bytes] = {}


def model() -> None:
    """m.safetensors, trained on the good table."""
    if "m" not in TRAINED:
        table(name="good.csv")
        with contextlib.redirect_stdout(io.StringIO()):
            assert (
                run(shlex.split("train good.csv --target kind --preset fast --epochs 2 -o m.safetensors --quiet")) == 0
            )
        TRAINED["m"] = Path("m.safetensors").read_bytes()
        Path("good.csv").unlink()
    bytes_of(TRAINED["m"], "m.safetensors")


def two_models() -> None:
    model()
    Path("new").mkdir()
    Path("new/m.safetensors").write_bytes(TRAINED["m"])


def calibrated_model() -> None:
    """c.safetensors, calibrated on the good table: 20 rows are kept for sets."""
    if "c" not in TRAINED:
        model()
        table(name="good.csv")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert run(shlex.split("calibrate m.safetensors good.csv -o c.safetensors --coverage 0.9")) == 0
        TRAINED["c"] = Path("c.safetensors").read_bytes()
        Path("good.csv").unlink()
        Path("m.safetensors").unlink()
    bytes_of(TRAINED["c"], "c.safetensors")


def dates_model() -> None:
    """d.safetensors, trained on a column of dates."""
    days = "".join(f"2024-01-{1 + row % 28:02},{'ab'[row % 2]}\n" for row in range(40))
    if "d" not in TRAINED:
        text(f"day,kind\n{days}", "days.csv")()
        with contextlib.redirect_stdout(io.StringIO()):
            assert (
                run(shlex.split("train days.csv --target kind --preset fast --epochs 2 -o d.safetensors --quiet")) == 0
            )
        TRAINED["d"] = Path("d.safetensors").read_bytes()
        Path("days.csv").unlink()
    bytes_of(TRAINED["d"], "d.safetensors")


def label_model() -> None:
    """l.safetensors, trained on a column of words called label."""
    if "l" not in TRAINED:
        rows = "".join(f"{row % 7},{('red', 'blue')[row % 3 % 2]},{'ab'[row % 2]}\n" for row in range(40))
        text(f"size,label,kind\n{rows}", "labels.csv")()
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(shlex.split("train labels.csv --target kind --epochs 2 -o l.safetensors --quiet")) == 0
        TRAINED["l"] = Path("l.safetensors").read_bytes()
        Path("labels.csv").unlink()
    bytes_of(TRAINED["l"], "l.safetensors")


def opinions_model() -> None:
    """o.safetensors, trained on a column of yes and no."""
    if "o" not in TRAINED:
        rows = "".join(f"{row % 7},{('yes', 'no')[row % 3 % 2]},{'ab'[row % 2]}\n" for row in range(40))
        text(f"size,smoker,kind\n{rows}", "opinions.csv")()
        with contextlib.redirect_stdout(io.StringIO()):
            assert (
                run(shlex.split("train opinions.csv --target kind --preset fast --epochs 2 -o o.safetensors --quiet"))
                == 0
            )
        TRAINED["o"] = Path("o.safetensors").read_bytes()
        Path("opinions.csv").unlink()
    bytes_of(TRAINED["o"], "o.safetensors")


def picture(level: int = 0, form: str = "PNG") -> bytes:
    """A file of 4x4 pixels of colour."""
    from PIL import Image

    into = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), level, np.uint8)).save(into, form)
    return into.getvalue()


def photos(**spoiled: bytes) -> Callable[[], None]:
    """photos/a/00.png to photos/b/39.png, and what stands in some of them instead."""

    def make() -> None:
        for row in range(40):
            name = f"{'ab'[row % 2]}/{row:02}.png"
            Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
            Path("photos", name).write_bytes(spoiled.get(f"p{row:02}", picture(row)))

    return make


def photos_table(**names: str) -> Callable[[], None]:
    """t.csv, which names the pictures in the folder photos, some of them otherwise."""

    def make() -> None:
        photos()()
        rows = (names.get(f"p{row:02}", f"{'ab'[row % 2]}/{row:02}.png") for row in range(40))
        lines = (f"{name},{row * 0.5},{'ab'[row % 2]}" for row, name in enumerate(rows))
        text("file,weight,kind\n" + "".join(f"{line}\n" for line in lines))()

    return make


def packed(*names: str) -> Callable[[], None]:
    def make() -> None:
        with zipfile.ZipFile("photos.zip", "w") as archive:
            for name in names:
                archive.writestr(name, picture())

    return make


def picture_model() -> None:
    """p.safetensors, trained on the pictures of a folder."""
    if "p" not in TRAINED:
        photos()()
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(shlex.split("train photos --preset fast --epochs 1 -o p.safetensors --quiet")) == 0
        TRAINED["p"] = Path("p.safetensors").read_bytes()
        shutil.rmtree("photos")
    bytes_of(TRAINED["p"], "p.safetensors")


def named_picture_model() -> None:
    """n.safetensors, trained on pictures that a table names."""
    if "n" not in TRAINED:
        photos_table()()
        how = "--images file --image-root photos --target kind --preset fast --epochs 1 -o n.safetensors --quiet"
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(shlex.split(f"train t.csv {how}")) == 0
        TRAINED["n"] = Path("n.safetensors").read_bytes()
        shutil.rmtree("photos")
        Path("t.csv").unlink()
    bytes_of(TRAINED["n"], "n.safetensors")


def convolutional_model() -> None:
    """v.safetensors, trained on the pictures of a folder by the engine that needs no PyTorch."""
    if "v" not in TRAINED:
        photos()()
        how = "--layers 'residual 4 1 1, 1 linear' --set engine=reference --epochs 1 -o v.safetensors --quiet"
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(shlex.split(f"train photos {how}")) == 0
        TRAINED["v"] = Path("v.safetensors").read_bytes()
        shutil.rmtree("photos")
    bytes_of(TRAINED["v"], "v.safetensors")


def no_pillow(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "PIL", None)


def damaged_model(change: Callable[[bytearray], bytes | bytearray]) -> Callable[[], None]:
    def make() -> None:
        model()
        bytes_of(bytes(change(bytearray(TRAINED["m"]))), "m.safetensors")

    return make


def flipped(content: bytearray) -> bytearray:
    content[len(content) // 2] ^= 1
    return content


def newer_model() -> None:
    """A model file as version 2 of the format may be."""
    model()
    manifest, tensors = model_file.load_model("m.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_file, "FORMAT_VERSION", 2)
        model_file.save_model("m.safetensors", manifest, tensors, overwrite=True)


def forged_model(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[], None]:
    """A model whose manifest or header says something else, its digest made right again."""

    def make() -> None:
        model()
        content = TRAINED["m"]
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        manifest = json.loads(header["__metadata__"]["fromlogits"])
        change(manifest, header)
        header["__metadata__"]["fromlogits"] = json.dumps(manifest)
        raw = json.dumps(header).encode()
        body = len(raw).to_bytes(8, "little") + raw + content[start:-32]
        bytes_of(body + hashlib.sha256(body).digest(), "m.safetensors")

    return make


def model_with_nan() -> None:
    model()
    body = TRAINED["m"][:-36] + struct.pack("<f", float("nan"))  # the last weight is the last before the digest
    bytes_of(body + hashlib.sha256(body).digest(), "m.safetensors")


# --- what machines do wrong ---


def growing_file(patch: pytest.MonkeyPatch) -> None:
    read = TextTable.read

    def and_grow(self: TextTable, *arguments: Any, **keywords: Any) -> Table:
        found = read(self, *arguments, **keywords)
        os.utime(self.path, ns=(0, 0))
        return found

    patch.setattr(TextTable, "read", and_grow)


def stdin_of(content: bytes) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def no_temporary_folder(patch: pytest.MonkeyPatch) -> None:
    stdin_of(b"size,kind\n1,a\n")(patch)
    patch.setattr("tempfile.tempdir", "/no/such/folder")


def locked_folder(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "access", lambda path, mode: mode == os.R_OK)  # root may write everywhere


def read_only_disk(patch: pytest.MonkeyPatch) -> None:
    really_open = os.open

    def refused(path: str, flags: int, *more: Any, **keywords: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system")
        return really_open(path, flags, *more, **keywords)

    patch.setattr(os, "open", refused)


def full_disk(patch: pytest.MonkeyPatch) -> None:
    statvfs = os.statvfs

    def full(path: str) -> SimpleNamespace:
        disk = statvfs(path)
        return SimpleNamespace(f_bavail=1, f_frsize=4096, f_blocks=disk.f_blocks)

    patch.setattr(os, "statvfs", full)


def no_matplotlib(patch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        patch.setitem(sys.modules, name, None)


def no_onnx(patch: pytest.MonkeyPatch) -> None:
    patch.delitem(sys.modules, "fromlogits.export.graph", raising=False)
    patch.setitem(sys.modules, "onnx", None)


def no_starlette(patch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.startswith("fromlogits.serving"):
            patch.delitem(sys.modules, name)
        elif name.startswith("starlette."):
            patch.setitem(sys.modules, name, None)
    patch.setitem(sys.modules, "starlette", None)


def taken_port(patch: pytest.MonkeyPatch) -> None:
    def bind(self: socket.socket, address: object) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    patch.setattr(socket.socket, "bind", bind)


def short_token(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("FROMLOGITS_TOKEN", "secret")


def little_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory, "memory_bytes", lambda: 10**9)


def no_pyarrow(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "pyarrow", None)


def no_pytorch(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "torch", None)


def no_transformers(patch: pytest.MonkeyPatch) -> None:
    no_pytorch(patch)
    patch.setitem(sys.modules, "transformers", None)


def all_installed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fromlogits.data.backbones.finding._is_installed", lambda name: True)


def disk_that_fills_up(patch: pytest.MonkeyPatch) -> None:
    def no_room(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(os, "fsync", no_room)


TRAIN = "train t.csv --target kind"
TRAIN_TAGS = "train t.csv --target tags --label-separator '|'"
TRAIN_JSON, TRAIN_ARROW, TRAIN_PARQUET = (f"train t.{form} --target kind" for form in ("jsonl", "arrow", "parquet"))
CASES: dict[str, list[Case]] = {
    "Files": [
        Case("no such file", table, "train tt.csv --target kind", "no such file: tt.csv. Did you mean 't.csv'?"),
        Case(
            "a folder instead of a file",
            lambda: Path("t.csv").mkdir(),
            TRAIN,
            "t.csv holds no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture; a table is a file, and is named by its own name.",
        ),
        Case(
            "an empty file", text(""), TRAIN, "t.csv is empty; it must hold a line of column names and rows below it."
        ),
        Case(
            "a header and no rows",
            text("size,weight,kind\n"),
            TRAIN,
            "t.csv has no rows: it holds column names and nothing below them.",
        ),
        Case(
            "a binary file with a table's name",
            lambda: bytes_of(bytes(range(256)) * 8, "t.csv"),
            TRAIN,
            "t.csv must be UTF-8 text; the byte at offset 0 is a NUL byte. Is it text at all?",
        ),
        Case(
            "a picture with a table's name",
            lambda: bytes_of(b"\x89PNG\r\n\x1a\n" + bytes(64), "t.csv"),
            TRAIN,
            "t.csv must be UTF-8 text; it looks like a PNG picture.",
        ),
        Case(
            "a file name that is not UTF-8",
            lambda: None,
            "train t\udcff.csv --target kind",
            "the name of the file must be UTF-8 text; rename 't\\udcff.csv'.",
        ),
        Case(
            "an unknown kind of file",
            text("1 2 3", "t.xyz"),
            "train t.xyz --target kind",
            "t.xyz: the form of a file is known by its name: .csv, .tsv, .jsonl or .svm (also .gz and .zst), .parquet, .arrow, .npz, IDX images as in train-images-idx3-ubyte.gz, or pictures: a folder, a .zip or one file; --format csv says it for any name.",
        ),
        Case(
            "a gzip file cut short",
            cut("t.csv.gz", gzipped),
            "train t.csv.gz --target kind",
            "t.csv.gz is cut off: its gzip data ends too early. Copy it again.",
        ),
        Case(
            "a gzip file with a flipped bit",
            flipped_gzip,
            "train t.csv.gz --target kind",
            "t.csv.gz is damaged: its gzip data can't be read. Copy it again.",
        ),
        Case(
            "a Zstandard file with the name of a gzip file",
            lambda: bytes_of(b"\x28\xb5\x2f\xfd" + bytes(8), "t.csv.gz"),
            "train t.csv.gz --target kind",
            "t.csv.gz must be a gzip file, as its name says; it looks like a Zstandard file.",
        ),
        Case(
            "a file that grows while it is read",
            table,
            TRAIN,
            "t.csv changed while it was read; try again when it is written to the end.",
            fault=growing_file,
        ),
        Case(
            "an empty standard input",
            lambda: None,
            "train - --target kind",
            "standard input is empty; it must hold a line of column names and rows below it.",
            fault=stdin_of(b""),
        ),
        Case(
            "a row too short in standard input",
            lambda: None,
            "train - --target kind",
            "standard input line 3: every row must have 2 values, as many as line 1 has names; found 1: they end with column 'size'. An empty value keeps its delimiter.",
            fault=stdin_of(b"size,kind\n1,a\n2\n"),
        ),
        Case(
            "no room for a copy of standard input",
            lambda: None,
            "train - --target kind",
            "a copy of standard input could not be written to /no/such/folder: no such file or directory. TMPDIR names another folder.",
            1,
            fault=no_temporary_folder,
        ),
        Case(
            "an unknown form of file",
            table,
            f"{TRAIN} --format exel",
            "--format must be one of csv, tsv, jsonl, parquet, arrow, svmlight, npz, idx, pictures; got 'exel'.",
        ),
        Case(
            "a Parquet file cut short",
            cut("t.parquet", parquet),
            "train t.parquet --target kind",
            "t.parquet can't be read as Parquet: it is cut off or damaged (No magic bytes found at end of file 't.parquet').",
        ),
        Case(
            "an IDX file cut short",
            cut("train-images-idx3-ubyte", idx()),
            "train train-images-idx3-ubyte",
            "train-images-idx3-ubyte is cut off or damaged: its header promises 40 × 2 × 2 = 160 bytes, more than a file of 88 bytes can hold.",
        ),
        Case(
            "an IDX header that promises more pictures than follow",
            idx(promised=4000),
            "train train-images-idx3-ubyte",
            "train-images-idx3-ubyte is cut off or damaged: its header promises 4000 × 2 × 2 = 16,000 bytes, more than a file of 176 bytes can hold.",
        ),
        Case(
            "more labels than pictures",
            idx(n_labels=50),
            "train train-images-idx3-ubyte",
            "train-images-idx3-ubyte and train-labels-idx1-ubyte must have as many rows; found 40 images and 50 labels.",
        ),
        Case(
            "an IDX file without its labels",
            several(idx(), lambda: Path("train-labels-idx1-ubyte").unlink()),
            "train train-images-idx3-ubyte",
            "train-images-idx3-ubyte: its labels must stand beside it; there is no train-labels-idx1-ubyte, nor train-labels-idx1-ubyte.gz or train-labels-idx1-ubyte.zst.",
        ),
        Case(
            "an .npz file without y",
            npz(X=np.zeros((4, 2))),
            "train t.npz",
            "t.npz must hold the array y, the targets, beside X.",
        ),
        Case(
            "an .npz file that would run code",
            npz(X=np.array([{}], dtype=object), y=np.zeros(1)),
            "train t.npz",
            "t.npz: array X holds Python objects, which can hide code and are not read; save numbers or text.",
        ),
        Case(
            "an .npz file with weights of other rows",
            npz(X=np.zeros((4, 2)), y=np.arange(4) % 2, sample_weight=np.ones(3)),
            "train t.npz",
            "t.npz: the array sample_weight must hold numbers, of shape (4,); it is float64 of shape (3,).",
        ),
        Case(
            "an .npz file with a weight below 0",
            npz(X=np.zeros((4, 2)), y=np.arange(4) % 2, sample_weight=np.array([1, 1, -2, 1])),
            "train t.npz",
            "t.npz: the array sample_weight must be finite and at least 0; row 2 has -2.",
        ),
        Case(
            "an .npz file with weights of labels for classes",
            npz(X=np.zeros((4, 2)), y=np.eye(3)[[0, 1, 2, 0]], sample_weight=np.ones((4, 3))),
            "train t.npz --task multi-class",
            "sample_weight must have shape (4,), one for each row; got (4, 3).",
        ),
    ],
    "Tables": [
        Case(
            "one row", lambda: table(1), TRAIN, "the target must have at least 2 classes; it has 1 class, 'a' (1 row)."
        ),
        Case(
            "a row with too few values",
            with_line(5, "1,2"),
            TRAIN,
            "t.csv line 5: every row must have 3 values, as many as line 1 has names; found 2: they end with column 'weight'. An empty value keeps its delimiter.",
        ),
        Case(
            "a row with too many values",
            with_line(5, "1,2,a,4"),
            TRAIN,
            "t.csv line 5: every row must have 3 values, as many as line 1 has names; found 4. A value that holds a comma must be quoted.",
        ),
        Case(
            "a quote that is never closed",
            with_line(5, '1,"2,a'),
            TRAIN,
            "t.csv line 5, column 'weight': the quote that opens this value is never closed. Close it, or add --quote none if quotes mean nothing in this file.",
        ),
        Case(
            "two columns of one name",
            lambda: table(header="size,size,kind"),
            TRAIN,
            "t.csv line 1: column names must differ; columns 1 and 2 are both 'size'. --header mend numbers them.",
        ),
        Case(
            "a column without a name",
            lambda: table(header="size,,kind"),
            TRAIN,
            "t.csv line 1: column 2 of 3 has no name. --header mend numbers it.",
        ),
        Case(
            "a word in a number column",
            with_line(5, "1,heavy,a"),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 5 has 'heavy', which is not a number. --missing heavy if it stands for no value; --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "NaN in a number column",
            with_line(5, "1,nan,a"),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 5 has 'nan', which is not a finite number. --missing nan if it stands for no value; --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "infinity in a number column",
            with_line(5, "1,inf,a"),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 5 has 'inf', which is not a finite number. --missing inf if it stands for no value; --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "no column with a value",
            text("weight,kind\n" + ",a\n,b\n" * 10),
            TRAIN,
            "there is no column to learn from; left out: weight (no value in the training rows).",
        ),
        Case(
            "no feature column",
            text("kind\n" + "a\nb\n" * 10),
            TRAIN,
            "t.csv has one column only, 'kind'; a target and features are needed. Values are separated by commas, tabs, semicolons or bars; --separator names another sign.",
        ),
        Case(
            "a name twice, one of them with spaces",
            lambda: table(header="size, size,kind"),
            TRAIN,
            "t.csv line 1: column names must differ; columns 1 and 2 are both 'size'. --header mend numbers them.",
        ),
        Case(
            "a header that ends in a delimiter",
            text("size,weight,kind,\n" + "1,2,a,\n2,3,b,\n" * 10),
            TRAIN,
            "t.csv line 1: column 4 of 4 has no name. Line 1 ends in a delimiter; --header mend numbers such a column.",
        ),
        Case(
            "the index that pandas writes",
            text(",size,kind\n" + "0,1,a\n1,2,b\n" * 10),
            TRAIN,
            "t.csv line 1: column 1 of 3 has no name. pandas writes such a column for its index; to_csv(index=False) leaves it out, --header mend numbers it.",
        ),
        Case(
            "a first line that may be names or data",
            text("7,3,9\n1,2,0\n2,3,1\n"),
            "train t.csv --target 9",
            "t.csv line 1 must hold the column names; it may hold data, such as '7'. Say --header names or --header none.",
        ),
        Case(
            "two signs that may separate values",
            text("size;weight,kind\n1;2,a\n2;3,b\n"),
            TRAIN,
            "t.csv line 1: values may be separated by a comma or by a semicolon. Say which, as in --separator comma.",
        ),
        Case(
            "a separator of two signs",
            table,
            f"{TRAIN} --separator '||'",
            "--separator must be one character that is no letter and no digit, or 'tab'; got '||'.",
        ),
        Case(
            "a separator for a file that has none",
            npz(X=np.zeros((4, 2)), y=np.arange(4)),
            "train t.npz --separator tab",
            "t.npz: --separator is for CSV and TSV files.",
        ),
        Case(
            "a category that is not there",
            table,
            f"{TRAIN} --categorical sise",
            "t.csv has no column 'sise' to be categorical. Did you mean 'size'?",
        ),
        Case(
            "the target as a category",
            table,
            f"{TRAIN} --categorical kind",
            "column 'kind' can't be categorical: it is target, id or ignored already.",
        ),
        Case(
            "a column that is said to be both",
            table,
            f"{TRAIN} --categorical size --numeric size",
            "column 'size' can't be categorical: it is numeric already.",
        ),
        Case(
            "a word in a column of yes and no",
            several(opinions_model, text("size,smoker\n1,yes\n2,perhaps\n3,no\n")),
            "predict o.safetensors t.csv",
            "column 'smoker' must hold numbers, or yes and no; t.csv line 3 has 'perhaps'. --missing perhaps if it stands for no value; the model needs the column.",
        ),
        Case(
            "a code in a column of numbers that the model knows",
            several(model, text("size,weight\n1,2\n2,007\n3,4\n")),
            "predict m.safetensors t.csv",
            "column 'weight' must hold numbers; t.csv line 3 has '007', which has a leading zero: a code, not a number. --numeric weight reads it as numbers all the same.",
        ),
        Case(
            "an id that is numeric too",
            table,
            f"{TRAIN} --id size --numeric size",
            "column 'size' can't be numeric: it is target, id or ignored already.",
        ),
        Case(
            "a numeric column that a later file lacks",
            several(model, table),
            "predict m.safetensors t.csv --numeric wieght",
            "t.csv has no column 'wieght' to be numeric. Did you mean 'weight'?",
        ),
        Case(
            "a numeric column that the model does not know",
            several(model, text("size,weight,zip\n1,2,3\n4,5,6\n")),
            "predict m.safetensors t.csv --numeric zip",
            "t.csv: column 'zip' can't be numeric: the model does not learn from it.",
        ),
        Case(
            "words that are said to be numbers",
            text("size,colour,kind\n" + "1,red,a\n2,blue,b\n" * 10),
            f"{TRAIN} --numeric colour",
            "column 'colour' must hold numbers; t.csv line 2 has 'red', which is not a number. --ignore colour leaves it out.",
        ),
        Case(
            "nothing but a row's number",
            text("number,kind\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40))),
            TRAIN,
            "there is no column to learn from; left out: number, as it has a different value in nearly every row and names the row; --numeric number keeps it.",
        ),
        Case(
            "a number where the model knows dates",
            several(dates_model, text("day,kind\n7,a\n8,b\n")),
            "evaluate d.safetensors t.csv",
            "column 'day' must hold dates as in 2024-01-31 or 2024-01-31 14:30:00; t.csv line 2 has '7'. --missing 7 if it stands for no value; the model needs the column.",
        ),
        Case(
            "a date that no calendar has",
            several(dates_model, text("day,kind\n2024-01-01,a\n2024-02-30,b\n")),
            "predict d.safetensors t.csv",
            "column 'day' must hold dates as in 2024-01-31 or 2024-01-31 14:30:00; t.csv line 3 has '2024-02-30'. --missing 2024-02-30 if it stands for no value; the model needs the column.",
        ),
        Case(
            "words for nothing in a file of numbers",
            npz(X=np.zeros((4, 2)), y=np.arange(4)),
            "train t.npz --missing NA",
            "t.npz: --missing, --numeric and --categorical are for tables, whose columns have names and texts.",
        ),
        Case(
            "text that is not UTF-8",
            lambda: bytes_of("size,kind\n1,gr\u00fcn\n2,rot\n".encode("latin-1"), "t.csv"),
            TRAIN,
            "t.csv must be UTF-8 text; the byte at offset 14 is 0xfc. Say what it is, as in --encoding cp1252 (Windows, and nearly Latin-1).",
        ),
        Case(
            "UTF-16 text",
            lambda: bytes_of("size,kind\n1,a\n".encode("utf-16"), "t.csv"),
            TRAIN,
            "t.csv must be UTF-8 text; it looks like UTF-16 text. Add --encoding utf-16.",
        ),
        Case(
            "an encoding that the text is not in",
            lambda: bytes_of(b"size,kind\n1,\xff\n", "t.csv"),
            f"{TRAIN} --encoding shift_jis",
            "t.csv is not shift_jis text: the byte at offset 12 is 0xff (illegal multibyte sequence). Is --encoding right?",
        ),
        Case(
            "an unknown encoding",
            table,
            f"{TRAIN} --encoding latinx",
            "--encoding must be a name that Python knows, such as utf-8, utf-16, latin-1, cp1252, cp1250; got 'latinx'. Did you mean 'latin-1'?",
        ),
        Case(
            "a word at the end of a long number column",
            text("size,kind\n" + "1,a\n2,b\n" * 100_000 + "three,a\n"),
            TRAIN,
            "column 'size' must hold numbers; t.csv line 200002 has 'three', which is not a number. --missing three if it stands for no value; --categorical size takes its values as categories; --ignore size leaves it out.",
        ),
        Case(
            "an integer that float64 rounds",
            with_line(5, "1,9007199254740993,a"),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 5 has '9007199254740993', an integer too long for float64, which is exact below 2^53. --numeric weight reads it as numbers all the same; --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "a number that float64 can't hold",
            with_line(5, "1,1e400,a"),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 5 has '1e400', which float64 can only hold as infinity. --missing 1e400 if it stands for no value; --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "the word NA in a number column",
            with_line(5, "1,NA,a"),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 5 has 'NA', which is not a number. --missing NA if it stands for no value; --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "commas that may stand before decimals or between thousands",
            text("size;weight;kind\n" + "1;1,500;a\n2;2,250;b\n" * 10),
            TRAIN,
            "column 'weight' must hold numbers; t.csv line 2 has '1,500'; --decimal , says that a comma stands before decimals. --categorical weight takes its values as categories; --ignore weight leaves it out.",
        ),
        Case(
            "decimals with a comma in one column, with a point in another",
            text("size;weight;kind\n" + "1.5;1,5;a\n2.5;2,5;b\n" * 10),
            TRAIN,
            "t.csv: one sign must stand before decimals; column 'weight' has commas, column 'size' points. Say which it is: --decimal , or --decimal .",
        ),
        Case(
            "lines that end in two ways",
            text("size,kind\r\n1,a\n2,b\r\n"),
            TRAIN,
            "t.csv line 2 ends in LF, line 1 in CR LF: use one kind of line end.",
        ),
        Case(
            "a NUL byte in a row",
            text("size,kind\n1,a\0\n2,b\n"),
            TRAIN,
            "t.csv must be UTF-8 text; the byte at offset 13 is a NUL byte. Is it text at all?",
        ),
        Case(
            "a row of 31 MB",
            text("size,kind\n" + "1" * 31_000_000 + ",a\n"),
            TRAIN,
            "t.csv: no row may be longer than 30,000,000 bytes; is a quote not closed?",
        ),
        Case(
            "a million columns",
            text(",".join(f"c{number}" for number in range(1_000_000)) + "\n"),
            "train t.csv --target c1",
            "t.csv: a text table may have 50,000 columns; line 1 has 1,000,000 values. .npz takes more.",
        ),
        Case(
            "a numeric column that does not exist",
            table,
            f"{TRAIN} --numeric wieght",
            "t.csv has no column 'wieght' to be numeric. Did you mean 'weight'?",
        ),
        Case("an id column that does not exist", table, f"{TRAIN} --id nr", "t.csv has no column 'nr' to be id."),
        Case(
            "an ignored column that does not exist",
            table,
            f"{TRAIN} --ignore wieght",
            "t.csv has no column 'wieght' to be ignored. Did you mean 'weight'?",
        ),
        Case(
            "a picture shape that does not fit",
            table,
            f"{TRAIN} --image-shape 8x8",
            "pictures of shape 8×8 have 64 pixels; the rows have 2 features.",
        ),
        Case(
            "a picture shape that is none",
            table,
            f"{TRAIN} --image-shape large",
            "--image-shape must be height x width, as in 8x8 (or 32x32x3 with colours); got 'large'.",
        ),
    ],
    "svmlight files": [
        Case(
            "an empty svmlight file",
            text("", "t.svm"),
            "train t.svm",
            "t.svm has no rows: it is empty; a line must be a label and features, as in 1 3:0.5 7:2.",
        ),
        Case(
            "a binary file with a svmlight file's name",
            lambda: bytes_of(bytes(range(256)) * 8, "t.svm"),
            "train t.svm",
            "t.svm line 1, character 1: a NUL byte. Is it text at all?",
        ),
        Case(
            "indices that do not ascend",
            svmlight("1 5:1 3:1"),
            "train t.svm",
            "t.svm line 41, character 7: indices must ascend along a line; 3 follows 5. Sort the line by index.",
        ),
        Case(
            "an index that stands twice",
            svmlight("1 5:1 5:2"),
            "train t.svm",
            "t.svm line 41, character 7: index 5 stands twice in the line; add its values up or take one out.",
        ),
        Case(
            "an index below 0",
            svmlight("1 -1:1"),
            "train t.svm",
            "t.svm line 41, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found '-1'.",
        ),
        Case(
            "an index larger than any data",
            svmlight("1 2000000000:1"),
            "train t.svm",
            "t.svm line 41, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found '2000000000'.",
        ),
        Case(
            "a feature without an index",
            svmlight("1 0.5 2:1"),
            "train t.svm",
            "t.svm line 41, character 3: a feature must be written index:value, as in 7:1.5; found '0.5'.",
        ),
        Case(
            "a feature without a value",
            svmlight("1 1: 2:1"),
            "train t.svm",
            "t.svm line 41, character 5: index 1 has no value; leave it out if it is 0.",
        ),
        Case(
            "a word for a value",
            svmlight("1 1:high"),
            "train t.svm",
            "t.svm line 41, character 5: the value of index 1 must be a finite number; found 'high', which is not a number.",
        ),
        Case(
            "NaN for a value",
            svmlight("1 1:nan"),
            "train t.svm",
            "t.svm line 41, character 5: the value of index 1 must be a finite number; found 'nan', which is not a finite number.",
        ),
        Case(
            "a value beyond float64",
            svmlight("1 1:1e400"),
            "train t.svm",
            "t.svm line 41, character 5: the value of index 1 must be a finite number; found '1e400', which float64 can only hold as infinity.",
        ),
        Case(
            "a decimal comma in a svmlight file",
            svmlight("1 1:0,5"),
            "train t.svm",
            "t.svm line 41, character 5: the value of index 1 must be a finite number; found '0,5'; decimals are written with a point, as in 1.5.",
        ),
        Case(
            "a word for a label",
            svmlight("cat 1:1"),
            "train t.svm",
            "t.svm line 41, character 1: a label must be a whole number; found 'cat'. Number the classes, or give a table.",
        ),
        Case(
            "a label that is measured, not named",
            svmlight("2.5 1:1"),
            "train t.svm",
            "t.svm line 41, character 1: a label must be a whole number; found '2.5', which looks like a measured value: put it into classes first.",
        ),
        Case(
            "a label that stands twice",
            svmlight("1,0,1 1:1"),
            "train t.svm",
            "t.svm line 41, character 5: the label '1' stands twice in the line; write it once.",
        ),
        Case(
            "a label between spaces",
            svmlight(" 1 1:1"),
            "train t.svm",
            "t.svm line 41, character 2: a line that starts with a space has no label, and here '1' stands where index:value must. Take the space away if it is the label.",
        ),
        Case(
            "a line of spaces",
            svmlight("  "),
            "train t.svm",
            "t.svm line 41, character 1: the line holds spaces only. Take it out; or, if it is a row without labels and features, give it a feature of value 0, as in 1:0.",
        ),
        Case(
            "a ranking task",
            svmlight("1 qid:3 1:1"),
            "train t.svm",
            "t.svm line 41, character 3: qid: marks a query of a ranking task, which fromlogits does not learn. Take the qid: entries out.",
        ),
        Case(
            "a svmlight file that begins with its sizes",
            several(svmlight(), lambda: bytes_of(b"40 2 2\n" + Path("t.svm").read_bytes(), "t.svm")),
            "train t.svm",
            "t.svm line 1 holds the sizes of the file, '40 2 2', and no row; take the line out.",
        ),
        Case(
            "a svmlight file without labels",
            text(" 1:1\n 2:1\n", "t.svm"),
            "train t.svm",
            "t.svm has no label: no line starts with one.",
        ),
        Case(
            "a svmlight file without features",
            text("1\n0\n", "t.svm"),
            "train t.svm",
            "t.svm has no feature: no line has an index:value.",
        ),
        Case(
            "a multi-class task with several labels in a line",
            svmlight("0,1 1:1"),
            "train t.svm --task multi-class",
            "task='multi-class' needs exactly one label in each row; t.svm line 41 has 2. task='multi-label' takes any number.",
        ),
        Case(
            "index 0 for a model that counts from 1",
            several(svmlight(), lambda: bytes_of(b"1 0:1\n", "test.svm")),
            "train t.svm --test test.svm",
            "test.svm line 1: an index must be 1 or more, as in the model's training file; found 0.",
        ),
        Case(
            "a test file of other labels",
            several(svmlight("0,1 1:1"), lambda: bytes_of(b"8 1:1\n", "test.svm")),
            "train t.svm --test test.svm",
            "no label of the file is known to the model: the first is 8 at test.svm line 1; known labels: 0, 1.",
        ),
        Case(
            "a svmlight file cut short in its packing",
            several(svmlight(rows=4000), lambda: bytes_of(gzip.compress(Path("t.svm").read_bytes())[:-9], "t.svm.gz")),
            "train t.svm.gz",
            "t.svm.gz is cut off: its gzip data ends too early. Copy it again.",
        ),
        Case(
            "an index so high that the network can't fit into memory",
            svmlight("1 1000000:1"),
            "train t.svm --layers 100",
            "a network of 100,000,201 parameters needs 1,200,002,412 bytes while it is trained; this machine has 1,000,000,000. Give fewer features or smaller layers.",
            fault=little_memory,
        ),
        Case(
            "so many sparse rows that they can't fit into memory as the dense ones that a network takes",
            svmlight("1 1000000:1", rows=400),
            "train t.svm --layers 'scaling, 1 linear'",
            "401 rows of 1,000,000 features need 1,604,000,000 bytes as the float32 array that the network takes; this machine has 1,000,000,000. Give fewer rows or features.",
            fault=little_memory,
        ),
    ],
    "JSON lines": [
        Case(
            "an empty file", text("", "t.jsonl"), TRAIN_JSON, "t.jsonl is empty; it must hold one JSON object a line."
        ),
        Case(
            "JSON instead of JSON lines",
            text('[{"size": 1, "kind": "a"},\n {"size": 2, "kind": "b"}]\n', "t.jsonl"),
            TRAIN_JSON,
            "t.jsonl is JSON, not JSON lines: write one object a line, without the brackets around them and the commas between them.",
        ),
        Case(
            "an object over several lines",
            text('{\n  "size": 1,\n  "kind": "a"\n}\n', "t.jsonl"),
            TRAIN_JSON,
            "t.jsonl line 1 is cut off: it ends in the middle of its object.",
        ),
        Case(
            "a file cut short",
            cut("t.jsonl", json_lines()),
            TRAIN_JSON,
            "t.jsonl line 21 is cut off: it ends in the middle of its object.",
        ),
        Case(
            "a line that is no object",
            json_lines(5, "[1, 2]"),
            TRAIN_JSON,
            't.jsonl line 5 must be one object, as in {"size": 1.5, "kind": "a"}; it is an array.',
        ),
        Case(
            "two objects in a line",
            json_lines(5, '{"size": 1} {"size": 2}'),
            TRAIN_JSON,
            "t.jsonl line 5 is not one JSON object: '{\"size\": 2}' can't stand at character 13.",
        ),
        Case(
            "a key twice",
            json_lines(5, '{"size": 1, "size": 2, "weight": 3, "kind": "a"}'),
            TRAIN_JSON,
            "t.jsonl line 5 has the key 'size' twice.",
        ),
        Case(
            "NaN, which is no JSON",
            json_lines(5, '{"size": 1, "weight": NaN, "kind": "a"}'),
            TRAIN_JSON,
            "t.jsonl line 5 has NaN, which is no JSON; write null where there is no value.",
        ),
        Case(
            "a text in a number column",
            json_lines(5, '{"size": 1, "weight": "2", "kind": "a"}'),
            TRAIN_JSON,
            "column 'weight' must hold values of one kind; t.jsonl line 1 has a number and line 5 has a text. --ignore weight leaves it out.",
        ),
        Case(
            "a list for a value",
            json_lines(5, '{"size": 1, "weight": [1, 2], "kind": "a"}'),
            TRAIN_JSON,
            "column 'weight' must hold one number or text a row; t.jsonl line 5 has a list. --ignore weight leaves it out.",
        ),
        Case(
            "a number beyond float64",
            json_lines(5, '{"size": 1, "weight": 1e400, "kind": "a"}'),
            TRAIN_JSON,
            "column 'weight' must hold numbers; t.jsonl line 5 has 1e400, which float64 can only hold as infinity. --ignore weight leaves it out.",
        ),
        Case(
            "an integer that float64 would round",
            json_lines(5, '{"size": 1, "weight": 9007199254740993, "kind": "a"}'),
            TRAIN_JSON,
            "column 'weight' must hold numbers; t.jsonl line 5 has 9007199254740993, an integer too long for float64, which is exact below 2^53. --ignore weight leaves it out.",
        ),
    ],
    "Parquet and Arrow": [
        Case(
            "a Parquet file of another kind",
            text("size,kind\n1,a\n", "t.parquet"),
            TRAIN_PARQUET,
            "t.parquet must be a Parquet file; it does not start as one.",
        ),
        Case(
            "a nested Parquet column",
            parquet_of("i as size, [i, i] as weights"),
            TRAIN_PARQUET,
            "t.parquet: column 'weights' must hold one number or text a row; its type is BIGINT[]. --ignore weights leaves it out.",
        ),
        Case(
            "a Parquet integer that float64 would round",
            parquet_of("(i + 9007199254740991)::decimal(20, 0) as size"),
            TRAIN_PARQUET,
            "there is no column to learn from; left out: size, as it has a different value in nearly every row and names the row; --categorical size keeps the values that three rows share.",
        ),
        Case(
            "an Arrow file without pyarrow",
            arrow(),
            TRAIN_ARROW,
            "t.arrow: Arrow files need pyarrow, which is not installed; install it by `pip install 'fromlogits[arrow]'`.",
            code=1,
            fault=no_pyarrow,
        ),
        Case(
            "an Arrow file cut short",
            cut("t.arrow", arrow()),
            TRAIN_ARROW,
            "t.arrow can't be read as Arrow: it is cut off or damaged.",
        ),
        Case(
            "an Arrow file of another kind",
            text("size,kind\n1,a\n", "t.arrow"),
            TRAIN_ARROW,
            "t.arrow must be an Arrow file; it does not start as one.",
        ),
        Case(
            "a nested Arrow column",
            arrow(weights=[[1, 2]] * 40),
            TRAIN_ARROW,
            "t.arrow: column 'weights' must hold one number or text a row; its type is list<item: int64>. --ignore weights leaves it out.",
        ),
    ],
    "Targets": [
        Case(
            "no --target",
            table,
            "train t.csv",
            "t.csv: which column is the target? Say it as in --target kind. Its columns: size, weight, kind.",
        ),
        Case(
            "a target column that does not exist",
            table,
            "train t.csv --target kinds",
            "t.csv has no target column 'kinds'. Did you mean 'kind'?",
        ),
        Case(
            "a target glob that matches nothing",
            table,
            "train t.csv --target 'label:*'",
            "t.csv has no target column 'label:*'. Its columns: size, weight, kind.",
        ),
        Case(
            "one class",
            text("size,kind\n" + "1,a\n2,a\n" * 10),
            TRAIN,
            "the target must have at least 2 classes; it has 1 class, 'a' (20 rows).",
        ),
        Case(
            "classes that appear once each",
            text("size,kind\n" + "".join(f"{row},k{row}\n" for row in range(10))),
            TRAIN,
            "rows can't be shared out among folds: each of the 10 classes has a single row. Give more rows. The target looks like a name of the rows: is it the right column?",
        ),
        Case(
            "a sentence in each row of the target",
            text("size,kind\n" + "".join(f"{row % 7},the room was number {row}\n" for row in range(30))),
            TRAIN,
            "rows can't be shared out among folds: each of the 30 classes has a single row. Give more rows. The target looks like sentences, which are no classes: is it the right column?",
        ),
        Case(
            "a number of its own in each row of the target",
            text("size,kind\n" + "".join(f"{row % 7},{row * 3}\n" for row in range(30))),
            TRAIN,
            "rows can't be shared out among folds: each of the 30 classes has a single row. Give more rows. The target looks like a number of the rows, or a measured one: is it the right column?",
        ),
        Case(
            "a target that is measured, not named",
            text("size,price\n" + "1,2.5\n2,3.75\n" * 10),
            "train t.csv --target price",
            "the target must name classes; t.csv line 2 has 2.5, which looks like a measured value: put it into classes first (Unknown label type: continuous).",
        ),
        Case(
            "a row without a target",
            with_line(5, "1,2,"),
            TRAIN,
            "the target 'kind' must be known in every row; t.csv line 5 has none (1 of 40 rows have none). Take such rows out.",
        ),
        Case(
            "a label that no row knows",
            text("size,car,bus\n" + "1,0,\n2,1,\n" * 10),
            "train t.csv --target car,bus",
            "label 'bus' must be known in some row; leave it out of the target.",
        ),
        Case(
            "a column of weights that is not there",
            table,
            f"{TRAIN} --weights wieght",
            "t.csv has no column 'wieght' to be the rows' weights. Did you mean 'weight'?",
        ),
        Case(
            "a weight that is text",
            text("size,count,kind\n" + "1,one,a\n2,two,b\n" * 10),
            f"{TRAIN} --weights count",
            "'count' must hold the rows' weights, numbers; it holds text.",
        ),
        Case(
            "a weight below 0",
            with_line(5, "1,-2,a"),
            f"{TRAIN} --weights weight",
            "the weight 'weight' must be a finite number of at least 0 in every row; t.csv line 5 has -2. Take such rows out, or give them the weight 0.",
        ),
        Case(
            "a row without a weight",
            with_line(5, "1,,a"),
            f"{TRAIN} --weights weight",
            "the weight 'weight' must be a finite number of at least 0 in every row; t.csv line 5 has none. Take such rows out, or give them the weight 0.",
        ),
        Case(
            "weights that are all 0",
            text("size,count,kind\n" + "1,0,a\n2,0,b\n" * 10),
            f"{TRAIN} --weights count",
            "the weight 'count' must not be zero in every row.",
        ),
        Case(
            "a target that is ignored",
            table,
            f"{TRAIN} --ignore kind",
            "t.csv: column 'kind' can't be the target and ignored too.",
        ),
        Case(
            "a model to standard output",
            table,
            f"{TRAIN} -o -",
            "-o -: this must name a file; standard output can't be written whole or not at all.",
        ),
        Case(
            "a target that is the weight too",
            table,
            f"{TRAIN} --weights kind",
            "t.csv: column 'kind' can't be the target and the rows' weights too.",
        ),
        Case(
            "weights by column of a file that has none",
            npz(X=np.ones((4, 2)), y=np.arange(4) % 2),
            "train t.npz --weights w",
            "t.npz has no named columns, so 'w' can't hold the weights of its rows. The weights of an .npz file are its array sample_weight, which counts without --weights.",
        ),
        Case(
            "weights by column of pictures in a folder",
            photos(),
            "cv photos --weights w",
            "photos has no named columns, so 'w' can't hold the weights of its rows. List the pictures in a table with that column; --images COLUMN says which one names them.",
        ),
        Case(
            "an id of pictures in a folder",
            photos(),
            "train photos --id frame --ignore street",
            "photos has no named columns, so 'street' can be no id and not be ignored. List the pictures in a table with that column; --images COLUMN says which one names them.",
        ),
        Case(
            "a class weight for labels",
            text("size,car,bus\n" + "1,0,1\n2,1,1\n" * 10),
            "train t.csv --target car,bus --set class_weight=balanced",
            "class_weight is for one class per row; for labels pos_weight says what one that is set counts, and sample_weight of shape (rows, labels) what each label of each row does.",
        ),
        Case(
            "a positive weight for classes",
            table,
            f"{TRAIN} --set pos_weight=3",
            "pos_weight is for labels; this target has one class per row: class_weight says what each counts.",
        ),
        Case(
            "a weight for a class that is not there",
            table,
            f"{TRAIN} --set class_weight=a:1,c:3",
            "class_weight names the class 'c', which the target does not have ('a', 'b').",
        ),
        Case(
            "a class weight of 0",
            table,
            f"{TRAIN} --set class_weight=a:0",
            "class_weight must be finite and above 0; got 0.0 for class 'a'.",
        ),
        Case(
            "a class weight that is no weight",
            table,
            f"{TRAIN} --set class_weight=heavy",
            "--set class_weight=heavy: class_weight must be balanced, or the weights of classes, as in \"no:1,yes:5\", or none; got 'heavy'.",
        ),
        Case(
            "a label column that is not 0 or 1",
            text("size,car,bus\n" + "1,0,1\n2,2,0\n" * 10),
            "train t.csv --target car,bus",
            "label column 'car' must hold 0 or 1, or probabilities; t.csv line 3 has 2.",
        ),
        Case(
            "one-hot columns without a task",
            text("size,cat,dog\n" + "1,0,1\n2,1,0\n" * 10),
            "train t.csv --target cat,dog",
            "the target has 2 columns of 0 and 1 with exactly one 1 in each row: say whether it means one class out of many (task='multi-class', --task multi-class) or any number of labels (task='multi-label', --task multi-label).",
        ),
        Case(
            "a multi-class task with several labels in a row",
            text("size,cat,dog\n" + "1,1,1\n2,1,0\n" * 10),
            "train t.csv --target cat,dog --task multi-class",
            "task='multi-class' with a 0/1 matrix needs exactly one 1 in each row; t.csv line 2 has 2. task='multi-label' takes any number.",
        ),
        Case(
            "probabilities without a task",
            text("size,cat,dog\n" + "1,0.25,0.75\n2,1,0\n" * 10),
            "train t.csv --target cat,dog",
            "the target has 2 columns of numbers between 0 and 1: say whether each row holds the probabilities of classes, which sum to 1 (task='multi-class', --task multi-class), or each column how probable a label is (task='multi-label', --task multi-label).",
        ),
        Case(
            "probabilities of classes that do not sum to 1",
            text("size,cat,dog\n" + "1,0.25,0.75\n2,0.5,0.75\n" * 10),
            "train t.csv --target cat,dog --task multi-class",
            "task='multi-class' needs probabilities that sum to 1 in each row; t.csv line 3 has 1.25 (10 of 20 rows do not). task='multi-label' takes any.",
        ),
        Case(
            "sets of labels that are not said to be some",
            text("size,tags\n" + "1,car|bus\n2,\n" * 10),
            "train t.csv --target tags",
            "the target 'tags' must be known in every row; t.csv line 3 has none (10 of 20 rows have none). Take such rows out. If they are sets of labels, say so: --label-separator '|'.",
        ),
        Case(
            "a task of labels for one column of texts",
            text("size,tags\n" + "1,car|bus\n2,bus\n" * 10),
            "train t.csv --target tags --task multi-label",
            "a multi-label target must be a matrix of 0 and 1 with one column per label, or sets of labels; y has one column of shape (20,). Is | a sign between labels? --label-separator '|' says so.",
        ),
        Case(
            "nothing between two label separators",
            text("size,tags\n" + "1,car|bus\n2,bus||car\n" * 10),
            TRAIN_TAGS,
            "column 'tags' must hold labels with one '|' between two of them; t.csv line 3 has 'bus||car', with nothing on one side of it.",
        ),
        Case(
            "a label separator of several characters",
            text("size,tags\n" + "1,car|bus\n2,bus\n" * 10),
            "train t.csv --target tags --label-separator ', '",
            "--label-separator must be one character that is no letter and no digit, or 'tab'; got ', '.",
        ),
        Case(
            "a label separator for several columns",
            text("size,car,bus\n" + "1,0,1\n2,1,0\n" * 10),
            "train t.csv --target car,bus --label-separator '|'",
            "t.csv: --label-separator is for one target column that holds all labels of a row; 'car,bus' names 2 columns.",
        ),
        Case(
            "a label separator for a file without columns",
            svmlight(),
            "train t.svm --label-separator '|'",
            "t.svm: --label-separator is for a table with one target column of texts.",
        ),
        Case(
            "a label separator for a column of numbers",
            parquet,
            "train t.parquet --target kind --label-separator '|'",
            "--label-separator is for a column of texts; 'kind' holds int64 values.",
        ),
        Case(
            "a set without any label in every row",
            text("size,tags\n" + "1,\n2,\n" * 10),
            TRAIN_TAGS,
            "no row has a label.",
        ),
        Case(
            "several labels in a row of one class",
            text("size,tags\n" + "1,car|bus\n2,bus\n" * 10),
            f"{TRAIN_TAGS} --task multi-class",
            "task='multi-class' needs exactly one label in each row; t.csv line 2 has 2. task='multi-label' takes any number.",
        ),
        Case(
            "a list of numbers that are measured",
            json_lines(5, '{"size": 1, "weight": 2, "kind": [0.5]}', lists=True),
            "train t.jsonl --target kind",
            "labels in a set must be integers or text; t.jsonl line 5 has 0.5.",
        ),
        Case(
            "lists among texts",
            json_lines(5, '{"size": 1, "weight": 2, "kind": ["a"]}'),
            "train t.jsonl --target kind",
            "column 'kind' must hold values of one kind; t.jsonl line 1 has a text and line 5 has a list. --ignore kind leaves it out.",
        ),
    ],
    "Test and validation files": [
        Case(
            "a test file with other columns",
            several(table, lambda: table(header="size,width,kind", name="test.csv")),
            f"{TRAIN} --test test.csv",
            "test.csv has no column 'weight'; the model was trained with it.",
        ),
        Case(
            "a test file without the target",
            several(table, lambda: table(header="size,weight,sort", name="test.csv")),
            f"{TRAIN} --test test.csv",
            "test.csv has no target column 'kind'. Its columns: size, weight, sort.",
        ),
        Case(
            "a test file with a word in a number column",
            several(with_line(5, "1,heavy,a"), renamed("t.csv", "test.csv"), table),
            f"{TRAIN} --test test.csv",
            "column 'weight' must hold numbers; test.csv line 5 has 'heavy', which is not a number. --missing heavy if it stands for no value; the model needs the column.",
        ),
        Case("no such test file", table, f"{TRAIN} --test tset.csv", "no such file: tset.csv. Did you mean 't.csv'?"),
        Case(
            "a validation file with an unknown class",
            several(with_line(5, "1,2,c"), renamed("t.csv", "valid.csv"), table),
            f"{TRAIN} --valid valid.csv",
            "the target at valid.csv line 5 is 'c', a class that was not in the training rows; known classes: 'a', 'b'.",
        ),
    ],
    "Groups and times": [
        Case(
            "a group column that does not exist",
            table,
            f"{TRAIN} --group sice",
            "t.csv has no column 'sice' to be the group. Did you mean 'size'?",
        ),
        Case(
            "weights as the group",
            table,
            f"{TRAIN} --weights size --group size",
            "t.csv: column 'size' can't be the rows' weights and the group too.",
        ),
        Case(
            "a group as a category",
            table,
            f"{TRAIN} --group size --categorical size",
            "column 'size' can't be categorical: it is the group already.",
        ),
        Case(
            "the target as the group",
            table,
            f"{TRAIN} --group kind",
            "t.csv: column 'kind' can't be the target and the group too.",
        ),
        Case(
            "a group that is missing in a row",
            with_line(5, ",1.5,a"),
            f"{TRAIN} --group size",
            "column 'size' must be known in every row; t.csv line 5 has none (1 of 40 rows have none). Take such rows out.",
        ),
        Case(
            "one group only",
            text("size,weight,kind\n" + "1,2,a\n1,3,b\n" * 10),
            f"{TRAIN} --group size",
            "validation rows can't be held out: all 20 rows are of one group. Give more rows, or a file of them (--valid FILE), or set early_stopping=false and calibrate=false.",
        ),
        Case(
            "groups that are classes of their own",
            text("size,weight,kind\n" + "1,2,a\n2,3,b\n" * 10),
            f"{TRAIN} --group size",
            "validation rows can't be held out: each of the 2 groups has all the rows of some class. Give more rows, or a file of them (--valid FILE), or set early_stopping=false and calibrate=false.",
        ),
        Case(
            "a time that is none",
            with_line(5, "27.11.2026,1.5,a"),
            f"{TRAIN} --time-column size",
            "column 'size' must hold numbers or dates such as 2026-11-27 or 2026-11-27T17:30:00; t.csv line 5 has '27.11.2026'.",
        ),
        Case(
            "times of two kinds",
            with_line(5, "2026-11-27,1.5,a"),
            f"{TRAIN} --time-column size",
            "column 'size' must hold one kind of time, numbers, dates without a time zone or dates with one; t.csv line 5 has '2026-11-27'.",
        ),
        Case(
            "one time only",
            text("size,weight,kind\n" + "1,2,a\n1,3,b\n" * 10),
            f"{TRAIN} --time-column size",
            "validation rows can't be held out by time: all 20 rows are of one time. Give more rows, or a file of them (--valid FILE), or set early_stopping=false and calibrate=false.",
        ),
        Case(
            "a group and a time",
            text("size,weight,day,kind\n" + "1,2,3,a\n2,3,4,b\n" * 10),
            f"{TRAIN} --group size --time-column day",
            "groups (--group) and times (--time-column) both say which rows are held out; give one.",
        ),
        Case(
            "a group beside rows of their own to validate on",
            table,
            f"{TRAIN} --group size --valid t.csv",
            "groups (--group) say which rows are held out; with X_val (--valid) none are. Leave one of them out.",
        ),
        Case(
            "folds beside rows of their own to validate on",
            table,
            f"{TRAIN} --set folds=3 --valid t.csv",
            "with folds=3 (--set folds=3) every row judges the networks that are not trained on it; X_val (--valid) is other rows that do. Give one.",
        ),
        Case(
            "folds in time",
            table,
            f"{TRAIN} --set folds=3 --time-column size",
            "with folds=3 (--set folds=3) every row judges the networks that are not trained on it; times (--time-column) let the last rows do. Give one.",
        ),
        Case(
            "folds where nothing is judged",
            table,
            f"{TRAIN} --set folds=3 --set early_stopping=false --set calibrate=false",
            "with folds=3 (--set folds=3) each network leaves rows out, to choose its epoch and to calibrate; with early_stopping=false and calibrate=false there is nothing to do for them. Leave one of them on, or folds out.",
        ),
        Case(
            "more folds than networks",
            table,
            f"{TRAIN} --set folds=5 --set ensemble=3",
            "folds=5 needs a network without each fold, an ensemble of 5 at least; it is 3. Set ensemble=5 or more, or leave it out, or set folds=3.",
        ),
        Case(
            "no fold at all",
            table,
            f"{TRAIN} --set folds=0",
            "--set folds=0: folds must be a whole number from 1 to 4096; got 0.",
        ),
        Case(
            "more folds than groups",
            text("size,weight,day,kind\n" + "1,2,3,a\n2,3,4,b\n" * 10),
            f"{TRAIN} --set folds=3 --group size",
            "2 groups of rows can't make 3 folds; each fold needs one. Fewer folds: --set folds=2.",
        ),
        Case(
            "a time limit of nothing",
            table,
            f"{TRAIN} --time-limit 0",
            "--time-limit 0: time_limit must be seconds, a number above 0 such as 60, or none; got '0'.",
        ),
        Case(
            "a time limit in words",
            table,
            f"{TRAIN} --time-limit 5min",
            "--time-limit 5min: time_limit must be seconds, a number above 0 such as 60, or none; got '5min'.",
        ),
        Case(
            "a time where nothing is held out",
            table,
            f"{TRAIN} --time-column size --set early_stopping=false --set calibrate=false",
            "times (--time-column) say which rows are held out; with early_stopping=false and calibrate=false none are. Leave one of them out.",
        ),
        Case(
            "a group in a file without columns",
            npz(X=np.zeros((4, 2)), y=np.arange(4) % 2),
            "train t.npz --group patient",
            "t.npz has no named columns, so 'patient' can't group its rows.",
        ),
        Case(
            "a group of pictures in a folder",
            photos(),
            "train photos --group street",
            "photos has no named columns, so 'street' can't group its rows. List the pictures in a table with that column; --images COLUMN says which one names them.",
        ),
        Case(
            "a time of pictures in a folder",
            photos(),
            "train photos --time-column taken",
            "photos has no named columns, so 'taken' can't be their time. List the pictures in a table with that column; --images COLUMN says which one names them.",
        ),
    ],
    "Cross-validation": [
        Case("one fold", table, "cv t.csv --target kind --folds 1", "--folds must be a whole number from 2; got '1'."),
        Case(
            "folds that are no number",
            table,
            "cv t.csv --target kind --folds five",
            "--folds must be a whole number from 2; got 'five'.",
        ),
        Case(
            "more folds than rows",
            table,
            "cv t.csv --target kind --folds 41",
            "t.csv: 40 rows can't make 41 folds; give more rows, or fewer folds (--folds 40).",
        ),
        Case(
            "more folds than groups",
            table,
            "cv t.csv --target kind --group size --folds 8",
            "t.csv: 7 groups of rows can't make 8 folds; each fold needs one. Fewer folds: --folds 7.",
        ),
        Case(
            "more folds than times",
            table,
            "cv t.csv --target kind --time-column size --folds 7",
            "t.csv: 7 different times can't make 7 folds in time, each with earlier rows to train on; give more rows, or fewer folds (--folds).",
        ),
        Case(
            "a group and a time for the folds",
            text("size,weight,day,kind\n" + "1,2,3,a\n2,3,4,b\n" * 10),
            "cv t.csv --target kind --group size --time-column day",
            "t.csv: groups (--group) and times (--time-column) both say which rows make a fold; give one.",
        ),
        Case(
            "a fold whose training lacks a class, in a dry run",
            text("size,day,kind\n" + "".join(f"{row % 7},{row},{'ab'[row > 20]}\n" for row in range(40))),
            "cv t.csv --target kind --time-column day --folds 3 --dry-run",
            "t.csv: fold 1 of 3: the target must have at least 2 classes; all 10 rows to train on are of class 'a'.",
        ),
        Case(
            "folds of nothing but a row's number",
            text("number,kind\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40))),
            "cv t.csv --target kind",
            "t.csv: there is no column to learn from; left out: number, as it has a different value in nearly every row and names the row; --numeric number keeps it.",
        ),
        Case(
            "more of the best than there are",
            several(table, model),
            "predict m.safetensors t.csv --top 3",
            "--top must be a whole number from 1 to 2, as many as there are classes or labels; got 3.",
        ),
        Case(
            "no number of the best",
            several(table, model),
            "predict m.safetensors t.csv --top two",
            "--top must be a whole number from 1 to 2, as many as there are classes or labels; got 'two'.",
        ),
        Case(
            "no probability to abstain below",
            several(table, model),
            "predict m.safetensors t.csv --abstain-below 90",
            "--abstain-below must be a probability from 0 to 1; got 90.0.",
        ),
        Case(
            "predictions to a file of another kind",
            table,
            "cv t.csv --target kind -o out.json",
            "-o out.json: predictions are written to a file whose name ends in .csv or .tsv.",
        ),
        Case(
            "predictions over the data",
            table,
            "cv t.csv --target kind -o t.csv --overwrite",
            "-o t.csv: this file is read from; choose another name.",
        ),
    ],
    "Settings": [
        Case(
            "an unknown setting",
            table,
            f"{TRAIN} --set droput=0.2",
            "--set droput=0.2: no setting is called 'droput'. Did you mean 'dropout'?",
        ),
        Case(
            "an option's name for a setting",
            table,
            f"{TRAIN} --set epochs=3",
            "--set epochs=3: no setting is called 'epochs'. Did you mean 'max_epochs'?",
        ),
        Case(
            "a setting without a value",
            table,
            f"{TRAIN} --set dropout",
            "--set takes KEY=VALUE, as in --set dropout=0.2; got 'dropout'.",
        ),
        Case(
            "an impossible value",
            table,
            f"{TRAIN} --set dropout=1.5",
            "--set dropout=1.5: dropout must be a number in [0, 0.99]; got 1.5.",
        ),
        Case(
            "a word for a number",
            table,
            f"{TRAIN} --epochs ten",
            "--epochs ten: max_epochs must be a whole number such as 30; got 'ten'.",
        ),
        Case(
            "no epochs",
            table,
            f"{TRAIN} --epochs 0",
            "--epochs 0: max_epochs must be a whole number from 1 to 1000000000; got 0.",
        ),
        Case(
            "a setting given twice",
            table,
            f"{TRAIN} --epochs 3 --set max_epochs=4",
            "--set max_epochs: max_epochs is also set by --epochs; leave one out.",
        ),
        Case(
            "an unknown preset",
            table,
            f"{TRAIN} --preset bets",
            "--preset bets: preset must be one of fast, good, best; got 'bets'. Did you mean 'best'?",
        ),
        Case(
            "an unknown task",
            table,
            f"{TRAIN} --task multiclass",
            "--task multiclass: task must be one of multi-class, multi-label; got 'multiclass'. Did you mean 'multi-class'?",
        ),
        Case(
            "an unknown metric",
            table,
            f"{TRAIN} --metric acuracy",
            "no metric is called 'acuracy'. Did you mean 'accuracy'? Known for multi-class: accuracy, balanced_accuracy, top_3_accuracy, top_5_accuracy, macro_f1, macro_roc_auc, macro_average_precision, log_loss, brier.",
        ),
        Case(
            "a metric of the other task",
            table,
            f"{TRAIN} --metric micro_f1",
            "metric 'micro_f1' is for multi-label targets, and this one is multi-class. Known for multi-class: accuracy, balanced_accuracy, top_3_accuracy, top_5_accuracy, macro_f1, macro_roc_auc, macro_average_precision, log_loss, brier.",
        ),
        Case(
            "a figure that chooses no epoch",
            table,
            f"{TRAIN} --metric ece",
            "metric 'ece' is a figure that `evaluate` gives, and not one to choose an epoch by. Known for multi-class: accuracy, balanced_accuracy, top_3_accuracy, top_5_accuracy, macro_f1, macro_roc_auc, macro_average_precision, log_loss, brier.",
        ),
        Case(
            "an unknown objective of decisions",
            table,
            f"{TRAIN} --decide-for macrof1",
            "--decide-for macrof1: decide_for must be accuracy, balanced_accuracy, f1 (f2, f0.5, macro_f1, micro_f1), recall>=0.9, precision>=0.9, or the .csv file of a cost matrix, or none; got 'macrof1'.",
        ),
        Case(
            "decisions that nothing can choose",
            table,
            f"{TRAIN} --decide-for f1 --set early_stopping=false --set calibrate=false",
            "decide_for='f1' (--decide-for) is chosen on validation rows; with early_stopping=false and calibrate=false none are held out. Leave one of them on, or give X_val and y_val (--valid).",
        ),
        Case(
            "a pooled objective for classes",
            table,
            f"{TRAIN} --decide-for micro_f1",
            "decide_for='micro_f1' is for labels; of one class per row micro-averaged F is the accuracy: say 'accuracy', or 'macro_f1'.",
        ),
        Case(
            "costs in a file that is not there",
            table,
            f"{TRAIN} --decide-for costs.csv",
            "--decide-for costs.csv: costs.csv: no such file or directory.",
        ),
        Case(
            "costs of classes that there are not",
            several(table, text(",a,c\na,0,1\nc,5,0\n", name="costs.csv")),
            f"{TRAIN} --decide-for costs.csv",
            "decide_for: the costs have no row 'b'; they need one for each of ['a', 'b'].",
        ),
        Case(
            "costs with a row that is too short",
            several(table, text(",a,b\na,0,1\nb,5\n", name="costs.csv")),
            f"{TRAIN} --decide-for costs.csv",
            "--decide-for costs.csv: costs.csv, line 3: must have a class and 2 costs; it has 2 fields.",
        ),
        Case(
            "a cost matrix whose first line has no empty field in front",
            several(table, text("a,b\na,0,1\nb,5,0\n", name="costs.csv")),
            f"{TRAIN} --decide-for costs.csv",
            "--decide-for costs.csv: costs.csv, line 1: must begin with an empty field, as in ',a,b': the decided classes stand above their costs, and each true one in front of its line.",
        ),
        Case(
            "costs that are no numbers",
            several(table, text(",a,b\na,0,much\nb,5,0\n", name="costs.csv")),
            f"{TRAIN} --decide-for costs.csv",
            "--decide-for costs.csv: costs.csv, line 2: costs must be numbers; found ['0', 'much'].",
        ),
        Case(
            "costs of a class twice",
            several(table, text(",a,b\na,0,1\na,5,0\n", name="costs.csv")),
            f"{TRAIN} --decide-for costs.csv",
            "--decide-for costs.csv: costs.csv, line 3: the class 'a' is there twice.",
        ),
        Case(
            "gains instead of costs",
            several(table, text(",a,b\na,1,0\nb,0,1\n", name="costs.csv")),
            f"{TRAIN} --decide-for costs.csv",
            "decide_for: of class 'a' a wrong decision costs 0, less than the right one (1). Give costs[true, decided], not gains; usually 0 for what is right.",
        ),
        Case(
            "layers that can't be read",
            table,
            f"{TRAIN} --layers '25;15'",
            "--layers '25;15': layers must be hidden units as in \"25,15\", or a whole network as in \"25 relu, 15 relu, 10 linear\"; got '25;15'.",
        ),
        Case(
            "an unknown activation",
            table,
            f"{TRAIN} --layers '25 rleu, 1 linear'",
            "--layers '25 rleu, 1 linear': Dense activation must be one of relu, tanh, gelu, silu, selu, sigmoid, parametric_selu, linear, softmax; got 'rleu'. Did you mean 'relu'?",
        ),
        Case(
            "a layer that embeds numbers, and rows without columns of numbers",
            svmlight("1 9:1"),
            "train t.svm --layers 'periodic, 4 relu, 1 linear'",
            "the layer 'periodic 16 3 0.1' is for columns of numbers; the data have none. Leave it out of the network.",
        ),
        Case(
            "a layer that embeds categories, and no category of many values",
            table,
            f"{TRAIN} --layers 'embedding, 4 relu, 1 linear'",
            "the layer 'embedding 8' is for categories that make more than 8 features; the data have none. Leave it out of the network.",
        ),
        Case(
            "layers in another order",
            table,
            f"{TRAIN} --layers 'scaling, periodic, 1 linear'",
            "--layers 'scaling, periodic, 1 linear': layer 2 is Periodic: Periodic or PiecewiseLinear, Embedding, Scaling stand in this order, each at most once, or Residual alone, in front of the Dense layers, of which there is one at least.",
        ),
        Case(
            "two layers that embed numbers",
            table,
            f"{TRAIN} --layers 'periodic, piecewise, 1 linear'",
            "--layers 'periodic, piecewise, 1 linear': layer 2 is PiecewiseLinear: Periodic or PiecewiseLinear, Embedding, Scaling stand in this order, each at most once, or Residual alone, in front of the Dense layers, of which there is one at least.",
        ),
        Case(
            "too many bins",
            table,
            f"{TRAIN} --layers 'piecewise 1025 8, 1 linear'",
            "--layers 'piecewise 1025 8, 1 linear': PiecewiseLinear bins must be a whole number from 1 to 1024; got 1025.",
        ),
        Case(
            "a scale of numbers that is not known",
            table,
            f"{TRAIN} --set numbers=robst",
            "--set numbers=robst: numbers must be one of standard, robust; got 'robst'. Did you mean 'robust'?",
        ),
        Case(
            "an engine that is not known",
            table,
            f"{TRAIN} --set engine=pytorch",
            "--set engine=pytorch: engine must be one of native, torch, reference; got 'pytorch'. Did you mean 'torch'?",
        ),
        Case(
            "the engine of an extra that is not installed",
            table,
            f"{TRAIN} --set engine=torch",
            "engine='torch' needs PyTorch, which is not installed: pip install 'fromlogits[torch]'.",
            code=1,
            fault=no_pytorch,
        ),
        Case(
            "a backbone for rows that are no pictures",
            table,
            f"{TRAIN} --backbone tiny",
            "backbone='tiny' is a network over pictures; the rows are none. Give pictures (uint8 of shape (n, h, w) or (n, h, w, channels), as by X.reshape(-1, h, w, channels)); on the command line --image-shape HxW says that each row is one.",
        ),
        Case(
            "an unknown backbone",
            table,
            f"{TRAIN} --backbone tony",
            "--backbone tony: backbone must be one of none, tiny, hf:NAME (a model on Hugging Face, or a folder); got 'tony'. Did you mean 'tiny'?",
        ),
        Case(
            "the extra of a backbone that is not installed",
            pixels,
            "train t.npz --backbone tiny",
            "backbone='tiny' (--backbone tiny) needs PyTorch, which is not installed: pip install 'fromlogits[torch]'.",
            code=1,
            fault=no_pytorch,
        ),
        Case(
            "the extra of a pretrained backbone that is not installed",
            pixels,
            "train t.npz --backbone hf:facebook/dinov2-small",
            "backbone='hf:facebook/dinov2-small' (--backbone hf:facebook/dinov2-small) needs PyTorch and transformers, which are not installed: pip install 'fromlogits[torch]'.",
            code=1,
            fault=no_transformers,
        ),
        Case(
            "a pretrained backbone whose weights can run code",
            backbone("config.json", "pytorch_model.bin", "preprocessor_config.json"),
            "train t.npz --backbone hf:net",
            "backbone 'hf:net': weights are read from model.safetensors alone; its weights are in pytorch_model.bin, which may run code when it is read. Save it as safetensors: model.save_pretrained(FOLDER).",
            fault=all_installed,
        ),
        Case(
            "a pretrained backbone that does not say how pictures are prepared",
            backbone("config.json", "model.safetensors"),
            "train t.npz --backbone hf:net",
            "backbone 'hf:net': the folder holds no preprocessor_config.json, which says how pictures are prepared. Save it by image_processor.save_pretrained(FOLDER).",
            fault=all_installed,
        ),
        Case(
            "a folder that is no backbone",
            backbone("model.safetensors"),
            "train t.npz --backbone hf:net",
            "backbone 'hf:net': the folder net holds no config.json, as a model of transformers does.",
            fault=all_installed,
        ),
        Case(
            "no name behind hf:",
            pixels,
            "train t.npz --backbone hf:",
            "backbone 'hf:': behind hf: stands the name of a model on Hugging Face, or a folder.",
            fault=all_installed,
        ),
        Case(
            "a folder of a backbone that is not there",
            pixels,
            "train t.npz --backbone hf:./net",
            "backbone 'hf:./net': there is no such folder, and no model on Hugging Face can have this name.",
            fault=all_installed,
        ),
        Case(
            "the place of a pretrained backbone for a model that has none",
            model,
            "predict m.safetensors t.csv --backbone hf:net",
            "backbone='hf:net' (--backbone hf:net) is for a model that was trained behind a pretrained network; m.safetensors has none.",
        ),
        Case(
            "pictures changed for a network that sees none",
            table,
            f"{TRAIN} --set flip=true",
            "shift, zoom, flip, colour and cut_out change pictures for a network with a layer over pictures (backbone='tiny'); this one has none. Leave them out.",
        ),
        Case(
            "a precision that the engine does not have",
            table,
            f"{TRAIN} --set precision=bfloat16",
            "precision='bfloat16' is for convolutions in engine='torch'; this training has none. Leave it out.",
        ),
        Case(
            "averages over more than all epochs",
            table,
            f"{TRAIN} --set averaging=8",
            "--set averaging=8: averaging must be a number in [0, 1]; got 8.0.",
        ),
        Case(
            "a layer over pictures for rows that are none",
            table,
            f"{TRAIN} --layers 'residual 8-16 1 1, 1 linear'",
            "a Network with Residual takes pictures: each row must be one, of shape (h, w) or (h, w, channels).",
        ),
        Case(
            "a model with convolutions where PyTorch is not installed",
            several(convolutional_model, lambda: bytes_of(picture(), "photo.png")),
            "predict v.safetensors photo.png",
            "the layer 'residual 4 1 1' needs PyTorch, which is not installed: pip install 'fromlogits[torch]'.",
            code=1,
            fault=no_pytorch,
        ),
        Case(
            "a lesson page of a model with convolutions",
            convolutional_model,
            "export v.safetensors lesson.html",
            "the lesson page has no convolutions, which this model has; `fromlogits serve MODEL` shows the same page and computes them.",
        ),
        Case(
            "a device for the engine that has none",
            table,
            f"{TRAIN} --set device=cuda",
            "device='cuda' is for engine='torch'; the native engine computes on the cpu.",
        ),
        Case(
            "a network that ends in the wrong width",
            table,
            f"{TRAIN} --layers '25 relu, 10 linear'",
            "the last layer must have 1 unit (sigmoid) or 2 units (softmax) for this multi-class target with 2 classes; the network ends in Dense(10, 'linear'). Dense(1, 'linear') fits.",
        ),
        Case(
            "a network larger than any memory",
            table,
            f"{TRAIN} --layers 1000000,1000000",
            "the network has 1,000,005,000,001 parameters (3,725 GiB); the limit is 4,000,000,000.",
        ),
        Case(
            "a seed below 0",
            table,
            f"{TRAIN} --seed -1",
            "--seed -1: random_state must be a whole number from 0 to 9223372036854775807; got -1.",
        ),
        Case(
            "no threads",
            table,
            f"{TRAIN} --threads 0",
            "--threads 0: n_jobs must be a whole number from 1 to 1024; got 0.",
        ),
        Case("no such configuration", table, f"{TRAIN} --config c.toml", "--config c.toml: no such file or directory."),
        Case(
            "an ensemble of none",
            table,
            f"{TRAIN} --set ensemble=0",
            "--set ensemble=0: ensemble must be a whole number from 1 to 4096; got 0.",
        ),
        Case(
            "an ensemble that is no number",
            table,
            f"{TRAIN} --set ensemble=many",
            "--set ensemble=many: ensemble must be a whole number such as 30, or none; got 'many'.",
        ),
        Case(
            "separate networks for classes",
            table,
            f"{TRAIN} --separate-networks",
            "separate_networks trains one network per label; this target has one class per row (2 classes). Leave it out, or give a 0/1 matrix with task='multi-label' (--task multi-label).",
        ),
        Case(
            "separate networks that end in a unit for each label",
            text("size,car,bus\n" + "1,0,1\n2,1,1\n" * 10),
            'train t.csv --target car,bus --separate-networks --layers "3 relu, 2 linear"',
            "the last layer must have 1 unit in each of the separate networks for this multi-label target with 2 labels; the network ends in Dense(2, 'linear'). Dense(1, 'linear') fits.",
        ),
        Case(
            "more networks than one classifier has",
            text("size,car,bus\n" + "1,0,1\n2,1,1\n" * 10),
            "train t.csv --target car,bus --separate-networks --set ensemble=4096",
            "one classifier has at most 4,096 networks; 8,192 networks (4,096 for each of 2 questions) would make 8,192.",
        ),
        Case(
            "a configuration that is not TOML",
            several(table, text("dropout: 0.2\n", "c.toml")),
            f"{TRAIN} --config c.toml",
            "--config c.toml: is not TOML: Expected '=' after a key in a key/value pair (at line 1, column 8). Write one setting a line, as in dropout = 0.2; a JSON file's name ends in .json.",
        ),
        Case(
            "an unknown key in a configuration",
            several(table, text("droput = 0.2\n", "c.toml")),
            f"{TRAIN} --config c.toml",
            "--config c.toml: no setting is called 'droput'. Did you mean 'dropout'?",
        ),
    ],
    "Command lines": [
        Case(
            "an unknown verb",
            table,
            "trian t.csv --target kind",
            "there is no verb 'trian'. Did you mean 'train'? The verbs are train, cv, evaluate, predict, calibrate, inspect, export, serve, roundoff.",
        ),
        Case(
            "an unknown option",
            table,
            f"{TRAIN} --epoch 3",
            "train: there is no option --epoch. Did you mean --epochs? See fromlogits train --help.",
        ),
        Case(
            "an option that there is not",
            table,
            f"{TRAIN} --image-shapes 8x8",
            "train: there is no option --image-shapes. Did you mean --image-shape? See fromlogits train --help.",
        ),
        Case("no data", table, "train --target kind", "train: DATA is missing. See fromlogits train --help."),
        Case(
            "an option without its value",
            table,
            f"{TRAIN} --epochs",
            "train: option '--epochs' requires an argument. See fromlogits train --help.",
        ),
        Case(
            "an argument too many",
            table,
            "train t.csv u.csv --target kind",
            "train: too many arguments: u.csv; it takes DATA. See fromlogits train --help.",
        ),
    ],
    "Where a model is saved": [
        Case(
            "a folder that does not exist",
            table,
            f"{TRAIN} -o models/m.safetensors",
            "-o models/m.safetensors: the folder 'models' does not exist; make it first.",
        ),
        Case(
            "a file that exists",
            several(table, text("", "m.safetensors")),
            f"{TRAIN} -o m.safetensors",
            "-o m.safetensors: the file exists; choose another name, or add --overwrite to replace it.",
        ),
        Case(
            "the data itself",
            table,
            f"{TRAIN} -o t.csv --overwrite",
            "-o t.csv: this file is read from; choose another name.",
        ),
        Case(
            "a folder instead of a file name",
            several(table, lambda: Path("m").mkdir()),
            f"{TRAIN} -o m",
            "-o m: this is a folder; add a file name.",
        ),
        Case(
            "a folder that can't be written to",
            table,
            f"{TRAIN} -o m.safetensors",
            "-o m.safetensors: the folder '.' can't be written to; choose another.",
            fault=locked_folder,
        ),
        Case(
            "a device instead of a file",
            table,
            f"{TRAIN} -o /dev/null --overwrite",
            "-o /dev/null: this is a device or a pipe; it must be a file.",
        ),
        Case(
            "a pipe instead of a file",
            several(table, lambda: os.mkfifo("m.safetensors")),
            f"{TRAIN} -o m.safetensors --overwrite",
            "-o m.safetensors: this is a device or a pipe; it must be a file.",
        ),
        Case(
            "a file that is read-only",
            several(table, read_only("m.safetensors")),
            f"{TRAIN} -o m.safetensors --overwrite",
            "-o m.safetensors: the file is read-only and is not replaced; choose another name, or make it writable first.",
        ),
        Case(
            "a folder on a disk that is read-only",
            table,
            f"{TRAIN} -o m.safetensors",
            "-o m.safetensors: read-only file system; choose another name.",
            fault=read_only_disk,
        ),
        Case(
            "a disk without room",
            table,
            f"{TRAIN} --preset fast -o m.safetensors",
            "the model needs 76,257 bytes, and the disk of 'FOLDER' has 4,096 free; make room or choose another folder.",
            fault=full_disk,
        ),
        Case(
            "a disk that becomes full during the save",
            several(table, text("", "m.safetensors")),
            f"{TRAIN} --preset fast -o m.safetensors --overwrite --quiet",
            "the model could not be saved to 'm.safetensors': No space left on device; the file that was there is unchanged.",
            code=1,
            fault=disk_that_fills_up,
        ),
    ],
    "Model files": [
        Case("no such model", table, "evaluate m.safetensors t.csv", "model file 'm.safetensors' does not exist."),
        Case(
            "a table instead of a model",
            table,
            "inspect t.csv",
            "model file 't.csv' is not a fromlogits model: it does not begin as a safetensors file.",
        ),
        Case(
            "a pickle instead of a model",
            lambda: bytes_of(b"\x80\x04\x95" + bytes(40), "m.pkl"),
            "inspect m.pkl",
            "model file 'm.pkl' is not a fromlogits model: it is a Python pickle (joblib writes them too), which can run code and is never loaded.",
        ),
        Case(
            "an empty model file",
            text("", "m.safetensors"),
            "inspect m.safetensors",
            "model file 'm.safetensors' is empty.",
        ),
        Case(
            "a model file cut short",
            damaged_model(lambda content: content[: len(content) // 2]),
            "inspect m.safetensors",
            "model file 'm.safetensors' is damaged: its checksum does not match; copy it again.",
        ),
        Case(
            "a model file with one flipped bit",
            damaged_model(flipped),
            "inspect m.safetensors",
            "model file 'm.safetensors' is damaged: its checksum does not match; copy it again.",
        ),
        Case(
            "a model of a newer version",
            newer_model,
            "inspect m.safetensors",
            "model file 'm.safetensors' needs a newer fromlogits: its format is 2, and this version reads up to 1; upgrade by `pip install --upgrade fromlogits`.",
        ),
        Case(
            "a zip archive with a model's name",
            lambda: bytes_of(b"PK\x03\x04" + bytes(40), "m.safetensors"),
            "inspect m.safetensors",
            "model file 'm.safetensors' is not a fromlogits model: it is a zip archive, as .npz, .pt, .keras and .skops files are.",
        ),
        Case(
            "a web page with a model's name",
            text("<!doctype html><title>Log in</title>", "m.safetensors"),
            "inspect m.safetensors",
            "model file 'm.safetensors' is not a fromlogits model: it is a web page; perhaps a download that asked for a login.",
        ),
        Case(
            "a model with a weight that is not a number",
            model_with_nan,
            "inspect m.safetensors",
            "model file 'm.safetensors' holds NaN or infinity in the tensor 'layer.2.weights'.",
        ),
        Case(
            "a model with one class too many",
            forged_model(lambda manifest, header: manifest["target"]["classes"].append("c")),
            "inspect m.safetensors",
            "model file 'm.safetensors' is not one that fromlogits wrote: the network has 1 outputs for 3 classes.",
        ),
        Case(
            "a model whose encoder takes fewer columns than its network",
            forged_model(lambda manifest, header: manifest["spec"]["network"].update(n_features=3)),
            "inspect m.safetensors",
            "model file 'm.safetensors' is not one that fromlogits wrote: tensor 'layer.0.weights' must be float32 (128, 3); it is float32 (128, 2).",
        ),
        Case(
            "a model with the name of one column too many",
            forged_model(lambda manifest, header: manifest["encoder"]["schema"]["names"].append("more")),
            "inspect m.safetensors",
            "model file 'm.safetensors' is not one that fromlogits wrote: schema: 3 names for 2 features.",
        ),
        Case(
            "a model with a layer whose weights are missing",
            forged_model(
                lambda manifest, header: manifest["spec"]["network"]["layers"].insert(
                    0, {"kind": "dense", "units": 2, "activation": "relu"}
                )
            ),
            "inspect m.safetensors",
            "model file 'm.safetensors' is not one that fromlogits wrote: tensor 'layer.0.biases' must be float32 (2,); it is float32 (128,).",
        ),
        Case(
            "a model with a tensor beyond its end",
            forged_model(lambda manifest, header: header["layer.0.biases"].update(data_offsets=[2**40, 2**40 + 4])),
            "inspect m.safetensors",
            "model file 'm.safetensors' is refused by the safetensors library: 'Error while deserializing: invalid offset for tensor `layer.0.weights`'.",
        ),
        Case(
            "a model with a hundred thousand tensors",
            forged_model(
                lambda manifest, header: header.update(
                    {f"w{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
                )
            ),
            "inspect m.safetensors",
            "model file 'm.safetensors' has a header of more items than a file of its size may have.",
        ),
        Case(
            "a model with the path of a file in a name",
            forged_model(lambda manifest, header: header.update({"../w": header.pop("layer.0.biases")})),
            "inspect m.safetensors",
            "model file 'm.safetensors' has the tensor '../w'; names are of lower-case letters, digits, '_' and '.'.",
        ),
        Case(
            "rows without a column that the model needs",
            several(model, lambda: table(header="size,width,kind")),
            "predict m.safetensors t.csv",
            "t.csv has no column 'weight'; the model was trained with it.",
        ),
        Case(
            "rows to evaluate without the target",
            several(model, lambda: table(header="size,weight,sort")),
            "evaluate m.safetensors t.csv",
            "t.csv has no target column 'kind'. Its columns: size, weight, sort.",
        ),
        Case(
            "a word in a number column of rows to predict",
            several(model, with_line(5, "1,heavy,a")),
            "predict m.safetensors t.csv",
            "column 'weight' must hold numbers; t.csv line 5 has 'heavy', which is not a number. --missing heavy if it stands for no value; the model needs the column.",
        ),
        Case(
            "a column to keep that is not there",
            several(model, table),
            "predict m.safetensors t.csv --keep size,wieght",
            "t.csv has no column 'wieght' to be kept. Did you mean 'weight'?",
        ),
        Case(
            "a column to keep of a file without named columns",
            several(model, text("1 1:2 2:3\n", "t.svm")),
            "predict m.safetensors t.svm --keep size",
            "t.svm: --keep is for tables, whose columns have names; it has none.",
        ),
        Case(
            "a column to keep that the predictions have",
            several(model, lambda: table(header="size,weight,prediction")),
            "predict m.safetensors t.csv --keep prediction",
            "column 'prediction' can't be copied to the predictions, which have a column of that name; leave it out of"
            " --keep, or rename it in the file.",
        ),
        Case(
            "predictions into a file that exists",
            several(model, table, text("", "p.csv")),
            "predict m.safetensors t.csv -o p.csv",
            "-o p.csv: the file exists; choose another name, or add --overwrite to replace it.",
        ),
        Case(
            "predictions over the data",
            several(model, table),
            "predict m.safetensors t.csv -o t.csv --overwrite",
            "-o t.csv: this file is read from; choose another name.",
        ),
        Case(
            "predictions into a file of an unknown kind",
            several(model, table),
            "predict m.safetensors t.csv -o p.xlsx",
            "-o p.xlsx: predictions are written to a file whose name ends in .csv or .tsv.",
        ),
        Case(
            "predictions into a folder that does not exist",
            several(model, table),
            "predict m.safetensors t.csv -o out/p.csv",
            "-o out/p.csv: the folder 'out' does not exist; make it first.",
        ),
        Case(
            "predictions into a pipe that can't be written to",
            several(model, table, lambda: os.mkfifo("pipe")),
            "predict m.safetensors t.csv -o pipe",
            "-o pipe: this can't be written to; choose another name.",
            fault=locked_folder,
        ),
        Case(
            "predictions over a file that is read-only",
            several(model, table, read_only("p.csv")),
            "predict m.safetensors t.csv -o p.csv --overwrite",
            "-o p.csv: the file is read-only and is not replaced; choose another name, or make it writable first.",
        ),
        Case(
            "predictions onto a disk without room",
            several(model, lambda: table(1000)),
            "predict m.safetensors t.csv -o p.csv",
            "the predictions need at least 10,000 bytes, and the disk of 'FOLDER' has 4,096 free; make room or choose another folder.",
            fault=full_disk,
        ),
        Case(
            "a disk that becomes full while predictions are written",
            several(model, table, text("", "p.csv")),
            "predict m.safetensors t.csv -o p.csv --overwrite",
            "p.csv could not be written: no space left on device.",
            code=1,
            fault=disk_that_fills_up,
        ),
        Case(
            "a row that the file does not have",
            several(model, table),
            "inspect m.safetensors t.csv --row 40",
            "--row must be 0 to 39, as t.csv has 40 rows; got 40. Rows are counted from 0.",
        ),
        Case(
            "a row before the first",
            several(model, table),
            "inspect m.safetensors t.csv --row -1",
            "--row must be 0 or more; got -1. Rows are counted from 0.",
        ),
        Case(
            "a row of no file",
            model,
            "inspect m.safetensors --row 3",
            "--row 3 needs the file that the row is of: fromlogits inspect m.safetensors DATA --row 3.",
        ),
        Case(
            "a row without a column that the model needs",
            several(model, lambda: table(header="size,width,kind")),
            "inspect m.safetensors t.csv --row 3",
            "t.csv has no column 'weight'; the model was trained with it.",
        ),
    ],
    "Calibration, decisions and prediction sets after the training": [
        Case(
            "a coverage that is no probability",
            several(model, table),
            "predict m.safetensors t.csv --coverage 90",
            "--coverage must be a number between 0 and 1, as in 0.9; got '90'.",
        ),
        Case(
            "a coverage that is no number",
            several(model, table),
            "predict m.safetensors t.csv --coverage most",
            "--coverage must be a number between 0 and 1, as in 0.9; got 'most'.",
        ),
        Case(
            "prediction sets of a model without rows kept for them",
            several(model, table),
            "predict m.safetensors t.csv --coverage 0.9",
            "this model has no rows kept for prediction sets; keep some: clf.calibrate(X, y, coverage=0.9) on rows that the training never saw (fromlogits calibrate MODEL DATA -o NEW --coverage 0.9), or fromlogits train --coverage 0.9.",
        ),
        Case(
            "figures of prediction sets of a model without them",
            several(model, table),
            "evaluate m.safetensors t.csv --coverage 0.9",
            "this model has no rows kept for prediction sets; keep some: clf.calibrate(X, y, coverage=0.9) on rows that the training never saw (fromlogits calibrate MODEL DATA -o NEW --coverage 0.9), or fromlogits train --coverage 0.9.",
        ),
        Case(
            "a coverage that the kept rows do not grant",
            several(calibrated_model, table),
            "predict c.safetensors t.csv --coverage 0.99",
            "a coverage of 0.99 needs at least 99 rows kept for the sets with a known class; there are 20; 20 grant 0.952 at most. Keep more rows, or ask for less.",
        ),
        Case(
            "a kept column of the name of one that sets have",
            several(calibrated_model, lambda: table(header="size,weight,set_size")),
            "predict c.safetensors t.csv --coverage 0.9 --keep set_size",
            "column 'set_size' can't be copied to the predictions, which have a column of that name; leave it out of --keep, or rename it in the file.",
        ),
        Case(
            "a training with too few rows to keep for sets",
            table,
            f"{TRAIN} --coverage 0.97",
            "a coverage of 0.97 needs at least 33 rows kept for the sets, more than half of the 40 there are. Give more rows, or ask for less.",
        ),
        Case(
            "a training with fewer rows than its sets need",
            table,
            f"{TRAIN} --coverage 0.99",
            "a coverage of 0.99 needs at least 99 rows kept for the sets and some beside them; there are 40. Give more rows, or ask for less.",
        ),
        Case(
            "a training with sets and rows held out by time",
            table,
            f"{TRAIN} --coverage 0.9 --time-column weight",
            "prediction sets (--coverage) promise something for rows that are drawn like those they are made from, which rows held out by time (--time-column) are not. Leave one of them out, or calibrate the model on later rows (fromlogits calibrate).",
        ),
        Case(
            "a training with sets of rows that weigh differently",
            table,
            f"{TRAIN} --coverage 0.9 --weights weight",
            "prediction sets (coverage) can't be made from rows that weigh differently: what they promise is for rows drawn like those they are made from, each of which counts once. Leave the weights, or their column, out; those that weigh 0 may stay.",
        ),
        Case(
            "no place for the calibrated model",
            several(model, table),
            "calibrate m.safetensors t.csv",
            "calibrate: -o NEW is missing. See fromlogits calibrate --help.",
        ),
        Case(
            "a calibrated model over the model",
            several(model, table),
            "calibrate m.safetensors t.csv -o m.safetensors --overwrite",
            "-o m.safetensors: this file is read from; choose another name.",
        ),
        Case(
            "a calibrated model over a file that exists",
            several(model, table, text("mine", "n.safetensors")),
            "calibrate m.safetensors t.csv -o n.safetensors",
            "-o n.safetensors: the file exists; choose another name, or add --overwrite to replace it.",
        ),
        Case(
            "rows to calibrate on without a target",
            several(model, lambda: table(header="size,weight,sort")),
            "calibrate m.safetensors t.csv -o n.safetensors",
            "t.csv has no target column 'kind'. Its columns: size, weight, sort.",
        ),
        Case(
            "too few rows to calibrate on for a coverage",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --coverage 0.99",
            "t.csv: a coverage of 0.99 needs at least 99 rows kept for the sets and some beside them; there are 40. Give more rows, or ask for less.",
        ),
        Case(
            "rows to calibrate on that have no class of the model's",
            several(
                model,
                lambda: table(name="old.csv"),
                lambda: text(Path("old.csv").read_text().replace(",a", ",A").replace(",b", ",B"))(),
            ),
            "calibrate m.safetensors t.csv -o n.safetensors --coverage 0.9",
            "t.csv: none of the 20 rows that would choose the calibration has a class that the model knows: it knows ['a', 'b']. Calibrate it on rows with these classes, spelled as they were in the training.",
        ),
        Case(
            "an unknown method of sets",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --coverage 0.9 --method asp",
            "t.csv: method (--method) must be 'lac' or 'aps'; got 'asp'. Did you mean 'aps'?",
        ),
        Case(
            "a method of sets without a coverage",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --method aps",
            "t.csv: method (--method) is of prediction sets; say their coverage (--coverage) too.",
        ),
        Case(
            "a seed of sets without a coverage",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --seed 1",
            "t.csv: random_state (--seed) is of prediction sets; say their coverage (--coverage) too.",
        ),
        Case(
            "an unknown objective for a calibrated model",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --decide-for f_1",
            "--decide-for f_1: decide_for must be accuracy, balanced_accuracy, f1 (f2, f0.5, macro_f1, micro_f1), recall>=0.9, precision>=0.9, or the .csv file of a cost matrix; got 'f_1'.",
        ),
        Case(
            "no objective for a calibrated model",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --decide-for none",
            "--decide-for none: decide_for must be accuracy, balanced_accuracy, f1 (f2, f0.5, macro_f1, micro_f1), recall>=0.9, precision>=0.9, or the .csv file of a cost matrix; got 'none'.",
        ),
        Case(
            "an objective that the model's target does not have",
            several(model, table),
            "calibrate m.safetensors t.csv -o n.safetensors --decide-for micro_f1",
            "t.csv: decide_for='micro_f1' is for labels; of one class per row micro-averaged F is the accuracy: say 'accuracy', or 'macro_f1'.",
        ),
    ],
    "Exporting": [
        Case(
            "a form that is not known",
            model,
            "export m.safetensors m.pdf",
            "OUT m.pdf: a model is exported to a file whose name ends in .onnx or .html.",
        ),
        Case(
            "no file to export to",
            model,
            "export m.safetensors",
            "export: OUT is missing. See fromlogits export --help.",
        ),
        Case(
            "an export over a file that exists",
            several(model, text("", "m.onnx")),
            "export m.safetensors m.onnx",
            "OUT m.onnx: the file exists; choose another name, or add --overwrite to replace it.",
        ),
        Case(
            "an export into a folder that does not exist",
            model,
            "export m.safetensors out/m.onnx",
            "OUT out/m.onnx: the folder 'out' does not exist; make it first.",
        ),
        Case(
            "an export of a file that is no model",
            table,
            "export t.csv m.onnx",
            "model file 't.csv' is not a fromlogits model: it does not begin as a safetensors file.",
        ),
        Case(
            "dates, which ONNX can't say",
            dates_model,
            "export d.safetensors d.onnx",
            "column 'day' holds dates or times, and ONNX has no operators that read them. Turn it into numbers, or train"
            " without it (--ignore).",
        ),
        Case(
            "a column that is called as an output of ONNX",
            label_model,
            "export l.safetensors l.onnx",
            "column 'label' has the name of an output; rename the column and train again.",
        ),
        Case(
            "an export without the library that writes it",
            model,
            "export m.safetensors m.onnx",
            "export to ONNX needs onnx, which is not installed; install it by `pip install 'fromlogits[onnx]'`.",
            code=1,
            fault=no_onnx,
        ),
    ],
    "Serving": [
        Case(
            "a model to be served that is none",
            table,
            "serve t.csv",
            "model file 't.csv' is not a fromlogits model: it does not begin as a safetensors file.",
        ),
        Case(
            "two models of one name",
            two_models,
            "serve m.safetensors new/m.safetensors",
            "models are called by their file names, which must differ; m.safetensors and new/m.safetensors are both 'm'."
            " Rename one.",
        ),
        Case(
            "an address of other machines without a token",
            model,
            "serve m.safetensors --host 0.0.0.0 --port 0",
            "--host 0.0.0.0 opens the server to other machines, which needs a token: --token-file FILE, or the variable"
            " FROMLOGITS_TOKEN. Without one, --host 127.0.0.1 serves this machine alone.",
        ),
        Case(
            "a token that can be guessed",
            model,
            "serve m.safetensors --port 0",
            "FROMLOGITS_TOKEN: a token must have 16 or more letters, digits and signs of ASCII, and no blanks; it has 6"
            " characters. Make one by: python -c 'import secrets; print(secrets.token_urlsafe())'",
            fault=short_token,
        ),
        Case(
            "a file for the token that is not there",
            model,
            "serve m.safetensors --token-file token.txt",
            "--token-file token.txt: no such file or directory.",
        ),
        Case(
            "a host that is none",
            model,
            "serve m.safetensors --host 300.0.0.1",
            "--host 300.0.0.1: there is no such address.",
        ),
        Case(
            "a port that is none",
            model,
            "serve m.safetensors --port 70000",
            "--port must be from 0 to 65,535; got 70,000.",
        ),
        Case(
            "a limit below what can be",
            model,
            "serve m.safetensors --max-rows 0",
            "--max-rows must be from 1 to 10,000,000; got 0.",
        ),
        Case(
            "a server without the libraries that serve",
            model,
            "serve m.safetensors",
            "serve needs starlette, which is not installed; install it by `pip install 'fromlogits[serve]'`.",
            code=1,
            fault=no_starlette,
        ),
    ],
    "Picture files": [
        Case(
            "a folder without folders of classes",
            several(lambda: Path("photos").mkdir(), lambda: bytes_of(picture(), "photos/a.png")),
            "train photos",
            "photos holds 1 picture and no folder for each class. Put those of a class into a folder of its name; or train on a table that names them, with --images COLUMN.",
        ),
        Case(
            "a picture beside the folders of the classes",
            several(photos(), lambda: bytes_of(picture(), "photos/x.png")),
            "train photos",
            "photos: 1 of 41 pictures stands beside the folders of the classes, such as x.png. Put each into the folder of its class.",
        ),
        Case(
            "one picture to train on",
            lambda: bytes_of(picture(), "a.png"),
            "train a.png",
            "a.png is one picture, whose class is not known; name a folder, or a table and --images.",
        ),
        Case(
            "pictures that are cut off, empty, none at all and of another format",
            photos(p03=picture()[:44], p04=b"", p05=b"hello", p06=picture(form="ICO")),
            "train photos",
            "photos: 4 of 40 pictures can't be read: a/04.png: it is empty; a/06.png: it is no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture; b/03.png: it is damaged or cut off; and 1 more. --skip-bad goes on without them.",
        ),
        Case(
            "pictures of which none can be read",
            photos(**{f"p{row:02}": b"" for row in range(40)}),
            "train photos --skip-bad",
            "photos: 40 of 40 pictures can't be read: a/00.png: it is empty; a/02.png: it is empty; a/04.png: it is empty; and 37 more.",
        ),
        Case(
            "names of pictures that lead out of the folder, to nothing and to a folder, and none",
            several(
                photos_table(p00="../t.csv", p01="/etc/passwd", p02="nothing.png", p03="a", p04='""'),
                renamed("t.csv", "photos/t.csv"),
            ),
            "train photos/t.csv --images file --target kind",
            "t.csv: 5 of 40 pictures can't be read: ../t.csv: it lies outside of photos; /etc/passwd: it lies outside of photos; nothing.png: there is no such file in photos (--image-root names another folder); and 2 more. --skip-bad goes on without them.",
        ),
        Case(
            "a name that leads out of a zip file",
            several(photos_table(), text("file,kind\n../a.png,a\nb.png,b\n"), packed("../a.png", "b.png")),
            "train t.csv --images file --image-root photos.zip --target kind",
            "t.csv: 1 of 2 pictures can't be read: ../a.png: its name leads out of photos.zip. --skip-bad goes on without them.",
        ),
        Case(
            "a root of pictures that is not there",
            photos_table(),
            "train t.csv --images file --image-root photo --target kind",
            "--image-root photo: there is no such folder or zip file. Did you mean 'photos'?",
        ),
        Case(
            "a root of pictures that is no folder",
            photos_table(),
            "train t.csv --images file --image-root t.csv --target kind",
            "--image-root t.csv must be a folder or a zip file.",
        ),
        Case(
            "a zip file cut short",
            cut("photos.zip", packed("a/1.png", "b/2.png")),
            "train photos.zip",
            "photos.zip is no zip file, or it is cut off or damaged.",
        ),
        Case(
            "a column of pictures that is not there",
            photos_table(),
            "train t.csv --images files --image-root photos --target kind",
            "t.csv has no column 'files' of pictures. Did you mean 'file'?",
        ),
        Case(
            "a table without the column that named the pictures of the training",
            several(named_picture_model, text("picture,kind\na.png,a\n")),
            "predict n.safetensors t.csv",
            "t.csv has no column 'file' of pictures. --images COLUMN says which column names them, or holds them.",
        ),
        Case(
            "names of pictures that lie elsewhere than their table",
            several(named_picture_model, text("file,kind\na.png,a\n")),
            "predict n.safetensors t.csv",
            "t.csv: 1 of 1 picture can't be read: a.png: there is no such file in . (--image-root names another folder).",
        ),
        Case(
            "a column of names of pictures alone, which is not said to be one",
            photos_table(),
            "train t.csv --target kind --ignore weight",
            "there is no column to learn from; left out: file, as it has a different value in nearly every row and names the row; --images file learns from the pictures that it names.",
        ),
        Case(
            "a column that holds pictures, which is not said to do so",
            parquet_of("'x'::blob as image, i as number"),
            "train t.parquet --target kind",
            "t.parquet: column 'image' must hold one number or text a row; its type is BLOB. --images image learns from the pictures that it holds; --ignore image leaves it out.",
        ),
        Case(
            "a column of pictures that is the target",
            photos_table(),
            "train t.csv --images kind --image-root photos --target kind",
            "t.csv: column 'kind' can't hold the pictures and be the target too.",
        ),
        Case(
            "a column of numbers for pictures",
            parquet,
            "train t.parquet --images weight --target kind",
            "t.parquet: column 'weight' must hold the names of picture files, or the files; it holds numbers.",
        ),
        Case(
            "a root of pictures without their column",
            photos_table(),
            f"{TRAIN} --image-root photos",
            "t.csv: --image-root is for pictures; --images COLUMN says which column names them.",
        ),
        Case(
            "a size of pictures that is none",
            photos(),
            "train photos --image-size 64",
            "--image-size must be height x width, each from 1 to 1,024, as in 64x64; got '64'.",
        ),
        Case(
            "the shape of rows of pixels for picture files",
            photos(),
            "train photos --image-shape 4x4",
            "photos: --image-shape is for rows of pixels; files are resized to --image-size.",
        ),
        Case(
            "pixels that can't fit",
            photos(),
            "train photos --image-size 1024x1024",
            "40 pictures of 1024 x 1024 are 125.8 MB of pixels; this machine has 100.0 MB of memory. Give a smaller --image-size; or --image-cache FOLDER, which keeps them on disk.",
            fault=lambda patch: patch.setattr("fromlogits.data.pictures.pixels.memory_bytes", lambda: 10**8),
        ),
        Case(
            "a cache in a folder of a folder that is not there",
            photos(),
            "train photos --image-cache no/such",
            "--image-cache no/such: no such file or directory.",
        ),
        Case(
            "a cache in the folder of the pictures",
            photos(),
            "train photos --image-cache photos/kept",
            "--image-cache photos/kept: this must be a folder outside of photos, whose pictures are read.",
        ),
        Case(
            "a cache that is a file",
            several(photos(), text("")),
            "train photos --image-cache t.csv",
            "--image-cache t.csv: this must be a folder.",
        ),
        Case(
            "arrays of pixels with an option for picture files",
            npz(X=np.zeros((40, 4, 4), np.uint8), y=np.arange(40) % 2),
            "train t.npz --image-size 2x2",
            "t.npz: --image-size is for picture files; its pictures are arrays of pixels.",
        ),
        Case(
            "arrays of pictures with the channels in front",
            npz(X=np.zeros((40, 3, 8, 6), np.uint8), y=np.arange(40) % 2),
            "train t.npz",
            "pictures must be of shape (height, width, channels); in (3, 8, 6) the channels seem to stand in front. X.transpose(0, 2, 3, 1) puts the channels last. Rows of shape (n, 144) are learned from as they are.",
        ),
        Case(
            "a picture shape that is not that of the pictures",
            npz(X=np.zeros((40, 8, 6, 3), np.uint8), y=np.arange(40) % 2),
            "train t.npz --image-shape 12x12",
            "t.npz: X holds pictures of shape (8, 6, 3); they must be of shape (12, 12).",
        ),
        Case(
            "arrays of as many pixels in another shape than the model's",
            several(picture_model, npz(X=np.zeros((40, 3, 4, 4), np.uint8))),
            "predict p.safetensors t.npz",
            "t.npz: X holds pictures of shape (3, 4, 4); they must be of shape (4, 4, 3). X.transpose(0, 2, 3, 1) puts the channels last.",
        ),
        Case(
            "a table for a model of pictures",
            several(table, picture_model),
            "predict p.safetensors t.csv",
            "t.csv: the model learned from pictures; --images COLUMN says which column names them, or holds them.",
        ),
        Case(
            "pictures for a model of a table",
            several(model, photos()),
            "predict m.safetensors photos",
            "photos: the model's rows are no pictures, so it takes none.",
        ),
        Case(
            "a picture to predict that can't be read",
            several(picture_model, photos(p03=b"hello")),
            "predict p.safetensors photos",
            "photos: 1 of 40 pictures can't be read: b/03.png: it is no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture. --skip-bad goes on without them.",
        ),
        Case(
            "a picture of a form that is not read",
            several(picture_model, lambda: bytes_of(b"....ftypheic", "IMG.HEIC")),
            "predict p.safetensors IMG.HEIC",
            "IMG.HEIC can't be read: it is no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture.",
        ),
        Case(
            "standard input that is no picture",
            picture_model,
            "predict p.safetensors - --format pictures",
            "standard input can't be read: it is no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture.",
            fault=stdin_of(b"hello"),
        ),
        Case(
            "pictures without the library that reads them",
            photos(),
            "train photos",
            "pictures need Pillow, which is not installed; install it by `pip install 'fromlogits[pictures]'`.",
            code=1,
            fault=no_pillow,
        ),
    ],
    "Watching a training": [
        Case(
            "a port to watch at that is none",
            table,
            f"{TRAIN} --live 70000",
            "--live takes a port from 0 to 65,535, as in --live 8001, or nothing; got '70000'.",
        ),
        Case(
            "a word behind --live that is no port",
            table,
            f"{TRAIN} --live page",
            "train: too many arguments: page; it takes DATA. --live takes a port, as in --live 8001, or nothing; 'page' is none. See fromlogits train --help.",
        ),
        Case(
            "a word for the port to watch at",
            table,
            f"{TRAIN} --live=page",
            "--live takes a port from 0 to 65,535, as in --live 8001, or nothing; got 'page'.",
        ),
        Case(
            "a port to watch at that another program has",
            table,
            f"{TRAIN} --live 8001",
            "--live 8001: address already in use. --live without a port takes one that is free.",
            fault=taken_port,
        ),
        Case(
            "a training to be watched without the libraries that serve",
            table,
            f"{TRAIN} --live",
            "train --live needs starlette, which is not installed; install it by `pip install 'fromlogits[serve]'`.",
            code=1,
            fault=no_starlette,
        ),
    ],
    "Pictures": [
        Case(
            "a picture of an unknown kind",
            lambda: None,
            "roundoff --plot errors.pdf",
            "--plot errors.pdf: the picture is written to a file whose name ends in .svg or .png.",
        ),
        Case(
            "a picture in a folder that does not exist",
            lambda: None,
            "roundoff --plot out/errors.svg",
            "--plot out/errors.svg: the folder 'out' does not exist; make it first.",
        ),
        Case(
            "a picture over a file that exists",
            text("", "errors.svg"),
            "roundoff --plot errors.svg",
            "--plot errors.svg: the file exists; choose another name, or add --overwrite to replace it.",
        ),
        Case(
            "a disk that becomes full while the picture is written",
            text("", "errors.svg"),
            "roundoff --plot errors.svg --overwrite",
            "errors.svg could not be written: no space left on device.",
            code=1,
            fault=disk_that_fills_up,
        ),
        Case(
            "a picture without the library that draws",
            lambda: None,
            "roundoff --plot errors.svg",
            "--plot needs matplotlib, which is not installed; install it by `pip install 'fromlogits[plot]'`.",
            code=1,
            fault=no_matplotlib,
        ),
    ],
}


def contents(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib")  # 3.9, of names in newer versions of pyparsing
@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.name)
def test_bad_input_gets_one_clear_line_and_writes_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    case.make()
    before = contents(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        case.fault(patch)
        code = run(shlex.split(case.command))
    out, err = capsys.readouterr()

    assert err.replace(str(tmp_path.resolve()), "FOLDER") == f"fromlogits: {case.line}\n"
    assert (code, out) == (case.code, "")
    assert contents(tmp_path) == before


def test_the_names_of_the_cases_differ() -> None:
    names = [(section, case.name) for section, cases in CASES.items() for case in cases]

    assert len(set(names)) == len(names)


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_limit_on_file_sizes_is_known_before_the_training(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fromlogits", *shlex.split(TRAIN)]
    with contextlib.chdir(tmp_path):
        table()
    before = contents(tmp_path)
    limited = ["bash", "-c", 'ulimit -f 4 && exec "$@"', "bash", *command]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fromlogits: the model needs ") and done.stderr.endswith("(ulimit -f).\n")
    assert contents(tmp_path) == before
