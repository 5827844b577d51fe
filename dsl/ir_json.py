"""Programs as JSON: validation, the published JSON Schema, and the digest. The only room of `dsl` that needs
pydantic."""

from __future__ import annotations

import hashlib
import json
from dataclasses import is_dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dsl import ir
from dsl.ir import FORMAT, Program


class ProgramError(ValueError):
    """A text that is not a Program; the message says where and why."""


@cache
def _adapter() -> TypeAdapter[Program]:
    for model in vars(ir).values():
        if isinstance(model, type) and is_dataclass(model):
            setattr(model, "__pydantic_config__", {"extra": "forbid"})  # noqa: B010 - a misspelt key is refused
    return TypeAdapter(Program)


def to_data(program: Program) -> dict[str, Any]:
    """The Program as plain JSON data; what is not set is left out."""
    data: dict[str, Any] = _adapter().dump_python(program, mode="json", exclude_none=True)
    return {"format": data.pop("format"), **data}


def to_json(program: Program, *, indent: int | None = None) -> str:
    """The Program as JSON text; the same Program gives the same bytes."""
    return json.dumps(to_data(program), indent=indent, ensure_ascii=False)


def from_data(data: object) -> Program:
    """The Program in a piece of JSON data. Raises `ProgramError` that names the field."""
    try:
        return _adapter().validate_python(data, strict=False)
    except ValidationError as error:
        raise ProgramError(_explain(error)) from error


def from_json(text: str | bytes) -> Program:
    """The Program in a JSON text. Raises `ProgramError` for text that is not JSON or not a Program."""
    try:
        return from_data(json.loads(text))
    except json.JSONDecodeError as error:
        raise ProgramError(f"not JSON: {error}") from error


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a Program."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://rollway.dev/schema/program-1.json",
        "title": f"Program ({FORMAT})",
        **_adapter().json_schema(),
    }


def digest(program: Program) -> str:
    """Sixteen hex digits that are the same for two sources that mean the same: the spans are left out."""
    data = to_data(replace(program, spans=()))
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the Program"
    more = error.error_count() - 1
    return f"{where}: {first['msg']}" + (f" (and {more} more)" if more else "")
