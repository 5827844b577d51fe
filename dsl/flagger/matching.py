"""`analysis.match`: which requests go to the canary. Entries are alternatives; what stands in one must all hold.

Flagger hands the tests to the data plane, and data planes match a whole value with a regular expression. Ours looks
for one anywhere in the value, so it is bound to both ends here. ingress-nginx looks anywhere too, and is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from dsl.flagger.fields import HEADER_MATCH
from dsl.flagger.planes import Plane
from dsl.flagger.problems import Problems
from dsl.flagger.reading import Keys, Texts, read

_KINDS = {"headers": "header", "queryParams": "query"}
_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$]")
_ENDED = re.compile(r"\^[^|\n]*(?<!\\)\$")


class Test(NamedTuple):
    """As `dsl.ir.MatchTest`."""

    kind: str
    key: str
    op: str
    value: str


def read_matches(raw: list[Any], path: str, plane: Plane, problems: Problems) -> tuple[tuple[Test, ...], ...]:
    """The alternatives."""
    found = [_alternative(item, f"{path}[{index}]", plane, problems) for index, item in enumerate(raw)]
    if plane.can.one_of_each:
        _one_of_each(found, path, plane, problems)
    return tuple(found)


def _alternative(item: object, path: str, plane: Plane, problems: Problems) -> tuple[Test, ...]:
    maps = {name: Keys({str(key): HEADER_MATCH for key in _keys(item, name)}) for name in _KINDS}
    data = read(item, Keys({**maps, "sourceLabels": Texts()}), path, problems)
    if data is None:
        return ()
    if data.get("sourceLabels"):
        problems.error(
            f"{path}.sourceLabels", "cannot be asked for: only what a request carries can", "match a header instead"
        )
    tests: list[Test] = []
    for name, kind in _KINDS.items():
        for key, wanted in data.get(name, {}).items():
            test = _test(kind, key, wanted, f"{path}.{name}.{key}", plane, problems)
            tests += [test] if test is not None else []
    if not tests and not problems.fatal:
        problems.error(path, "fits every request", "name a header, as in `headers: {x-canary: {exact: insider}}`")
    return tuple(tests)


def _keys(item: object, name: str) -> list[Any]:
    inner = item.get(name) if isinstance(item, Mapping) else None
    return list(inner) if isinstance(inner, Mapping) else []


def _test(kind: str, key: str, wanted: Mapping[str, str], path: str, plane: Plane, problems: Problems) -> Test | None:
    if len(wanted) != 1:
        said = "has nothing to be compared with" if not wanted else "has several things to be compared with"
        problems.error(path, said, "write one of `exact`, `prefix`, `suffix`, `regex`")
        return None
    if not key:
        problems.error(path, "has no name")
        return None
    ((how, value),) = wanted.items()
    if kind == "header" and key.lower() == "cookie" and plane.provider == "nginx":
        return _nginx_cookie(how, value, path, problems)
    test = Test(kind, key, *_operator(how, value, plane))
    if test.op not in plane.can.operators(kind):
        problems.error(f"{path}.{how}", f"`{plane.flagger}` cannot compare a {kind} so", "use `exact`")
        return None
    if test.op == "=~" and not _is_regex(test.value):
        problems.error(f"{path}.{how}", f"`{value[:60]}` is no regular expression of RE2")
        return None
    return test


def _operator(how: str, value: str, plane: Plane) -> tuple[str, str]:
    match how:
        case "exact":
            return "==", value
        case "prefix":
            return "^=", value
        case "suffix":
            return "=~", _SIGNS.sub(r"\\\g<0>", value) + "$"
        case _:
            as_it_is = plane.provider == "nginx" or _ENDED.fullmatch(value)
            return "=~", value if as_it_is else f"^(?:{value})$"


def _is_regex(pattern: str) -> bool:
    from dsl.embedded.regex_check import check  # noqa: PLC0415 - loads a library

    return not check(pattern)


def _nginx_cookie(how: str, value: str, path: str, problems: Problems) -> Test | None:
    """ingress-nginx knows a cookie by its name alone; its value must be `always`."""
    if how != "exact" or not value:
        problems.error(f"{path}.{how}", "ingress-nginx knows a cookie by its name", "write `exact` with that name")
        return None
    return Test("cookie", value, "==", "always")


def _one_of_each(found: list[tuple[Test, ...]], path: str, plane: Plane, problems: Problems) -> None:
    for kind in ("header", "cookie"):
        if sum(test.kind == kind for tests in found for test in tests) > 1:
            problems.error(
                path,
                f"`{plane.flagger}` can test one {kind} only (Flagger would keep the last one)",
                "keep one of them",
            )
