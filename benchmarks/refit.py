"""Networks that are trained again on all rows, beside those that leave a fold out: what they gain for their seconds.

    python benchmarks/refit.py --data TABLES --json refit.json
    python benchmarks/refit.py --summary refit.json

Rows are drawn as by ablation.py: training rows only, a quarter of them judges. The presets train rounds of five
networks, each without a fold of its own that chooses its epoch; the folds calibrate. Here each of the first rounds is
followed by five networks more, on all rows, from seeds of their own. Compared are

- folds k: k networks in folds, as the presets have them (`good` has 5, `best` 10);
- refit k: after folds k, k networks on all rows, which stop at the mean best epoch of their round, alone, with the
  folds' calibration;
- folds and refit k: folds k and refit k as one ensemble of 2k, with the folds' calibration;
- with --in-full also folds 20, and refit k, all passes: networks on all rows that go on to the end of the schedule.

A figure is a ratio to the preset's own networks: of the means over the seeds, and their geometric mean over the sets;
the deviation is that over the seeds of the ratio with one seed alone. Seconds are processor seconds of all the training
that a row needs, on one thread. The record is written after each set and seed, and what it holds is not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablation import drawn, signed
from contenders import TABLE
from machine import machine, show
from quality import Figures, Fits, against, merged, read, write

import fromlogits as fl
from fromlogits import calibrating, fitting, members
from fromlogits.data.inputs import as_inputs
from fromlogits.engines.base import Engine, Parameters
from fromlogits.fitting import Fit
from fromlogits.members import Member
from fromlogits.model import Model
from fromlogits.training import EpochRecord

SETS = ("soybean", "german_credit", "satimage", "wine_quality", "drybean", "adult")
PRESETS = {"good": 5, "best": 10}
"""And how many networks they have."""
FOLDS, ROUNDS, REFIT_ROUNDS = 5, 4, 2
"""Folds of a round; rounds with --in-full, without it as many as are followed by networks on all rows."""


class KeepsAnEpoch:
    """What a network was at the end of an epoch, and the processor seconds until then.

    Args:
        ends: the training ends there.
    """

    def __init__(self, epoch: int, *, ends: bool) -> None:
        self.epoch, self.ends, self.begun, self.seconds = epoch, ends, time.process_time(), 0.0
        self.parameters: Parameters = []

    def epoch_begins(self, engine: Engine) -> None: ...

    def epoch_ended(self, record: EpochRecord, engine: Engine) -> bool:
        if record.epoch == self.epoch:
            self.parameters, self.seconds = engine.parameters(), time.process_time() - self.begun
        return self.ends and record.epoch == self.epoch

    def training_ended(self) -> None: ...


def on_all_rows(fit: Fit, seed: int, epoch: int, *, ends: bool) -> tuple[Member, Member, float, float]:
    """One network of this seed: as it is after `epoch`, in the end, and the seconds to each."""
    plan, threads, start = fit.summary.plan, fit.summary.n_threads, time.process_time()
    keeps = KeepsAnEpoch(epoch, ends=ends)
    one = dataclasses.replace(fit.untrained[0], seed=seed, rows=fit.rows, validation=None)
    engine = fitting.new_engine("native", fit.summary.network, fit.head, threads)
    engine.set_parameters(
        fitting.first_parameters("native", fit.summary.network, plan, threads, seed, fit.features, fit.rows)
    )
    ended = members.train([one], lambda _: engine, fit.features, plan, threads, a_round=1, callback_of=lambda _: keeps)
    last = ended[0][0]
    return dataclasses.replace(last, parameters=keeps.parameters), last, keeps.seconds, time.process_time() - start


def judged(model: Model, rows: Any, y: Any) -> Figures:
    """Figures of the rows that judge."""
    features = model.encoder.encode(as_inputs(rows))
    logits_nc = model.calibration.apply(fitting.networks_of(model, "native", 1).of(features))
    found, n = model.figures(logits_nc, model.target.encode(y)), len(y)
    errors = n - round(found["accuracy"] * n)
    return {"log_loss": found["log_loss"], "rows": n, "errors": errors, "error": errors / n}


def trained(preset: str, rows: tuple[Any, Any, Any, Any], seed: int, *, in_full: bool) -> Iterator[tuple[str, Figures]]:
    """The name and the figures of each kind, with the folds' best epochs."""
    X, y, X_judge, y_judge = rows
    start = time.process_time()
    stated = fl.Classifier(preset=preset, ensemble=FOLDS * ROUNDS, random_state=seed, n_jobs=1).get_params()
    fit = fitting.prepare(stated, X, y)
    own_seeds = members.seeds(seed, FOLDS * (ROUNDS + REFIT_ROUNDS))[FOLDS * ROUNDS :]
    folds: list[Member] = []
    stopped: list[Member] = []
    ended: list[Member] = []
    took = took_stopped = took_ended = time.process_time() - start
    assert fit.folds is not None and fit.valid_targets is not None
    for number in range(ROUNDS if in_full else REFIT_ROUNDS):
        first, start = number * FOLDS, time.process_time()
        engines = [fit.engine_of(i) for i in range(first, first + FOLDS)]
        the_round = fit.untrained[first : first + FOLDS]
        folds += members.train(the_round, engines.__getitem__, fit.features, fit.summary.plan, 1, a_round=1)[0]
        passed = time.process_time() - start
        took, took_stopped, took_ended = took + passed, took_stopped + passed, took_ended + passed
        k = len(folds)
        model = fit.model_of(folds)
        networks = fitting.networks_of(model, "native", 1)
        _, logits_nc = fit.folds.out_of_fold(networks, fit.features, fit.head)
        model = calibrating.calibrated(model, logits_nc, fit.valid_targets, None)

        def figures(of: list[Member], seconds: float, model: Model = model) -> Figures:
            changed = dataclasses.replace(
                model, trained=tuple(of), members=dataclasses.replace(model.members, ensemble=len(of))
            )
            return {"fit_cpu_s": seconds, **judged(changed, X_judge, y_judge)}

        if k in (5, 10, 20):
            epochs = [one.best_epoch for one in folds]
            yield f"folds {k}", {**figures(folds, took), "best_epochs": epochs, "epochs": fit.summary.plan.max_epochs}
        if number < REFIT_ROUNDS:
            epoch = round(statistics.fmean(one.best_epoch for one in folds[first:]))
            for own in own_seeds[first : first + FOLDS]:
                then, last, to_epoch, to_end = on_all_rows(fit, own, epoch, ends=not in_full)
                stopped, ended = [*stopped, then], [*ended, last]
                took_stopped, took_ended = took_stopped + to_epoch, took_ended + to_end
            yield f"refit {k}", figures(stopped, took_stopped)
            if in_full:
                yield f"refit {k}, all passes", figures(ended, took_ended)
            yield f"folds and refit {k}", figures([*folds, *stopped], took_stopped)


def kinds() -> Iterator[str]:
    yield from (f"folds {k}" for k in (5, 10, 20))
    for k in (5, 10):
        yield from (f"refit {k}", f"refit {k}, all passes", f"folds and refit {k}")


def summary(fits: Fits) -> Iterator[str]:
    """The kinds of each preset over what the preset has, a kind a line."""
    for preset, k in PRESETS.items():
        yield f"| {preset} | sets | log-loss | ± | worse on | error | ± | worse on | CPU s |"
        yield "|---" * 9 + "|"
        for kind in kinds():
            compared = [
                against(fits, metric, (TABLE,), f"{preset}: {kind}", f"{preset}: folds {k}")
                for metric in ("log_loss", "error", "fit_cpu_s")
            ]
            losses, errors, took = compared
            if not (losses and errors and took):
                continue
            cells = [str(losses["sets"])]
            for found in (losses, errors):
                deviation = "—" if found["deviation"] is None else f"{100 * found['deviation']:.1f} %"
                cells += [signed(found["ratio"]), deviation, str(found["higher"])]
            yield f"| {kind} | {' | '.join(cells)} | × {took['ratio']:.2f} |"
        yield ""


def main() -> None:
    """Print the figures with what they were measured on, and keep them where --json says."""
    parser = argparse.ArgumentParser(description="What training again on all rows is worth.")
    parser.add_argument("--data", type=Path, help="folder of the sets' folders")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], metavar="SEED")
    parser.add_argument("--rows", type=int, default=12_000, help="to train on at most (default 12000)")
    parser.add_argument("--in-full", action="store_true", help="also folds 20, and refits of all passes")
    parser.add_argument("--json", type=Path, help="the record to add to")
    parser.add_argument("--summary", nargs="+", type=Path, metavar="JSON", help="only print these records' tables")
    options = parser.parse_args()
    if options.summary:
        print("\n".join(summary(merged(options.summary))))
        return
    if options.data is None or options.json is None:
        parser.error("--data and --json must be given, or --summary")
    facts = machine("scikit-learn", "pandas")
    show(facts)
    record = read(options.json, "refit")
    record["runs"].append({"command": sys.orig_argv[1:], "interpreters": [facts]})
    for seed in options.seeds:
        for name in options.sets:
            of = record["fits"].setdefault(name, {})
            rows = drawn(name, options.data, options.rows)
            for preset, k in PRESETS.items():
                if str(seed) in of.get(f"{preset}: folds {k}", {}):
                    continue
                with warnings.catch_warnings(action="ignore"):
                    found = list(trained(preset, rows, seed, in_full=options.in_full))
                for kind, figures in found:
                    of.setdefault(f"{preset}: {kind}", {})[str(seed)] = {**figures, "busy": False}
                    shown = "  ".join(f"{what} {figures[what]:.4g}" for what in ("log_loss", "error", "fit_cpu_s"))
                    print(f"{name:<14} seed {seed}  {preset}: {kind:<22}  {shown}", flush=True)
                write(options.json, record)
    print("\n" + "\n".join(summary(record["fits"])))


if __name__ == "__main__":
    main()
