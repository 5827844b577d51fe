"""`rollway dashboard`: the page, on this machine, with what this machine's kubeconfig may."""

import asyncio
import contextlib
import secrets
import signal
import webbrowser
from typing import TYPE_CHECKING, Annotated

from rollway.cluster.options import Context, Kubeconfig
from rollway.parameters import Option
from rollway.terminal import Stop, put, reason, say

if TYPE_CHECKING:
    from interpreter.cluster.api import Api

HOST = "127.0.0.1"
_MOST_PORT = 65535


def command(
    port: Annotated[int, Option("--port", "The port to listen on; 0 is any that is free.", "PORT")] = 0,
    namespace: Annotated[
        str | None, Option("--namespace", "Show this namespace only; without it, all.", "NAME", "-n")
    ] = None,
    read_only: Annotated[bool, Option("--read-only", "Show, and let nobody decide anything.")] = False,
    open_it: Annotated[bool, Option("--open", "Open it in the browser of this machine.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show rollouts on a page in the browser, and decide about them there.

    It listens on this machine only, and prints an address with a random token in it: whoever has that address may do
    what your kubeconfig may. It shows all rollouts at a glance, and of each one its steps, traffic, checks, pods and
    events as they change; what waits for approval can be approved there. Ctrl-C ends it.

    `rollway controller --web … --dashboard` serves the same pages to a team, who log in with tokens of the cluster.

    \b
    Examples:
      rollway dashboard --open
      rollway dashboard -n shop --read-only --port 8484

    Exit codes: 0 ended by Ctrl-C, 2 wrong usage, no cluster, or the port is taken.
    """
    from rollway.cluster.session import Where, run

    if not 0 <= port <= _MOST_PORT:
        raise Stop(f"`--port` is 0 to {_MOST_PORT}, not {port}")

    async def work(api: "Api", _: str) -> int:
        return await _serve(api, port, namespace, read_only=read_only, open_it=open_it)

    return run(Where(kubeconfig, context, namespace), work)


async def _serve(api: "Api", port: int, namespace: str | None, *, read_only: bool, open_it: bool) -> int:
    from interpreter.cluster.logging import set_up
    from interpreter.web.application import application
    from interpreter.web.people import LocalAuthority
    from interpreter.web.server import WebServer
    from rollway.cluster.finding import known
    from rollway.cluster.views import ClusterViews
    from rollway.cluster.whoami import who
    from rollway.dashboard.pages import add_pages

    set_up("console", "error")
    await known(api)  # a cluster that cannot be reached, or has no rollouts, is better said here than on a page
    token = secrets.token_urlsafe(32)
    authority, views = LocalAuthority(token, await who(api)), ClusterViews(namespace)
    app = application(api, authority, read_only=read_only, views=views)
    add_pages(app, namespace=namespace, local=True)
    server = WebServer(app)
    try:
        taken = await server.start(HOST, port)
    except OSError as error:
        raise Stop(f"{reason(error)}; `--port` chooses another") from error
    address = f"http://{HOST}:{taken}/login?token={token}"
    put(f"{address}\n")
    say("open this address; whoever has it may do what your kubeconfig may. Ctrl-C ends it")
    try:
        if open_it:
            await asyncio.to_thread(webbrowser.open, address)
        await _told_to_stop()
    finally:
        await server.aclose()
    return 0


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # where there are no signals, Ctrl-C interrupts
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
