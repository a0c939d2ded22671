"""Writes the parts of speed.md that are measured by benchmarks/: `python docs/reference/make_speed_md.py [JSON...]`.

Each JSON, which a script wrote, is first kept beside this file in a short form, under the script's name. A part stands
between two comments that name its record; a part without a record stays as it is.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "speed.md"
OURS = "fromlogits"
Found = dict[str, Any]


def keep(measured: Path) -> None:
    """Write a report in its short form."""
    write(json.loads(measured.read_text(encoding="utf-8")))


def write(report: Found) -> None:
    """Four significant digits, and one line for each value of the first two levels."""
    report = rounded(report)
    record = HERE / f"{report['benchmark'].replace('_', '-')}.json"
    lines = []
    for name, value in report.items():
        text = json.dumps(value)
        if isinstance(value, dict) and len(text) > 200:
            inner = ",\n".join(f"    {json.dumps(key)}: {json.dumps(part)}" for key, part in value.items())
            text = f"{{\n{inner}\n  }}"
        lines.append(f"  {json.dumps(name)}: {text}")
    record.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def bare(command: str) -> str:
    """Without the folders of data and records."""
    return shlex.join(word if word.startswith("benchmarks/") else Path(word).name for word in shlex.split(command))


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def page(path: Path = PAGE) -> str:
    """The page with every part made anew for which there is a record."""
    text = path.read_text(encoding="utf-8")
    for record, section in PARTS.items():
        if (HERE / record).exists():
            text = between(text, record, section(json.loads((HERE / record).read_text(encoding="utf-8"))))
    return text


def between(text: str, record: str, lines: Iterator[str], maker: str = "make_speed_md.py") -> str:
    """The text with these lines between the two comments that name the record."""
    start = f"<!-- Made by {maker} from {record}, down to the next such line. -->\n"
    end = f"<!-- The end of {record}. -->\n"
    before, found_start, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise SystemExit(f"the page must hold these two lines, around a part:\n{start}{end}")
    return before + start + "\n" + "\n".join(lines) + "\n\n" + end + after


def measured_on(report: Found) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)
    counted = "1 core" if report["cores"] == 1 else f"{report['cores']} cores"
    return f"`{report['command']}`, {report['date']}, {report['processor']}, {counted}, {versions}."


def spread(values: Found, form: str = ".3g") -> str:
    return f"{values['median']:{form}} ({values['lowest']:{form}}–{values['highest']:{form}})"


def ratio(values: Found) -> str:
    """Bold where ours is ahead."""
    digits = ".1f" if values["median"] >= 10 else ".2f"
    median = f"{values['median']:{digits}}"
    return f"{f'**{median}**' if values['median'] > 1 else median} ({values['lowest']:{digits}}–{values['highest']:{digits}})"


def training(report: Found) -> Iterator[str]:
    rounds = max(found["rounds"] for found in report["networks"].values())
    yield "## Training, samples a second"
    yield ""
    yield measured_on(report)
    yield f"The same network, rows, batches and Adam constants, in one process, in turn; median of {rounds} rounds, lowest and highest in brackets."
    yield "PyTorch and scikit-learn get one thread where that is faster for them; how each is set up stands at the head of the script."
    yield ""
    yield "| network, batch | | samples a second | ours / theirs |"
    yield "|---|---|---|---|"
    for name, found in report["networks"].items():
        title = f"{name}, {found['batch']}"
        for who, row in found["contenders"].items():
            beside = "" if who == OURS else ratio(row["ours_over_theirs"])
            bold = f"**{who}**" if who == OURS else who
            yield f"| {title} | {bold} | {spread(row['samples_per_s'], ',.0f')} | {beside} |"
            title = ""
    yield ""
    yield "Beside what the machine must take: the products at the speed of its fastest 2048³ product, then the optimizer's bytes at the speed of the triad, both measured in the same rounds (`must_take.py`)."
    yield ""
    yield "| network, batch | a step, ms | must take, ms | times that | product, GFLOP/s | triad, GB/s |"
    yield "|---|---|---|---|---|---|"
    for name, found in report["networks"].items():
        own = found["machine"]
        parts = (spread(own[key]) for key in ("ours_ms", "must_take_ms"))
        times = spread(own["ours_over_must_take"], ".2f")
        speeds = (f"{own[key]['median']:.3g}" for key in ("gflop_per_s", "gb_per_s"))
        yield f"| {name}, {found['batch']} | {' | '.join(parts)} | {times} | {' | '.join(speeds)} |"


def prediction(report: Found) -> Iterator[str]:
    yield "## Prediction"
    yield ""
    yield measured_on(report)
    yield f"The same weights in all but LightGBM; one row: each of {report['calls']:,} calls in {report['rounds']} rounds timed on its own; many: one call."
    yield "`engine` and `ONNX Runtime, logits` end in the logits."
    for name, found in report["networks"].items():
        many = found["many_rows"]
        yield ""
        yield f"{name}:"
        yield ""
        yield f"| | one row, median µs | 99th percentile | theirs / Classifier | {many['rows']:,} rows, rows a second |"
        yield "|---|---|---|---|---|"
        for who, row in found["one_row"].items():
            speed = spread(many["predictors"][who]["rows_per_s"], ",.0f")
            yield f"| {who} | {row['p50_us']:.1f} | {row['p99_us']:.1f} | {row['over_ours']:.2f} | {speed} |"


def race(report: Found) -> Iterator[str]:
    yield f"## From the shell prompt to {100 * report['target']:.0f} % on MNIST"
    yield ""
    yield "![Test accuracy against seconds since the process was started](../images/time-to-accuracy.svg)"
    yield ""
    yield measured_on(report)
    yield f"Each run is a process of its own, imports, compiling and the judging of each epoch included; median of {report['rounds']} rounds with warm files and {report['cold_rounds']} with cold ones."
    yield "The epochs were fixed before these rounds: as few as five of five other seeds need, and for ours one more on the first network, where with five one of these seeds had ended at 97.99 %."
    for name, found in report["networks"].items():
        yield ""
        yield f"{name}, batch {found['batch']}:"
        yield ""
        yield "| | epochs | imports, s | whole process, s | theirs / ours | reached | cold, s | peak, MB |"
        yield "|---|---|---|---|---|---|---|---|"
        for who, row in found["contenders"].items():
            warm, cold = row["warm"], row.get("cold")
            beside = "" if who == OURS else ratio(warm["ours_is_faster"])
            unhurried = spread(cold["whole_s"], ".2f") if cold else "—"
            yield f"| {who} | {row['epochs']} | {warm['imported_s']['median']:.2f} | {spread(warm['whole_s'], '.2f')} | {beside} | {warm['reached']} of {warm['runs']} | {unhurried} | {warm['peak_mb']:.0f} |"
    yield ""
    first = next(iter(report["networks"].values()))
    for who, row in first["contenders"].items():
        yield f"- {who}: {row['settings']}"


def roofline(report: Found) -> Iterator[str]:
    yield "## Where a step's time goes"
    yield ""
    yield measured_on(report)
    yield "A step of one row is the optimizer and the waking of threads; what is left of a step grows with the rows, the head among it."
    yield ""
    yield "| network, batch | a step, µs | of it one row | of it the rest | head | GFLOP/s | of the product's | optimizer, MB | GB/s | triad, GB/s |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, found in report["networks"].items():
        times = (f"{found['us'][key]['median']:,.1f}" for key in ("step", "one row", "rows", "head"))
        reached = "—" if found["optimizer_gb_per_s"] is None else f"{found['optimizer_gb_per_s']:.3g}"
        yield f"| {name}, {found['batch']} | {' | '.join(times)} | {found['gflop_per_s']:.3g} | {found['share_of_product']:.0%} | {found['optimizer_bytes'] / 1e6:.3g} | {reached} | {found['machine_gb_per_s']:.3g} |"


def memory(report: Found) -> Iterator[str]:
    yield "## Peak memory of a training"
    yield ""
    yield measured_on(report)
    yield "Above the memory after the imports, beside the rows as they came, the parameters times five (times four without early stopping) and the activations of one batch."
    yield ""
    yield "| network | early stopping | peak, MB | must hold, MB | times that |"
    yield "|---|---|---|---|---|"
    for name, kinds in report["networks"].items():
        for kind, found in kinds.items():
            stops = "yes" if kind == "stopping" else "no"
            yield f"| {name} | {stops} | {found['peak']['median'] / 1e6:.1f} | {found['must_hold'] / 1e6:.1f} | {found['peak_over_must_hold']:.2f} |"


def over_http(report: Found) -> Iterator[str]:
    yield "## Over HTTP"
    yield ""
    yield measured_on(report)
    yield f"On loopback, server and clients on the same cores; JSON is rows of 30 numbers for layers {'-'.join(map(str, report['layers']))}. The other service is [what one writes](../../benchmarks/onnx_service.py) with FastAPI and ONNX Runtime, on uvicorn and on granian, of the same model by `fromlogits export`, and gets the same bodies. Median of {report['rounds']} rounds, lowest and highest in brackets."
    yield ""
    yield "| | | requests a second | rows a second | median, ms | 99th percentile, ms |"
    yield "|---|---|---|---|---|---|"
    for what, by_server in report["load"].items():
        for who, row in by_server.items():
            yield f"| {what} | {who} | {spread(row['requests_per_s'], ',.4g' if row['requests_per_s']['highest'] < 9999 else ',.0f')} | {row['rows_per_s']['median']:,.0f} | {spread(row['p50_ms'])} | {spread(row['p99_ms'])} |"
    yield ""
    for what, by_server in report["load"].items():
        medians = {who: row["rows_per_s"]["median"] for who, row in by_server.items()}
        ours = medians.pop("fromlogits serve")
        for who, other in medians.items():
            yield f"- {what}: {ours / other:.2f} times the rows a second of {who}."
        for units, alone in report["alone_rows_per_s"].items():
            if units in what:
                yield f"- {what}: {ours / alone['median']:.0%} of the {alone['median']:,.0f} rows a second of `predict_proba` with all cores and no server."
    yield f"- From the start of `fromlogits serve` with three models to its first answer: {spread(report['start_s'])} s."


PARTS: dict[str, Callable[[Found], Iterator[str]]] = {
    "train-speed.json": training,
    "predict-speed.json": prediction,
    "time-to-accuracy.json": race,
    "roofline.json": roofline,
    "peak-memory.json": memory,
    "serving.json": over_http,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(Path(name))
    PAGE.write_text(page(), encoding="utf-8")
