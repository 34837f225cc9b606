"""Logs: constant snake_case events with keywords, as JSON or, on a terminal, readable.

Libraries that use the standard library's logging end in the same stream. Exceptions are
written as type and place: what they say may hold a row, a body or an address. As the last
line of defence, values that look like secrets are masked before anything is written.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from traceback import walk_tb
from types import TracebackType
from typing import Any, TextIO

import asyncpg
import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from libs.common.errors import AppError

MASK = "***"
MAX_DEPTH = 5
MAX_TEXT = 2000
MAX_FRAMES = 30
MAX_CAUSES = 5
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

SECRET_WORDS = frozenset(
    {"address", "addresses", "assertion", "authorization", "bearer", "body", "code", "cookie"}
    | {"credential", "credentials", "email", "emails", "passwd", "password", "secret"}
    | {"secrets", "ticket", "tickets", "token", "tokens", "verifier"}
)
PUBLIC_NAMES = frozenset({"code", "status_code", "exit_code", "error_code"})
WORD = re.compile(r"[a-z]+")
# What must not be written wherever it stands: credentials in URLs, JWTs, Google's tokens and
# client secrets, bearer headers, e-mail addresses.
URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
SECRETS = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*){1,4}"
    r"|ya29\.[\w.-]+"
    r"|\b1//[\w-]{10,}"
    r"|GOCSPX-[\w-]+"
    r"|[Bb](?:earer|EARER)\s+[\w.~+/-]{16,}=*"
    r"|[^\s@<>\"'(),:;=*\[\]{}|\\/]{1,64}(?:@|%40)[^\s@<>\"'(),:;=*\[\]{}|\\/]{1,255}\.\w+"
)
HINTS = ("@", "%40", "eyJ", "ya29.", "1//", "GOCSPX-", "earer", "EARER")
"""One of them is in every text that `SECRETS` matches: most texts need no search."""

TOLD_BY_US = ("aio_pika", "aiormq")
"""Libraries whose tracebacks of a lost connection only repeat what `bus.link` says in a line."""


def configure(log_format: str, level: str, *, service: str, role: str) -> None:
    """Send every log of the process to standard output.

    Args:
        log_format: `json`, `console`, or `auto`: console when standard output is a terminal.
        level: `debug`, `info`, `warning` or `error`: the least one written.
        service: stands on every line.
        role: stands on every line.
    """
    stream = sys.stdout
    as_json = log_format == "json" or (log_format == "auto" and not stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Origin(service, role),
        render_exception,
        mask,
    ]
    render = _as_json if as_json else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(stream, level, shared, render)


def _adopt_standard_logging(
    stream: TextIO, level: str, shared: Sequence[Processor], render: Processor
) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries speak of their own insides below this; ours is what `level` chooses.
    root.setLevel(max(LEVELS[level], logging.WARNING))
    for name in TOLD_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Origin:
    """Adds who is speaking."""

    def __init__(self, service: str, role: str) -> None:
        self._facts = {"service": service, "role": role}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.update(self._facts)
        return event


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def render_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by types and places; of what it says, only what is known harmless."""
    info = event.pop("exc_info", None)
    exc = _exception(info)
    if exc is not None:
        event["exception"] = list(_describe(exc))
    return event


def _exception(info: object) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        found: BaseException | None = info[1]
        return found
    return sys.exc_info()[1] if info else None


def _describe(exc: BaseException) -> Sequence[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    current: BaseException | None = exc
    while current is not None and len(chain) < MAX_CAUSES:
        chain.append(
            {
                "type": type(current).__qualname__,
                "says": _harmless(current),
                "at": _frames(current.__traceback__),
            }
        )
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    return chain


def _harmless(exc: BaseException) -> str:
    """Return what may be said about an exception: never a value that came from outside."""
    if isinstance(exc, AppError):
        return exc.message
    if isinstance(exc, asyncpg.PostgresError):
        facts = (exc.sqlstate, exc.schema_name, exc.table_name, exc.constraint_name)
        return " ".join(str(fact) for fact in facts if fact)
    if isinstance(exc, OSError):
        return " ".join(str(part) for part in (exc.errno, exc.strerror) if part)
    if isinstance(exc, NameError | AttributeError | ImportError | AssertionError | RuntimeError):
        return str(exc)[:200]
    return ""


def _frames(traceback: TracebackType | None) -> list[str]:
    frames = [
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(traceback)
    ]
    return frames[-MAX_FRAMES:]


def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what looks like a secret or an e-mail address, by its name or by its looks."""
    for name, value in event.items():
        event[name] = _masked(name, value, 0)
    return event


def _masked(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return MASK if _names_a_secret(name) and value else _clean(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray) or depth >= MAX_DEPTH:
        return MASK
    if isinstance(value, Mapping):
        return {_clean(str(key)): _masked(str(key), part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(name, part, depth + 1) for part in value]
    return _clean(str(value))


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    lowered = name.lower()
    if lowered in PUBLIC_NAMES or lowered.endswith(("_id", "_ids", "_count", "_kind")):
        return False
    return not SECRET_WORDS.isdisjoint(WORD.findall(lowered))


def _clean(text: str) -> str:
    text = text[:MAX_TEXT]
    if "://" in text:
        text = URL_CREDENTIALS.sub(f"{MASK}@", text)
    if any(hint in text for hint in HINTS):
        text = SECRETS.sub(MASK, text)
    return text
