"""The registry of settings: complete, read from text and files, and checked."""

import dataclasses
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from fromlogits import Classifier, Dense, Network, presets
from fromlogits.errors import InputError
from fromlogits.resolving import FINER_SETTINGS
from fromlogits.settings import BY_NAME, SETTINGS, collect, from_file
from fromlogits.spec import Plan


def test_every_keyword_of_the_classifier_stands_in_the_registry_once_and_nothing_else() -> None:
    keywords = [name for name in inspect.signature(Classifier.__init__).parameters if name not in ("self", "spec")]

    assert [setting.name for setting in SETTINGS if not setting.is_finer] == keywords


def test_every_finer_field_of_the_plan_stands_in_the_registry() -> None:
    assert {setting.name for setting in SETTINGS if setting.is_finer} == set(FINER_SETTINGS)


def chosen_by_presets() -> set[str]:
    """The names of all settings that some preset gives a value, in some task."""
    names = {"hidden_layer_sizes", "activation", "ensemble"}
    tasks = [presets.Task(1000), presets.Task(1000, kind="picture"), presets.Task(1000, kind="sparse")]
    for preset, task, metric, optimizer in itertools.product(
        presets.PRESETS, tasks, ("log_loss", "accuracy"), (None, "sgd")
    ):
        told = dataclasses.replace(task, metric=metric, optimizer=optimizer)
        names |= set(presets.recipe(preset, told).plan) | set(presets.tiny(preset, told).plan)
    return names


def test_the_registry_says_which_defaults_are_the_presets() -> None:
    assert {setting.name for setting in SETTINGS if setting.default == "by the preset"} == chosen_by_presets()


def test_the_other_defaults_are_those_of_the_plan_and_the_classifier() -> None:
    defaults: dict[str, Any] = {
        name: parameter.default for name, parameter in inspect.signature(Classifier.__init__).parameters.items()
    }
    defaults |= {field.name: field.default for field in dataclasses.fields(Plan)}
    stated_in_words = {"network", "task", "engine", "device", "n_jobs", "random_state"}

    for setting in SETTINGS:
        if setting.name not in stated_in_words | chosen_by_presets():
            value = defaults[setting.name]
            expected = f"{value:g}" if isinstance(value, float) else str(value).lower()
            assert setting.default == expected, setting.name


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("hidden_layer_sizes=25,15", (25, 15)),
        ("hidden_layer_sizes=(25, 15)", (25, 15)),
        ("hidden_layer_sizes=[25]", (25,)),
        ("hidden_layer_sizes=", ()),
        ("network=25 relu, 10 linear", Network((Dense(25, "relu"), Dense(10)))),
        ("dropout=.25", 0.25),
        ("learning_rate=1e-3", 0.001),
        ("max_epochs= 12 ", 12),
        ("early_stopping=no", False),
        ("calibrate=True", True),
        ("task=none", None),
        ("n_jobs=none", None),
        ("optimizer=sgd", "sgd"),
        ("class_weight=balanced", "balanced"),
        ("class_weight=none", None),
        ("class_weight=no:1, a:b:2.5", {"no": 1, "a:b": 2.5}),
        ("pos_weight=balanced", "balanced"),
        ("pos_weight=3", 3),
        ("pos_weight=3,.5", [3, 0.5]),
        ("pos_weight=car:3,bus:1e1", {"car": 3, "bus": 10}),
    ],
)
def test_a_text_is_read_as_the_value_it_means(pair: str, value: object) -> None:
    assert collect({}, [pair])[pair.partition("=")[0]] == value


def test_finer_settings_go_through_spec() -> None:
    keywords = collect({}, ["schedule=constant", "clip_norm=none", "dropout=0.1"])

    assert keywords["spec"] == {"schedule": "constant", "clip_norm": None}
    assert Classifier(**keywords).dropout == 0.1


def test_the_seed_of_the_command_line_is_0_unless_told() -> None:
    assert collect({})["random_state"] == 0
    assert collect({"--seed": "7"})["random_state"] == 7
    assert collect({}, ["random_state=none"])["random_state"] is None


def test_weights_by_name_are_a_table_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("pos_weight = [1, 2.5]\n[class_weight]\nno = 1\nyes = 5.5\n", encoding="utf-8")

    assert from_file(tmp_path / "c.toml") == {"pos_weight": [1, 2.5], "class_weight": {"no": 1, "yes": 5.5}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.toml", "hidden_layer_sizes = [25, 15]\nmax_epochs = 3\nclip_norm = 1.5\ncalibrate = false\n"),
        (
            "c.json",
            json.dumps({"hidden_layer_sizes": [25, 15], "max_epochs": 3, "clip_norm": 1.5, "calibrate": False}),
        ),
    ],
)
def test_toml_and_json_say_the_same(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")

    expected = {"hidden_layer_sizes": (25, 15), "max_epochs": 3, "clip_norm": 1.5, "calibrate": False}
    assert from_file(tmp_path / name) == expected


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('max_epochs = 3\nnetwork = "5 relu, 2 linear"\ndropout = 0.5\n', encoding="utf-8")

    keywords = collect({"--epochs": "4", "--layers": "25"}, ["dropout=0.1"], str(config))

    assert keywords == {"max_epochs": 4, "hidden_layer_sizes": (25,), "dropout": 0.1, "random_state": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_epochs = true", "max_epochs must be a whole number such as 30; got True"),
        ("dropout = [0.1]", r"dropout must be a number such as 0.001; got \[0.1\]"),
        ("hidden_layer_sizes = [25, 1.5]", "hidden_layer_sizes must be the units of the hidden layers"),
        ("network = 25", "network must be all layers with their activations"),
        ("learning_rate = nan", "learning_rate must be a number in"),
        ("class_weight = 3", 'class_weight must be balanced, or the weights of classes, as in "no:1,yes:5", or none'),
        ("class_weight = 'no:1,yes:x'", "class_weight must be balanced, or"),
        ("class_weight = 'no:1,no:2'", "class_weight must be balanced, or"),
        ("pos_weight = 'many'", "pos_weight must be balanced, a number"),
        ("pos_weight = ['many']", "pos_weight must be balanced, a number"),
        ("calibrate = 1", "calibrate must be true or false; got 1"),
        ("optimizer = 'adma'", "Did you mean 'adam'"),
        ("momentum = 1.0", "momentum must be a number in"),
        ("[spec]\nmomentum = 0.5", "no setting is called 'spec'"),
        ("network = '5 relu, 2 linear'\nhidden_layer_sizes = [5]", "say the same thing twice"),
    ],
)
def test_a_wrong_value_in_a_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text(content, encoding="utf-8")

    with pytest.raises(InputError, match=message):
        collect({}, (), str(config))


def test_a_setting_twice_on_the_command_line_is_refused() -> None:
    with pytest.raises(InputError, match="dropout is set twice"):
        collect({}, ["dropout=0.1", "dropout=0.2"])


def test_a_file_that_is_no_configuration_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_bytes(b"#" * (2**20 + 1))

    with pytest.raises(InputError, match=r"at most 1,048,576 bytes"):
        from_file(config)


def test_a_nested_or_foreign_file_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000, encoding="utf-8")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# caf\xe9\n")

    with pytest.raises(InputError, match="is not JSON"):
        from_file(deep)
    with pytest.raises(InputError, match="must be UTF-8 text; byte 5 is not"):
        from_file(latin)


def test_every_setting_with_an_option_is_found_by_its_name() -> None:
    assert all(BY_NAME[setting.name] is setting for setting in SETTINGS)
    assert {setting.flag for setting in SETTINGS if setting.flag} == {
        "--layers", "--preset", "--epochs", "--metric", "--decide-for", "--task", "--threads", "--seed",
        "--separate-networks", "--time-limit", "--backbone",
    }  # fmt: skip
