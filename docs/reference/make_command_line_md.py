"""Writes command-line.md from the options of every verb: `python docs/reference/make_command_line_md.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.main

from fromlogits.cli.main import application

PAGE = Path(__file__).with_name("command-line.md")
HEAD = """# The command line

<!-- Made by make_command_line_md.py from the options of every verb; edit there. -->

`fromlogits VERB --help` prints the options of a verb.

- **Data** is a table as CSV, TSV or JSON lines (plain or `.gz`), Parquet or Arrow, `.npz` with arrays `X` and `y` (and, if you like, `classes`
  and `features` with names, and `sample_weight`), IDX images (the form of MNIST) with their labels file beside them, or [pictures](../how-to/pictures.md): a folder or `.zip`, one picture file, or a table with `--images`.
  Only tables need `--target`: one column is one class per row; several columns of 0 and 1, as in `car,bus` or
  `"label:*"`, are labels of which any number can hold; so is one column of lists, or of texts with `--label-separator`.
- **Results** go to standard output, progress and warnings to standard error; `--json` prints one JSON object instead.
- **Exit codes**: 0 done; 2 bad input or usage, known before the work starts, said in one line ([errors](errors.md));
  1 anything else, as a disk that becomes full while the model is saved; 130 and 143 after Ctrl-C and SIGTERM, which end `serve` with 0 when it has answered what it accepted.
- **Ctrl-C** while training stops after the current step and still saves the best epoch so far.
  Pressed again, more than a second later, it gives up and saves nothing.
- **Files** are written whole or not at all, and never over one that exists unless `--overwrite` allows it.
  A device or a pipe that `predict -o` or `cv -o` names is written as the rows come, as CSV unless its name ends in `.tsv`; what went before an error stays there.
  Without `-o` a model is named after the data: `digits.safetensors`, then `digits-2.safetensors`.
- **Predictions** keep the order of the rows: the `--id` columns, `prediction`, and `probability:CLASS` for each class.
  Of labels, `prediction` is those that hold, joined by `|` or the separator of the training file.
  With `--top K`, `top_1`, `top_1_probability` and so on stand instead of a column for each class.
  With `--abstain-below P`, `prediction` is empty where none is made; of labels, those without an answer stand in `undecided`.
- `NO_COLOR=1` and `TERM=dumb` are honoured; nothing is drawn where standard error is no terminal.
"""


def table(parameters: list[Any]) -> list[str]:
    lines = ["| argument or option | meaning |", "|---|---|"]
    for parameter in parameters:
        shown = parameter.metavar if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
        if parameter.param_type_name == "option" and not parameter.is_flag:
            shown += f" {parameter.metavar}"
        lines.append(f"| `{shown}` | {parameter.help} |")
    return lines


def page() -> str:
    group: Any = typer.main.get_command(application())
    lines = [HEAD, "## fromlogits", "", *table(group.params)]
    for name, verb in group.commands.items():
        lines += ["", f"## fromlogits {name}", "", verb.help, "", *table(verb.params)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
