"""svmlight files: `label[,label...] index:value ... # comment`, one row a line.

Whole lines are checked by one regular expression, some hundred thousand characters at a time, and their numbers are
then converted in bulk. What does not pass is walked through again, slowly, by `svmlight_faults`, which says why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import looks_like
from .numbers import EXACT_INTEGERS, number_fault
from .origin import FileRows, Origin
from .packed import content_chunks
from .schema import MAX_FEATURES
from .svmlight_faults import MAX_NUMBER_CHARACTERS, refuse_first_fault
from .table import SparseMatrix

MAX_LINE_BYTES = 1 << 28
EXACT_DIGITS = 18
"""So many digits always fit into int64."""

_NUMBER = rb"[+-]?+(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+"  # numbers.NUMBER
_PAIR = rb"(?:0|[1-9][0-9]*+):" + _NUMBER
_LABELS = _NUMBER + rb"(?:," + _NUMBER + rb")*+(?![^ \n])"
# Possessive throughout: nothing is tried twice, so the time is linear and the match ends before the first fault.
_LINES = re.compile(
    rb"(?:(?:" + _LABELS + rb"(?: ++" + _PAIR + rb")*+| *+" + _PAIR + rb"(?: ++" + _PAIR + rb")*+) *+\n)*+"
)


class SvmlightRows(FileRows):
    """Rows of a svmlight file: "train.svm line 12"."""

    def __init__(self, path: Path, lines: NDArray[np.int64]) -> None:
        super().__init__(path)
        self.lines = lines

    def where(self, row: int) -> str:
        return f"{self.path.name} line {self.line(row)}"

    def line(self, row: int) -> int:
        return int(self.lines[row])


@dataclass(frozen=True)
class SvmlightFile:
    """What a svmlight file holds, n rows.

    Attributes:
        indptr: int64 (n + 1,): the features of row i are those from indptr[i] to indptr[i + 1].
        indices: int32, as they stand in the file, ascending within a row.
        values: finite float64.
        label_starts, labels: int64, the labels in the same manner; a row may have none or several.
        lines: int64 (n,), the line of each row, from 1.
        n_blank: lines that hold nothing at all.
        digest: SHA-256 of the file, in hex; "" of a part.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float64]
    label_starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    lines: NDArray[np.int64]
    n_blank: int
    digest: str

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def has_zero(self) -> bool:
        """Whether some index is 0."""
        return bool((self.indices == 0).any())


class Indices:
    """Which features the indices mean; and what has to be said of the files, or parts of one, that were asked about.

    Args:
        name: of the file.
        first_index: what a model counts the indices from; None: 0 where some index is 0, else 1.
        n_features: how many the model knows, others are left out; None: as many as the one file has.
        has_zero: whether some index of the file is 0; asked where nothing says what to count from.
    """

    def __init__(
        self, name: str, first_index: int | None, n_features: int | None, has_zero: Callable[[], bool]
    ) -> None:
        self.name, self.n_features = name, n_features
        self._why = ""
        if first_index is None:
            first_index = 0 if has_zero() else 1
            self._why = f"{'no' if first_index else 'some'} index is 0, so indices count from {first_index}"
        self.first_index = first_index
        self._n_blank = self._n_values = self._n_unknown = self._width = 0

    def matrix(self, file: SvmlightFile, origin: Origin) -> SparseMatrix:
        """The features of its rows."""
        if self.first_index == 1 and file.has_zero:
            row = int(np.searchsorted(file.indptr, np.argmax(file.indices == 0), side="right")) - 1
            raise InputError(
                f"{origin.where(row)}: an index must be 1 or more, as in the model's training file; found 0."
            )
        columns = file.indices - np.int32(self.first_index)
        width = int(columns.max(initial=-1)) + 1
        if self.n_features is None:
            if width == 0:
                raise InputError(f"{self.name} has no feature: no line has an index:value.")
            self.n_features = width
        indptr, values = file.indptr, file.values
        self._n_blank += file.n_blank
        self._n_values += len(values)
        self._width = max(self._width, width)
        if width > self.n_features:
            is_known = columns < self.n_features
            self._n_unknown += int(np.count_nonzero(~is_known))
            indptr = np.concatenate([[0], is_known.cumsum(dtype=np.int64)])[indptr]
            columns, values = columns[is_known], values[is_known]
        return SparseMatrix(indptr, columns, values, self.n_features, self.first_index, origin)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence each."""
        notes = [f"{self._n_blank:,} blank line{'s were' if self._n_blank > 1 else ' was'} skipped"] * bool(
            self._n_blank
        )
        notes += [self._why] * bool(self._why)
        if self._n_unknown and self.n_features is not None:
            notes.append(
                f"indices that the model does not know were ignored: {self.n_features + self.first_index} and above, up"
                f" to {self._width - 1 + self.first_index} ({self._n_unknown:,} of {self._n_values:,} values)"
            )
        return tuple(f"{self.name}: {note}" for note in notes)


@dataclass(frozen=True)
class _Part:
    """What some lines hold."""

    counts: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float64]
    label_counts: NDArray[np.int64]
    labels: NDArray[np.int64]
    lines: NDArray[np.int64]
    n_blank: int


def read_svmlight(path: Path) -> SvmlightFile:
    """Read a svmlight file, plain or packed; raises InputError with the line of whatever is not as it must be."""
    sha = hashlib.sha256()
    return _joined([*_parts(path, sha)], sha)


def svmlight_in_parts(path: Path) -> Iterator[SvmlightFile]:
    """The same, consecutive rows at a time, without a digest; a part may have no rows."""
    for part in _parts(path, hashlib.sha256()):
        yield _joined([part])


def _parts(path: Path, sha: Any) -> Iterator[_Part]:
    line, has_rows = 1, False
    for text in _whole_lines(path, sha):
        if line == 1:
            if known := looks_like(text):
                raise InputError(f"{path.name} must be a svmlight file, which is text; it looks like {known}.")
            text = text.removeprefix(b"\xef\xbb\xbf")
        part = _read_lines(path, text, line)
        has_rows = has_rows or len(part.lines) > 0
        yield part
        line += text.count(b"\n")
    if not has_rows:
        raise InputError(
            f"{path.name} has no rows{': it is empty' if line == 1 else ''}; a line must be a label and features, as in"
            " 1 3:0.5 7:2."
        )


def _joined(parts: list[_Part], sha: Any = None) -> SvmlightFile:
    return SvmlightFile(
        _starts([part.counts for part in parts]),
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.values for part in parts]),
        _starts([part.label_counts for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.lines for part in parts]),
        sum(part.n_blank for part in parts),
        "" if sha is None else sha.hexdigest(),
    )


def _starts(counts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([[0], *counts]).cumsum(dtype=np.int64)


def _whole_lines(path: Path, sha: Any) -> Iterator[bytes]:
    """The file's text, cut behind line ends; a last line gets the line end that it lacks."""
    waiting: list[bytes] = []
    n_waiting = 0
    for chunk in content_chunks(path, sha):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*waiting, chunk[:end]])
            waiting, n_waiting = [], 0
        waiting.append(chunk[end:])
        n_waiting += len(chunk) - end
        if n_waiting > MAX_LINE_BYTES:
            raise InputError(
                f"{path.name} has a line of more than {MAX_LINE_BYTES:,} bytes. Is it a svmlight file at all?"
            )
    if rest := b"".join(waiting):
        yield rest + b"\n"


def _read_lines(path: Path, text: bytes, first_line: int) -> _Part:
    lines = text.split(b"\n")[:-1]
    if b"\r" in text:
        lines = [line.removesuffix(b"\r") for line in lines]
    n_blank = lines.count(b"")
    if b"#" in text:
        lines = [line.partition(b"#")[0] for line in lines]
    if b"\t" in text:
        lines = [line.replace(b"\t", b" ") for line in lines]
    numbers = np.arange(first_line, first_line + len(lines), dtype=np.int64)
    if not all(lines):  # blank or a comment
        numbers = numbers[[bool(line) for line in lines]]
        lines = [line for line in lines if line]
    kept = b"\n".join(lines) + b"\n" if lines else b""
    match = _LINES.match(kept)
    assert match is not None
    part = _convert(lines, numbers, n_blank) if match.end() == len(kept) else None
    if part is None or b"\0" in text or not _is_utf8(text):
        refuse_first_fault(path.name, text, first_line)
    assert part is not None, f"{path.name}: a fault was noticed and not found"
    return part


def _is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def _convert(lines: list[bytes], numbers: NDArray[np.int64], n_blank: int) -> _Part | None:
    """The numbers of lines that look right; None where one is out of its range, order or number of characters."""
    heads, tails = [], []
    for line in lines:
        head, _, tail = line.partition(b" ")
        if b":" in head:
            head, tail = b"", line
        heads.append(head)
        tails.append(tail)
    counts = np.fromiter((tail.count(b":") for tail in tails), np.int64, len(tails))
    label_counts = np.fromiter((head.count(b",") + 1 if head else 0 for head in heads), np.int64, len(heads))
    labels = _labels(b",".join(filter(None, heads)), label_counts)
    if labels is None:
        return None
    pairs = _pairs(b" ".join(tails), counts)
    if pairs is None:
        return None
    return _Part(counts, *pairs, label_counts, labels, numbers, n_blank)


def _labels(text: bytes, counts: NDArray[np.int64]) -> NDArray[np.int64] | None:
    if not text:
        return np.empty(0, np.int64)
    if max(map(len, text.split(b","))) > MAX_NUMBER_CHARACTERS:
        return None
    numbers = np.fromstring(text, sep=",")
    if not (np.abs(numbers) <= EXACT_INTEGERS).all():
        return None
    labels = numbers.astype(np.int64)
    return None if (labels != numbers).any() or _has_twins(counts, labels) else labels


def _has_twins(counts: NDArray[np.int64], labels: NDArray[np.int64]) -> bool:
    """Whether a row has a label twice."""
    if counts.max() < 2:
        return False
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((labels, rows))
    rows, labels = rows[order], labels[order]
    return bool(((np.diff(rows) == 0) & (np.diff(labels) == 0)).any())


def _pairs(text: bytes, counts: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float64]] | None:
    if not counts.any():
        return np.empty(0, np.int32), np.empty(0, np.float64)
    text = b" " + text.strip(b" ") + b" "
    if b"  " in text:
        text = re.sub(rb" ++", b" ", text)
    characters = np.frombuffer(text, np.uint8)
    # Spaces and colons now take turns: " index:value index:value ".
    marks = np.flatnonzero((characters == ord(" ")) | (characters == ord(":")))
    spaces, colons = marks[::2], marks[1::2]
    index_lengths, value_lengths = colons - spaces[:-1] - 1, spaces[1:] - colons - 1
    if index_lengths.max() > EXACT_DIGITS or value_lengths.max() > MAX_NUMBER_CHARACTERS:
        return None
    indices = _digits(characters, colons, index_lengths)
    if indices.max() > MAX_FEATURES:
        return None
    is_first = np.zeros(len(indices) + 1, bool)
    is_first[counts.cumsum() - counts] = True
    if (np.diff(indices)[~is_first[1:-1]] <= 0).any():
        return None
    values: NDArray[np.float64]
    if value_lengths.max() < 16 and not text.translate(None, b"0123456789: "):
        values = _digits(characters, spaces[1:], value_lengths).astype(np.float64)
    else:
        step = np.zeros(len(text), np.int8)
        step[colons], step[spaces[1:]] = 1, -1
        is_value = step.cumsum(dtype=np.int8).view(bool)
        values = np.fromstring(np.where(is_value, characters, ord(" ")).tobytes().replace(b":", b" "), sep=" ")
    if not np.isfinite(values).all():
        return None
    for k in np.flatnonzero(np.abs(values) > EXACT_INTEGERS):
        if number_fault(text[colons[k] + 1 : spaces[k + 1]].decode()):  # 2^53 + 1, but not 1e16
            return None
    return indices.astype(np.int32), values


def _digits(characters: NDArray[np.uint8], ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The whole numbers of `lengths` digits that end before `ends`."""
    numbers = np.zeros(len(ends), np.int64)
    for place in range(int(lengths.max())):
        digits = characters[ends - 1 - place].astype(np.int64) - ord("0")
        numbers += np.where(lengths > place, digits, 0) * 10**place
    return numbers
