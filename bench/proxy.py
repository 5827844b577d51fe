"""What the local proxy adds to a request at 500 requests a second: the same load with and without it, in turn.

    python bench/proxy.py [--seconds 5] [--rate 500] [--rounds 3]

App, proxy and load are three processes on one machine, as in a local run. Prints one JSON object; times in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from interpreter.desired import Routing
from interpreter.local.load import Load
from interpreter.local.metering import Metering
from interpreter.local.processes import free_port
from interpreter.local.proxy import Proxy
from interpreter.local.upstreams import Endpoint, Upstreams

APP = Path(__file__).resolve().parents[1] / "interpreter" / "local" / "demoapp.py"


async def serve_proxy(app_port: int, port: int) -> None:
    upstreams, metering = Upstreams(), Metering()
    for role in ("primary", "canary"):
        upstreams.put(role, role, (Endpoint(role, role, app_port),))
    proxy = Proxy(upstreams, metering)
    proxy.route(Routing(weight=20.0))
    taken = socket.create_server(("127.0.0.1", port))
    taken.setblocking(False)
    await proxy.serve(taken)
    await asyncio.Event().wait()


async def until_open(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise SystemExit("nothing listens")


async def measure(port: int, rate: float, seconds: float) -> list[float]:
    load = Load(f"http://127.0.0.1:{port}/", rate, keep_latencies=True)
    latencies = list(await load.for_seconds(seconds))
    if load.failed:
        raise SystemExit(f"{load.failed} requests failed")
    return latencies


async def compare(options: argparse.Namespace) -> dict[str, object]:
    app_port, port = free_port(), free_port()
    app = await asyncio.create_subprocess_exec(sys.executable, str(APP), "--port", str(app_port))
    proxy = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", str(app_port), "--port", str(port)
    )
    try:
        await until_open(app_port)
        await until_open(port)
        direct: list[float] = []
        through: list[float] = []
        before = cpu_seconds(proxy.pid)
        for _ in range(options.rounds):
            direct += await measure(app_port, options.rate, options.seconds)
            through += await measure(port, options.rate, options.seconds)
        spent = cpu_seconds(proxy.pid) - before
    finally:
        for process in (app, proxy):
            process.kill()
            await process.wait()
    return report(options, direct, through, spent)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(options: argparse.Namespace, direct: list[float], through: list[float], spent: float) -> dict[str, object]:
    def milliseconds(values: list[float], share: int) -> float:
        return round(statistics.quantiles(values, n=100)[share - 1] * 1000, 3)

    return {
        "requests_per_second": options.rate,
        "requests": len(through),
        "direct_median_ms": milliseconds(direct, 50),
        "proxy_median_ms": milliseconds(through, 50),
        "added_median_ms": round(milliseconds(through, 50) - milliseconds(direct, 50), 3),
        "proxy_cpu_ms_per_request": round(spent * 1000 / len(through), 3),
        "added_p99_ms": round(milliseconds(through, 99) - milliseconds(direct, 99), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_proxy(options.serve, options.port))
    else:
        print(json.dumps(asyncio.run(compare(options)), indent=2))


if __name__ == "__main__":
    main()
