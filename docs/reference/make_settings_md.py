"""Writes settings.md from the registry and the presets: `python docs/reference/make_settings_md.py`."""

from __future__ import annotations

from pathlib import Path

from fromlogits import presets
from fromlogits.settings import SETTINGS, Setting

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
PRESETS = """
## What the presets choose

`fast` looks at the number of rows, those held out included:
"""
ENVIRONMENT = """
## Environment variables

| name | value | meaning |
|---|---|---|
| `FROMLOGITS_ISA` | `avx512`, `avx2`, `plain` | the instruction set of the core, and of its matrix products; the best of the machine unless told. Read once, at `import fromlogits` |
| `FROMLOGITS_THREADS` | a whole number | at most so many threads for a loss or a probability function on arrays; the cores that the affinity and the CPU quota of the process leave it unless told. Training and predictions have `n_jobs` |

Neither changes what a result is worth: threads change no bit, and instruction sets agree to the last rounding, matrix products apart.
"""
ROWS = (500, 2_000, 10_000, 50_000, 500_000)


def table(settings: list[Setting]) -> list[str]:
    lines = ["| name | option | value | default | meaning |", "|---|---|---|---|---|"]
    for setting in settings:
        value = ", ".join(f"`{word}`" for word in setting.allowed) or setting.kind.words
        flag = f"`{setting.flag}`" if setting.flag else ""
        lines.append(f"| `{setting.name}` | {flag} | {value} | {setting.default} | {setting.help} |")
    return lines


def preset_table() -> list[str]:
    chosen = [presets.settings("fast", rows, None) for rows in ROWS]
    lines = ["| rows | " + " | ".join(f"{rows:,}" for rows in ROWS) + " |", "|---" * (len(ROWS) + 1) + "|"]
    for name in chosen[0]:
        values = [", ".join(map(str, v)) if isinstance(v := one[name], tuple) else f"{v}" for one in chosen]
        lines.append(f"| `{name}` | {' | '.join(values)} |")
    return lines


def page() -> str:
    coarse = [setting for setting in SETTINGS if not setting.is_finer]
    finer = [setting for setting in SETTINGS if setting.is_finer]
    lines = [HEAD, "## Of the classifier", "", *table(coarse), FINER, *table(finer), PRESETS, *preset_table()]
    return "\n".join(lines) + "\n" + ENVIRONMENT


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
