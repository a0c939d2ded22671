"""Writes pictures.md from what was measured: `python docs/reference/make_pictures_md.py [NAME=JSON ...]`.

NAME is street, of `benchmarks/street.py --digest JSON`; mnist or fashion_mnist, of `benchmarks/mnist.py --backbones
tiny`; or torch_loop, torch_loop_2 and torch_loop_3, of `benchmarks/torch_loop.py` on different machines or in another
precision. Each is first kept beside this file, in pictures.json.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "pictures.md"
RECORD = HERE / "pictures.json"
QUALITY = runpy.run_path(str(HERE / "make_quality_md.py"))
SPEED = runpy.run_path(str(HERE / "make_speed_md.py"))
LABELS = ("car", "bus", "pedestrian")
NAMES = (*LABELS, "mean")
GOALS = {"car": 0.97, "bus": 0.86, "pedestrian": 0.94}
WHO = {
    "none-fast": "dense layers, `--preset fast`",
    "none-fast-separate": "dense layers, `--preset fast`, a network for each label",
    "none": "dense layers, `good`",
    "tiny": "**`tiny`**",
    "tiny-separate": "`tiny`, a network for each label",
    "tiny-best": "`tiny`, `--preset best`",
    "tiny-whole": "`tiny`, `--image-size 128x256`",
    "hog": "HOG and logistic regression",
    "frequencies": "each label's share",
}
METRICS = {"auc": "ROC AUC", "ap": "average precision"}
DIGITS = {"mnist": ("MNIST", 0.993), "fashion_mnist": ("Fashion-MNIST", 0.925)}
LOOPS = ("torch_loop", "torch_loop_2", "torch_loop_3")
HEAD = """<!-- Made by make_pictures_md.py from the figures of benchmarks/street.py, mnist.py and torch_loop.py, in pictures.json. -->

# Pictures, measured

What `--backbone tiny`, a [small residual network](../how-to/torch.md#pictures), makes of pictures, how long it takes on a processor, and beside what.
Its constants were chosen on training pictures alone: of street photographs on cities of the first fold's training part, of MNIST and Fashion-MNIST on training rows.
So of the cities those of the first fold alone had no part in the choice.
"""
STREET = """
## Street photographs of other cities

Real photographs from a car, of {cities} cities; is there a car, a bus, a pedestrian?
The pictures may be used for research alone and are no part of this project.
The cities are shared out among three folds, in the order of their names by turns; each fold is predicted by what was trained on the two others, so no city is on both sides.
{measured_on}
"""
INTERVALS = """
Means over the folds, with intervals of 95 %: the cities of each fold drawn again 1000 times.
They hold the chance of the cities; each training was made once, with seed 0.
"""


def cell(figures: list[float]) -> str:
    value, low, high = figures
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def listed(folds: Iterable[str | int]) -> str:
    """Folds, counted from 1."""
    return " and ".join(str(int(fold) + 1) for fold in folds)


def of_street(record: dict[str, Any]) -> Iterator[str]:
    parts = record["parts"]
    used = sorted(
        {one["run"] for part in parts.values() for by_fold in part["fits"].values() for one in by_fold.values()}
    )
    runs = [record["runs"][number] for number in used]
    machines = list(dict.fromkeys(f"{one['processor']}, {one['cores']} cores" for one in runs))
    versions = {name: number for one in runs for name, number in one["versions"].items() if number}
    words = ", ".join(f"{name} {number}" for name, number in {"Python": runs[0]["python"], **versions}.items())
    dates = sorted({one["date"] for one in runs})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    tiles = parts["tiles"]
    yield STREET.format(
        cities=sum(map(len, tiles["cities"])),
        measured_on=f"`python benchmarks/street.py`, {when}, {'; '.join(machines)}, {words}.",
    ).rstrip("\n")
    for part, title in (
        ("tiles", "Parts of photographs, 96 × 96"),
        ("frames", "Whole photographs, 256 × 128, read at half that size unless told otherwise"),
    ):
        found = parts.get(part, {})
        done = found.get("contenders", {})
        yield f"\n### {title}\n"
        if not done:
            yield "Not run."
            continue
        shares = ", ".join(f"{label} {100 * share:.0f} %" for label, share in found["shares"].items())
        yield f"{found['rows']:,} pictures; of these have {shares}."
        absent = [WHO[who] for who in WHO if who not in done and (part, who) != ("tiles", "tiny-whole")]
        if absent:
            yield f"Not run: {'; '.join(absent)}."
        n_folds = len(found["cities"])
        some = {who: listed(of["folds"]) for who, of in done.items() if len(of["folds"]) < n_folds}
        for who, which in some.items():
            yield f"Of {WHO[who]} only fold {which} of the {n_folds} was run, so its line is of other pictures than those of all folds; the differences below are of the same."
        yield INTERVALS.rstrip("\n")
        for metric, name in METRICS.items():
            yield f"\n| {name} | {' | '.join(NAMES)} |"
            yield "|---" * (1 + len(NAMES)) + "|"
            for who, title_of in WHO.items():
                if who in done:
                    yield f"| {title_of} | {' | '.join(cell(done[who][metric][label]) for label in NAMES)} |"
            if metric == "auc" and part == "tiles":
                yield f"| goal for `tiny` | {' | '.join(f'{GOALS[label]:.2f}' for label in LABELS)} | |"
        yield ""
        for who, title_of in WHO.items():
            of = done.get(who, {})
            if "behind" in of and who != "frequencies":
                cells = ", ".join("{} {:+.3f} ({:+.3f} to {:+.3f})".format(name, *of["behind"][name]) for name in NAMES)
                yield f"- ROC AUC of `tiny` less that of {title_of}, fold {listed(of['shared'])}: {cells}."
        yield "\n| a fold | processor s of the training | s, where the machine was free | peak, MB |"
        yield "|---|---|---|---|"
        for who, by_fold in found["fits"].items():
            fits = [one["fit"] | {"busy": one["busy"]} for one in by_fold.values()]
            free = [f"{one['s']:.0f}" for one in fits if not one["busy"]]
            cpu = " ".join(f"{one['cpu_s']:.0f}" for one in fits)
            yield f"| {WHO[who]} | {cpu} | {' '.join(free) or '—'} | {max(one['peak_mb'] for one in fits):.0f} |"


def of_digits(record: dict[str, Any]) -> Iterator[str]:
    yield "\n## MNIST and Fashion-MNIST\n"
    yield "`fromlogits train train-images-idx3-ubyte.gz --test t10k-images-idx3-ubyte.gz --backbone tiny`, a process for each line, from its start to its end; the 10,000 test rows chose nothing."
    for name, (title, _) in DIGITS.items():
        if name in record:
            yield f"{title}: {SPEED['measured_on'](record[name])}"
    yield "\n| | test accuracy | goal | seed | passes | s | processor s | peak, MB |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, (title, goal) in DIGITS.items():
        if name not in record:
            yield f"| {title} | not run | {100 * goal:.1f} % | | | | | |"
            continue
        for run in record[name]["networks"]["tiny"]["runs"]:
            yield f"| {title} | {100 * run['accuracy']:.2f} % | {100 * goal:.1f} % | {run['seed']} | {run['epochs']} | {run['seconds']:.0f} | {run['cpu_s']:.0f} | {run['peak_mb']:.0f} |"


def of_loop(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "\n## Beside a loop by hand\n"
    yield "Pictures a second of training: the torch engine, and the same network in a loop written with PyTorch's own parts (`nn` modules with the channels last, `DataLoader`, bfloat16 by autocast where it is that, fused AdamW, the same changes to pictures); medians of the rounds, lowest and highest in brackets."
    yield "A training takes the precision that is [faster on its machine](../decisions/0026-torch-engine.md#pictures)."
    for record in records:
        yield f"\n### In {record['precision']}, {record['processor'].partition(' (')[0]}\n"
        yield SPEED["measured_on"](record)
        for title, found in record["tasks"].items():
            yield f"\n{title}, batches of {found['batch_size']}:\n"
            yield "| | pictures/s |\n|---|---|"
            for who, speed in found["pictures_per_s"].items():
                yield f"| {who} | {speed['median']:.0f} ({speed['lowest']:.0f} to {speed['highest']:.0f}) |"
            spent = ", ".join(f"{name} {100 * share:.0f} %" for name, share in found["shares"].items())
            yield f"\nOf the time of ours: {spent}."
            if (first := found["first_pass_s"].get("loop, compiled")) is not None:
                yield f"The first pass of the compiled loop, which compiles it, took {first:.0f} s."


def page() -> str:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    lines = [HEAD.rstrip("\n")]
    if "street" in record:
        lines += of_street(record["street"])
    lines += of_digits(record)
    lines += of_loop([record[name] for name in LOOPS if name in record])
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    kept = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    for argument in sys.argv[1:]:
        name, _, path = argument.partition("=")
        kept[name] = QUALITY["rounded"](json.loads(Path(path).read_text(encoding="utf-8")))
    for of in (*kept.get("street", {}).get("runs", []), *(kept[name] for name in kept if name != "street")):
        of["command"] = SPEED["bare"](of["command"])
    RECORD.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
