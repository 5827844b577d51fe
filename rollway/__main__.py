"""`rollway`: reads the line, runs the command, and never ends in a traceback.

A plainly right line of a quick command is run without Typer (see `rollway.parameters`). Such a process lives for a
fifth of a second, most of it imports: it collects no garbage meanwhile, and does not tidy up at its end.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module

from rollway.commands import COMMANDS
from rollway.exit_codes import ExitCode
from rollway.terminal import OutputClosed, Stop, reason, say

REPORT = "https://github.com/rollway/rollway/issues"
TRACEBACK = "ROLLWAY_TRACEBACK"
GARBAGE = 100_000
"""Objects made before a quick command looks for cycles among them: more than all imports make."""


def main(line: list[str] | None = None) -> int:
    """Runs one command line and returns its exit code. Without `line` it runs the process's own, and may end it."""
    if line is not None:
        return run(line)
    own = sys.argv[1:]
    if not _is_quick(own):
        return run(own)
    gc.set_threshold(GARBAGE)
    code = run(own)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run(line: list[str]) -> int:
    """Runs one command line; whatever happens, it ends in an exit code and in words for people."""
    _speak_any_text()
    try:
        code = _dispatch(line)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, OutputClosed):
        _close_output()
        return ExitCode.BROKEN_PIPE
    except Stop as stop:
        say(f"rollway: {stop.message}")
        return stop.code
    except OSError as error:
        return _unreadable(error)
    except Exception as error:
        return _internal(error)
    return code


def _is_quick(line: list[str]) -> bool:
    return bool(line) and line[0] in COMMANDS and COMMANDS[line[0]].quick


def _dispatch(line: list[str]) -> int:
    if _is_quick(line):
        from rollway.parameters import quick

        command = import_module(COMMANDS[line[0]].module).command
        values = quick(command, line[1:])
        if values is not None:
            return int(command(**values))
    from rollway import app

    return app.run(line)


def _speak_any_text() -> None:
    """A policy may hold text that the terminal's encoding lacks: it is written out rather than refused."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _close_output() -> None:
    """Points standard output nowhere, for the interpreter flushes it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unreadable(error: OSError) -> int:
    if error.filename is None:
        return _internal(error)
    say(f"rollway: `{error.filename}`: {reason(error)}")
    return ExitCode.USAGE


def _internal(error: Exception) -> int:
    if os.environ.get(TRACEBACK):
        import traceback

        traceback.print_exception(error)
    doing = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
    said = " ".join(str(error).split())[:200]
    say(f"rollway: internal error{doing}: {type(error).__name__}{said and ': '}{said}")
    say(f"this is a bug in rollway: please report it at {REPORT}; {TRACEBACK}=1 shows where it happened")
    return ExitCode.INTERNAL


if __name__ == "__main__":
    sys.exit(main())
