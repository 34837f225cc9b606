"""A few JSON requests over loopback, without an event loop."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; `body` is its JSON, None for anything else."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Tell whether the status is 2xx."""
        return http.HTTPStatus.OK <= self.status < http.HTTPStatus.MULTIPLE_CHOICES


def request(
    method: str, url: str, body: Any = None, *, timeout_s: float = TIMEOUT_S
) -> Answer | None:
    """Send one request; None if nobody answered within `timeout_s` seconds."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    try:
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request(method, path, json.dumps(body) if headers else None, headers)
        answer = connection.getresponse()
        return Answer(answer.status, _json(answer.read()))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
