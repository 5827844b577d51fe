"""Where a channel is reached, and how: what a policy, a Secret and an AlertProvider say of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from interpreter.masking import secrets_in

_SHORTEST_PART = 6


class LineTrouble(Exception):
    """A channel cannot be reached from here. The message says why and what to do, and holds no secret. `passing`: it
    may be reached in a while, and nobody needs to do anything."""

    def __init__(self, why: str, *, passing: bool = False) -> None:
        super().__init__(why)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is the service, `to` what stood behind it in the policy: a room, or an address. `address`, where it came
    from a Secret (`hidden`), is a secret itself: chat services let in whoever knows it. `token` and `password` are
    secrets always. `tls` are `ca.crt`, `tls.crt` and `tls.key` of the Secret. `settings` are the channel's others, by
    the names that they have in a policy."""

    kind: str
    address: str
    to: str = ""
    token: str = ""
    user: str = ""
    password: str = ""
    hidden: bool = False
    tls: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A setting, empty if it is not there."""
        return str(self.settings.get(name, ""))

    def texts(self, name: str) -> Mapping[str, str]:
        """A setting that is a map."""
        found: Mapping[str, str] = self.settings.get(name, {})
        return found

    @property
    def secrets(self) -> frozenset[str]:
        """What must not be shown: of a secret address also the parts of its path."""
        found = {self.token, self.password, self.user if self.password else "", *secrets_in(self.address)}
        if self.hidden:
            parts = urlsplit(self.address)
            found |= {part for part in parts.path.split("/") if len(part) >= _SHORTEST_PART}
            found |= {parts.path if len(parts.path) > _SHORTEST_PART else "", parts.query}
        found |= {value for name, value in self.texts("headers").items() if name.lower() != "content-type"}
        return frozenset(found - {""})

    @property
    def server(self) -> str:
        """What may be shown of the address."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
