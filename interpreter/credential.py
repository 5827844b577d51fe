"""What a Secret holds to let us in at a server: any of

| keys | |
| --- | --- |
| `token` | `Authorization: Bearer …` |
| `username`, `password` | `Authorization: Basic …`, if there is no `token` |
| `ca.crt` | the authority that the server's certificate is from; no other is trusted then |
| `tls.crt`, `tls.key` | the certificate that we show |

so that Kubernetes's own types `kubernetes.io/tls`, `kubernetes.io/basic-auth` and those of service accounts do.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NamedTuple

TLS_KEYS = ("ca.crt", "tls.crt", "tls.key")
_NEEDED = "`token`, `username` and `password`, `ca.crt`, or `tls.crt` and `tls.key`"


class CredentialProblem(Exception):
    """A Secret lets nobody in anywhere. The message goes on from the Secret's name, and shows no value."""


class Credential(NamedTuple):
    """`headers` of each request, and of the Secret what is for TLS."""

    headers: Mapping[str, str]
    tls: Mapping[str, str]


def credential(secret: Mapping[str, str]) -> Credential:
    """What a Secret holds. Raises `CredentialProblem` for one that holds nothing of it, and half a pair."""
    tls = {key: secret[key] for key in TLS_KEYS if secret.get(key, "").strip()}
    headers = authorization(secret)
    if ("tls.crt" in tls) != ("tls.key" in tls):
        raise CredentialProblem("has only one of `tls.crt` and `tls.key`, and both are needed")
    if not tls and not headers:
        keys = ", ".join(f"`{key}`" for key in sorted(secret)) or "nothing"
        raise CredentialProblem(f"has {keys}: it must have {_NEEDED}")
    return Credential(headers, tls)


def authorization(secret: Mapping[str, str]) -> dict[str, str]:
    """An `Authorization` header from `token`, or from `username` and `password`; nothing for a Secret without these."""
    if "token" in secret:
        return {"Authorization": f"Bearer {secret['token'].strip()}"}
    if "username" in secret and "password" in secret:
        pair = f"{secret['username']}:{secret['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
