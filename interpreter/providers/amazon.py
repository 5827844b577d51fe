"""Credentials of Amazon's cloud, and requests signed with them (Signature Version 4), by botocore.

The keys stand in the Secret (`aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`), else the usual chain
finds them: environment, files, the web identity of the service account, the node. What the chain finds is the
interpreter's own, and is used towards Amazon's own addresses only: whoever writes a policy may name any other. botocore
is loaded when it is first needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble

LIMITS = {"connect_timeout": 3, "read_timeout": 8, "retries": {"total_max_attempts": 1}}
"""For each request of botocore: tries and waits are for `guarded`."""
_HOST = re.compile(r"(?:^|\.)(?:([a-z]{2}(?:-[a-z]+)+-\d+)\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$")
_PROMETHEUS = re.compile(r"^aps-workspaces(?:-fips)?\.")


def is_amazons(url: str) -> bool:
    """Does the address belong to Amazon's cloud, over TLS?"""
    parts = urlsplit(url)
    return parts.scheme == "https" and _HOST.search(parts.hostname or "") is not None


def is_prometheus(url: str) -> bool:
    """Is it Amazon's managed Prometheus?"""
    return is_amazons(url) and _PROMETHEUS.match(urlsplit(url).hostname or "") is not None


def has_keys(secret: Mapping[str, str]) -> bool:
    return "aws_access_key_id" in secret


def region_of(query: RenderedQuery, url: str = "") -> str:
    """The region: the metric's, the Secret's, or the one in the address. Raises `ProviderError`."""
    found = _HOST.search(urlsplit(url).hostname or "")
    region = query.region or query.secret.get("region", "").strip() or (found and found[1]) or ""
    if not region:
        raise ProviderError(Trouble.BAD_QUERY, "Amazon's cloud needs a `region`: give it in the metric or the Secret")
    return region


def keys(secret: Mapping[str, str]) -> dict[str, str | None]:
    """The keys in a Secret, as botocore names them. Raises `ProviderError` for half of a pair."""
    if "aws_secret_access_key" not in secret:
        why = "the Secret has `aws_access_key_id`, and `aws_secret_access_key` is missing"
        raise ProviderError(Trouble.AUTH, why)
    return {
        "aws_access_key_id": secret["aws_access_key_id"].strip(),
        "aws_secret_access_key": secret["aws_secret_access_key"].strip(),
        "aws_session_token": secret.get("aws_session_token", "").strip() or None,
    }


def signed(method: str, url: str, headers: Mapping[str, str], content: bytes, query: RenderedQuery) -> dict[str, str]:
    """The headers with a signature for managed Prometheus. Blocks: it may ask for credentials. Raises
    `ProviderError`."""
    region = region_of(query, url)
    botocore = library()
    try:
        request = botocore.awsrequest.AWSRequest(method=method, url=url, data=content, headers=dict(headers))
        botocore.auth.SigV4Auth(_credentials(query.secret, url), "aps", region).add_auth(request)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise ProviderError(Trouble.AUTH, f"Amazon's credentials cannot be had: {type(error).__name__}") from error
    return dict(request.headers.items())


def library() -> Any:
    """botocore. Raises `ProviderError` where it is not installed."""
    try:
        import botocore.auth  # noqa: PLC0415 - heavy, and only for those who use this cloud
        import botocore.awsrequest  # noqa: PLC0415
        import botocore.config  # noqa: PLC0415
        import botocore.credentials  # noqa: PLC0415
        import botocore.exceptions  # noqa: PLC0415
        import botocore.session  # noqa: PLC0415
    except ImportError as error:
        raise ProviderError(
            Trouble.BAD_QUERY, "Amazon's cloud needs botocore: pip install 'rollway[clouds]'"
        ) from error
    return botocore


def _credentials(secret: Mapping[str, str], url: str) -> Any:
    if has_keys(secret):
        return library().credentials.Credentials(*keys(secret).values())
    if not is_amazons(url):
        raise ProviderError(Trouble.AUTH, "an address that is not Amazon's needs keys of its own, in the Secret")
    found = session().get_credentials()  # kept by the session once found; they renew themselves
    if found is None:
        raise ProviderError(Trouble.AUTH, "no credentials for Amazon's cloud: neither in a Secret, nor around us")
    return found.get_frozen_credentials()


@cache
def session() -> Any:
    """One of botocore, for the credentials around us. It is not to be changed."""
    botocore = library()
    made = botocore.session.Session()
    made.set_default_client_config(botocore.config.Config(**LIMITS))
    return made
