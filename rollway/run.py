"""`rollway run`: a real rollout on this machine."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.policies import compiled, rollouts
from rollway.running import needs_local_extra
from rollway.terminal import Stop, reason, say, wants_colour

if TYPE_CHECKING:
    from dsl.ir import Program
    from interpreter.local.command import Command
    from interpreter.local.session import Session, Settings
    from interpreter.local.view import View
    from interpreter.state import State


def command(
    path: Annotated[str, Argument("A policy, or `-` for standard input.", "FILE")],
    primary: Annotated[str, Option("--primary", "The command that starts the revision to roll out from.", "COMMAND")],
    local: Annotated[bool, Option("--local", "Run it on this machine.")] = False,
    canary: Annotated[str | None, Option("--canary", "The command that starts the new revision.", "COMMAND")] = None,
    listen: Annotated[
        str, Option("--listen", "Where requests come in; port 0 is any.", "HOST:PORT")
    ] = "127.0.0.1:8080",
    folder: Annotated[str | None, Option("--dir", "Where the journal and the logs are kept.", "DIR")] = None,
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    replicas: Annotated[int, Option("--replicas", "Processes of a revision at full scale.", "N")] = 1,
    prometheus: Annotated[str | None, Option("--prometheus", "Ask this Prometheus for metrics.", "URL")] = None,
    metrics_port: Annotated[
        int, Option("--metrics-port", "Where `/metrics` listens on this machine; 0 is any.", "PORT")
    ] = 0,
    health: Annotated[str, Option("--health", "The path that says whether a process is well.", "PATH")] = "/healthz",
    once: Annotated[bool, Option("--once", "End when the rollout has ended, and say by the exit code how.")] = False,
) -> int:
    """Run a rollout with real processes and real traffic on this machine.

    Each revision is a process that you give as a command; `{port}` in it (and $PORT) is the port to listen on.
    A proxy in front of them gives the canary its share of the requests, as the policy says, and counts
    them; checks are answered from these counts, or from a Prometheus. While it runs, `rollway submit` brings a
    further revision and `rollway signal` approves, aborts or promotes. Kill it at any moment and give the same
    line again: it goes on where it was.

    \b
    Examples:
      rollway run checkout.rollout --local --primary "python app.py --port {port}"
      rollway run checkout.rollout --local --once \\
        --primary "python app.py --port {port}" --canary "python app.py --version 2 --port {port}"

    Exit codes: 0 fine, 1 the rollout was not promoted, or the policy has errors, 2 wrong usage, unreadable
    input, a port in use or a command that does not start, 130 stopped by Ctrl-C.
    """
    needs_local_extra()
    if not local:
        raise Stop("say where to run it: `--local` is on this machine")
    if once and canary is None:
        raise Stop("`--once` ends with a rollout, so it needs the new revision as `--canary`")
    policies = compiled([path])
    chosen = rollouts(policies, rollout, doing="run")
    if not chosen:
        return policies.code or ExitCode.FINDINGS
    if len(chosen) > 1:
        names = ", ".join(f"`{found.program.name}`" for _, found in chosen)
        raise Stop(f"there are several rollouts, {names}: choose one with --rollout")
    program = chosen[0][1].program
    settings = _settings(program, primary, canary, listen, folder, replicas, prometheus, health)
    settings = settings._replace(metrics_port=metrics_port)
    return asyncio.run(_run(program, settings, once=once))


def _settings(
    program: "Program",
    primary: str,
    canary: str | None,
    listen: str,
    folder: str | None,
    replicas: int,
    prometheus: str | None,
    health: str,
) -> "Settings":
    from interpreter.local.session import Settings

    host, port = _address(listen)
    if not 1 <= replicas <= 16:
        raise Stop("`--replicas` is a number from 1 to 16")
    if prometheus is not None and not prometheus.startswith(("http://", "https://")):
        raise Stop("`--prometheus` is an address such as `http://localhost:9090`")
    return Settings(
        folder=Path(folder) if folder else Path(".rollway") / f"{program.namespace}.{program.name}",
        primary=_command(primary, "--primary"),
        canary=_command(canary, "--canary") if canary is not None else None,
        host=host,
        port=port,
        replicas=replicas,
        prometheus=prometheus,
        health_path=health if health.startswith("/") else f"/{health}",
    )


def _command(text: str, option: str) -> "Command":
    from interpreter.local.command import Command, CommandError

    made = Command(text)
    try:
        made.check()
    except CommandError as error:
        raise Stop(f"{option}: {error}") from error
    return made


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise Stop("`--listen` is a host and a port such as `127.0.0.1:8080`")
    return host.strip("[]") or "127.0.0.1", int(port)


async def _run(program: "Program", settings: "Settings", *, once: bool) -> int:
    from interpreter.local.command import CommandError
    from interpreter.local.journal import JournalError
    from interpreter.local.session import SessionError, session
    from interpreter.local.view import view

    seen = view(live=wants_colour(sys.stdout) and sys.stdout.isatty())
    try:
        async with session(program, settings, seen) as under_way:
            return await _watched(under_way, seen, once=once)
    except (JournalError, CommandError, SessionError) as error:
        raise Stop(str(error)) from error
    except OSError as error:
        folder = f"the folder of the run, `{settings.folder}`, cannot be used"
        raise Stop(f"{folder}: {reason(error)}: give another with --dir") from error


async def _watched(under_way: "Session", seen: "View", *, once: bool) -> int:
    from interpreter.local.view import Subject

    _greet(under_way)
    parts = under_way.parts
    seen.begin(Subject(under_way.program, parts.metering, parts.url, parts.metrics_url))
    stopped = _on_signal()
    running = asyncio.create_task(under_way.run(under_way.idle if once else lambda _: False))
    try:
        await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
        state = await running if running.done() else None
    finally:
        running.cancel()
        stopped.cancel()
        await asyncio.gather(running, stopped, return_exceptions=True)
        seen.end()
    return _told(under_way, state)


def _greet(under_way: "Session") -> None:
    if under_way.keeps_former_policy:
        say("the policy has changed since this rollout began: it ends with the one that it began with")
    elif under_way.resumed:
        say("going on from the journal")


def _told(under_way: "Session", state: "State | None") -> int:
    """The closing line, and the exit code."""
    served = under_way.parts.metering.served()
    counted = f"{served.total:,} requests served, {served.failed:,} failed"
    if state is None:
        weight = under_way.state.routing.weight
        say(f"stopped with the canary at {weight:g}%, {counted}; give the same line again to go on")
        return ExitCode.INTERRUPTED
    run = state.run
    outcome = run.outcome.value.replace("_", " ") if run and run.outcome else "nothing to roll out"
    why = f": {run.reason}" if run and run.reason else ""
    say(f"{outcome}{why}; {counted}")
    return ExitCode.FINE if outcome in ("promoted", "nothing to roll out") else ExitCode.FINDINGS


def _on_signal() -> "asyncio.Future[None]":
    """Done when somebody wants the run to stop."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    return stopped
