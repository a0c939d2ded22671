"""Targets that are probabilities: of classes, or of each label on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fromlogits import Classifier, softmax_cross_entropy
from fromlogits.data.sources import read
from fromlogits.data.targets import TargetEncoder
from fromlogits.decisions.held_out import HeldOut
from fromlogits.decisions.temperature import fit_temperature
from fromlogits.errors import InputError

SHARES = [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0], [0.5, 0.125, 0.375]]
LOOSE = [[0.25, 0.75, 0.5], [0.0, 0.0, 1.0], [0.5, 0.125, 0.0]]
AMBIGUOUS = (
    "the target has 3 columns of numbers between 0 and 1: say whether each row holds the probabilities of classes,"
    " which sum to 1 (task='multi-class', --task multi-class), or each column how probable a label is"
    " (task='multi-label', --task multi-label)."
)


@pytest.mark.parametrize("y", [SHARES, LOOSE, pd.DataFrame(SHARES)], ids=["sum to 1", "do not", "frame"])
def test_probabilities_need_the_task(y: Any) -> None:
    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(y)

    assert str(caught.value) == AMBIGUOUS


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_probabilities_are_kept_as_they_are(task: str) -> None:
    encoder = TargetEncoder.fit(pd.DataFrame(SHARES, columns=["a", "b", "c"]), task)

    assert (encoder.task, encoder.classes) == (task, ("a", "b", "c"))
    assert encoder.encode(SHARES).dtype == np.float32
    assert encoder.encode(SHARES).tolist() == SHARES
    assert encoder.encode(pd.DataFrame(SHARES, columns=["b", "a", "c"])).tolist() == [[y, x, z] for x, y, z in SHARES]
    assert TargetEncoder.fit(SHARES, task).classes == (0, 1, 2)


def test_a_split_goes_by_the_largest_probability_or_by_the_labels_above_one_half() -> None:
    for task, strata in (("multi-class", [1, 2, 0]), ("multi-label", [[0, 1, 0], [0, 0, 1], [0, 0, 0]])):
        encoder = TargetEncoder.fit(SHARES, task)
        assert np.asarray(encoder.strata(encoder.encode(SHARES)), int).tolist() == strata


@pytest.mark.parametrize(
    ("y", "task", "expected"),
    [
        (
            LOOSE,
            "multi-class",
            "task='multi-class' needs probabilities that sum to 1 in each row; row 0 has 1.5 (2 of 3 rows do not)."
            " task='multi-label' takes any.",
        ),
        (
            [[0.5, 1.5], [1.0, 0.0]],
            "multi-label",
            "a target with several columns must hold 0 and 1 (multi-label), or probabilities; row"
            " 0, column 1, has 1.5.",
        ),
        (
            [[0.5, -0.5], [1.0, 0.0]],
            None,
            "a target with several columns must hold 0 and 1 (multi-label), or probabilities; row"
            " 0, column 1, has -0.5.",
        ),
        (
            [0.25, 0.75],
            None,
            "the target must name classes; row 0 has 0.25, which looks like a measured"
            " value: put it into classes first (Unknown label type: continuous).",
        ),
    ],
)
def test_what_can_be_no_probabilities_is_refused(y: Any, task: str | None, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(y, task)

    assert str(caught.value) == expected


def test_sums_may_be_off_by_their_rounding() -> None:
    thirds = np.full((4, 3), 1 / 3, np.float32)

    assert TargetEncoder.fit(thirds, "multi-class").encode(thirds).tolist() == thirds.tolist()


def test_label_columns_of_a_file_may_hold_probabilities(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,p:a,p:b\n1,0.25,0.75\n2,1,0\n3,0,1.0\n")
    target = read(tmp_path / "t.csv", target="p:*").targets

    assert TargetEncoder.fit(target, "multi-class").encode(target).tolist() == [[0.25, 0.75], [1, 0], [0, 1]]
    with pytest.raises(InputError, match="2 columns of numbers between 0 and 1"):
        TargetEncoder.fit(target)


# --- the classifier ---

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3)).astype(np.float32)
Z = X @ RNG.normal(size=(3, 4)) * 2
P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("k", [2, 4])
def test_a_network_learns_the_probabilities_that_it_is_given(engine: str, k: int) -> None:
    given = P[:, :k] / P[:, :k].sum(axis=1, keepdims=True)
    clf = Classifier(
        hidden_layer_sizes=(), task="multi-class", learning_rate=0.05, max_epochs=60, early_stopping=False,
        calibrate=False, engine=engine, random_state=0,
    ).fit(X, given)  # fmt: skip

    # The teacher is a softmax of linear logits, so the student can be it: nothing remains but the optimizer's steps.
    assert np.abs(clf.predict_proba(X) - given).max() < 0.02
    assert clf.network_.n_outputs == (1 if k == 2 else k)
    assert clf.classes_.tolist() == list(range(k))


@pytest.mark.parametrize("k", [2, 4])
def test_figures_of_probabilities_are_cross_entropy_and_the_largest(k: int) -> None:
    given = (P[:, :k] / P[:, :k].sum(axis=1, keepdims=True)).astype(np.float32)
    clf = Classifier(hidden_layer_sizes=(5,), task="multi-class", max_epochs=3, random_state=0).fit(X, given)
    figures = clf.evaluate(X, given)
    log_p = clf.predict_log_proba(X).astype(np.float64)

    assert figures["log_loss"] == pytest.approx(-(given * log_p).sum(axis=1).mean(), rel=1e-6)
    assert figures["accuracy"] == (clf.predict(X) == given.argmax(axis=1)).mean() == clf.score(X, given)
    if k == 4:
        assert figures["log_loss"] == pytest.approx(softmax_cross_entropy(clf.predict_logits(X), given), rel=1e-7)


def test_probabilities_of_labels_train_each_label_on_its_own() -> None:
    given = 1 / (1 + np.exp(-Z))
    clf = Classifier(
        hidden_layer_sizes=(), task="multi-label", learning_rate=0.05, max_epochs=60, early_stopping=False,
        calibrate=False, random_state=0,
    ).fit(X, given)  # fmt: skip

    assert np.abs(clf.predict_proba(X) - given).max() < 0.03
    assert clf.evaluate(X, given)["subset_accuracy"] > 0.9


def temperature_of(logits_nc: Any, given: Any, head: Any) -> float:
    rows = HeldOut.of(logits_nc, given, head)
    assert rows is not None
    return fit_temperature(rows)


def loss_at(temperature: float, logits_nc: Any, t_nc: Any, head: str, n: int) -> float:
    """The smoothed cross-entropy, written out."""
    z_nc = logits_nc.astype(float) / temperature
    eps = 1 / (n + 1)
    if head == "softmax":
        t_nc = (1 - eps) * t_nc + eps / t_nc.shape[1]
        return float((np.log(np.exp(z_nc).sum(axis=1)) - (t_nc * z_nc).sum(axis=1)).mean())
    c = t_nc.shape[1]
    t_nc = (1 - eps) * t_nc + eps * ((1 - 1 / c) * t_nc.mean(axis=0) + 1 / c / 2)
    return float((np.logaddexp(0, z_nc) - t_nc * z_nc).mean())


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_the_temperature_of_probabilities_is_where_they_lose_least(head: Any) -> None:
    given = (P if head == "softmax" else 1 / (1 + np.exp(-Z))).astype(np.float32)
    logits_nc = (2.5 * Z + RNG.normal(size=Z.shape)).astype(np.float32)

    temperature = temperature_of(logits_nc, given, head)

    at = [loss_at(temperature * by, logits_nc, given, head, len(Z)) for by in (0.999, 1.0, 1.001)]
    assert at[1] < min(at[0], at[2])
    assert temperature > 1.5


def test_two_classes_share_one_unit_in_calibration() -> None:
    two = np.stack([1 - P[:, 0], P[:, 0]], axis=1).astype(np.float32)
    logits_nc = (3 * Z[:, :1]).astype(np.float32)

    assert temperature_of(logits_nc, two, "sigmoid") == temperature_of(logits_nc, two[:, [1]], "sigmoid")
