"""`rollway report`: one run as a page that is one file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from rollway.cluster.options import Context, Kubeconfig, Namespace
from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.terminal import Stop, put, reason, say

if TYPE_CHECKING:
    from rollway.histories import History


def command(
    name: Annotated[str | None, Argument("The rollout, `rollout/NAME` or `canary/NAME`.", "NAME")] = None,
    number: Annotated[int | None, Argument("The run, by its number; the latest if unsaid.", "RUN")] = None,
    out: Annotated[
        str | None,
        Option("--output", "Where to write it; NAME-RUN.html if unsaid, `-` for standard output.", "FILE", "-o"),
    ] = None,
    exported: Annotated[
        str | None,
        Option("--from", "From what `history -o json` wrote, not from a cluster; `-`: standard input.", "FILE"),
    ] = None,
    journal: Annotated[
        str | None, Option("--journal", "From the folder of a run on this machine, not from a cluster.", "DIR")
    ] = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Write the report of a run: an HTML page that is one file.

    It has what came of the run and why, the canary's share and each check's values against its threshold as charts,
    the steps with their times, who approved or ended it, the record, and the policy. The page needs nothing but a
    browser, can be printed, and is dark where the reader's system is. A run that is under way is shown as it is.

    \b
    Examples:
      rollway report checkout
      rollway report checkout 3 -o checkout-3.html
      rollway history checkout -o json > checkout.json && rollway report 3 --from checkout.json
      rollway report --journal .rollway/shop.checkout

    Exit codes: 0 written, 2 wrong usage, unreadable input, or no such rollout or run.
    """
    import time

    from rollway.files import write
    from rollway.report_page import page

    one = _history(name, number, exported, journal, (namespace, kubeconfig, context))
    text = page(one, int(time.time() * 1000))
    if out == "-":
        put(text)
        return ExitCode.FINE
    path = out or f"{_file_name(one.name)}-{one.run.number}.html"
    try:
        write(path, text)
    except OSError as error:
        raise Stop(f"`{path}` cannot be written: {reason(error)}") from error
    say(f"wrote {path}")
    return ExitCode.FINE


def _file_name(name: str) -> str:
    """A name that somebody else chose as the name of a file here, and not of one elsewhere."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip(".-") or "rollout"


def _history(
    name: str | None,
    number: int | None,
    exported: str | None,
    journal: str | None,
    where: tuple[str | None, str | None, str | None],
) -> History:
    """From the one place that was named."""
    if exported is not None and number is None and name is not None and name.isdecimal():
        number, name = int(name), None  # of a file, the only thing to be named is which run
    if (exported is not None) + (journal is not None) + (name is not None) != 1:
        raise Stop("say what to report on, and only one: a rollout's NAME, `--from FILE`, or `--journal DIR`")
    if name is None and any(where):
        raise Stop("`--namespace`, `--kubeconfig` and `--context` go with a rollout's NAME")
    if exported is not None:
        from rollway.exported import read

        return read(exported, number)
    if journal is not None:
        from rollway.journalled import read as recall

        return recall(journal)
    from rollway.cluster.session import Where, needs_cluster_extra, run

    needs_cluster_extra()
    from rollway.cluster.histories import one

    namespace, kubeconfig, context = where
    spoken = name or ""
    return run(Where(kubeconfig, context, namespace), lambda api, place: one(api, place, spoken, number))
