"""Certificates that a Secret brings: an authority of one's own (`ca.crt`), and who we are (`tls.crt`, `tls.key`).

The keys are those of Kubernetes's `kubernetes.io/tls` Secrets. With `ca.crt` only that authority is trusted.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from interpreter.providers.provider import ProviderError, Trouble


class Material(NamedTuple):
    """What decides how a connection is secured; equal materials share their connections."""

    verify: bool = True
    authority: str = ""
    certificate: str = ""
    key: str = ""


def material(secret: Mapping[str, str], *, verify: bool) -> Material:
    """What a Secret says about TLS. Raises `ProviderError` for a certificate without its key."""
    found = Material(verify, secret.get("ca.crt", ""), secret.get("tls.crt", ""), secret.get("tls.key", ""))
    if bool(found.certificate) != bool(found.key):
        raise ProviderError(Trouble.AUTH, "the Secret has only one of `tls.crt` and `tls.key`, and both are needed")
    return found


def context(given: Material) -> ssl.SSLContext | None:
    """The context of a material; None where the usual one will do. Raises `ProviderError`."""
    if not given.authority and not given.certificate:
        return None
    made = httpx.create_ssl_context(verify=given.verify) if not given.authority else _trusting(given)
    if given.certificate:
        _introduce(made, given)
    return made


def _trusting(given: Material) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cadata=given.authority)
    except (ssl.SSLError, ValueError) as error:
        raise ProviderError(Trouble.AUTH, "`ca.crt` of the Secret is no certificate in PEM") from error
    if not given.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _introduce(made: ssl.SSLContext, given: Material) -> None:
    """Python's `ssl` takes a key from a file only; it exists, for our eyes, no longer than that."""
    handle, path = tempfile.mkstemp(prefix="rollway-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{given.certificate}\n{given.key}\n")
        made.load_cert_chain(path, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        why = "`tls.crt` and `tls.key` of the Secret are no certificate and its key in PEM, without a password"
        raise ProviderError(Trouble.AUTH, why) from error
    finally:
        os.unlink(path)
