"""`rollway schema`: what a Program may be, for those who read Programs with other tools."""

import json
from typing import Annotated

from rollway.exit_codes import ExitCode
from rollway.files import write
from rollway.parameters import Option
from rollway.terminal import put


def command(
    output: Annotated[str | None, Option("--output", "Write to this file instead of standard output.", "FILE")] = None,
) -> int:
    """Print the JSON Schema of a Program.

    A Program is what a policy compiles to: `rollway compile` prints it, and every runtime reads it.

    \b
    Examples:
      rollway schema
      rollway schema --output program.schema.json
    """
    from dsl import ir_json

    text = json.dumps(ir_json.schema(), indent=2) + "\n"
    if output is None:
        put(text)
    else:
        write(output, text)
    return ExitCode.FINE
