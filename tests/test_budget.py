"""A time limit: what is chosen before the training, what is stopped within it, and that it is obeyed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits import budget, fitting, training
from fromlogits.budget import Amount, choose
from fromlogits.engines.native import NativeEngine
from fromlogits.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 5))
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 3] > 1], axis=1).astype(int)


def quick(**settings: Any) -> fl.Classifier:
    return fl.Classifier(
        **{"hidden_layer_sizes": (6,), "max_epochs": 8, "patience": 3, "random_state": 7, "n_jobs": 1, **settings}
    )


# --- what is chosen ---


@pytest.mark.parametrize(
    ("seconds", "planned", "fewest", "chosen", "fits"),
    [
        (80, Amount(8, 100), 1, Amount(8, 100), True),
        (79, Amount(8, 100), 1, Amount(7, 100), True),
        (10, Amount(8, 100), 1, Amount(1, 100), True),
        (9.95, Amount(8, 100), 1, Amount(1, 99), True),
        (0.1, Amount(8, 100), 1, Amount(1, 1), True),
        (0.09, Amount(8, 100), 1, Amount(1, 1), False),
        (-5, Amount(8, 100), 1, Amount(1, 1), False),
        (55, Amount(8, 100), 4, Amount(5, 100), True),
        (40, Amount(8, 100), 4, Amount(4, 100), True),
        (39, Amount(8, 100), 4, Amount(4, 97), True),
        (0.4, Amount(8, 100), 4, Amount(4, 1), True),
        (0.3, Amount(8, 100), 4, Amount(3, 1), True),
        (0.05, Amount(8, 100), 4, Amount(1, 1), False),
    ],
)
def test_networks_are_given_up_before_epochs_and_the_first_round_of_folds_last(
    seconds: float, planned: Amount, fewest: int, chosen: Amount, fits: bool
) -> None:
    # 100 epochs of a network take 10 s.
    found = choose(seconds, planned, fewest, lambda n_rounds: 10.0 * n_rounds)
    assert found == (chosen, fits)


def test_what_is_left_out_is_said() -> None:
    def words(chosen: Amount, *, fits: bool = True) -> str:
        return budget.Limit(60.0, 0.0, Amount(8, 100), chosen, fits).words

    assert words(Amount(8, 100)) == ""
    assert words(Amount(5, 100)) == "the time limit of 60 s leaves time for an ensemble of 5 instead of 8"
    assert words(Amount(1, 9)).endswith("for an ensemble of 1 instead of 8 and at most 9 epochs instead of 100")
    assert words(Amount(1, 1), fits=False).startswith("the time limit of 60 s leaves no time for an epoch of each")
    assert budget.Limit(None, math.inf, Amount(1, 1), Amount(1, 1)).words == ""


class Clock:
    """A time that passes only while networks compute: `step_s` for each step, nothing for anything else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step_s: float, slower: float = 1.0) -> None:
        self.now, self.step_s, self.trials = 1000.0, step_s, True
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        clock = self

        class Engine(NativeEngine):
            def train_span(self, features: Any, targets: Any, order_k: Any, *rest: Any) -> float:
                by = 1.0 if clock.trials else slower
                clock.now += by * clock.step_s * -(-len(order_k) // 24)
                return float(super().train_span(features, targets, order_k, *rest))

        monkeypatch.setattr("fromlogits.engines.native.NativeEngine", Engine)
        ready = budget.within

        def within(*about: Any) -> Any:
            found = ready(*about)
            self.trials = False
            return found

        monkeypatch.setattr(budget, "within", within)


def fitted(monkeypatch: pytest.MonkeyPatch, y: Any = CLASSES, *, slower: float = 1.0, **settings: Any) -> Any:
    """(classifier, warnings, seconds): 216 training rows of 24 in a step of 0.1 s, so that an epoch takes 0.9 s."""
    clock = Clock(monkeypatch, 0.1, slower)
    began = clock.now
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        clf = quick(batch_size=24, **settings).fit(X, y)
    return clf, [str(one.message) for one in said], clock.now - began


def test_where_all_fits_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    without = quick(batch_size=24).fit(X, CLASSES)
    clf, said, _ = fitted(monkeypatch, time_limit=60)
    assert (said, clf.plan_) == ([], without.plan_)
    np.testing.assert_array_equal(clf.predict_logits(X), without.predict_logits(X))


def test_the_schedule_is_that_of_the_epochs_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    clf, said, seconds = fitted(monkeypatch, time_limit=30, max_epochs=1000, patience=1000)
    n_epochs = clf.plan_.max_epochs
    assert 15 < n_epochs < 30
    assert said == [f"the time limit of 30 s leaves time for at most {n_epochs} epochs instead of 1,000"]
    assert seconds < 30
    monkeypatch.undo()
    alone = quick(batch_size=24, max_epochs=n_epochs, patience=1000).fit(X, CLASSES)
    np.testing.assert_array_equal(clf.predict_logits(X), alone.predict_logits(X))
    assert clf.history_ == alone.history_


def test_an_ensemble_gets_smaller_first(monkeypatch: pytest.MonkeyPatch) -> None:
    clf, said, seconds = fitted(monkeypatch, time_limit=30, ensemble=8, patience=8)
    assert len(clf.members_) == clf._model.members.ensemble == 3
    assert clf.plan_.max_epochs == 8
    assert said == ["the time limit of 30 s leaves time for an ensemble of 3 instead of 8"]
    assert seconds < 30


def test_folds_keep_a_network_each(monkeypatch: pytest.MonkeyPatch) -> None:
    clf, said, seconds = fitted(monkeypatch, time_limit=30, ensemble=8, patience=100, max_epochs=100, spec={"folds": 4})
    assert len(clf.members_) == 4
    assert 1 < clf.plan_.max_epochs < 10
    assert clf.record_["n_validation"] == len(X)
    assert "an ensemble of 4 instead of 8 and at most" in said[0]
    assert seconds < 30


@pytest.mark.parametrize(
    ("together", "alone", "side_by_side"), [(2.4, 0.05, False), (0.03, 0.05, False), (0.05, 0.05, True)]
)
def test_threads_that_wait_for_one_another_are_reckoned_no_slower_than_one(
    monkeypatch: pytest.MonkeyPatch, together: float, alone: float, side_by_side: bool
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    class Engine(NativeEngine):
        def train_span(self, features: Any, targets: Any, order_k: Any, *rest: Any) -> float:
            now[0] += together if self.n_threads > 1 else alone
            return float(super().train_span(features, targets, order_k, *rest))

    Engine.side_by_side = side_by_side
    monkeypatch.setattr("fromlogits.engines.native.NativeEngine", Engine)
    settings = quick(batch_size=24, max_epochs=10, n_jobs=2, preset="fast").get_params()
    fit = fitting.prepare(settings, X, CLASSES)
    assert fit.estimate() == pytest.approx(10 * 9 * min(together, alone))
    assert fit.waiting().startswith("a step takes 2.4 s on 2 threads and 0.05 s on one") == (together > 1)
    assert bool(fit.waiting()) == (together > 1)
    assert fit.judging_seconds(1) >= 0
    assert fit.engine.n_threads == 2  # and with as many it trains


def test_on_a_machine_that_got_slower_every_network_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    clf, said, seconds = fitted(monkeypatch, time_limit=60, slower=3.0, max_epochs=10, patience=10, spec={"folds": 4})
    assert [member.history.stopped_by for member in clf.members_] == ["time_limit"] * 4
    assert {member.n_epochs for member in clf.members_} <= {4, 5, 6, 7}
    assert said == [
        "the time limit of 60 s ended the training when 0 of 4 networks were done;"
        " 4 are kept, each with its best epoch."
    ]
    assert seconds < 60


def test_one_network_keeps_its_best_epoch_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clf, said, seconds = fitted(monkeypatch, time_limit=20, slower=3.0, max_epochs=15, patience=15)
    assert clf.history_.stopped_by == "time_limit"
    assert said[0].startswith("the time limit of 20 s ended the training in epoch ")
    assert seconds < 20


@pytest.mark.parametrize("way", [{}, {"separate_networks": True}, {"ensemble": 3}, {"spec": {"folds": 3}}])
def test_a_limit_too_short_for_anything_gives_a_model_of_a_first_step(
    way: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clf, said, _ = fitted(monkeypatch, LABELS, time_limit=1e-3, **way)
    assert {member.n_epochs for member in clf.members_} == {1}
    assert said[0] == (
        "the time limit of 0.001 s leaves no time for an epoch of each network; what is reached until then is kept"
    )
    assert clf.predict_proba(X).shape == (240, 3)
    if "spec" in way:
        assert "only 80 of the 240 rows have a network that was not trained on them" in said[1]
    clf.save(tmp_path / "m")
    assert fl.load(tmp_path / "m").record_ == clf.record_


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, "60", True, [3]])
def test_what_is_no_time_limit_is_refused(seconds: Any) -> None:
    with pytest.raises(InputError, match="time_limit must be a number of seconds above 0, or None; got"):
        quick(time_limit=seconds).fit(X, CLASSES)


def test_a_number_of_numpy_is_a_time_limit() -> None:
    assert budget.checked(np.float32(2.5)) == 2.5
    assert budget.checked(np.int64(3)) == 3.0


def test_the_reserve_grows_with_what_follows_the_training() -> None:
    few = quick()._prepare(X, CLASSES)
    many = quick(spec={"folds": 4})._prepare(X, CLASSES)
    assert training.SPAN_S < budget.reserve(few, 1) < budget.reserve(many, 4) < 5


# --- and is obeyed ---


@pytest.mark.skipif(os.name == "nt", reason="the age of a process is read as Linux says it")
def test_a_command_is_done_in_time_and_says_what_it_left_out(tmp_path: Path) -> None:
    x = RNG.normal(size=(20_000, 40)).astype(np.float32)
    np.savez(tmp_path / "t.npz", X=x, y=(x[:, 0] > 0).astype(int) + (x[:, 1] > 0))
    command = [sys.executable, "-m", "fromlogits", "train", "t.npz", "--layers", "64", "--epochs", "100000"]
    command += ["--time-limit", "5"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--set", "ensemble=4", "--set", "patience=100000", "-o", "m.safetensors", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began

    report = json.loads(done.stdout)
    assert report["seconds"] <= 5 * 1.05
    assert report["seconds"] <= seconds
    limit = report["time_limit"]
    assert (limit["seconds"], limit["planned"]) == (5, {"ensemble": 4, "max_epochs": 100_000})
    assert limit["chosen"]["ensemble"] == 1
    assert report["epochs"] <= limit["chosen"]["max_epochs"] < 100_000
    assert "warning: the time limit of 5 s leaves time for an ensemble of 1 instead of 4 and at most" in done.stderr
    assert fl.load(tmp_path / "m.safetensors").n_iter_ == report["epochs"]


def test_without_a_limit_nothing_is_said_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fromlogits.cli.main import run

    np.savez(tmp_path / "t.npz", X=X, y=CLASSES)
    where = ["train", str(tmp_path / "t.npz"), "--layers", "6", "--epochs", "2", "--dry-run", "--json"]
    assert run(where) == 0
    assert "time_limit" not in json.loads(capsys.readouterr().out)
    assert run([*where, "--time-limit", "1e6"]) == 0
    both = {"ensemble": 1, "max_epochs": 2}
    assert json.loads(capsys.readouterr().out)["time_limit"] == {"seconds": 1e6, "planned": both, "chosen": both}


def test_of_cross_validation_each_training_has_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from fromlogits.cross_validation import cross_validate

    Clock(monkeypatch, 0.1)
    found = cross_validate(quick(batch_size=24, max_epochs=1000, patience=1000, time_limit=10), X, CLASSES, n_folds=2)
    assert all(2 < fold.n_epochs < 20 for fold in found.folds)
