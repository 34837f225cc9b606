"""Where a browser may be sent back to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

MAX_LENGTH = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "_Target":
        """Take `url` apart.

        Raises:
            ValueError: not an absolute http(s) URL, or one that two readers could understand
                differently (user information, backslashes, blanks, dot segments, a fragment).
        """
        if len(url) > MAX_LENGTH or not url.isascii() or not url.isprintable():
            raise ValueError("must be printable ASCII of at most 2048 characters")
        if any(c in url for c in ' \\"<>^`{|}#'):
            raise ValueError("must not hold blanks, backslashes, quotes or a fragment")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("must have a valid host and port") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError("must be an absolute http or https address")
        if "@" in parts.netloc:
            raise ValueError("must not hold user information")
        if {".", ".."} & set(unquote(parts.path).split("/")) or "\\" in unquote(parts.path):
            raise ValueError("must not hold dot segments")
        host = parts.hostname.rstrip(".")
        return cls(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], parts.path or "/")


class ReturnUrls:
    """The allow-list: each entry is an exact origin and a path everything below is allowed."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = tuple(_Target.of(url) for url in allowed)

    def check(self, url: str) -> None:
        """Return if `url` may be used.

        Raises:
            ValueError: it may not; the text says why and repeats nothing of the URL.
        """
        target = _Target.of(url)
        if not any(_covers(entry, target) for entry in self._allowed):
            raise ValueError("is not among the allowed return addresses")


def with_query(url: str, extra: Mapping[str, str]) -> str:
    """Return `url` with `extra` in its query, in place of parameters of the same name."""
    parts = urlsplit(url)
    kept = [kv for kv in parse_qsl(parts.query, keep_blank_values=True) if kv[0] not in extra]
    return urlunsplit(parts._replace(query=urlencode([*kept, *extra.items()])))


def _covers(entry: _Target, target: _Target) -> bool:
    same_origin = (entry.scheme, entry.host, entry.port) == (
        target.scheme,
        target.host,
        target.port,
    )
    prefix = entry.path.rstrip("/")
    return same_origin and (target.path == prefix or target.path.startswith(prefix + "/"))
