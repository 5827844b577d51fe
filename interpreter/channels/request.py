"""What is asked of a service, and what becomes of its answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.text import packed

JSON = "application/json; charset=utf-8"
_PASSING = frozenset({408, 425, 429})


class Request(NamedTuple):
    """One POST. `name` tells it from the others of the same message, and is for the service's own judge of the
    answer."""

    url: str
    body: bytes
    headers: Mapping[str, str] = {}
    name: str = ""


class Answer(NamedTuple):
    """`body` is the beginning of it; `wait_s` is how long the server wants to be left alone."""

    status: int
    body: str
    wait_s: float | None = None

    def json(self) -> Mapping[str, Any] | None:
        """The object in the body, None if it is no object."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


class Taken(NamedTuple):
    """It arrived. `handle` is by what the service knows it, if it can be changed later."""

    handle: str = ""


class Later(NamedTuple):
    """Not now: it is to be tried again, not before `after_s` seconds have passed."""

    why: str
    after_s: float | None = None


class Refused(NamedTuple):
    """It will not be taken, however often it is tried."""

    why: str


class Lost(NamedTuple):
    """What was to be changed is not there any more: it is to be said anew."""

    why: str


Verdict = Taken | Later | Refused | Lost


def judged(request: Request, answer: Answer) -> Verdict:
    """By the status: 2xx is yes; what passes by itself is tried again; all else is refused. A page in the place of an
    answer is a gateway's, and no yes."""
    del request
    if not 200 <= answer.status < 300:
        return unwanted(answer)
    return strange(answer) if answer.body.lstrip()[:1] == "<" else Taken()


def unwanted(answer: Answer) -> Later | Refused:
    """What to make of an answer that is no yes."""
    why = f"it answered {answer.status}" + (f": {answer.body}" if answer.body else "")
    if answer.status in _PASSING or answer.status >= 500:
        return Later(why, answer.wait_s)
    return Refused(why)


def strange(answer: Answer) -> Later:
    """A page, as of a gateway that wants a password: the message has not come to the service."""
    return Later(f"something else answered in its place, with {answer.status} and a page: {answer.body}")


def posted(url: str, data: object, headers: Mapping[str, str] | None = None, name: str = "") -> Request:
    """A POST of JSON."""
    return Request(url, packed(data), {"Content-Type": JSON, **(headers or {})}, name)


class Service(NamedTuple):
    """One kind of channel. `form` gives the requests of a message, in order; its third argument is the handle of what
    is shown of the run already, empty if nothing is. `judge` says what came of each."""

    form: Callable[[Message, Line, str], tuple[Request, ...]]
    judge: Callable[[Request, Answer], Verdict] = judged
