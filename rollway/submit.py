"""`rollway submit`: a further revision for a run that is under way."""

from pathlib import Path
from typing import Annotated

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.running import folder_of
from rollway.terminal import Stop, say


def command(
    command_line: Annotated[str, Argument("The command that starts the new revision.", "COMMAND")],
    folder: Annotated[
        str | None, Option("--dir", "The folder of the run; the one under `.rollway` if unsaid.", "DIR")
    ] = None,
) -> int:
    """Bring a further revision to a run on this machine.

    A revision that comes while another is being rolled out takes its place: the traffic goes back to the
    primary, and the rollout begins again with the new one.

    \b
    Example:
      rollway submit "python app.py --version 3 --port {port}"

    Exit codes: 0 the run has it, 2 there is no such run, or the command cannot be used.
    """
    from interpreter.local import inbox
    from interpreter.local.command import Command, CommandError

    made = Command(command_line)
    try:
        made.check()
    except CommandError as error:
        raise Stop(str(error)) from error
    where: Path = folder_of(folder)
    inbox.send(where, inbox.submission_data(command_line))
    say(f"submitted revision {made.revision} to the run in `{where}`")
    return ExitCode.FINE
