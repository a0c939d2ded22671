"""What each part of the recipe for tables is worth: the preset `good` beside the same with one part out, or another in.

    python benchmarks/ablation.py --data TABLES --json ablation.json
    python benchmarks/ablation.py --summary ablation.json

TABLES is as for tables.py; only the files of the training rows are of use. Of these a quarter is drawn once, class by
class, to judge, and at most --rows of the others are trained on. `whole` is what the preset says of so many rows,
stated setting by setting, so that a part can be left out or exchanged: VARIANTS says how, in the words of
`fromlogits.Classifier`. A part that a set has no use for (there is no number, or no category of many values) is not
run there. A seed draws first weights, folds, batches and dropout, the same for all variants.

Log-loss (nats) and error are of the rows that judge; where error rates are compared, (errors + ½)/(rows + 1) stands for
each. Figures are ratios to the whole recipe's, of the means over the seeds, and their geometric mean over the sets. The
noise is the standard deviation over the seeds of that mean of the whole recipe, with one seed alone, over the sets that
the variant has; a ratio, of means over the same k seeds, moves by √(2/k) times that, or by less as folds are shared.
Seconds are processor seconds of `fit`, on --threads threads.

The fits that the file of --json holds stay and are not made again, so that a few can be run at a time; it is written
after each fit. Run by seed, set and variant, from few rows to many.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contenders import TABLE, problem
from machine import machine, show
from quality import Figures, Fits, against, means, merged, read, write

import fromlogits as fl
from fromlogits.presets import Recipe, Task, recipe
from fromlogits.spec import Layer

SETS = (
    "soybean", "german_credit", "satimage", "wine_quality", "drybean", "letter", "adult", "bank_marketing", "sleep",
    "connect4", "shuttle",
)  # fmt: skip
WHOLE = "whole"
Variant = Callable[[Recipe], Recipe]


# --- what is left out ---


def without(kind: type[Layer]) -> Variant:
    return lambda whole: dataclasses.replace(
        whole, layers=tuple(layer for layer in whole.layers if not isinstance(layer, kind))
    )


def in_place_of(kind: type[Layer], other: Layer) -> Variant:
    return lambda whole: dataclasses.replace(
        whole, layers=tuple(other if isinstance(layer, kind) else layer for layer in whole.layers)
    )


def activation(name: str) -> Variant:
    return lambda whole: dataclasses.replace(
        whole,
        layers=tuple(fl.Dense(one.units, name) if isinstance(one, fl.Dense) else one for one in whole.layers),
    )


def planned(**changes: Any) -> Variant:
    return lambda whole: dataclasses.replace(whole, plan={**whole.plan, **changes})


def of_one_rate(whole: Recipe) -> Recipe:
    """Weights and biases all learn as in a layer of 256 inputs; scaling and embedding layers as before."""
    plan = whole.plan
    rate = plan["learning_rate"] / 16
    kept = {name: plan[name] * 16 for name in ("scaling_rate", "embedding_rate")}
    return planned(rate_by_width=False, learning_rate=rate, bias_rate=1.0, **kept)(whole)


def of_one_network(whole: Recipe) -> Recipe:
    """Of as many passes as all of them, judged by a held-out tenth."""
    passes = whole.ensemble * whole.plan["max_epochs"]
    return dataclasses.replace(planned(folds=1, max_epochs=passes, patience=passes)(whole), ensemble=1)


VARIANTS: dict[str, Variant] = {
    WHOLE: lambda whole: whole,
    "no periodic layer": without(fl.Periodic),
    "piecewise linear, not periodic": in_place_of(fl.Periodic, fl.PiecewiseLinear()),
    "no embedding layer": without(fl.Embedding),
    "no scaling layer": without(fl.Scaling),
    "standard numbers, not robust": planned(numbers="standard"),
    "selu, not relu": activation("selu"),
    "parametric_selu, not relu": lambda whole: planned(slope_rate=0.1)(activation("parametric_selu")(whole)),
    "uniform initialisation": planned(initialisation="uniform"),
    "beta2 0.999": planned(beta2=0.999),
    "cosine schedule": planned(schedule="cosine"),
    "coslog4 schedule": planned(schedule="coslog4"),
    "no dropout": planned(dropout=0.0),
    "dropout that fades": planned(dropout_schedule="flat_cosine"),
    "no weight decay at all": planned(weight_decay=0.0),
    "weight decay that fades": planned(decay_schedule="flat_cosine"),
    "no decay of scaling": planned(scaling_decay=0.0),
    "averages of epochs": planned(averaging=0.125),
    "one learning rate": of_one_rate,
    "one held-out tenth, no folds": planned(folds=1),
    "one network of all passes": of_one_network,
}
"""The whole recipe, it without one of its parts, and it with a part of RealMLP that it has not."""


# --- one fit ---


@dataclass
class Inner:
    """Training rows of a set, in two parts, and what the preset makes of the first."""

    X: Any
    y: Any
    X_judge: Any
    y_judge: Any
    whole: Recipe
    last: fl.Dense


def drawn(name: str, data: Path, rows: int) -> tuple[Any, Any, Any, Any]:
    """(X, y) of at most so many rows to train on, (X, y) of those that judge."""
    from sklearn.model_selection import train_test_split

    of = problem(name, data)
    X, _ = of.as_categories(same=False)
    judge = round(len(X) / 4)
    X, X_judge, y, y_judge = train_test_split(
        X, of.y, test_size=judge, train_size=min(rows, len(X) - judge), stratify=of.y, random_state=0
    )
    return X, y, X_judge, y_judge


def inner(name: str, data: Path, rows: int) -> Inner:
    X, y, X_judge, y_judge = drawn(name, data, rows)
    # Of one pass: the preset's own layers, without those that have nothing to embed.
    trial = fl.Classifier(ensemble=1, max_epochs=1, early_stopping=False, calibrate=False, random_state=0).fit(X, y)
    *layers, last = trial.network_.layers
    whole = dataclasses.replace(recipe("good", Task(len(X), X.shape[1])), layers=tuple(layers))
    if not trial.encoder_.numbers:  # how they are scaled is no part then
        whole = planned(numbers="standard")(whole)
    return Inner(X, y, X_judge, y_judge, whole, last)


def classifier(told: Recipe, last: fl.Dense, seed: int, threads: int) -> fl.Classifier:
    """That is trained exactly so."""
    keywords = {name: value for name, value in told.plan.items() if name in fl.Classifier().get_params()}
    finer = {name: value for name, value in told.plan.items() if name not in keywords}
    network = fl.Network([*told.layers, last])
    return fl.Classifier(
        network=network, ensemble=told.ensemble, spec=finer, random_state=seed, n_jobs=threads, **keywords
    )


def one_fit(of: Inner, told: Recipe, seed: int, threads: int) -> Figures:
    clf = classifier(told, of.last, seed, threads)
    start = time.process_time()
    clf.fit(of.X, of.y)
    taken = time.process_time() - start
    found = clf.evaluate(of.X_judge, of.y_judge)
    n = len(of.y_judge)
    errors = n - round(found["accuracy"] * n)
    return {"fit_cpu_s": taken, "log_loss": found["log_loss"], "rows": n, "errors": errors, "error": errors / n}


# --- what the fits say ---


def signed(ratio: float) -> str:
    """A ratio as what it adds, in percent."""
    return f"{100 * (ratio - 1):+.1f} %"


def shared(fits: Fits, variant: str) -> Fits:
    """The fits of a variant, and those of the whole recipe on the same sets with the same seeds."""
    found: Fits = {}
    for name, of in fits.items():
        if seeds := of.get(variant, {}).keys() & of.get(WHOLE, {}).keys():
            found[name] = {who: {seed: of[who][seed] for seed in sorted(seeds)} for who in (variant, WHOLE)}
    return found


def compared(fits: Fits, metric: str, variant: str) -> Figures | None:
    """As `quality.against`, beside the whole recipe, with the noise; None where the variant was not run."""
    both = shared(fits, variant)
    found = against(both, metric, (TABLE,), variant, WHOLE)
    if found is None:
        return None
    whole = against({name: {WHOLE: fits[name][WHOLE]} for name in both}, metric, (TABLE,), WHOLE, WHOLE)
    return found | {"noise": whole and whole["deviation"]}


def ratio_table(fits: Fits) -> Iterator[str]:
    """Every variant over the whole recipe, a variant a line."""
    yield "| | sets | log-loss | noise | worse on | error | noise | worse on | CPU s |"
    yield "|---" * 9 + "|"
    for variant in VARIANTS:
        losses, errors, took = (compared(fits, metric, variant) for metric in ("log_loss", "error", "fit_cpu_s"))
        if not (losses and errors and took):
            yield f"| {variant} | not run |" + " |" * 7
            continue
        cells = [str(losses["sets"])]
        for found in (losses, errors):
            noise = "—" if found["noise"] is None else f"{100 * found['noise']:.1f} %"
            cells += [signed(found["ratio"]), noise, str(found["higher"])]
        yield f"| {variant} | {' | '.join(cells)} | × {took['ratio']:.2f} |"


def set_table(fits: Fits, metric: str) -> Iterator[str]:
    """The ratios of the means over the seeds, a variant a line; of the whole recipe the mean itself."""
    whole = means(fits, metric, (TABLE,))
    names = [name for name in SETS if WHOLE in whole.get(name, {})]
    yield f"| {metric} | {' | '.join(names)} |"
    yield "|---" * (1 + len(names)) + "|"
    yield f"| {WHOLE} | {' | '.join(f'{whole[name][WHOLE]:.4f}' for name in names)} |"
    for variant in list(VARIANTS)[1:]:
        found = means(shared(fits, variant), metric, (TABLE,))
        ratios = (signed(found[name][variant] / found[name][WHOLE]) if name in found else "—" for name in names)
        yield f"| {variant} | {' | '.join(ratios)} |"


def summary(fits: Fits) -> Iterator[str]:
    yield from ratio_table(fits)
    for metric in ("log_loss", "error"):
        yield ""
        yield from set_table(fits, metric)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and keep them where --json says."""
    parser = argparse.ArgumentParser(description="What each part of the recipe is worth.")
    every = list(VARIANTS)
    parser.add_argument("--data", type=Path, help="folder of the sets' folders")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--variants", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], metavar="SEED")
    parser.add_argument("--rows", type=int, default=12_000, help="to train on at most (default 12000)")
    parser.add_argument("--threads", type=int, default=1, help="of each fit (default 1)")
    parser.add_argument("--json", type=Path, help="the record to add to")
    parser.add_argument("--summary", nargs="+", type=Path, metavar="JSON", help="only print these records' tables")
    options = parser.parse_args(arguments)
    if options.summary:
        print("\n".join(summary(merged(options.summary))))
        return
    if options.data is None or options.json is None:
        parser.error("--data and --json must be given, or --summary")

    facts = machine("scikit-learn", "pandas")
    show(facts)
    record = read(options.json, "ablation")
    if record.setdefault("most_rows", options.rows) != options.rows:
        parser.error(f"{options.json} was made with --rows {record['most_rows']}")
    record["runs"].append({"command": sys.orig_argv[1:], "interpreters": [facts], "threads": options.threads})
    number = len(record["runs"]) - 1
    for seed in options.seeds:
        for name in options.sets:
            variants = record["fits"].setdefault(name, {})
            if all(str(seed) in variants.get(variant, {}) for variant in options.variants):
                continue
            of = inner(name, options.data, options.rows)
            for variant in options.variants:
                told = VARIANTS[variant](of.whole)
                seeds = variants.setdefault(variant, {})
                if str(seed) in seeds or (variant != WHOLE and told == of.whole):
                    continue
                with warnings.catch_warnings(action="ignore"):
                    found = one_fit(of, told, seed, options.threads)
                seeds[str(seed)] = {**found, "train_rows": len(of.y), "run": number, "busy": False}
                write(options.json, record)
                shown = "  ".join(f"{what} {found[what]:.4g}" for what in ("log_loss", "error", "fit_cpu_s"))
                print(f"{name:<14} seed {seed}  {variant:<30}  {shown}", flush=True)
    print("\n" + "\n".join(summary(record["fits"])))


if __name__ == "__main__":
    main()
