"""Draws every-float.svg and writes every-float.md from the record: `python docs/maths/make_every_float.py`.

The record, every-float.json, is what `nox -s exhaustive -- --peers --json docs/maths/every-float.json` leaves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORD = HERE / "every-float.json"
PICTURE = HERE / "every-float.svg"
PAGE = HERE / "every-float.md"

TINY, INFINITE, NAN = -127, 128, 129  # exponents of the record that are no power of two
FINE = range(-26, 7)  # powers of two with a column of their own
NAMES = {
    "fromlogits": "fromlogits",
    "torch": "PyTorch",
    "optax": "JAX / optax",
    "tensorflow": "TensorFlow",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
}
ROWS = (("loss", 0), ("loss", 1), ("gradient", 0), ("gradient", 1))
SHADES = (  # up to, words
    (0.51, "0.51, one rounding"),
    (1.0, "1"),
    (2.0, "2"),
    (10.0, "10"),
    (1e3, "1000"),
    (math.inf, "more"),
)

# One hue, which keeps its order in grey and for every kind of colour blindness; red means lost and nothing else.
STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #1f2328 }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
.title { font-size: 25px; font-weight: 700; letter-spacing: -0.3px }
.lead { font-size: 13.5px } .name { font-size: 14.5px; font-weight: 700 } .small { font-size: 11px }
.tiny { font-size: 10px } .quiet { fill: #59636e } .end { text-anchor: end } .middle { text-anchor: middle }
.bad { fill: #c4161c; font-weight: 700 }
.card { fill: #ffffff; stroke: #d1d9e0 } .code { fill: #f3f5f8 } .line { stroke: #d1d9e0; fill: none }
.ours { fill: #eef4fa }
.s0 { fill: #dde5ed } .s1 { fill: #b3d0e8 } .s2 { fill: #79aedb } .s3 { fill: #3c80bd } .s4 { fill: #1c5792 }
.s5 { fill: #0a2a55 } .lost { fill: #e0161e } .nan { stroke: #1f2328; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .bad { fill: #ff6b66 }
.card { fill: #0d1117; stroke: #3d444d } .code { fill: #161c24 } .line { stroke: #3d444d } .ours { fill: #131f2e }
.s0 { fill: #222c38 } .s1 { fill: #234a70 } .s2 { fill: #2e70a8 } .s3 { fill: #4f9cda } .s4 { fill: #9accf5 }
.s5 { fill: #e9f5ff } .lost { fill: #ff3b3b } .nan { stroke: #e6edf3 }
}
"""

WIDTH = 1000
MAP_LEFT, CELL, CENTRE, WIDE, POINT = 206, 8.0, 22.0, 22.0, 9.0
ROW, ROW_GAP = 14.0, 2.0
FIGURES = 890.0  # right edge of the figures beside the map


class Column:
    """One column of the map: floats of one sign with these exponents."""

    def __init__(self, x: float, width: float, parts: list[tuple[str, int]]) -> None:
        self.x, self.width, self.parts = x, width, parts


def columns() -> list[Column]:
    """From −∞ to +∞."""
    big = range(FINE.stop, INFINITE)
    small = range(TINY, FINE.start)
    layout: list[tuple[float, float, list[tuple[str, int]]]] = [(POINT, 5.0, [("negative", INFINITE)])]
    layout.append((WIDE, 3.0, [("negative", e) for e in big]))
    layout += [(CELL, 0.0, [("negative", e)]) for e in reversed(FINE)]
    layout.append((CENTRE, 0.0, [(side, e) for side in ("negative", "positive") for e in small]))
    layout += [(CELL, 0.0, [("positive", e)]) for e in FINE]
    layout.append((WIDE, 0.0, [("positive", e) for e in big]))
    layout.append((POINT, 0.0, [("positive", INFINITE)]))
    made, x = [], float(MAP_LEFT)
    before_last = len(layout) - 2
    for i, (width, gap, parts) in enumerate(layout):
        x += 3.0 if i == before_last else 5.0 if i == before_last + 1 else 0.0
        made.append(Column(x, width, parts))
        x += width + gap
    return made


def results_of(part: dict[str, Any], quantity: str, label: int) -> dict[str, dict[str, Any]]:
    """By side."""
    return {r["side"]: r for r in part["results"] if (r["quantity"], r["label"]) == (quantity, label)}


def total(part: dict[str, Any], quantity: str, label: int, field: str) -> Any:
    sides = [r["total"][field] for r in results_of(part, quantity, label).values()]
    if field == "lost_from":
        found = [z for z in sides if z is not None]
        return min(found, key=abs) if found else None
    return max(sides) if field.startswith("worst") else sum(sides)


def in_column(results: dict[str, dict[str, Any]], column: Column, every: int) -> tuple[int, float, bool]:
    """Shade of what is not lost, share of what is, and whether a result is NaN or infinite where the truth is not."""
    worst, lost, count, unlike = 0.0, 0, 0, 0
    for side, e in column.parts:
        result, key = results[side], str(e)
        worst = max(worst, result["worst_kept"].get(key, result["worst"][e - TINY]))
        lost += result["lost"].get(key, 0)
        unlike += result["unlike"].get(key, 0)
        count += 1 if e == INFINITE else (1 << 23) // every
    shade = next(i for i, (limit, _) in enumerate(SHADES) if worst <= limit)
    return shade, min(lost / count, 1.0), unlike > 0


def number(value: float) -> str:
    """As short as it can be read: 0.50, 8.4, 3 100, 1.7×10⁷."""
    if value < 0.995:
        return f"{value:.2f}"
    if value < 99.5:
        return f"{value:.1f}"
    if value < 9_999.5:
        return f"{value:,.0f}".replace(",", " ")
    power = math.floor(math.log10(value))
    return f"{value / 10**power:.1f}×10{str(power).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def millions(count: int) -> str:
    if count >= 10_000:
        return f"{count / 1e6:.1f} M" if count < 99.5e6 else f"{count / 1e6:.0f} M"
    return f"{count:,}".replace(",", " ")


def signed(z: float) -> str:
    return f"{z:.2f}".replace("-", "−")


class Canvas:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def text(self, x: float, y: float, words: str, style: str) -> None:
        self.lines.append(f'<text x="{x:g}" y="{y:g}" class="{style}">{escape(words, quote=False)}</text>')

    def rect(self, x: float, y: float, width: float, height: float, style: str, radius: float = 0) -> None:
        round_off = f' rx="{radius:g}"' if radius else ""
        self.lines.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{round_off} class="{style}"/>'
        )

    def path(self, steps: str, style: str) -> None:
        if steps:
            self.lines.append(f'<path class="{style}" d="{steps}"/>')


def box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:g} {y:g}h{width:g}v{height:g}h{-width:g}z"


def draw_row(canvas: Canvas, y: float, results: dict[str, dict[str, Any]], every: int) -> None:
    shades = [""] * len(SHADES)
    lost_steps = nan_steps = ""
    for column in columns():
        shade, lost, is_unlike = in_column(results, column, every)
        width, red = column.width - 1.0, ROW * lost
        if red < ROW:
            shades[shade] += box(column.x, y, width, round(ROW - red, 2))
        if red:
            lost_steps += box(column.x, round(y + ROW - red, 2), width, round(red, 2))
        if is_unlike:
            x, h = column.x + width / 2, 2.5
            nan_steps += f"M{x - h:g} {y + ROW / 2 - h:g}l{2 * h} {2 * h}m0 {-2 * h}l{-2 * h} {2 * h}"
    for i, steps in enumerate(shades):
        canvas.path(steps, f"s{i}")
    canvas.path(lost_steps, "lost")
    canvas.path(nan_steps, "nan")


def ours_of(record: dict[str, Any]) -> dict[str, Any]:
    """That of the instruction set with the largest error."""
    ours = [part for part in record["subjects"] if part["subject"] == "fromlogits"]
    return max(ours, key=lambda part: max(r["total"]["worst"] for r in part["results"]))


def peers_of(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (part for part in record["subjects"] if part["subject"] not in ("fromlogits", "sklearn-alone"))


def alone_of(record: dict[str, Any]) -> dict[str, Any] | None:
    return next((part for part in record["subjects"] if part["subject"] == "sklearn-alone"), None)


def version(record: dict[str, Any], part: dict[str, Any]) -> str:
    number: str = part["version"].partition("+")[0]
    return f"{record['machine']['versions']['jax']} / {number}" if part["subject"] == "optax" else number


def draw_legend(canvas: Canvas, y: float) -> None:
    x = 140.0
    canvas.text(28, y + 10, "largest error, ulp ≤", "small quiet")
    for i, (_, words) in enumerate(SHADES):
        canvas.rect(x, y, 15, 12, f"s{i}")
        canvas.text(x + 20, y + 10, words, "small")
        x += 32 + 6 * len(words)
    canvas.rect(x + 12, y, 15, 12, "lost")
    canvas.text(x + 32, y + 10, "lost: this share is 0 and should not be", "small")
    canvas.path(f"M{x + 256:g} {y + 3:g}l6 6m0 -6l-6 6", "nan")
    canvas.text(x + 268, y + 10, "NaN for a known value", "small")


def draw_axis(canvas: Canvas, y: float) -> None:
    made = columns()

    def holding(side: str, e: int) -> Column:
        return next(column for column in made if (side, e) in column.parts)

    marks = [
        ("−∞", made[0].x + POINT / 2),
        ("0", holding("positive", TINY).x + CENTRE / 2),
        ("+∞", made[-1].x + POINT / 2),
    ]
    for e, words in ((7, "128"), (3, "8"), (0, "1"), (-7, "2⁻⁷"), (-14, "2⁻¹⁴"), (-21, "2⁻²¹")):
        marks += [(f"−{words}", holding("negative", e - 1).x), (words, holding("positive", e).x)]
    canvas.text(MAP_LEFT - 12, y, "logit z", "tiny quiet end")
    for words, at in marks:
        canvas.text(at, y, words, "tiny quiet middle")
    canvas.path("".join(f"M{at - 0.5:g} {y + 4:g}v5" for words, at in marks if words[-1] not in "∞0"), "line")
    canvas.text(FIGURES, y, "worst ulp", "tiny quiet end")
    canvas.text(FIGURES + 8, y, "lost floats", "tiny quiet")


def draw_library(canvas: Canvas, y: float, part: dict[str, Any], record: dict[str, Any]) -> float:
    """Its rows; returns their height."""
    rows = [(f"{quantity}, y = {label}", part, quantity, label) for quantity, label in ROWS]
    alone = alone_of(record)
    if part["subject"] == "sklearn" and alone is not None:
        rows.insert(2, ("its .loss(), y = 1", alone, "loss", 1))
    height = len(rows) * (ROW + ROW_GAP) + 6
    if part["subject"] == "fromlogits":
        canvas.rect(14, y - 3, WIDTH - 28, height + 5, "ours", 6)
    ns = record["cost"]["ns_per_logit"][part["subject"]]["median"]
    canvas.text(28, y + 14, NAMES[part["subject"]], "name")
    canvas.text(28, y + 29, version(record, part), "small quiet")
    canvas.text(28, y + 46, f"{ns:.1f} ns", "small")
    canvas.text(28, y + 59, "per logit", "tiny quiet")
    for i, (words, of, quantity, label) in enumerate(rows):
        top = y + i * (ROW + ROW_GAP) + 3
        canvas.text(MAP_LEFT - 12, top + 10.5, words, "tiny end")
        draw_row(canvas, top, results_of(of, quantity, label), record["every"])
        worst, lost = total(of, quantity, label, "worst"), total(of, quantity, label, "lost") * record["every"]
        canvas.text(FIGURES, top + 10.5, number(worst), f"tiny end {'bad' if worst > 1e3 else ''}".strip())
        canvas.text(FIGURES + 8, top + 10.5, millions(lost), f"tiny {'bad' if lost else 'quiet'}")
    return height


def draw_what_to_paste(canvas: Canvas, y: float, losses: dict[str, float]) -> None:
    canvas.rect(28, y, WIDTH - 56, 92, "code", 6)
    for i, (code, comment) in enumerate(pasted(losses)):
        canvas.text(44, y + 22 + 18 * i, code, "mono small")
        style = "mono small bad" if comment == "# 0" else "mono small quiet"
        canvas.text(44 + 6.75 * len(code) + 12, y + 22 + 18 * i, comment, style)


def pasted(losses: dict[str, float]) -> list[tuple[str, str]]:
    """Lines of code and what they give."""
    torch = "torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(y))"
    return [
        ("import numpy, torch, fromlogits", ""),
        ("z, y = numpy.float32([-20]), numpy.float32([0])", "# true loss: log(1 + exp(-20)) = 2.0611536e-09"),
        (torch, f"# {losses['torch']:g}"),
        ("fromlogits.sigmoid_cross_entropy(z, y)", f"# {losses['fromlogits']:.8g}"),
    ]


def picture(record: dict[str, Any]) -> str:
    canvas, machine, cost = Canvas(), record["machine"], record["cost"]
    canvas.text(28, 44, "What six libraries make of every float32 logit", "title")
    if record["every"] != 1:
        canvas.text(WIDTH - 28, 44, f"sample: every {record['every']}th float", "lead bad end")
    canvas.text(
        28,
        68,
        "Sigmoid cross-entropy and its gradient, for all 4 294 967 296 logits z and both labels y, beside the true value.",
        "lead",
    )
    canvas.text(
        28,
        87,
        "Each column is a power of two: 8.4 million floats, shaded by the largest error among them. Red came back as 0.",
        "lead quiet",
    )
    draw_legend(canvas, 104)
    draw_axis(canvas, 144)
    y = 158.0
    for part in [ours_of(record), *peers_of(record)]:
        y += draw_library(canvas, y, part, record) + 8
    y += 4
    draw_what_to_paste(canvas, y, cost["loss_of_the_example"])
    y += 112
    for words in (
        "ulp: the spacing of float32 at the true value; a right rounding is off by at most 0.5. Red slivers beyond |z| = 87: results below 1.2×10⁻³⁸, which float32 holds as subnormals.",
        "The middle column is |z| < 2⁻²⁶, the outer ones 128 ≤ |z| ≤ 3.4×10³⁸. NaN logits give NaN everywhere.",
        f"ns per logit: loss and gradient of {cost['logits'] // 10**6} million logits, {cost['threads']} threads of an {machine['processor']}, median of {cost['rounds']}. Libraries as of {machine['date']}.",
    ):
        canvas.text(28, y, words, "tiny quiet")
        y += 15
    height = y + 6
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
        ' role="img" aria-labelledby="title"><title id="title">Errors of the sigmoid cross-entropy and its gradient over'
        f" all float32 logits, by library</title><style>{STYLE}</style>"
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="10" class="card"/>'
    )
    return "\n".join([head, *canvas.lines, "</svg>"]) + "\n"


HEAD = """# Every float32 logit

<!-- made by docs/maths/make_every_float.py from every-float.json -->

![Largest errors of the sigmoid cross-entropy and of its gradient over all float32 logits, for six libraries](every-float.svg)

There are 2³² float32 numbers, few enough to try them all.
For each of them as the logit z, and for both labels y, this page compares the sigmoid cross-entropy and its gradient with the true value.
So it says what holds, not what a sample suggests.

Anyone can paste this:

<!-- not run: needs PyTorch -->
```python
{pasted}
```

## What the words mean

- **ulp**: the spacing of float32 at the true value. The nearest float32 is at most 0.5 ulp away.
- **misrounded**: the result is not the float32 nearest to the true value.
- **lost**: the result is 0 although the nearest float32 is not, subnormal ones (below 1.2×10⁻³⁸) included. *Normal* counts those that are not even subnormal.
- **−0**: a negative zero, where a positive one is due.
- **NaN**: the result is NaN or infinite and the true value is not, or the other way about. There is a true value at ±∞ too: a loss of 0 or ∞, a gradient of 0 or ±1.

## Results
"""
HOW = """
## How it was made

The results are those of the public functions, called with blocks of consecutive floats.
`fromlogits` is `sigmoid_cross_entropy(z, y, reduction="none", with_gradient=True)`, once for each instruction set of the processor.
PyTorch is `torch.nn.functional.binary_cross_entropy_with_logits` and its autograd; JAX is `optax.sigmoid_binary_cross_entropy` with `jax.vjp`, both under `jax.jit`; TensorFlow is `tf.nn.sigmoid_cross_entropy_with_logits` and `tf.GradientTape`.
SciPy has no such loss: it is given −(y·log_expit(z) + (1−y)·log_expit(−z)) and expit(z) − y.
scikit-learn is `HalfBinomialLoss` of its private module `_loss`, which its estimators train with: `loss_gradient`, and `loss` and `gradient` alone, where the loss is another formula.

The true value owes nothing to our code.
NumPy's float64 `exp` and `log1p` give it in the form max(±z, 0) + log1p(e) and e/(1+e) or 1/(1+e), with e = exp(−|z|), in which nothing cancels.
It is taken as right within 2⁻⁴⁴ of itself, and the run stops unless it is within 2⁻⁴⁸ of 150-digit arithmetic at 8 000 logits.
Where both ends of that interval do not round to the same float32, 150 digits of Python's `decimal` decide, so every count is exact.

```sh
pip install nox
nox -s exhaustive                         # ours alone; exits 1 above 0.51 ulp, for a lost value and for a −0
nox -s exhaustive -- --every 4099         # a sample, in seconds
nox -s exhaustive -- --peers --json docs/maths/every-float.json && python docs/maths/make_every_float.py
```

The code is in [tests/exhaustive](../../tests/exhaustive/truth.py); the record, [every-float.json](every-float.json), holds every power of two.

## Ours by power of two

The largest error in ulp of all instruction sets, for 2ᵉ ≤ |z| < 2ᵉ⁺¹.
"""


def lost_from(part: dict[str, Any], quantity: str, label: int) -> str:
    z = total(part, quantity, label, "lost_from")
    return "" if z is None else signed(z)


def result_table(record: dict[str, Any]) -> Iterator[str]:
    yield "| library | | worst ulp | misrounded | lost | normal | lost from z = | −0 | NaN |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    for part in record["subjects"]:
        name = NAMES[part["subject"].partition("-")[0]]
        variant = part["isa"] or {"sklearn-alone": "`.loss`, `.gradient`"}.get(part["subject"], "")
        for quantity, label in ROWS:
            worst = total(part, quantity, label, "worst")
            shown = f"{worst:.9f}" if worst <= 0.51 else number(worst)
            cells = [" ".join([name, version(record, part), variant]).strip(), f"{quantity}, y = {label}", shown]
            cells += [f"{total(part, quantity, label, field):,}" for field in ("misrounded", "lost", "lost_normal")]
            cells += [lost_from(part, quantity, label)]
            cells += [f"{total(part, quantity, label, field):,}" for field in ("negative_zeros", "unlike")]
            yield f"| {' | '.join(cells)} |"


def cost_table(record: dict[str, Any]) -> Iterator[str]:
    cost = record["cost"]
    yield f"Loss and gradient of {cost['logits']:,} logits, {cost['threads']} threads, {cost['rounds']} rounds in turn in one process, results in memory that is kept:"
    yield ""
    yield "| library | ns per logit, median | lowest | highest |"
    yield "|---|--:|--:|--:|"
    for part in [ours_of(record), *peers_of(record)]:
        ns = cost["ns_per_logit"][part["subject"]]
        values = " | ".join(f"{ns[key]:.2f}" for key in ("median", "lowest", "highest"))
        yield f"| {NAMES[part['subject']]} {version(record, part)} | {values} |"


def misrounded_words(record: dict[str, Any]) -> Iterator[str]:
    """Of ours: how many, where."""
    for part in record["subjects"]:
        if part["subject"] == "fromlogits":
            counts = sum(r["total"]["misrounded"] for r in part["results"])
            largest = max((abs(z) for r in part["results"] for z in r["total"]["misrounded_at"]), default=0.0)
            if counts:
                yield f"With {part['isa']}, {counts} of {4 * 2**32 // record['every']:,} results of ours are not the nearest float32, at logits up to ±{largest:.3g}; the record lists them."
            else:
                yield f"With {part['isa']}, every result of ours is the nearest float32."


def binade_table(record: dict[str, Any]) -> Iterator[str]:
    ours = [part for part in record["subjects"] if part["subject"] == "fromlogits"]
    names = [(quantity, label, side) for quantity, label in ROWS for side in ("negative", "positive")]
    signs = {"negative": "z < 0", "positive": "z > 0"}
    yield "| e | " + " | ".join(f"{quantity}, y = {label}, {signs[side]}" for quantity, label, side in names) + " |"
    yield "|--:" * (len(names) + 1) + "|"
    groups: list[tuple[str, list[int]]] = [(f"below {FINE.start}, and 0", [TINY, *range(-126, FINE.start)])]
    groups += [(f"{e}".replace("-", "−"), [e]) for e in FINE]
    groups += [(f"{FINE.stop} to 127", [*range(FINE.stop, INFINITE)])]
    for words, exponents in groups:
        worst = [
            max(results_of(part, quantity, label)[side]["worst"][e - TINY] for part in ours for e in exponents)
            for quantity, label, side in names
        ]
        yield f"| {words} | " + " | ".join(f"{w:.6f}" for w in worst) + " |"


def page(record: dict[str, Any]) -> str:
    losses, machine = record["cost"]["loss_of_the_example"], record["machine"]
    made_on = f"Made on {machine['date']} with {machine['cores']} threads of an {machine['processor']}, {machine['system'].split('-')[0]}, Python {machine['python']}, NumPy {machine['versions']['numpy']}."
    first, *rest = pasted(losses)
    code = [first[0], "", *(f"{line}  {comment}" for line, comment in rest)]
    lines = [HEAD.format(pasted="\n".join(code)), made_on]
    if record["every"] != 1:
        lines += [f"**This is a sample: every {record['every']}th float; counts are of the sample.**"]
    lines += ["", *result_table(record), "", *misrounded_words(record), "", "## What it costs", ""]
    lines += [*cost_table(record), HOW, *binade_table(record)]
    return "\n".join(lines) + "\n"


def record() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return read


if __name__ == "__main__":
    PICTURE.write_text(picture(record()), encoding="utf-8")
    PAGE.write_text(page(record()), encoding="utf-8")
