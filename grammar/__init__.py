"""The grammar of the language: `rollout.lark`, and `tables.json`, which is made from it.

`load()` gives the tables. They carry the fingerprint of the grammar that they were made from, so that a changed
grammar with old tables is noticed at once.
"""

from __future__ import annotations

import json
import zlib
from os import path
from typing import Any

GRAMMAR = path.join(path.dirname(__file__), "rollout.lark")
TABLES = path.join(path.dirname(__file__), "tables.json")


class StaleTables(Exception):
    """`tables.json` is missing, or was made from another grammar."""


def fingerprint(grammar: str) -> str:
    """A short checksum of the grammar's text."""
    return f"{zlib.crc32(grammar.encode('utf-8')):08x}"


def load() -> dict[str, Any]:
    """The tables, after a look at whether they belong to the grammar beside them."""
    try:
        with open(TABLES, encoding="utf-8") as file:
            tables: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        raise StaleTables("grammar/tables.json is missing: run `python -m grammar.build`") from None
    try:
        with open(GRAMMAR, encoding="utf-8") as file:
            current = fingerprint(file.read())
    except FileNotFoundError:
        return tables
    if tables.get("grammar") != current:
        raise StaleTables("grammar/tables.json was made from another grammar: run `python -m grammar.build`")
    return tables
