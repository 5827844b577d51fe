"""The fixtures by which tests come to a control plane, and the line at the end that says how many did.

`control_plane`    a cluster on which things move: controllers, nodes, pods. One for the whole session.
`namespace`        the name of a fresh namespace in it.
`bare_api_server`  an API server of this test's own, on which nothing moves: for what is one for a whole cluster, such
                   as another version of a CustomResourceDefinition. It takes three seconds.

A disposable cluster can take the place of ours: name it in KUBECONFIG, and say that it is one by
ROLLWAY_DISPOSABLE_CLUSTER=1, for tests leave things behind in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.definitions import absent
from tests.controlplane.fetch import find
from tests.controlplane.plane import WORKERS, PlaneError, programs_in, running
from tests.controlplane.shared import SESSION, Session, plane
from tests.goprograms import UnavailableError

DISPOSABLE = "ROLLWAY_DISPOSABLE_CLUSTER"
FIXTURES = {"control_plane", "bare_api_server"}
_SESSION = pytest.StashKey[Session]()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    made = _disposable() or _ours()
    (_session() / "about").write_text(made.about)
    yield made
    made.close()


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = control_plane.make_namespace()
    yield name
    control_plane.drop_namespace(name)


@pytest.fixture
def bare_api_server(tmp_path: Path) -> Iterator[ControlPlane]:
    binaries = _binaries()
    folder = tmp_path / "plane"
    try:
        with running(binaries, folder, ()) as layout:
            made = ControlPlane(
                layout.kubeconfig, folder, str(binaries), binaries=binaries, audit_log=layout.audit_log, moves=False
            )
            yield made
            made.close()
    except PlaneError as error:
        pytest.fail(str(error))


def missing(why: str) -> None:
    """In CI a test that has nothing to run against fails; elsewhere it is left out."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


def _disposable() -> ControlPlane | None:
    if os.environ.get(DISPOSABLE) != "1":
        return None
    named = os.environ.get("KUBECONFIG", "")
    if not Path(named).is_file():
        pytest.fail(f"{DISPOSABLE} is set, and KUBECONFIG is `{named}`, which is no file")
    return ControlPlane(Path(named), _session(), "the disposable cluster that KUBECONFIG names")


def _ours() -> ControlPlane:
    binaries = _binaries()
    lacking = [name for name in WORKERS if name not in programs_in(binaries)]
    if lacking:
        missing(f"the control plane in {binaries} has no {', no '.join(lacking)}; unset KUBEBUILDER_ASSETS")
    try:
        layout = plane(binaries)
    except PlaneError as error:
        pytest.fail(str(error))
    return ControlPlane(layout.kubeconfig, _session(), str(binaries), binaries=binaries, audit_log=layout.audit_log)


def _binaries() -> Path:
    try:
        return find(may_build=False)
    except UnavailableError as error:
        missing(f"no control plane for the tests: {error}")
        raise


def _session() -> Path:
    return Path(os.environ[SESSION])


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[_SESSION] = Session()


def pytest_unconfigure(config: pytest.Config) -> None:
    if (session := config.stash.get(_SESSION, None)) is not None:
        session.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if FIXTURES & set(getattr(item, "fixturenames", ())):
        item.user_properties.append(("control plane", True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = config.stash.get(_SESSION, None)
    ran = {
        report.nodeid
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if report.when == "call" and ("control plane", True) in report.user_properties
    }
    why = absent()
    if session is not None and why is not None:
        terminalreporter.write_line(f"WARNING: tests that need them were left out: {why}", yellow=True)
    if session is not None and ran:
        about = session.folder / "about"
        what = about.read_text() if about.exists() else "an API server of their own each"
        terminalreporter.write_line(f"{len(ran)} tests ran against a real control plane: {what}")
