"""What every custom resource of ours is made of: models with camelCase names, conditions, columns, rules.

A resource is a pydantic model of its spec and one of its status; `Definition` says the rest that Kubernetes wants to
know. The manifests in `crds/` are made from these (`interpreter.cluster.crds`), so that what the API server accepts and
what the interpreter reads cannot differ. The text below a field is what `kubectl explain` shows.

A rule is an expression in CEL that the API server holds an object to, with the words that a person reads when it does
not hold. Objects are read leniently (`extra` is ignored): a newer definition may have more fields than this interpreter
knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

MOST_SOURCE = 512 * 1024
"""Characters of a policy's text. etcd holds objects up to about 1.5 MB, and an edit sends both the old and the new."""

Source = Annotated[str, Field(min_length=1, max_length=MOST_SOURCE)]
Name = Annotated[str, Field(min_length=1, max_length=253)]
Preserved = Annotated[
    dict[str, Any],
    Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-map-type": "atomic"}),
]
"""A piece of JSON that is kept as it is, and written as a whole."""
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, in UTC, whole seconds."""


class Model(BaseModel):
    """Part of a resource."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


def rules(*those: tuple[str, str]) -> ConfigDict:
    """The configuration of a model that the API server holds to these: pairs of an expression and its words."""
    validations: list[Any] = [{"rule": rule, "message": message} for rule, message in those]
    extra: JsonDict = {"x-kubernetes-validations": validations}
    return ConfigDict(json_schema_extra=extra)


class Condition(Model):
    """One thing that is so, is not so, or is not known yet."""

    type: str
    """What it is about: `Ready`, `Promoted`, `Reconciling` (something is under way) or `Stalled` (nothing will happen
    until somebody does something)."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    reason: str
    """Why, in one CamelCase word."""
    message: str = ""
    """Why, in words."""
    last_transition_time: Time
    """When `status` last changed."""
    observed_generation: int | None = None
    """The `metadata.generation` that this was said of."""


Conditions = Annotated[
    list[Condition],
    Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class Metadata(Model):
    """Of an object's metadata, what is used."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    deletion_timestamp: str | None = None


class Column(NamedTuple):
    """A column of `kubectl get`. Those of priority 1 show with `-o wide`."""

    name: str
    type: Literal["string", "integer", "number", "date"]
    path: str
    description: str = ""
    priority: int = 0


AGE = Column("Age", "date", ".metadata.creationTimestamp")


class Definition(NamedTuple):
    """A kind. `rules` are held against the whole object, whose `metadata.name` they may look at."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[Model]
    status: type[Model] | None
    columns: tuple[Column, ...]
    rules: tuple[tuple[str, str], ...] = ()
    namespaced: bool = True
