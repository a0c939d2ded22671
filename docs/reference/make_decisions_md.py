"""Writes decisions.md from what benchmarks/decisions.py measured: `python docs/reference/make_decisions_md.py [JSON]`.

JSON is first kept beside this file, in a short form, as decisions.json.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("decisions.md")
RECORD = Path(__file__).with_name("decisions.json")
SPEED = runpy.run_path(str(Path(__file__).with_name("make_speed_md.py")))
HEAD = """<!-- Made by make_decisions_md.py from the figures of benchmarks/decisions.py, which are in decisions.json. -->

# Decisions, measured

{measured_on}

What [From probabilities to decisions](../how-to/decisions.md) describes, on rows that nothing was chosen on.
A fifth of the training rows of each set is kept for the decisions; the network is trained on the others, with those for early stopping.
That one network is everybody's: each fits its part on the kept rows and is judged on the test rows.
Seconds are of that fit, the network's predictions of the kept rows included; in brackets the share of the training's time.
Inside a training these predictions are at hand, and a calibration costs 0.1 to 2.0 % of it ([decision 17](../decisions/0017-calibration.md)).
One network each, so differences in the last digits say little.
"""


def both(before: float, after: float) -> str:
    digits = ".4f" if before >= 0.01 else ".3g"
    return f"{before:{digits}} → {after:{digits}}"


def calibration(sets: dict[str, Any]) -> Iterator[str]:
    yield "| set | rows kept | | log-loss | calibration error | seconds |"
    yield "|---|---|---|---|---|---|"
    for name, found in sets.items():
        ours = found["calibration"]["fromlogits"]
        before, after = ours["before"], ours["after"]
        seconds = f"{ours['seconds']:.3f} ({ours['share_of_training']:.1%})"
        losses, errors = both(before["log_loss"], after["log_loss"]), both(before["ece"], after["ece"])
        yield f"| {name} | {found['rows']['kept']:,} | **fromlogits** | {losses} | {errors} | {seconds} |"
        for method, other in found["calibration"].items():
            if method == "fromlogits":
                continue
            if "log_loss" not in other:
                yield f"| | | CalibratedClassifierCV, {method} | over {other['exceeds_s']:.0f} s | | |"
                continue
            losses, errors = (both(before[name], other[name]) for name in ("log_loss", "ece"))
            yield f"| | | CalibratedClassifierCV, {method} | {losses} | {errors} | {other['seconds']:.3f} |"


def thresholds(sets: dict[str, Any]) -> Iterator[str]:
    yield "| set | | F1 | accuracy | seconds |"
    yield "|---|---|---|---|---|"
    for name, found in sets.items():
        ours = found["thresholds"]["fromlogits"]
        one = "f1" if "f1" in ours["natural"] else "macro_f1"
        accuracy = both(ours["natural"]["accuracy"], ours["f1"]["accuracy"]) if "accuracy" in ours["f1"] else ""
        title = "F1 of the second class" if one == "f1" else "macro-F1"
        scores = both(ours["natural"][one], ours["f1"][one])
        yield f"| {name}, {title} | **fromlogits** | {scores} | {accuracy} | {ours['seconds']:.3f} |"
        if other := found["thresholds"].get("TunedThresholdClassifierCV"):
            scores = both(ours["natural"][one], other["f1"])
            yield f"| | TunedThresholdClassifierCV | {scores} | | {other['seconds']:.3f} |"


def prediction_sets(sets: dict[str, Any]) -> Iterator[str]:
    yield "| set | method | | asked | covered | mean size | inside | cuts | ms a fit |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, found in sets.items():
        title = name
        for method, contenders in found["sets"].items():
            for who, by_coverage in contenders.items():
                shown = f"**{who}**" if who == "fromlogits" else who
                for asked, f in by_coverage.items():
                    yield f"| {title} | {method} | {shown} | {asked} | {row(f)} |"
                    title = ""


def row(f: dict[str, Any]) -> str:
    if "exceeds_gb" in f:
        return f"would take {f['exceeds_gb']:g} GB | | | | "
    if "exceeds_s" in f:
        return f"over {f['exceeds_s']:g} s | | | | "
    if "refuses" in f:
        return f"refuses {f['refuses']} | | | | "
    inside = f"{f['inside']:.0%}" if "inside" in f else ""
    return f"{f['coverage']:.4f} ± {f['deviation']:.4f} | {f['size']:.3f} | {inside} | {f['cuts']} | {f['seconds'] * 1e3:.2f}"


def page() -> str:
    report = json.loads(RECORD.read_text(encoding="utf-8"))
    sets = report["sets"]
    lines = [
        HEAD.format(measured_on=SPEED["measured_on"](report)),
        "## Calibration\n",
        "Before → after, of the test rows; labels: nats per entry, and the mean error of the labels.",
        "Which form of calibration is used, if any, cross-fitting on the kept rows decides ([why](../decisions/0017-calibration.md)).",
        "scikit-learn's `CalibratedClassifierCV` wraps the same frozen network and takes no several labels; classes are numbered from 0, for with a gap in the numbers its temperature is another.\n",
        *calibration(sets),
        "\n## Thresholds\n",
        'Natural → `decide_for="f1"`, after calibration. Where cross-fitting finds no gain, the natural decisions stay.',
        'scikit-learn\'s `TunedThresholdClassifierCV(scoring="f1", cv="prefit")` takes two classes only.\n',
        *thresholds(sets),
        "\n## Prediction sets\n",
        "The test rows are cut in two at random, a hundred times: sets are made from one half and judged on the other; mean and deviation over the cuts.",
        "*Inside* is the share of the cuts between the two numbers that must hold 95 % of them: for classes the exact distribution of the guarantee; where the most probable class alone is right often enough there is no upper number, for our sets are never empty.",
        "MAPIE 1's sets may be empty, so its mean size can be below 1.",
        "Of labels, what is covered is the mean share of a row's labels that are in its set; MAPIE tries 99 thresholds, in an array of rows × labels × 99, and gets fewer cuts where these take long.",
        f"It is left out where that array would have more than 4 GB, and ended after {report['cap_s']:.0f} s.\n",
        *prediction_sets(sets),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        SPEED["keep"](Path(name))
    PAGE.write_text(page(), encoding="utf-8")
