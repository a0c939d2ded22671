"""Writes tables.md from what benchmarks/tables.py measured: `python docs/reference/make_tables_md.py [JSON]`.

JSON is first kept beside this file, in a short form, as tables.json.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("tables.md")
RECORD = Path(__file__).with_name("tables.json")
SPEED = runpy.run_path(str(Path(__file__).with_name("make_speed_md.py")))
TITLES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "micro_f1": "micro-F1", "log_loss": "log-loss"}
HEAD = """<!-- Made by make_tables_md.py from the figures of benchmarks/tables.py, which are in tables.json. -->

# Tables by one command, measured

{measured_on}

Each row is a process of its own that reads the files, trains and judges the test rows, once, with seed 0: seconds are from its start to its end, and the peak is its largest resident set.
**fromlogits** is `fromlogits train TRAIN --target target --test TEST --json` with `"label:*"` in the place of `target` where there are labels, and without it where the file is no table.
*Told* has `--categorical` with the columns that are categories, whatever they look like; otherwise the types are guessed.
*Fast* has `--preset fast`, in the place of the default, `good`.
`MLPClassifier` (`early_stopping=True`) and `HistGradientBoostingClassifier` are scikit-learn's, told the types, else at their defaults; how they are set up stands at the head of the script.
A peer that takes more than {cap_s:.0f} s is ended and gets no figures.
Peers, the sparse sets and `mnist` are of earlier runs on the same day and machine; ours on the others are made anew since the recipe changed, beside some other work, so that seconds are rather too many.
The texts of `reuters21578` are no part of it: free text can't be learned from yet, and the command says so.
One run says little about differences in the last digits: on 200 test rows one row is half a point.
"""


def table(sets: dict[str, Any], figures: Sequence[str]) -> Iterator[str]:
    yield f"| set | | {' | '.join(TITLES[name] for name in figures)} | seconds | peak, MB |"
    yield "|---" * (4 + len(figures)) + "|"
    for title, found in sets.items():
        for who, row in found.items():
            name = f"**{who}**" if who == "fromlogits" else who
            values = (f"{row[figure]:.4f}" if figure in row else "—" for figure in figures)
            seconds = f"over {row['exceeds_s']:.0f}" if "exceeds_s" in row else f"{row['seconds']:.1f}"
            yield f"| {title} | {name} | {' | '.join(values)} | {seconds} | {row['peak_mb']:.0f} |"
            title = ""


def ranks(sets: dict[str, Any]) -> Iterator[str]:
    yield "| set | | P@1 | P@5 | seconds | peak, MB |"
    yield "|---|---|---|---|---|---|"
    for title, found in sets.items():
        for who, row in found.items():
            if own := row.get("ranks"):
                took = f"{own['seconds']:.1f} | {own['peak_mb']:.0f}" if "seconds" in own else "— | —"
                yield f"| {title} | {who} | {own['p_at_1']:.4f} | {own['p_at_5']:.4f} | {took} |"
                title = ""


def page() -> str:
    report = json.loads(RECORD.read_text(encoding="utf-8"))
    sets = report["sets"]
    of_classes = {name: found for name, found in sets.items() if "accuracy" in found["fromlogits"]}
    of_labels = {name: found for name, found in sets.items() if name not in of_classes}
    ranked = {name: found for name, found in sets.items() if "ranks" in found["fromlogits"]}
    lines = [
        HEAD.format(measured_on=SPEED["measured_on"](report), cap_s=report["cap_s"]),
        "## One class of several\n",
        *table(of_classes, ("accuracy", "log_loss")),
        "\n## Any of many labels\n",
        "Log-loss in nats per entry, over the labels that the training rows have.",
        "`synthetic`: 2 000 rows of 500 numbers, and 400 labels, each a linear rule of five of the numbers and some noise; in CSV files as the others.\n",
        *table(of_labels, ("macro_f1", "micro_f1", "log_loss")),
        "\nThe share of the one and of the five likeliest labels that hold, mean over the test rows; ours from the saved model, in a process more, with its seconds and peak:\n",
        *ranks(ranked),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        SPEED["keep"](Path(name))
    PAGE.write_text(page(), encoding="utf-8")
