"""Draws train.svg and evaluate.svg, the screens of a real training and its figures.

Run it as `python docs/images/make_screens_svg.py`: it runs the commands that it shows, in a temporary folder, and writes
what a terminal shows in the end.
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

import fromlogits.cli.evaluate
import fromlogits.cli.train
from fromlogits.cli.display import LiveView, Screen
from fromlogits.cli.main import run
from fromlogits.spec import Plan
from fromlogits.training import History

HERE = Path(__file__).parent
COMMANDS = {
    "train": "fromlogits train examples/digits.csv --target digit",
    "evaluate": "fromlogits evaluate digits.safetensors examples/digits.csv",
}
COLUMNS = 100
FONTS = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono"


class LastView(LiveView):
    """Drawn once, at the end, as it stays on the screen."""

    def __enter__(self) -> LastView:
        return self

    def finished(self, history: History) -> None:
        self.console.print(self.view(history))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("examples").symlink_to(HERE.parents[1] / "examples")
        for name, command in COMMANDS.items():
            svg = screen_of(command)
            (HERE / f"{name}.svg").write_text(
                "\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8"
            )


def screen_of(command: str) -> str:
    """What a terminal shows when the command is done, as SVG."""
    # Written to nowhere and recorded; a terminal, so that it has colours.
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere, record=True, width=COLUMNS, force_terminal=True, color_system="truecolor", highlight=False
        )

        def screen(stream: Any, *, is_quiet: bool = False) -> Screen:
            return Screen(stream, is_quiet=is_quiet, console=console)

        def display_for(screen: Screen, plan: Plan, n_networks: int = 1) -> LastView:
            return LastView(console, plan)

        vars(fromlogits.cli.train).update(Screen=screen, display_for=display_for)
        vars(fromlogits.cli.evaluate).update(Screen=screen)
        console.print(Text(f"$ {command}"))
        if code := run(shlex.split(command)[1:]):
            raise SystemExit(code)
        # Without the web font: a page that shows the picture loads nothing else.
        template = re.sub(r"@font-face \{\{.*?\}\}\n?", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        # Some viewers drop the spaces that a text begins with unless told.
        template = template.replace("<svg ", '<svg xml:space="preserve" ', 1).replace("Fira Code", FONTS)
        return console.export_svg(title="fromlogits", code_format=template)


if __name__ == "__main__":
    main()
