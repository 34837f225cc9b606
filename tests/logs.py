"""Every test's logs, as they are before anything is masked, must hold nothing private."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog

from libs.common.log import render_exception
from tests.support import CALLER_KEY, SERVICE_KEY

PRIVATE = re.compile(
    r"[\w.+-]+(?:@|%40)[\w-]+\.\w+"  # addresses
    r"|eyJ[\w-]{8,}"  # JWTs
    r"|ya29\.|\b1//|GOCSPX-"  # Google's tokens and client secrets
    r"|://[^/\s@]+:(?!\*+@)[^/\s@]+@"  # credentials in URLs, not masked by who wrote them
    rf"|{re.escape(CALLER_KEY)}|{re.escape(SERVICE_KEY)}"
)


class Recorder(logging.Handler):
    """Keeps what structlog and the standard library's loggers wrote, unmasked."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")

    def write(self, _logger: object, _method: str, event: structlog.types.EventDict) -> str:
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        self.lines.append(line)
        return line

    def leaks(self) -> list[str]:
        """Return the lines that hold something private."""
        return [line for line in self.lines if PRIVATE.search(line)]


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record all logs of this process while inside."""
    recorder = Recorder()
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        render_exception,
        recorder.write,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.addHandler(recorder)
    try:
        yield recorder
    finally:
        root.removeHandler(recorder)
