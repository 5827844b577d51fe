"""What changed between two texts, as a unified diff."""

from __future__ import annotations

from difflib import unified_diff

from dsl.render.ansi import COLOURED, PLAIN, Palette


def unified(name: str, before: str, after: str, *, colour: bool = False) -> str:
    """The differences, or nothing where there are none."""
    lines = unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (after)", n=3
    )
    palette = COLOURED if colour else PLAIN
    return "".join(_line(line, palette) for line in lines)


def _line(line: str, palette: Palette) -> str:
    ended = line.endswith("\n")
    body = line.removesuffix("\n")
    style = {"-": palette.error, "+": palette.good, "@": palette.frame}.get(body[:1], "")
    return palette.paint(style, body) + "\n" + ("" if ended else "\\ No newline at end of file\n")
