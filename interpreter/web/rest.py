"""The API, under `/api/v1/`: what there is, and what is decided.

Every call but the one for the description shows a bearer token, or comes from a session. A person sees what the cluster
lets them `get` and `list`, and decides what it lets them decide (`interpreter.web.steering`). Steps are counted from 1,
as people see them everywhere. What goes wrong is told as problem details (RFC 9457).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interpreter.cluster import names
from interpreter.cluster.api import Api
from interpreter.objects import Ref
from interpreter.web import openapi
from interpreter.web.fitting import MOST_ID, MOST_TEXT, Decision, Refused, Why
from interpreter.web.people import VIEW, Person
from interpreter.web.site import SITE, person_of
from interpreter.web.standing import KINDS
from interpreter.web.steering import steer

PREFIX = "/api/v1"
MOST_LISTED = 500
LISTED = 100
_BODY = "`revision` is needed; `step`, `reason` and `id` may be said"
_ONE = f"{PREFIX}/rollouts/{{kind}}/{{namespace}}/{{name}}"


class Views(Protocol):
    """What rollouts look like, as data."""

    async def listed(self, api: Api, namespace: str | None) -> list[dict[str, Any]]:
        """All rollouts, of one namespace or of all, each with `kind`, `namespace` and `name`."""
        ...

    async def one(self, api: Api, owner: Ref) -> dict[str, Any] | None:
        """One rollout; None if there is none."""
        ...

    async def runs(self, api: Api, owner: Ref) -> list[dict[str, Any]] | None:
        """Its runs, newest first; None if there is no such rollout."""
        ...


class Asked(BaseModel):
    """The body of a decision. `id`, if given, makes a repetition the same decision."""

    model_config = ConfigDict(extra="forbid", strict=True)

    revision: str = Field(min_length=1, max_length=253)
    step: int | None = Field(None, ge=1)
    reason: str = Field("", max_length=MOST_TEXT)
    id: str = Field("", max_length=MOST_ID, pattern=r"^[A-Za-z0-9._:-]*$")


def add_api(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(f"{PREFIX}/openapi.json", _description)
    app.router.add_get(f"{PREFIX}/rollouts", _list)
    app.router.add_get(_ONE, _get)
    app.router.add_get(f"{_ONE}/runs", _runs)
    app.router.add_post(f"{_ONE}/{{verb}}", _decide)
    app.router.add_route("*", "/api/{rest:.*}", _nothing)


async def _description(request: web.Request) -> web.Response:
    return _answer(request, openapi.document(Asked.model_json_schema()))


async def _nothing(request: web.Request) -> web.Response:
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical.startswith(PREFIX):
            allowed |= (await resource.resolve(request))[1]
    if allowed:
        raise web.HTTPMethodNotAllowed(request.method, allowed, text=f"say it with {', '.join(sorted(allowed))}")
    raise web.HTTPNotFound(text=f"there is nothing at {request.path[:200]}; {PREFIX}/openapi.json says what there is")


async def _list(request: web.Request) -> web.Response:
    site, person = request.app[SITE], _somebody(request)
    namespace = request.query.get("namespace") or None
    kinds = [kind for version, kind in KINDS.values() if await _may_list(request, person, version, kind, namespace)]
    if not kinds:
        where = f"in namespace `{namespace}`" if namespace else "in all namespaces; name one with `?namespace=`"
        raise Refused(Why.FORBIDDEN, f"`{person.name}` may not list rollouts {where}")
    limit, after = _limit(request), _after(request.query.get("continue", ""))
    rows = await _views(request).listed(site.api, namespace)
    fits = sorted((_key(row), row) for row in rows if row["kind"] in kinds and _matches(row, request.query))
    rest = [row for row in fits if row[0] > after]
    said: dict[str, Any] = {"items": [row for _, row in rest[:limit]], "total": len(fits)}
    if len(rest) > limit:
        said["continue"] = base64.urlsafe_b64encode(json.dumps(rest[limit - 1][0]).encode()).decode()
    return _answer(request, said)


async def _get(request: web.Request) -> web.Response:
    owner = await _seen(request)
    found = await _views(request).one(request.app[SITE].api, owner)
    return _answer(request, _there(owner, found))


async def _runs(request: web.Request) -> web.Response:
    owner = await _seen(request)
    found = await _views(request).runs(request.app[SITE].api, owner)
    return _answer(request, {"items": _there(owner, found)})


async def _decide(request: web.Request) -> web.Response:
    site, person, owner, verb = request.app[SITE], _somebody(request), _owner(request), request.match_info["verb"]
    if verb not in names.VERBS:
        raise Refused(Why.MISSING, f"there is no `{verb}`", f"what can be decided is {', '.join(names.VERBS)}")
    if site.read_only:
        raise Refused(
            Why.FORBIDDEN, "nothing can be decided here: this is read-only", "`rollway approve` and kubectl can"
        )
    asked = await _asked(request)
    step = None if asked.step is None else asked.step - 1
    decision = Decision(verb, asked.revision, step, person.name, asked.reason, asked.id, "api")
    done = await steer(site.api, site.authority, person, owner, decision)
    said = json.loads(done.value)
    shown = {key: said[key] for key in ("revision", "by", "reason", "at", "id") if key in said}
    if "step" in said:
        shown["step"] = said["step"] + 1
    return _answer(request, {"verb": verb, **shown, "repeated": done.repeated, "later": done.later}, status=202)


# --- what a request says ------------------------------------------------------------------------------------------


def _somebody(request: web.Request) -> Person:
    person = person_of(request)
    if person is None:
        raise web.HTTPUnauthorized(text="show a token: `Authorization: Bearer TOKEN`")
    return person


def _owner(request: web.Request) -> Ref:
    kind = request.match_info["kind"].lower()
    if kind not in KINDS:
        raise Refused(Why.MISSING, f"there is no kind `{kind[:50]}`", f"it is one of {', '.join(KINDS)}")
    return Ref(*KINDS[kind], request.match_info["namespace"], request.match_info["name"])


async def _seen(request: web.Request) -> Ref:
    """The rollout that is asked for, if who asks may see it."""
    person, owner = _somebody(request), _owner(request)
    if not await request.app[SITE].authority.may(person, VIEW, owner):
        raise Refused(Why.FORBIDDEN, f"`{person.name}` may not see {owner}", "the right to `get` it is what is lacking")
    return owner


async def _may_list(request: web.Request, person: Person, version: str, kind: str, namespace: str | None) -> bool:
    return await request.app[SITE].authority.may(person, VIEW, Ref(version, kind, namespace or "", ""))


def _views(request: web.Request) -> Views:
    views = request.app[SITE].views
    if views is None:
        raise web.HTTPNotFound(text="nothing is shown here")
    return views


def _there(owner: Ref, found: Any) -> Any:
    if found is None:
        raise Refused(Why.MISSING, f"there is no {owner}")
    return found


async def _asked(request: web.Request) -> Asked:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="the body is JSON: `Content-Type: application/json`")
    try:
        return Asked.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Refused(
            Why.MALFORMED, f"{where}: {first['msg']}", "`revision` is needed; `step`, `reason` and `id` may be said"
        ) from error


def _limit(request: web.Request) -> int:
    said = request.query.get("limit", str(LISTED))
    if not (said.isascii() and said.isdecimal() and len(said) < 6 and 1 <= int(said) <= MOST_LISTED):
        raise Refused(Why.MALFORMED, f"`limit` is a number from 1 to {MOST_LISTED}")
    return int(said)


def _after(token: str) -> list[str]:
    """The key after which a page begins."""
    if not token:
        return []
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or not all(isinstance(one, str) for one in key):
        raise Refused(Why.MALFORMED, "`continue` is none that was given here", "begin the list anew")
    return key


def _key(row: dict[str, Any]) -> list[str]:
    return [str(row["namespace"]), str(row["name"]), str(row["kind"])]


def _matches(row: dict[str, Any], query: Any) -> bool:
    """By `phase`, `kind`, and `name`, of which a part is enough."""
    return (
        query.get("phase", "") in ("", row.get("phase"))
        and query.get("kind", "").lower() in ("", str(row["kind"]).lower())
        and query.get("name", "").lower() in str(row["name"]).lower()
    )


def _answer(request: web.Request, said: object, status: int = 200) -> web.Response:
    """JSON with a tag, and nothing where who asks has that already."""
    body = (json.dumps(said, ensure_ascii=False) + "\n").encode()
    if request.method not in ("GET", "HEAD"):
        return web.Response(status=status, body=body, content_type="application/json")
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(status=status, body=body, content_type="application/json", headers={"ETag": tag})
