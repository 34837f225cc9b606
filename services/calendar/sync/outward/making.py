"""Making one change at Google: each kind of it against whoever changes the event meanwhile.

Whether a request whose answer was lost took effect is always to be seen: an event that we insert
has an id of ours, every change leaves the id of its write in the event, and what is deleted is
gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from libs.common.db import Pool, transaction
from libs.common.errors import Conflict, NotFound, Transient
from libs.common.writes import Merged, MergePolicy, Write, WriteState, merge
from libs.common.writes import store as ledger
from libs.common.writes.patience import Patience
from services.calendar.domain.event import Event, Status
from services.calendar.domain.fields import fields_of, theirs_of
from services.calendar.domain.identity import google_event_id
from services.calendar.domain.writing import Op, Wish
from services.calendar.google import CalendarBox
from services.calendar.google.bodies import insert_body, patch_body, response_body
from services.calendar.sync.inward.echoes import CLASH, MARK, has_answered, is_ours_alone
from services.calendar.sync.outward.conflicts import Clash

MOST_ROUNDS = 4
"""Tries against an event that somebody keeps changing; then it waits for its next turn."""
MOST_GENERATIONS = 50
SIDES = ("base", "ours", "theirs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a write."""

    state: WriteState
    reason: str | None = None
    event: Event | None = None
    """As Google has it now."""
    met: Event | None = None
    """As somebody else had left it when it was written."""
    gone: tuple[str, ...] = ()
    """Google's ids of events that are not there any more."""
    clash: Clash | None = None
    generation: int | None = None
    """Of the event, where it is another than was wished for."""
    asked: bool = True
    """Google was asked to change something."""
    asked_at: datetime | None = None
    """When Google was first asked."""
    edited: bool = False
    """Somebody else has changed it too, nobody knows whether before it was written or since."""


@dataclass(frozen=True, slots=True)
class Job:
    """A write while it is carried."""

    write: Write
    wish: Wish
    box: CalendarBox
    held: Event | None
    """As it is held here."""
    base: Mapping[str, Any] = field(default_factory=dict)

    @property
    def marks(self) -> dict[str, str]:
        """What the event is to bear of ours."""
        return {**self.wish.marks, MARK: str(self.write.id)}


class Maker:
    """Makes changes; what became of each is for others to commit."""

    def __init__(self, pool: Pool, *, patience: Patience) -> None:
        """Note in `pool` what a lost answer would hide, and wait for Google as `patience` says."""
        self._pool = pool
        self._patience = patience

    async def make(self, job: Job, *, settle: bool) -> Outcome:
        """Return what became of a change; with `settle`, an earlier request may have made it.

        Raises:
            AppError: from Google or auth; see `CalendarBox`.
        """
        match job.wish.op:
            case Op.INSERT:
                return await self._insert(job, settle=settle)
            case Op.PATCH:
                return await self._patch(job, settle=settle)
            case Op.DELETE:
                return await self._delete(job, settle=settle)
            case Op.RESPOND:
                return await self._respond(job, settle=settle)

    async def _insert(self, job: Job, *, settle: bool) -> Outcome:
        wish, generation = job.wish, job.wish.generation
        google_id = wish.google_id
        while generation < wish.generation + MOST_GENERATIONS:
            found = await self._get(job, google_id) if settle else None
            if found is None:
                body = insert_body(
                    wish.fields,
                    google_id=google_id,
                    marks=job.marks,
                    request_id=str(job.write.id),
                )
                made = await job.box.insert(
                    wish.google_calendar,
                    body,
                    notify=wish.notify,
                    timeout_s=self._patience.timeout_s,
                )
                if made is not None:
                    return Outcome(state=WriteState.DONE, event=made, generation=generation)
                found = await self._get(job, google_id)
            if found is not None and _is_it(job, found):
                return await self._met(job, found, generation)
            # Google never gives an id away again: what was cancelled has it for good.
            generation += 1
            google_id = google_event_id(job.write.tenant_id, wish.source, generation)
            settle = False
        return Outcome(state=WriteState.FAILED, reason="id-taken")

    async def _met(self, job: Job, found: Event, generation: int) -> Outcome:
        """Go on with an event that is there already: made by this write, or by one long ago."""
        if _bears(job, found):
            return replace(_made_before(job, found), generation=generation)
        if found.marks.get("source") != job.wish.marks.get("source"):
            return Outcome(state=WriteState.FAILED, reason="id-taken")
        outcome = await self._write_fields(job, found, base=fields_of(found))
        return replace(outcome, generation=generation)

    async def _patch(self, job: Job, *, settle: bool) -> Outcome:
        theirs = job.held
        if settle or theirs is None:
            theirs = await self._get(job, job.wish.google_id)
            if theirs is not None and _bears(job, theirs):
                return _made_before(job, theirs)
        if theirs is None or theirs.status is Status.CANCELLED:
            return _gone(job)
        base = job.base or fields_of(theirs)
        return await self._write_fields(job, theirs, base=base)

    async def _write_fields(self, job: Job, theirs: Event, *, base: Mapping[str, Any]) -> Outcome:
        """Write what Google's side has to follow in, against whoever changes it meanwhile."""
        wish = job.wish
        for _ in range(MOST_ROUNDS):
            merged = _merged(wish, base, theirs)
            clash = _clash(wish, base, theirs, merged)
            if not merged.write:
                state = WriteState.CONFLICT if clash else WriteState.DONE
                reason = "conflict" if clash else None
                return Outcome(state=state, reason=reason, event=theirs, clash=clash, asked=False)
            try:
                body = patch_body(
                    {name: merged.values[name] for name in merged.write},
                    theirs,
                    marks=job.marks,
                    request_id=str(job.write.id),
                )
            except Conflict as exc:
                return Outcome(state=WriteState.FAILED, reason=exc.slug, event=theirs)
            await self._note_clash(job, clash)
            try:
                made = await job.box.patch(
                    wish.google_calendar,
                    theirs.google_id,
                    body,
                    etag=theirs.etag or None,
                    notify=wish.notify,
                    timeout_s=self._patience.timeout_s,
                )
            except NotFound:
                return _gone(job)
            if made is not None:
                met = theirs if _is_news(job, theirs, base) else None
                return Outcome(state=WriteState.DONE, event=made, met=met, clash=clash)
            found = await self._get(job, theirs.google_id)
            if found is None or found.status is Status.CANCELLED:
                return _gone(job)
            theirs = found
        raise Transient("The event changes faster than it can be written.")

    async def _delete(self, job: Job, *, settle: bool) -> Outcome:
        wish, theirs = job.wish, job.held
        if settle or theirs is None:
            theirs = await self._get(job, wish.google_id)
            if theirs is None or theirs.status is Status.CANCELLED:
                return _deleted(job, theirs)
        base = job.base or fields_of(theirs)
        for _ in range(MOST_ROUNDS):
            clash = _clash_with_deletion(wish, base, theirs)
            if clash is not None:
                return Outcome(
                    state=WriteState.CONFLICT,
                    reason="conflict",
                    event=theirs,
                    clash=clash,
                    asked=False,
                )
            if await job.box.delete(
                wish.google_calendar,
                wish.google_id,
                etag=theirs.etag or None,
                notify=wish.notify,
                timeout_s=self._patience.timeout_s,
            ):
                left = None
                if theirs.master_id is not None:  # a cancelled occurrence stays
                    left = await self._get(job, wish.google_id)
                return _deleted(job, left)
            found = await self._get(job, wish.google_id)
            if found is None or found.status is Status.CANCELLED:
                return _deleted(job, found)
            theirs = found
        raise Transient("The event changes faster than it can be deleted.")

    async def _respond(self, job: Job, *, settle: bool) -> Outcome:
        del settle  # the answer itself says whether it was given
        wish = job.wish
        for _ in range(MOST_ROUNDS):
            theirs = await self._get(job, wish.google_id)
            if theirs is None or theirs.status is Status.CANCELLED:
                return _gone(job)
            if _bears(job, theirs):
                return _made_before(job, theirs)
            mine = [one for one in theirs.details.attendees if one.is_self]
            if any(has_answered(one, wish) for one in mine):
                return Outcome(state=WriteState.DONE, event=theirs, asked=False)
            if wish.response is None or not mine:
                return Outcome(state=WriteState.FAILED, reason="not-invited", event=theirs)
            try:
                body = response_body(theirs, wish.response, comment=wish.comment, marks=job.marks)
            except Conflict as exc:
                return Outcome(state=WriteState.FAILED, reason=exc.slug, event=theirs)
            made = await job.box.patch(
                wish.google_calendar,
                wish.google_id,
                body,
                etag=theirs.etag or None,
                notify=wish.notify,
                timeout_s=self._patience.timeout_s,
            )
            if made is not None:
                met = theirs if _is_news(job, theirs, None) else None
                return Outcome(state=WriteState.DONE, event=made, met=met)
        raise Transient("The event changes faster than it can be answered.")

    async def _note_clash(self, job: Job, clash: Clash | None) -> None:
        """Keep what is left to a person: if the answer is lost, the event does not say so."""
        noted = None if clash is None else {name: dict(getattr(clash, name)) for name in SIDES}
        if job.write.deadline is None or noted == job.write.progress.get(CLASH):
            return
        async with transaction(self._pool) as conn:
            await ledger.note(conn, job.write, {CLASH: noted}, deadline=job.write.deadline)

    async def _get(self, job: Job, google_id: str) -> Event | None:
        return await job.box.get_event(job.wish.google_calendar, google_id)


def _merged(wish: Wish, base: Mapping[str, Any], theirs: Event) -> Merged:
    policy = MergePolicy.CRM if wish.forced else wish.policy
    return merge(
        base,
        wish.fields,
        theirs_of(theirs, base),
        policy=policy,
        ours_at=wish.wished_at,
        theirs_at=theirs.updated or wish.wished_at,
    )


def _clash(wish: Wish, base: Mapping[str, Any], theirs: Event, merged: Merged) -> Clash | None:
    if not merged.conflicts:
        return None
    found = fields_of(theirs)
    names = sorted(merged.conflicts)
    return Clash(
        base={name: base.get(name) for name in names},
        ours={name: wish.fields[name] for name in names},
        theirs={name: found.get(name) for name in names},
    )


def _is_it(job: Job, found: Event) -> bool:
    """Say whether an event is the one to be made: a deleted one if this write has made it.

    Whoever deleted that one since does not want another in its place.
    """
    return found.status is not Status.CANCELLED or _bears(job, found)


def _bears(job: Job, found: Event) -> bool:
    """Say whether an event bears the mark of this write: an earlier request was heard."""
    return found.marks.get(MARK) == str(job.write.id)


def _made_before(job: Job, found: Event) -> Outcome:
    """Return that an earlier request of this write was heard, as its event shows."""
    noted = job.write.progress.get(CLASH)
    return Outcome(
        state=WriteState.DONE,
        event=found,
        clash=None if noted is None else Clash(**noted),
        edited=not is_ours_alone(job.write, found, known=job.held),
    )


def _is_news(job: Job, theirs: Event, base: Mapping[str, Any] | None) -> bool:
    """Say whether an event is another than is held here; of what is not held, than its series."""
    if job.held is not None:
        return theirs.etag != job.held.etag
    found = fields_of(theirs)
    return any(found.get(name) != value for name, value in (base or {}).items() if name in found)


def _clash_with_deletion(wish: Wish, base: Mapping[str, Any], theirs: Event) -> Clash | None:
    """Return what speaks against deleting an event that somebody has changed since."""
    found = theirs_of(theirs, base)
    changed = sorted(name for name in base if found.get(name) != base[name])
    if not changed or wish.forced or wish.policy is MergePolicy.CRM:
        return None
    newer = (theirs.updated or wish.wished_at) >= wish.wished_at
    if wish.policy is MergePolicy.NEWEST and not newer:
        return None
    return Clash(
        base={**{name: base[name] for name in changed}, "deleted": False},
        ours={"deleted": True},
        theirs={**{name: found.get(name) for name in changed}, "deleted": False},
        is_settled=wish.policy is not MergePolicy.MANUAL,
    )


def _gone(job: Job) -> Outcome:
    return Outcome(
        state=WriteState.FAILED, reason="event-gone", gone=(job.wish.google_id,), asked=False
    )


def _deleted(job: Job, left: Event | None) -> Outcome:
    """Return that it is gone; a cancelled occurrence of a series stays as such."""
    if left is not None and left.master_id is not None:
        return Outcome(state=WriteState.DONE, event=left)
    return Outcome(state=WriteState.DONE, gone=(job.wish.google_id,))
