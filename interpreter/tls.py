"""Certificates that a Secret brings: an authority of one's own (`ca.crt`), and who we are (`tls.crt`, `tls.key`).

The keys are those of Kubernetes's `kubernetes.io/tls` Secrets. With `ca.crt` only that authority is trusted. What
decides how a connection is secured is its `Material`: a Secret that is rotated is another one, with another context.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import httpx

from interpreter.credential import TLS_KEYS


class TlsProblem(Exception):
    """What a Secret says about TLS cannot be used. The message names its keys, and shows nothing of their values."""


class Material(NamedTuple):
    """What decides how a connection is secured; equal materials share their connections."""

    verify: bool = True
    authority: str = ""
    certificate: str = ""
    key: str = ""


USUAL = Material()
"""What the machine trusts."""


def material(secret: Mapping[str, str], *, verify: bool) -> Material:
    """What a Secret says about TLS. Raises `TlsProblem` for a certificate without its key."""
    found = Material(verify, *(secret.get(key, "") for key in TLS_KEYS))
    if bool(found.certificate) != bool(found.key):
        raise TlsProblem("the Secret has only one of `tls.crt` and `tls.key`, and both are needed")
    return found


def context(given: Material) -> ssl.SSLContext:
    """The context of a material. Raises `TlsProblem`."""
    if not given.authority and not given.certificate:
        return _usual(given.verify)
    made = _trusting(given) if given.authority else httpx.create_ssl_context(verify=given.verify)
    if given.certificate:
        introduce(made, given.certificate, given.key)
    return made


@cache
def _usual(verify: bool) -> ssl.SSLContext:
    """Made once: to read the list of authorities takes longer than a call."""
    return httpx.create_ssl_context(verify=verify)


def _trusting(given: Material) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cadata=given.authority)
    except (ssl.SSLError, ValueError) as error:
        raise TlsProblem("`ca.crt` of the Secret is no certificate in PEM") from error
    if not given.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def introduce(made: ssl.SSLContext, certificate: str, key: str) -> None:
    """Say who we are in connections from now on. Raises `TlsProblem`."""
    try:
        with _file(f"{certificate}\n{key}\n") as path:
            made.load_cert_chain(path, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        why = "`tls.crt` and `tls.key` of the Secret are no certificate and its key in PEM, without a password"
        raise TlsProblem(why) from error


@contextmanager
def _file(text: str) -> Iterator[str]:
    """Python's `ssl` takes a key from a file only. Where the kernel has files that are on no disk, it is one of those
    (a pod's disk may well be read-only); else it exists, for our eyes, no longer than needed."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("tls"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    handle, path = tempfile.mkstemp(prefix="rollway-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)


def not_secured(where: str, error: BaseException) -> str | None:
    """Why a connection could not be secured, for people: what is wrong with the server's certificate, or what the
    server has against ours. None for an error of another kind."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            own = any(word in cause.verify_message for word in ("issuer", "self-signed"))
            more = "; if its authority is one of your own, put it into the Secret as `ca.crt`" if own else ""
            return f"the certificate of {where} is not trusted: {cause.verify_message}{more}"
        if isinstance(cause, ssl.SSLError) and "_ALERT_" in (cause.reason or ""):
            alert = cause.reason.partition("_ALERT_")[2].replace("_", " ").lower()
            own = alert in ("certificate required", "handshake failure", "bad certificate")
            more = "; if it asks for a certificate, put `tls.crt` and `tls.key` into the Secret" if own else ""
            return f"{where} ended the handshake of TLS: {alert}{more}"
        cause = cause.__cause__ or cause.__context__
    return None
