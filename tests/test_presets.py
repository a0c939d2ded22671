"""What each preset makes of a task, and that whatever comes is trained on, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import fromlogits as fl
from fromlogits import fitting, presets
from fromlogits.errors import InputError
from fromlogits.presets import Recipe, Task
from fromlogits.spec import Dense, Embedding, Periodic, Plan, Scaling

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 3))
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
PICTURES = RNG.integers(0, 256, (N, 4, 5), np.uint8)
SPARSE = sp.random(N, 50, 0.1, random_state=0, format="csr")
WORDS = pd.DataFrame({"word": [f"w{row % 12}" for row in range(N)], "colour": [f"c{row % 5}" for row in range(N)]})


def quick(**settings: Any) -> fl.Classifier:
    """Two epochs of whatever the preset chooses."""
    return fl.Classifier(**{"max_epochs": 2, "random_state": 3, **settings})


def kinds(clf: fl.Classifier) -> list[str]:
    """Of the layers but the last."""
    return [type(layer).__name__.lower() for layer in clf.network_.layers[:-1]]


def amount(clf: fl.Classifier) -> tuple[int, int]:
    """(networks, folds)"""
    return len(clf.members_), clf.plan_.folds


# --- what they say ---


@pytest.mark.parametrize("kind", ["table", "picture", "sparse", "features"])
@pytest.mark.parametrize("n_rows", [1, 2, 100, 1_024, 4_001, 16_000, 16_001, 40_001, 150_001, 10**7])
@pytest.mark.parametrize("preset", presets.PRESETS)
def test_a_preset_says_a_plan_of_every_number_of_rows(preset: str, n_rows: int, kind: Any) -> None:
    for optimizer in (None, "adam", "sgd"):
        one = presets.recipe(preset, Task(n_rows, 10, kind, optimizer=optimizer))
        plan = Plan().replace(one.plan)
        assert plan.optimizer == optimizer or optimizer is None
        assert 1 <= plan.folds <= one.ensemble
        assert plan.folds == 1 or n_rows >= plan.folds
        assert any(isinstance(layer, Dense) for layer in one.layers)


def test_the_number_of_passes_of_all_networks_shrinks_as_rows_come() -> None:
    for preset in ("good", "best"):
        found = [presets.recipe(preset, Task(n)) for n in (100, 10_000, 50_000, 100_000, 1_000_000)]
        passes = [one.ensemble * one.plan["max_epochs"] for one in found]
        assert passes == sorted(passes, reverse=True)


def test_features_of_a_network_need_fewer_passes_where_rows_are_many() -> None:
    for preset in ("good", "best"):
        few, more, many = (
            [presets.recipe(preset, Task(n, 384, kind)).plan["max_epochs"] for kind in ("features", "table")]
            for n in (1_000, 3_000, 10**6)
        )
        assert few[0] == few[1] and more[0] == more[1] / 2 and many[0] >= 5


def test_fast_is_one_network_by_the_recipe_where_a_table_has_rows_enough_and_else_a_plain_one() -> None:
    more, good = (presets.recipe(preset, Task(2_001)) for preset in ("fast", "good"))
    assert (more.ensemble, more.layers) == (1, good.layers[:-1])
    kept = good.plan.keys() - {"dropout", "batch_size", "max_epochs", "patience", "folds"}
    assert {name: more.plan[name] for name in kept} == {name: good.plan[name] for name in kept}
    for task in (Task(2_000), Task(9_000, kind="picture"), Task(9_000, kind="sparse"), Task(9_000, has_end=False)):
        one = presets.recipe("fast", task)
        assert one == presets.plain(task)
        assert one.plan["optimizer"] == "adam"
    rows_passed = [presets.recipe("fast", Task(n)).plan["max_epochs"] * n for n in (2_001, 9_000, 30_000, 10**6)]
    assert rows_passed == sorted(rows_passed)


def test_many_pictures_are_for_several_plain_networks() -> None:
    few, many = (Task(n, 784, "picture") for n in (16_000, 16_001))
    plain = presets.plain(many)
    good, best = (presets.recipe(preset, many) for preset in ("good", "best"))

    assert good == Recipe(plain.layers, plain.plan, 3)
    assert best == Recipe(plain.layers, {**plain.plan, "folds": 5}, 10)
    assert presets.recipe("good", few).plan["optimizer"] == "adamw"


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"^preset must be one of fast, good, best; got 'bets'\. Did you mean 'best'\?"
    ):
        presets.recipe("bets", Task(10))
    with pytest.raises(InputError, match=r"^preset must be one of fast, good, best; got None\.$"):
        quick(preset=None).fit(X, CLASSES)


@pytest.mark.parametrize("n_rows", [300, 9_000])
def test_stated_layers_are_trained_as_a_plain_network(n_rows: int) -> None:
    hidden, task = (Dense(20, "tanh"),), Task(n_rows)
    plain = presets.plain(task, hidden)
    fast, good, best = (presets.recipe(preset, task, hidden) for preset in ("fast", "good", "best"))
    assert fast == good == plain == Recipe(hidden, plain.plan)
    assert best == Recipe(hidden, {**plain.plan, "folds": 5}, 5)


def test_the_usual_preset_is_good() -> None:
    assert presets.USUAL == fl.Classifier().preset == "good"
    a, b = quick().fit(X, CLASSES), quick(preset="good").fit(X, CLASSES)
    assert a.predict_logits(X).tobytes() == b.predict_logits(X).tobytes()
    assert a.record_["preset"] == "good"


# --- what they become ---


@pytest.mark.parametrize(("preset", "expected"), [("fast", (1, 1)), ("good", (5, 5)), ("best", (10, 5))])
def test_networks_and_folds_of_each_preset(preset: str, expected: tuple[int, int]) -> None:
    for y in (CLASSES, LABELS):
        clf = quick(preset=preset).fit(X, y)
        assert amount(clf) == expected
        assert np.isfinite(clf.predict_logits(X)).all()
        assert clf.validation_metrics_ is not None
    assert clf.record_["n_validation"] == (6 if preset == "fast" else N)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (X, ["periodic", "scaling", "dense", "dense", "dense"]),
        (WORDS, ["embedding", "scaling", "dense", "dense", "dense"]),
        (WORDS.assign(size=X[:, 0]), ["periodic", "embedding", "scaling", "dense", "dense", "dense"]),
        (WORDS[["colour"]], ["scaling", "dense", "dense", "dense"]),
        (np.ones((N, 2)), ["scaling", "dense", "dense", "dense"]),
        (np.full((N, 2), np.nan), ["scaling", "dense", "dense", "dense"]),
        (RNG.normal(size=(N, presets.MOST_EMBEDDED + 1)), ["scaling", "dense", "dense", "dense"]),
        (PICTURES, ["dense", "dense"]),
        (SPARSE, ["dense", "dense"]),
    ],
    ids=["numbers", "words", "both", "few words", "constant", "no values", "wide", "pictures", "sparse"],
)
def test_layers_that_embed_are_there_for_what_can_be_embedded(rows: Any, expected: list[str]) -> None:
    clf = quick().fit(rows, CLASSES)
    assert kinds(clf) == expected
    assert len(clf.members_) == (4 if rows is SPARSE else 5)
    assert np.isfinite(clf.predict_logits(rows)).all()


@pytest.mark.parametrize("preset", ["good", "best"])
@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({}, {"X_val": X, "y_val": CLASSES}),
        ({}, {"times": np.arange(N)}),
        ({"early_stopping": False, "calibrate": False}, {}),
        ({}, {"groups": np.arange(N) % 4}),
    ],
    ids=["own rows", "times", "all rows", "few groups"],
)
def test_there_are_no_folds_where_the_rows_that_judge_are_not_drawn(
    preset: str, settings: dict[str, Any], given: dict[str, Any]
) -> None:
    clf = quick(preset=preset, **settings).fit(X, CLASSES, **given)
    assert amount(clf) == ({"good": 5, "best": 10}[preset], 1)
    assert (clf.validation_metrics_ is None) == bool(settings)


def test_one_switch_alone_leaves_the_folds() -> None:
    for name in ("early_stopping", "calibrate"):
        assert amount(quick(**{name: False}).fit(X, CLASSES)) == (5, 5)


def test_groups_stay_together_in_the_folds() -> None:
    groups = np.arange(N) % 7
    fit = fitting.prepare(quick().get_params(), X, CLASSES, groups=groups)
    assert fit.folds is not None
    for group in range(7):
        assert len(set(fit.folds.deals[0][groups == group].tolist())) == 1


@pytest.mark.parametrize(("ensemble", "folds"), [(1, 1), (2, 2), (5, 5), (7, 5)])
def test_a_stated_ensemble_has_at_most_so_many_folds(ensemble: int, folds: int) -> None:
    assert amount(quick(ensemble=ensemble).fit(X, CLASSES)) == (ensemble, folds)


def test_separate_networks_are_one_for_each_label_without_folds() -> None:
    clf = quick(separate_networks=True).fit(X, LABELS)
    assert amount(clf) == (2, 1)
    assert kinds(clf)[:2] == ["periodic", "scaling"]


def test_what_is_stated_wins() -> None:
    clf = quick(dropout=0.5, activation="tanh", spec={"folds": 2, "numbers": "standard"}).fit(X, CLASSES)
    assert (clf.plan_.dropout, clf.plan_.numbers) == (0.5, "standard")
    assert amount(clf) == (5, 2)
    assert {layer.activation for layer in clf.network_.layers[:-1] if isinstance(layer, Dense)} == {"tanh"}


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.05), ("adam", 2e-3), ("nesterov", 2e-3)])
def test_a_stated_optimizer_learns_at_a_rate_of_its_own(optimizer: str, rate: float) -> None:
    plan = quick(optimizer=optimizer).fit(X, CLASSES).plan_
    assert (plan.optimizer, plan.learning_rate, plan.schedule) == (optimizer, rate, "cosine")
    assert (plan.weight_decay, plan.rate_by_width, plan.scaling_rate) == (0.0, False, 1.0)


@pytest.mark.parametrize("preset", ["good", "best"])
def test_accuracy_smooths_the_labels(preset: str) -> None:
    assert presets.recipe(preset, Task(100, metric="accuracy")).plan["label_smoothing"] == 0.1
    assert quick(preset=preset).fit(X, CLASSES).plan_.label_smoothing == 0.0
    assert quick(preset=preset, metric="accuracy").fit(X, CLASSES).plan_.label_smoothing == 0.1


def test_weights_of_classes_reach_every_network() -> None:
    even, tilted = (quick(max_epochs=15, class_weight=one).fit(X, CLASSES) for one in (None, {0: 20}))
    assert amount(tilted) == (5, 5)
    assert tilted.predict_proba(X)[:, 0].mean() > even.predict_proba(X)[:, 0].mean()


# --- going on, files and bits ---


def test_a_fitted_model_is_gone_on_with() -> None:
    clf = quick(warm_start=True).fit(X, CLASSES)
    network, first = clf.network_, clf.predict_logits(X)
    clf.fit(X, CLASSES)
    assert clf.network_ == network
    assert amount(clf) == (5, 5)
    assert (clf.predict_logits(X) != first).any()


def test_a_fitted_model_takes_more_rows_batch_by_batch() -> None:
    clf = quick().fit(X, CLASSES)
    network, first = clf.network_, clf.predict_logits(X)
    clf.set_params(max_epochs=None).partial_fit(X[:20], CLASSES[:20])
    assert clf.network_ == network
    assert len(clf.members_) == 5
    assert clf.plan_.numbers == "robust"
    assert (clf.predict_logits(X) != first).any()


@pytest.mark.parametrize("copies", [1, 40])
def test_batches_alone_are_learned_from_by_a_plain_network(copies: int) -> None:
    rows = np.repeat(X, copies, axis=0)
    clf = fl.Classifier(random_state=0).partial_fit(rows, np.repeat(CLASSES, copies), classes=[0, 1, 2])
    assert kinds(clf) == ["dense", "dense"]
    assert (len(clf.members_), clf.plan_.optimizer) == (1, "adam")


@pytest.mark.parametrize("preset", ["good", "best"])
def test_a_saved_model_predicts_the_same_bits(preset: str, tmp_path: Path) -> None:
    rows = WORDS.assign(size=X[:, 0])
    clf = quick(preset=preset).fit(rows, CLASSES)
    clf.save(tmp_path / "m.safetensors")
    again = fl.load(tmp_path / "m.safetensors")
    assert again.predict_logits(rows).tobytes() == clf.predict_logits(rows).tobytes()
    assert again.plan_ == clf.plan_
    assert [type(layer) for layer in again.network_.layers[:3]] == [Periodic, Embedding, Scaling]


@pytest.mark.parametrize("rows", [X, WORDS, PICTURES, SPARSE], ids=["numbers", "words", "pictures", "sparse"])
def test_one_seed_writes_one_file_with_any_number_of_threads(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    files = []
    for threads in (1, 2):
        quick(n_jobs=threads).fit(rows, CLASSES).save(tmp_path / f"{threads}")
        files.append((tmp_path / f"{threads}").read_bytes())
    assert files[0] == files[1]


# --- few rows ---


@pytest.mark.parametrize("preset", ["good", "best"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 10])
def test_few_rows_are_learned_from_or_refused_in_one_line(preset: str, n: int) -> None:
    try:
        clf = quick(preset=preset).fit(X[:n], np.arange(n) % 2)
    except InputError as error:
        assert n < 3
        assert "\n" not in str(error)
    else:
        assert amount(clf)[1] == (5 if n >= 5 else 1)
        assert np.isfinite(clf.predict_proba(X)).all()


def test_a_class_of_a_single_row_is_learned_by_the_networks_that_see_it() -> None:
    y = np.array(["a"] * (N - 2) + ["b", "c"])
    clf = quick().fit(X, y)
    assert clf.classes_.tolist() == ["a", "b", "c"]
    assert amount(clf) == (5, 5)
    assert np.isfinite(clf.predict_proba(X)).all()


@pytest.mark.parametrize("n", [2, 5, 30])
def test_classes_of_one_row_each_are_refused(n: int) -> None:
    with pytest.raises(InputError, match=f"each of the {n} classes has a single row"):
        quick().fit(X[:n], np.arange(n))
