"""What the emulator's tests share: a mail client, a receiver of pushes, the consent form."""

import base64
import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web

from emulator.config import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.emulated import Emulated

ALICE = "alice@example.com"
BOB = "bob@example.com"
TOPIC = "projects/proj-one/topics/gmail"
SUBSCRIPTION = "projects/proj-one/subscriptions/mail"
PUSHER = "pusher@proj-one.iam.gserviceaccount.com"
REDIRECT = "http://127.0.0.1:9/callback"

GMAIL = "https://www.googleapis.com/auth/gmail."
FULL = "https://mail.google.com/"
MODIFY = f"{GMAIL}modify"
READONLY = f"{GMAIL}readonly"
METADATA = f"{GMAIL}metadata"
SEND = f"{GMAIL}send"
CALENDAR = "https://www.googleapis.com/auth/calendar"
CONTACTS = "https://www.googleapis.com/auth/contacts"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that has been read."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def reason(self) -> str:
        """The `errors[0].reason` of Google's envelope."""
        return str(self.json["error"]["errors"][0]["reason"])


@dataclass
class Google:
    """A running emulator with one open client session."""

    emulated: Emulated
    session: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        return self.emulated.origin

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        options.setdefault("allow_redirects", False)
        async with self.session.request(method, self.origin + path, **options) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        return await self.emulated.control(method, path, body)

    async def mailbox(self, *scopes: str, email: str = ALICE) -> "Mail":
        """A Gmail client of that person whose token carries the scopes."""
        wanted = {"scopes": list(scopes) or [FULL]}
        tokens = await self.control("POST", f"people/{email}/tokens", wanted)
        return Mail(self, tokens["access_token"], email)

    async def diary(self, *scopes: str, email: str = ALICE) -> "Diary":
        """A Calendar client of that person whose token carries the scopes."""
        await self.control("POST", "people", {"email": email})
        wanted = {"scopes": list(scopes) or [CALENDAR]}
        tokens = await self.control("POST", f"people/{email}/tokens", wanted)
        return Diary(self, tokens["access_token"], email)

    async def rolodex(self, *scopes: str, email: str = ALICE) -> "Rolodex":
        """A People client of that person whose token carries the scopes."""
        await self.control("POST", "people", {"email": email})
        wanted = {"scopes": list(scopes) or [CONTACTS]}
        tokens = await self.control("POST", f"people/{email}/tokens", wanted)
        return Rolodex(self, tokens["access_token"], email)

    async def arrive(self, email: str = ALICE, **message: Any) -> Json:
        answer: Json = await self.control("POST", f"people/{email}/messages", message)
        return answer

    async def edit(self, message_id: str, action: str, **more: Any) -> Json:
        body = {"message": message_id, "action": action, **more}
        answer: Json = await self.control("POST", f"people/{ALICE}/edits", body)
        return answer

    async def set_up_push(self, endpoint: str, **config: Any) -> None:
        """Create topic and push subscription, as an operator does."""
        await self.request("PUT", f"/v1/{TOPIC}", json={})
        body = {
            "topic": TOPIC,
            "pushConfig": {
                "pushEndpoint": endpoint,
                "oidcToken": {"serviceAccountEmail": PUSHER, "audience": "the-audience"},
            },
            **config,
        }
        answer = await self.request("PUT", f"/v1/{SUBSCRIPTION}", json=body)
        assert answer.status == 200, answer.text


@dataclass
class Mail:
    """Gmail over plain HTTP."""

    google: Google
    token: str
    email: str

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        url = path if path.startswith("/") else f"/gmail/v1/users/me/{path}"
        return await self.google.request(method, url, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=params)
        assert answer.status == 200, answer.text
        return answer.json

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        answer = await self.call("POST", path, json=body, params=params)
        assert answer.status in {200, 204}, answer.text
        return answer.json if answer.text else None

    async def history_id(self) -> str:
        return str((await self.get("profile"))["historyId"])


@dataclass
class Diary:
    """Calendar over plain HTTP."""

    google: Google
    token: str
    email: str

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        url = path if path.startswith("/") else f"/calendar/v3/{path}"
        return await self.google.request(method, url, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=_plain(params))
        assert answer.status == 200, answer.text
        return answer.json

    async def send(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = await self.call(method, path, json=body, params=_plain(params))
        assert answer.status in {200, 204}, answer.text
        return answer.json if answer.text else None

    async def insert(self, calendar: str = "primary", /, **event: Any) -> Json:
        """Create an event; an hour at noon unless the fields say else."""
        body = {**HOUR, **event}
        query = {
            name: body.pop(name)
            for name in ("sendUpdates", "conferenceDataVersion", "supportsAttachments")
            if name in body
        }
        made: Json = await self.send("POST", f"calendars/{calendar}/events", body, **query)
        return made

    async def patch(self, event_id: str, body: Json, **params: Any) -> Json:
        path = f"calendars/primary/events/{event_id}"
        changed: Json = await self.send("PATCH", path, body, **params)
        return changed

    async def delete(self, event_id: str, **params: Any) -> None:
        await self.send("DELETE", f"calendars/primary/events/{event_id}", **params)

    async def event(self, event_id: str, **params: Any) -> Json:
        found: Json = await self.get(f"calendars/primary/events/{event_id}", **params)
        return found

    async def events(self, calendar: str = "primary", /, **params: Any) -> Json:
        """All pages of a listing, as one."""
        items: list[Json] = []
        token = None
        while True:
            more = {**params, **({"pageToken": token} if token else {})}
            page: Json = await self.get(f"calendars/{calendar}/events", **more)
            items += page["items"]
            token = page.get("nextPageToken")
            if token is None:
                return {**page, "items": items}

    async def sync_token(self, **params: Any) -> str:
        return str((await self.events(**params))["nextSyncToken"])

    async def changes(self, token: str, **params: Any) -> list[Json]:
        return list((await self.events(syncToken=token, **params))["items"])


FIELDS = (
    "addresses,biographies,birthdays,clientData,emailAddresses,events,memberships,metadata,names,"
    "nicknames,organizations,phoneNumbers,photos,urls,userDefined"
)


@dataclass
class Rolodex:
    """The People API over plain HTTP."""

    google: Google
    token: str
    email: str

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        url = path if path.startswith("/") else f"/v1/{path}"
        return await self.google.request(method, url, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=_plain(params))
        assert answer.status == 200, answer.text
        return answer.json

    async def send(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = await self.call(method, path, json=body, params=_plain(params))
        assert answer.status == 200, answer.text
        return answer.json

    async def create(self, given: str = "Ann", /, **fields: Any) -> Json:
        """Create a contact with that name and whatever else."""
        body = {"names": [{"givenName": given}], **fields}
        made: Json = await self.send("POST", "people:createContact", body)
        return made

    async def update(self, person: Json, **fields: Any) -> Answer:
        """Replace fields of a person that was read before."""
        params = {"updatePersonFields": ",".join(fields)}
        path = f"{person['resourceName']}:updateContact"
        return await self.call("PATCH", path, json={**person, **fields}, params=params)

    async def delete(self, person: Json) -> None:
        await self.send("DELETE", f"{person['resourceName']}:deleteContact")

    async def person(self, name: str, fields: str = FIELDS) -> Json:
        found: Json = await self.get(name, personFields=fields)
        return found

    async def connections(self, **params: Any) -> Json:
        """All pages of a listing, as one."""
        wanted = {"personFields": FIELDS, "requestSyncToken": True, **params}
        people: list[Json] = []
        token = None
        while True:
            more: Json = {"pageToken": token} if token else {}
            page: Json = await self.get("people/me/connections", **wanted, **more)
            people += page.get("connections", [])
            token = page.get("nextPageToken")
            if token is None:
                return {**page, "connections": people}

    async def sync_token(self, **params: Any) -> str:
        return str((await self.connections(**params))["nextSyncToken"])

    async def changes(self, token: str, **params: Any) -> list[Json]:
        return list((await self.connections(syncToken=token, **params))["connections"])

    async def edit(self, person: Json, action: str, **more: Any) -> Json:
        """Do something in Google's own app."""
        body = {"contact": person["resourceName"], "action": action, **more}
        path = f"people/{self.email}/contact-edits"
        done: Json = await self.google.control("POST", path, body)
        return done


def group_ids(person: Json) -> list[str]:
    """The groups that a person is in."""
    return [
        membership["contactGroupMembership"]["contactGroupId"]
        for membership in person["memberships"]
    ]


HOUR: Json = {
    "summary": "Meeting",
    "start": {"dateTime": "2026-03-02T12:00:00Z"},
    "end": {"dateTime": "2026-03-02T13:00:00Z"},
}
WEEKLY: Json = {
    "summary": "Weekly",
    "start": {"dateTime": "2026-03-02T09:00:00", "timeZone": "Europe/Zurich"},
    "end": {"dateTime": "2026-03-02T10:00:00", "timeZone": "Europe/Zurich"},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"],
}


def _plain(params: Json) -> list[tuple[str, str]]:
    """Query parameters as a client writes them: booleans in words, lists repeated."""
    listed = {name: v if isinstance(v, list) else [v] for name, v in params.items()}
    return [
        (name, str(one).lower() if isinstance(one, bool) else str(one))
        for name, values in listed.items()
        for one in values
    ]


@dataclass
class Channel:
    """A receiver of Calendar's notifications; `statuses` are answered in turn, then 204."""

    url: str = ""
    got: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.got.append({name.title(): value for name, value in request.headers.items()})
        return web.Response(status=self.statuses.popleft() if self.statuses else 204)

    @property
    def states(self) -> list[str]:
        return [headers["X-Goog-Resource-State"] for headers in self.got]

    @property
    def numbers(self) -> list[int]:
        return [int(headers["X-Goog-Message-Number"]) for headers in self.got]


@dataclass
class Receiver:
    """A push endpoint that keeps what it was sent; `statuses` are answered in turn, then 204."""

    url: str = ""
    got: list[Json] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)

    async def handle(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer ") or None)
        self.got.append(await request.json())
        return web.Response(status=self.statuses.popleft() if self.statuses else 204)

    @property
    def notifications(self) -> list[Json]:
        return [json.loads(base64.b64decode(body["message"]["data"])) for body in self.got]


def authorization(**changes: Any) -> dict[str, str]:
    """The parameters of an ordinary authorization request, with changes; None leaves one out."""
    parameters = {
        "client_id": DEFAULT_CLIENT_ID,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": f"openid email {MODIFY} {SEND}",
        "access_type": "offline",
        "state": "the-state",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def form_key(page: str) -> str:
    """The hidden field that ties the consent form to its request."""
    found = re.search(r'name="request" value="([^"]+)"', page)
    assert found, page
    return found[1]


async def decide(google: Google, page: str, **fields: Any) -> dict[str, str]:
    """Submit the consent form and return the query of the redirect."""
    form: Json = {"request": form_key(page), "person": ALICE, "decision": "allow", **fields}
    pairs = [(n, v) for n, vs in form.items() for v in (vs if isinstance(vs, list) else [vs])]
    answer = await google.request("POST", "/o/oauth2/v2/auth/consent", data=pairs)
    assert answer.status == 302, answer.text
    return flat_query(answer.headers["Location"])


async def consent(
    google: Google, *, scope: list[str] | None = None, **changes: Any
) -> dict[str, str]:
    """Walk through the page with every box ticked, or only `scope`."""
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization(**changes))
    assert page.status == 200, page.text
    return await decide(google, page.text, scope=[MODIFY, SEND] if scope is None else scope)


async def exchange(google: Google, code: str, **changes: Any) -> Answer:
    """Trade a code for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
        "redirect_uri": REDIRECT,
        **changes,
    }
    kept = {name: value for name, value in form.items() if value is not None}
    return await google.request("POST", "/token", data=kept)


async def refresh(google: Google, refresh_token: str, **changes: Any) -> Answer:
    """Ask for a new access token."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
        **changes,
    }
    return await google.request("POST", "/token", data=form)


def flat_query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def raw(subject: str = "Hello", text: str = "Hi.", **headers: str) -> str:
    """A message as `raw` carries it."""
    lines = {"From": ALICE, "To": "carol@example.net", "Subject": subject, **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return base64.urlsafe_b64encode(f"{head}\r\n{text}\r\n".encode()).decode()
