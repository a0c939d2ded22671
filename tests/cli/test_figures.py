"""What `evaluate` shows of its figures: the worst first, and who is taken for whom."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from fromlogits.cli.display import Screen
from fromlogits.cli.figures import show
from fromlogits.metrics import in_full


def shown(figures: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    show(Screen(sys.stdout), "all rows:", figures)
    return capsys.readouterr().out


def on_terminal(figures: dict[str, Any], width: int) -> Console:
    console = Console(file=io.StringIO(), record=True, width=width, force_terminal=True, color_system="truecolor",
                      highlight=False, soft_wrap=True)  # fmt: skip
    show(Screen(sys.stdout, console=console), "all rows:", figures)
    return console


def of_classes(c: int, names: list[Any] | None = None, n: int = 400) -> dict[str, Any]:
    rng = np.random.default_rng(c)
    codes_n = rng.integers(0, c, n)
    logits_nc = (rng.normal(size=(n, c)) + 2 * np.eye(c)[codes_n]).astype(np.float32)
    return in_full("multi-class", names or [f"c{k}" for k in range(c)], logits_nc, codes_n)


def test_figures_stand_with_intervals_and_classes_the_worst_first(capsys: pytest.CaptureFixture[str]) -> None:
    figures = of_classes(4)
    lines = shown(figures, capsys).splitlines()
    low, high = figures["intervals"]["accuracy"]
    assert lines[0] == "all rows:"
    assert lines[1].split() == ["accuracy", f"{figures['accuracy']:.4f}", f"[{low:.4f},", f"{high:.4f}]"]
    assert not any("top_5_accuracy" in line for line in lines)  # of four classes
    start = lines.index("by class, lowest f1 first:")
    f1 = [float(line.split()[4]) for line in lines[start + 2 : start + 6]]
    assert f1 == sorted(f1) == sorted(round(row["f1"], 4) for row in figures["per_class"])
    matrix = [line.split()[1:] for line in lines[-4:]]
    assert matrix == [[f"{count}" if count else "·" for count in row] for row in figures["confusion"]]


@pytest.mark.parametrize(("count", "words"), [(9, "no intervals: 9 groups of street"), (10, "other groups of street")])
def test_few_groups_say_that_they_have_no_intervals(count: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    codes_n = np.arange(300) % 3
    logits_nc = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    figures = in_full("multi-class", list("abc"), logits_nc, codes_n, groups=np.arange(300) % count)
    show(Screen(sys.stdout), "all rows:", figures, ("street", count))
    out = capsys.readouterr().out
    assert words in out
    assert ("in brackets: 95 % intervals" in out) is bool(figures["intervals"]) is (count == 10)


def test_the_words_are_the_same_on_a_terminal_where_cells_have_colours(capsys: pytest.CaptureFixture[str]) -> None:
    figures = of_classes(4)
    console = on_terminal(figures, 100)
    styled = console.export_text(styles=True, clear=False)
    assert console.export_text() == shown(figures, capsys)
    backgrounds = styled.count("\x1b[37;48;2;")
    assert backgrounds == sum(count > 0 for row in figures["confusion"] for count in row)


@pytest.mark.parametrize(("c", "width"), [(21, 200), (12, 40)])
def test_of_many_classes_or_on_a_narrow_terminal_the_most_confused_are_listed(c: int, width: int) -> None:
    figures = of_classes(c)
    text = on_terminal(figures, width).export_text()
    assert "\nconfusion" not in text
    first = figures["most_confused"][0]
    line = next(line for line in text.splitlines() if line.startswith(f"{first['true']} → {first['predicted']} "))
    support = figures["per_class"][int(first["true"][1:])]["support"]
    assert line.split()[3:] == [str(first["support"]), f"{100 * first['support'] / support:.1f}", "%"]


def test_the_worst_twenty_of_many_labels_the_most_frequent_of_equals_first(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    targets_nc = (rng.random((300, 30)) < np.linspace(0.02, 0.5, 30)).astype(np.float32)
    logits_nc = np.where(np.arange(30) < 25, -9, 4 * targets_nc - 2).astype(np.float32)
    figures = in_full("multi-label", [f"l{k}" for k in range(30)], logits_nc, targets_nc)
    lines = shown(figures, capsys).splitlines()
    start = lines.index("by label, lowest f1 first:")
    supports = [int(line.split()[1]) for line in lines[start + 2 : start + 22]]
    assert supports == sorted((row["support"] for row in figures["per_label"][:25]), reverse=True)[:20]
    assert lines[-1] == "and 10 more; --json has all"


def test_long_names_are_cut_and_control_signs_of_a_strangers_class_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(of_classes(3, ["a" * 60, "\x1b[31mred", "plain"]), capsys)
    assert "\x1b" not in text
    assert f"{'a' * 23}…" in text and "a" * 24 not in text
    assert max(map(len, text.splitlines())) <= 100


def test_no_rows_are_shown_as_undefined(capsys: pytest.CaptureFixture[str]) -> None:
    figures = in_full("multi-class", "ab", np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    assert "  accuracy                 undefined\n" in shown(figures, capsys)
