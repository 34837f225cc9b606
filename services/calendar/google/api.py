"""Calendar's API: requests out, Google's answers in as the domain's values."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.connections import Connected
from libs.common.errors import Conflict
from libs.common.google.box import AccountCharge, Box
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.discovery import ApiRequest, CalendarResources
from libs.common.google.wire import AnswerUnreadable
from libs.common.quota import Lane, Ledger
from services.calendar.domain.event import Event, Notify
from services.calendar.google.answers import (
    CalendarListPage,
    ChannelAnswer,
    EventsPage,
    calendar_list_page,
    channel_answer,
    event_of,
    events_page,
)
from services.calendar.google.bodies import params_for

PAGE = 250
MISMATCH = 412


def units(method_id: str) -> int:
    """Return what a call costs: every request is one.

    Source: https://developers.google.com/workspace/calendar/api/guides/quota
    """
    del method_id
    return 1


class GoogleCalendar:
    """Calendar for every connected account.

    Args:
        google: executes requests on behalf of connections.
        resources: build them.
        ledger: of the quota; None: requests are not counted.
    """

    def __init__(
        self, google: ConnectedGoogle, resources: CalendarResources, ledger: Ledger | None = None
    ) -> None:
        self._google = google
        self._api = resources
        self._ledger = ledger

    def box(self, connection: Connected, lane: Lane = Lane.LIVE) -> "CalendarBox":
        """Return what the connection's grant opens; what it costs is counted in `lane`."""
        charge = None
        if self._ledger is not None:
            charge = AccountCharge(self._ledger, connection.account_id, lane, units)
        return CalendarBox(self._google, self._api, connection_id=connection.id, charge=charge)


class CalendarBox(Box):
    """One person's calendars; see `Box` for what methods raise."""

    def __init__(
        self,
        google: ConnectedGoogle,
        resources: CalendarResources,
        *,
        connection_id: UUID,
        charge: AccountCharge | None,
    ) -> None:
        super().__init__(google, connection_id=connection_id, charge=charge)
        self._api = resources

    async def list_calendars(
        self, *, sync_token: str | None, page_token: str | None
    ) -> CalendarListPage:
        """Return a page of the person's calendars: all of them, or what changed.

        Raises:
            CursorExpired: Google no longer knows the token.
        Source: https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list
        """
        request = self._api.calendar_list.list(
            maxResults=PAGE,
            showHidden=True,
            **_given(syncToken=sync_token, pageToken=page_token),
        )
        return calendar_list_page(await self._execute(request), after=page_token)

    async def list_events(
        self,
        calendar_id: str,
        *,
        since: datetime | None,
        sync_token: str | None,
        page_token: str | None,
        details: bool,
    ) -> EventsPage:
        """Return a page of a calendar's events: all from `since` on, or what changed.

        Masters of series come as such, not their occurrences.

        Args:
            calendar_id: Google's.
            since: of all of them, without a token.
            sync_token: what changed since it was given.
            page_token: of the page before.
            details: whether the person sees more of them than when somebody is busy.

        Raises:
            CursorExpired: Google no longer knows the token.
            NotFound: the person does not see the calendar (any more).
        Source: https://developers.google.com/workspace/calendar/api/guides/sync
        """
        begin = None if since is None or sync_token is not None else since.isoformat()
        request = self._api.events.list(
            calendarId=calendar_id,
            maxResults=PAGE,
            singleEvents=False,
            **_given(timeMin=begin, syncToken=sync_token, pageToken=page_token),
        )
        return events_page(await self._execute(request), after=page_token, details=details)

    async def get_event(
        self, calendar_id: str, event_id: str, *, details: bool = True
    ) -> Event | None:
        """Return an event, which may be cancelled; None: there is none."""
        request = self._api.events.get(calendarId=calendar_id, eventId=event_id)
        answer = await self._absent_is_none(request)
        return None if answer is None else event_of(answer, details=details)

    async def watch(
        self, calendar_id: str, *, channel_id: str, token: str, address: str, life: timedelta
    ) -> ChannelAnswer:
        """Let Google tell `address` of changes of a calendar; never tried twice.

        Source: https://developers.google.com/workspace/calendar/api/guides/push
        """
        body = {
            "id": channel_id,
            "type": "web_hook",
            "address": address,
            "token": token,
            "params": {"ttl": str(int(life.total_seconds()))},
        }
        request = self._api.events.watch(calendarId=calendar_id, body=body)
        return channel_answer(await self._execute(request, repeatable=False))

    async def stop(self, *, channel_id: str, resource_id: str) -> None:
        """Let a channel tell no more; one that is gone is gone."""
        request = self._api.channels.stop(body={"id": channel_id, "resourceId": resource_id})
        await self._absent_is_none(request, repeatable=True)

    async def insert(
        self,
        calendar_id: str,
        body: Mapping[str, Any],
        *,
        notify: Notify | None,
        timeout_s: float,
    ) -> Event | None:
        """Put an event in; None: one with its id is or was there. Never tried twice.

        Source: https://developers.google.com/workspace/calendar/api/v3/reference/events/insert
        """
        request = self._api.events.insert(
            calendarId=calendar_id, body=dict(body), **params_for(notify)
        )
        try:
            answer = await self._execute(request, repeatable=False, timeout_s=timeout_s)
        except Conflict as exc:
            _refuse_ours(exc)
            return None
        return event_of(answer)

    async def patch(
        self,
        calendar_id: str,
        event_id: str,
        body: Mapping[str, Any],
        *,
        etag: str | None,
        notify: Notify | None,
        timeout_s: float,
    ) -> Event | None:
        """Change an event, if it still is what `etag` says; None: it is not. Never tried twice.

        Raises:
            NotFound: there is none.
        Source: https://developers.google.com/workspace/calendar/api/guides/version-resources
        """
        request = _if_match(
            self._api.events.patch(
                calendarId=calendar_id, eventId=event_id, body=dict(body), **params_for(notify)
            ),
            etag,
        )
        try:
            answer = await self._execute(request, repeatable=False, timeout_s=timeout_s)
        except Conflict as exc:
            _refuse_ours(exc)
            return None
        return event_of(answer)

    async def delete(
        self,
        calendar_id: str,
        event_id: str,
        *,
        etag: str | None,
        notify: Notify | None,
        timeout_s: float,
    ) -> bool:
        """Cancel an event, if it still is what `etag` says; False: it is not. Gone is gone."""
        updates = params_for(notify)["sendUpdates"]
        request = _if_match(
            self._api.events.delete(calendarId=calendar_id, eventId=event_id, sendUpdates=updates),
            etag,
        )
        try:
            await self._absent_is_none(request, repeatable=False, timeout_s=timeout_s)
        except Conflict as exc:
            _refuse_ours(exc)
            return False
        return True

    async def busy(
        self, calendar_ids: list[str], *, start: datetime, end: datetime
    ) -> dict[str, list[tuple[datetime, datetime]]]:
        """Return when each of up to 50 calendars is busy; those that cannot be seen are left out.

        Source: https://developers.google.com/workspace/calendar/api/v3/reference/freebusy/query
        """
        body = {
            "timeMin": start.isoformat(),
            "timeMax": end.isoformat(),
            "items": [{"id": one} for one in calendar_ids],
        }
        answer = await self._execute(self._api.freebusy.query(body=body), repeatable=True)
        try:
            return {
                name: [
                    (datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]))
                    for one in found["busy"]
                ]
                for name, found in answer["calendars"].items()
                if not found.get("errors")
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            raise AnswerUnreadable("Google's answer is not readable.") from None


def _given(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def _if_match(request: ApiRequest, etag: str | None) -> ApiRequest:
    if etag is None:
        return request
    return replace(request, headers={**request.headers, "If-Match": etag})


def _refuse_ours(exc: Conflict) -> None:
    """Keep apart what Google says of the event and what auth says of the connection.

    Raises:
        Conflict: it is auth that refuses.
    """
    if "google_status" not in exc.data:
        raise exc
