"""Weights of rows, labels and classes: in the training, in the choice of an epoch, in the split and in the figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight

import fromlogits as fl
from fromlogits import Classifier, metrics
from fromlogits.data.encodings.category import Category
from fromlogits.data.targets import TargetEncoder
from fromlogits.errors import InputError
from fromlogits.fitting import Fit, split_off
from fromlogits.weights import Balance

N, L = 240, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
CLASSES = (X[:, 0] + 0.5 * RNG.normal(size=N) > 0.8).astype(int) + (X[:, 1] > 1)
LABELS = (X[:, :L] + 0.5 * RNG.normal(size=(N, L)) > 0.6).astype(float)
TIMES = RNG.integers(0, 4, N)
FIFTH: dict[str, Any] = {"kind": "fraction", "fraction": 0.2, "seed": 7}
SHARES = np.random.default_rng(3).dirichlet(np.ones(L), N)
ALL_ROWS: dict[str, Any] = {"early_stopping": False, "calibrate": False}
REFERENCE: dict[str, Any] = {"engine": "reference", **ALL_ROWS}


def quick(**settings: Any) -> Classifier:
    defaults: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_epochs": 4, "random_state": 0, "n_jobs": 1}
    return Classifier(**{**defaults, **settings})


def parameters(clf: Classifier) -> list[NDArray[np.float32]]:
    return [part for member in clf.members_ for layer in member.parameters for part in layer]


def are_the_same(a: Classifier, b: Classifier) -> bool:
    """Bit for bit, and so are their histories, temperatures and figures."""
    return (
        all(np.array_equal(p, q) for p, q in zip(parameters(a), parameters(b), strict=True))
        and [one.history for one in a.members_] == [one.history for one in b.members_]
        and a.calibration_ == b.calibration_
        and a.validation_metrics_ == b.validation_metrics_
    )


def are_close(a: Classifier, b: Classifier, tolerance: float) -> bool:
    return all(np.abs(p - q).max() < tolerance for p, q in zip(parameters(a), parameters(b), strict=True))


def with_unknown(share: float = 0.25, seed: int = 1) -> NDArray[np.float64]:
    return np.where(np.random.default_rng(seed).random((N, L)) < share, np.nan, LABELS)


def prepared(y: Any, weights: Any = None, **settings: Any) -> Fit:
    return quick(**settings)._prepare(X, y, sample_weight=weights)


@pytest.fixture
def features_scaled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the rows weigh: to compare weights that scale the features with those that do not."""
    monkeypatch.setattr("fromlogits.fitting.of_statistics", lambda *_: None)


# --- rows ---


@pytest.mark.parametrize(
    "y",
    [CLASSES, CLASSES > 0, LABELS, with_unknown(), SHARES, 0.9 * SHARES],
    ids=["3", "2", "labels", "unknown labels", "probabilities", "probable labels"],
)
def test_a_whole_weight_is_that_many_copies_in_a_full_batch(y: NDArray[Any]) -> None:
    copies = np.repeat(np.arange(N), TIMES)
    settings = {**REFERENCE, "batch_size": 10_000, "optimizer": "sgd", "learning_rate": 0.5, "spec": {"momentum": 0.9}}
    pictures = (50 * (X + 4)).clip(0, 255).astype(np.uint8).reshape(N, 2, 2)
    task = "multi-class" if y.ndim == 1 or y is SHARES else "multi-label"

    def fitted(rows: Any, weights: Any) -> Classifier:
        return quick(**settings, task=task).fit(pictures[rows], y[rows], weights)

    weighted = fitted(np.arange(N), 2.5 * TIMES)
    repeated = fitted(copies, None)

    assert are_close(weighted, repeated, 1e-6)
    losses = [[epoch.loss for epoch in clf.history_.epochs] for clf in (weighted, repeated)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@pytest.mark.parametrize("more", [{}, ALL_ROWS, {"ensemble": 2}], ids=["held out", "all rows", "ensemble"])
@pytest.mark.parametrize(
    "y", [CLASSES, CLASSES > 0, LABELS, with_unknown()], ids=["3", "2", "labels", "unknown labels"]
)
def test_a_row_of_weight_0_is_as_if_it_were_not_there(y: NDArray[Any], more: dict[str, Any]) -> None:
    """In the moments of the features, the split, every mini-batch, the epoch that is kept, the temperature."""
    weights, there = RNG.gamma(1.0, size=N) * (TIMES > 0), TIMES > 0
    x = X.copy()
    x[~there] *= 1000
    settings = {"task": "multi-label" if y.ndim == 2 else None, **more}

    with_zeros = quick(**settings).fit(x, y, weights)
    without = quick(**settings).fit(x[there], y[there], weights[there])

    assert are_the_same(with_zeros, without)


def test_a_row_without_a_known_label_is_as_if_it_were_not_there() -> None:
    y = with_unknown()
    y[::5] = np.nan
    there = ~np.isnan(y).all(axis=1)

    assert are_the_same(quick().fit(X, y), quick().fit(X[there], y[there]))
    assert (
        "48 rows have no known label and take no part"
        in prepared(np.where(np.arange(N)[:, None] % 5, LABELS, np.nan)).summary.notes
    )


@pytest.mark.parametrize("y", [CLASSES, LABELS], ids=["classes", "labels"])
def test_weights_that_are_all_alike_are_none_bit_for_bit(y: NDArray[Any]) -> None:
    assert are_the_same(quick().fit(X, y, np.full(N, 0.1)), quick().fit(X, y))


@pytest.mark.parametrize("y", [CLASSES, with_unknown()], ids=["classes", "labels"])
def test_scaling_every_weight_changes_nothing(y: NDArray[Any]) -> None:
    weights = RNG.gamma(1.0, size=N)
    one, other = (quick().fit(X, y, weights * by) for by in (1.0, 2.0**40))
    assert are_close(one, other, 1e-12)  # a power of two: no rounding of the weights themselves
    assert one.history_.best_epoch == other.history_.best_epoch
    assert one.temperature_ == pytest.approx(other.temperature_, rel=1e-12)


def test_weights_change_the_training() -> None:
    assert not are_close(quick().fit(X, CLASSES, np.exp(X[:, 2])), quick().fit(X, CLASSES), 1e-3)


def test_sparse_rows_are_weighted_as_the_reference_does() -> None:
    x = sparse.csr_array(np.where(np.abs(X) > 1.2, X, 0))
    settings: dict[str, Any] = {**ALL_ROWS, "batch_size": 16, "spec": {"epsilon": 1e-14}}
    native = quick(**settings).fit(x, CLASSES, TIMES)
    reference = quick(**settings, engine="reference").fit(x, CLASSES, TIMES)
    assert are_close(native, reference, 1e-4)


@pytest.mark.parametrize("kind", [list, np.float32, np.int64, pd.Series, pl.Series, np.asfortranarray])
def test_weights_come_as_any_array_and_are_not_changed(kind: Any) -> None:
    given = kind(TIMES.tolist()) if kind in (list, pd.Series, pl.Series) else kind(TIMES)
    before = np.array(given)
    assert are_the_same(quick().fit(X, CLASSES, given), quick().fit(X, CLASSES, TIMES.astype(float)))
    assert np.array_equal(np.array(given), before)


# --- rows and labels ---


def test_weights_of_labels_that_are_alike_in_a_row_are_the_rows_weight() -> None:
    for y in (LABELS, with_unknown()):
        weights = RNG.gamma(1.0, size=N)
        of_rows, of_labels = quick().fit(X, y, weights), quick().fit(X, y, np.tile(weights[:, None], L))
        assert are_close(of_rows, of_labels, 1e-6)
        assert of_rows.validation_metrics_ is not None and of_labels.validation_metrics_ is not None
        assert of_rows.validation_metrics_["log_loss"] == pytest.approx(of_labels.validation_metrics_["log_loss"])


@pytest.mark.parametrize("separate", [False, True])
def test_a_label_of_weight_0_is_an_unknown_label(separate: bool) -> None:
    unknown = with_unknown()
    settings = {"separate_networks": separate, "task": "multi-label"}
    weights = (~np.isnan(unknown)).astype(float)

    weighted = quick(**settings).fit(X, 1.0 - LABELS + np.where(np.isnan(unknown), 0, 2 * LABELS - 1), weights)
    expected = quick(**settings).fit(X, unknown)

    assert are_the_same(weighted, expected)


def test_an_unknown_label_has_no_gradient() -> None:
    """Its unit's weights stay what they were where it is never known in a training row."""
    y = LABELS.copy()
    y[:200, 1] = np.nan
    clf = quick(hidden_layer_sizes=(), max_epochs=3, **ALL_ROWS, weight_decay=0.0)
    fit = clf._prepare(X, y, sample_weight=(np.arange(N) < 200).astype(float))
    before = fit.engine.parameters()[0]
    clf._run(fit)
    after = clf.members_[0].parameters[0]
    assert np.array_equal(before[0][1], after[0][1])
    assert before[1][1] == after[1][1]
    assert (before[0][[0, 2]] != after[0][[0, 2]]).all()


@pytest.mark.usefixtures("features_scaled_alike")
def test_each_separate_network_has_its_labels_weights() -> None:
    weights = RNG.gamma(1.0, size=(N, L))
    settings: dict[str, Any] = {"separate_networks": True, "task": "multi-label", "pos_weight": [1.0, 3.0, 0.5]}
    together = quick(**settings).fit(
        X, LABELS, weights, X_val=X[:60], y_val=LABELS[:60], sample_weight_val=weights[:60]
    )
    for k, member in enumerate(together.members_):
        alone = quick(**{**settings, "pos_weight": settings["pos_weight"][k : k + 1]}).fit(
            X,
            LABELS[:, [k]],
            weights[:, [k]],
            X_val=X[:60],
            y_val=LABELS[:60, [k]],
            sample_weight_val=weights[:60, [k]],
        )
        assert member.history == alone.members_[0].history
        for a, b in zip(member.parameters, alone.members_[0].parameters, strict=True):
            assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])


# --- classes and set labels ---


@pytest.mark.parametrize("weights", [None, TIMES], ids=["rows", "weighted rows"])
def test_balanced_is_scikit_learns_formula(weights: Any) -> None:
    names = np.array(["a", "b", "c"])[CLASSES]
    found = prepared(names, weights, class_weight="balanced", **ALL_ROWS).weighed
    counted = names if weights is None else np.repeat(names, weights)
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=counted)
    assert found is not None
    assert found["class_weight"] == pytest.approx(expected)


@pytest.mark.usefixtures("features_scaled_alike")
@pytest.mark.parametrize("y", [CLASSES, CLASSES > 0], ids=["softmax", "sigmoid"])
def test_a_class_weight_multiplies_the_weight_of_the_rows(y: NDArray[Any]) -> None:
    of_classes = {False: 3.0, True: 0.5} if y.dtype == bool else {0: 3.0, 2: 0.5}
    by_row = np.array([of_classes.get(value, 1.0) for value in y.tolist()])
    settings = {"class_weight": of_classes}
    a, b = quick(**settings, **ALL_ROWS).fit(X, y, TIMES), quick(**ALL_ROWS).fit(X, y, TIMES * by_row)
    assert are_close(a, b, 1e-7)

    # And where an epoch is chosen; only the figures at the end count the rows by their own weight.
    a, b = quick(**settings).fit(X, y), quick().fit(X, y, by_row)
    assert a.history_ == b.history_
    assert a.calibration_ == b.calibration_
    assert a.validation_metrics_ != b.validation_metrics_


def test_balanced_positives_weigh_what_the_others_do() -> None:
    for y in (LABELS, with_unknown()):
        found = prepared(y, TIMES, pos_weight="balanced", **ALL_ROWS).weighed
        assert found is not None
        for k, weight in enumerate(found["pos_weight"]):
            assert weight == pytest.approx(TIMES[y[:, k] == 0].sum() / TIMES[y[:, k] == 1].sum())


@pytest.mark.usefixtures("features_scaled_alike")
def test_a_positive_weight_is_the_weight_of_set_labels() -> None:
    """Of hard targets; but for the mean of the weights, which a positive weight has no part in."""
    of_labels = [2.0, 0.25, 10.0]
    by_entry = np.where(LABELS == 1, of_labels, 1.0)
    settings = {**REFERENCE, "optimizer": "sgd", "batch_size": 1000, "learning_rate": 0.25}
    positive = quick(**settings, pos_weight=of_labels).fit(X, LABELS)
    by_weight = quick(**{**settings, "learning_rate": 0.25 * by_entry.mean(axis=1).mean()}).fit(X, LABELS, by_entry)
    assert are_close(positive, by_weight, 1e-6)


def test_a_positive_weight_has_the_closed_form_of_a_constant_model() -> None:
    """Without an input that says anything the best logit of w p log a + (1 - p) log(1 - a) is log(w p / (1 - p))."""
    y = np.zeros((400, 2))
    y[:100, 0], y[:200, 1] = 1, 1
    clf = quick(
        hidden_layer_sizes=(), pos_weight={0: 5.0, 1: 0.2}, **ALL_ROWS, optimizer="adam", learning_rate=0.1,
        max_epochs=400, batch_size=400,
    )  # fmt: skip
    logits = clf.fit(np.ones((400, 1)), y).predict_logits(np.ones((1, 1)))[0]
    assert logits == pytest.approx([np.log(5 * 0.25 / 0.75), np.log(0.2)], abs=1e-3)


@pytest.mark.parametrize(
    ("setting", "same"),
    [
        ({"pos_weight": 3}, {"pos_weight": [3, 3, 3]}),
        ({"pos_weight": np.array([1, 2, 3])}, {"pos_weight": {1: 2, "2": 3.0}}),
        ({"pos_weight": (1, 1, 1)}, {}),
    ],
)
def test_positive_weights_are_written_in_several_ways(setting: dict[str, Any], same: dict[str, Any]) -> None:
    assert are_the_same(quick(**setting).fit(X, LABELS), quick(**same).fit(X, LABELS))


def test_class_weights_are_named_by_the_text_of_the_class_too() -> None:
    weights = {0: 2.0, 1: 1.0, 2: 4.0}
    assert are_the_same(
        quick(class_weight=weights).fit(X, CLASSES),
        quick(class_weight={str(name): weight for name, weight in weights.items()}).fit(X, CLASSES),
    )


def test_a_class_without_a_row_that_counts_is_no_part_of_the_balance() -> None:
    weights = (CLASSES != 2).astype(float)
    fit = prepared(CLASSES, weights, class_weight="balanced", **ALL_ROWS)
    assert fit.weighed is not None
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=CLASSES[CLASSES != 2])
    assert fit.weighed["class_weight"] == pytest.approx([*expected, 1.0])
    assert "no training row of these classes weighs more than 0; they are not learned: 2" in fit.summary.notes


# --- what else honours them ---


def test_the_rows_held_out_are_those_of_the_rows_that_count() -> None:
    target = TargetEncoder.fit(CLASSES)
    rows, held_out = split_off(FIFTH, CLASSES, TIMES.astype(float), target)
    there = np.flatnonzero(TIMES)
    assert held_out is not None
    assert set(rows) | set(held_out) == set(there)
    expected = split_off(FIFTH, CLASSES[there], None, target)
    assert expected[1] is not None
    assert np.array_equal(rows, there[expected[0]])
    assert np.array_equal(held_out, there[expected[1]])


def test_an_unknown_label_is_no_example_for_the_split() -> None:
    y = LABELS.copy()
    y[:, 1] = np.nan
    y[[3, 9], 1] = 1
    for seed in range(10):
        rows, held_out = split_off({**FIFTH, "seed": seed}, y, None, TargetEncoder.fit(y))
        assert (y[rows, 1] == 1).any()
        assert held_out is not None and len(held_out) == 48


@pytest.mark.parametrize("y", [CLASSES, with_unknown()], ids=["classes", "labels"])
def test_evaluate_and_score_honour_weights(y: NDArray[Any]) -> None:
    clf = quick().fit(X, y)
    copies = np.repeat(np.arange(N), TIMES)
    weighted, repeated = clf.evaluate(X, y, TIMES), clf.evaluate(X[copies], y[copies])
    assert weighted["log_loss"] == repeated["log_loss"]
    assert clf.score(X, y, TIMES) == clf.score(X[copies], y[copies]) != clf.score(X, y)


def test_validation_rows_count_by_their_weight() -> None:
    weights = TIMES[:60].astype(float)
    copies = np.repeat(np.arange(60), TIMES[:60])
    a = quick(calibrate=False).fit(X, CLASSES, X_val=X[:60], y_val=CLASSES[:60], sample_weight_val=weights)
    b = quick(calibrate=False).fit(X, CLASSES, X_val=X[copies], y_val=CLASSES[copies])
    assert [epoch.validation for epoch in a.history_.epochs] == [epoch.validation for epoch in b.history_.epochs]
    assert a.validation_metrics_ == b.validation_metrics_


def test_an_epoch_is_chosen_by_weighted_rows() -> None:
    fit = prepared(CLASSES, TIMES, class_weight={2: 5.0})
    validation = fit.untrained[0].validation
    assert validation is not None and validation.rows is not None
    logits_nc = np.random.default_rng(0).normal(size=(len(validation.rows), 3)).astype(np.float32)
    by_row = TIMES[validation.rows].astype(np.float64) * np.where(CLASSES[validation.rows] == 2, 5.0, 1.0)
    expected = metrics.value("log_loss", "multi-class", logits_nc, CLASSES[validation.rows], weights=by_row)
    assert validation.value(logits_nc) == expected


def test_a_model_file_keeps_what_was_weighed(tmp_path: Any) -> None:
    names = np.array(["a", "b", "c"])[CLASSES]
    clf = quick(class_weight="balanced").fit(X, names, TIMES)
    clf.save(tmp_path / "m.safetensors")
    loaded = fl.load(tmp_path / "m.safetensors")
    assert loaded.record_ == clf.record_
    assert loaded.record_["weights"]["rows"] is True
    assert loaded.class_weight == dict(zip("abc", loaded.record_["weights"]["class_weight"], strict=True))
    assert are_the_same(loaded.fit(X, names, TIMES), clf)

    labels = quick(pos_weight=[1, 2, 3]).fit(X, LABELS)
    assert labels.record_["weights"] == {"rows": False, "class_weight": None, "pos_weight": [1.0, 2.0, 3.0]}
    assert "weights" not in quick().fit(X, CLASSES).record_


# --- what is refused ---

BAD = {
    "too few": (np.ones(5), "sample_weight must have shape (240,), one for each row; got (5,)."),
    "two columns": (np.ones((N, 2)), "sample_weight must have shape (240,), one for each row; got (240, 2)."),
    "a number": (2.0, "sample_weight must have shape (240,), one for each row; got ()."),
    "negative": (
        np.where(np.arange(N) == 7, -1.0, 1),
        "sample_weight must be finite and at least 0; got -1 at row 7.",
    ),
    "NaN": (np.where(np.arange(N) == 7, np.nan, 1), "sample_weight must be finite and at least 0; got nan at row 7."),
    "all 0": (np.zeros(N), "sample_weight must not be zero in every row."),
    "text": (["a"] * N, "sample_weight must be numbers, one for each row; got a list of other things."),
    "a name": ("w", "sample_weight must be numbers, one for each row; got 'w'."),
    "None among them": ([None, *[1.0] * (N - 1)], "sample_weight must be finite and at least 0; got nan at row 0."),
}


@pytest.mark.parametrize("name", BAD)
def test_weights_that_are_none_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError) as caught:
        quick().fit(X, CLASSES, BAD[name][0])
    assert str(caught.value) == BAD[name][1]


def test_weights_of_labels_are_checked_label_by_label() -> None:
    weights = np.ones((N, L))
    weights[3, 1] = np.inf
    with pytest.raises(InputError, match=r"^sample_weight must be finite and at least 0; got inf at row 3, label 1\.$"):
        quick().fit(X, LABELS, weights)
    with pytest.raises(InputError, match=r"shape \(240,\) or \(240, 3\), one for each row, or for each label of each"):
        quick().fit(X, LABELS, np.ones((N, L + 1)))
    with pytest.raises(InputError, match=r"^no row takes part: in each of them every label is unknown or weighs 0\.$"):
        quick().fit(X, with_unknown(), np.isnan(with_unknown()).astype(float))
    with pytest.raises(InputError, match=r"^sample_weight_val is of the rows X_val, which are missing\.$"):
        quick().fit(X, LABELS, sample_weight_val=np.ones(N))


@pytest.mark.parametrize(
    ("y", "settings", "message"),
    [
        (CLASSES, {"pos_weight": 2.0}, "pos_weight is for labels; this target has one class per row"),
        (LABELS, {"class_weight": "balanced"}, "class_weight is for one class per row; for labels pos_weight says"),
        (
            CLASSES,
            {"class_weight": "blanced"},
            "class_weight must be 'balanced', or a dict of each class's weight; got",
        ),
        (CLASSES, {"class_weight": {5: 1.0}}, r"class_weight names the class 5, which the target does not have \(0, 1"),
        (CLASSES, {"class_weight": {0: 0.0}}, r"class_weight must be finite and above 0; got 0.0 for class 0\."),
        (CLASSES, {"class_weight": {0: 1.0, "0": 2.0}}, r"class_weight names the class 0 twice\."),
        (LABELS, {"pos_weight": [1.0, 2.0]}, "pos_weight must have one weight for each of the 3 labels; got"),
        (LABELS, {"pos_weight": [1.0, 2.0, -1.0]}, "pos_weight must be finite and above 0; got -1.0 for label 2"),
        (LABELS, {"pos_weight": np.inf}, "pos_weight must be finite and above 0; got inf"),
        (LABELS, {"pos_weight": True}, "pos_weight must be 'balanced', a number, one number for each label"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(y: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        quick(**settings).fit(X, y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("setting", ["class_weight", "pos_weight"])
@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_probabilities_have_no_weights_of_classes_or_labels(task: str, setting: str) -> None:
    with pytest.raises(
        InputError, match=f"^{setting} is for classes and labels that hold or do not; this target holds"
    ):
        quick(task=task, **{setting: "balanced"}).fit(X, SHARES)


SETS = [None if row % 11 == 5 else set(np.flatnonzero(LABELS[row]).tolist()) for row in range(N)]
OF_SETS = np.array([[np.nan] * L if row is None else [label in row for label in range(L)] for row in SETS], float)


@pytest.mark.parametrize(
    "weights", [None, TIMES, RNG.random((N, L)) * (RNG.random((N, L)) > 0.2)], ids=["1", "n", "nc"]
)
@pytest.mark.parametrize(
    "settings",
    [{}, {"pos_weight": 2.0}, {"pos_weight": "balanced"}, {"separate_networks": True}, ALL_ROWS],
    ids=["plain", "positive", "balanced", "separate", "all rows"],
)
def test_sets_of_labels_are_weighted_as_their_matrix(weights: Any, settings: dict[str, Any]) -> None:
    clf = quick(task="multi-label", **settings)
    assert are_the_same(clf.fit(X, SETS, weights), quick(task="multi-label", **settings).fit(X, OF_SETS, weights))


def test_nothing_said_is_no_balance() -> None:
    target = TargetEncoder.fit(CLASSES)
    assert Balance.fit(None, None, target, CLASSES, None, np.arange(N)).is_even


@pytest.mark.parametrize("kind", ["group", "time"])
def test_groups_and_times_of_rows_of_weight_0_are_as_if_they_were_not_there(kind: str) -> None:
    of_rows = {f"{kind}s": np.arange(N)[::-1] // 7}
    there = np.flatnonzero(TIMES)
    whole = quick().fit(X, CLASSES, TIMES, **of_rows)
    part = quick().fit(X[there], CLASSES[there], TIMES[there], **{name: rows[there] for name, rows in of_rows.items()})
    assert are_the_same(whole, part)
    assert whole.record_["split"]["kind"] == kind


# --- what is learned of the features ---


def table_of(rows: NDArray[Any]) -> pd.DataFrame:
    """Every kind of column, with gaps; whether a column's value is rare depends on the weights."""
    rng = np.random.default_rng(5)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, N), "D")
    return pd.DataFrame({
        "number": np.where(rng.random(N) < 0.1, np.nan, rng.gamma(2.0, size=N)),
        "without gaps": X[:, 0],
        "town": [None if draw < 4 else f"town {draw % 60}" for draw in rng.integers(0, 120, N)],
        "rating": rng.integers(1, 5, N),
        "day": days.to_series().dt.date.to_numpy(),
    }).iloc[rows].reset_index(drop=True)  # fmt: skip


def town_of(clf: Classifier) -> tuple[tuple[str, ...], int]:
    """The towns that are known by name, and how many are rare."""
    assert clf.encoder_.table is not None
    town = clf.encoder_.table.columns[2]
    assert isinstance(town, Category)
    return town.values, town.n_rare


def sparse_of(rows: NDArray[Any]) -> Any:
    return sparse.csr_array(np.where(np.abs(X[rows]) > 1.2, X[rows] * [1, 100, 1, 1], 0))


def gappy_of(rows: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(np.abs(X[rows]) < 0.2, np.nan, X[rows])


FORMS: dict[str, Any] = {
    "array": lambda rows: X[rows],
    "array with gaps": gappy_of,
    "frame": table_of,
    "sparse": sparse_of,
    "pictures": lambda rows: (50 * (X[rows] + 4)).clip(0, 255).astype(np.uint8).reshape(-1, 2, 2),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("y", [CLASSES, LABELS], ids=["classes", "labels"])
def test_a_whole_weight_is_that_many_copies_from_the_columns_on(form: str, y: NDArray[Any]) -> None:
    """Means, spreads, medians, rare values and the steps of a full batch."""
    times = np.random.default_rng(9).integers(0, 5, N)
    copies = np.repeat(np.arange(N), times)
    settings = {**REFERENCE, "batch_size": 10_000, "optimizer": "sgd", "learning_rate": 0.5}
    settings["task"] = "multi-label" if y.ndim == 2 else None
    of = FORMS[form]

    weighted = quick(**settings).fit(of(np.arange(N)), y, times)
    repeated = quick(**settings).fit(of(copies), y[copies])
    unweighted = quick(**settings).fit(of(np.arange(N)), y)

    assert are_close(weighted, repeated, 1e-6)
    logits_nc = [clf.predict_logits(of(np.arange(N))) for clf in (weighted, repeated, unweighted)]
    assert np.allclose(logits_nc[0], logits_nc[1], rtol=0, atol=1e-5)
    assert not np.allclose(logits_nc[0], logits_nc[2], rtol=0, atol=1e-2)
    if form == "frame":
        towns = [town_of(clf) for clf in (weighted, repeated, unweighted)]
        assert towns[0] == towns[1] != towns[2]


@pytest.mark.parametrize("form", [name for name in FORMS if name != "frame"])
def test_only_the_ratios_of_weights_matter_to_moments(form: str) -> None:
    weights = np.random.default_rng(2).gamma(1.0, size=N)
    one, other = (quick(**ALL_ROWS).fit(FORMS[form](np.arange(N)), CLASSES, weights * by) for by in (1.0, 2.0**1000))
    assert one.encoder_.to_json() == other.encoder_.to_json()
    for name, tensor in one.encoder_.tensors().items():
        assert np.array_equal(tensor, other.encoder_.tensors()[name])


@pytest.mark.parametrize("setting", [{"class_weight": "balanced"}, {"class_weight": {0: 5.0}}])
def test_weights_of_classes_do_not_scale_the_columns(setting: dict[str, Any]) -> None:
    weighed, plain = (prepared(CLASSES, TIMES, **more).encoder.tensors() for more in (setting, {}))
    assert all(np.array_equal(weighed[name], plain[name]) for name in plain)


def test_weights_that_are_not_whole_leave_it_to_the_rows_which_values_are_rare() -> None:
    table = table_of(np.arange(N))
    weights = np.random.default_rng(2).gamma(1.0, size=N)
    plain, weighted, scaled = (
        town_of(quick(**ALL_ROWS).fit(table, CLASSES, weight)) for weight in (None, weights, weights / 1000)
    )
    assert plain == weighted == scaled


def test_the_first_batch_of_partial_fit_is_scaled_by_its_weights() -> None:
    copies = np.repeat(np.arange(N), TIMES)
    weighted = quick().partial_fit(X, CLASSES, classes=[0, 1, 2], sample_weight=TIMES)
    repeated = quick().partial_fit(X[copies], CLASSES[copies], classes=[0, 1, 2])
    tensors = weighted.encoder_.tensors()
    assert len(tensors) == 2
    for name, tensor in tensors.items():
        assert np.allclose(tensor, repeated.encoder_.tensors()[name], rtol=1e-12, atol=1e-12)
