"""The command line as Typer sees it: help, completion, and what is said about a line that is not right.

Commands are known by their row of the table; the module of one is imported when it is invoked, or asked for help.
"""

import inspect
import re
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rollway.commands import COMMANDS
from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.terminal import OutputClosed, Stop, program_name

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Command(TyperCommand):
    """A command whose help shows an argument's name, and not which type of Python's it is read into."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            records = [one.get_help_record(ctx) for one in self.get_params(ctx) if one.param_type_name == kind]
            rows = [(_bare(name) if kind == "argument" else name, help) for name, help in filter(None, records)]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class LazyGroup(TyperGroup):
    """The commands by group; the real one takes its stand-in's place when a line names it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, (load(name) if name in COMMANDS else stand_in), rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        column = max(len(name) for name in COMMANDS)
        for group in dict.fromkeys(row.group for row in COMMANDS.values()):
            with formatter.section(group):
                rows = [(name.ljust(column), row.help) for name, row in COMMANDS.items() if row.group == group]
                formatter.write_dl(rows)


def load(name: str) -> Any:
    """The command itself, from its module."""
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    command = import_module(COMMANDS[name].module).command
    single.command(name, cls=Command, context_settings=CONTEXT)(translated(command))
    return typer.main.get_command(single)


def translated(command: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its parameters described in Typer's words; a function that is so already stays as it is."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [one.replace(annotation=_annotation(one.annotation)) for one in signature.parameters.values()]

    @wraps(command)
    def call(**values: Any) -> Any:
        try:
            return command(**values)
        except BrokenPipeError as closed:
            raise OutputClosed from closed

    vars(call).update(__signature__=signature.replace(parameters=parameters))
    call.__annotations__ = {one.name: one.annotation for one in parameters}
    return call


def _annotation(annotation: Any) -> Any:
    for spec in getattr(annotation, "__metadata__", ()):
        match spec:
            case Argument(help, metavar, complete):
                argument = typer.Argument(help=help, metavar=metavar, show_default=False, autocompletion=complete)
                return Annotated[annotation.__origin__, argument]
            case Option(name, help, metavar, short):
                shown = annotation.__origin__ not in (bool, str, str | None)
                names = (name, short) if short else (name,)
                return Annotated[
                    annotation.__origin__, typer.Option(*names, help=help, metavar=metavar, show_default=shown)
                ]
    return annotation


def _version(wanted: bool) -> None:
    if wanted:
        import_module("rollway.version").command()
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Say in a few words how a new revision earns its traffic; check it, try it, run it.

    \b
    Begin with:
      rollway lint checkout.rollout     is it right?
      rollway plan checkout.rollout     what would it do?
      rollway demo                      what does that look like?

    Exit codes: 0 fine, 1 findings, 2 wrong usage or unreadable input, 3 internal error, 4 not in time.
    """


def build() -> Any:
    """The whole command line, with a stand-in for each command."""
    app = typer.Typer(
        name="rollway",
        cls=LazyGroup,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings=CONTEXT,
    )
    app.callback()(_root)
    for name, row in COMMANDS.items():
        app.command(name, help=row.help)(lambda: None)
    return typer.main.get_command(app)


def run(line: list[str]) -> int:
    """Runs a command line; raises `Stop` for one that is not right."""
    try:
        code = build().main(args=line, prog_name=program_name(), standalone_mode=False)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise OutputClosed from end
        raise
    except Exception as error:
        if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
            raise
        return _refuse(error)
    return code if isinstance(code, int) else ExitCode.FINE


def _refuse(error: Any) -> int:
    context = getattr(error, "ctx", None)
    said = error.format_message()
    if context is not None and said == context.get_help():
        sys.stderr.write(f"{said}\n")
        return ExitCode.USAGE
    path = context.command_path if context is not None else "rollway"
    line = re.sub(r"'([^']*)'", r"`\1`", " ".join(said.split()).removesuffix(".").replace("Value error, ", ""))
    more = "" if line.endswith("?") else f"; `{path} --help` shows how"
    raise Stop(f"{line[:1].lower()}{line[1:]}{more}")


def _bare(name: str) -> str:
    return name.partition(" <")[0]
