"""What all fuzzers share: bytes become a file, a reader reads it, and only a line of InputError may come out."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType

CORPUS = Path(__file__).parent / "corpus"
LIMITS = ("-timeout=2", "-rss_limit_mb=512", "-malloc_limit_mb=256", "-max_len=4096")


def check(read: Callable[[Path], object], content: bytes, path: Path) -> None:
    """Read a file of this content; any fault is an exception."""
    from fromlogits.errors import InputError

    path.write_bytes(content)
    try:
        read(path)
    except InputError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"the message must be one line: {error}") from error


def fuzz(name: str, file_name: str, read: Callable[[Path], object], *modules: ModuleType) -> None:
    """Run libFuzzer on a reader, led by the lines of these modules that it reaches.

    Arguments behind the script are libFuzzer's own, such as -max_total_time=20.
    """
    import atheris

    for module in modules:
        for function in vars(module).values():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                atheris.instrument_func(function)
    folder = Path(tempfile.mkdtemp(prefix="fromlogits-fuzz-"))
    found = folder / "found"
    found.mkdir()

    def one(content: bytes) -> None:
        check(read, content, folder / file_name)

    # New inputs go to the first folder: the corpus in the tree is only read.
    places = [f"-artifact_prefix={folder}/", str(found), str(CORPUS / name)]
    words = Path(__file__).with_name(f"{name}.dict")
    places += [f"-dict={words}"] if words.exists() else []
    atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[1:], *places], one)
    atheris.Fuzz()
