"""Pictures from folders, zip files, tables and columns of bytes, through every verb."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fromlogits as fl
from fromlogits.data.reading import Reading
from fromlogits.data.sources import read
from tests.cli.here import Here
from tests.data.picture_files import LABELS, class_folders, encoded, parquet, scenes, table_and_zip

QUICK = "--preset fast --epochs 2 --quiet"
TABLE = f"train scenes.csv --images file --image-root scenes.zip --target {','.join(LABELS)} {QUICK}"


def probabilities(rows: list[dict[str, str]]) -> list[list[str]]:
    return [[value for key, value in row.items() if key.startswith("probability:")] for row in rows]


def spoil(path: Path) -> None:
    """Only half of the file is there."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_folder_per_class_trains_without_a_target(here: Here) -> None:
    names = class_folders(here.folder / "photos")
    here(f"train photos/ {QUICK}")
    rows = here.rows("predict photos.safetensors photos")

    assert [row["file"] for row in rows] == names
    assert set(rows[0]) == {"file", "prediction", "probability:bus", "probability:other"}
    assert fl.load("photos.safetensors").classes_.tolist() == ["bus", "other"]


def test_files_give_the_network_that_their_pixels_give(here: Here) -> None:
    table_and_zip(here.folder)
    here(TABLE)
    pixels, labels = scenes(60)
    np.savez("arrays.npz", X=pixels, y=labels, classes=np.array(LABELS))
    here(f"train arrays.npz {QUICK}")
    rows = here.rows("predict scenes.safetensors scenes.csv --image-root scenes.zip")
    expected = here.rows("predict arrays.safetensors arrays.npz")

    assert [row["file"] for row in rows] == [f"{row:03}.png" for row in range(60)]
    assert probabilities(rows) == probabilities(expected)
    assert probabilities(here.rows("predict scenes.safetensors arrays.npz")) == probabilities(expected)


def test_a_zip_a_folder_and_bytes_are_the_same_pixels(here: Here) -> None:
    table_and_zip(here.folder)
    with zipfile.ZipFile("scenes.zip") as archive:
        archive.extractall("files")
    parquet(here.folder / "a.parquet")
    parquet(here.folder / "b.parquet", is_struct=False)
    parquet(here.folder / "c.arrow")
    pixels = scenes(60)[0].reshape(60, -1)

    for root in ("scenes.zip", "files"):
        found = read("scenes.csv", target="car", reading=Reading(images="file", image_root=root))
        assert np.array_equal(found.features.values, pixels)  # type: ignore[union-attr]
        assert found.picture_shape == (32, 32, 3)
    for name in ("a.parquet", "b.parquet", "c.arrow"):
        found = read(name, target="kind", reading=Reading(images="image"))
        assert np.array_equal(found.features.values, pixels)  # type: ignore[union-attr]
        assert found.ids.names == (() if name == "b.parquet" else ("image",))


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_column_of_bytes_trains_and_predicts(here: Here, form: str) -> None:
    parquet(here.folder / f"p.{form}")
    here(f"train p.{form} --images image --target kind --id size {QUICK}")
    rows = here.rows(f"predict p.safetensors p.{form}")
    report = here.json(f"evaluate p.safetensors p.{form}")

    assert [row["image"] for row in rows] == [f"{row:03}.png" for row in range(60)]
    assert [row["size"] for row in rows] == [str(row) for row in range(60)]
    assert report["rows"] == 60 and report["held_out"]["rows"] == 6


def test_the_training_folder_is_known_again(here: Here) -> None:
    class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    report = here.json("evaluate photos.safetensors photos")
    shutil.copytree("photos", "moved")

    assert report["held_out"]["rows"] == 6
    assert here.json("evaluate photos.safetensors moved")["held_out"] == report["held_out"]
    (here.folder / "moved" / "bus" / "more.png").write_bytes(encoded(scenes(1)[0][0]))
    assert "held_out" not in here.json("evaluate photos.safetensors moved")


def test_a_packed_folder_of_folders_is_one_of_classes(here: Here) -> None:
    class_folders(here.folder / "photos")
    shutil.make_archive("photos", "zip", ".", "photos")
    found, packed = read("photos"), read("photos.zip")

    assert packed.targets is not None and found.targets is not None
    assert packed.targets.values.tolist() == found.targets.values.tolist()
    assert np.array_equal(packed.features.values, found.features.values)  # type: ignore[union-attr]


def test_groups_stay_together_and_duplicates_are_told(here: Here) -> None:
    table_and_zip(here.folder)
    shutil.copy("scenes.csv", "again.csv")
    report = here.json(f"{TABLE} --group place --test again.csv")

    assert report["duplicates"]["test"] == 54
    assert (
        "held out are the 6 rows of 1 of the 10 groups"
        in here(f"{TABLE} --group place --dry-run".replace("--quiet", ""))[1]
    )


def test_the_size_asked_for_is_kept_for_later_pictures(here: Here) -> None:
    class_folders(here.folder / "photos")
    here(f"train photos --image-size 8x12 {QUICK}")
    large = Image.fromarray(scenes(1)[0][0]).resize((300, 200), Image.Resampling.LANCZOS)
    large.save("large.png")
    [row] = here.rows("predict photos.safetensors large.png")
    pixels = np.asarray(large.resize((12, 8), Image.Resampling.BILINEAR))
    model = fl.load("photos.safetensors")

    assert model.encoder_.schema.picture_shape == (8, 12, 3)
    assert probabilities([row]) == [[str(value) for value in model.predict_proba(pixels[None])[0]]]


def test_one_picture_may_be_a_link_standard_input_or_of_any_name(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    names = class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    Path("links").mkdir()
    for name in ("a.png", "photo.heic"):
        Path("links", name).symlink_to(Path("..", "photos", names[3]))
    expected = here.rows("predict photos.safetensors photos")[3]

    def predicted(command: str) -> dict[str, str]:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("photos", names[3]).read_bytes())))
            [row] = here.rows(f"predict photos.safetensors {command}")
        return row

    assert predicted("links/a.png") == {**expected, "file": "a.png"}
    assert predicted("links/photo.heic") == {**expected, "file": "photo.heic"}
    assert predicted("- --format pictures") == {**expected, "file": "standard input"}
    code, _, err = here.ended("predict photos.safetensors links")  # in a folder no link leads out of it
    assert code == 2 and "a.png: it lies outside of links" in err


def test_one_row_is_laid_open(here: Here) -> None:
    names = class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    report = here.json("inspect photos.safetensors photos --row 3")
    alone = here.json(f"inspect photos.safetensors photos/{names[3]}")

    assert [unit["logit"] for unit in report["units"]] == [unit["logit"] for unit in alone["units"]]


def test_one_row_is_laid_open_without_reading_the_others(here: Here) -> None:
    names = class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    parquet(here.folder / "held.parquet")
    lines = [",".join((name, name.split("/")[0])) for name in names]
    Path("table.csv").write_text("\n".join(["file,kind", *lines]) + "\n", encoding="utf-8")
    whole = here.json("inspect photos.safetensors photos/other/020.png")
    row = names.index("other/020.png")
    for name in names[:row]:
        spoil(here.folder / "photos" / name)

    for data, n in ((f"photos --row {row}", 60), (f"table.csv --images file --image-root photos --row {row}", 60),
                    ("held.parquet --images image --row 20", 60)):  # fmt: skip
        found = here.json(f"inspect photos.safetensors {data}")
        assert found["units"][0]["logit"] == whole["units"][0]["logit"]
        assert found["row"] == int(data.split()[-1])
        out_of_range = f"inspect photos.safetensors {data.rpartition(' ')[0]} {n}"
        assert f"--row must be 0 to {n - 1}, as {data.split()[0]} has {n} rows; got {n}." in here(out_of_range, 2)[1]
    assert here.json(f"inspect photos.safetensors photos --row {row}")["target"] == "other"
    bad = f"fromlogits: {names[1]} can't be read: it is damaged or cut off.\n"
    for more in ("", " --skip-bad"):  # rows count as those of the predictions
        assert here(f"inspect photos.safetensors photos --row 1{more}", 2)[1] == bad
        assert here.json(f"inspect photos.safetensors photos --row {row}{more}")["target"] == "other"


def test_calibrate_and_cv_take_pictures(here: Here) -> None:
    table_and_zip(here.folder)
    here(TABLE)
    here("calibrate scenes.safetensors scenes.csv --image-root scenes.zip -o new.safetensors")
    report = here.json(f"cv {TABLE.removeprefix('train ')} --folds 2 -o out.csv")

    assert report["rows"] == 60
    assert Path("out.csv").read_text().startswith("file,prediction,probability:car")
    assert probabilities(here.rows("predict new.safetensors scenes.csv --image-root scenes.zip"))


def test_bad_pictures_are_refused_all_at_once_or_skipped(here: Here) -> None:
    names = class_folders(here.folder / "photos")
    for name in names[:5]:
        spoil(here.folder / "photos" / name)
    (here.folder / "photos" / "other" / "x.png").write_bytes(b"no picture")
    code, out, err = here.ended(f"train photos {QUICK}")

    assert (code, out) == (2, "")
    assert err.startswith("fromlogits: photos: 6 of 61 pictures can't be read: ")
    assert err.count(": it ") == 3 and "; and 3 more. --skip-bad goes on without them." in err
    _, err = here(f"train photos --skip-bad {QUICK.replace(' --quiet', '')}")
    reasons = {name: "it is damaged or cut off" for name in names[:5]}
    reasons["other/x.png"] = "it is no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture"
    said = "note: photos: 6 of 61 pictures can't be read and were left out:\n"
    said += "".join(f"  {name}: {why}.\n" for name, why in reasons.items())
    assert said in err
    for verb in ("evaluate photos.safetensors photos", "calibrate photos.safetensors photos -o new.safetensors",
                 "cv photos --folds 2 --preset fast --epochs 1"):  # fmt: skip
        assert said in here(f"{verb} --skip-bad")[1]
    assert here.json("evaluate photos.safetensors photos --skip-bad")["held_out"]


def test_notes_count_in_words(here: Here) -> None:
    class_folders(here.folder / "photos")
    here(f"train photos --image-size 4x4 {QUICK}")
    Path("new").mkdir()
    clear = encoded(np.zeros((4, 4, 4), np.uint8))
    for row in range(2):
        Path("new", f"{row}.png").write_bytes(clear)
        Path("new", f"{row}.txt").write_bytes(b"")

    one, two = here("predict photos.safetensors new/0.png")[1], here("predict photos.safetensors new")[1]
    assert one == "note: 0.png: 1 of 1 picture was laid over white where clear.\n"
    assert "note: new: 2 of 2 pictures were laid over white where clear.\n" in two
    assert "note: new: 2 files that are no picture by name were left out, such as 0.txt.\n" in two


@pytest.mark.parametrize("data", ["photos", "photos.zip"])
def test_a_class_without_rows_is_told_of(here: Here, data: str) -> None:
    class_folders(here.folder / "photos")
    for name, content in {"none/a.png": b"", "none/in/b.png": b"hello", "texts/readme.txt": b"", ".git/x": b""}.items():
        (here.folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (here.folder / "photos" / name).write_bytes(content)
    (here.folder / "photos" / "empty").mkdir()
    (here.folder / "photos" / "bus" / "empty").mkdir()
    shutil.make_archive("photos", "zip", ".", "photos")
    _, err = here(f"train {data} --skip-bad -o m.safetensors {QUICK.replace(' --quiet', '')}")

    inside = "" if data == "photos" else "photos/"
    assert f"note: {data}: 1 file that is no picture by name was left out: {inside}texts/readme.txt.\n" in err
    assert f"note: {data}: no picture is in the folders empty, texts, so no row is of these classes.\n" in err
    assert f"note: {data}: no picture can be read of the folder none, so no row is of this class.\n" in err
    assert fl.load("m.safetensors").classes_.tolist() == ["bus", "other"]
    assert "so no row" not in here(f"predict m.safetensors {data} --skip-bad -o out.csv")[1]


@pytest.mark.parametrize("cache", ["", " --image-cache kept"])
def test_the_pictures_that_are_kept_decide_on_size_and_colour(here: Here, cache: str) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    for row, pixels in enumerate(grey):
        path = here.folder / "photos" / "ab"[row % 2] / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels))
    clear = np.stack([*[grey[0]] * 3, np.full((8, 8), 7, np.uint8)], axis=2)
    (here.folder / "photos" / "a" / "00.png").write_bytes(encoded(clear[..., [0, 3]], "PNG"))  # grey, and clear
    here(f"train photos -o without.safetensors {QUICK}")
    (here.folder / "photos" / "a" / "x.png").write_bytes(encoded(scenes(1)[0][0])[:300])  # its header is whole
    command = f"train photos --skip-bad{cache} -o m.safetensors --overwrite {QUICK.replace(' --quiet', '')}"
    for _ in range(2):
        _, err = here(command)

        assert "note: photos: 40 pictures in grey: all are 8 x 8, taken as they are; " in err
        assert "photos: 1 of 41 pictures can't be read and was left out: a/x.png: it is damaged or cut off" in err
        assert err.count("note: photos: 1 of 41 pictures was laid over white where clear.\n") == 1
        assert fl.load("m.safetensors").encoder_.schema.picture_shape == (8, 8)
    (here.folder / "photos" / "a" / "x.png").unlink()
    expected = here.rows("predict without.safetensors photos")
    assert probabilities(here.rows("predict m.safetensors photos")) == probabilities(expected)


def test_predict_keeps_the_rows_of_pictures_it_can_not_read(here: Here) -> None:
    names = class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    expected = here.rows("predict photos.safetensors photos")
    spoil(here.folder / "photos" / names[7])
    code, out, err = here.ended("predict photos.safetensors photos")
    assert (code, out) == (2, "") and names[7] in err
    rows = here.rows("predict photos.safetensors photos --skip-bad")
    objects = json.loads(here("predict photos.safetensors photos --skip-bad --json")[0])["predictions"]

    assert [row["file"] for row in rows] == names
    assert [row.pop("error") for row in rows] == [""] * 7 + ["it is damaged or cut off"] + [""] * 52
    assert rows[7] == {"file": names[7], "prediction": "", "probability:bus": "", "probability:other": ""}
    assert rows[:7] + rows[8:] == expected[:7] + expected[8:]
    assert objects[7] == {
        "file": names[7],
        "error": "it is damaged or cut off",
        "prediction": None,
        "probability": None,
    }
    assert objects[8]["error"] is None and objects[8]["probability"]


@pytest.mark.parametrize("data", ["photos", "scenes.csv --image-root scenes.zip"])
def test_parts_are_the_whole(here: Here, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(here.folder / "photos")
    table_and_zip(here.folder)
    with zipfile.ZipFile("scenes.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["031.png"] = b""
    with zipfile.ZipFile("scenes.zip", "w") as archive:
        for name, held in files.items():
            archive.writestr(name, held)
    here(f"{TABLE} --skip-bad")
    command = f"predict scenes.safetensors {data} --skip-bad"
    whole = here(command)
    monkeypatch.setattr("fromlogits.data.pictures.parts.PART_BYTES", 7 * 32 * 32 * 3)

    assert here(command) == whole


def test_the_cache_decodes_once(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    names = class_folders(here.folder / "photos")
    spoil(here.folder / "photos" / names[50])
    command = f"train photos --skip-bad --image-cache kept {QUICK} --overwrite -o m.safetensors"
    here(command)
    first = Path("m.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("fromlogits.data.pictures.pixels.decoded", lambda *_, **__: 1 / 0)
        _, err = here(command.replace("--quiet ", ""))
        assert f"1 of 60 pictures can't be read and was left out: {names[50]}: it is damaged or cut off" in err
        assert Path("m.safetensors").read_bytes() == first
        [pixels] = Path("kept").glob("*.pixels")
        content = bytearray(pixels.read_bytes())
        content[0] ^= 1
        pixels.write_bytes(content)
        with pytest.raises(ZeroDivisionError):
            read("photos", reading=Reading(skip_bad=True, image_cache="kept"))
    here(command)
    assert Path("m.safetensors").read_bytes() == first
    assert [path.suffix for path in sorted(Path("kept").iterdir())] == [".json", ".pixels"]


def test_the_cache_changes_nothing_that_is_said_of_bad_pictures(here: Here) -> None:
    class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    for name, content in (("one", b""), ("two", b"no picture"), ("three", b"\x89PNG")):
        (here.folder / name).mkdir()
        (here.folder / name / "a.png").write_bytes(content)
        plain = here(f"predict photos.safetensors {name} --skip-bad")

        assert here(f"predict photos.safetensors {name} --skip-bad --image-cache kept") == plain


def test_a_model_of_arrays_takes_files_of_its_very_shape(here: Here) -> None:
    pixels, labels = scenes(40)
    np.savez("a.npz", X=pixels, y=labels[:, 1])
    here(f"train a.npz {QUICK}")
    Path("one.png").write_bytes(encoded(pixels[5]))
    Path("small.png").write_bytes(encoded(pixels[5][:16]))
    [row] = here.rows("predict a.safetensors one.png")

    assert probabilities([row]) == probabilities(here.rows("predict a.safetensors a.npz"))[5:6]
    assert here.ended("predict a.safetensors small.png")[2] == (
        "fromlogits: small.png can't be read: it is 16 x 32 of colour; the model's pictures"
        " are 32 x 32 of colour, and came as arrays, so that none is resized.\n"
    )


def test_folders_of_classes_say_nothing_of_several_labels(here: Here) -> None:
    table_and_zip(here.folder)
    here(TABLE)
    class_folders(here.folder / "photos")
    why = (
        "photos: a folder says one class of each picture, and this model answers for each of its 3 labels; name a table"
        " with a column for each label, and --images.\n"
    )

    for verb in ("evaluate scenes.safetensors photos", "calibrate scenes.safetensors photos -o new.safetensors"):
        assert here.ended(verb) == (2, "", f"fromlogits: {why}")
    code, out, err = here.ended("inspect scenes.safetensors photos --row 3")
    assert (code, err) == (0, f"note: no loss is shown: {why}")
    assert out.startswith("scenes.safetensors on row 3 of photos (photos/bus/")


def test_an_exported_model_takes_the_pixels(here: Here) -> None:
    class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    here("export photos.safetensors photos.html")
    assert Path("photos.html").stat().st_size > 10_000

    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    here("export photos.safetensors photos.onnx")
    session = runtime.InferenceSession("photos.onnx")
    pixels = read("photos").features.values  # type: ignore[union-attr]
    [given] = session.get_inputs()
    [found] = session.run(["probabilities"], {given.name: pixels.astype(np.float32)})
    assert np.allclose(found, fl.load("photos.safetensors").predict_proba(pixels), atol=1e-6)


def test_a_file_whose_name_is_no_text_is_predicted(here: Here) -> None:
    class_folders(here.folder / "photos")
    here(f"train photos {QUICK}")
    Path("new").mkdir()
    Path("new", os.fsdecode(b"a\xff.png")).write_bytes(encoded(scenes(1)[0][0]))

    assert here.rows("predict photos.safetensors new")[0]["file"] == "a\\udcff.png"


def test_long_reading_says_how_far_it_is(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(here.folder / "photos")
    monkeypatch.setattr("fromlogits.cli.pictures.EVERY_S", 0.0)
    _, err = here(f"train photos {QUICK.removesuffix(' --quiet')}")

    assert "photos: 1 of 60 pictures read\n" in err and "photos: 59 of 60 pictures read\n" in err
    assert "60 of 60" not in err  # it has taken as long as it took
    assert "pictures read" not in here(f"train photos {QUICK}")[1]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_reading_at_once_and_saves_nothing(here: Here) -> None:
    folder = here.folder / "photos"
    class_folders(folder)
    large = encoded(np.zeros((3000, 3000, 3), np.uint8))
    for row in range(300):
        (folder / "bus" / f"large{row}.png").write_bytes(large)
    command = [sys.executable, "-c", SLOW, "train", "photos", "--image-cache", "kept"]
    with subprocess.Popen(
        command, cwd=here.folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        while not [*here.folder.glob("kept/*.part")]:  # until pixels are decoded
            assert "pictures read" in process.stderr.readline()
        started = time.perf_counter()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert (process.wait(), process.stdout.read()) == (130, "")

    assert rest.endswith("fromlogits: stopped by Ctrl-C.\n")
    assert time.perf_counter() - started < 10
    assert here.files() == ["kept", "photos"] and not [*Path("kept").iterdir()]


SLOW = """
from fromlogits.cli import main, pictures
pictures.EVERY_S = 0.5
raise SystemExit(main.run())
"""


def model_manifest(name: str) -> dict[str, Any]:
    from fromlogits.model_file import load_model

    return load_model(name)[0]


def test_the_model_file_says_how_files_became_pictures(here: Here) -> None:
    table_and_zip(here.folder)
    here(TABLE)
    schema = model_manifest("scenes.safetensors")["encoder"]["schema"]

    assert schema["pictures"] == {"column": "file", "resize": "bilinear"}
    assert schema["picture_shape"] == [32, 32, 3]


def test_in_python_a_uint8_array_is_pictures(here: Here) -> None:
    pixels, labels = scenes(60)
    grey = pixels[..., 0]
    for X in (pixels, grey):
        clf = fl.Classifier(preset="fast", max_epochs=2, random_state=0).fit(X, labels)
        flat = fl.Classifier(preset="fast", max_epochs=2, random_state=0).fit(X.reshape(60, -1), labels)
        buffer = here.folder / "m.safetensors"
        clf.save(buffer, overwrite=True)

        assert clf.encoder_.schema.picture_shape == X.shape[1:]
        assert flat.encoder_.schema.picture_shape is None
        assert np.array_equal(fl.load(buffer).predict_proba(X), clf.predict_proba(X))
        assert clf.predict(X[:1]).shape == (1, 3)
