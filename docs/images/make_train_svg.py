"""Draws train.svg, the screen of a real training, for the README: `python docs/images/make_train_svg.py`.

Runs the command it shows, in a temporary folder, and writes what a terminal shows in the end.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tempfile
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

import fromlogits.cli.train as verb
from fromlogits.cli.display import LiveView, Screen
from fromlogits.cli.main import run
from fromlogits.spec import Plan
from fromlogits.training import History

HERE = Path(__file__).parent
COMMAND = "fromlogits train examples/digits.csv --target digit"
COLUMNS = 100
FONTS = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono"


class LastView(LiveView):
    """Drawn once, at the end, as it stays on the screen."""

    def __enter__(self) -> LastView:
        return self

    def finished(self, history: History) -> None:
        self.console.print(self.view(history))


def main() -> None:
    # Written to nowhere and recorded; a terminal, so that it has colours.
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere, record=True, width=COLUMNS, force_terminal=True, color_system="truecolor", highlight=False
        )

        def screen(stream: Any, *, is_quiet: bool = False) -> Screen:
            return Screen(stream, is_quiet=is_quiet, console=console)

        def display_for(screen: Screen, plan: Plan) -> LastView:
            return LastView(console, plan)

        vars(verb).update(Screen=screen, display_for=display_for)
        console.print(Text(f"$ {COMMAND}"))
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            Path("examples").symlink_to(HERE.parents[1] / "examples")
            if code := run(shlex.split(COMMAND)[1:]):
                raise SystemExit(code)
        # Without the web font: a page that shows the picture loads nothing else.
        template = re.sub(r"@font-face \{\{.*?\}\}\n?", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        svg = console.export_svg(title="fromlogits", code_format=template.replace("Fira Code", FONTS))
    (HERE / "train.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
