"""Writes settings.md from the registry and the presets: `python docs/reference/make_settings_md.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fromlogits import presets
from fromlogits.settings import SETTINGS, Setting
from fromlogits.spec import describe_layer

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

<!-- Made by make_settings_md.py from src/fromlogits/settings.py and presets.py; edit there. -->

A setting has one name: it is the keyword of `fromlogits.Classifier`, the key of `--set KEY=VALUE`, and the key of a
`--config` file, TOML or (where the name ends in `.json`) JSON.
Some have an option of `fromlogits train` as well.
What the command line says wins over the file, and what is set nowhere comes from the preset or the default.

    fromlogits train DATA --target COLUMN --epochs 30 --set dropout=0.2 --config settings.toml
"""
FINER = """
## Finer ones

In Python these go through `spec=`, as in `Classifier(spec={"schedule": "cosine"})`; on the command line and in a file
there is no difference.
"""
PRESETS = f"""
## What the presets choose

Of a table they look at the number of rows, those held out included, and at a few things more:

- Stated layers are one network, which is trained as [a plain one](#a-plain-network); `best` has ten of them, in folds.
- `fast` has one network: a plain one for pictures, sparse rows and tables of up to {presets.FEW_ROWS:,} rows, else one by the recipe of `good`, of fewer passes.
- Pictures have two hidden layers and nothing in front of them, and a table of more than {presets.MOST_EMBEDDED} columns embeds none.
- More than {presets.MANY_PICTURES:,} pictures are for plain networks: `good` has three of them, `best` ten, in folds.
- With `backbone` tiny there is one residual network, and `best` has three: finer where pictures are small, with more passes where they are few (at most 200, `good` at least 10); pictures of three channels are mirrored and change their colours.
- Of sparse rows, `good` has four plain networks of two layers, 256 relu, up to 20,000 rows and two beyond; `best` has ten, in folds.
- There are folds only where held-out rows are drawn: with `X_val`, with `times`, and with both `early_stopping` and `calibrate` false there are none, nor where there are fewer rows, or groups of rows, than folds.
- With `separate_networks` there is one network for each label, without folds, and with a stated `ensemble` there are at most so many folds.
- With the metric accuracy, `label_smoothing` is 0.1.
- With an optimizer other than adamw, the learning rate is one that suits it, its schedule is cosine, and no weight decays.
- `partial_fit` takes a plain network, whatever is stated.
"""
ENVIRONMENT = """
## Environment variables

| name | value | meaning |
|---|---|---|
| `FROMLOGITS_ISA` | `avx512`, `avx2`, `plain` | the instruction set of the core, and of its matrix products; the best of the machine unless told. Read once, at `import fromlogits` |
| `FROMLOGITS_THREADS` | a whole number | at most so many threads for a loss or a probability function on arrays; the cores that the affinity and the CPU quota of the process leave it unless told. Training and predictions have `n_jobs` |

Neither changes what a result is worth: threads change no bit, and instruction sets agree to the last rounding, matrix products apart.
"""
ROWS = (500, 2_000, 10_000, 30_000, 100_000, 500_000)


def table(settings: list[Setting]) -> list[str]:
    lines = ["| name | option | value | default | meaning |", "|---|---|---|---|---|"]
    for setting in settings:
        value = ", ".join(f"`{word}`" for word in setting.allowed) or setting.kind.words
        flag = f"`{setting.flag}`" if setting.flag else ""
        lines.append(f"| `{setting.name}` | {flag} | {value} | {setting.default} | {setting.help} |")
    return lines


def in_words(recipe: presets.Recipe) -> dict[str, str]:
    """What a preset made of a table, by name."""
    values = {"layers": ", ".join(map(describe_layer, recipe.layers)), "ensemble": recipe.ensemble, **recipe.plan}
    return {name: str(value).lower() for name, value in values.items()}


def recipe_table(title: str, of: Callable[[presets.Task], presets.Recipe], rows: Sequence[int] = ROWS) -> list[str]:
    """A line for each value that depends on the number of rows, and one for all the others."""
    by_rows = [in_words(of(presets.Task(n_rows))) for n_rows in rows]
    lines = ["| rows | " + " | ".join(f"{n_rows:,}" for n_rows in rows) + " |", "|---" * (len(rows) + 1) + "|"]
    same = []
    for name, value in by_rows[0].items():
        values = [one[name] for one in by_rows]
        if values == [value] * len(rows):
            same.append(f"`{name}` {value}")
        else:
            lines.append(f"| `{name}` | {' | '.join(values)} |")
    return ["", f"### {title}", "", *lines, "", f"For every number of rows: {'; '.join(same)}."]


def page() -> str:
    coarse = [setting for setting in SETTINGS if not setting.is_finer]
    finer = [setting for setting in SETTINGS if setting.is_finer]
    lines = [HEAD, "## Of the classifier", "", *table(coarse), FINER, *table(finer), PRESETS.rstrip("\n")]
    lines += recipe_table("A plain network", presets.plain)
    lines += recipe_table(
        f"fast, beyond {presets.FEW_ROWS:,} rows",
        presets.fast,
        [n_rows for n_rows in ROWS if n_rows > presets.FEW_ROWS],
    )
    lines += recipe_table("good", presets.good) + recipe_table("best", presets.best)
    return "\n".join(lines) + "\n" + ENVIRONMENT


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
