"""Run what the documents show and follow their links: `python docs/check.py [PAGE...]`, or `nox -s docs`.

Looks at every Markdown page of the repository, or at those named.

- `python` blocks run in the order of the page, in one namespace, with warnings as errors.
- Of `sh`, `bash` and `console` blocks, the lines that start with `fromlogits` run (after a `$ ` too); the others, which
  install or clone, do not.
- The page's folder is a temporary one that holds `examples`, as the repository does.
- A block behind the comment `<!-- not run: WHY -->` does not run.
- Links to files and to headings must lead somewhere; links to the web are not followed.
- The examples in the docstrings of the package run as doctests.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fromlogits

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[a-z]*).*?$\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
NOT_RUN = re.compile(r"<!-- not run: \S.*-->\s*$")


class Block(NamedTuple):
    line: int
    language: str
    code: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page that are to run, with the line of the file on which their code starts."""
    for fence in FENCE.finditer(text):
        if not NOT_RUN.search(text[: fence.start()]):
            indent = len(fence["indent"])
            code = "".join(line[indent:] for line in fence["code"].splitlines(keepends=True))
            yield Block(text.count("\n", 0, fence.start()) + 2, fence["language"], code)


def commands(code: str) -> Iterator[str]:
    """The lines of a shell block that start with `fromlogits`: continued ones joined, a last && left out."""
    for line in re.sub(r"\\\n\s*", "", code).splitlines():
        line = line.removeprefix("$ ").removesuffix(" &&")
        if line.startswith("fromlogits "):
            yield line


def run_page(page: Path) -> Iterator[str]:
    """Run a page's blocks; yield what went wrong. The first failure ends the page: what follows builds on it."""
    name = page.relative_to(ROOT)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.symlink(ROOT / "examples", "examples")
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language == "python":
                try:
                    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
                        warnings.simplefilter("error")
                        exec(compile("\n" * (block.line - 1) + block.code, str(name), "exec"), namespace)
                except Exception:
                    yield f"{name}:{block.line}: the block fails\n{traceback.format_exc()}"
                    return
            elif block.language in ("sh", "bash", "console"):
                for command in commands(block.code):
                    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
                    if done.returncode != 0:
                        yield f"{name}:{block.line}: `{command}` exits {done.returncode}\n{done.stderr}"
                        return


def anchors(text: str) -> set[str]:
    """The names that headings get on the usual hosts: lower case, spaces to hyphens, other signs dropped."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    text = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), page.read_text(encoding="utf-8"))
    for link in LINK.finditer(text):
        path, _, anchor = link["target"].partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = page.parent / path if path else page
        where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, link.start()) + 1}"
        if not target.exists():
            yield f"{where}: {link['target']} leads nowhere"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            yield f"{where}: {link['target']}: no such heading"


def failed_docstrings() -> Iterator[str]:
    for module in pkgutil.walk_packages(fromlogits.__path__, "fromlogits."):
        if module.name.rsplit(".", 1)[1] not in ("_core", "__main__"):
            failures = doctest.testmod(importlib.import_module(module.name)).failed
            if failures:
                yield f"{module.name}: {failures} examples in docstrings fail (shown above)"


def all_pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout  # fmt: skip
    return sorted(ROOT / name for name in listed.splitlines())


def main(names: list[str]) -> int:
    pages = [Path(name).resolve() for name in names] or all_pages()
    failures = []
    for page in pages:
        found = [*broken_links(page), *run_page(page)]
        print("ok    " if not found else "FAILED", page.relative_to(ROOT), flush=True)
        failures += found
    if not names:
        failures += failed_docstrings()
    print(*failures, sep="\n", end="\n" if failures else "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
