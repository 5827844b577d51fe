"""Keeps the guide to backtests true: the outputs and charts on it are those of the history that is kept here.

    make backtest-guide    # writes them anew

What stands in the guide's blocks of text is what the command prints, but for the server's address.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from interpreter.backtest.moments import written
from rollway.__main__ import main
from tests.backtest.server import moments, quiet, remembering

HERE = Path(__file__).parent
GUIDE = HERE.parents[1] / "docs" / "guides" / "backtest.md"
PLOTS = GUIDE.parent / "plots"
POLICY = HERE / "checkout.rollout"
SHOWN = "http://prometheus:9090"
_TEXT = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHART = re.compile(r"<svg .*?</svg>", re.DOTALL)


class Shown(NamedTuple):
    """What is on the page."""

    texts: tuple[str, ...]
    charts: tuple[str, str]


def plain(folder: Path) -> Path:
    """The same policy with a threshold."""
    made = folder / "plain.rollout"
    kept = [line for line in POLICY.read_text().splitlines() if "observe" not in line]
    made.write_text("\n".join(kept).replace("no_regression(requests)", "requests.rate <= 2%") + "\n")
    return made


def shown(server: str, folder: Path) -> Shown:
    """As it is now."""
    at = moments()
    span = ("--from", iso(at["canary_from"]), "--to", iso(at["to"]))
    weeks = ("--quiet-since", iso(quiet().from_ms), "--to", iso(quiet().to_ms), "--every", "15s")
    report = folder / "report.html"
    texts = (
        printed(POLICY, server, *span, "--html", str(report)),
        printed(POLICY, server, *weeks),
        "\n".join(printed(plain(folder), server, *weeks).splitlines()[4:9]) + "\n…\n",
    )
    errors, evidence, *_ = _CHART.findall(report.read_text())
    return Shown(texts, (errors + "\n", evidence + "\n"))


def printed(policy: Path, server: str, *line: str) -> str:
    """What the command says."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        main(["backtest", str(policy), "--prometheus", server, *line])
    return said.getvalue().replace(server, SHOWN)


def iso(at_ms: int) -> str:
    """`2026-11-01T10:00:00Z`."""
    return written(at_ms).replace(" UTC", "Z").replace(" ", "T")


def kept() -> Shown:
    """As it is on the page."""
    errors, evidence = (path.read_text() for path in plots())
    return Shown(tuple(_TEXT.findall(GUIDE.read_text())), (errors, evidence))


def plots() -> tuple[Path, Path]:
    return PLOTS / "backtest-errors.svg", PLOTS / "backtest-evidence.svg"


def write(now: Shown) -> None:
    """Put it on the page."""
    PLOTS.mkdir(exist_ok=True)
    for path, chart in zip(plots(), now.charts, strict=True):
        path.write_text(chart)
    texts: Iterator[str] = iter(now.texts)
    GUIDE.write_text(_TEXT.sub(lambda _: f"```text\n{next(texts)}```", GUIDE.read_text()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, remembering(Path(name)) as url:
        write(shown(url, Path(name)))
    sys.stdout.write(f"written: {GUIDE}\n")
