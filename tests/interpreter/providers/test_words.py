"""What a server says is wrong reaches people in its words: without the form that they came in."""

from __future__ import annotations

import pytest

from interpreter.providers.http import SHOWN, words

PAGE = b'<body style="margin: 0">\n <h2 class="x">The query\nfailed</h2><br/>Please <b>wait</b>.</body>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"errorType": "bad_data", "error": "no such function"}', "bad_data: no such function"),
        (b'{"error": {"message": "no such project", "code": 404}}', "no such project"),
        (b'{"errors": ["Forbidden", "no such key"]}', "Forbidden; no such key"),
        (b'{"errors": [{"message": "no such metric", "code": 7}]}', "no such metric"),
        (b'{"detail": "Invalid query"}', "Invalid query"),
        (b'{"status": 7}', '{"status": 7}'),
        (b"upstream  is\n down", "upstream is down"),
        (PAGE, "The query failed Please wait ."),
        (b"a < b, c > d", "a < b, c > d"),
        (b"", ""),
    ],
)
def test_what_it_says(body: bytes, expected: str) -> None:
    assert words(body) == expected


def test_no_secret_is_put_together_of_what_stood_in_a_page() -> None:
    assert words(b"<p>key s3cr3t-key</p>", frozenset({"s3cr3t-key"})) == "key ***"
    assert len(words(b"<p>" + b"a" * 1000)) == SHOWN
