"""`rollway tester`: load tests, acceptance tests and gates for webhooks."""

import asyncio
import signal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

from rollway.cluster.options import seconds
from rollway.exit_codes import ExitCode
from rollway.parameters import Option
from rollway.terminal import Stop, reason

if TYPE_CHECKING:
    from interpreter.cluster.api import Api
    from interpreter.tester.allowed import Allowed

GATES, TASKS = "rollway-gates", "rollway-tester-tasks"


class Protect(str, Enum):  # noqa: UP042 - Typer reads this one
    """What needs a token."""

    GATES = "gates"
    ALL = "all"


def command(
    listen: Annotated[str, Option("--listen", "Where webhooks call; port 0 is any.", "HOST:PORT")] = "0.0.0.0:9090",
    timeout: Annotated[str, Option("--timeout", "No task takes longer than this.", "DURATION")] = "1h",
    namespaces: Annotated[
        str | None,
        Option("--namespace-regexp", "Serve rollouts of namespaces in which this is found, and no others.", "REGEXP"),
    ] = None,
    allow_commands: Annotated[
        list[str] | None,
        Option(
            "--allow-commands",
            "Programs that tasks may start, separated by commas; may be repeated. `+NAME` adds one to the usual ones.",
            "NAMES",
        ),
    ] = None,
    allow_shell: Annotated[
        bool, Option("--allow-shell", "Have a shell run whatever a policy writes, and let it bring scripts.")
    ] = False,
    scripts: Annotated[
        str | None, Option("--scripts", "The folder with the scripts that `scriptFile` names.", "FOLDER")
    ] = None,
    state: Annotated[
        str | None,
        Option(
            "--state", "Where gates and tasks are kept: `cluster`, `memory` or a folder. In a pod: cluster.", "WHERE"
        ),
    ] = None,
    state_namespace: Annotated[
        str | None, Option("--state-namespace", "With `--state cluster`: the namespace; else the own one.", "NAME")
    ] = None,
    token_file: Annotated[
        str | None, Option("--token-file", "A file with the token that callers must send.", "FILE")
    ] = None,
    token_review: Annotated[
        bool, Option("--token-review", "Have the cluster say who a token belongs to, and what they may.")
    ] = False,
    protect: Annotated[
        Protect, Option("--protect", "What needs a token: only moving gates and looking at tasks, or everything.")
    ] = Protect.ALL,
    most_tasks: Annotated[int, Option("--most-tasks", "How many tasks may run at once.", "N")] = 20,
    keep_output: Annotated[int, Option("--keep-output", "How many KiB of a task's output are kept.", "KIB")] = 256,
    kubeconfig: Annotated[
        str | None, Option("--kubeconfig", "Who to speak to, and as whom; in a pod, its service account.", "FILE")
    ] = None,
    context: Annotated[str | None, Option("--context", "Which context of the kubeconfig.", "NAME")] = None,
    log_format: Annotated[str, Option("--log-format", "`json`, or `console` for people.", "FORMAT")] = "json",
    log_level: Annotated[str, Option("--log-level", "`debug`, `info`, `warning` or `error`.", "LEVEL")] = "info",
) -> int:
    """Run load and acceptance tests and keep gates, for the webhooks of rollouts.

    It answers as Flagger's loadtester does, so that policies which call that need no change: tasks of type cmd, bash,
    helm and kubectl, gates under /gate, roll-back gates under /rollback. Beside these, tasks of type k6, locust, hey,
    wrk and ghz, whose results are read and held against thresholds. Tasks start the programs that are allowed, and no
    shell unless you say so.

    \b
    Examples:
      rollway tester --listen 127.0.0.1:9090 --log-format console
      rollway tester --allow-commands hey,curl,grep --namespace-regexp '^shop-'
      rollway tester --token-review --protect gates

    Exit codes: 0 told to stop, 1 the cluster or the folder of the state cannot be used, 2 wrong usage.
    """
    from rollway.cluster.session import needs_cluster_extra

    needs_cluster_extra()
    from interpreter.cluster.logging import LEVELS, set_up

    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise Stop(f"`--listen {listen}` names no port: say it as HOST:PORT")
    if log_format not in ("json", "console") or log_level not in LEVELS:
        raise Stop(f"`--log-format` is json or console, and `--log-level` one of {', '.join(LEVELS)}")
    if token_file is not None and token_review:
        raise Stop("`--token-file` and `--token-review` are two ways to know a caller: say one")
    if most_tasks < 1 or not 1 <= keep_output <= 16_384:
        raise Stop("`--most-tasks` is 1 at least, and `--keep-output` between 1 and 16384")
    from interpreter.tester.tasks import Limits

    limits = Limits(seconds=seconds(timeout, "--timeout"), most_running=most_tasks, kept_bytes=keep_output * 1024)
    given = {
        "host": host or "0.0.0.0",  # noqa: S104 - webhooks come from other pods
        "port": int(port),
        "allowed": _allowed(allow_commands, shell=allow_shell),
        "limits": limits,
        "namespaces": _pattern(namespaces),
        "scripts": _folder(scripts),
        "adopts": True,
    }
    set_up("json" if log_format == "json" else "console", log_level)
    wanted = _Wanted(state, state_namespace, token_file, token_review, protect, kubeconfig, context)
    return asyncio.run(_run(given, wanted))


class _Wanted:
    """What needs a look at the cluster or a file before it is a setting."""

    def __init__(
        self,
        state: str | None,
        namespace: str | None,
        token_file: str | None,
        token_review: bool,
        protect: Protect,
        kubeconfig: str | None,
        context: str | None,
    ) -> None:
        from interpreter.tester.server import in_pod

        self.state = state or ("cluster" if in_pod() or kubeconfig else "memory")
        self.namespace = namespace
        self.token_file = token_file
        self.token_review = token_review
        self.protect = protect
        self.kubeconfig = kubeconfig
        self.context = context

    @property
    def cluster(self) -> bool:
        return self.state == "cluster" or self.token_review


async def _run(given: dict[str, Any], wanted: _Wanted) -> int:
    from contextlib import AsyncExitStack

    from interpreter.cluster.connection import ConnectionConfigError, connect
    from interpreter.tester.server import Settings, serve
    from interpreter.tester.store import StoreError

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as stack:
            api = None
            if wanted.cluster:
                api = await stack.enter_async_context(await connect(wanted.kubeconfig, wanted.context))
            await serve(Settings(**given, **_kept(wanted, api), **_guarded(wanted, api)), stop)
    except ConnectionConfigError as error:
        raise Stop(str(error)) from error
    except StoreError as error:
        raise Stop(str(error), ExitCode.FINDINGS) from error
    except OSError as error:
        raise Stop(reason(error)) from error
    return ExitCode.FINE


def _kept(wanted: _Wanted, api: "Api | None") -> dict[str, Any]:
    from pathlib import Path

    from interpreter.tester.store import ConfigMap, Folder

    if wanted.state == "memory":
        return {}
    if wanted.state == "cluster" and api is not None:
        namespace = wanted.namespace or api.namespace
        return {
            "gates": ConfigMap(api, namespace, GATES),
            "tasks": ConfigMap(api, namespace, TASKS),
            "where": f"in the ConfigMaps {GATES} and {TASKS} of namespace {namespace}",
        }
    folder = Path(wanted.state)
    return {"gates": Folder(folder / "gates"), "tasks": Folder(folder / "tasks"), "where": f"in the folder {folder}"}


def _guarded(wanted: _Wanted, api: "Api | None") -> dict[str, Any]:
    from pathlib import Path

    from interpreter.tester.guard import ALL, GATES, Cluster, Denied, Shared, read_token
    from interpreter.web.people import ClusterAuthority

    acts = GATES if wanted.protect is Protect.GATES else ALL
    what = "for moving gates and looking at tasks" if wanted.protect is Protect.GATES else "for everything"
    if wanted.token_review and api is not None:
        return {"guard": Cluster(ClusterAuthority(api), acts), "who": f"the cluster, {what}"}
    if wanted.token_file is None:
        return {}
    file = Path(wanted.token_file)
    try:
        read_token(file)
    except Denied as error:
        raise Stop(f"`--token-file`: {error}") from error
    return {"guard": Shared(file, acts), "who": f"the token in {file}, {what}"}


def _allowed(given: list[str] | None, *, shell: bool) -> "Allowed":
    from interpreter.tester.allowed import LINES, TOOLS, Allowed

    names = [name.strip() for each in given or () for name in each.split(",") if name.strip()]
    added = frozenset(name.removeprefix("+") for name in names if name.startswith("+"))
    chosen = frozenset(name for name in names if not name.startswith("+"))
    if any(not name.strip("+") or any(blank in name for blank in " \t") for name in names):
        raise Stop("`--allow-commands` takes names of programs, such as `hey,curl,+bats`")
    if chosen or (given and not names):
        return Allowed(chosen | added, chosen | added, shell)
    return Allowed(LINES | added, TOOLS | added, shell)


def _pattern(text: str | None) -> Any:
    if text is None:
        return None
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise Stop(f"`--namespace-regexp {text}` is no regular expression: {error}") from error


def _folder(scripts: str | None) -> Any:
    from pathlib import Path, PurePosixPath

    if scripts is None:
        return None
    if not Path(scripts).is_dir():
        raise Stop(f"`--scripts {scripts}` is no folder")
    return PurePosixPath(Path(scripts).resolve())
