"""Erasing a correspondent from outgoing mail, changes and suggestions."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime

import orjson

from libs.common.db import Connection as Conn
from libs.common.privacy import Person, Request, Step
from libs.common.privacy.parts import after_of, place_at
from libs.common.scrubbing import needles
from services.mail.domain.links import hashes_of
from services.mail.domain.sending.outgoing import item_of
from services.mail.store import privacy_rest as store

AT_ONCE = 100
UNDER_WAY_S = 2.0
AT_GOOGLE = "drafts-stay-in-gmail"
BLOCKED = "blocklist-keeps-them-out"


class ErasedOutgoing:
    """Drafts, messages that wait, and those that ended, as far as they name the person.

    What waits is taken back; what is under way at Google is waited for.
    """

    name = "outgoing"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next outgoing messages."""
        if not person.addresses:
            return Step()
        of, after = person.tenant_id, after_of(request)
        letters, last = await store.list_outgoing(
            conn, of, after=after, limit=AT_ONCE, needles=needles(person.addresses)
        )
        gone, notes = 0, set[str]()
        for one in letters:
            item = item_of(one.id)
            if request.erases:
                if not await store.stop_writes(conn, of, one.connection_id, item, now=self._now()):
                    # Those before it are gone: the next step begins with this one.
                    found = {"outgoing messages": gone} if gone else {}
                    return Step(
                        found=found, notes=sorted(notes), place=place_at(after), wait_s=UNDER_WAY_S
                    )
                await store.delete_letter(conn, of, one, item)
            gone += 1
            if one.at_google:
                notes.add(AT_GOOGLE)
        found = {"outgoing messages": gone} if gone else {}
        return Step(found=found, notes=sorted(notes), place=place_at(last))


class ErasedWrites:
    """Ended changes that name the person."""

    name = "writes"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Remove some."""
        if not person.addresses:
            return Step()
        gone, last = await store.drop_writes(
            conn,
            person.tenant_id,
            after=after_of(request),
            limit=AT_ONCE,
            needles=needles(person.addresses),
            erase=request.erases,
        )
        return Step(found={"changes": gone} if gone else {}, place=place_at(last))


def inside_push(payload: bytes) -> list[str]:
    """Return what a push says in base64."""
    try:
        data = base64.b64decode(orjson.loads(payload)["message"]["data"])
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError):
        return []
    return [data.decode(errors="replace")]


class ErasedSuggestions:
    """That somebody was suggested as a contact. A mailbox's blocklist stays: it keeps them out."""

    name = "suggestions"

    def __init__(self, *, hash_key: bytes) -> None:
        self._hash_key = hash_key

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Forget it; the notes say whether a blocklist names them."""
        if not person.addresses:
            return Step()
        hashes = hashes_of(person.addresses, self._hash_key)
        gone = await store.drop_suggestions(conn, person.tenant_id, hashes, erase=request.erases)
        is_blocked = await store.is_blocked(conn, person.tenant_id, person.addresses)
        return Step(
            found={"suggestions": gone} if gone else {}, notes=[BLOCKED] if is_blocked else []
        )
