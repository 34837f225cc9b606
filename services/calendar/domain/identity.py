"""Ids of events that we make at Google."""

import base64
import hashlib
import json


def google_event_id(tenant_id: str, source_id: str, generation: int) -> str:
    """Return the id under which an event of ours is inserted: 32 characters of 0-9 and a-v.

    It follows from what the event is made for, so that an insert that is repeated meets the event
    that is there already. Google never gives away the id of a cancelled event again: what is made
    anew is of the next generation.

    Args:
        tenant_id: whose it is.
        source_id: what it is made for, such as an appointment in a calendar; unique within the
            tenant.
        generation: 0 for the first.

    Source: https://developers.google.com/workspace/calendar/api/v3/reference/events/insert
    """
    text = json.dumps(["event", tenant_id, source_id, generation], separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()[:20]
    return base64.b32hexencode(digest).decode().lower()
