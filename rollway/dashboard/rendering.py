"""From what a page shows to HTML: the templates, the words of their filters, and the files beside them.

Every text is escaped where it is printed (autoescape); only the charts are markup, and escape their own. Files have a
digest in their addresses, so that a browser may keep them for ever and never has an old one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from interpreter.desired import Instant
from rollway.charts import STYLE, Chart, draw
from rollway.cluster import table
from rollway.cluster.shown import RunShown, Shown

ASSETS = "/assets/"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file that pages name. `address` has its digest in it."""

    body: bytes
    content_type: str
    address: str


@cache
def assets() -> Mapping[str, Asset]:
    """All of them, by name."""
    found = {}
    for name in ("page.css", "page.js", "icon.svg"):
        body = files("rollway.dashboard").joinpath("static", name).read_bytes()
        if name == "page.css":
            body += f"{STYLE}\n".encode()
        address = f"{ASSETS}{sha256(body).hexdigest()[:12]}/{name}"
        found[name] = Asset(body, _TYPES[name.rpartition(".")[2]], address)
    return found


def environment(now: Callable[[], Instant] = lambda: int(time.time() * 1000)) -> Environment:
    """The templates. `now` is asked for whenever an age is printed."""
    made = Environment(
        loader=PackageLoader("rollway.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["asset"] = lambda name: assets()[name].address
    made.filters.update(
        age=lambda at: table.age(at, now()),
        iso=_iso,
        outcome=table.outcome,
        path=path,
        share=lambda weight: f"{weight:g}%",
        svg=_svg,
        told=_told,
        took=lambda run: _took(run, now()),
        until=lambda at: _until(at, now()),
        when=table.when,
    )
    return made


def path(one: Shown) -> str:
    """The address of a rollout's page."""
    return path_of(one.kind, one.namespace, one.name)


def path_of(kind: str, namespace: str, name: str) -> str:
    """The same, from the words that name it."""
    return "/rollouts/" + "/".join(quote(part, safe="") for part in (kind.lower(), namespace, name))


def _iso(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _until(at: Instant, now: Instant) -> str:
    return f"in {table.length(at - now)}" if at - now > 1000 else "any moment"


def _took(run: RunShown, now: Instant) -> str:
    if run.started is None or not run.number:  # nobody says when the first primary was there
        return table.NOTHING
    return table.length((run.ended or now) - run.started)


def _told(words: str) -> Markup:
    """A text of ours or of anybody's, with what stands between backticks as code."""
    pieces = words.split("`")
    if len(pieces) % 2 == 0:
        return escape(words)
    made = (Markup("<code>{}</code>").format(piece) if at % 2 else escape(piece) for at, piece in enumerate(pieces))
    return Markup().join(made)


def _svg(chart: Chart) -> Markup:
    return Markup(draw(chart, styled=False))  # noqa: S704 - the chart has escaped its words
