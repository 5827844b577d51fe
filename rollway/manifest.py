"""A policy as a Kubernetes object, `rollway.dev/v1alpha1` `Rollout`, in YAML.

The text goes into `spec.source` as a block literal, so that a reader of the manifest reads the policy. The only YAML
that is written is what is needed here: quoted scalars (JSON's are YAML's), and literals for every text that YAML can
hold literally; any other text is quoted, with escapes.
"""

from __future__ import annotations

import json
import re

API_VERSION = "rollway.dev/v1alpha1"

_LITERAL = re.compile("[\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd]*")
"""Texts of printable characters only, and with no line break but the newline, which YAML would turn into one."""

_UNSAFE = re.compile("[\x7f-\xa0\ud800-\udfff\ufeff\ufffe\uffff\u2028\u2029]")
_SAFE_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]*")


def manifest(name: str, namespace: str, source: str) -> str:
    """One object as a YAML document."""
    return (
        f"apiVersion: {API_VERSION}\n"
        "kind: Rollout\n"
        "metadata:\n"
        f"  name: {scalar(name)}\n"
        f"  namespace: {scalar(namespace)}\n"
        "spec:\n"
        f"  source: {text(source, indent=4)}"
    )


def scalar(value: str) -> str:
    """A string on one line, quoted unless it is plainly a name."""
    plain = _SAFE_NAME.fullmatch(value) and value.lower() not in {
        "true",
        "false",
        "null",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
    }
    return value if plain else _quoted(value)


def text(value: str, *, indent: int) -> str:
    """A string over several lines, with its final newline, at an indentation below its key's."""
    if not value.strip() or not _LITERAL.fullmatch(value):
        return _quoted(value) + "\n"
    body = value.rstrip("\n")
    ends = len(value) - len(body)
    keep = "-" if ends == 0 else "" if ends == 1 else "+"
    spare = "2" if value[0] in " \t\n" else ""
    lines = (f"{' ' * indent}{line}" if line else "" for line in body.split("\n"))
    return f"|{spare}{keep}\n" + "\n".join(lines) + "\n" * max(ends, 1)


def _quoted(value: str) -> str:
    """JSON's string, with what YAML does not take as it is escaped too."""
    shown = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)
