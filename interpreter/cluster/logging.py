"""The log: one line an event, JSON for machines or aligned text for people, on standard error.

Whatever is bound with `about` (rollout, revision, step) stands in every line that is logged within. Everything that is
written is masked. Lines of libraries go the same way, from warnings up.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from structlog.typing import EventDict, Processor

from interpreter.masking import mask

Format = Literal["json", "console"]

LEVELS = ("debug", "info", "warning", "error")


def set_up(form: Format = "json", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (default: standard error). Raises `ValueError` for no level."""
    if level not in LEVELS:
        raise ValueError(f"there is no log level `{level}`: choose one of {', '.join(LEVELS)}")
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        masked,
    ]
    shown: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else structlog.dev.ConsoleRenderer(
            colors=(stream or sys.stderr).isatty()
        )
    )  # fmt: skip
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shown]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("interpreter").setLevel(level.upper())
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@contextmanager
def about(**what: str) -> Iterator[None]:
    """`with about(rollout="shop/web", revision="…"):` puts these in every line within."""
    before = get_contextvars()
    bind(**what)
    try:
        yield
    finally:
        clear_contextvars()
        bind(**before)


def bind(**what: str) -> None:
    """Put these in every line from here to the end of the `about` that it is in, and of what is begun until then."""
    bind_contextvars(**what)


def masked(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Every text in the line without what is secret, however deep it lies."""
    return {key: _mask(value) for key, value in event.items()}


def _mask(value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case MutableMapping():
            return {key: _mask(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_mask(inner) for inner in value]
        case BaseException():
            return mask(str(value))
    return value
