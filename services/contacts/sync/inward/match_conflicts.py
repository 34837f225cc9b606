"""People who can be more than one contact: told of, and told of again when that is over."""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.common import outbox
from libs.common.events import contacts as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.ids import new_id
from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.store import match_conflicts as store
from services.contacts.store.match_conflicts import Match
from services.contacts.sync.changing.turn import Turn


class MatchConflicts:
    """The conflicts over who the people of a chunk are; `of` makes it."""

    def __init__(self, turn: Turn, connection: Connection, standing: Mapping[str, Match]) -> None:
        """For `of` only."""
        self._turn = turn
        self._connection = connection
        self._standing = dict(standing)

    @classmethod
    async def of(
        cls, turn: Turn, connection: Connection, resources: Sequence[str]
    ) -> "MatchConflicts":
        """Return what is open, or was answered, over these people of an address book."""
        found: dict[str, Match] = {}
        if resources:
            found = await store.find_newest(turn.conn, turn.tenant_id, connection.id, resources)
        return cls(turn, connection, found)

    async def ask(
        self, resource: str, card: Card, candidates: Sequence[Contact], *, origin: Origin
    ) -> None:
        """Let somebody say which of several contacts a person is; not twice the same."""
        turn, ids = self._turn, tuple(sorted(one.id for one in candidates))
        standing = self._standing.get(resource)
        if standing is not None and standing.candidates == ids:
            return
        where = turn.conn, turn.tenant_id, self._connection.id
        if standing is None and await store.is_nobody(*where, resource, ids):
            return
        opened = await store.put_open(
            turn.conn,
            turn.tenant_id,
            self._connection.id,
            resource,
            new_id=new_id(),
            candidates=ids,
            theirs=dict(card.stored),
            now=turn.now,
        )
        self._standing[resource] = opened
        await self._tell(published.ConflictDetected(origin=origin, **self._facts(opened)), opened)

    async def settle(self, resource: str, *, origin: Origin) -> None:
        """End what is open over a person: it is known who they are, or they are gone."""
        standing = self._standing.pop(resource, None)
        if standing is None or not standing.is_open:
            return
        turn = self._turn
        for one in standing.candidates:
            turn.touch(one)  # whoever it is not may be written there now
        ended = await store.end(turn.conn, turn.tenant_id, standing.id, now=turn.now)
        if ended is not None:
            await self._tell(published.ConflictResolved(origin=origin, **self._facts(ended)), ended)

    async def _tell(
        self, event: published.ConflictDetected | published.ConflictResolved, one: Match
    ) -> None:
        envelope = Envelope.of(
            event,
            tenant_id=self._turn.tenant_id,
            aggregate_id=str(one.id),
            sequence=one.sequence,
            time=self._turn.now,
        )
        await outbox.append(self._turn.conn, envelope)

    def _facts(self, one: Match) -> dict[str, Any]:
        return {
            "conflict_id": one.id,
            "kind": "match",
            "connection_id": self._connection.id,
            "user_id": self._connection.user_id,
            "resource": one.resource,
            "candidates": one.candidates,
        }
