"""`fromlogits`: reads the command line, runs one verb, and turns what went wrong into one line and an exit code.

0    done
1    anything else that went wrong
2    bad input or usage: one line on standard error, nothing written
130  after Ctrl-C; 143 after SIGTERM
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import itertools
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
import typer.main

from ..errors import FromlogitsError, InputError, ModelFileError, nearest
from . import clock
from .display import discard, printable, standard_output
from .options import OPTIONAL, with_values

DONE, FAILED, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
"""How click says that there are arguments too many."""
VERBS = ("train", "cv", "evaluate", "predict", "calibrate", "inspect", "export", "serve", "roundoff")


class _Terminated(BaseException):
    """SIGTERM came."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code."""
    clock.begin(is_own_process=argv is None)
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before the start, as by >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (open to the end)
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):  # a class name that the terminal's encoding lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        with _sigterm_raises(), _one_line_warnings():
            with standard_output():  # --help and --version are answered at once
                job = _parse(arguments)
            status = job()
            with standard_output():
                sys.stdout.flush()
            return status
    except BrokenPipeError:  # `| head` has seen enough
        discard(sys.stdout)
        return FAILED
    except (KeyboardInterrupt, _Terminated, Exception) as error:
        if is_debug:
            import traceback

            traceback.print_exception(error)
        status, line = _explain(error, arguments)
        try:
            sys.stdout.flush()
        except OSError:
            discard(sys.stdout)
        try:
            print(f"fromlogits: {_one_line(line)}", file=sys.stderr, flush=True)
        except OSError:
            discard(sys.stderr)
        return status


def _explain(error: BaseException, arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code and line."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"stopped by Ctrl-C{f'; {error}' if str(error) else ''}."
    if isinstance(error, _Terminated):
        return TERMINATED, "stopped by SIGTERM."
    if isinstance(error, (InputError, ModelFileError)):
        return BAD_INPUT, str(error)
    if isinstance(error, FromlogitsError):
        return FAILED, str(error)
    # What click raises about a command line; typer brings click along, under a name that has changed.
    click_exception = typer.BadParameter.__mro__[2]
    if isinstance(error, click_exception):
        return BAD_INPUT, _usage(error, arguments)
    if isinstance(error, typer.Abort):
        return INTERRUPTED, "stopped by Ctrl-C."
    if isinstance(error, MemoryError):
        return FAILED, "this machine has too little memory for it. Try fewer rows or a smaller network."
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return FAILED, f"{error.strerror.lower()}{where}."
    return FAILED, (
        f"unexpected {type(error).__name__}: {error}. This is a fault of fromlogits: please report what the same"
        " command shows with --debug."
    )


def _usage(error: Any, arguments: Sequence[str]) -> str:
    """One line for what click says about a command line."""
    verb = next((argument for argument in arguments if argument in VERBS), "")
    about, command = f"{verb}: " if verb else "", f"fromlogits {verb}".rstrip()
    unknown = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and unknown:
        known = [name for parameter in error.ctx.command.params for name in parameter.opts] if error.ctx else []
        close = difflib.get_close_matches(unknown, known, n=1, cutoff=0.7)
        hint = f" Did you mean {close[0]}?" if close else ""
        return f"{about}there is no option {unknown}.{hint} See {command} --help."
    parameter = getattr(error, "param", None)
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        names = [parameter.opts[0]] if parameter.param_type_name == "option" else []
        shown = " ".join([*names, parameter.metavar]) if parameter.metavar else parameter.opts[0]
        return f"{about}{shown} is missing. See {command} --help."
    if (extra := EXTRA.match(error.format_message())) and error.ctx:
        takes = [parameter.metavar for parameter in error.ctx.command.params if parameter.param_type_name == "argument"]
        after = (word for option, word in itertools.pairwise(arguments) if option in OPTIONAL)
        no_port = next((word for word in after if not word.startswith("-") and not word.isdecimal()), None)
        hint = "" if no_port is None else f" --live takes a port, as in --live 8001, or nothing; {no_port!r} is none."
        most = " ".join(takes) or "options alone"
        return f"{about}too many arguments: {extra[1]}; it takes {most}.{hint} See {command} --help."
    message = error.format_message().rstrip(".")
    return f"{about}{message[:1].lower()}{message[1:]}. See {command} --help."


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _parse(arguments: Sequence[str]) -> Callable[[], int]:
    """What the command line asks for, ready to be called. `--help` is answered here."""
    job = _command().main(args=list(arguments), prog_name="fromlogits", standalone_mode=False)
    if job == INTERRUPTED:  # Ctrl-C came while the command line was read
        raise KeyboardInterrupt
    return job if callable(job) else lambda: DONE


@functools.cache
def _command() -> Any:
    """Made once: a process that runs many command lines would look through every verb's options for each of them."""
    return typer.main.get_command(application())


def application() -> typer.Typer:
    """The verbs with their arguments and options."""
    from typer.core import TyperCommand, TyperGroup

    from . import calibrate, cv, evaluate, export, inspect, predict, roundoff, serve, train

    class Verbs(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and args[0] not in self.commands:
                known = ", ".join(VERBS)
                raise InputError(f"there is no verb {args[0]!r}.{nearest(args[0], VERBS)} The verbs are {known}.")
            return super().resolve_command(ctx, args)

    class Verb(TyperCommand):
        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, with_values(args))

    app = typer.Typer(
        cls=Verbs,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help is as readable, and sooner there
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Train, evaluate and use neural-network classifiers, softmax or sigmoid, computed from the logits.",
        epilog="First: fromlogits train DATA --target COLUMN",
    )

    @app.callback()
    def fromlogits(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
        ] = False,
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    ) -> None: ...

    verbs: dict[str, Callable[..., int]] = {
        "train": train.train,
        "cv": cv.cv,
        "evaluate": evaluate.evaluate,
        "predict": predict.predict,
        "calibrate": calibrate.calibrate,
        "inspect": inspect.inspect,
        "export": export.export,
        "serve": serve.serve,
        "roundoff": roundoff.roundoff,
    }
    for name, verb in verbs.items():
        app.command(name, cls=Verb)(_later(verb))
    return app


def _version(is_asked: bool) -> None:
    if is_asked:
        from .. import __version__

        print(f"fromlogits {__version__}")
        raise typer.Exit()


def _later(verb: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """The verb as typer sees it: parsed now, called when typer has no more say over exceptions and exit codes."""

    @functools.wraps(verb)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], int]:
        return functools.partial(verb, *args, **kwargs)

    return parsed


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that temporary files go away."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, handle)
    except ValueError:  # not in the main thread, where Python delivers no signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    """A Python warning is one line on standard error, as everything that is said there."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print(f"fromlogits: warning: {_one_line(str(message))}", file=sys.stderr, flush=True)

    before = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
