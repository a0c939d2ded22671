"""Imports point one way, as CONTRIBUTING.md draws them, and `import fromlogits` loads NumPy and our core alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "fromlogits"

# Room by room, the rooms it may import. A room may also import itself, and every room may import errors.
MAY_IMPORT = {
    "errors": "",
    "_core": "",
    "_isa": "_core",
    "spec": "",
    "cores": "",
    "whole_file": "",
    "presets": "spec",
    "settings": "spec presets engines decisions",
    "data": "",
    "textbook": "",
    "logits": "_core cores exact",
    "exact": "_core",
    "heads": "logits spec",
    "metrics": "exact logits heads",
    "engines": "_core _isa logits heads spec data",
    "decisions": "logits heads metrics spec",
    "model_file": "spec whole_file",
    "training": "engines decisions metrics heads logits spec data",
    "weights": "exact metrics engines data",
    "members": "training engines heads spec data",
    "model": "model_file members training decisions metrics engines heads spec data _core",
    "folds": "members heads spec data",
    "resolving": "engines metrics presets spec data",
    "fitting": "resolving calibrating folds weights cores model members training decisions metrics engines heads spec"
    " data",
    "budget": "fitting members training",
    "few_rows": "decisions engines data",
    "incremental": "weights cores fitting resolving presets training members model decisions engines data",
    "callbacks": "fitting members model training engines",
    "estimator": "callbacks model",
    "calibrating": "weights model decisions metrics data",
    "classifier": "budget callbacks calibrating weights cores estimator few_rows incremental fitting resolving model"
    " members training decisions metrics engines heads spec data",
    "mlp_classifier": "cores estimator weights engines heads spec data",
    "cross_validation": "budget classifier weights fitting resolving decisions metrics heads logits data",
    "export": "_core classifier model decisions spec data",
    "reports": "classifier decisions metrics heads logits spec data",
    "opening": "classifier model settings data",
    "serving": "_core opening export classifier members training engines decisions heads logits spec data",
    "cli": "cores opening budget export reports serving cross_validation classifier calibrating weights fitting "
    "members training decisions model_file metrics textbook heads logits spec settings data whole_file",
    "fromlogits": "classifier mlp_classifier training metrics heads logits spec data textbook _core _isa",
    "__main__": "cli",
}


def room_of(path: Path) -> str:
    """`data` for data/table.py, `spec` for spec.py, `fromlogits` for the package's own __init__.py."""
    first = path.relative_to(PACKAGE).parts[0]
    return "fromlogits" if first == "__init__.py" else first.removesuffix(".py").removesuffix(".pyi")


def is_room(name: str) -> bool:
    return name in MAY_IMPORT or (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


def imports(tree: ast.AST, path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import, those inside functions too; relative ones made absolute."""
    package = ("fromlogits", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def rooms_imported(source: str, path: Path) -> Iterator[tuple[int, str]]:
    """(line, room) of every import of ours. A public name taken from the package itself counts as its room."""
    for line, name in imports(ast.parse(source), path):
        parts = name.split(".")
        if parts[0] == "fromlogits":
            is_public_name = len(parts) == 1 or not is_room(parts[1])
            yield line, "fromlogits" if is_public_name else parts[1]


def arrows_up(source: str, path: Path) -> list[str]:
    room = room_of(path)
    allowed = {room, "errors", *MAY_IMPORT[room].split()}
    if room == "cli":
        allowed.add("fromlogits")  # the public names
    return [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {room} may not import {target}"
        for line, target in rooms_imported(source, path)
        if target not in allowed
    ]


SOURCES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_rooms_below_its_own(path: Path) -> None:
    assert room_of(path) in MAY_IMPORT, "a new room: say in MAY_IMPORT what it may import"
    assert arrows_up(path.read_text(encoding="utf-8"), path) == []


def test_the_drawing_of_the_rooms_has_no_circle() -> None:
    below = {room: set(allowed.split()) for room, allowed in MAY_IMPORT.items()}
    while below:
        bottom = {room for room, allowed in below.items() if not allowed & below.keys()}
        assert bottom, f"these rooms import each other in a circle: {sorted(below)}"
        below = {room: allowed for room, allowed in below.items() if room not in bottom}


@pytest.mark.parametrize(
    ("source", "file", "target"),
    [
        ("from ..spec import Plan", "data/table.py", "spec"),
        ("from .. import classifier", "data/table.py", "classifier"),
        ("from fromlogits.cli import main", "training.py", "cli"),
        ("import fromlogits.textbook", "logits.py", "textbook"),
        ("from . import Classifier", "metrics.py", "fromlogits"),
        ("def f():\n    from ..classifier import Classifier", "decisions/calibration.py", "classifier"),
        ("if TYPE_CHECKING:\n    from .training import Plan", "spec.py", "training"),
    ],
)
def test_an_arrow_that_points_up_is_found_in_every_spelling(source: str, file: str, target: str) -> None:
    assert [arrow.rsplit(" ", 1)[1] for arrow in arrows_up(source, PACKAGE / file)] == [target]


def loaded_by(statements: str) -> set[str]:
    """Top-level names of what the statements load in a new interpreter, the standard library left out."""
    script = f"import sys; before = set(sys.modules); {statements}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names


def test_importing_fromlogits_loads_numpy_and_our_core_at_most() -> None:
    assert loaded_by("import fromlogits") <= {"fromlogits", "numpy"}


def test_the_public_names_load_numpy_and_our_core_alone() -> None:
    statements = "import fromlogits; [getattr(fromlogits, name) for name in fromlogits.__all__]"
    assert loaded_by(statements) == {"fromlogits", "numpy"}


def test_training_by_the_native_engine_loads_no_pytorch() -> None:
    statements = "import fromlogits as fl; fl.Classifier(max_epochs=2).fit([[0.0], [1.0]] * 20, [0, 1] * 20)"
    assert "torch" not in loaded_by(statements)
