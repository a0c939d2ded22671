"""Writes quality.md from benchmarks/quality.py and ablation.py: `python docs/reference/make_quality_md.py [JSON...]`.

JSON are records of either script. Those of one script are joined, of a fit that several hold the last counts, and kept
beside this file in a short form, as quality.json and ablation.json. A record that isn't there yet is named on the page.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "quality.md"
sys.path.insert(0, str(HERE.parent.parent / "benchmarks"))

import ablation  # noqa: E402
import quality  # noqa: E402
from contenders import CONTENDERS, LABELS, OURS, PICTURES, SETS, TABLE  # noqa: E402

CLASSES = (TABLE, PICTURES)
WORDS = {"log_loss": "log-loss", "error": "error rate"}
PACKAGES = ("fromlogits", "scikit-learn", "lightgbm", "catboost", "pytabkit", "torch")
Record = dict[str, Any]
HEAD = """<!-- Made by make_quality_md.py from the figures of benchmarks/quality.py and ablation.py, in quality.json and ablation.json. -->

# Quality, measured

How good the probabilities and the decisions of each preset are, set by set, beside boosted trees and other networks, and what each part of the recipe adds.
"""
HOW = """
Every contender is given the same training rows, is told which columns are categories, and is judged on the same test rows; a seed is what it makes of it.
`lightgbm`, `catboost` and `hgb` are LightGBM, CatBoost and scikit-learn's `HistGradientBoostingClassifier`; `mlp` is its `MLPClassifier`.
`realmlp` is pytabkit's `RealMLP_TD_Classifier`, and `realmlp-ce` the same as its README advises for the log-loss.
All are at their defaults: none is tuned, ours neither.
How each is set up stands at the head of [quality.py](../../benchmarks/quality.py) and in [contenders.py](../../benchmarks/contenders.py).

The log-loss is in nats, of labels per entry; a probability of 0 for what is true counts as the smallest normal float64, and such zeros are counted.
Figures are means over the seeds; *ended* is a training that took longer than the cap, *not run* is missing here and no verdict, and an empty cell is of a set that the contender isn't given.
"""
RATIOS = """
Over `{reference}`'s: the geometric mean, over the sets that both have, of the ratios of the means over the seeds.
Below 1 is better than `{reference}`.
Lines of other numbers of sets are of other sets, and not to be compared with each other.
*±* is the standard deviation of that mean over the seeds, one seed at a time, over the sets of several seeds; *median* is of the sets' ratios; *lower on* counts the sets on which the contender is better, *best on* those on which nobody who was run is better.
Where error rates are compared, (errors + ½)/(rows + 1) stands for each.
Processor seconds are of the training alone, and compared on the sets on which both were trained by the same processor.
"""
DECIDED = """Everyone decides at a probability of one half here, which for F1 is the wrong place where labels are rare.
What thresholds made for F1 give is in [decisions, measured](decisions.md#thresholds).
"""
ABLATION = """
## What each part of the recipe is worth

The preset `good` with one part left out, on tables, judged on a quarter of the *training* rows that was drawn once; at most {most_rows:,} of the others are trained on.
The test rows of these sets have no part in it.
A part that a set has no use for is not counted there.
{measured_on}

Figures are against the whole recipe: the geometric mean over the sets of the ratios of the means over the seeds, as what it adds in percent; more is worse.
The noise is the standard deviation, over the seeds of the whole recipe, of that mean with one seed alone, over the sets that have the part.
{seeds}
"""


# --- the records ---


def joined(records: Sequence[Record]) -> Record:
    """One record of several of a script; each fit still names its run."""
    whole: Record = {**records[0], "runs": [], "fits": {}}
    for record in records:
        if record.get("most_rows") != whole.get("most_rows"):
            raise SystemExit("these records were made with other numbers of rows (--rows), and can't be joined.")
        first = len(whole["runs"])
        whole["runs"] += record["runs"]
        for name, contenders in record["fits"].items():
            for contender, seeds in contenders.items():
                own = whole["fits"].setdefault(name, {}).setdefault(contender, {})
                for seed, figures in seeds.items():
                    processor = record["runs"][figures["run"]]["interpreters"][0]["processor"]
                    own[seed] = {"processor": processor, **figures, "run": figures["run"] + first}
    return whole


def keep(record: Record) -> None:
    """In a short form: seven significant digits, a line for each contender of a set."""
    fits = []
    for name, contenders in record["fits"].items():
        lines = [
            f"      {json.dumps(contender)}: {json.dumps(rounded(seeds))}" for contender, seeds in contenders.items()
        ]
        fits.append(f"    {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n    }")
    runs = [f"    {json.dumps(rounded(without_places(run)))}" for run in record["runs"]]
    rest = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items() if key not in ("runs", "fits")]
    parts = [*rest, '  "runs": [\n' + ",\n".join(runs) + "\n  ]", '  "fits": {\n' + ",\n".join(fits) + "\n  }"]
    (HERE / f"{record['benchmark']}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def without_places(run: Record) -> Record:
    """Commands without the folders in which they were run."""
    interpreters = [{**facts, "command": bare(shlex.split(facts["command"]))} for facts in run["interpreters"]]
    return {**run, "command": shlex.split(bare(run["command"])), "interpreters": interpreters}


def bare(words: Sequence[str]) -> str:
    return shlex.join(Path(word).name if word.startswith("/") else word for word in words)


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def kept(benchmark: str) -> Record | None:
    """The record beside this file, or None where there is none, or no fit in it."""
    record = quality.read(HERE / f"{benchmark}.json")
    return record if any(seeds for found in record["fits"].values() for seeds in found.values()) else None


# --- what they were measured on ---


def listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def measured_on(record: Record) -> str:
    """Machines, dates, versions and threads of the runs that a fit is of."""
    figures = [one for found in record["fits"].values() for seeds in found.values() for one in seeds.values()]
    runs = [record["runs"][number] for number in sorted({one["run"] for one in figures})]
    facts = [of_python for run in runs for of_python in run["interpreters"]]
    dates = sorted({one["date"] for one in facts})
    machines = list(dict.fromkeys(f"{one['processor']}, {one['cores']} cores" for one in facts))
    versions: dict[str, dict[str, None]] = {}
    for one in facts:
        for name, number in {"Python": one["python"], **one["versions"]}.items():
            if number and name in ("Python", "numpy", *PACKAGES):
                versions.setdefault(name, {})[number] = None
    threads = sorted({one["threads"] for one in (*figures, *runs) if "threads" in one})
    words = ", ".join(f"{name} {' and '.join(numbers)}" for name, numbers in versions.items())
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    each = f"{listed([str(n) for n in threads])} thread{'s' * (threads != [1])} each"
    text = f"`python benchmarks/{record['benchmark']}.py`, {when}, {'; '.join(machines)}, {each}, {words}."
    if any(one.get("busy") for one in figures):
        some = "" if all(one.get("busy") for one in figures) else " for some of the trainings, of which"
        text += f"\nThe machine was shared{some or ', so'} seconds by the clock mean nothing and are left out; processor seconds are kept, which the work of others makes more, too."
    return text


def seeds_run(fits: quality.Fits, kinds: Sequence[str]) -> str:
    """How many seeds each contender has."""
    counts: dict[str, list[str]] = {}
    for contender in CONTENDERS:
        own = [
            sum("log_loss" in figures for figures in fits[name].get(contender, {}).values())
            for name, kind in SETS.items()
            if kind in kinds and name in fits and kind in CONTENDERS[contender][1]
        ]
        some = sorted({count for count in own if count})
        if some:
            text = str(some[0]) if len(some) == 1 else f"{some[0]} to {some[-1]}"
            missing = own.count(0)
            counts.setdefault(text + (f" ({missing} of {len(own)} sets without any)" if missing else ""), []).append(
                f"`{contender}`"
            )
        elif own:
            counts.setdefault("not run", []).append(f"`{contender}`")
    return "Seeds: " + "; ".join(f"{listed(names)} {count}" for count, names in counts.items()) + "."


# --- what they say ---


def change(ratio: float, words: str) -> str:
    percent = 100 * abs(ratio - 1)
    if percent < 0.05:
        return f"the same {words}"
    article = "an" if words[0] == "e" else "a"
    return f"{article} {words} {percent:.{1 if percent < 10 else 0}f} % {'higher' if ratio > 1 else 'lower'}"


def times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def reading(fits: quality.Fits, kinds: Sequence[str], metrics: Sequence[str], reference: str) -> Iterator[str]:
    """A line for each contender, beside the reference."""
    for contender in quality.present(fits):
        found = {metric: quality.against(fits, metric, kinds, contender, reference) for metric in metrics}
        first = found[metrics[0]]
        if contender == reference or first is None:
            continue
        own = quality.against(fits, metrics[0], kinds, reference, reference)
        parts = []
        for metric in metrics:
            of = found[metric]
            if of is not None:
                ties = of["sets"] - of["lower"] - of["higher"]
                parts.append(
                    f"{change(of['ratio'], WORDS[metric])} (it is the lower one on {of['lower']} of {of['sets']} sets"
                    + (f", equal on {ties}" if ties else "")
                    + ")"
                )
        line = f"- `{contender}` has {' and '.join(parts)}"
        took = quality.against(fits, "fit_cpu_s", kinds, contender, reference)
        line += f", for {times(took['ratio'])} times the processor seconds." if took else "."
        noise = [of["deviation"] for of in (first, own) if of is not None and of["deviation"] is not None]
        if noise and abs(first["ratio"] - 1) < 2 * max(noise):
            line += f" Its {WORDS[metrics[0]]} is no further off than twice the deviation over the seeds: no difference is shown."
        yield line


def slowest(fits: quality.Fits) -> list[str]:
    return [f"- {line}." for line in quality.slow(fits)]


def of_quality(record: Record) -> Iterator[str]:
    fits: quality.Fits = record["fits"]
    reference = quality.the_reference(fits)
    yield measured_on(record)
    yield HOW.rstrip("\n")
    absent = [contender for contender in CONTENDERS if contender not in quality.present(fits)]
    if absent:
        yield f"Not run: {listed([f'`{name}`' for name in absent])}."
    for title, kinds, shown, compared in (
        ("Tables and pictures", CLASSES, ("log_loss", "error"), ("log_loss", "error")),
        ("Any of many labels", (LABELS,), ("log_loss", "macro_f1", "micro_f1"), ("log_loss",)),
    ):
        yield f"\n## {title}\n"
        absent = [name for name, kind in SETS.items() if kind in kinds and not any(fits.get(name, {}).values())]
        if absent:
            yield f"Not run: {listed([f'`{name}`' for name in absent])}."
        if len(absent) == sum(kind in kinds for kind in SETS.values()):
            continue
        yield seeds_run(fits, kinds) + "\n"
        if "macro_f1" in shown:
            yield DECIDED
        for metric in shown:
            yield from quality.set_table(fits, metric, kinds)
            yield ""
        yield RATIOS.format(reference=reference).strip("\n") + "\n"
        yield from quality.ratio_table(fits, compared, kinds, reference)
        lines = list(reading(fits, kinds, compared, reference))
        if lines:
            yield f"\nRead beside `{reference}`:\n"
            yield from lines
    yield "\n## What it means\n"
    yield from verdicts(fits, reference)
    if lines := slowest(fits):
        yield "\nTrainings that took longer than the cap:\n"
        yield from lines


def verdicts(fits: quality.Fits, reference: str) -> Iterator[str]:
    """Where the reference is behind, and what these figures can't say."""
    for metric in ("log_loss", "error"):
        means = {name: of for name, of in quality.means(fits, metric, CLASSES).items() if reference in of}
        better: dict[str, list[str]] = {}
        for name, own in means.items():
            peers = {who: mean for who, mean in own.items() if who not in OURS}
            if peers and min(peers.values()) < own[reference]:
                better.setdefault(min(peers, key=lambda who: peers[who]), []).append(name)
        if not means:
            continue
        lost = sum(map(len, better.values()))
        words = "; ".join(f"{listed(names)} (`{who}` is the lowest)" for who, names in better.items())
        yield (
            f"- The {WORDS[metric]} of `{reference}` is as low as any peer's or lower on {len(means) - lost} of"
            f" {len(means)} sets of one class per row" + (f"; a peer's is lower on {words}." if better else ".")
        )
    few = [
        contender for contender in quality.present(fits)
        if max(len(found.get(contender, {})) for found in fits.values()) < 2
    ]  # fmt: skip
    if few:
        yield f"- Of {listed([f'`{name}`' for name in few])} there is one seed on every set, so nothing is known of their spread."
    yield "- The sets are few and public, and who is ahead on average depends on which they are: one of a dozen moves a geometric mean by a twelfth of its own change."
    yield "- Several of these tables were at hand while the constants of our presets were chosen, which favours ours here."
    yield "- On a few hundred test rows, one row more or less is a change of several percent in an error rate; the deviation over the seeds doesn't hold that, as the test rows stay the same."
    yield "- Nobody is tuned: boosted trees gain from tuning, and so do networks; these figures are of what one gets without."


def of_ablation(record: Record) -> Iterator[str]:
    fits: quality.Fits = record["fits"]
    counts = sorted({len(found[ablation.WHOLE]) for found in fits.values() if found.get(ablation.WHOLE)})
    seeds = f"It is of {listed([str(count) for count in counts])} seeds, so it is roughly known itself."
    if counts == [1]:
        seeds = "There is one seed, so it is not known."
    yield ABLATION.format(
        most_rows=record["most_rows"], measured_on=measured_on(record), seeds=seeds
    ).rstrip("\n") + "\n"  # fmt: skip
    yield from ablation.ratio_table(fits)
    yield ""
    yield from worth(fits)
    for metric in ("log_loss", "error"):
        yield f"\n### {WORDS[metric].capitalize()}, set by set\n"
        yield from ablation.set_table(fits, metric)


def worth(fits: quality.Fits) -> Iterator[str]:
    """Which parts show in the log-loss, by the noise of the whole recipe."""
    groups: dict[str, dict[str, float]] = {
        "Left out, these make the log-loss worse by more than twice the noise": {},
        "These make no difference that twice the noise would show": {},
        "With these the log-loss is better than the whole recipe's by more than twice the noise": {},
        "On their sets there is one seed, so no noise to hold these against": {},
        "Not run": {},
    }
    worse, same, better, unknown, absent = groups.values()
    for variant in list(ablation.VARIANTS)[1:]:
        found = ablation.compared(fits, "log_loss", variant)
        if found is None:
            absent[variant] = 0
            continue
        ratio, noise = found["ratio"], found["noise"]
        group = unknown if noise is None else same if abs(ratio - 1) <= 2 * noise else worse if ratio > 1 else better
        group[variant] = ratio
    for words, names in groups.items():
        if names:
            yield f"- {words}: {'; '.join(sorted(names, key=lambda name: -names[name]))}."


def page() -> str:
    lines = [HEAD]
    of_sets, of_parts = kept("quality"), kept("ablation")
    if of_sets is None:
        lines.append("The presets beside other libraries: not run (`python benchmarks/quality.py`).")
    else:
        lines += of_quality(of_sets)
    if of_parts is None:
        lines.append("\n## What each part of the recipe is worth\n\nNot run (`python benchmarks/ablation.py`).")
    else:
        lines += of_ablation(of_parts)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    given = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    for benchmark in dict.fromkeys(record["benchmark"] for record in given):
        keep(joined([record for record in given if record["benchmark"] == benchmark]))
    PAGE.write_text(page(), encoding="utf-8")
