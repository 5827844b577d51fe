"""`rollway signal`: what people ask of a run by hand."""

from enum import Enum
from typing import Annotated

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.running import folder_of, status_of
from rollway.terminal import Stop, say


class Verb(Enum):
    """What can be asked."""

    APPROVE = "approve"
    ABORT = "abort"
    PROMOTE = "promote"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"


def command(
    verb: Annotated[Verb, Argument("What to do: approve, abort, promote, retry, pause or resume.", "VERB")],
    folder: Annotated[
        str | None, Option("--dir", "The folder of the run; the one under `.rollway` if unsaid.", "DIR")
    ] = None,
    revision: Annotated[
        str | None, Option("--revision", "The revision it is for; the one under way if unsaid.", "REVISION")
    ] = None,
    why: Annotated[str, Option("--reason", "Why, for the record.", "TEXT")] = "",
    who: Annotated[str | None, Option("--who", "Who asks; the name of the user if unsaid.", "NAME")] = None,
) -> int:
    """Approve, abort, promote, retry, pause or resume a rollout on this machine.

    A signal is for one revision. If another has come by the time it is read, it is ignored and said to be.

    \b
    Examples:
      rollway signal approve
      rollway signal abort --reason "the checkout page is slow"

    Exit codes: 0 the run has it, 2 there is no such run, or nothing is under way.
    """
    from interpreter.local import inbox
    from interpreter.state import Signal

    where = folder_of(folder)
    meant = revision or status_of(where).get("revision")
    if not meant:
        raise Stop(f"no revision has been rolled out by the run in `{where}`, so there is nothing to {verb.value}")
    inbox.send(where, inbox.signal_data(Signal(verb.value, meant, who=_user() if who is None else who, reason=why)))
    say(f"asked the run in `{where}` to {verb.value} revision {meant}")
    return ExitCode.FINE


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
