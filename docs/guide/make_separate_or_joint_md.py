"""Writes a table of one-class-or-many-labels.md from separate-or-joint.json beside the speed's records.

python docs/guide/make_separate_or_joint_md.py [JSON]

JSON is what benchmarks/separate_or_joint.py wrote; it is first kept, in a short form, in docs/reference.
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
SPEED = runpy.run_path(str(REFERENCE / "make_speed_md.py"))
METRICS = {"macro_f1": "macro-F1", "micro_f1": "micro-F1", "log_loss": "log-loss", "macro_roc_auc": "macro ROC AUC"}


def section(report: dict[str, Any]) -> Iterator[str]:
    yield SPEED["measured_on"](report)
    yield f"Everything else at its defaults; test rows, mean ± standard deviation over {report['seeds']} seeds."
    yield ""
    yield f"| set | | {' | '.join(METRICS.values())} | training, s | parameters | file, bytes | one row, µs |"
    yield "|---" * (6 + len(METRICS)) + "|"
    for name, found in report["sets"].items():
        title = f"{name}, {found['labels']} labels"
        for kind, row in found["kinds"].items():
            quality = " | ".join(f"{row[m]['mean']:.4f} ± {row[m]['deviation']:.4f}" for m in METRICS)
            sizes = f"{row['fit_s']['median']:.2f} | {row['parameters']:,} | {row['file_bytes']:,} | {row['one_row_us']:.0f}"
            yield f"| {title} | {kind} | {quality} | {sizes} |"
            title = ""


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    if not RECORD.exists():
        return text
    report = json.loads(RECORD.read_text(encoding="utf-8"))
    made: str = SPEED["between"](text, RECORD.name, section(report), "make_separate_or_joint_md.py")
    return made


if __name__ == "__main__":
    for name in sys.argv[1:]:
        SPEED["keep"](Path(name))
    PAGE.write_text(page(), encoding="utf-8")
