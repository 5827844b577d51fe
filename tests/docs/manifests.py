"""The Kubernetes objects that stand in prose: each block of YAML whose documents have a kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.docs.policies import ROOT

BLOCK = re.compile(r"^```yaml\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Object(NamedTuple):
    """An object, and the line of the document on which its block begins."""

    path: Path
    line: int
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.data["kind"])

    @property
    def api_version(self) -> str:
        return str(self.data["apiVersion"])

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.kind}"


def objects() -> list[Object]:
    """All of them, in the pages. A block that is no YAML is an error."""
    return [
        Object(path, page.count("\n", 0, found.start("text")), data)
        for path in sorted((ROOT / "docs").rglob("*.md"))
        for page in [path.read_text(encoding="utf-8")]
        for found in BLOCK.finditer(page)
        for data in yaml.safe_load_all(found["text"])
        if isinstance(data, dict) and "kind" in data
    ]
