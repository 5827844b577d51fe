"""Command lines, as Flagger's loadtester takes them: `cmd` in the background, `bash`, `helm`, `helmv3` and `kubectl`
waited for. Pure.

A line is understood and checked where that can be done without a shell (`interpreter.tester.line`); where it cannot,
it needs `--allow-shell`, and is then given to the shell as it stands. The arguments of helm and kubectl are words, and
no shell ever sees them.
"""

from __future__ import annotations

import shlex

from interpreter.tester.kinds.fields import Fields
from interpreter.tester.line import NeedsShell, parse
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Ended, Plan, Verdict

MOST_LINE = 16 * 1024
LAST_WORDS = 300
_OTHERS = ("--post-renderer", "--kubeconfig")


def cmd(fields: Fields) -> Plan:
    """A line in the background."""
    return _line("cmd", "sh", fields)


def bash(fields: Fields) -> Plan:
    """A line whose end is waited for."""
    return _line("bash", "bash", fields)


def helm(fields: Fields) -> Plan:
    """Helm, with the arguments given."""
    return _arguments("helm", fields)


def kubectl(fields: Fields) -> Plan:
    """kubectl, with the arguments given."""
    return _arguments("kubectl", fields)


def judge(ended: Ended) -> Verdict:
    """By the exit code."""
    if ended.code == 0:
        return Verdict(True, "it ended well")
    said = " ".join(ended.output.split())[-LAST_WORDS:]
    how = f"it was ended by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return Verdict(False, f"{how}{': ' if said else ', and it said nothing'}{said}")


def _line(kind: str, shell: str, fields: Fields) -> Plan:
    text = _command(fields)
    why = ""
    try:
        line = parse(text)
        argv, programs = line.argv, line.programs
    except NeedsShell as problem:
        argv, programs = (shell, "-c", text), ()
        why = f"the command needs a shell, for {problem}"
    return Plan(
        kind=kind,
        argv=argv,
        programs=programs,
        shell=why,
        line=True,
        shown=text,
        judge=judge,
        waits=kind != "cmd",
        returns_output=fields.flag("returnCmdOutput"),
        logs_output=fields.flag("logCmdOutput"),
    )


def _arguments(program: str, fields: Fields) -> Plan:
    text = _command(fields)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadRequest("`cmd` in the metadata has a quotation that is not closed") from error
    return Plan(
        kind=program,
        argv=(program, *words),
        programs=(program,),
        shell=_runs_others(program, words),
        shown=f"{program} {text}",
        judge=judge,
        returns_output=fields.flag("returnCmdOutput"),
        logs_output=fields.flag("logCmdOutput"),
    )


def _runs_others(program: str, words: list[str]) -> str:
    """Why these arguments may make it start any program: "" if they do not. Helm's plugins and post-renderers are
    programs, and a kubeconfig may name one that makes credentials."""
    for word in words:
        if word.partition("=")[0] in _OTHERS or word == "plugin":
            return f"`{word.partition('=')[0]}` may make {program} start another program"
    return ""


def _command(fields: Fields) -> str:
    text = fields.needed("cmd")
    if len(text) > MOST_LINE:
        raise BadRequest(f"`cmd` in the metadata is longer than {MOST_LINE} characters")
    return text
