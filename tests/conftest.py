"""What all tests have at hand."""

from __future__ import annotations

pytest_plugins = [
    "tests.controlplane.plugin",
    "tests.interpreter.traffic.shows",
    "tests.secondtry",
    "tests.servers.plugin",
]
