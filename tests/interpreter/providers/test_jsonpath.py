"""A path leads to one value or says where it stops; nothing that selects several is taken."""

from __future__ import annotations

import pytest

from interpreter.providers.jsonpath import PathProblem, steps, value_at

DOCUMENT = {"a": {"b": [{"c": 1.5}, {"p99.9": 2}]}, "n": None, "": 3, "ä_b-c": 4}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", DOCUMENT),
        ("$.a.b[0].c", 1.5),
        ("$.a.b[0]['c']", 1.5),
        ('$["a"].b[-1]["p99.9"]', 2),
        ("$['']", 3),
        ("$.ä_b-c", 4),
        ("$.n", None),
        ("$.n.deeper[3]", None),
        ("$.a.b[2].c", None),
        ("$.a.b[-3]", None),
    ],
)
def test_a_path_leads_to_its_value(path: str, expected: object) -> None:
    assert value_at(DOCUMENT, path) == expected


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$.a.x", r"no `x` at `\$\.a`"),
        ("$.a[0]", r"`\$\.a` is not a list"),
        ("$.a.b.c", r"`\$\.a\.b` is not an object"),
        ("$.a.b[0].c.d", r"`\$\.a\.b\[0\]\.c` is not an object"),
    ],
)
def test_a_path_that_does_not_fit_says_where_it_stops(path: str, words: str) -> None:
    with pytest.raises(PathProblem, match=words):
        value_at(DOCUMENT, path)


@pytest.mark.parametrize(
    "path", ["", "a.b", "$.", "$..a", "$.*", "$[*]", "$[0:2]", "$[?(@.a)]", "$[a]", "$.a b", "$[0"]
)
def test_what_is_no_such_path_is_refused(path: str) -> None:
    with pytest.raises(PathProblem):
        steps(path)
