"""How much of a series an edit is about, and which writes that takes."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from libs.common.errors import InvalidInput
from libs.common.ids import new_id
from services.calendar.domain.event import Event
from services.calendar.domain.fields import fields_of
from services.calendar.domain.identity import google_event_id
from services.calendar.domain.recurrence import checked, occurrence
from services.calendar.domain.splitting import shifted, split
from services.calendar.domain.times import stored, when_of
from services.calendar.domain.writing import Op, Wish
from services.calendar.sync.outward.picking import Picked
from services.calendar.sync.outward.wishing import Queued


class Scope(StrEnum):
    """How much of a series an edit is about."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


def of_this(held: Picked, wished: Wish) -> Queued:
    """Return the wish for one occurrence, or a whole event that does not recur."""
    if held.key is None or (held.event.original is not None and held.owned.stored.occurrence):
        return Queued(wished, base=fields_of(held.event))
    if "recurrence" in wished.fields:
        raise InvalidInput.field("recurrence", "is of a whole series: choose another scope")
    # Google names an occurrence that nobody has changed yet by its series and place.
    google_id = f"{held.event.google_id}_{held.key}"
    base = {name: value for name, value in fields_of(held.event).items() if name != "recurrence"}
    return Queued(replace(wished, google_id=google_id), base=base)


def of_all(held: Picked, wished: Wish) -> Queued:
    """Return the wish for a whole series: a new time moves all of it by as much."""
    master = held.master
    if master is None:
        return Queued(wished, base=fields_of(held.event))
    fields = dict(wished.fields)
    if "time" in fields and held.event.when is not None and master.when is not None:
        fields["time"] = stored(
            shifted(master.when, at=held.event.when, wanted=when_of(fields["time"]))
        )
    wish = replace(wished, google_id=master.google_id, fields=fields)
    return Queued(wish, base=fields_of(master))


def of_following(held: Picked, wished: Wish) -> list[Queued]:
    """Return the two wishes that end a series and begin another, as Google's own apps do."""
    master = held.master
    if master is None or held.key is None:
        return [of_all(held, wished)]
    zone = held.target.calendar.zone
    before, after = split(master, held.key, zone=zone)
    if not before:
        return [of_all(held, wished)]
    plain = occurrence(master, held.key, zone=zone)
    begins = {**fields_of(master), "recurrence": list(after)}
    if plain is not None:
        begins["time"] = stored(plain.when)
    source = str(new_id())
    tenant_id = held.target.connection.tenant_id
    order = f"{wished.calendar_id}:{master.google_id}"
    ends = replace(
        wished, google_id=master.google_id, fields={"recurrence": list(before)}, order=order
    )
    first = Queued(ends, base=fields_of(master), write_id=new_id())
    begun = Wish(
        op=Op.INSERT,
        calendar_id=wished.calendar_id,
        google_calendar=wished.google_calendar,
        google_id=google_event_id(tenant_id, source, 0),
        fields={**begins, **wished.fields},
        notify=wished.notify,
        policy=wished.policy,
        wished_at=wished.wished_at,
        marks={"source": source},
        source=source,
        requires=first.write_id,
        order=order,
    )
    return [first, Queued(begun)]


def ended_before(held: Picked, wished: Wish) -> Queued:
    """Return the wish that ends a series before an occurrence."""
    master = held.master
    if master is None or held.key is None:
        return of_all(held, wished)
    before, _ = split(master, held.key, zone=held.target.calendar.zone)
    if not before:
        return of_all(held, wished)
    wish = replace(
        wished,
        op=Op.PATCH,
        google_id=master.google_id,
        fields={"recurrence": list(before)},
    )
    return Queued(wish, base=fields_of(master))


def recurring(fields: Mapping[str, Any], *, zone: str, of: Event | None = None) -> dict[str, Any]:
    """Return fields with a recurrence as Google takes it.

    Raises:
        InvalidInput: it is none.
    """
    found = dict(fields)
    if not found.get("recurrence"):
        return found
    time = found.get("time")
    when = when_of(time) if time else None if of is None else of.when
    if when is None:
        raise InvalidInput.field("recurrence", "needs a time")
    found["recurrence"] = list(checked(found["recurrence"], when, zone=zone))
    return found
