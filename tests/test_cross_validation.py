from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

import fromlogits as fl
from fromlogits import Classifier
from fromlogits.cross_validation import cross_validate
from fromlogits.data.splits import folds, time_folds
from fromlogits.errors import InputError


def blobs(n_classes: int, n: int = 200, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    return rng.normal(size=(n, 3)) + 1.5 * y[:, None], np.array(["ant", "bee", "cow", "dog"])[y]


def quick(**settings: Any) -> fl.Classifier:
    return fl.Classifier(**{"hidden_layer_sizes": (5,), "max_epochs": 3, "random_state": 7, **settings})


@pytest.mark.parametrize("n_classes", [2, 4])
def test_each_fold_is_the_training_on_the_other_rows_alone(n_classes: int) -> None:
    x, y = blobs(n_classes)
    found = cross_validate(quick(), x, y, n_folds=4)

    codes = np.unique(y, return_inverse=True)[1]
    np.testing.assert_array_equal(found.fold_of, folds(codes, n_classes, 4, 7))
    for number, fold in enumerate(found.folds):
        judged = found.fold_of == number
        clf = quick().fit(x[~judged], y[~judged])
        np.testing.assert_array_equal(found.probabilities[judged], clf.predict_proba(x[judged]))
        np.testing.assert_array_equal(found.predicted[judged], clf.predict(x[judged]))
        of_fold = clf.evaluate(x[judged], y[judged])
        assert fold.figures == {name: of_fold[name] for name in ("accuracy", "log_loss")}
        assert (fold.n_train + fold.n_validation, len(fold.rows)) == ((~judged).sum(), judged.sum())


def test_figures_are_of_all_rows_together() -> None:
    x, y = blobs(3)
    found = cross_validate(quick(), x, y)

    assert found.figures["accuracy"] == accuracy_score(y, found.predicted)
    probabilities = found.probabilities.astype(np.float64)
    expected = log_loss(y, probabilities / probabilities.sum(axis=1, keepdims=True))
    assert found.figures["log_loss"] == pytest.approx(expected, rel=1e-6)  # float32 probabilities
    accuracies = [fold.figures["accuracy"] for fold in found.folds]
    assert found.over_folds()["accuracy"] == pytest.approx((np.mean(accuracies), np.std(accuracies, ddof=1)))


def test_an_interval_of_a_share_is_about_the_binomial_one() -> None:
    x, y = blobs(3, 900)
    found = cross_validate(quick(), x, y)
    low, high = found.intervals["accuracy"]
    share = found.figures["accuracy"]

    assert low < share < high
    # 1,000 resamples give a quantile to about a tenth of a standard deviation.
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 900), rel=0.12)
    assert cross_validate(quick(), x, y).intervals == found.intervals


def test_rows_of_a_group_widen_the_interval_when_they_are_alike() -> None:
    x, y = blobs(3, 60)
    x, y, groups = np.repeat(x, 10, axis=0), np.repeat(y, 10), np.repeat(np.arange(60), 10)
    by_rows, by_groups = cross_validate(quick(), x, y), cross_validate(quick(), x, y, groups=groups)

    low, high = by_rows.intervals["accuracy"]
    wide_low, wide_high = by_groups.intervals["accuracy"]
    assert wide_high - wide_low > 2 * (high - low)  # √10 times, were the figures the same
    assert all(len(set(by_groups.fold_of[groups == group].tolist())) == 1 for group in range(60))


def test_labels() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    y = (x[:, :3] + rng.normal(size=(150, 3)) > [0, 0.8, 1.5]).astype(int)
    found = cross_validate(quick(task="multi-label"), x, y, n_folds=3)

    for number in range(3):
        judged = found.fold_of == number
        clf = quick(task="multi-label").fit(x[~judged], y[~judged])
        np.testing.assert_array_equal(found.probabilities[judged], clf.predict_proba(x[judged]))
    assert found.figures["micro_f1"] == pytest.approx(f1_score(y, found.predicted, average="micro"))
    expected = {"subset_accuracy", "hamming_loss", "micro_f1", "macro_f1", "macro_roc_auc", "log_loss", "brier"}
    assert set(found.intervals) == expected
    for name, (low, high) in found.intervals.items():
        assert low < found.figures[name] < high


def test_a_class_that_a_training_did_not_see_has_probability_0_and_counts_as_wrong() -> None:
    x, y = blobs(3)
    y[0] = "dog"
    found = cross_validate(quick(), x, y)

    assert found.probabilities.shape == (200, 4)
    assert found.probabilities[0, 3] == 0
    assert found.figures["unknown_class_rows"] == 1
    assert found.figures["accuracy"] == accuracy_score(y, found.predicted)


def test_of_three_classes_a_training_may_see_two() -> None:
    x, y = blobs(2)
    y[5] = "cow"
    found = cross_validate(quick(), x, y)
    judged = found.fold_of == found.fold_of[5]
    clf = quick().fit(x[~judged], y[~judged])

    assert clf.classes_.tolist() == ["ant", "bee"]
    expected = clf.predict_proba(x[judged])
    np.testing.assert_allclose(found.probabilities[judged][:, :2], expected, rtol=2e-7)  # a last place
    assert (found.probabilities[judged][:, 2] == 0).all()


def test_with_times_each_training_is_on_earlier_rows() -> None:
    x, y = blobs(3)
    times = np.random.default_rng(1).permutation(200)
    found = cross_validate(quick(), x, y, n_folds=3, times=times)

    np.testing.assert_array_equal(found.fold_of, time_folds(times, 3))
    for number in range(3):
        judged, earlier = found.fold_of == number, found.fold_of < number
        clf = quick().fit(x[earlier], y[earlier], times=times[earlier])
        np.testing.assert_array_equal(found.probabilities[judged], clf.predict_proba(x[judged]))
        assert times[earlier].max() < times[judged].min()


def test_groups_need_no_held_out_rows() -> None:
    x, y = blobs(3)
    groups = np.arange(200) // 5
    found = cross_validate(quick(early_stopping=False, calibrate=False), x, y, groups=groups)
    assert [fold.n_validation for fold in found.folds] == [0] * 5


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"n_folds": 1}, r"n_folds \(--folds\) must be a whole number from 2; got 1"),
        ({"n_folds": 201}, "200 rows can't make 201 folds"),
        ({"groups": np.zeros(200, int)}, "1 group of rows can't make 5 folds; each fold needs one"),
        ({"times": np.arange(200) % 4}, "4 different times can't make 5 folds in time"),
        ({"times": np.arange(200), "groups": np.arange(200)}, "both say which rows make a fold"),
    ],
)
def test_what_makes_no_folds_is_refused(more: dict[str, Any], says: str) -> None:
    x, y = blobs(3)
    with pytest.raises(InputError, match=says):
        cross_validate(quick(), x, y, **more)


def test_a_fold_that_can_not_be_trained_is_named() -> None:
    x, _ = blobs(2, 21)
    y = np.array(["ant"] * 10 + ["bee"] * 11)  # the first seven rows are all there is to train on for fold 1
    with pytest.raises(InputError, match="fold 1 of 2: the target must have at least 2 classes"):
        cross_validate(quick(), x, y, n_folds=2, times=np.arange(21))


def test_rows_of_weight_0_are_as_if_they_were_not_there() -> None:
    rng = np.random.default_rng(5)
    features, weights = rng.normal(size=(90, 3)), rng.integers(0, 3, 90)
    labels = np.where(features[:, 0] > 0, "yes", "no")
    there = np.flatnonzero(weights)
    clf = Classifier(hidden_layer_sizes=(), max_epochs=2, random_state=0, class_weight={"yes": 2})
    whole = cross_validate(clf, features, labels, n_folds=3, sample_weight=weights)
    part = cross_validate(clf, features[there], labels[there], n_folds=3, sample_weight=weights[there])
    assert (whole.figures, whole.intervals) == (part.figures, part.intervals)
    assert np.array_equal(whole.logits[there], part.logits)
    assert (whole.fold_of[weights == 0] == -1).all()
    unweighted = cross_validate(clf, features[there], labels[there], n_folds=3)
    assert unweighted.figures["log_loss"] != part.figures["log_loss"]


@pytest.mark.parametrize("weights", [None, "rows", "labels"])
def test_sets_of_labels_are_judged_as_their_matrix(weights: str | None) -> None:
    """They stay sparse; a row of which nothing is known takes no part."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    matrix = (x[:, :3] + rng.normal(size=(150, 3)) > [0, 0.8, 1.5]).astype(float)
    matrix[::10] = np.nan
    sets: list[Any] = [None if np.isnan(row[0]) else set(np.flatnonzero(row).tolist()) for row in matrix]
    weight = {None: None, "rows": rng.integers(0, 3, 150), "labels": rng.random((150, 3))}[weights]
    of_sets, of_matrix = (
        cross_validate(quick(pos_weight={0: 2}), x, y, n_folds=3, sample_weight=weight) for y in (sets, matrix)
    )
    assert np.array_equal(of_sets.fold_of, of_matrix.fold_of)
    assert np.array_equal(of_sets.logits, of_matrix.logits)
    assert (of_sets.figures, of_sets.intervals) == (of_matrix.figures, of_matrix.intervals)
    assert [fold.figures for fold in of_sets.folds] == [fold.figures for fold in of_matrix.folds]
    assert (of_sets.fold_of[::10] == -1).all()
