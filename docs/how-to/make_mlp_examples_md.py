"""Writes the table of mlp-classifier.md from mlp-examples.json: `python docs/how-to/make_mlp_examples_md.py [JSON]`.

JSON is what benchmarks/mlp_examples.py wrote; it is first kept, in a short form, in docs/reference.
"""

from __future__ import annotations

import json
import runpy
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("mlp-classifier.md")
REFERENCE = PAGE.parents[1] / "reference"
RECORD = REFERENCE / "mlp-examples.json"
SPEED = runpy.run_path(str(REFERENCE / "make_speed_md.py"))


def accuracy(trainings: list[dict[str, Any]], who: str) -> str:
    """The mean over trainings and seeds, and the mean of the deviations over the seeds, in percent."""
    mean, deviation = (
        statistics.fmean(one["accuracy"][who][part] for one in trainings) for part in ("mean", "deviation")
    )
    return f"{100 * mean:.1f} ± {100 * deviation:.1f}"


def seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def section(report: dict[str, Any]) -> Iterator[str]:
    examples = report["examples"].values()
    lbfgs = sorted({one["example"] for one in examples if one["is_adam_for_lbfgs"]})
    every = [training for one in examples for training in one["trainings"].values()]
    as_asked = [training for one in examples if not one["is_adam_for_lbfgs"] for training in one["trainings"].values()]
    largest = max(abs(one["difference"]["mean"]) for one in as_asked)
    medians = [one["times_as_fast"]["median"] for one in every]
    yield SPEED["measured_on"](report)
    if report["cores"] == 1:
        yield "On one core (`taskset -c 0` in front): with several, NumPy's OpenBLAS shares even small products out, which costs scikit-learn dearly where anything else runs."
    yield f"The same rows, settings and {report['runs']} seeds for both classes; accuracy on test rows in percent, mean and standard deviation over the seeds."
    yield "Seconds are medians of `fit`, and *times as fast* is theirs over ours with the same seed: median and range of the seeds; of several trainings the mean, the sum, and the median and range of their medians."
    yield f"Of the {len(as_asked)} trainings that can be run as they stand, the mean accuracies differ by {100 * largest:.2g} points at most; all {len(every)} are {min(medians):.1f} to {max(medians):.1f} times as fast, {statistics.median(medians):.1f} in the median."
    yield ""
    yield "| example | rows | trainings | theirs | ours | their s | our s | times as fast |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in examples:
        trainings = list(one["trainings"].values())
        name = f"{one['example']}{' *' if one['is_adam_for_lbfgs'] else ''}"
        took = [sum(each["seconds"][who]["median"] for each in trainings) for who in ("theirs", "ours")]
        ratios = [each["times_as_fast"]["median"] for each in trainings]
        times = (
            trainings[0]["times_as_fast"]
            if len(trainings) == 1
            else {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
        )
        cells = [
            name,
            f"{one['data']}: {one['rows']:,}",
            str(len(trainings)),
            accuracy(trainings, "theirs"),
            accuracy(trainings, "ours"),
            *map(seconds, took),
            SPEED["spread"](times, ".1f"),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f'\\* The example asks for `solver="lbfgs"`, which ours refuses by name ({", ".join(lbfgs)}): here both have `"adam"` in its place.'
    early = [one for one in every if "early_stopping" in one["settings"]]
    passes = {round(one["passes"][who]) for one in early for who in ("ours", "theirs")}
    yield f"plot_mlp_alpha judges its passes by held-out rows, six of 60, which are other ones for ours; adam at its own rate has learned little when they end it, after {max(passes)} passes."


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    if not RECORD.exists():
        return text
    report = json.loads(RECORD.read_text(encoding="utf-8"))
    assert report["refuses_lbfgs"]
    made: str = SPEED["between"](text, RECORD.name, section(report), "make_mlp_examples_md.py")
    return made


if __name__ == "__main__":
    for name in sys.argv[1:]:
        SPEED["keep"](Path(name))
    PAGE.write_text(page(), encoding="utf-8")
