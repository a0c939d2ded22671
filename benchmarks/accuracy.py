"""How far losses, gradients and probabilities from float32 logits are from the truth: ours and each peer installed.

    python benchmarks/accuracy.py --json accuracy.json
    python docs/reference/make_accuracy_md.py accuracy.json

Every library gets the same float32 logits, which count as exact, and is called as its users call it (peers.py). The
truth is float64 in forms without cancellation (truth.py); on a sample of every case it is held against mpmath with
160 digits, and the worst relative difference is printed. An ulp is the float32 spacing at the true value.

For each case and library: the largest and the median error in ulps over the true values that are normal float32; the
share that came back as 0 though float32 can hold the true value, subnormals included ("lost"); the share that is off by
more than 1 % or not finite ("wrong"). Then the first lead of the right answer at which loss or gradient is exactly 0.

Exits with 1 where a value of ours is beyond its bound: 0.51 ulp, plus 2⁻⁵⁰ for the gradient of a target between 0 and
1, plus 2⁻⁵¹·max|z| for logsumexp. A library that is not installed is named and left out. About a minute.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import truth
from machine import machine, show, write_json
from numpy.typing import NDArray
from peers import PEERS, Ours, Peer

Array = NDArray[Any]
BOUND = 0.51
TARGET = float(np.float32(0.3))
NEAR = ((0.01, 0.1), (1e-4, 1e-3), (1e-6, 1e-5))
"""Distances of z from logit(0.3), where the prediction nearly is the target."""
MANY = 100_000
LEADS = np.arange(0.25, 125.0, 0.25, dtype=np.float32)
SAMPLE = 40
"""Rows of each case that mpmath checks; 1 of many classes, and this many of its gradient's entries."""


@dataclass
class Case:
    """Logits, what is asked about them, and the truth."""

    function: str
    name: str
    logits: Array
    targets: Array | None = None
    truths: dict[str, Array] = field(default_factory=dict)
    """Of each part of the answer: `loss`, `gradient` or its two parts, or `value`."""
    slack: Any = 0.0
    """Of the gradient or value, what its bound allows beyond ulps."""


def split_classes(dlogits_nc: Array, labels_n: Array) -> dict[str, Array]:
    """The gradient of the true class (n,), and of all the others (n, c − 1)."""
    is_true = np.arange(dlogits_nc.shape[1]) == labels_n[:, None]
    return {
        "gradient, true class": dlogits_nc[is_true],
        "gradient, other classes": dlogits_nc[~is_true].reshape(len(labels_n), -1),
    }


def parts_of(case: Case, losses: Array, gradient: Array | None) -> dict[str, Array]:
    if gradient is None:
        return {"loss": losses}
    if case.function == "softmax_cross_entropy":
        return {"loss": losses, **split_classes(gradient, case.targets)}
    return {"loss": losses, "gradient": gradient}


def sigmoid_case(name: str, logits_n: Array, target: float) -> Case:
    case = Case("sigmoid_cross_entropy", name, logits_n, np.full(len(logits_n), target, np.float32))
    case.truths = parts_of(case, *truth.sigmoid_cross_entropy(logits_n, target))
    case.slack = 0.0 if target in (0.0, 1.0) else 2.0**-50
    return case


def softmax_case(name: str, logits_nc: Array, labels_n: Array) -> Case:
    case = Case("softmax_cross_entropy", name, logits_nc, labels_n)
    case.truths = parts_of(case, *truth.softmax_cross_entropy(logits_nc, labels_n))
    return case


def value_case(function: str, name: str, logits: Array) -> Case:
    return Case(function, name, logits, truths={"value": getattr(truth, function)(logits)})


def logsumexp_case(name: str, logits_nc: Array) -> Case:
    case = value_case("logsumexp", name, logits_nc)
    case.slack = 2.0**-51 * np.abs(logits_nc).max(axis=1).astype(np.float64)
    return case


def sigmoid_cases(n: int) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    for reach in (120, 10, 0.01):
        logits_n = rng.uniform(-reach, reach, n).astype(np.float32)
        for target in (0.0, 1.0, TARGET):
            yield sigmoid_case(f"y = {target:.3g}, z in −{reach:g}…{reach:g}", logits_n, target)
    logit = np.log(TARGET / (1 - TARGET))
    for near, far in NEAR:
        logits_n = (logit + rng.uniform(near, far, n) * rng.choice([-1, 1], n)).astype(np.float32)
        yield sigmoid_case(f"y = 0.3, z is {near:g}…{far:g} from logit y", logits_n, TARGET)


def softmax_cases(n: int, n_many: int) -> Iterator[Case]:
    rng = np.random.default_rng(2)
    c = 10
    rows_n, labels_n = np.arange(n), rng.integers(c, size=n)

    def normal(spread: float = 3.0) -> Array:
        return rng.normal(0, spread, (n, c)).astype(np.float32)

    def leading(logits_nc: Array, labels_n: Array, lead_n: Any) -> Array:
        """The true class ahead of all others by so much."""
        rows_n = np.arange(len(logits_nc))
        logits_nc = logits_nc.copy()
        logits_nc[rows_n, labels_n] = -np.inf
        logits_nc[rows_n, labels_n] = logits_nc.max(axis=1) + lead_n
        return logits_nc

    yield softmax_case("N(0, 3), y random", normal(), labels_n)
    wide_nc = rng.uniform(-100, 100, (n, c)).astype(np.float32)
    yield softmax_case("U(−100, 100), y random", wide_nc, labels_n)
    yield softmax_case("U(−100, 100), y the largest", wide_nc, wide_nc.argmax(axis=1))
    lead_n = rng.uniform(3, 60, n)
    yield softmax_case("y leads by U(3, 60)", leading(normal(1.0), labels_n, lead_n), labels_n)
    yield softmax_case("all tied", np.repeat(normal()[:, :1], c, axis=1), labels_n)
    yield softmax_case("y tied with another at the top", leading(normal(), labels_n, 0.0), labels_n)
    for offset, name in ((1e4, "N(0, 3) + 10 000"), (-1e6, "N(0, 3) − 1 000 000")):
        shifted_nc = normal() + np.float32(offset)
        yield softmax_case(f"{name}, y random", shifted_nc, labels_n)
        yield softmax_case(f"{name}, y the largest", shifted_nc, shifted_nc.argmax(axis=1))
    masked_nc = normal()
    is_masked = rng.permuted(np.tile(np.arange(c) < c // 2, (n, 1)), axis=1)
    is_masked[rows_n, labels_n] = False
    masked_nc[is_masked] = -np.inf
    yield softmax_case("half the classes −∞, y random", masked_nc, labels_n)

    labels_n = rng.integers(MANY, size=n_many)
    many_nc = rng.standard_normal((n_many, MANY), dtype=np.float32)
    yield softmax_case("100 000 classes, N(0, 1), y random", many_nc, labels_n)
    many_nc = many_nc.copy()
    many_nc[np.arange(n_many), labels_n] = rng.uniform(15, 45, n_many)
    yield softmax_case("100 000 classes, N(0, 1), z_y in 15…45", many_nc, labels_n)
    wide_nc = rng.uniform(-50, 50, (n_many, MANY)).astype(np.float32)
    yield softmax_case("100 000 classes, U(−50, 50), y random", wide_nc, labels_n)


def value_cases(n: int, n_many: int) -> Iterator[Case]:
    rng = np.random.default_rng(3)
    normal_nc = rng.normal(0, 3, (n, 10)).astype(np.float32)
    wide_nc = rng.uniform(-100, 100, (n, 10)).astype(np.float32)
    many_nc = rng.standard_normal((n_many, MANY), dtype=np.float32)
    leading_nc = rng.standard_normal((n, 10), dtype=np.float32)
    leading_nc[:, 0] = leading_nc[:, 1:].max(axis=1) + rng.uniform(3, 60, n)
    for function in ("softmax", "log_softmax"):
        yield value_case(function, "N(0, 3)", normal_nc)
        yield value_case(function, "U(−100, 100)", wide_nc)
        yield value_case(function, "one leads by U(3, 60)", leading_nc)
        yield value_case(function, "100 000 classes, N(0, 1)", many_nc)
    yield logsumexp_case("N(0, 3)", normal_nc)
    yield logsumexp_case("U(−100, 100)", wide_nc)
    yield logsumexp_case("100 000 classes, N(0, 1)", many_nc)
    few_nc = normal_nc[: n // 20] - truth.logsumexp(normal_nc[: n // 20])[:, None].astype(np.float32)
    near_zero = logsumexp_case("N(0, 3) shifted, so that the result is near 0", few_nc)
    near_zero.truths["value"] = np.array([float(truth.from_mpmath("logsumexp", z_c)[0]) for z_c in few_nc])
    yield near_zero
    for function in ("sigmoid", "log_sigmoid"):
        for reach in (120, 10):
            logits_n = rng.uniform(-reach, reach, n).astype(np.float32)
            yield value_case(function, f"z in −{reach}…{reach}", logits_n)


def check_truth(case: Case) -> float:
    """The worst relative difference from mpmath on a sample of what float32 can hold."""
    rng = np.random.default_rng(len(case.logits))
    by_rows = case.logits.ndim == 2
    many = by_rows and case.logits.shape[1] > 1000
    worst = 0.0
    for row in rng.choice(len(case.logits), 1 if many else min(SAMPLE, len(case.logits)), replace=False):
        target = None if case.targets is None else case.targets[row]
        if target is not None and by_rows:
            target = int(target)
        entries: Any = slice(None)
        if many:
            entries = sorted({*rng.choice(case.logits.shape[1], SAMPLE, replace=False).tolist(), target or 0})
        expected = truth.from_mpmath(case.function, case.logits[row], target, entries)
        if case.function == "softmax_cross_entropy":
            loss_n, dlogits_nc = truth.softmax_cross_entropy(case.logits[[row]], case.targets[[row]])
            ours = [loss_n[0], *dlogits_nc[0][entries]]
        elif case.function == "sigmoid_cross_entropy":
            ours = [case.truths["loss"][row], case.truths["gradient"][row]]
        else:
            value = case.truths["value"][row]
            ours = list(value[entries]) if np.ndim(value) else [value]
        for got, want in zip(ours, expected, strict=True):
            if truth.ROUNDS_TO_ZERO < abs(want) <= truth.LARGEST:
                worst = max(worst, float(abs(mpmath.mpf(float(got)) - want) / abs(want)))
    return worst


def answer_of(peer: Peer, case: Case) -> dict[str, Array] | None:
    """What a library returns, in parts; None where it has no such function."""
    if case.targets is None:
        function = peer.functions.get(case.function)
        return None if function is None else {"value": np.asarray(function(case.logits))}
    pair = getattr(peer, case.function)(case.logits, case.targets)
    return None if pair is None else parts_of(case, *pair)


def first_zeros(peers: Sequence[Peer]) -> list[dict[str, Any]]:
    """For right answers, the first lead at which a part is exactly 0; `truth`: from where on float32 has nothing else.

    The other logits are 0. The gradient is that of the true class.
    """

    def ahead(c: int) -> Callable[[Array], Array]:
        return lambda leads_n: np.where(np.arange(c) == 0, leads_n[:, None], np.float32(0))

    labels_n, zeros_n = np.zeros(len(LEADS), np.int64), np.zeros(len(LEADS), np.float32)
    rows = []
    for function, name, logits_of, targets_n, at_once in (
        ("sigmoid_cross_entropy", "y = 0", np.negative, zeros_n, len(LEADS)),
        ("sigmoid_cross_entropy", "y = 1", np.positive, zeros_n + 1, len(LEADS)),
        ("softmax_cross_entropy", "10 classes", ahead(10), labels_n, len(LEADS)),
        ("softmax_cross_entropy", "100 000 classes", ahead(MANY), labels_n, 25),
    ):
        found: dict[str, dict[str, float]] = {"loss": {}, "gradient": {}}
        for who, answer, limit in (
            ("truth", true_answer(function), truth.ROUNDS_TO_ZERO),
            *((peer.name, getattr(peer, function), 0.0) for peer in peers),
        ):
            for start in range(0, len(LEADS), at_once):
                leads_n = LEADS[start : start + at_once]
                pair = answer(logits_of(leads_n), targets_n[: len(leads_n)])
                for part, values in zip(found, pair or (), strict=False):
                    if values is not None and who not in found[part]:
                        values = values if values.ndim == 1 else values[:, 0]
                        gone_n = leads_n[np.abs(values) <= limit]
                        found[part] |= {who: float(gone_n[0])} if len(gone_n) else {}
                if pair is None or all(who in leads for leads in found.values()):
                    break
        rows += [{"function": function, "case": name, "part": part, "leads": found[part]} for part in found]
    return rows


def true_answer(function: str) -> Callable[[Array, Array], Any]:
    """The truth with the arguments that a library takes."""
    if function == "softmax_cross_entropy":
        return truth.softmax_cross_entropy
    return lambda logits_n, targets_n: truth.sigmoid_cross_entropy(logits_n, float(targets_n[0]))


def line(name: str, found: dict[str, Any]) -> str:
    if found["max_ulp"] is None:
        text = f"    {name:<16}nothing finite"
    else:
        text = f"    {name:<16}{found['max_ulp']:>12.4g}{found['median_ulp']:>10.3g}"
    text += f"   lost {found['lost']:>7.2%}   wrong {found['wrong']:>7.2%}"
    if found["not_finite"]:
        text += f"   {found['not_finite']:,} of {found['values']:,} not finite"
    if found["not_as_limit"]:
        text += f"   {found['not_as_limit']:,} true zeros are something else"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the errors with what they were measured on; 1 when ours are beyond their bound."""
    parser = argparse.ArgumentParser(description="Errors of losses, gradients and probabilities from logits.")
    parser.add_argument("--rows", type=int, default=40_000, help="of 10 classes (default 40000)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the sigmoid's logits (default 1000000)")
    parser.add_argument("--many-rows", type=int, default=64, help="of 100 000 classes (default 64)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)

    facts = machine(*(kind.package() for kind in PEERS), "jax", "mpmath")
    show(facts)
    left_out = [kind.name for kind in PEERS if not kind.is_installed()]
    if left_out:
        print(f"not installed, left out: {', '.join(left_out)}\n")
    peers = [kind() for kind in PEERS if kind.is_installed()]
    warnings.simplefilter("ignore", RuntimeWarning)  # of peers, at −∞ and at log 0

    start, worst, beyond = time.perf_counter(), 0.0, []
    report: dict[str, Any] = {**facts, "libraries": [peer.name for peer in peers], "left_out": left_out, "cases": []}
    sources = (
        sigmoid_cases(options.entries),
        softmax_cases(options.rows, options.many_rows),
        value_cases(options.rows, options.many_rows),
    )
    for case in (case for source in sources for case in source):
        worst = max(worst, check_truth(case))
        answers = {peer.name: answer_of(peer, case) for peer in peers}
        for part, true in case.truths.items():
            slack = 0.0 if part == "loss" else case.slack
            results = {
                name: truth.errors(answer[part], true, slack)
                for name, answer in answers.items()
                if answer is not None and part in answer
            }
            what = {"function": case.function, "case": case.name, "part": part}
            report["cases"].append({**what, "results": results})
            print(f"{case.function}, {part}: {case.name}    (largest and median ulps)")
            for name, found in results.items():
                print(line(name, found), flush=True)
            ours = results[Ours.name]
            if ours["max_ulp_beyond_slack"] > BOUND or ours["not_finite"] or ours["not_as_limit"]:
                beyond.append(f"{case.function}, {part}: {case.name}")

    report["first_zeros"] = first_zeros(peers)
    print(
        "\nfirst lead of the right answer at which it is exactly 0 (step 0.25); truth: where float32 has nothing else"
    )
    for row in report["first_zeros"]:
        leads = ", ".join(f"{name} {lead:g}" for name, lead in row["leads"].items())
        print(f"    {row['function']}, {row['part']}, {row['case']}: {leads}")

    report |= {"truth_differs_by": worst, "beyond_bound": beyond, "seconds": time.perf_counter() - start}
    print(f"\nworst relative difference between the truth and mpmath: {worst:.1e}")
    print("beyond the bound of ours: " + ("; ".join(beyond) or "nothing"))
    write_json(options.json, report)
    return 1 if beyond else 0


if __name__ == "__main__":
    raise SystemExit(main())
