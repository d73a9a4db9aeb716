"""The shell around every command: one style of errors, and exit codes that mean the same.

0: done; 1: some items failed; 2: the input cannot be used; 130: interrupted (143 by SIGTERM, 129
by a terminal that hung up).
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from testbed.basis import interrupts
from testbed.basis.errors import ToolkitError, did_you_mean
from testbed.basis.foreign_text import quoted
from testbed.command.scarce import lacking, of_system

__all__ = ["HELP_NAMES", "INTERRUPTED", "Command", "Group", "application", "refuse_given"]

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130
WORDS = f"{__name__}.words"  # of a command, where click keeps what commands share
HELP_NAMES = {"help_option_names": ["-h", "--help"]}
# Newer versions of typer bring their own copy of click: the base of its errors is found
# above the one that every version exports.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]


def application() -> typer.Typer:
    """Return an empty application; give ``cls=Command`` to its command."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP_NAMES,
    )


class Command(TyperCommand):
    """A command whose errors are one line on standard error."""

    def main(self, *arguments: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command and end with its exit code, or return it if not ``standalone_mode``."""
        run = super().main
        return _bounded(lambda: run(*arguments, standalone_mode=False, **extra), standalone_mode)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command, and keep them for what may be wrong with one."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the function of the command; an interrupt that it does not see to ends it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


class Group(TyperGroup):
    """A command of commands whose errors are one line on standard error."""

    def main(self, *arguments: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command and end with its exit code, or return it if not ``standalone_mode``."""
        run = super().main
        return _bounded(lambda: run(*arguments, standalone_mode=False, **extra), standalone_mode)


def refuse_given(context: typer.Context, why: str, *names: str) -> None:
    """Refuse options of the running command that were given and would be ignored.

    Args:
        context: of the command.
        why: they would be, a sentence without its full stop.
        names: of its parameters.

    Raises:
        ToolkitError: naming the options.
    """
    given = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is not None and source.name == "COMMANDLINE":
            given.append(_spelling(parameter))
    if given:
        raise ToolkitError(f"{', '.join(given)} would be ignored: {why}")


def _bounded(run: Callable[[], Any], standalone: bool) -> int:
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no τ shows a ? for it.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not standalone:
        return _exit_code(run)
    # What a cluster sends before it kills ends a run as Ctrl-C does: with all that is finished.
    interrupts.watch(always=True)
    try:
        with interrupts.bounded():
            code = _exit_code(run)
    except BaseException:
        # Not to be printed: an interrupt of the lines around the run, a terminal that is gone.
        if interrupts.exit_code() is None:
            raise
        code = 0
    _let_go_of_output()
    sys.exit(interrupts.exit_code() or code)


def _open_closed_streams() -> None:
    """Give a stream that the command was started without (``>&-``) to what takes everything.

    Its number would be that of the next file that is opened, into which a library that prints
    would write.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest number that is free: its own, since those before are taken.
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8"))  # noqa: SIM115


def _let_go_of_output() -> None:
    """Leave nothing to be written while the interpreter ends: nobody would catch a failure."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        result = run()
        sys.stdout.flush()  # a full disk is an error that is told
    except _ClickException as error:
        message = _usage(error)
    except ToolkitError as error:
        message = str(error)
    except BrokenPipeError:  # whoever read has seen enough
        return FAILED
    except OSError as error:
        message = of_system(error)
    except (MemoryError, RuntimeError, ImportError) as error:
        said = lacking(error)
        if said is None:
            raise
        message = said
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    else:
        return result if isinstance(result, int) else 0
    typer.echo(f"error: {_one_line(message)}", err=True)
    return UNUSABLE


def _one_line(message: str) -> str:
    lines = message.splitlines()
    # A caret under a character points nowhere in one line, which says its number.
    if any(line.strip() == "^" for line in lines):
        message = "; ".join(line for line in lines if line.strip() != "^")
    return " ".join(message.split())


def _usage(error: Any) -> str:
    """Return what a user typed wrong, and what was meant or where it stands."""
    context = getattr(error, "ctx", None)
    parameter = getattr(error, "param", None)
    option = getattr(error, "option_name", None)
    if option and context is not None and hasattr(error, "possibilities"):
        there = ["--help", *(name for p in context.command.params for name in p.opts)]
        said = f"unknown option {option}{did_you_mean(option, there)}".replace("'", "")
    elif parameter is not None and not error.message:
        said = f"{_spelling(parameter)} is missing"
        said += f": {parameter.help.rstrip('.')}" if getattr(parameter, "help", None) else ""
    elif parameter is not None:
        said = f"{_spelling(parameter)}: {_refusal(error.message, _given(parameter, context))}"
    else:
        said = error.format_message().rstrip(".")
        said = said[:1].lower() + said[1:]
    if context is None:
        return said
    return f"{said} ({context.command_path} --help says more)"


def _refusal(message: str, value: str | None) -> str:
    """Return what is wrong with a value, and the value, in the words of any version of click."""
    said = message.rstrip(".").partition(", unable to parse")[0]
    said = said.replace("Input should be", "expected", 1)
    if value is None or repr(value) in said or said.startswith(f"{value} "):
        return said
    return f"{said}; got {quoted(value)}"


def _given(parameter: Any, context: Any) -> str | None:
    """Return the value that an option was given last; None if that cannot be told."""
    words, found = (context.meta.get(WORDS, []) if context is not None else []), None
    for word, after in zip(words, [*words[1:], None], strict=True):
        name, equals, value = word.partition("=")
        if name in parameter.opts:
            found = value if equals else after
    return found


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    return max(parameter.opts, key=lambda name: name.startswith("--"))
