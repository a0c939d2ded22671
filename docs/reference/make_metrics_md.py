"""Writes metrics.md from the table of figures: `python docs/reference/make_metrics_md.py`."""

from __future__ import annotations

from pathlib import Path

from fromlogits.metrics import FIGURES, MOST_CONFUSED
from fromlogits.metrics.intervals import FEWEST_RESAMPLES, FEWEST_UNITS, MOST_RESAMPLES, MOST_UNITS

PAGE = Path(__file__).with_name("metrics.md")
HEAD = """# Metrics

<!-- Made by make_metrics_md.py from src/fromlogits/metrics/names.py; edit there. -->

`fromlogits evaluate MODEL DATA` and `Classifier.evaluate(X, y)` give all of these; `fromlogits cv` gives them of all rows together.
Every training keeps a few of its validation rows: of classes `accuracy` and `log_loss`; of labels `subset_accuracy`, `hamming_loss`, `micro_f1`, `macro_f1`, `macro_roc_auc` and `log_loss`; and the one that chose the epoch.
Rows that took part in choosing the epoch or in the calibration are marked `"selected_on": true`.

- Weights count everywhere: a whole one is that many copies of the row, and a row of weight 0 takes no part.
- An undefined figure is `null` in JSON, `None` in Python, and "undefined" on the screen; NaN never.
- A class is predicted when its float32 probability is the largest (ties: the lowest index), a label when it exceeds its threshold; what a model decides for may say otherwise ([decisions](../how-to/decisions.md)).
- Figures of ranks go by log-probabilities or logits, which still differ where float32 probabilities have become equal.
- A row of a class that the model does not know is wrong in what is predicted, and has no part in figures of probabilities and ranks, nor in the recall of a class; `unknown_class_rows` counts them.
- An unknown label takes no part in any figure.
- With probabilities as targets, `log_loss`, `brier` and `ece` are those of the probabilities; the others go by the largest, or by what exceeds 0.5.

![The screen of evaluate: each figure with its interval, the classes with the lowest F1 first, and a coloured table of true and predicted classes](../images/evaluate.svg)

A figure with "yes" under `--metric` may choose the best epoch.

"""
TAIL = f"""
## The calibration error

The bins hold equal weight, as far as rows of equal probability, which share a bin, allow.
It is not debiased: on few rows even true probabilities leave gaps, and `ece_by_chance` beside it says how large they would be on average.
An `ece` near it is no sign of bad probabilities; one far above it is.
A row counts once there, whatever it weighs.

## By class and by label

| name | where | what |
|---|---|---|
| `per_class` | classes | a list of `class`, `support`, `precision`, `recall`, `f1`, `roc_auc` and `average_precision`, each class against the rest; `null` where undefined: a precision without a prediction, a recall without a row |
| `per_label` | labels | a list of `label`, `support`, `roc_auc`, `average_precision`, `f1`, `threshold`, `precision`, `recall` and `ece` |
| `confusion` | classes | how many rows (or their weight) of each class, line by line, were predicted to be each class; `null` of more than {MOST_CONFUSED:,} classes; as `confusion_matrix` |
| `most_confused` | classes | its largest entries off the diagonal, at most {MOST_CONFUSED:,}, as a list of `true`, `predicted`, `support` |

## Decisions and prediction sets

Of a model that decides for something, `decision` holds `decide_for` and, in `figures`, what its decisions of these rows are worth by that: each figure as `natural`, without them, and `decided`.
For costs that is the `mean_cost`, of a row's class or of one of its labels.
A row of a class that the model does not know takes no part there.
Of a model with rows kept for prediction sets, `sets` holds the coverage that was `asked`, the `coverage` of these rows, between which two it is `expected`, and the `mean_size` of a set; of classes also the share of sets that are `single`.

## Intervals

`intervals` holds [low, high] by figure: in 95 of 100 tables of such rows, about, it should hold the figure of endlessly many.
On 50 rows it is too short, and of `macro_f1` with rare labels on 200 too: the decision below has the measurement.
It says what other rows would change, and nothing of what another training would.
`resamples` says on how many resamples of the rows each rests: {MOST_RESAMPLES:,}, fewer where they are dear, and at least {FEWEST_RESAMPLES}; of thousands of labels or classes there is none for ranks.
With a group column, groups are drawn instead of rows; of more than {MOST_UNITS:,} rows, random hands of rows are.
Of fewer than {FEWEST_UNITS} groups there is no interval, and of fewer than {FEWEST_UNITS} rows none that rests on resamples: it would miss more than twice as often as it says.
`accuracy`, `subset_accuracy` and `top_k_accuracy` have Wilson's interval instead, which is right for rows that are all right too.
There is none where a resample leaves the figure undefined or where all resamples agree, and none of `ece` and of average precisions, which resamples distort ([decision 20](../decisions/0020-intervals.md)).
The draws are the same each time.

```python
import numpy as np
from fromlogits import Classifier

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4))
y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
clf = Classifier(hidden_layer_sizes=(8,), random_state=0).fit(X[:200], y[:200])
figures = clf.evaluate(X[200:], y[200:])
low, high = figures["intervals"]["accuracy"]
assert low < figures["accuracy"] < high
```
"""


def page() -> str:
    lines = [
        "| name | tasks | what it is | undefined when | scikit-learn | better | interval | `--metric` |",
        "|---" * 8 + "|",
    ]
    better = {True: "higher", False: "lower", None: ""}
    for name, about in FIGURES.items():
        tasks = " and ".join("classes" if task == "multi-class" else "labels" for task in about.tasks)
        lines.append(
            f"| `{name}` | {tasks} | {about.meaning} | {about.undefined} | {about.sklearn or 'none'} |"
            f" {better[about.higher_is_better]} | {'yes' if about.has_interval else ''} |"
            f" {'yes' if about.may_choose else ''} |"
        )
    return HEAD + "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
