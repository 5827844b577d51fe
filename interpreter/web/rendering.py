"""The few pages that are not the dashboard's: those of links, and what went wrong. Everything in them is escaped."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

STYLE = "/l/style.css"


def page(name: str, status: int, **said: Any) -> web.Response:
    """A template of this room, filled."""
    text = _templates().get_template(name).render(style=STYLE, **said)
    return web.Response(status=status, text=text, content_type="text/html")


@cache
def style() -> str:
    """What the pages look like."""
    return (files("interpreter.web") / "templates" / "style.css").read_text(encoding="utf-8")


def _sentence(words: str) -> str:
    """As a page says it: a capital at the beginning, a stop at the end."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '?', '!')) else '.'}" if words else ""


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("interpreter.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["sentence"] = _sentence
    return made
