"""The CRM tells of its entities over HTTP: one, its end, and many at once."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from yarl import URL

from libs.common.events import crm
from libs.common.events.crm import EntityDeleted, EntityUpserted
from tests import messaging
from tests.integration.mail.stand import Stand
from tests.logs import Recorder
from tests.messaging import NOON
from tests.support import bearer, caller_token, eventually, service_caller_token

CRM = service_caller_token()
UMBRELLA = service_caller_token(tenant="umbrella")
BOB = "/v1/mail/entities/lead/bob"
IMPORT = "/v1/mail/entities:import"


async def put(stand: Stand, path: str = BOB, *, token: str = CRM, **body: Any) -> Any:
    return await stand.call("PUT", path, {"version": 1, **body}, token=token)


async def send(stand: Stand, body: Any, *, kind: str = "application/x-ndjson") -> tuple[int, Any]:
    headers = {**bearer(CRM), "Content-Type": kind}
    async with stand.session.post(
        f"{stand.origin}{IMPORT}", data=body, headers=headers
    ) as response:
        return response.status, orjson.loads(await response.read())


def row(number: int, **more: Any) -> bytes:
    given = {
        "entity_type": "lead",
        "entity_id": str(number),
        "version": 1,
        "emails": [f"{number}@x.test"],
    }
    return orjson.dumps(given | more)


async def addresses(stand: Stand) -> list[tuple[str, str, str]]:
    rows = await stand.fetch(
        "SELECT tenant_id, entity_id, address FROM entity_addresses ORDER BY 1, 2, 3"
    )
    return [tuple(one) for one in rows]


async def test_an_older_version_changes_nothing_and_says_so(web_only: Stand) -> None:
    first = await put(web_only, version=5, name="Bob", emails=["Bob@X.test", "bob@x.test "])
    older = await put(web_only, version=4, emails=["old@x.test"])

    assert first.body == {"applied": True, "version": 5}
    assert older.status == 200
    assert older.body == {"applied": False, "version": 5}
    assert await addresses(web_only) == [("acme", "bob", "bob@x.test")]


async def test_a_deleted_entity_comes_back_only_with_a_higher_version(web_only: Stand) -> None:
    await put(web_only, version=2, emails=["bob@x.test"])
    assert (await web_only.call("DELETE", f"{BOB}?version=1", token=CRM)).body["applied"] is False
    gone = await web_only.call("DELETE", f"{BOB}?version=3", token=CRM)
    assert gone.body == {"applied": True, "version": 3}
    assert (await put(web_only, version=3)).body == {"applied": False, "version": 3}
    assert await addresses(web_only) == []
    assert (await put(web_only, version=4)).body == {"applied": True, "version": 4}


async def test_tenants_have_directories_of_their_own(web_only: Stand) -> None:
    await put(web_only, version=9, emails=["bob@x.test"])
    other = await put(web_only, token=UMBRELLA, emails=["eve@x.test"])
    assert other.body == {"applied": True, "version": 1}
    await web_only.call("DELETE", f"{BOB}?version=99", token=UMBRELLA)
    assert await addresses(web_only) == [("acme", "bob", "bob@x.test")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"version": 0}, "version"),
        ({"version": 2**63}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"emails": ["nobody"]}, "emails[0]"),
        ({"emails": ["a b@x.test"]}, "emails[0]"),
        ({"emails": ["a@x.test"] * 51}, "emails"),
        ({"emails": "a@x.test"}, "emails"),
        ({"emails": ["a\0@x.test"]}, "emails[0]"),
        ({"phones": [""]}, "phones[0]"),
        ({"phones": ["1"] * 51}, "phones"),
        ({"name": "x" * 501}, "name"),
        ({"name": "\0"}, "name"),
        ({"owner_user_id": ""}, "owner_user_id"),
        ({"color": "red"}, "color"),
    ],
)
async def test_a_bad_entity_is_refused_by_the_name_of_its_field(
    web_only: Stand, body: dict[str, Any], field: str
) -> None:
    answer = await put(web_only, **body)
    assert answer.status == 400
    assert answer.body["errors"][0]["field"] == field
    assert await addresses(web_only) == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/mail/entities/Lead/1", "entity_type"),
        ("/v1/mail/entities/1lead/1", "entity_type"),
        (f"/v1/mail/entities/{'a' * 33}/1", "entity_type"),
        ("/v1/mail/entities/lead%0A/1", "entity_type"),
        (f"/v1/mail/entities/lead/{'1' * 129}", "entity_id"),
        ("/v1/mail/entities/lead/a%2Fb", "entity_id"),
        ("/v1/mail/entities/lead/%00", "entity_id"),
        ("/v1/mail/entities/lead/%0A", "entity_id"),
    ],
)
async def test_a_path_that_names_no_entity_is_refused(
    web_only: Stand, path: str, field: str
) -> None:
    headers = {**bearer(CRM), "Content-Type": "application/json"}
    url = URL(f"{web_only.origin}{path}", encoded=True)
    async with web_only.session.put(url, data=b'{"version":1}', headers=headers) as response:
        assert response.status == 400, await response.text()
        assert (await response.json(content_type=None))["errors"][0]["field"] == field


@pytest.mark.parametrize("version", ["", "0", "x", "9223372036854775808"])
async def test_a_deletion_needs_its_version(web_only: Stand, version: str) -> None:
    answer = await web_only.call("DELETE", f"{BOB}?version={version}", token=CRM)
    assert answer.status == 400
    assert answer.body["errors"][0]["field"] == "version"


async def test_users_may_not_tell_of_entities(web_only: Stand) -> None:
    assert (await put(web_only, token=caller_token())).status == 403


async def test_good_lines_go_in_although_others_are_broken(web_only: Stand) -> None:
    body = b"\n".join(
        [
            b"\xef\xbb\xbf" + row(1),
            b"",
            b"not json",
            row(2) + b"\r",
            b"   ",
            row(3, emails=["nobody"]),
            row(4, name="\0"),
            b'{"entity_type":"lead"}',
            b'"' + b"x" * 200_000 + b'"',
            b"\xff\xfe",
            row(1, version=1, emails=["late@x.test"]),
            row(1, version=2, emails=["new@x.test"]),
            b"[" * 100_000,
            row(5),
        ]
    )
    status, report = await send(web_only, body)

    assert status == 200
    assert {name: report[name] for name in ("rows", "applied", "stale", "failed")} == {
        "rows": 12,
        "applied": 4,
        "stale": 1,
        "failed": 7,
    }
    assert [(one["line"], one["field"]) for one in report["errors"]] == [
        (3, "body"),
        (6, "emails[0]"),
        (7, "name"),
        (8, "version"),
        (8, "entity_id"),
        (9, "line"),
        (10, "body"),
        (13, "body"),
    ]
    assert await addresses(web_only) == [
        ("acme", "1", "new@x.test"),
        ("acme", "2", "2@x.test"),
        ("acme", "5", "5@x.test"),
    ]


async def test_an_import_twice_changes_nothing(web_only: Stand) -> None:
    body = b"\n".join(row(number) for number in range(1200))
    _, first = await send(web_only, body)
    _, again = await send(web_only, body)
    assert (first["rows"], first["applied"], first["stale"]) == (1200, 1200, 0)
    assert (again["rows"], again["applied"], again["stale"]) == (1200, 0, 1200)


async def test_only_the_first_thousand_errors_are_told(web_only: Stand) -> None:
    _, report = await send(web_only, b"x\n" * 1500)
    assert (report["rows"], report["failed"], len(report["errors"])) == (1500, 1500, 1000)


async def test_an_import_of_another_type_is_refused(web_only: Stand) -> None:
    status, problem = await send(web_only, row(1), kind="application/json")
    assert (status, problem["status"]) == (415, 415)


async def test_rows_beyond_the_limit_end_the_import_which_says_what_went_in(
    web_only: Stand,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield row(1) + b"\n"
        for _ in range(100):
            yield b"x\n" * 1000

    status, problem = await send(web_only, body())
    assert status == 413
    assert problem["limit_rows"] == 100_000
    assert problem["taken"] == {"rows": 100_000, "applied": 1, "stale": 0, "failed": 99_999}
    assert await addresses(web_only) == [("acme", "1", "1@x.test")]


async def test_an_empty_import_is_an_empty_report(web_only: Stand) -> None:
    status, report = await send(web_only, b"\n\n")
    assert (status, report["rows"], report["errors"]) == (200, 0, [])


async def test_events_of_the_crm_change_the_directory_by_version(
    mail: Stand, logs: Recorder
) -> None:
    # What is published before the queue is there is in nobody's queue.
    await eventually(lambda: any('"mail.directory"' in line for line in logs.lines))

    def upserted(version: int, *emails: str) -> EntityUpserted:
        return EntityUpserted(entity_type="lead", entity_id="7", version=version, emails=emails)

    for event in (upserted(2, "New@x.test"), upserted(1, "old@x.test")):
        await publish(mail, event)
    await eventually(lambda: has_seen(mail, 2))
    assert await addresses(mail) == [("acme", "7", "new@x.test")]

    await publish(mail, EntityDeleted(entity_type="lead", entity_id="7", version=3))
    await publish(mail, upserted(3, "new@x.test"))
    await eventually(lambda: has_seen(mail, 4))
    assert await addresses(mail) == []


async def publish(stand: Stand, event: EntityUpserted | EntityDeleted) -> None:
    envelope = crm.envelope_of(event, tenant_id="acme", time=NOON)
    url = stand.settings.amqp_url.get_secret_value()
    await messaging.send(url, envelope.to_json(), key=envelope.type)


async def has_seen(stand: Stand, events: int) -> bool:
    rows = await stand.fetch("SELECT 1 FROM inbox WHERE consumer = 'mail.directory'")
    return len(rows) == events
