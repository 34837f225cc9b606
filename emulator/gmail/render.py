"""A stored message in the four formats of the API.

Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/Format
"""

from collections.abc import Collection
from typing import Any

from emulator.errors import forbidden
from emulator.gmail import mime
from emulator.gmail.mailbox import StoredMessage

Json = dict[str, Any]


def ids(stored: StoredMessage) -> Json:
    """Return the two ids, as lists carry them."""
    return {"id": stored.id, "threadId": stored.thread_id}


def with_labels(stored: StoredMessage) -> Json:
    """Return ids and labels, as the answers to changes carry them."""
    return {**ids(stored), **_labels(stored)}


def message(stored: StoredMessage, form: str, *, names: Collection[str] = ()) -> Json:
    """Return the message in `form`; `names` limits the headers of `metadata`."""
    result: Json = {
        **with_labels(stored),
        "snippet": stored.snippet,
        "sizeEstimate": len(stored.raw),
        "historyId": str(stored.history_id),
        "internalDate": str(stored.internal_date_ms),
    }
    if form == "full":
        result["payload"] = mime.payload(stored.parsed())
    elif form == "metadata":
        result["payload"] = mime.metadata(stored.parsed(), names)
    elif form == "raw":
        result["raw"] = mime.encode(stored.raw)
    return result


def check_format(form: str, *, only_metadata: bool) -> None:
    """Raise Gmail's 403 when a token of the metadata scope asks for content."""
    if only_metadata and form in {"full", "raw"}:
        raise forbidden(f"Metadata scope doesn't allow format {form.upper()}")


def _labels(stored: StoredMessage) -> Json:
    return {"labelIds": list(stored.labels)} if stored.labels else {}
