"""A second try for tests against real clusters, told at the end.

Such a test shares two cores with an API server, controllers and the other worker, and now and then something takes
longer than the test has patience for. It is tried once more; a test that fails twice has failed. The summary names
every test that needed it, so that one which needs it often is seen.
"""

from __future__ import annotations

import pytest
from _pytest.runner import runtestprotocol

FIXTURES = {"control_plane", "bare_api_server"}
FOLDERS = (
    "tests/controlplane/",
    "tests/e2e/",
    "tests/flagger/",
    "tests/interpreter/cluster/test_life",
    "tests/skipper/",
)
AGAIN = "second try"


def _is_real(item: pytest.Item) -> bool:
    return bool(FIXTURES & set(getattr(item, "fixturenames", ()))) or item.nodeid.startswith(FOLDERS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run it, and again if it failed; what is reported is the last run."""
    if not _is_real(item):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        item.user_properties.append((AGAIN, next(str(report.longrepr) for report in reports if report.failed)[-500:]))
        item._initrequest()  # type: ignore[attr-defined]  # its fixtures are made anew
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("passed", ()):
        for name, why in report.user_properties if report.when == "call" else ():
            if name == AGAIN:
                terminalreporter.write_line(f"passed at the second try: {report.nodeid}: {why.splitlines()[-1]}")
