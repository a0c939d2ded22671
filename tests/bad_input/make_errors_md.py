"""Writes docs/reference/errors.md from the list of bad inputs: `python tests/bad_input/make_errors_md.py`."""

from __future__ import annotations

import runpy
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "errors.md"
HEAD = """# Errors

<!-- Made by tests/bad_input/make_errors_md.py from the list in test_bad_input.py; edit there. -->

What is wrong with a file, a setting or a command is said in one line on standard error, and nothing is written.
The exit code is 2 where it is known before the work starts, and 1 for what goes wrong later.
In Python the same sentence is an `InputError` (also a `ValueError`) or, for model files, a `ModelFileError`.
The tests run every case below and compare the line.
"""


def page() -> str:
    lines = [HEAD]
    for section, cases in runpy.run_path(str(HERE / "test_bad_input.py"))["CASES"].items():
        lines += [f"## {section}", ""]
        for case in cases:
            name = case.name[0].upper() + case.name[1:]
            command = case.command.encode("utf-8", "backslashreplace").decode()  # a name may be no UTF-8
            code = "" if case.code == 2 else f" (exit code {case.code})"
            lines += [
                f"{name}{code}:",
                "",
                "```text",
                f"$ fromlogits {command}",
                f"fromlogits: {case.line}",
                "```",
                "",
            ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
