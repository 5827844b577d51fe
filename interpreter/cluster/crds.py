"""The custom resource definitions, made from the models of `interpreter.cluster.resources`.

`python -m interpreter.cluster.crds` writes them into `crds/`; with `--check` it says which are not what the code says.

An API server wants a *structural* schema: every part has its type, nothing refers elsewhere, and what may be left out
is said by `required`, not by a null. What pydantic writes is brought into that form, and a word of JSON Schema that has
no place in it is an error here rather than at the server.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interpreter.cluster.names import GROUP, VERSION
from interpreter.cluster.resources import DEFINITIONS
from interpreter.cluster.resources.model import Definition, Model

FOLDER = Path(__file__).resolve().parents[2] / "crds"
_HEAD = "# Generated from interpreter/cluster/resources by `make generate`.\n"

_DROPPED = frozenset({"title", "default", "$defs"})
_KEPT = frozenset(
    {
        "type",
        "description",
        "required",
        "enum",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "x-kubernetes-validations",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-map-type",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
    }
)

Schema = dict[str, Any]


def definitions() -> dict[str, dict[str, Any]]:
    """Every definition as a manifest, by the name of its file."""
    return {f"{one.plural}.yaml": manifest(one) for one in DEFINITIONS}


def manifest(definition: Definition) -> dict[str, Any]:
    """One CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{definition.plural}.{GROUP}",
            "annotations": {"helm.sh/resource-policy": "keep"},
            "labels": {"app.kubernetes.io/part-of": "rollway"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if definition.namespaced else "Cluster",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": list(definition.short_names),
                "categories": ["rollway"],
            },
            "versions": [_version(definition)],
        },
    }


def _version(definition: Definition) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            {
                "name": column.name,
                "type": column.type,
                "jsonPath": column.path,
                **({"description": column.description} if column.description else {}),
                **({"priority": column.priority} if column.priority else {}),
            }
            for column in definition.columns
        ],
        "schema": {"openAPIV3Schema": _whole(definition)},
    }
    if definition.status is not None:
        version["subresources"] = {"status": {}}
    return version


def _whole(definition: Definition) -> Schema:
    properties: Schema = {
        "apiVersion": {"type": "string", "description": "The version of the form that this object has."},
        "kind": {"type": "string", "description": f"`{definition.kind}`."},
        "metadata": {"type": "object"},
        "spec": structural(definition.spec),
    }
    if definition.status is not None:
        properties["status"] = structural(definition.status)
    schema: Schema = {
        "type": "object",
        "description": definition.description,
        "required": ["spec"],
        "properties": properties,
    }
    if definition.rules:
        schema["x-kubernetes-validations"] = [{"rule": rule, "message": words} for rule, words in definition.rules]
    return schema


def structural(model: type[Model]) -> Schema:
    """A model's schema in the form that API servers take. Raises `ValueError` for what has no place in it."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _structural(schema, schema.get("$defs", {}))


def _structural(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Schema:
    made: Schema = {}
    for key, value in _resolved(schema, parts).items():
        match key:
            case "description":
                made[key] = " ".join(value.split())
            case "properties":
                made[key] = {name: _structural(part, parts) for name, part in value.items()}
            case "items":
                made[key] = _structural(value, parts)
            case "additionalProperties":
                if isinstance(value, Mapping):
                    made[key] = _structural(value, parts)
            case "const":
                made["enum"] = [value]
            case _ if key in _KEPT:
                made[key] = value
            case _ if key not in _DROPPED:
                raise ValueError(f"a structural schema has no `{key}`: {value!r}")
    return made


def _resolved(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what it refers to put in its place. Of a part that may be null the null is left out. What is
    said where the part is used goes before what is said where it is described."""
    if "anyOf" in schema:
        others = [one for one in schema["anyOf"] if one != {"type": "null"}]
        if len(others) != 1:
            raise ValueError(f"a structural schema has no choice between types: {others}")
        here = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**_resolved(others[0], parts), **here}
    if "$ref" in schema:
        here = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_resolved(parts[schema["$ref"].rpartition("/")[2]], parts), **here}
    return schema


def text(manifest: Mapping[str, Any]) -> str:
    """A definition as YAML."""
    import yaml  # noqa: PLC0415 - only those who generate need it

    return _HEAD + yaml.safe_dump(dict(manifest), sort_keys=False, width=118, allow_unicode=True)


def main(arguments: list[str]) -> int:
    """Write the definitions, or with `--check` say which are not current."""
    wanted = {name: text(one) for name, one in definitions().items()}
    present = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
    if "--check" in arguments:
        stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        for name in stale:
            sys.stderr.write(f"crds/{name} is not what the code says: run make generate\n")
        return 1 if stale else 0
    for name in present.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, content in wanted.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
