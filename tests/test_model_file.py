"""The model file: what goes in comes out, any damage is refused, and a failed save loses nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from fromlogits.cli.output import check_output
from fromlogits.errors import FromlogitsError, InputError, ModelFileError
from fromlogits.model_file import check_tensors, check_writable, load_model, naming, save_model

Tensors = dict[str, NDArray[Any]]

MANIFEST: dict[str, Any] = {
    "target": {"classes": ["Käse", 'say "cheese"', "日本"]},
    "record": {"seed": 2**63, "history": [{"epoch": 1, "loss": 0.1, "validation": None}]},
    "network": {"layers": [3, 2]},
}
FORMAT = {"name": "fromlogits-model", "version": 1}


def some_tensors() -> Tensors:
    generator = np.random.default_rng(0)
    return {
        "layer.0.weights": generator.normal(size=(3, 2)).astype(np.float32),
        "layer.0.biases": generator.normal(size=3).astype(np.float32),
        "encoder.mean": generator.normal(size=2),
        "encoder.scale": generator.normal(size=2),
    }


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    """As short as a model gets, for tests that try each of its bits."""
    path = tmp_path / "small.safetensors"
    save_model(path, {"a": 1}, {"w": np.ones((1, 2), np.float32)}, overwrite=False)
    return path


def signed(body: bytes) -> bytes:
    """The file that a forger would make: its digest is right."""
    return body + hashlib.sha256(body).digest()


def forged(header: dict[str, Any] | bytes, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return signed(len(raw).to_bytes(8, "little") + raw + data)


def forged_with(manifest: object, tensors: Tensors | None = None, metadata: dict[str, str] | None = None) -> bytes:
    """A file by the library itself, with whatever manifest and tensors."""
    stored = {**(tensors or {}), "~sha256": np.zeros(32, np.uint8)}
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    return signed(safetensors.numpy.save(stored, metadata or {"fromlogits": text})[:-32])


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    return message


# --- what goes in comes out ---


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensors = some_tensors()

    save_model(path, MANIFEST, tensors, overwrite=False)
    manifest, loaded = load_model(path)

    assert manifest == MANIFEST
    assert list(loaded) == sorted(tensors)
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        np.testing.assert_array_equal(loaded[name], tensor, strict=True)


def test_every_type_and_odd_shapes_survive(tmp_path: Path) -> None:
    tensors: Tensors = {
        "a.empty": np.zeros((0, 3), np.float32),
        "b.scalar": np.array(2.5),
        "c.strided": np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2],
        "d.fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
        "e.bytes": np.arange(5, dtype=np.uint8),
        "f.int": np.array([-1], np.int32),
        "g.swapped": np.array([1.5, -2.5], ">f8"),
    }
    save_model(tmp_path / "m", {}, tensors, overwrite=False)
    _, loaded = load_model(tmp_path / "m")

    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor)
        assert loaded[name].shape == tensor.shape
        assert loaded[name].dtype == tensor.dtype.newbyteorder("=")


def test_the_reference_library_opens_it_and_finds_the_digest_last(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensors = {**some_tensors(), "zz": np.arange(3, dtype=np.uint8), "z": np.array([1], np.int64)}
    save_model(path, MANIFEST, tensors, overwrite=False)
    data = path.read_bytes()

    theirs = safetensors.numpy.load_file(path)
    assert set(theirs) == {*tensors, "~sha256"}
    np.testing.assert_array_equal(theirs["layer.0.weights"], tensors["layer.0.weights"], strict=True)
    assert theirs["~sha256"].tobytes() == data[-32:] == hashlib.sha256(data[:-32]).digest()
    with safetensors.safe_open(path, "np") as opened:
        metadata = opened.metadata()
    assert list(metadata) == ["fromlogits"]
    text = metadata["fromlogits"]
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(text)["format"] == FORMAT


def test_the_same_content_gives_the_same_bytes_in_any_process_and_order(tmp_path: Path) -> None:
    save_model(tmp_path / "a", MANIFEST, some_tensors(), overwrite=False)
    reversed_manifest = dict(reversed(MANIFEST.items()))
    save_model(tmp_path / "b", reversed_manifest, dict(reversed(some_tensors().items())), overwrite=False)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    script = f"""
    import sys
    import numpy as np
    from fromlogits.model_file import load_model, save_model
    manifest, tensors = load_model({str(tmp_path / "a")!r})
    save_model({str(tmp_path / "c")!r}, manifest, tensors, overwrite=False)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, env=os.environ | {"PYTHONHASHSEED": "7"}
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_safetensors_is_not_imported_before_a_file_is_used() -> None:
    script = "import sys, fromlogits.model_file; sys.exit('safetensors' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("manifest", "tensors", "says"),
    [
        ({"loss": float("nan")}, {}, "JSON"),
        ({"x": np.float32(1)}, {}, "JSON"),
        ({"x": "half a pair \ud800"}, {}, "JSON"),
        ({"format": 1}, {}, "format"),
        ({"x": 10**50}, {}, "digits"),
        ({}, {"Upper": np.zeros(1)}, "'Upper'"),
        ({}, {"~sha256": np.zeros(1)}, "'~sha256'"),
        ({}, {"w": np.zeros(1, np.float16)}, "float16"),
        ({}, {"w": np.array(["a"])}, "<U1"),
        ({}, {"w": np.array([1.0, np.nan])}, "'w' holds NaN"),
        ({}, {"w": np.full(3, -np.inf, np.float32)}, "'w' holds NaN or infinity"),
    ],
)
def test_content_that_could_not_be_loaded_is_not_saved(
    tmp_path: Path, manifest: dict[str, Any], tensors: Tensors, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        save_model(tmp_path / "m", manifest, tensors, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_deeper_than_a_reader_takes_is_not_saved(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(InputError, match="deeper"):
        save_model(tmp_path / "m", {"deep": deep}, {}, overwrite=False)
    with pytest.raises(InputError, match="items"):
        save_model(tmp_path / "m", {"long": [0] * 1_000_001}, {}, overwrite=False)
    with pytest.raises(InputError, match="too large"):
        save_model(tmp_path / "m", {"long": "x" * (17 * 2**20)}, {}, overwrite=False)


# --- damage ---


def test_every_flipped_bit_is_refused(small_file: Path) -> None:
    sound = small_file.read_bytes()
    load_model(small_file)
    for bit in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        says = refusal(small_file, bytes(damaged))
        assert "damaged" in says or "not a fromlogits model" in says or "header of" in says


def test_every_truncation_and_every_addition_is_refused(small_file: Path) -> None:
    sound = small_file.read_bytes()
    for length in range(len(sound)):
        refusal(small_file, sound[:length])
    for extra in (b"\0", b"\n", b" " * 8, sound):
        assert "damaged: its checksum does not match; copy it again" in refusal(small_file, sound + extra)
    assert "damaged" in refusal(small_file, sound[:-1])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\0" * 100, "does not begin as a safetensors file"),
        (b"abc", "does not begin as a safetensors file"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"PK\x03\x04" + b"x" * 100, "zip"),
        (b"\x1f\x8b\x08" + b"x" * 100, "gzip"),
        (b"\x89HDF\r\n\x1a\n" + b"x" * 100, "HDF5"),
        (b"\x08\x0a\x12\x07pytorch\x1a" + b"x" * 100, "ONNX"),
        (b"<!DOCTYPE html><html>" + b"x" * 100, "web page"),
        (b'\n{"learner": {}}' + b"x" * 100, "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (safetensors.numpy.save({"w": np.zeros(20)}), "another program"),
    ],
)
def test_a_stranger_is_told_by_what_it_looks_like(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in refusal(tmp_path / "stranger", content)


def test_what_is_not_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in [
        (tmp_path / "none", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "pipe"),
        (Path("/dev/zero"), "device"),
        (tmp_path / ("x" * 300), "can't be read"),
    ]:
        with pytest.raises(ModelFileError, match=says):
            load_model(path)


def test_a_file_of_absurd_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelFileError, match="at most"):
        load_model(path)
    os.truncate(path, 2**33)
    with pytest.raises(ModelFileError, match="does not begin"):
        load_model(path)


# --- forgeries: the digest is right, the content is not ---


def test_the_forger_of_these_tests_can_make_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(forged_with({"a": 1, "format": FORMAT}, {"w": np.ones(2)}))
    assert load_model(path)[0] == {"a": 1}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tensor_that_is_not_finite_is_refused_by_name(tmp_path: Path, value: float, dtype: type) -> None:
    weights: NDArray[Any] = np.zeros(3_000_000, dtype)
    weights[2_999_999] = value
    assert "'layer.0.weights'" in refusal(
        tmp_path / "m", forged_with({"format": FORMAT}, {"layer.0.weights": weights, "a": np.zeros(1)})
    )


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (FORMAT | {"version": 2, "needs": "1.4.0"}, "needs fromlogits >= 1.4.0"),
        (FORMAT | {"version": 2}, "needs a newer fromlogits"),
        (FORMAT | {"version": 2, "needs": "1\n2; rm -rf"}, "needs a newer fromlogits"),
        (FORMAT | {"version": 2, "needs": ["1"]}, "needs a newer fromlogits"),
        (FORMAT | {"version": 0}, "never was"),
        (FORMAT | {"version": True}, "never was"),
        (FORMAT | {"version": 1.0}, "never was"),
        (FORMAT | {"version": "1"}, "never was"),
        (FORMAT | {"more": 1}, "never was"),
        ({"version": 1}, "does not name the format"),
        ({"name": "other", "version": 1}, "does not name the format"),
        (None, "does not name the format"),
        ([], "does not name the format"),
    ],
)
def test_other_formats_are_refused_and_newer_ones_by_name(tmp_path: Path, form: object, says: str) -> None:
    assert says in refusal(tmp_path / "m", forged_with({"format": form}))


def test_a_newer_version_is_named_even_when_its_tensors_are_unknown(tmp_path: Path) -> None:
    newer = forged_with({"format": FORMAT | {"version": 3, "needs": "2.0"}}, {"W": np.zeros(2, np.float16)})
    assert "needs fromlogits >= 2.0" in refusal(tmp_path / "m", newer)


@pytest.mark.parametrize("manifest", ["", "[]", "1", "null", "{", '{"format":1}x', '"x"', "{]", "\x00"])
def test_a_manifest_that_is_no_object_is_refused(tmp_path: Path, manifest: str) -> None:
    says = refusal(tmp_path / "m", forged_with(manifest))
    assert "not JSON" in says or "does not name the format" in says or "nested deeper" in says


def good(inner: str) -> str:
    return '{"format":{"name":"fromlogits-model","version":1},"x":' + inner + "}"


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        ("[" * 100 + "]" * 100, "deeper"),
        ("[" * 3_000_000, "items"),
        ('{"a":' * 50 + "1" + "}" * 50, "deeper"),
        ("]" * 1_000_000, "bracket too many"),
        ("[" + "0," * 1_500_000 + "0]", "items"),
        ("9" * 100_000, "digits"),
        ("0." + "9" * 100_000, "digits"),
        ("1e400", "no float64"),
        ("NaN", "NaN"),
        ("-Infinity", "Infinity"),
        ('{"a":1,"a":2}', "twice"),
        ('"\\ud800"', "Unicode"),
        ('"' + '\\"' * 2_000_000, "JSON"),
        ("\\" + '"\\' * 500_000, "JSON"),
    ],
    ids=lambda value: value[:12],
)
def test_hostile_json_is_refused_quickly(tmp_path: Path, inner: str, says: str) -> None:
    content = forged_with(good(inner))
    start = time.process_time()
    assert says in refusal(tmp_path / "m", content)
    assert time.process_time() - start < 2


def test_brackets_and_commas_inside_names_are_not_structure(tmp_path: Path) -> None:
    manifest = {"names": ["[" * 100, "{" * 100, "]" * 100, '\\"[' * 50, "," * 1_100_000]}
    save_model(tmp_path / "m", manifest, {}, overwrite=False)
    assert load_model(tmp_path / "m")[0] == manifest


def digest_entry(end: int, **other: Any) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [32], "data_offsets": [end - 32, end], **other}


METADATA = {"__metadata__": {"fromlogits": good("1")}}


@pytest.mark.parametrize(
    "content",
    [
        forged({**METADATA, "~sha256": digest_entry(32)}),
        forged(
            {**METADATA, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "~sha256": digest_entry(36)},
            b"1234",
        ),
    ],
)
def test_headers_by_hand_load(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    manifest, tensors = load_model(tmp_path / "m")
    assert "format" not in manifest
    assert "~sha256" not in tensors


FORGERIES = {
    "no digest tensor": forged({**METADATA, "w": digest_entry(32)}),
    "no tensor at all": forged(METADATA),
    "digest of another type": forged({**METADATA, "~sha256": digest_entry(32, dtype="I8")}),
    "digest of another shape": forged({**METADATA, "~sha256": digest_entry(32, shape=[4, 8])}),
    "digest before the end": forged(
        {**METADATA, "~sha256": digest_entry(32), "w": {"dtype": "U8", "shape": [4], "data_offsets": [32, 36]}}, b"1234"
    ),
    "no metadata": forged({"~sha256": digest_entry(32)}),
    "empty metadata": forged({"__metadata__": {}, "~sha256": digest_entry(32)}),
    "metadata of another key": forged({"__metadata__": {"other": good("1")}, "~sha256": digest_entry(32)}),
    "two metadata keys": forged(
        {"__metadata__": {"fromlogits": good("1"), "format": "pt"}, "~sha256": digest_entry(32)}
    ),
    "metadata that is no text": forged({"__metadata__": {"fromlogits": {}}, "~sha256": digest_entry(32)}),
    "metadata that is a list": forged({"__metadata__": [], "~sha256": digest_entry(32)}),
    "metadata twice": forged(
        b'{"__metadata__":{"fromlogits":"{}"},' + json.dumps({**METADATA, "~sha256": digest_entry(32)}).encode()[1:]
    ),
    "manifest twice": forged(
        b'{"__metadata__":{"fromlogits":"{}","fromlogits":"{}"},'
        + json.dumps({"~sha256": digest_entry(32)}).encode()[1:]
    ),
    "a tensor twice": forged(
        json.dumps({**METADATA, "~sha256": digest_entry(32)}).encode()[:-1]
        + b',"~sha256":{"dtype":"U8","shape":[32],"data_offsets":[0,32]}}'
    ),
    "a hole": forged({**METADATA, "~sha256": digest_entry(36)}, b"1234"),
    "beyond the end": forged({**METADATA, "~sha256": digest_entry(64)}),
    "a negative offset": forged({**METADATA, "~sha256": {"dtype": "U8", "shape": [32], "data_offsets": [-32, 0]}}),
    "overlap": forged(
        {**METADATA, "w": {"dtype": "U8", "shape": [32], "data_offsets": [0, 32]}, "~sha256": digest_entry(32)}
    ),
    "a size that overflows": forged(
        {
            **METADATA,
            "w": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 0]},
            "~sha256": digest_entry(32),
        }
    ),
    "a negative size": forged(
        {**METADATA, "w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}, "~sha256": digest_entry(32)}
    ),
    "more dimensions than NumPy has": forged(
        {
            **METADATA,
            "w": {"dtype": "U8", "shape": [1] * 100, "data_offsets": [0, 1]},
            "~sha256": digest_entry(33),
        },
        b"1",
    ),
    "an unknown type": forged(
        {**METADATA, "w": {"dtype": "X9", "shape": [0], "data_offsets": [0, 0]}, "~sha256": digest_entry(32)}
    ),
    "a type that has no place": forged_with({"format": FORMAT}, {"w": np.zeros(2, np.float16)}),
    "a name with a path": forged_with({"format": FORMAT}, {"../w": np.zeros(2)}),
    "a name with upper case": forged_with({"format": FORMAT}, {"W": np.zeros(2)}),
    "an endless name": forged_with({"format": FORMAT}, {"w" * 101: np.zeros(2)}),
    "half a surrogate pair": forged(
        json.dumps({**METADATA, "~sha256": digest_entry(32)}).encode().replace(b'"{', b'"\\ud800{', 1)
    ),
    "a header without anything": forged(b"{}" + b" " * 40),
    "a header that is not UTF-8": forged(b'{"\xff":1}' + b" " * 40),
    "only a header length": signed((40).to_bytes(8, "little") + b"{" + b" " * 7),
}


@pytest.mark.parametrize("content", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_header_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "checksum" not in refusal(tmp_path / "m", content)


def test_too_many_tensors_and_too_long_a_header_are_refused_quickly(tmp_path: Path) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    many, more = (
        {**METADATA, **{f"w{number}": empty for number in range(count)}, "~sha256": digest_entry(32)}
        for count in (20_000, 200_000)
    )
    long = {**METADATA, "x": "x" * (17 * 2**20)}
    for header, says in ((many, "20,001 tensors"), (more, "items"), (long, "header of")):
        content = forged(header)
        start = time.process_time()
        assert says in refusal(tmp_path / "m", content)
        assert time.process_time() - start < 2


# --- what a manifest says ---


def test_a_complaint_about_the_content_names_the_file() -> None:
    with pytest.raises(ModelFileError, match=r"'m\.safetensors'.*units must be"), naming("m.safetensors"):
        raise InputError("units must be a whole number.")


def test_tensors_are_checked_by_name_type_and_shape() -> None:
    tensors = some_tensors()
    expected: dict[str, Any] = {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
    check_tensors(tensors, expected)
    with pytest.raises(InputError, match=r"'layer\.0\.biases' is missing"):
        check_tensors({name: tensors[name] for name in tensors if name != "layer.0.biases"}, expected)
    with pytest.raises(InputError, match="'more' has no place"):
        check_tensors({**tensors, "more": np.zeros(1)}, expected)
    with pytest.raises(InputError, match=r"float32 \(4,\); it is float32 \(3,\)"):
        check_tensors(tensors, {**expected, "layer.0.biases": (np.float32, (4,))})
    with pytest.raises(InputError, match=r"float64 \(3,\); it is float32 \(3,\)"):
        check_tensors(tensors, {**expected, "layer.0.biases": (np.float64, (3,))})


# --- a save that fails ---


def test_a_file_that_exists_is_kept_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        save_model(path, {}, {}, overwrite=False)
    assert path.read_bytes() == b"mine"
    save_model(path, {}, {}, overwrite=True)
    load_model(path)


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere" / "m")
    save_model(link, {"a": 1}, {}, overwrite=False)
    save_model(link, {"a": 2}, {}, overwrite=True)
    assert link.is_symlink()
    assert load_model(tmp_path / "elsewhere" / "m")[0] == {"a": 2}
    assert os.listdir(tmp_path / "elsewhere") == ["m"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path, temporary: str) -> None:
    old = os.umask(0o027)
    try:
        save_model(tmp_path / "m", {}, {}, overwrite=False)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640


def counted(monkeypatch: pytest.MonkeyPatch, fail_at: int, error: BaseException) -> list[str]:
    """Each system call of a save raises `error` when its turn, `fail_at`, comes; the list names the calls so far."""
    calls: list[str] = []

    def patched(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            calls.append(name)
            if len(calls) - 1 == fail_at:
                raise error
            return real(*arguments, **keywords)

        return call

    for name in ("open", "fsync", "link", "replace"):
        monkeypatch.setattr(os, name, patched(name))
    return calls


@pytest.fixture(params=["unnamed", "named"])
def temporary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways: with a file that has no name yet, where the system has that, and with a named one."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without a name")
    return str(request.param)


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_whatever_call_fails_the_last_good_file_is_kept_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str, code: int, was_there: bool
) -> None:
    path = tmp_path / "m"
    failures = []
    for fail_at in range(20):
        path.unlink(missing_ok=True)
        if was_there:
            save_model(path, {"old": True}, {}, overwrite=True)
        with monkeypatch.context() as patch:
            calls = counted(patch, fail_at, OSError(code, os.strerror(code)))
            try:
                save_model(path, {"new": True}, some_tensors(), overwrite=True)
                outcome = "saved"
            except FromlogitsError as error:
                outcome = str(error)
                assert not isinstance(error, InputError)
        assert os.listdir(tmp_path) == (["m"] if path.exists() else [])
        if outcome == "saved":
            break
        failures.append(calls[fail_at])
        assert os.strerror(code) in outcome
        if calls[fail_at] == "fsync" and calls[:fail_at].count("fsync") == 1:  # only the folder is not synced
            assert "is saved" in outcome
            assert load_model(path)[0] == {"new": True}
        elif was_there:
            assert "unchanged" in outcome
            assert load_model(path)[0] == {"old": True}
        else:
            assert "nothing was written" in outcome
            assert not path.exists()
    assert outcome == "saved"
    assert load_model(path)[0] == {"new": True}
    named = "replace" if was_there or temporary == "named" else "link"
    assert failures.count("fsync") == 2 and {"open", named} <= set(failures)


def test_an_interrupt_in_a_save_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    path = tmp_path / "m"
    save_model(path, {"old": True}, {}, overwrite=False)
    for fail_at in range(4):
        with monkeypatch.context() as patch:
            counted(patch, fail_at, KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                save_model(path, {"new": True}, some_tensors(), overwrite=True)
        assert os.listdir(tmp_path) == ["m"]
        assert load_model(path)[0] == {"old": True}


def test_a_folder_that_can_not_be_synced_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def no_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", no_folders)
    save_model(tmp_path / "m", {"kept": 1}, {}, overwrite=False)
    assert load_model(tmp_path / "m") == ({"kept": 1}, {})


def test_a_full_disk_keeps_the_last_good_file_and_is_known_before(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save_model(path, {"old": True}, {}, overwrite=False)
    script = f"""
    import resource
    import numpy as np
    from fromlogits.errors import FromlogitsError, InputError
    from fromlogits.model_file import check_writable, save_model
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    check_writable({str(path)!r}, 4096, overwrite=True)
    for call in (
        lambda: check_writable({str(path)!r}, 40_000, overwrite=True),
        lambda: save_model({str(path)!r}, {{"new": True}}, {{"w": np.zeros(10_000, np.float32)}}, overwrite=True),
    ):
        try:
            call()
        except FromlogitsError as error:
            print(isinstance(error, InputError), error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True)
    before, during = run.stdout.splitlines()
    assert before.startswith("True the model needs 40,000 bytes")
    assert during.startswith("False the model could not be saved")
    assert "File too large; the file that was there is unchanged" in during
    assert os.listdir(tmp_path) == ["m"]
    assert load_model(path)[0] == {"old": True}


# --- asked before the training ---


def test_a_path_that_can_be_written_passes_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_bytes(b"mine")
    check_writable(tmp_path / "m", 1000, overwrite=False)
    check_writable(tmp_path / "there", 1000, overwrite=True)
    monkeypatch.chdir(tmp_path)
    check_writable("m", 1000, overwrite=False)
    assert os.listdir(tmp_path) == ["there"]
    assert (tmp_path / "there").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("there", "'there' exists"),
        ("folder", "is a folder"),
        ("", "is a folder"),
        ("none/m", "does not exist"),
        ("there/m", "is not a folder"),
        ("there/a/m", "Not a directory"),
        ("pipe", "pipe"),
        ("loop", "symbolic links"),
        ("x" * 300, "File name too long"),
        ("nul\0", "null"),
    ],
)
def test_a_path_that_can_not_be_written_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").write_bytes(b"mine")
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    before = sorted(os.listdir())
    with pytest.raises(InputError, match=says) as caught:
        check_writable(path, 1000, overwrite=False)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=says):
        save_model(path, {}, {}, overwrite=False)
    assert sorted(os.listdir()) == before


def test_a_file_that_is_read_only_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"mine")
    path.chmod(0o444)
    with pytest.raises(InputError, match="is read-only and is not replaced"):
        save_model(path, {}, {}, overwrite=True)
    assert path.read_bytes() == b"mine"


def test_a_file_that_came_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    path = tmp_path / "m"
    fsync = os.fsync

    def and_another(file: int) -> None:
        fsync(file)
        path.write_bytes(b"mine")

    monkeypatch.setattr(os, "fsync", and_another)
    with pytest.raises(InputError, match="exists; choose another name"):
        save_model(path, {}, {}, overwrite=False)
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_where_links_are_forbidden_a_save_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str, overwrite: bool
) -> None:
    def forbidden(*arguments: Any, **keywords: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", forbidden)
    save_model(tmp_path / "m", {"kept": 1}, some_tensors(), overwrite=overwrite)
    assert load_model(tmp_path / "m")[0] == {"kept": 1}
    assert os.listdir(tmp_path) == ["m"]


def test_a_name_of_255_bytes_is_saved_and_replaced(tmp_path: Path, temporary: str) -> None:
    path = tmp_path / ("m" * 255)
    save_model(path, {"a": 1}, {}, overwrite=False)
    save_model(path, {"a": 2}, {}, overwrite=True)
    assert load_model(path)[0] == {"a": 2}


def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*arguments: Any, **keywords: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", read_only)  # root may write everywhere, so chmod would prove nothing
    with pytest.raises(InputError, match="Read-only file system"):
        check_writable(tmp_path / "m", 1000, overwrite=False)


def test_a_folder_that_can_not_be_read_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def unreadable(path: Any, flags: int, *more: Any, **keywords: Any) -> int:
        if Path(path) == tmp_path and not flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(path, flags, *more, **keywords)

    monkeypatch.setattr(os, "open", unreadable)  # as a folder of mode 0300 is to anyone but root
    with pytest.raises(InputError, match="Permission denied"):
        check_writable(tmp_path / "m", 1000, overwrite=False)
    assert os.listdir(tmp_path) == []


def test_an_immutable_file_is_refused_before_the_training(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"mine")
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", path], capture_output=True).returncode != 0:
        pytest.skip("no file can be made immutable here")
    try:
        with pytest.raises(InputError, match="read-only"):
            check_writable(path, 1000, overwrite=True)
        with pytest.raises(InputError, match="read-only"):
            check_output(path, overwrite=True)
    finally:
        subprocess.run(["chattr", "-i", path], check=True)
    assert path.read_bytes() == b"mine"


def test_a_disk_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has .* free"):
        check_writable(tmp_path / "m", 2**60, overwrite=False)
    assert os.listdir(tmp_path) == []
