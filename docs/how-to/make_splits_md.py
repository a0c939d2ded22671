"""Writes the table of splits.md from splits.json beside the speed's records: `python docs/how-to/make_splits_md.py [JSON]`.

JSON is what benchmarks/splits.py wrote; it is first kept, in a short form, in docs/reference.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("splits.md")
REFERENCE = PAGE.parents[1] / "reference"
RECORD = REFERENCE / "splits.json"
SPEED = runpy.run_path(str(REFERENCE / "make_speed_md.py"))


def section(report: dict[str, Any]) -> Iterator[str]:
    yield SPEED["measured_on"](report)
    yield f"A tenth of the rows held out, medians over {report['seeds']} seeds; seconds of the split alone."
    yield "The difference is that between a label's share of the held-out and of the training rows, in points: of the worst label, and the mean."
    yield "*Never held* counts labels that are set in 10 rows or more and in no held-out row, *never trained* those of two rows or more that are in no training row."
    yield f"What takes longer than {report['cap_s']:.0f} s for all of its seeds is ended. `drawn` is made by the script."
    yield ""
    yield "| rows and labels | | seconds | worst difference | mean | never held | never trained |"
    yield "|---|---|---|---|---|---|---|"
    for name, found in report["sets"].items():
        title = f"{name}: {found['fromlogits']['rows']:,} × {found['fromlogits']['labels']:,}"
        for who, row in found.items():
            by = f"**{who}**" if who == "fromlogits" else who
            if "seconds" in row:
                took = f"{row['seconds']:.2g}" if row["seconds"] >= 0.001 else "under 0.001"
                points = f"{row['largest']:.3f} | {row['mean']:.3f}"
                counts = f"{row['never_held']:.0f} | {row['never_trained']:.0f}"
                yield f"| {title} | {by} | {took} | {points} | {counts} |"
            else:
                why = f"over {report['cap_s']:.0f}" if "exceeds_s" in row else "failed"
                yield f"| {title} | {by} | {why} | — | — | — | — |"
            title = ""


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    if not RECORD.exists():
        return text
    report = json.loads(RECORD.read_text(encoding="utf-8"))
    made: str = SPEED["between"](text, RECORD.name, section(report), "make_splits_md.py")
    return made


if __name__ == "__main__":
    for name in sys.argv[1:]:
        SPEED["keep"](Path(name))
    PAGE.write_text(page(), encoding="utf-8")
