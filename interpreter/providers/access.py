"""Where a metric server is, and what lets us in: a Secret's keys, or a header that the policy gives itself.

Flagger's names of the keys come first, so that Secrets which were made for it work as they are; plain ones follow.
"""

from __future__ import annotations

from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble


def server_of(query: RenderedQuery, default: str | None, name: str) -> str:
    """The address without a slash at its end. Raises `ProviderError` where there is none."""
    server = query.server or default
    if not server:
        raise ProviderError(Trouble.BAD_QUERY, f'no {name} to ask: give the metric its address, `server "https://…"`')
    return server.rstrip("/")


def found_key(query: RenderedQuery, *keys: str) -> str | None:
    """The value of the first of these keys that the Secret has, without white space around it."""
    return next((query.secret[key].strip() for key in keys if query.secret.get(key, "").strip()), None)


def needed_key(query: RenderedQuery, name: str, *keys: str) -> str:
    """The same, where nothing goes without. Raises `ProviderError`."""
    value = found_key(query, *keys)
    if value is None:
        known = " or ".join(f"`{key}`" for key in keys)
        raise ProviderError(Trouble.AUTH, f"{name} needs {known} from the metric's Secret, which has no such key")
    return value


def key_header(query: RenderedQuery, name: str, header: str, *keys: str, form: str = "{}") -> dict[str, str]:
    """A header made of a Secret's key; none where the policy sends this header itself. Raises `ProviderError`."""
    if header.lower() in {given.lower() for given in query.headers}:
        return {}
    return {header: form.format(needed_key(query, name, *keys))}
