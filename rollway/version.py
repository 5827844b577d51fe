"""`rollway version`."""

from importlib.metadata import PackageNotFoundError, version

from rollway.exit_codes import ExitCode
from rollway.terminal import put


def command() -> int:
    """Print the version.

    \b
    Example:
      rollway version
    """
    put(f"rollway {installed()}\n")
    return ExitCode.FINE


def installed() -> str:
    """The version that is installed; a checkout that is not has none."""
    try:
        return version("rollway")
    except PackageNotFoundError:
        return "(not installed)"
