"""Writes textbook-training.md and its figure from what benchmarks/textbook_training.py measured.

python docs/maths/make_textbook_training_md.py JSON
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("textbook-training.md")
FIGURE = Path(__file__).parents[1] / "images" / "textbook-training.svg"
OURS, MENDED = "fromlogits", "mended PyTorch"
COLOURS = {"textbook": "#d95f02", "PyTorch": "#7570b3", OURS: "#1b9e77"}
PANELS = {
    "true_loss": "training loss, nats",
    "gradient": "norm of the gradient",
    "lost_rows": "rows whose class lost its gradient",
}
HEAD = """# What the textbook loss does to a training

<!-- Made by make_textbook_training_md.py from the figures of benchmarks/textbook_training.py; edit there. -->

The lesson's network, 64-25-15-10, learns {rows} of the digits in [`examples/digits.csv`](../../examples/README.md) three times: with the textbook loss −log p and its chain rule through the float32 probabilities; with PyTorch's `F.cross_entropy`, which takes logits; and with ours.
First weights, batches, their order and the optimizer are the same, float32 all of it; only the loss and its gradient to the logits differ.

![Loss, gradient and rows without gradient over the epochs]({figure})

{setting}; the loss shown is the true one, computed in float64 from the logits that each training reached.

"""
TABLE = """
## Other settings

Medians over the last tenth of each training.
*Lost rows* are the training rows whose true class has gradient 0 though float32 can hold the true value; the held-out rows are {test_rows}.

"""
TAIL = """
Measured {date} with `python benchmarks/textbook_training.py`; {versions}; {processor}.
Where the curves of two losses part, they do so by rounding: the exact numbers of the late epochs differ between machines and builds.
"""


def median_at_the_end(values: list[float]) -> float:
    return statistics.median(values[-max(1, len(values) // 10) :])


def story(report: dict[str, Any]) -> Iterator[str]:
    """What the first training shows, in words that its numbers choose."""
    records = report["trainings"][0]["records"]
    ours, rows = records[OURS], report["rows"]
    right = next((epoch for epoch, wrong in zip(ours["epoch"], ours["wrong_rows"], strict=True) if not wrong), None)
    if right is not None:
        yield f"- By epoch {right:,} every training row is classified right, and up to there the three can't be told apart."
    for name, record in records.items():
        if name in (OURS, MENDED):
            continue
        apart = parting(record, ours)
        lost = record["lost_rows"]
        text = f"- **{name}**: in the end {median_at_the_end(lost):,.0f} of {rows:,} rows have lost the gradient of their class"
        if apart is None:
            yield f"{text}; its loss stays within a factor of 2 of ours to the end."
        else:
            yield (
                f"{text}. From epoch {apart['epoch']:,} on its loss is more than twice ours:"
                f" it stops falling at {scientific(apart['lowest'])}, is thrown back to {scientific(apart['highest'])}, and ends at {scientific(median_at_the_end(record['true_loss']))}."
            )
    lost = max(ours["lost_rows"])
    yield f"- **{OURS}** loses {f'{lost:,.0f} rows' if lost else 'no row'} and ends at {scientific(median_at_the_end(ours['true_loss']))}: down to where Adam's ε of 10⁻⁸ outweighs the gradient."
    yield (
        "- Why it matters at all when every row is right: a row whose class has lost its gradient still pushes the other classes down."
        " Its gradients no longer sum to 0, and Adam, which divides by their size, makes full steps of what is left."
    )
    if MENDED in records:
        yield (
            "- That this entry is the cause shows a fourth training, with PyTorch's gradient in which only the true class is replaced, by minus the sum of the others:"
            f" it ends at {scientific(median_at_the_end(records[MENDED]['true_loss']))}. So the damage can be mended in any library, by one line."
        )
    accuracies = ", ".join(f"{name} {median_at_the_end(one['test_accuracy']):.4f}" for name, one in records.items())
    losses = ", ".join(f"{name} {median_at_the_end(one['test_loss']):.2f}" for name, one in records.items())
    best = min(ours["test_loss"])
    yield (
        f"- What it does not do: on the {report['test_rows']} rows held out, the accuracy in the end is {accuracies}, a difference of a few rows either way; the loss there is {losses}."
        f" It was {best:.2f} at its best, long before any of this: who stops early, as `fit` does, never gets to where the losses part."
    )


def parting(record: dict[str, list[float]], ours: dict[str, list[float]]) -> dict[str, Any] | None:
    """The last time that the true losses are within a factor of 2, if that isn't the end, and what comes after.

    `highest` is the worst loss after it, `lowest` the best one before that.
    """
    pairs = list(zip(record["true_loss"], ours["true_loss"], strict=False))
    near = [0.5 < theirs / mine < 2 for theirs, mine in pairs]
    last = max(index for index, is_near in enumerate(near) if is_near)
    if last == len(near) - 1:
        return None
    after = record["true_loss"][last + 1 :]
    highest = max(after)
    return {"epoch": record["epoch"][last], "lowest": min(after[: after.index(highest) + 1]), "highest": highest}


def scientific(value: float) -> str:
    digits, power = f"{value:.0e}".split("e")
    return f"{digits}·10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def table(report: dict[str, Any]) -> Iterator[str]:
    yield "| setting | loss | true training loss | its own report | gradient | lost rows | held out: accuracy | held out: loss |"
    yield "|---" * 8 + "|"
    for training in report["trainings"]:
        for row, (name, record) in enumerate(training["records"].items()):
            end = {what: median_at_the_end(values) for what, values in record.items()}
            cells = [
                "" if row else training["name"],
                name,
                *(f"{end[what]:.1e}" for what in ("true_loss", "loss", "gradient")),
                f"{end['lost_rows']:,.0f}",
                f"{end['test_accuracy']:.4f}",
                f"{end['test_loss']:.3f}",
            ]
            yield f"| {' | '.join(cells)} |"


def draw(training: dict[str, Any]) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fromlogits", "font.size": 9})
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 3.4), layout="constrained")
    for axis, (what, title) in zip(axes, PANELS.items(), strict=True):
        for name, colour in COLOURS.items():
            if name in training["records"]:
                record = training["records"][name]
                axis.plot(record["epoch"], record[what], color=colour, label=name, linewidth=1.2)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.25, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        if what != "lost_rows":
            axis.set_yscale("log")
    axes[0].legend(frameon=False)
    figure.patch.set_facecolor("white")
    figure.savefig(FIGURE, metadata={"Date": None})


def page(report: dict[str, Any]) -> str:
    facts = {name: report[name] for name in ("date", "processor", "test_rows")}
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)
    setting = report["trainings"][0]["name"]
    head = HEAD.format(rows=f"{report['rows']:,}", figure=f"../images/{FIGURE.name}", setting=setting)
    lines = [head.rstrip("\n"), "", *story(report), TABLE.format(**facts).rstrip("\n"), "", *table(report)]
    return "\n".join(lines) + "\n" + TAIL.format(versions=versions, **facts)


if __name__ == "__main__":
    measured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    draw(measured["trainings"][0])
    PAGE.write_text(page(measured), encoding="utf-8")
