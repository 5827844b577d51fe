"""The settings of blocks: which may stand where, and what shape their values have. Tables, no code.

A block is a table from the name of a setting to a `Slot`. Shapes nest, so that a misspelt key deep in a map is found
like one at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple


class Text(NamedTuple):
    """A string; where `bare`, a single word needs no quotes."""

    bare: bool = False


class OneOf(NamedTuple):
    """One of some words."""

    words: tuple[str, ...]


class Whole(NamedTuple):
    """A whole number; where `or_word`, a name will do as well."""

    low: int = 0
    high: int | None = None
    or_word: bool = False


class Percent(NamedTuple):
    """A share, in percent."""


class Time(NamedTuple):
    """A duration, in milliseconds; where `as_text`, in the spelling of the language."""

    as_text: bool = False


class Flag(NamedTuple):
    """`true` or `false`; the name of the setting alone means `true`."""


class Bounds(NamedTuple):
    """A range of whole numbers, `2..10`."""

    low: int = 0


class Texts(NamedTuple):
    """A map from names to strings; numbers and truths become their text."""


class Listed(NamedTuple):
    """A list of one shape."""

    of: Shape


class Keys(NamedTuple):
    """A map with these keys."""

    keys: Mapping[str, Shape]


class Anything(NamedTuple):
    """Whatever JSON can hold."""


Shape = Text | OneOf | Whole | Percent | Time | Flag | Bounds | Texts | Listed | Keys | Anything


class Slot(NamedTuple):
    """One setting of a block; where it is required, the setting `spared_by` does instead."""

    shape: Shape
    required: bool = False
    spared_by: str = ""


Slots = Mapping[str, Slot]


# --- blocks -----------------------------------------------------------------------------------------------------

SECRET = Slot(Text())
_PORT = Whole(1, 65535)
_METADATA = Keys({"labels": Texts(), "annotations": Texts()})

_CALL: Slots = {
    "url": Slot(Text(), required=True),
    "timeout": Slot(Time()),
    "retries": Slot(Whole(0, 100)),
    "headers": Slot(Texts()),
    "body": Slot(Texts()),
    "secret": SECRET,
    "insecure_skip_verify": Slot(Flag()),
}
WEBHOOK: Slots = _CALL
GATE: Slots = {**_CALL, "mute": Slot(Flag())}

CHANNEL: Slots = {
    "secret": SECRET,
    "username": Slot(Text()),
    "icon": Slot(Text()),
    "proxy": Slot(Text()),
    "cluster": Slot(Text()),
    "timeout": Slot(Time(as_text=True)),
    "retries": Slot(Whole(0, 100)),
    "headers": Slot(Texts()),
    "body": Slot(Texts()),
    "labels": Slot(Texts()),
    "annotations": Slot(Texts()),
    "insecure_skip_verify": Slot(Flag()),
}

METRIC: Slots = {
    "no_data": Slot(OneOf(("fail", "pass", "skip", "hold"))),
    "server": Slot(Text()),
    "secret": SECRET,
    "headers": Slot(Texts()),
    "insecure_skip_verify": Slot(Flag()),
    "variables": Slot(Texts()),
    "buckets": Slot(OneOf(("seconds", "milliseconds"))),
}

TEMPLATE: Slots = {name: METRIC[name] for name in ("no_data", "variables")}

STICKY: Slots = {
    "primary_cookie": Slot(Text()),
    "domain": Slot(Text()),
    "path": Slot(Text()),
    "same_site": Slot(OneOf(("Strict", "Lax", "None"))),
    "http_only": Slot(Flag()),
    "secure": Slot(Flag()),
    "partitioned": Slot(Flag()),
}

SERVICE: Slots = {
    "name": Slot(Text(bare=True)),
    "port": Slot(_PORT),
    "target_port": Slot(Whole(1, 65535, or_word=True)),
    "port_name": Slot(Text(bare=True)),
    "port_discovery": Slot(Flag()),
    "app_protocol": Slot(Text(bare=True)),
    "traffic_distribution": Slot(Text(bare=True)),
    "headless": Slot(Flag()),
    "apex": Slot(_METADATA),
    "primary": Slot(_METADATA),
    "canary": Slot(_METADATA),
    "unmanaged_metadata": Slot(Keys({"labels": Listed(Text()), "annotations": Listed(Text())})),
}

READY: Slots = {"primary": Slot(Percent()), "canary": Slot(Percent())}

SCALER: Slots = {
    "primary_replicas": Slot(Bounds(1)),
    "primary_min_replicas": Slot(Whole(1)),
    "primary_max_replicas": Slot(Whole(1)),
    "primary_queries": Slot(Texts()),
}

_HEADER_EDITS = Keys({"add": Texts(), "set": Texts(), "remove": Listed(Text())})
_REFERENCE: Mapping[str, Shape] = {
    "name": Text(bare=True),
    "namespace": Text(bare=True),
    "group": Text(),
    "kind": Text(bare=True),
    "port": _PORT,
}

_OPTIONS: Mapping[str, Shape] = {
    "hosts": Listed(Text()),
    "gateways": Listed(Text(bare=True)),
    "gateway_refs": Listed(Keys({**_REFERENCE, "section_name": Text(bare=True)})),
    "match": Listed(Anything()),
    "rewrite": Keys(
        {"uri": Text(), "authority": Text(), "type": OneOf(("ReplaceFullPath", "ReplacePrefixMatch"))},
    ),
    "retries": Keys(
        {"attempts": Whole(0), "per_try_timeout": Time(as_text=True), "retry_on": Text(), "backoff": Time(as_text=True)}
    ),
    "cors": Keys(
        {
            "allow_origins": Listed(Anything()),
            "allow_origin": Listed(Text()),
            "allow_methods": Listed(Text(bare=True)),
            "allow_headers": Listed(Text()),
            "expose_headers": Listed(Text()),
            "allow_credentials": Flag(),
            "max_age": Time(as_text=True),
        }
    ),
    "headers": Keys({"request": _HEADER_EDITS, "response": _HEADER_EDITS}),
    "backends": Listed(Text(bare=True)),
    "traffic_policy": Anything(),
    "mirror_to": Listed(Keys(_REFERENCE)),
}
_KINDS: Mapping[str, Shape] = {
    "number": _PORT,
    "list": Listed(Anything()),
    "map": Anything(),
    "duration": Time(as_text=True),
    "bool": Flag(),
    "name": Text(bare=True),
}


@cache
def traffic_slots(provider: str, api: str = "") -> Slots:
    """The settings of a `traffic` block for one provider, with its `api` where that stands in the block."""
    from dsl.capabilities import OPTIONS, PROVIDERS, row_of  # noqa: PLC0415 - the table is large and not always needed

    row = row_of(provider, {"api": api}) or PROVIDERS[provider]
    return {
        name: Slot(
            OneOf(row.apis)
            if name == "api" and row.apis
            else _OPTIONS.get(name) or _KINDS.get(option.kind, Anything()),
            name in row.required,
            row.spared_by,
        )
        for name, option in OPTIONS.items()
        if name in row.takes
    }
