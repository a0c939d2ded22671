"""How good the probabilities and the decisions are, set by set: our presets beside boosted trees and other networks.

    python benchmarks/quality.py --data TABLES --peers-python PYTHON --json quality.json
    python benchmarks/quality.py --summary quality.json peers.json

TABLES is as for tables.py, with Fashion-MNIST beside MNIST; `digits` is examples/digits.csv, tested on a fixed fifth.
Every contender is given the same rows, and told which columns are categories; a seed is what it makes of it.

- fast, good, best: `fromlogits.Classifier(preset=...)`, and else its defaults; a preset that isn't there is left out.
- lightgbm, catboost, hgb: LightGBM, CatBoost and scikit-learn's HistGradientBoostingClassifier at their defaults;
  of several labels one LightGBM for each.
- mlp: scikit-learn's MLPClassifier at its defaults, on a median-imputing StandardScaler and a OneHotEncoder.
- realmlp, realmlp-ce: pytabkit's RealMLP_TD_Classifier at its defaults, and as its README advises for the log-loss:
  val_metric_name="cross_entropy", use_ls=False.

Pictures go to ours, mlp, lightgbm and hgb: the others need more than the cap. `imdb_genres` is run only when named.
Each fit is a process of its own (contenders.py) on --threads threads: seconds and processor seconds of the training
alone and of the whole process, and its peak memory. One that uses more processor time than the cap on every thread, or
twice the cap by the clock, is ended; one that is slower than the cap is named. With --busy the clock ends nothing, and
the record says that its seconds mean nothing, as others used the machine; processor seconds are kept, and OpenMP's
threads sleep while they wait (OMP_WAIT_POLICY=passive): where a core is missing they would burn several times as many.

The log-loss is in nats, of labels per entry, ours from the logits; a probability of 0 for what is true counts as the
smallest normal float64 (708 nats) and such are counted. Where error rates are compared, (errors + ½)/(rows + 1) stands
for each. A set on which a contender diverges moves its geometric mean a lot, and the median of the ratios not.

The fits that the file of --json holds stay and are not made again, but for those that failed or were ended by a smaller
cap, so that a few can be run at a time; it is written after each fit. A contender that was ended on a set isn't tried
with other seeds. The exit status is 1 where a fit fails.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from contenders import CONTENDERS, LABELS, OURS, PICTURES, SETS, TABLE
from machine import show

# A process inherits the largest resident set of the one that started it, so nothing large is imported here.

CHILD = Path(__file__).resolve().with_name("contenders.py")
OPTIONAL = ("imdb_genres",)
SECONDS = ("fit_cpu_s", "fit_s", "cpu_s", "seconds")
Figures = dict[str, Any]
Fits = dict[str, dict[str, dict[str, Figures]]]
"""Figures by set, contender and seed (text, as JSON has it)."""


# --- the record ---


def read(path: Path, benchmark: str = "quality") -> Figures:
    if path.exists():
        record: Figures = json.loads(path.read_text(encoding="utf-8"))
        return record
    return {"benchmark": benchmark, "runs": [], "fits": {}}


def write(path: Path, record: Figures) -> None:
    """At once or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def merged(paths: Sequence[Path]) -> Fits:
    """The fits of several records; of one that several hold, the last counts."""
    fits: Fits = {}
    for path in paths:
        for name, contenders in read(path)["fits"].items():
            for contender, seeds in contenders.items():
                fits.setdefault(name, {}).setdefault(contender, {}).update(seeds)
    return fits


# --- one fit ---


def variables(threads: int, *, busy: bool) -> dict[str, str]:
    """What a fit finds in its environment."""
    found = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return found | ({"OMP_WAIT_POLICY": "passive"} if busy else {})


def run(
    python: str, arguments: Sequence[str], environment: dict[str, str], wall_s: float = threading.TIMEOUT_MAX
) -> Figures:
    """What contenders.py found, with seconds, processor seconds and peak memory of its process."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as said:
        out = Path(scratch, "found.json")
        command = [python, str(CHILD), *arguments, str(out)]
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=scratch, env=os.environ | environment, stdout=said, stderr=said)
        timer = threading.Timer(wall_s, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        found: Figures = {
            "seconds": seconds,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss * 1024 / 1e6,  # Linux counts in KiB
        }
        if process.returncode == 0:
            return found | json.loads(out.read_text(encoding="utf-8"))
        if process.returncode == -signal.SIGXCPU:
            return {**found, "ended": "by processor time"}
        if seconds >= wall_s:
            return {**found, "ended": "by the clock"}
        said.seek(0)
        words = said.read().decode(errors="replace").splitlines() or [""]
        return {**found, "failed": f"exit {process.returncode}: {words[-1]}"}


def is_slow(figures: Figures) -> bool:
    """Whether the training took more than the cap: by processor time, or by the clock where that means something."""
    if "fit_s" not in figures:
        return "ended" in figures
    by_clock = not figures["busy"] and figures["fit_s"] > figures["cap_s"]
    return by_clock or bool(figures["fit_cpu_s"] > figures["cap_s"] * figures["threads"])


def shown(figures: Figures) -> str:
    if "failed" in figures:
        return f"failed: {figures['failed']}"
    took = f"{figures['cpu_s']:.1f} CPU s, {figures['seconds']:.1f} s, {figures['peak_mb']:.0f} MB"
    if "ended" in figures:
        return f"ended {figures['ended']}: {took}"
    names = ("log_loss", "error", "macro_f1", "micro_f1", "zeros")
    return "  ".join(f"{name} {figures[name]:.4g}" for name in names if name in figures) + f"  ({took})"


# --- what the fits say ---


def value(figures: Figures, metric: str) -> float | None:
    """A figure as it is compared, or None where the fit has none."""
    if metric == "error" and "errors" in figures:
        return float(figures["errors"] + 0.5) / float(figures["rows"] + 1)
    if metric in ("fit_s", "seconds") and figures["busy"]:
        return None
    return figures.get(metric) if "log_loss" in figures else None


def by_seed(fits: Fits, metric: str, kinds: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """The values of a metric by set, contender and seed, of the sets of these kinds."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, kind in SETS.items():
        for contender, seeds in fits.get(name, {}).items() if kind in kinds else ():
            values = {seed: x for seed, figures in seeds.items() if (x := value(figures, metric)) is not None}
            if values:
                found.setdefault(name, {})[contender] = values
    return found


def means(fits: Fits, metric: str, kinds: Sequence[str]) -> dict[str, dict[str, float]]:
    """The mean over the seeds, by set and contender."""
    return {
        name: {contender: statistics.fmean(values.values()) for contender, values in contenders.items()}
        for name, contenders in by_seed(fits, metric, kinds).items()
    }


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def of_one_processor(fits: Fits, contender: str, reference: str) -> Fits:
    """The fits of these two that were made on a processor which both were made on, set by set."""
    found: Fits = {}
    for name, contenders in fits.items():
        pair = [contenders.get(who, {}) for who in (contender, reference)]
        both = set.intersection(*({one.get("processor") for one in seeds.values()} for seeds in pair))
        found[name] = {
            who: {seed: one for seed, one in seeds.items() if one.get("processor") in both}
            for who, seeds in zip((contender, reference), pair, strict=True)
        }
    return found


def against(fits: Fits, metric: str, kinds: Sequence[str], contender: str, reference: str) -> Figures | None:
    """A contender's figure over the reference's: the geometric mean over the sets that both have; of seconds, on the
    same processor.

    Returns:
        sets: how many; ratio: of the means over the seeds; median: of the sets' ratios; deviation: over the seeds that
        every set of several seeds has, of the ratio on these sets with that seed alone, None of fewer than two; lower,
        higher: sets where the contender's mean is so.
    """
    if metric in SECONDS:
        fits = of_one_processor(fits, contender, reference)
    of_reference = {name: found[reference] for name, found in means(fits, metric, kinds).items() if reference in found}
    every = by_seed(fits, metric, kinds)
    shared = [name for name in of_reference if contender in every[name]]
    if not shared:
        return None
    ratios = [statistics.fmean(every[name][contender].values()) / of_reference[name] for name in shared]
    several = [name for name in shared if len(every[name][contender]) > 1]
    seeds = set.intersection(*(set(every[name][contender]) for name in several)) if several else set()
    of_seeds = [geometric_mean([every[name][contender][s] / of_reference[name] for name in several]) for s in seeds]
    return {
        "sets": len(shared),
        "ratio": geometric_mean(ratios),
        "median": statistics.median(ratios),
        "deviation": statistics.stdev(of_seeds) if len(of_seeds) > 1 else None,
        "lower": sum(ratio < 1 for ratio in ratios),
        "higher": sum(ratio > 1 for ratio in ratios),
    }


def wins(fits: Fits, metric: str, kinds: Sequence[str], *, highest: bool = False) -> dict[str, int]:
    """On how many sets each contender has the best mean over the seeds; equal ones win both."""
    found = dict.fromkeys(CONTENDERS, 0)
    for contenders in means(fits, metric, kinds).values():
        best = (max if highest else min)(contenders.values())
        for contender, mean in contenders.items():
            found[contender] += mean == best
    return found


def present(fits: Fits) -> list[str]:
    return [contender for contender in CONTENDERS if any(found.get(contender) for found in fits.values())]


def the_reference(fits: Fits) -> str:
    """`good`, until there is one `fast`, or else the first that was run."""
    names = present(fits)
    return next((name for name in ("good", "fast") if name in names), names[0])


def cell(seeds: Sequence[Figures], metric: str) -> str:
    """The mean of a metric over the seeds, in words; the error as it is, in percent."""
    values = [figures[metric] for figures in seeds if metric in figures]
    if not values:
        outcome = next((outcome for outcome in ("ended", "failed") for figures in seeds if outcome in figures), None)
        return outcome or "not run"
    mean = statistics.fmean(values)
    if metric == "error":
        return f"{100 * mean:.2f} %"
    zeros = sum(figures["zeros"] for figures in seeds if "zeros" in figures) if metric == "log_loss" else 0
    return f"{mean:.4f}" + (f" ({zeros} zeros)" if zeros else "")


def set_table(fits: Fits, metric: str, kinds: Sequence[str]) -> Iterator[str]:
    """The means over the seeds, a set a line; what a contender isn't given is empty."""
    names = present({name: found for name, found in fits.items() if SETS[name] in kinds})
    yield f"| {metric} | {' | '.join(names)} |"
    yield "|---" * (1 + len(names)) + "|"
    for title in (name for name in SETS if SETS[name] in kinds and name in fits):
        cells = (
            cell(list(fits[title].get(contender, {}).values()), metric)
            if SETS[title] in CONTENDERS[contender][1]
            else ""
            for contender in names
        )
        yield f"| {title} | {' | '.join(cells)} |"


def ratio_table(fits: Fits, metrics: Sequence[str], kinds: Sequence[str], reference: str) -> Iterator[str]:
    """Every contender over the reference, a contender a line."""
    titles = (f"{metric} / {reference}'s | ± of seeds | median | lower on | best on" for metric in metrics)
    yield f"| | sets | {' | '.join(titles)} | CPU s / {reference}'s | s / {reference}'s |"
    yield "|---" * (4 + 5 * len(metrics)) + "|"
    best = {metric: wins(fits, metric, kinds) for metric in metrics}
    for contender in present(fits):
        cells, sets = [], 0
        for metric in metrics:
            found = against(fits, metric, kinds, contender, reference)
            if found is None:
                break
            sets = found["sets"]
            deviation = "—" if found["deviation"] is None else f"{found['deviation']:.4f}"
            cells += [f"{found['ratio']:.4f}", deviation, f"{found['median']:.4f}"]
            cells += [str(found["lower"]), str(best[metric][contender])]
        else:
            for metric in ("fit_cpu_s", "fit_s"):
                took = against(fits, metric, kinds, contender, reference)
                cells.append("—" if took is None else f"{took['ratio']:.2f}")
            yield f"| {contender} | {sets} | {' | '.join(cells)} |"


def slow(fits: Fits) -> Iterator[str]:
    """The fits that exceeded the cap."""
    for name, contenders in fits.items():
        for contender, seeds in contenders.items():
            for seed, figures in seeds.items():
                if is_slow(figures):
                    outcome = f"ended {figures['ended']}" if "ended" in figures else f"{figures['fit_cpu_s']:.0f} CPU s"
                    yield f"exceeds {figures['cap_s']:.0f} s: {contender} on {name}, seed {seed}: {outcome}"


def summary(fits: Fits, reference: str) -> Iterator[str]:
    """All tables, line by line."""
    for kinds, metrics, compared in (
        ((TABLE, PICTURES), ("log_loss", "error"), ("log_loss", "error")),
        ((LABELS,), ("log_loss", "macro_f1", "micro_f1"), ("log_loss",)),
    ):
        if not any(SETS[name] in kinds for name in fits):
            continue
        for metric in metrics:
            yield from set_table(fits, metric, kinds)
            yield ""
        yield from ratio_table(fits, compared, kinds, reference)
        yield ""
    yield from slow(fits)


# --- all of them ---


def wanted(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Contender, set and seed of each fit, in the order they are run."""
    for contender in options.contenders:
        for seed in options.seeds:
            for name in options.sets:
                if SETS[name] in CONTENDERS[contender][1]:
                    yield contender, name, seed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when a fit fails."""
    parser = argparse.ArgumentParser(description="Quality of our presets beside boosted trees and other networks.")
    usual = [name for name in SETS if name not in OPTIONAL]
    every = list(CONTENDERS)
    parser.add_argument("--data", type=Path, help="folder of the sets' folders")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=usual, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--contenders", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--threads", type=int, default=2, help="of each fit (default 2)")
    parser.add_argument("--cap", type=float, default=600, help="seconds that a training may take (default 600)")
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="the interpreter of the peers")
    parser.add_argument("--busy", action="store_true", help="the machine is shared: seconds by the clock mean nothing")
    parser.add_argument("--again", action="store_true", help="make fits anew that the record holds")
    parser.add_argument("--json", type=Path, help="the record to add to")
    parser.add_argument("--summary", nargs="+", type=Path, metavar="JSON", help="only print these records' tables")
    parser.add_argument("--reference", choices=every, metavar="NAME", help="whom to compare with (good, or else fast)")
    options = parser.parse_args(arguments)
    if options.summary:
        fits = merged(options.summary)
        print("\n".join(summary(fits, options.reference or the_reference(fits))))
        return 0
    if options.data is None or options.json is None:
        parser.error("--data and --json must be given, or --summary")

    pythons = {who: sys.executable if who in OURS else options.peers_python for who in options.contenders}
    environment = variables(options.threads, busy=options.busy)
    facts = {python: run(python, ["versions"], environment) for python in dict.fromkeys(pythons.values())}
    for of_python in facts.values():
        show({name: fact for name, fact in of_python.items() if name not in ("seconds", "cpu_s", "peak_mb")})
    record = read(options.json)
    record["runs"].append({"command": sys.orig_argv[1:], "interpreters": list(facts.values())})
    number = len(record["runs"]) - 1
    left_out = set()
    for who, python in pythons.items():
        if facts[python]["versions"][CONTENDERS[who][2]] is None or (
            who in OURS and who not in facts[python]["presets"]
        ):
            print(f"{who} is not there")
            left_out.add(who)

    status = 0
    for contender, name, seed in wanted(options):
        if contender in left_out:
            continue
        seeds = record["fits"].setdefault(name, {}).setdefault(contender, {})
        ended = [other for other, figures in seeds.items() if "ended" in figures and figures["cap_s"] >= options.cap]
        is_made = str(seed) in seeds and "log_loss" in seeds[str(seed)]
        if not options.again and (is_made or ended):
            continue
        limit_s = options.cap * options.threads
        task = [str(options.data.resolve()), name, contender, str(seed), str(options.threads), f"{limit_s:.0f}"]
        wall_s = threading.TIMEOUT_MAX if options.busy else 2 * options.cap
        found = run(pythons[contender], task, environment, wall_s)
        seeds[str(seed)] = found | {
            "cap_s": options.cap, "threads": options.threads, "busy": options.busy, "run": number,
            "processor": facts[pythons[contender]]["processor"],
        }  # fmt: skip
        status |= "failed" in found
        print(f"{contender:<11} {name:<14} seed {seed}  {shown(found)}", flush=True)
        write(options.json, record)
    if fits := {name: found for name, found in record["fits"].items() if any(found.values())}:
        print("\n" + "\n".join(summary(fits, options.reference or the_reference(fits))))
    return status


if __name__ == "__main__":
    raise SystemExit(main())
