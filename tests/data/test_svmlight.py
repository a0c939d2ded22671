from __future__ import annotations

import gzip
import io
import itertools
import os
import random
import re
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from fromlogits.data import memory, svmlight
from fromlogits.data.label_sets import LabelSets
from fromlogits.data.reading import Reading
from fromlogits.data.sources import Dataset, read
from fromlogits.data.svmlight import read_svmlight
from fromlogits.data.svmlight_faults import refuse_first_fault
from fromlogits.data.table import SparseMatrix
from fromlogits.data.targets import TargetEncoder
from fromlogits.errors import InputError
from tests.data.given import DATA_SETS, Write, writer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = "1 2:0.5 4:1\n-1 1:3\n1 3:-2e-1 4:.5\n"
SEVERAL = "3,1 2:0.5 4:1\n 1:3\n7 3:2\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path, "t.svm")


def dense(dataset: Dataset) -> list[list[float]]:
    assert isinstance(dataset.features, SparseMatrix)
    rows: list[list[float]] = dataset.features.dense(slice(None)).tolist()
    return rows


def sets(dataset: Dataset) -> list[list[int]]:
    assert isinstance(dataset.targets, LabelSets)
    bounds = dataset.targets.starts.tolist()
    labels = dataset.targets.values.tolist()
    return [labels[start:stop] for start, stop in itertools.pairwise(bounds)]


# --- what is read ---


def test_labels_and_features_are_read_in_the_files_order(write: Write) -> None:
    dataset = read(write(GOOD))

    assert dense(dataset) == [[0, 0.5, 0, 1], [3, 0, 0, 0], [0, 0, -0.2, 0.5]]
    assert sets(dataset) == [[1], [-1], [1]]
    assert dataset.targets is not None
    assert TargetEncoder.fit(dataset.targets).classes == (-1, 1)
    assert TargetEncoder.fit(dataset.targets).encode(dataset.targets).tolist() == [1, 0, 1]
    assert dataset.notes == ("t.svm: no index is 0, so indices count from 1",)
    assert [dataset.origin.line(row) for row in range(3)] == [1, 2, 3]
    assert len(dataset) == 3


def test_several_labels_or_none_are_read(write: Write) -> None:
    dataset = read(write(SEVERAL))

    assert sets(dataset) == [[3, 1], [], [7]]
    assert dataset.notes[1] == "t.svm line 1 has 2 labels: each label is a yes or no"
    assert read(write("1 1:1\n2 1:1\n 2:2\n")).notes[1] == "t.svm line 3 has no label: each label is a yes or no"
    assert dataset.targets is not None
    encoder = TargetEncoder.fit(dataset.targets)
    assert (encoder.task, encoder.classes) == ("multi-label", (1, 3, 7))
    assert encoder.encode(dataset.targets).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (GOOD.replace("\n", "\r\n"), "crlf.svm"),
        (GOOD.rstrip("\n"), "no-last-line-end.svm"),
        (GOOD.replace("\n", "\r\n").rstrip("\n"), "crlf-cut.libsvm"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "bom.svm"),
        (GOOD.replace(" ", "\t"), "tabs.svm"),
        (GOOD.replace(" ", "  ").replace("\n", " \t\n"), "spaces.svmlight"),
        ("# by hand\n# ünï: a 1:2\n#\n" + GOOD, "comments.svm"),
        (GOOD.replace("\n", " # from día 3:4\n"), "comments-behind.svm"),
        (GOOD.replace("\n", "#\n"), "comments-close-behind.svm"),
        ("+1.0 2:0.5 4:1e0\n-1.000 1:3.0\n1. 3:-0.2 4:+5E-1\n", "spellings.svm"),
        (gzip.compress(GOOD.encode()), "packed.svm.gz"),
        (gzip.compress(GOOD[:20].encode()) + gzip.compress(GOOD[20:].encode()), "two-members.LIBSVM.GZ"),
        (zstd.compress(GOOD.encode()), "packed.svm.zst"),
    ],
)
def test_other_writers_of_the_same_rows_are_understood(write: Write, content: str | bytes, name: str) -> None:
    dataset = read(write(content, name))

    assert dense(dataset) == dense(read(write(GOOD)))
    assert sets(dataset) == [[1], [-1], [1]]
    assert len(dataset.notes) == 1


def test_blank_lines_are_skipped_and_said_and_lines_are_counted_with_them(write: Write) -> None:
    dataset = read(write("\n# c\n1 1:1\n\r\n2 1:2\n\n"))

    assert sets(dataset) == [[1], [2]]
    assert [dataset.origin.line(row) for row in range(2)] == [3, 5]
    assert dataset.notes[0] == "t.svm: 3 blank lines were skipped"
    assert read(write("1 1:1\n\n")).notes[0] == "t.svm: 1 blank line was skipped"


def test_rows_without_features_are_kept(write: Write) -> None:
    dataset = read(write("1\n2 2:5\n3 \n1#\n"))

    assert dense(dataset) == [[0, 0], [0, 5], [0, 0], [0, 0]]
    assert sets(dataset) == [[1], [2], [3], [1]]


def test_some_index_0_makes_all_count_from_0(write: Write) -> None:
    dataset = read(write("1 1:1\n2 0:5\n"))

    assert dense(dataset) == [[0, 1], [5, 0]]
    assert dataset.notes == ("t.svm: some index is 0, so indices count from 0",)
    assert isinstance(dataset.features, SparseMatrix) and dataset.features.first_index == 0


def test_numbers_are_what_float_makes_of_them(write: Write) -> None:
    rng = random.Random(0)
    texts = [repr(rng.gauss(0, 1) * 10 ** rng.randint(-300, 300)) for _ in range(3000)]
    texts += [f"{rng.random():.{digits}f}" for digits in range(1, 300)]
    texts += ["4.9e-324", "2.4703282292062327208e-324", "1.7976931348623157e308", "9007199254740991", "-0", "1e16"]
    texts += ["999999999999999", "123456789012345", "1" + "0" * 15, "0.1" + "0" * 300 + "1", "9" * 15 + ".5", "1e22"]

    file = read_svmlight(write("".join(f"1 1:{text}\n" for text in texts)))

    expected = np.array([float(text) for text in texts])
    assert file.values.tobytes() == expected.tobytes()


def test_the_form_can_be_said_for_any_name(write: Write) -> None:
    assert dense(read(write(GOOD, "t.txt"), reading=Reading(form="svmlight"))) == dense(read(write(GOOD)))


@pytest.mark.skipif(os.name == "nt", reason="named pipes of POSIX")
def test_a_pipe_is_read_where_its_form_is_said(write: Write, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(GOOD.encode()),))
    writer.start()

    dataset = read(pipe, reading=Reading(form="svmlight"))

    writer.join()
    assert dense(dataset) == dense(read(write(GOOD)))
    assert dataset.origin.where(2) == "pipe line 3"


def test_another_encoding_is_taken(write: Write) -> None:
    path = write(GOOD.replace("\n", " # é\n").encode("utf-16"), "wide.svm")

    assert sets(read(path, reading=Reading(encoding="utf-16"))) == [[1], [-1], [1]]


@pytest.mark.parametrize("content", [GOOD, SEVERAL, "# c: é\r\n\r\n1,2\t4:1e-3 # é\r\n 10:55  11:6\r\n3"])
def test_chunks_may_end_at_any_byte(write: Write, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(content)
    whole = read(path)

    for chunk_bytes in range(1, len(content) + 2):
        monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", chunk_bytes)
        cut = read(path)
        assert (dense(cut), sets(cut), cut.notes) == (dense(whole), sets(whole), whole.notes)
        assert [cut.origin.line(row) for row in range(len(cut))] == [whole.origin.line(row) for row in range(len(cut))]


# --- agreement with scikit-learn ---


def random_rows(seed: int) -> tuple[sparse.csr_matrix, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 40)), int(rng.integers(1, 60))
    values = rng.choice([rng.normal(size=(n, d)), rng.integers(-9, 999, (n, d)), 10.0 ** rng.integers(-40, 40, (n, d))])
    values = np.where(rng.random((n, d)) < 0.3, values, 0)
    values[0, -1] = 1  # the width can be read off
    return sparse.csr_matrix(values), rng.integers(-3, 4, n)


@pytest.mark.parametrize("comment", [None, "made by a test\nof two lines: 1 3:4"])
@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_what_scikit_learn_writes_comes_back(tmp_path: Path, seed: int, zero_based: bool, comment: str | None) -> None:
    X, y = random_rows(seed)
    path = tmp_path / "t.svm"
    dump_svmlight_file(X, y, str(path), zero_based=zero_based, comment=comment)

    dataset = read(path, first_index=0 if zero_based else 1)

    assert isinstance(dataset.features, SparseMatrix)
    expected, labels = load_svmlight_file(str(path), zero_based=zero_based)
    assert dataset.features.values.tobytes() == expected.data.tobytes()
    assert dense(dataset) == expected.toarray().tolist()
    assert [label for (label,) in sets(dataset)] == labels.tolist()


@pytest.mark.parametrize("seed", range(10))
def test_several_labels_that_scikit_learn_writes_come_back(tmp_path: Path, seed: int) -> None:
    X, _ = random_rows(seed)
    Y = (np.random.default_rng(seed).random((X.shape[0], 5)) < 0.3).astype(int)
    Y[0, 2] = 1
    has_something = np.diff(X.indptr).astype(bool) | Y.any(axis=1)
    X, Y = X[has_something], Y[has_something]
    path = tmp_path / "t.svm"
    dump_svmlight_file(X, Y, str(path), zero_based=False, multilabel=True)

    dataset = read(path)

    expected, _ = load_svmlight_file(str(path), multilabel=True, zero_based=False)  # it writes 16 digits
    assert dense(dataset) == expected.toarray().tolist()
    assert sets(dataset) == [np.flatnonzero(row).tolist() for row in Y]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, taken out, doubled or put in, most of them such as the format uses."""
    signs = b"0123456789 :,#.-+e\n\r\tnaif_xqd\0\xff"
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(content) + 1)
        stop = min(len(content), place + rng.choice([0, 0, 1, 1, 2, 5]))
        middle = bytes(rng.choice(signs) for _ in range(rng.choice([0, 1, 1, 2])))
        content = content[:place] + middle + (content[place:stop] if rng.random() < 0.1 else b"") + content[stop:]
    return content


def as_scikit_learn_reads(content: bytes) -> tuple[list[Any], list[Any]] | None:
    try:
        X, y = load_svmlight_file(io.BytesIO(content), multilabel=True, zero_based=True)
    except Exception:
        return None
    rows = [dict(zip(row.indices.tolist(), row.data.tolist(), strict=True)) for row in X]
    return rows, [sorted(labels) for labels in y]


@pytest.mark.parametrize("start", [GOOD, SEVERAL, "2 1:15 7:1 8:20\n-3 6:0\n0\n"])
def test_a_changed_file_is_read_as_scikit_learn_reads_it_or_refused(write: Write, start: str) -> None:
    rng = random.Random(start)
    n_read = n_refused = 0
    for _ in range(1500):
        content = mutated(start.encode(), rng)
        try:
            file = read_svmlight(write(content))
        except InputError as error:
            n_refused += 1
            assert re.match(r"t\.svm (line \d+(, character \d+: )?|must be |has no rows|is )", str(error)), content
            assert "\n" not in str(error) and len(str(error)) < 300
            continue
        n_read += 1
        refuse_first_fault("t.svm", content.removesuffix(b"\n") + b"\n", 1)  # the slow walk finds nothing either
        theirs = as_scikit_learn_reads(content)
        assert theirs is not None, content
        bounds = itertools.pairwise(file.indptr)
        pairs = zip(file.indices.tolist(), file.values.tolist(), strict=True)
        everything = list(pairs)
        ours = [dict(everything[first:last]) for first, last in bounds]
        labels = [sorted(file.labels[first:last].tolist()) for first, last in itertools.pairwise(file.label_starts)]
        assert (ours, labels) == theirs, content
    assert n_read > 100 and n_refused > 100


@pytest.mark.parametrize("name", ["bibtex", "imdb_genres"])
def test_real_files_are_read_as_scikit_learn_reads_them(name: str) -> None:
    path = DATA_SETS / name / "test.svm.gz"
    if not path.exists():
        pytest.skip("the data sets for development are not here")

    file = read_svmlight(path)

    X, y = load_svmlight_file(str(path), multilabel=True, zero_based=True)
    for ours, theirs in ((file.indptr, X.indptr), (file.indices, X.indices), (file.values, X.data)):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(file.labels, [label for labels in y for label in labels])


# --- what is refused ---

REFUSED = {
    "2:1 2:1": "line 2, character 5: index 2 stands twice in the line; add its values up or take one out.",
    "1 5:1 3:1": "line 2, character 7: indices must ascend along a line; 3 follows 5. Sort the line by index.",
    "1 -3:1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found '-3'.",
    "1 2000000000:1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found"
    " '2000000000'.",
    "1 99999999999999999999:1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found"
    " '99999999999999999999'.",
    "1 1.5:1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found '1.5'.",
    "1 01:1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found '01'.",
    "1 word:1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found 'word'.",
    "1 :1": "line 2, character 3: an index must be a whole number from 0 or 1 to 10,000,000; found ''.",
    "1 4:": "line 2, character 5: index 4 has no value; leave it out if it is 0.",
    "1 4: 1": "line 2, character 5: index 4 has no value; leave it out if it is 0.",
    "1 4 :1": "line 2, character 3: a feature must be written index:value, as in 7:1.5; found '4'.",
    "1 2": "line 2, character 3: a feature must be written index:value, as in 7:1.5; found '2'.",
    "1 4:1e400": "line 2, character 5: the value of index 4 must be a finite number; found '1e400', which float64 can"
    " only hold as infinity.",
    "1 4:nan": "line 2, character 5: the value of index 4 must be a finite number; found 'nan', which is not a finite"
    " number.",
    "1 4:-inf": "line 2, character 5: the value of index 4 must be a finite number; found '-inf', which is not a finite"
    " number.",
    "1 4:0x10": "line 2, character 5: the value of index 4 must be a finite number; found '0x10', which is not a"
    " number.",
    "1 4:1_0": "line 2, character 5: the value of index 4 must be a finite number; found '1_0', which is not a number.",
    "1 4:1:2": "line 2, character 5: the value of index 4 must be a finite number; found '1:2', which is not a number.",
    "1 4:1\f": "line 2, character 5: the value of index 4 must be a finite number; found '1\\x0c', which is not a"
    " number.",
    "1 4:1\r5:2": "line 2, character 5: the value of index 4 must be a finite number; found '1\\r5:2', which is not a"
    " number.",
    "1 4:007": "line 2, character 5: the value of index 4 must be a finite number; found '007', which has a leading"
    " zero: a code, not a number.",
    "1 4:0,5": "line 2, character 5: the value of index 4 must be a finite number; found '0,5'; decimals are written"
    " with a point, as in 1.5.",
    "1 4:9007199254740993": "line 2, character 5: the value of index 4 must be a finite number; found"
    " '9007199254740993', an integer too long for float64, which is exact below 2^53.",
    f"1 4:{'1' * 401}": "line 2, character 5: a number may have 400 characters; found 401, '11111111111111111111'... ."
    " Write fewer digits.",
    "1 qid:3 4:1": "line 2, character 3: qid: marks a query of a ranking task, which fromlogits does not learn. Take"
    " the qid: entries out.",
    "1 4:1\0": "line 2, character 6: a NUL byte. Is it text at all?",
    "1 4:1 # \0": "line 2, character 9: a NUL byte. Is it text at all?",
    "1 4:1 \u00a05:1": "line 2, character 7: an index must be a whole number from 0 or 1 to 10,000,000; found"
    " '\\xa05'.",
    "cat 4:1": "line 2, character 1: a label must be a whole number; found 'cat'. Number the classes, or give a table.",
    "nan 4:1": "line 2, character 1: a label must be a whole number; found 'nan'. Number the classes, or give a table.",
    "2.5 4:1": "line 2, character 1: a label must be a whole number; found '2.5', which looks like a measured value:"
    " put it into classes first.",
    "1e400 4:1": "line 2, character 1: a label must lie within ±(2^53 - 1); found '1e400'.",
    f"{'1' * 401} 4:1": "line 2, character 1: a number may have 400 characters; found 401, '11111111111111111111'... ."
    " Write fewer digits.",
    "1,,2 4:1": "line 2, character 3: a label is missing beside a comma.",
    "1, 4:1": "line 2, character 3: a label is missing beside a comma.",
    "1,2 ,3 4:1": "line 2, character 5: a feature must be written index:value, as in 7:1.5; found ',3'.",
    "1,2,1.0 4:1": "line 2, character 5: the label '1.0' stands twice in the line; write it once.",
    " 3 4:1": "line 2, character 2: a line that starts with a space has no label, and here '3' stands where index:value"
    " must. Take the space away if it is the label.",
    "  ": "line 2, character 1: the line holds spaces only. Take it out; or, if it is a row without labels and"
    " features, give it a feature of value 0, as in 1:0.",
    " # c": "line 2, character 1: the line holds spaces and a comment only. Take it out; or, if it is a row without"
    " labels and features, give it a feature of value 0, as in 1:0.",
}


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: repr(line)[:30])
@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
def test_what_is_not_as_it_must_be_is_refused_with_its_place(
    write: Write, line: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", chunk_bytes)

    with pytest.raises(InputError) as caught:
        read(write(f"1 1:2\n{line}\n2 3:4\n"))

    assert str(caught.value) == f"t.svm {REFUSED[line]}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.svm has no rows: it is empty; a line must be a label and features, as in 1 3:0.5 7:2."),
        (b"# c\n\n", "t.svm has no rows; a line must be a label and features, as in 1 3:0.5 7:2."),
        (b"1\n2\n", "t.svm has no feature: no line has an index:value."),
        (b" 1:2\n 2:3\n", "t.svm has no label: no line starts with one."),
        (b"2 3 2\n1 1:1\n1 2:2\n", "t.svm line 1 holds the sizes of the file, '2 3 2', and no row; take the line out."),
        (b"1 1:2\n1 1:2 # \xe9\n", "t.svm line 2, character 9: the byte 0xe9 is not UTF-8 text."),
        (b"\x89PNG\r\n\x1a\n", "t.svm must be a svmlight file, which is text; it looks like a PNG picture."),
        ("1 1:2\n".encode("utf-16"), "t.svm must be a svmlight file, which is text; it looks like UTF-16 text."),
        (
            gzip.compress(GOOD.encode()),
            "t.svm must be a svmlight file, which is text; it looks like a gzip file.",
        ),
    ],
)
def test_what_holds_no_rows_is_refused(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write(content))

    assert str(caught.value) == message


def test_a_line_that_never_ends_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svmlight, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", 100)

    with pytest.raises(InputError, match=r"^t\.svm has a line of more than 1,000 bytes\. Is it a svmlight file at all"):
        read(write("1 " * 1000))


# --- later data ---


def test_indices_that_the_model_does_not_know_are_ignored_with_a_note(write: Write) -> None:
    dataset = read(write("1 1:1 5:5\n2 2:2 4:4\n3 9:9\n"), first_index=1, n_features=3)

    assert dense(dataset) == [[1, 0, 0], [0, 2, 0], [0, 0, 0]]
    assert dataset.notes == (
        "t.svm: indices that the model does not know were ignored: 4 and above, up to 9 (3 of 5 values)",
    )


@pytest.mark.parametrize("first_index", [0, 1])
def test_the_model_decides_what_indices_count_from(write: Write, first_index: int) -> None:
    dataset = read(write("1 1:1\n"), first_index=first_index, n_features=3)

    assert dense(dataset) == [[0, 1, 0] if first_index == 0 else [1, 0, 0]]
    assert dataset.notes == ()


def test_index_0_is_refused_where_the_model_counts_from_1(write: Write) -> None:
    with pytest.raises(InputError) as caught:
        read(write("# c\n1\n1 1:1\n1 0:1\n"), first_index=1, n_features=3)

    assert str(caught.value) == ("t.svm line 4: an index must be 1 or more, as in the model's training file; found 0.")


def test_rows_without_any_feature_can_be_predicted(write: Write) -> None:
    assert dense(read(write("1\n2\n"), first_index=1, n_features=2, labelled=False)) == [[0, 0], [0, 0]]


def test_labels_are_not_looked_at_where_none_are_asked_for(write: Write) -> None:
    assert read(write(" 1:2\n"), labelled=False).targets is None


def test_the_model_decides_that_one_label_a_line_is_a_set(write: Write) -> None:
    encoder = TargetEncoder("multi-label", (1, 3, 7))

    dataset = read(write("3 1:1\n7 1:1\n"))

    assert encoder.encode(dataset.targets).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert TargetEncoder.fit(dataset.targets).task == "multi-class"
    assert TargetEncoder.fit(dataset.targets, "multi-label").classes == (3, 7)


def test_labels_that_the_model_does_not_know_are_left_out_and_counted(write: Write) -> None:
    encoder = TargetEncoder("multi-label", (1, 3, 7))
    dataset = read(write("1,2 1:1\n3 1:1\n8,9,7 1:1\n"))

    assert isinstance(dataset.targets, LabelSets)
    assert encoder.encode(dataset.targets).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert dataset.targets.unknown_to(encoder.classes) == (
        2,
        "2 rows have labels that the model does not know, such as 2 at t.svm line 1;"
        " such labels are left out of all figures",
    )
    assert dataset.targets.unknown_to((1, 2, 3, 7, 8, 9)) == (0, "")


def test_labels_of_which_the_model_knows_none_are_refused(write: Write) -> None:
    encoder = TargetEncoder("multi-label", ("car", "bus"))

    with pytest.raises(InputError) as caught:
        encoder.encode(read(write(" 1:1\n4,5 1:1\n")).targets)

    assert str(caught.value) == (
        "no label of the file is known to the model: the first is 4 at t.svm line 2; known labels: 'car', 'bus'."
    )


def test_more_labels_than_fit_into_memory_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: 100)
    dataset = read(write("1,2,3 1:1\n4,5,6 1:1\n" * 5))

    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(dataset.targets).encode(dataset.targets)

    assert str(caught.value) == (
        "10 rows of 6 labels need 240 bytes as the float32 array that the network takes; this machine has 100. Give"
        " fewer rows or labels."
    )


def test_a_class_that_the_model_does_not_know_is_marked(write: Write) -> None:
    dataset = read(write("1 1:1\n5 1:1\n"))

    assert TargetEncoder("multi-class", (1, 2)).encode(dataset.targets, unknown="mark").tolist() == [0, -1]
    assert TargetEncoder("multi-class", ("1", "2")).encode(dataset.targets, unknown="mark").tolist() == [0, -1]


def test_several_labels_are_no_class(write: Write) -> None:
    dataset = read(write(SEVERAL))

    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(dataset.targets, "multi-class")

    assert str(caught.value) == (
        "task='multi-class' needs exactly one label in each row; t.svm line 1 has 2. task='multi-label' takes any"
        " number."
    )


def test_a_label_of_every_row_is_noted(write: Write) -> None:
    encoder = TargetEncoder.fit(read(write("1,2 1:1\n2 1:1\n2,3 1:1\n")).targets)

    assert encoder.notes == (
        "label 2 always set: nothing can be learned about it",
        "labels 1, 3 set in a single row: kept for training, never held out",
    )
