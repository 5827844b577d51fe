"""Diagnostics on paper: one file a form, each a pure function from diagnostics to text.

Every form has `render(diagnostics, files)`, where `files` are the names of all that was looked at, with findings or
without. The text form takes colours and a width instead. Forms are imported when asked for: a lint that prints text
pays nothing for SARIF.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import import_module

from dsl.diagnostics import Diagnostic


class Form(StrEnum):
    """What `--format` takes."""

    TEXT = "text"
    COMPACT = "compact"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    JUNIT = "junit"


Renderer = Callable[[Sequence[Diagnostic], Sequence[str]], str]


def render(
    form: Form, diagnostics: Sequence[Diagnostic], files: Sequence[str], *, colour: bool = False, width: int = 100
) -> str:
    """The diagnostics in one of the forms; the text ends with a newline, or is empty where there is nothing to say."""
    module = import_module(f"dsl.render.{form}")
    if form is Form.TEXT:
        return str(module.render(diagnostics, colour=colour, width=width))
    renderer: Renderer = module.render
    return renderer(diagnostics, files)
