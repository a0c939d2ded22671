"""`_core.pyi`, which type checkers read, names what the compiled core has. Made anew by
`python -m nanobind.stubgen -m fromlogits._core -o src/fromlogits/_core.pyi`."""

import ast
import re
from pathlib import Path
from typing import Any

from fromlogits import _core

STUB = Path(__file__).parent.parent / "src" / "fromlogits" / "_core.pyi"


Parameters = dict[str, list[list[str]]]  # of each overload


def stubbed() -> Parameters:
    """Functions and methods of the stub, with the names of their parameters."""
    found: Parameters = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        in_class = node.name + "." if isinstance(node, ast.ClassDef) else ""
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(function, ast.FunctionDef):
                overloads = found.setdefault(in_class + function.name, [])
                overloads.append([argument.arg for argument in function.args.args])
    return found


def compiled() -> Parameters:
    """The same of the core, read off nanobind's signatures: "def sigmoid(logits: ndarray[...], out: ndarray[...])"."""
    found: Parameters = {}

    def add(name: str, function: Any) -> None:
        for signature, _, _ in function.__nb_signature__:
            without_brackets, found_any = signature.split(" -> ")[0], 1
            while found_any:  # from the inside: a type may hold types
                without_brackets, found_any = re.subn(r"\[[^\[\]]*\]", "", without_brackets)
            found.setdefault(name, []).append(re.findall(r"[(,] *(\w+)", without_brackets))

    for name, member in vars(_core).items():
        if hasattr(member, "__nb_signature__"):
            add(name, member)
        elif isinstance(member, type):
            for method, function in vars(member).items():
                if hasattr(function, "__nb_signature__"):
                    add(f"{name}.{method}", function)
    return found


def test_the_stub_names_the_functions_and_parameters_of_the_core() -> None:
    assert stubbed() == compiled(), "make the stub anew (top of this file)"
