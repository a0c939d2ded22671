"""The version is written once, in pyproject.toml; Python, the core and the installed package agree with it."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import fromlogits
from fromlogits import _core

ROOT = Path(__file__).parent.parent


def written_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def test_the_package_the_core_and_the_metadata_have_the_written_version() -> None:
    versions = {fromlogits.__version__, _core.version(), importlib.metadata.version("fromlogits")}
    assert versions == {written_version()}, "the build is older than pyproject.toml: run `pip install .` again"


def test_no_source_file_writes_the_version_a_second_time() -> None:
    quoted = re.compile(rf"""["']{re.escape(written_version())}["']""")
    sources = [
        ROOT / "CMakeLists.txt",
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "core").rglob("*.h"),
        *(ROOT / "core").rglob("*.cpp"),
    ]
    sources += (ROOT / "bindings").rglob("*.cpp")
    assert [str(path) for path in sources if quoted.search(path.read_text(encoding="utf-8"))] == []


def test_the_changelog_has_a_heading_for_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(written_version())}\]", changelog, re.MULTILINE)
