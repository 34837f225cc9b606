"""What is kept of mail that comes and of mail that is here: every setting, both ways."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common import clock
from libs.common.db import POOL
from services.mail.app.parts import CHORES
from tests.chores import swept
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token

BOB, EVE = "bob@example.org", "eve@elsewhere.example"
Json = dict[str, Any]

ROWS = """
SELECT google_id, CASE WHEN NOT traced THEN kept WHEN kept = 'nothing' THEN kept ELSE 'trace' END
       AS kept, subject, snippet, body_text, body_html, attachments,
       (SELECT count(*) FROM message_addresses a WHERE a.message_id = m.id) AS hashes
  FROM messages m ORDER BY internal_date, google_id
"""


async def put(mail: Stand, connection_id: str, *, wait: int = 30, **settings: Any) -> Json:
    """Set all settings, wait until they act on what is there, and return them."""
    settings.setdefault("policy", "all")
    path = f"/v1/mail/connections/{connection_id}/settings"
    answer = await mail.call("PUT", f"{path}?wait={wait}", settings)
    assert answer.status == 200, answer
    return dict(answer.body)


async def tell(mail: Stand, *emails: str, version: int = 1) -> None:
    body = {"version": version, "name": "Bob", "emails": list(emails)}
    path = "/v1/mail/entities/deal/42"
    answer = await mail.call("PUT", path, body, token=service_caller_token())
    assert answer.status == 200, answer


async def kept(mail: Stand) -> list[str]:
    return [row["kept"] for row in await mail.fetch(ROWS)]


async def keeps(mail: Stand, *levels: str) -> None:
    async def is_so() -> bool:
        found = await kept(mail)
        assert found == list(levels), found
        return True

    await eventually(is_so)


async def activities(mail: Stand) -> list[Json]:
    path = "/v1/mail/activities?entity_type=deal&entity_id=42"
    return list((await mail.get(path))["items"])


def redactions(mail: Stand) -> list[tuple[str, str, str]]:
    return [
        (one.data["what"], one.data["kept"], one.data["reason"])
        for one in mail.events("mail.message.redacted")
    ]


async def a_mailbox(mail: Stand) -> str:
    """Connect a mailbox that has mail of Bob, whom the CRM knows, and of Eve."""
    connection_id = await mail.connect()
    await tell(mail, BOB)
    await mail.deliver(subject="from Bob", text="his text", **{"from": BOB})
    await mail.deliver(subject="from Eve", text="her text", **{"from": EVE})
    await mail.told("received", "received")
    return connection_id


async def test_settings_have_defaults_and_are_replaced_as_a_whole(mail: Stand) -> None:
    connection_id = await mail.connect()
    path = f"/v1/mail/connections/{connection_id}/settings"
    given: Json = {
        "policy": "none",
        "backfill_days": 7,
        "suggest_contacts": "sent",
        "blocklist": ["@spam.example", "eve@elsewhere.example"],
        "own_domains": ["sister.example"],
        "own_aliases": ["alice@other.example"],
        "labels": {"only": ["Clients"], "except": ["Private"]},
        "body": "snippet",
        "retention_days": 365,
        "visibility": "metadata",
    }
    assert await put(mail, connection_id, **given) == given
    assert await mail.get(path) == given
    assert await put(mail, connection_id, policy="known") == {
        "policy": "known",
        "backfill_days": 7,
        "suggest_contacts": "none",
        "blocklist": [],
        "own_domains": [],
        "own_aliases": [],
        "labels": {"only": [], "except": []},
        "body": "full",
        "retention_days": None,
        "visibility": "metadata",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"policy": "some"}, "policy"),
        ({"backfill_days": -1}, "backfill_days"),
        ({"suggest_contacts": "all"}, "suggest_contacts"),
        ({"blocklist": ["ok.example", "not an address"]}, "blocklist[1]"),
        ({"blocklist": "ok.example"}, "blocklist"),
        ({"own_domains": ["bob@example.org"]}, "own_domains[0]"),
        ({"own_domains": ["gmail.com"]}, "own_domains[0]"),
        ({"own_aliases": ["example.org"]}, "own_aliases[0]"),
        ({"labels": {"except": [""]}}, "labels.except[0]"),
        ({"labels": {"without": ["a"]}}, "labels.without"),
        ({"body": "some"}, "body"),
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": "30"}, "retention_days"),
        ({"visible": True}, "visible"),
    ],
)
async def test_what_is_wrong_is_named(web_only: Stand, body: Json, field: str) -> None:
    path = f"/v1/mail/connections/{UUID(int=1)}/settings"
    answer = await web_only.call("PUT", path, body)
    assert answer.status == 400
    assert [one["field"] for one in answer.body["errors"]] == [field]


async def test_what_a_policy_does_not_keep_goes_from_what_is_there(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await put(mail, connection_id, policy="known")
    assert await kept(mail) == ["whole", "trace"]
    assert [one["subject"] for one in await mail.messages()] == ["from Bob"]
    assert len(await activities(mail)) == 1
    await eventually(lambda: redactions(mail) == [("removed", "trace", "policy")])
    await put(mail, connection_id, policy="none")
    assert await kept(mail) == ["trace", "trace"]
    assert await mail.messages() == []
    assert await activities(mail) == []
    await eventually(lambda: len(redactions(mail)) == 2)
    last = (await eventually(lambda: mail.events("mail.activity.logged")[1:]))[-1]
    assert last.data["activity"]["entities"] == []
    assert last.data["activity"]["title"] == ""


async def test_what_a_policy_keeps_again_is_fetched_again(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await put(mail, connection_id, policy="none")
    await mail.deliver(subject="meanwhile", text="more", **{"from": BOB})
    await keeps(mail, "trace", "trace", "trace")
    await put(mail, connection_id, policy="known")
    assert await kept(mail) == ["whole", "trace", "whole"]
    assert len(await activities(mail)) == 2
    await put(mail, connection_id, policy="all")
    assert await kept(mail) == ["whole", "whole", "whole"]
    shown = {one["subject"] for one in await mail.messages()}
    assert shown == {"from Bob", "from Eve", "meanwhile"}
    told = [one for one in mail.events("mail.message.received") if one.data["origin"] == "repair"]
    await eventually(
        lambda: (
            sorted(
                one.data["subject"]
                for one in mail.events("mail.message.received")
                if one.data["origin"] == "repair"
            )
            == ["from Bob", "from Eve", "meanwhile"]
        ),
        what=str(told),
    )


async def test_under_none_nothing_is_told_linked_or_kept_but_traces(mail: Stand) -> None:
    connection_id = await mail.connect()
    await put(mail, connection_id, policy="none")
    await tell(mail, BOB)
    await mail.deliver(subject="secret", text="secret", **{"from": BOB})
    await keeps(mail, "trace")
    await tell(mail, BOB, "rob@example.org", version=2)
    await mail.quiet()
    assert await kept(mail) == ["trace"]
    assert await activities(mail) == []
    assert mail.events("mail.message.") == mail.events("mail.activity.") == []


async def test_settings_answer_with_a_job_that_says_what_came_of_them(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    path = f"/v1/mail/connections/{connection_id}/settings"
    answer = await mail.call("PUT", f"{path}?wait=30", {"policy": "known"})
    job = await mail.get(answer.headers["Location"])
    assert (job["kind"], job["state"]) == ("mail.settings", "done")
    assert job["facts"] == {"settings_version": 1, "removed": 1, "reduced": 0, "raised": 0}
    assert job["done"] == job["total"] == 2
    again = await mail.call("PUT", path, {"policy": "known"})
    assert (again.status, "Location" in again.headers) == (200, False)


async def test_mail_with_somebody_who_is_blocked_goes_and_comes_back(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await mail.deliver(subject="copied", cc="deep@sub.elsewhere.example", **{"from": BOB})
    await eventually(lambda: len(mail.types()) == 3)
    await put(mail, connection_id, blocklist=["elsewhere.example"])
    assert await kept(mail) == ["whole", "nothing", "nothing"]
    rows = await mail.fetch(ROWS)
    assert [row["hashes"] for row in rows] == [2, 0, 0]
    await eventually(lambda: redactions(mail) == [("removed", "nothing", "blocklist")] * 2)
    await mail.deliver(subject="blocked", **{"from": EVE})
    await mail.deliver(subject="sent", sent=True, to=EVE)
    await keeps(mail, "whole", "nothing", "nothing", "nothing", "nothing")
    await put(mail, connection_id)
    assert await kept(mail) == ["whole"] * 5


async def test_an_entity_does_not_find_mail_that_is_blocked(mail: Stand) -> None:
    connection_id = await mail.connect()
    await put(mail, connection_id, policy="known")
    await mail.deliver(subject="before", cc=EVE, **{"from": BOB})
    await keeps(mail, "trace")
    await put(mail, connection_id, policy="known", blocklist=[EVE])
    await tell(mail, BOB)
    await keeps(mail, "nothing")
    await put(mail, connection_id, policy="known")
    await keeps(mail, "whole")
    assert len(await activities(mail)) == 1


async def test_own_people_are_not_blocked(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await put(mail, connection_id, blocklist=["example.com"])
    assert await kept(mail) == ["whole", "whole"]


async def label(mail: Stand, name: str) -> str:
    """Make a label as the person does in Gmail; return its id."""
    order = {"scopes": ["https://mail.google.com/"]}
    made = await mail.google.control("POST", f"people/{ALICE}/tokens", order)
    url = f"{mail.google.origin}/gmail/v1/users/me/labels"
    headers = {"Authorization": f"Bearer {made['access_token']}"}
    async with mail.session.post(url, json={"name": name}, headers=headers) as answer:
        return str((await answer.json())["id"])


async def rename(mail: Stand, label_id: str, name: str) -> None:
    order = {"scopes": ["https://mail.google.com/"]}
    made = await mail.google.control("POST", f"people/{ALICE}/tokens", order)
    url = f"{mail.google.origin}/gmail/v1/users/me/labels/{label_id}"
    headers = {"Authorization": f"Bearer {made['access_token']}"}
    async with mail.session.patch(url, json={"name": name}, headers=headers) as answer:
        assert answer.ok, await answer.text()


async def test_mail_that_gets_or_loses_a_label_leaves_and_enters(mail: Stand) -> None:
    connection_id = await mail.connect()
    private = await label(mail, "Private")
    sent = await mail.deliver(subject="mine", text="private", labels=[private])
    await mail.deliver(subject="plain")
    await eventually(lambda: len(mail.types()) == 2)
    await put(mail, connection_id, labels={"except": ["private"]})
    assert await kept(mail) == ["nothing", "whole"]
    await mail.edit(sent["id"], "label", remove=[private])
    await keeps(mail, "whole", "whole")
    await mail.edit(sent["id"], "label", add=[private])
    await keeps(mail, "nothing", "whole")
    await eventually(lambda: redactions(mail) == [("removed", "nothing", "labels")] * 2)
    await put(mail, connection_id)
    assert await kept(mail) == ["whole", "whole"]


async def test_only_mail_with_a_label_is_kept_if_that_is_wanted(mail: Stand) -> None:
    connection_id = await mail.connect()
    clients = await label(mail, "Clients")
    await mail.deliver(subject="client", labels=[clients])
    other = await mail.deliver(subject="plain")
    await eventually(lambda: len(mail.types()) == 2)
    await put(mail, connection_id, labels={"only": ["Clients"]})
    assert await kept(mail) == ["whole", "nothing"]
    await mail.deliver(subject="next")
    await keeps(mail, "whole", "nothing", "nothing")
    await mail.edit(other["id"], "label", add=[clients])
    await keeps(mail, "whole", "whole", "nothing")


async def test_a_label_that_takes_the_name_of_the_filter_lets_its_mail_go(mail: Stand) -> None:
    connection_id = await mail.connect()
    mine = await label(mail, "Work")
    await mail.deliver(subject="mine", labels=["INBOX", mine])
    await mail.deliver(subject="plain")
    await eventually(lambda: len(mail.types()) == 2)
    await put(mail, connection_id, labels={"except": ["Private"]})
    assert await kept(mail) == ["whole", "whole"]
    await rename(mail, mine, "Private")
    await mail.deliver(subject="last", labels=["INBOX", await label(mail, "Newer")])
    await keeps(mail, "nothing", "whole", "whole")


async def test_without_bodies_subject_and_snippet_stay_and_are_found(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await put(mail, connection_id, body="snippet")
    assert await kept(mail) == ["snippet", "snippet"]
    (row, _) = await mail.fetch(ROWS)
    assert (row["subject"], row["snippet"]) == ("from Bob", "his text")
    assert (row["body_text"], row["body_html"], row["attachments"]) == ("", None, [])
    await eventually(lambda: redactions(mail) == [("reduced", "snippet", "body")] * 2)
    (found,) = (await mail.get("/v1/mail/search?q=his"))["items"]
    message = await mail.get(f"/v1/mail/messages/{found['id']}")
    assert (message["subject"], message["text"], message["attachments"]) == ("from Bob", "", [])
    assert message["kept"] == found["kept"] == "snippet"
    assert len(await activities(mail)) == 1
    attached = [{"filename": "a.txt", "content": "YQ==", "mime_type": "text/plain"}]
    await mail.deliver(subject="next", text="long " * 200, attachments=attached)
    await keeps(mail, "snippet", "snippet", "snippet")
    (*_, last) = await mail.fetch(ROWS)
    assert (last["subject"], last["body_text"], last["attachments"]) == ("next", "", [])


async def test_metadata_are_people_and_date_alone(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await put(mail, connection_id, body="metadata")
    rows = await mail.fetch(ROWS)
    assert [(row["kept"], row["subject"], row["snippet"]) for row in rows] == [
        ("metadata", "", "")
    ] * 2
    assert (await mail.get("/v1/mail/search?q=text"))["items"] == []
    assert len((await mail.get("/v1/mail/search?q=from:bob"))["items"]) == 1
    (activity,) = await activities(mail)
    assert (activity["title"], activity["snippet"]) == ("", "")
    last = (await eventually(lambda: mail.events("mail.activity.logged")[1:]))[-1]
    assert (last.data["activity"]["title"], len(last.data["activity"]["entities"])) == ("", 1)


async def test_bodies_that_may_be_kept_again_are_fetched(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    await put(mail, connection_id, body="metadata")
    await put(mail, connection_id, body="snippet")
    assert await kept(mail) == ["snippet", "snippet"]
    await put(mail, connection_id)
    assert await kept(mail) == ["whole", "whole"]
    (found,) = (await mail.get("/v1/mail/search?q=his"))["items"]
    assert (await mail.get(f"/v1/mail/messages/{found['id']}"))["text"] == "his text"
    (activity,) = await activities(mail)
    assert activity["title"] == "from Bob"

    def last_title() -> bool:
        told = mail.events("mail.activity.logged")
        return bool(told[-1].data["activity"]["title"] == "from Bob") and len(told) > 1

    await eventually(last_title)


async def night(mail: Stand) -> None:
    await swept(mail.app[POOL], mail.app[CHORES])


async def old_mail(mail: Stand) -> Json:
    month_ago = clock.now() - timedelta(days=30)
    return await mail.deliver(
        subject="old", internal_date_ms=int(month_ago.timestamp() * 1000), **{"from": BOB}
    )


async def test_mail_that_is_too_old_goes_and_comes_back_when_it_may(mail: Stand) -> None:
    connection_id = await mail.connect()
    await tell(mail, BOB)
    await old_mail(mail)
    await mail.deliver(subject="new", **{"from": BOB})
    await eventually(lambda: len(mail.types()) == 2)
    await put(mail, connection_id, retention_days=7)
    assert await kept(mail) == ["nothing", "whole"]
    await eventually(lambda: redactions(mail) == [("removed", "nothing", "retention")])
    await put(mail, connection_id, retention_days=90)
    assert await kept(mail) == ["whole", "whole"]
    assert len(await activities(mail)) == 2


async def test_what_grows_too_old_goes_at_night(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver(subject="one")
    await mail.deliver(subject="two")
    await eventually(lambda: len(mail.types()) == 2)
    await put(mail, connection_id, retention_days=7)
    assert await kept(mail) == ["whole", "whole"]
    await mail.fetch("UPDATE messages SET internal_date = internal_date - interval '8 days'")
    await night(mail)
    assert await kept(mail) == ["nothing", "nothing"]
    await eventually(lambda: redactions(mail) == [("removed", "nothing", "retention")] * 2)


async def test_own_domains_and_aliases_are_linked_to_nobody_for_all_of_the_tenant(
    mail: Stand,
) -> None:
    first = await mail.connect()
    service = service_caller_token()
    await tell(mail, BOB, EVE)
    await mail.deliver(subject="from Bob", **{"from": BOB})
    await mail.deliver(subject="from Eve", **{"from": EVE})
    await eventually(lambda: len(mail.types()) == 2)
    assert len(await activities(mail)) == 2
    await mail.google.add_person("anna@example.com", name="Anna")
    second = await mail.connect(person="anna@example.com", token=caller_token(user="anna"))
    path = f"/v1/mail/connections/{second}/settings"
    own = {"policy": "all", "own_domains": ["example.org"], "own_aliases": [EVE]}
    answer = await mail.call("PUT", f"{path}?wait=30", own, token=service)
    assert answer.status == 200

    async def nothing_is_linked() -> bool:
        return await activities(mail) == []

    await eventually(nothing_is_linked)
    await mail.deliver(subject="next", **{"from": BOB})
    await eventually(lambda: len(mail.types()) == 3)
    assert await activities(mail) == []
    assert (await mail.call("PUT", path, {"policy": "all"}, token=service)).status == 200

    async def all_are_linked() -> bool:
        return len(await activities(mail)) == 3

    await eventually(all_are_linked)
    assert await mail.status(first) is not None


async def test_own_domains_of_one_tenant_are_not_anothers(mail: Stand) -> None:
    await mail.connect()
    other = caller_token(user="olga", tenant="umbrella")
    theirs = await mail.connect(token=other)
    path = f"/v1/mail/connections/{theirs}/settings"
    own = {"policy": "none", "own_domains": ["example.org"], "blocklist": ["example.org"]}
    assert (await mail.call("PUT", f"{path}?wait=30", own, token=other)).status == 200
    await tell(mail, BOB)
    await mail.deliver(subject="from Bob", **{"from": BOB})
    await mail.told("received")
    assert len(await activities(mail)) == 1
    assert await mail.messages(token=other) == []


async def test_a_mailbox_that_nobody_reads_lets_go_at_night(mail: Stand) -> None:
    connection_id = await a_mailbox(mail)
    path = f"/v1/mail/connections/{connection_id}"
    assert (await mail.call("POST", f"{path}/pause")).status == 200
    await put(mail, connection_id, policy="none", wait=0)
    assert await kept(mail) == ["whole", "whole"]
    await night(mail)
    assert await kept(mail) == ["trace", "trace"]
    await put(mail, connection_id, policy="all", wait=0)
    await night(mail)
    assert await kept(mail) == ["trace", "trace"]
    assert (await mail.call("POST", f"{path}/resume")).status == 200
    await keeps(mail, "whole", "whole")


@pytest.mark.parametrize("policy", ["none", "known"])
async def test_a_new_connection_begins_with_the_deployments_policy(
    stand: Stand, policy: str
) -> None:
    stand.settings = stand.settings.model_copy(update={"policy": policy})
    async with stand.serving():
        connection_id = await stand.connect()
        path = f"/v1/mail/connections/{connection_id}/settings"
        assert (await stand.get(path))["policy"] == policy
