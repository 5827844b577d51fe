"""What can go wrong between us and the API server, as exceptions whose text is fit for people.

Each says what was tried, on which object, what the server said, and what to do where there is something to be done. The
server's words are masked: an `Invalid` repeats the values that it refuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from interpreter.masking import mask

MOST_SHOWN = 1000


class ApiError(Exception):
    """The server refused. `status` is the HTTP status, 0 when there was no answer; `reason` the CamelCase word of the
    Status object; `retry_after` seconds, if the server named them; `details` its `details`."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.details = dict(details or {})


class NotFound(ApiError):
    """No such object, or no such path."""


class Conflict(ApiError):
    """Somebody else wrote first, or (`reason` `AlreadyExists`) made an object of this name."""


class Forbidden(ApiError):
    """RBAC, an admission webhook or a quota does not allow it."""


class Gone(ApiError):
    """The resourceVersion or the continue token is too old: list again."""


class Invalid(ApiError):
    """The object is not valid, or has fields that the server does not know."""


class Unreachable(ApiError):
    """No answer: a connection refused or cut, or a time-out (`timed_out`)."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(0, "Unreachable", message)
        self.timed_out = timed_out


class NotServed(ApiError):
    """The API server does not know this kind."""


class NotLeader(Exception):
    """A write was held back, for another replica may be the leader by now."""


_CLASSES: dict[int, type[ApiError]] = {403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone, 422: Invalid}
_HINTS: dict[int, str] = {
    401: "; the credentials are wrong or have run out",
    403: "; grant it in the Role or ClusterRole that this account is bound to",
}
_INVALID = ("strict decoding error", "failed to create typed patch object")
"""What the server says, under 400 and 500, of an object with fields that it does not know."""


def error_from_status(what: str, status: Mapping[str, Any], retry_after: float | None = None) -> ApiError:
    """The exception of a `Status` object. `what` was being done: "apply Deployment `a/b`"."""
    code = int(status.get("code") or 500)
    reason = str(status.get("reason") or "Unknown")
    details = status.get("details") if isinstance(status.get("details"), dict) else {}
    if retry_after is None and isinstance(details, dict) and details.get("retryAfterSeconds"):
        retry_after = float(details["retryAfterSeconds"])
    said = mask(str(status.get("message") or reason))[:MOST_SHOWN]
    kind = _CLASSES.get(code, ApiError)
    if any(words in said for words in _INVALID):
        kind = Invalid
    return kind(code, reason, f"{what}: {said}{_hint(code, said)}", retry_after, details)


def error_from_answer(what: str, code: int, body: bytes, retry_after: str | None) -> ApiError:
    """The exception of an answer that is no success, whether its body is a Status or something that a proxy said."""
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        words = " ".join(body[: MOST_SHOWN * 4].decode("utf-8", errors="replace").split())
        status = {"message": f"the API server answered {code}{': ' if words else ''}{words}"}
    return error_from_status(what, {**status, "code": code}, seconds)


def _hint(code: int, said: str) -> str:
    """What to do. Of refusals only those of RBAC can be granted: a webhook and a quota say why themselves."""
    if code == 403 and " cannot " not in said:
        return ""
    return _HINTS.get(code, "")
