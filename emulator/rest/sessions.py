"""What is under way between two requests, by an id nobody can guess."""

import secrets
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Sessions(Generic[T]):
    """The newest `most` sessions; older ones are forgotten."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._open: OrderedDict[str, T] = OrderedDict()

    def add(self, session: T) -> str:
        """Keep a session; return its id."""
        session_id = secrets.token_urlsafe(32)
        self._open[session_id] = session
        while len(self._open) > self._most:
            self._open.popitem(last=False)
        return session_id

    def find(self, session_id: str) -> T | None:
        """Return the session, if it is still known."""
        return self._open.get(session_id)

    def drop(self, session_id: str) -> None:
        """Forget a session."""
        self._open.pop(session_id, None)
