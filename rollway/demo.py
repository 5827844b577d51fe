"""`rollway demo`: a good revision promoted and a bad one rolled back, under steady load, in about a minute."""

import asyncio
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from rollway.exit_codes import ExitCode
from rollway.parameters import Option
from rollway.running import needs_local_extra
from rollway.terminal import Stop, say, wants_colour

if TYPE_CHECKING:
    from dsl.ir import Program
    from interpreter.local.command import Command
    from interpreter.local.load import Load
    from interpreter.local.metering import Served
    from interpreter.local.session import Session
    from interpreter.local.view import View
    from interpreter.state import Outcome, State

POLICY = Path(__file__).with_name("demo.rollout")
ALONE_S = 2.0
LIMIT_S = 240.0
MOST_AT_ONCE = 50


class Result(NamedTuple):
    """How a demo went."""

    good: "Outcome | None"
    bad: "Outcome | None"
    served: "Served"
    by_bad: "Served"
    sent: int
    failed: int

    @property
    def as_it_should(self) -> bool:
        """Promoted, rolled back, and nobody but the bad revision failed anybody."""
        ended = (self.good, self.bad) == ("promoted", "rolled_back")
        return ended and self.by_bad.failed > 0 and self.failed == self.served.failed == self.by_bad.failed


def command(
    rate: Annotated[int, Option("--rate", "Requests a second.", "N")] = 200,
    errors: Annotated[int, Option("--errors", "How many percent of requests the bad revision fails.", "N")] = 20,
) -> int:
    """Watch a good revision promoted and a bad one rolled back.

    Starts a small service, a steady load on it, and two rollouts of it, all on this machine, with the policy
    that stands in the folder of this command. Ports are chosen free, and everything is ended at the end.

    \b
    Examples:
      rollway demo
      NO_COLOR=1 rollway demo --rate 500

    Exit codes: 0 it went as it should, 1 it did not, 130 stopped by Ctrl-C.
    """
    needs_local_extra()
    if not (1 <= rate <= 5000 and 5 <= errors <= 100):
        raise Stop("`--rate` is a number from 1 to 5000, `--errors` one from 5 to 100")
    from interpreter.local.session import SessionError
    from interpreter.local.view import view

    seen = view(live=wants_colour(sys.stdout) and sys.stdout.isatty())
    try:
        result = asyncio.run(show(seen, rate, errors / 100))
    except TimeoutError:
        raise Stop(f"the demo did not come to its end within {LIMIT_S:g}s", ExitCode.FINDINGS) from None
    except SessionError as error:
        raise Stop(str(error), ExitCode.FINDINGS) from error
    finally:
        seen.end()
    say(closing(result))
    return ExitCode.FINE if result.as_it_should else ExitCode.FINDINGS


def closing(result: Result) -> str:
    """The closing line."""
    bad, served = result.by_bad, result.served
    share = 100 * bad.total / served.total if served.total else 0.0
    others = served.failed - bad.failed
    return (
        f"{served.total:,} requests served, {served.failed:,} failed; the bad revision got {bad.total:,} of them "
        f"({share:.1f}%) and failed {bad.failed:,}, the good ones failed {others:,}; "
        f"version 2: {_word(result.good)}, version 3: {_word(result.bad)}"
    )


def _word(outcome: "Outcome | None") -> str:
    return outcome.value.replace("_", " ") if outcome else "never came to an end"


async def show(seen: "View", rate: float, error_rate: float, program: "Program | None" = None) -> Result:
    """The whole demo, with its own policy unless another is given."""
    from interpreter.local.load import Load
    from interpreter.local.session import Settings, session

    first, good, bad = app("1"), app("2"), app("3", error_rate)
    with tempfile.TemporaryDirectory(prefix="rollway-demo-") as folder:
        settings = Settings(Path(folder), first)
        async with session(program or policy(), settings, seen) as under_way:
            load = Load(under_way.parts.url, rate, at_once=MOST_AT_ONCE)
            try:
                async with asyncio.timeout(LIMIT_S):
                    outcomes = await _tell(under_way, load, seen, (good, bad))
            finally:
                await load.stop()
            metering = under_way.parts.metering
            return Result(*outcomes, metering.served(), metering.served(bad.revision), load.sent, load.failed)


def policy() -> "Program":
    """The demo's policy, compiled."""
    from dsl.compiler import compile_file

    return compile_file(POLICY).rollouts[0].program


def app(version: str, error_rate: float = 0.0) -> "Command":
    """A revision of the demo's service."""
    from interpreter.local import demoapp
    from interpreter.local.command import Command

    words = [sys.executable, "-S", demoapp.__file__, "--port", "{port}", "--version", version]
    return Command(shlex.join([*words, "--error-rate", f"{error_rate:g}", "--delay", "0.002"]))


async def _tell(
    under_way: "Session", load: "Load", seen: "View", revisions: "tuple[Command, Command]"
) -> "tuple[Outcome | None, Outcome | None]":
    """First alone, then one revision after the other."""
    from interpreter.local.view import Subject

    parts = under_way.parts
    seen.begin(Subject(under_way.program, parts.metering, parts.url, parts.metrics_url))
    await under_way.run(under_way.idle)
    await under_way.listening.wait()
    load.start()
    await asyncio.sleep(ALONE_S)
    good = await _roll_out(under_way, seen, revisions[0], "version 2 comes: it is good")
    await asyncio.sleep(ALONE_S)
    bad = await _roll_out(under_way, seen, revisions[1], "version 3 comes: it is broken")
    await asyncio.sleep(ALONE_S / 2)
    return good, bad


async def _roll_out(under_way: "Session", seen: "View", revision: "Command", words: str) -> "Outcome | None":
    """Submit a revision as anybody would, and see it to its end."""
    import time

    from interpreter.local import inbox

    seen.event(int(time.time() * 1000), "Demo", words, warning=False)
    inbox.send(under_way.folder, inbox.submission_data(revision.text))
    state = await under_way.run(lambda state: _ended(state, revision.revision) and under_way.idle(state))
    return state.run.outcome if state.run else None


def _ended(state: "State", revision: str) -> bool:
    return state.run is not None and state.run.revision == revision
