"""A real Alertmanager for the tests. It tells nobody; what it knows is asked of its API. It knows no password, but has
a path of its own, as behind an ingress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from interpreter.local.processes import free_port
from tests.servers.process import program, serving
from tests.servers.recipes import ALERTMANAGER

_CONFIG = """\
route:
  receiver: hook
  group_by: [alertname, rollout]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: hook
    webhook_configs:
      - url: {hook}
        send_resolved: true
"""


class RealAlertmanager:
    """`url` is where it listens."""

    def __init__(self, url: str) -> None:
        self.url = url

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Those that stand now, with these labels."""
        query = {"filter": [f'{name}="{value}"' for name, value in labels.items()]}
        with httpx.Client(trust_env=False, timeout=10) as client:
            found: list[dict[str, Any]] = (
                client.get(f"{self.url}/api/v2/alerts", params=query).raise_for_status().json()
            )
        return found


@contextmanager
def running(folder: Path, hook: str = "http://127.0.0.1:9/") -> Iterator[RealAlertmanager]:
    """Started, ready, and killed at the end. `hook` is told of alerts."""
    binary, config = str(program(ALERTMANAGER)), folder / "alertmanager.yml"
    config.write_text(_CONFIG.format(hook=hook))

    def command(port: int) -> tuple[str, ...]:
        return (
            *(binary, f"--config.file={config}", f"--storage.path={folder}/data"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--web.route-prefix=/alerts"),
            *("--cluster.listen-address=", f"--cluster.advertise-address=127.0.0.1:{free_port()}"),
        )

    with serving(command, folder, "/alerts/-/ready") as port:
        yield RealAlertmanager(f"http://127.0.0.1:{port}/alerts")
