"""Draws time-to-accuracy.svg, the race from the shell prompt: `python docs/images/make_time_to_accuracy_svg.py [JSON]`.

Needs matplotlib. JSON is what benchmarks/time_to_accuracy.py wrote; without it, what docs/reference keeps of it.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

DOCS = Path(__file__).resolve().parents[1]
RECORD = DOCS / "reference" / "time-to-accuracy.json"
HOUSE = runpy.run_path(str(DOCS / "maths" / "make_figures.py"))
INK, FAINT, PAPER = HOUSE["INK"], HOUSE["FAINT"], HOUSE["PAPER"]
OURS = "fromlogits"
COLOURS: dict[str, str] = {
    OURS: HOUSE["OURS"],
    "JAX": HOUSE["DOUBLE"],
    "PyTorch": HOUSE["TEXTBOOK"],
    "scikit-learn": HOUSE["SHIFTED"],
    "Keras": "#3d8f5f",
}
LOWEST = 95.5  # percent: the first epoch of most lies above


def colour(name: str) -> str:
    return COLOURS[next(known for known in COLOURS if name.startswith(known))]


def draw(report: dict[str, Any]) -> Figure:
    networks = report["networks"]
    figure = Figure(figsize=(9.4, 4.9))
    axes = figure.subplots(2, len(networks), height_ratios=[1.7, 1], sharex="col", squeeze=False)
    for (name, found), top, strip in zip(networks.items(), axes[0], axes[1], strict=True):
        top.set_title(f"{name}, batch {found['batch']}")
        runners = sorted(found["contenders"].items(), key=lambda item: item[1]["warm"]["whole_s"]["median"])
        curves(top, dict(runners), 100 * report["target"])
        bars(strip, dict(runners))
    axes[0, 0].set_ylabel("test accuracy, %")
    for top in axes[0, 1:]:
        top.tick_params(labelleft=False)
    figure.legend(
        handles=[
            Patch(facecolor=FAINT, label="imports"),
            Patch(facecolor=FAINT, alpha=0.3, label="reading, compiling, training, judging each epoch"),
            Line2D([], [], color=FAINT, linewidth=1.2, marker="|", markersize=6, label="the same with cold files"),
            Line2D([], [], color=FAINT, linestyle="none", marker="o", markersize=6, label="98 % in every run"),
        ],
        loc="outside lower center", ncols=4, frameon=False, fontsize=8.5, labelcolor=INK,
    )  # fmt: skip
    return figure


def curves(ax: Axes, runners: dict[str, Any], target: float) -> None:
    ax.axhline(target, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    for name, runner in reversed(runners.items()):
        laps = runner["warm"]["laps"]
        seconds, accuracies = [lap["t"] for lap in laps], [lap["accuracy"] for lap in laps]
        ax.fill_between(
            seconds, [100 * a["lowest"] for a in accuracies], [100 * a["highest"] for a in accuracies],
            color=colour(name), alpha=0.12, linewidth=0,
        )  # fmt: skip
        medians = [100 * a["median"] for a in accuracies]
        ax.plot(seconds, medians, color=colour(name), marker="o", markersize=3, linewidth=2.4 if name == OURS else 1.6)
    ax.set_ylim(LOWEST, 98.6)
    ax.set_axisbelow(True)


def bars(ax: Axes, runners: dict[str, Any]) -> None:
    longest = max(
        runner[kind]["whole_s"]["median"] for runner in runners.values() for kind in ("warm", "cold") if kind in runner
    )
    for row, (name, runner) in enumerate(runners.items()):
        warm, own = runner["warm"], colour(name)
        whole, imported = warm["whole_s"]["median"], warm["imported_s"]["median"]
        ax.barh(row, whole, height=0.52, color=own, alpha=0.3, linewidth=0)
        ax.barh(row, imported, height=0.52, color=own, linewidth=0)
        if warm["reached_s"] is not None:
            ax.plot([warm["reached_s"]["median"]], [row], marker="o", markersize=6, color=own, markeredgecolor=PAPER)
        end = whole
        if "cold" in runner:
            end = max(whole, runner["cold"]["whole_s"]["median"])
            ax.plot([0, runner["cold"]["whole_s"]["median"]], [row + 0.36] * 2, color=own, linewidth=1.2)
            for t in (runner["cold"]["imported_s"]["median"], runner["cold"]["whole_s"]["median"]):
                ax.plot([t], [row + 0.36], color=own, marker="|", markersize=6)
        ax.text(end + 0.012 * longest, row, f"{whole:.1f} s", va="center", color=own, fontsize=9)
    ax.set_yticks(range(len(runners)), list(runners))
    for label, name in zip(ax.get_yticklabels(), runners, strict=True):
        label.set_color(colour(name))
        label.set_fontweight("bold" if name == OURS else "normal")
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, 1.17 * longest)
    ax.set_axisbelow(True)
    ax.set_xlabel("seconds since the process was started")


def main(measured: Path) -> None:
    matplotlib.rcParams.update(HOUSE["STYLE"])
    figure = draw(json.loads(measured.read_text(encoding="utf-8")))
    path = DOCS / "images" / "time-to-accuracy.svg"
    figure.savefig(path, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORD)
