"""What other programs read: the JSON Schema of a Program, and the definitions of the cluster's custom resources.

Everything here but this text and the README is generated from the code (`make generate`), and checked to be current
(`make check`). It is part of the wheel.
"""

from __future__ import annotations

from importlib.resources import files


def definitions() -> dict[str, str]:
    """The custom resource definitions as YAML, one document each, by the name of their file."""
    found = (path for path in files(__name__).iterdir() if path.name.endswith(".yaml"))
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(found, key=lambda path: path.name)}
