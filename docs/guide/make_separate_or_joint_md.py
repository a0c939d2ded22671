"""Writes the tables of one-class-or-many-labels.md from separate-or-joint.json beside the speed's records.

python docs/guide/make_separate_or_joint_md.py [JSON...]

A JSON is what benchmarks/separate_or_joint.py wrote; what it holds is first kept, in a short form, in docs/reference.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("one-class-or-many-labels.md")
REFERENCE = PAGE.parents[1] / "reference"
RECORD = REFERENCE / "separate-or-joint.json"
PICTURES = runpy.run_path(str(REFERENCE / "make_pictures_md.py"))
SPEED = PICTURES["SPEED"]
METRICS = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "log_loss": "log-loss", "macro_roc_auc": "macro ROC AUC"}
OF_PICTURES = {"auc": "ROC AUC", "ap": "average precision"}
LABELS = ("car", "bus", "pedestrian", "mean")
BACKBONES = {"none": "dense layers", "tiny": "`tiny`"}
KINDS = {"joint": "one network", "separate": "a network for each label"}
CITIES = "of [cities](../reference/pictures.md#street-photographs-of-other-cities)"
Pair = dict[str, Any]


def by_kind(pairs: list[tuple[str, Pair]]) -> Iterator[tuple[str, str, Pair]]:
    for title, pair in pairs:
        for kind, name in KINDS.items():
            yield title if kind == "joint" else "", name, pair[kind] | pair.get("quality", {}).get(kind, {})


def of_pictures(pairs: list[tuple[str, Pair]]) -> Iterator[str]:
    for metric, name in OF_PICTURES.items():
        yield f"\n| {name} | | {' | '.join(LABELS)} |"
        yield "|---" * (2 + len(LABELS)) + "|"
        for title, kind, row in by_kind(pairs):
            yield f"| {title} | {kind} | {' | '.join(PICTURES['cell'](row[metric][label]) for label in LABELS)} |"
    yield ""
    for title, pair in pairs:
        form = "{} {:+.3f} ({:+.3f} to {:+.3f})".format
        ahead = ", ".join(form(label, *pair["quality"]["difference"]["auc"][label]) for label in LABELS)
        yield f"- ROC AUC of a network for each label less that of one, {title}: {ahead}."
    yield "\n| | | training, processor s | parameters | file, MB | one picture, ms |"
    yield "|---|---|---|---|---|---|"
    for title, kind, row in by_kind(pairs):
        sizes = f"{row['parameters']:,} | {row['file_bytes'] / 1e6:.1f} | {row['one_row_us'] / 1e3:.3g}"
        yield f"| {title} | {kind} | {row['fit_cpu_s']['median']:.3g} | {sizes} |"


def of_tables(pairs: list[tuple[str, Pair]]) -> Iterator[str]:
    yield f"\n| table | | {' | '.join(METRICS.values())} | training, processor s | parameters | file, kB | one row, µs |"
    yield "|---" * (6 + len(METRICS)) + "|"
    for title, kind, row in by_kind(pairs):
        quality = " | ".join(f"{row[m]['mean']:.4f} ± {row[m]['deviation']:.4f}" for m in METRICS)
        sizes = f"{row['parameters']:,} | {row['file_bytes'] / 1e3:.0f} | {row['one_row_us']:.0f}"
        yield f"| {title} | {kind} | {quality} | {row['fit_cpu_s']['median']:.2f} | {sizes} |"


def counted(pair: Pair) -> str:
    n = len(pair["quality"]["which"])
    plural = "s" * (n != 1)
    return f"{n} fold{plural} {CITIES}" if "seeds" not in pair else f"{n} seed{plural}"


def section(record: dict[str, Any]) -> Iterator[str]:
    pairs = [(name, backbone, pair) for name, of in record["sets"].items() for backbone, pair in of.items()]
    yield from dict.fromkeys(
        SPEED["measured_on"](pair["on"]) + " The machine had other work." * pair["busy"] for _, _, pair in pairs
    )
    yield "Dense layers are of `--preset fast`, which is one network; everything else is at its defaults."
    tables = [(f"{name}, {pair['labels']} labels", pair) for name, _, pair in pairs if "quality" not in pair]
    pictures = [(f"{name}, {BACKBONES[backbone]}", pair) for name, backbone, pair in pairs if "quality" in pair]
    counts = (f"{title}: {counted(pair)}" for title, pair in pictures)
    yield f"Of pictures, means ({'; '.join(counts)}) with intervals of 95 %: the test pictures or cities drawn again 1000 times."
    yield from of_pictures(pictures)
    if tables:
        seeds = " or ".join(sorted({str(pair["seeds"]) for _, pair in tables}))
        yield f"\nTables: test rows, mean ± standard deviation over {seeds} seeds."
        yield from of_tables(tables)


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    if not RECORD.exists():
        return text
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    made: str = SPEED["between"](text, RECORD.name, section(record), "make_separate_or_joint_md.py")
    return made


if __name__ == "__main__":
    kept = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else None
    for argument in sys.argv[1:]:
        found = json.loads(Path(argument).read_text(encoding="utf-8"))
        kept = kept or {**found, "sets": {}}
        for name, backbones in found["sets"].items():
            for pair in backbones.values():
                pair["on"]["command"] = SPEED["bare"](pair["on"]["command"])
            kept["sets"].setdefault(name, {}).update(backbones)
        SPEED["write"](kept)
    PAGE.write_text(page(), encoding="utf-8")
