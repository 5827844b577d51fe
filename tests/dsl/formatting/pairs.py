"""Pairs of a text and its canonical form.

python -m tests.dsl.formatting.pairs        writes every `.out` anew; read the difference before you keep it
"""

from __future__ import annotations

from pathlib import Path

from dsl.formatter import format_source
from dsl.source import Source

HERE = Path(__file__).parent
INPUTS = sorted(HERE.glob("*.in"))


def formatted(text: str) -> str:
    result = format_source(Source("pair", text))
    assert not result.diagnostics, [(one.message, one.span.begin) for one in result.diagnostics]
    return result.text


def main() -> None:
    for path in INPUTS:
        path.with_suffix(".out").write_text(formatted(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
