"""One command per job: `pip install nox`, then `nox -s lint types tests core sanitize docs bench wheel`.

`nox -l` lists the sessions. Plain `nox` runs what a change must pass. Each session has an environment of its own under
`.nox`; `nox -R` takes it as it is and installs only the package anew.
"""

import os
import re
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "types", "tests", "core", "docs"]
nox.options.error_on_external_run = True

ROOT = Path(__file__).parent
INSTALL_LIMIT_MB = 150
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PAGES = [
    "tests/serving/test_lesson_page.py", "tests/serving/test_backbone_served.py", "tests/cli/test_live.py",
]  # fmt: skip
CPP = sorted(str(path.relative_to(ROOT)) for room in ("core", "bindings") for path in (ROOT / room).rglob("*.[ch]*"))


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


def package(extras: str = "") -> str:
    """The package to install: a wheel that is there already, named by FROMLOGITS_WHEEL, or else built anew."""
    wheel = os.environ.get("FROMLOGITS_WHEEL")
    return f"fromlogits{extras} @ {Path(wheel).resolve().as_uri()}" if wheel else f".{extras}"


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format of Python and C++. `nox -s lint -- fix` mends what a tool can mend."""
    session.install(*group("lint"))
    if session.posargs == ["fix"]:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
        session.run("clang-format", "-i", *CPP)
    else:
        session.run("ruff", "check", ".")
        session.run("ruff", "format", "--check", ".")
        session.run("clang-format", "--dry-run", "--Werror", *CPP)


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on src and tests. Needs no compiler: `_core.pyi` stands for the core."""
    project = PROJECT["project"]
    session.install(*group("types"), *project["dependencies"], *project["optional-dependencies"]["test"], "nox")
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The Python tests on the installed package. Arguments go to pytest: `nox -s tests -- tests/data -k csv`."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The Python tests with the oldest version that pyproject.toml allows of each dependency."""
    project = PROJECT["project"]
    allowed = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    session.install(*(requirement.replace(">=", "==") for requirement in allowed))
    session.install("--no-deps", ".")
    session.run("pytest", *session.posargs)


def build_core(session: nox.Session, folder: str, *settings: str) -> Path:
    """Build the core and its tests, alone, in build/FOLDER."""
    build = ROOT / "build" / folder
    session.run("cmake", "-S", ".", "-B", str(build), "-G", "Ninja", "-DFROMLOGITS_CORE_ONLY=ON",
                f"-DPython_EXECUTABLE={session.bin}/python", *settings)  # fmt: skip
    session.run("cmake", "--build", str(build))
    return build


@nox.session
def core(session: nox.Session) -> None:
    """The C++ core and its tests, without Python's module."""
    session.install(*group("core"))
    build = build_core(session, "core")
    session.run("ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error")


@nox.session
def sanitize(session: nox.Session) -> None:
    """The core's tests under the address, undefined-behaviour and thread sanitizers."""
    session.install(*group("core"))
    for folder, sanitizers in (("asan", "address,undefined"), ("tsan", "thread")):
        build = build_core(session, folder, f"-DFROMLOGITS_SANITIZE={sanitizers}", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
        session.run("ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error",
                    env={"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})  # fmt: skip


@nox.session
def tidy(session: nox.Session) -> None:
    """clang-tidy on the core."""
    session.install(*group("core"), *group("tidy"))
    build = build_core(session, "core", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    session.run("clang-tidy", "-p", str(build), "--quiet", *(path for path in CPP if re.match(r"core/\w+\.cpp", path)))


@nox.session
def exhaustive(session: nox.Session) -> None:
    """The sigmoid loss and gradient of all 2^32 float32 logits. `-- --every 4099`: a sample; `-- --peers`: of all."""
    session.install(".")
    if "--peers" in session.posargs:
        session.install(*group("bench"))
    session.run("python", "-m", "tests.exhaustive", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Mutated model files, each under a limit on its memory. `-- --count 200000 --seed 1`: what the record holds."""
    session.install(".[test]")
    session.run("python", "-m", "tests.mutants", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """libFuzzer on each reader of files: `nox -s fuzz -- 60` for 60 seconds a reader, 20 unless told."""
    session.install(package(), *group("fuzz"))
    seconds = session.posargs[0] if session.posargs else "20"
    session.run("python", "-m", "tests.fuzz", "--seconds", seconds)


@nox.session
def clients(session: nox.Session) -> None:
    """A server driven by the HTTP clients of Triton and KServe, unmodified, and asked by schemathesis what it says."""
    session.install(package("[test]"), *group("clients"))
    session.run("pytest", "tests/serving", *session.posargs)


@nox.session
def siege(session: nox.Session) -> None:
    """A server under 100,000 mixed requests, one in twenty malformed or cut off. `-- --count 5000`: fewer."""
    session.install(package("[test]"))
    session.run("python", "-m", "tests.serving.siege", *session.posargs)


@nox.session
def onnx(session: nox.Session) -> None:
    """Exported models, computed by onnxruntime."""
    session.install(package("[test,onnx]"), *group("onnx"))
    session.run("pytest", "tests/export", *session.posargs)


@nox.session
def torch(session: nox.Session) -> None:
    """The contract of engines on the torch engine, and what else needs PyTorch; the other tests are in `tests`."""
    session.install(package("[test]"), *group("torch"))
    files = (
        "test_classifier.py", "test_backbone.py", "test_frozen_backbones.py", "cli/test_backbone_verbs.py",
        "cli/test_frozen_backbones.py", "data/test_backbones.py", "serving/test_backbone_served.py",
    )  # fmt: skip
    own = ("-k", "torch or backbone or residual", "tests/engines", *(f"tests/{file}" for file in files))
    session.run("pytest", *(session.posargs or own))


@nox.session
def browser(session: nox.Session) -> None:
    """As onnx, and every page in headless Chromium (Debian: chromium, chromium-driver); with npm axe-core."""
    session.install(package("[test,onnx]"), *group("onnx"), *group("browser"))
    environment = {"FROMLOGITS_BROWSER_TESTS": "1"}
    if shutil.which("npm"):
        folder = session.create_tmp()
        wanted = ["npm", "install", "--silent", "--no-save", "--prefix", folder, "axe-core@4.14.1"]
        session.run(*wanted, external=True, success_codes=[0, 1])
        axe = Path(folder).resolve() / "node_modules" / "axe-core" / "axe.min.js"
        if axe.exists():
            environment["FROMLOGITS_AXE"] = str(axe)
        else:
            session.warn("npm could not fetch axe-core: what it looks for is not looked for")
    session.run("pytest", "tests/export", *PAGES, *session.posargs, env=environment)


@nox.session
def docs(session: nox.Session) -> None:
    """Run the examples of README, docs and docstrings, and follow the links. Arguments are pages; all without."""
    session.install(
        package("[onnx,pictures,serve]"), *group("onnx"), *group("torch"), "scikit-learn", "pandas", "polars"
    )
    session.run("python", "docs/check.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Beside PyTorch, JAX and others: `nox -s bench -- accuracy.py`. train_speed.py where no script is named."""
    session.install(".[serve]", *group("bench"))
    named = bool(session.posargs) and session.posargs[0].endswith(".py")
    script, *arguments = session.posargs if named else ["train_speed.py", *session.posargs]
    session.run("python", f"benchmarks/{script}", *arguments)


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6


@nox.session
def wheel(session: nox.Session) -> None:
    """Source archive and manylinux wheel; the wheel trains in an empty environment without a compiler."""
    session.install(*group("wheel"))
    temporary = Path(session.create_tmp()).resolve()
    for folder in ("built", "smoke"):
        shutil.rmtree(temporary / folder, ignore_errors=True)
    (ROOT / "dist").mkdir(exist_ok=True)
    for old in (ROOT / "dist").glob("fromlogits-*"):
        old.unlink()

    session.run("python", "-m", "build", "--outdir", str(temporary / "built"))  # the wheel is built from the archive
    [archive] = (temporary / "built").glob("*.tar.gz")
    [built] = (temporary / "built").glob("*.whl")
    session.run("auditwheel", "repair", "--wheel-dir", "dist", str(built))
    shutil.copy(archive, "dist")
    [repaired] = (ROOT / "dist").glob("*.whl")
    tag = re.search(r"manylinux_(\d+)_(\d+)_", repaired.name)
    if not tag:
        session.error(f"{repaired.name} is not a manylinux wheel")
    session.log(f"{repaired.name}: {repaired.stat().st_size / 1e6:.2f} MB, needs glibc {tag[1]}.{tag[2]} or newer")

    # Away from the source: only the test and the examples, an empty environment, and no compiler on the path.
    smoke = temporary / "smoke"
    shutil.copytree(ROOT / "tests" / "wheel", smoke / "tests")
    shutil.copytree(ROOT / "examples", smoke / "examples")
    session.run("python", "-m", "venv", str(smoke / "venv"))
    bare = str(smoke / "venv" / "bin")
    for compiler in ("c++", "g++", "cc", "gcc", "clang", "clang++"):
        if shutil.which(compiler, path=bare):
            session.error(f"{compiler} is on the path of the smoke test")
    session.chdir(smoke)

    def run(*command: str) -> None:
        session.run("env", f"PATH={bare}", f"{bare}/python", "-m", *command, external=True)

    run("pip", "install", "-q", "--only-binary=:all:", "numpy")
    before = megabytes(smoke / "venv")
    run("pip", "install", "-q", "--only-binary=:all:", str(repaired))
    added = megabytes(smoke / "venv") - before
    session.log(f"the base install adds {added:.0f} MB to NumPy (limit {INSTALL_LIMIT_MB})")
    if added >= INSTALL_LIMIT_MB:
        session.error(f"the base install adds {added:.0f} MB to NumPy; it must stay under {INSTALL_LIMIT_MB}")
    run("pip", "install", "-q", "--only-binary=:all:", "pytest")
    run("pytest", "-p", "no:cacheprovider", "-W", "error", "tests")
