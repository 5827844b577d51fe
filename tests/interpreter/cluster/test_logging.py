"""What is logged, and what is not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from interpreter.cluster.logging import about, bind, set_up


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, logging.getLogger("interpreter").level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("interpreter").setLevel(ours)
    structlog.reset_defaults()


def test_a_line_says_of_which_rollout_and_nothing_secret(stream: io.StringIO) -> None:
    set_up("json", "info", stream)
    log = structlog.get_logger("interpreter.cluster.test")
    with about(rollout="shop/web", revision="abc"):
        log.info("a call failed", headers={"a": ["authorization: bearer abcdefgh12345"]}, url="https://u:p4ss@x/")
    log.debug("not shown")
    [line] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["rollout"], line["revision"], line["level"]) == ("shop/web", "abc", "info")
    assert line["event"] == "a call failed"
    assert "abcdefgh12345" not in stream.getvalue()
    assert "p4ss" not in stream.getvalue()


def test_what_comes_to_be_known_stands_in_the_lines_from_there_to_the_end_of_the_look(stream: io.StringIO) -> None:
    set_up("json", "info", stream)
    log = structlog.get_logger("interpreter.cluster.test")
    with about(rollout="shop/web"):
        log.info("one")
        bind(revision="abc", step="1")
        log.info("two")
        bind(step="2")
        with about(channel="ops"):
            log.info("three")
        log.info("four")
    log.info("five")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    keys = ("rollout", "revision", "step", "channel")
    assert [tuple(line.get(key) for key in keys) for line in lines] == [
        ("shop/web", None, None, None),
        ("shop/web", "abc", "1", None),
        ("shop/web", "abc", "2", "ops"),
        ("shop/web", "abc", "2", None),
        (None, None, None, None),
    ]


def test_an_exception_is_masked_too(stream: io.StringIO) -> None:
    set_up("json", "info", stream)
    try:
        raise ValueError("password=hunter2hunter2")
    except ValueError:
        structlog.get_logger("interpreter.x").exception("it failed")
    assert "ValueError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_libraries_are_heard_from_warnings_up(stream: io.StringIO) -> None:
    set_up("json", "debug", stream)
    logging.getLogger("aiohttp.client").info("chatter")
    logging.getLogger("aiohttp.client").warning("token=abcdefgh12345 is wrong")
    [line] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert line["event"] == "token=*** is wrong"
    assert line["logger"] == "aiohttp.client"


def test_for_people(stream: io.StringIO) -> None:
    set_up("console", "info", stream)
    structlog.get_logger("interpreter.x").warning("mind this", object="Service `a`")
    assert "mind this" in stream.getvalue()
    assert "Service `a`" in stream.getvalue()


def test_no_such_level() -> None:
    with pytest.raises(ValueError, match="choose one of debug, info"):
        set_up("json", "loud")
