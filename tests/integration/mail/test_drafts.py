"""Drafts: written here, edited on either side, sent or thrown away."""

import base64
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import pytest

from tests.integration.auth.stand import Answer
from tests.integration.mail.letters import (
    BOB,
    at_google,
    body_of,
    ended,
    fault,
    letter,
    post,
    raw_at_google,
)
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE, Json
from tests.support import bearer, caller_token, eventually

DRAFTS = "/v1/mail/drafts"
UPLOADS = "/upload/gmail/v1/users/me/drafts"


@pytest.fixture
async def quick(stand: Stand) -> AsyncIterator[Stand]:
    """The service, which is not patient with Google."""
    stand.settings = stand.settings.model_copy(update={"settle_after": 0.3, "write_timeout": 3.0})
    async with stand.serving():
        yield stand


async def saved(mail: Stand, path: str) -> Json:
    """Return a draft once nothing of it is on its way."""

    async def look() -> Json:
        assert await mail.fetch("SELECT 1 FROM writes WHERE finished_at IS NULL") == []
        found = await mail.get(path)
        assert found["state"] != "saving"
        return found

    return await eventually(look)


async def drafted(mail: Stand, *files: tuple[str, str, bytes], **fields: Any) -> tuple[str, Json]:
    """Connect, write a draft, and return its path and what it is once it is saved."""
    connection_id = await mail.connect(access="write")
    answer = await post(mail, letter(connection_id=connection_id, **fields), *files, path=DRAFTS)
    assert answer.status == 202, answer
    path = answer.headers["Location"]
    return path, await saved(mail, path)


async def edit(mail: Stand, path: str, *, version: int | str, **fields: Any) -> Answer:
    tag = version if isinstance(version, str) else f'"{version}"'
    headers = {**bearer(caller_token()), "If-Match": tag}
    async with mail.session.put(
        f"{mail.origin}{path}", json=letter(**fields), headers=headers
    ) as response:
        return Answer(response.status, await response.json(), response.headers)


async def edit_in_gmail(mail: Stand, **fields: str) -> None:
    """Let the person change the draft in Gmail, as another client of the API would."""
    scopes = {"scopes": ["https://mail.google.com/"]}
    token = await mail.google.control("POST", f"people/{ALICE}/tokens", scopes)
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    url = f"{mail.google.origin}/gmail/v1/users/me/drafts"
    async with mail.session.get(url, headers=headers) as answer:
        (draft,) = (await answer.json())["drafts"]
    old = await raw_at_google(mail, draft["message"]["id"])
    message = EmailMessage()
    message["To"] = fields.get("to", BOB)
    message["Subject"] = fields.get("subject", "Offer")
    for line in old.decode().splitlines():
        if line.startswith("X-Causeway-Send:"):
            message["X-Causeway-Send"] = line.partition(": ")[2]
    message.set_content(fields.get("text", "Hello Bob"))
    raw = base64.urlsafe_b64encode(message.as_bytes()).decode()
    async with mail.session.put(
        f"{url}/{draft['id']}", json={"message": {"raw": raw}}, headers=headers
    ) as answer:
        assert answer.ok, await answer.text()


async def text_at_google(mail: Stand) -> str:
    (found,) = await at_google(mail, label="DRAFT")
    return body_of(await raw_at_google(mail, found["id"]), "plain")


async def test_a_draft_is_put_into_the_mailbox_and_is_no_mail(mail: Stand) -> None:
    path, draft = await drafted(mail)
    assert (draft["state"], draft["version"]) == ("saved", 1)
    (found,) = await at_google(mail, label="DRAFT")
    assert found["subject"] == "Offer"
    await mail.quiet()
    assert await mail.messages() == []
    assert [one["id"] for one in (await mail.get(DRAFTS))["items"]] == [draft["id"]]
    assert path.endswith(draft["id"])


async def test_a_draft_need_not_be_complete(mail: Stand) -> None:
    path, _ = await drafted(mail, to=[], subject=None, text="To whom?")
    answer = await post(mail, {}, path=f"{path}/send")
    assert (answer.status, answer.fields) == (400, ["to"])


async def test_an_edit_replaces_what_is_in_gmail(mail: Stand) -> None:
    path, draft = await drafted(mail)
    answer = await edit(mail, path, version=draft["version"], text="Hello again")
    assert (answer.status, answer.body["version"]) == (202, 2)
    await saved(mail, path)
    assert await text_at_google(mail) == "Hello again"


async def test_an_edit_of_an_older_version_is_refused(mail: Stand) -> None:
    path, draft = await drafted(mail)
    assert (await edit(mail, path, version=draft["version"], text="one")).status == 202
    answer = await edit(mail, path, version=draft["version"], text="two")
    assert (answer.status, answer.problem) == (412, "precondition-failed")
    unconditional = await mail.call("PUT", path, letter(text="three"))
    assert (unconditional.status, unconditional.problem) == (428, "precondition-required")


async def test_attachments_stay_when_only_the_text_is_edited(mail: Stand) -> None:
    path, draft = await drafted(mail, ("a.txt", "text/plain", b"enclosed"))
    await edit(mail, path, version=draft["version"], text="Hello again")
    await saved(mail, path)
    (found,) = await at_google(mail, label="DRAFT")
    raw = await raw_at_google(mail, found["id"])
    assert b"a.txt" in raw
    assert base64.b64encode(b"enclosed") in raw


async def test_edits_of_different_fields_on_both_sides_come_together(mail: Stand) -> None:
    path, draft = await drafted(mail)
    await edit_in_gmail(mail, subject="Better offer")
    await edit(mail, path, version=draft["version"], text="Hello again")
    merged = await saved(mail, path)
    assert (merged["subject"], merged["text"]) == ("Better offer", "Hello again")
    (found,) = await at_google(mail, label="DRAFT")
    assert found["subject"] == "Better offer"
    assert await text_at_google(mail) == "Hello again"


@pytest.mark.parametrize(("policy", "text"), [("google", "theirs"), ("crm", "ours")])
async def test_edits_of_one_field_on_both_sides_are_decided_by_the_policy(
    stand: Stand, policy: str, text: str
) -> None:
    stand.settings = stand.settings.model_copy(update={"merge_policy": policy})
    async with stand.serving():
        path, draft = await drafted(stand)
        await edit_in_gmail(stand, text="theirs")
        await edit(stand, path, version=draft["version"], text="ours")
        assert (await saved(stand, path))["text"] == text
        assert await text_at_google(stand) == text


async def test_under_manual_a_conflict_is_shown_and_the_next_edit_decides(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"merge_policy": "manual"})
    async with stand.serving():
        path, draft = await drafted(stand)
        await edit_in_gmail(stand, text="theirs")
        await edit(stand, path, version=draft["version"], text="ours")
        conflict = await saved(stand, path)
        assert (conflict["state"], conflict["text"]) == ("conflict", "ours")
        assert conflict["gmail"]["text"] == "theirs"
        assert await text_at_google(stand) == "theirs"
        refused = await post(stand, {}, path=f"{path}/send")
        assert (refused.status, refused.problem) == (409, "draft-conflict")
        await edit(stand, path, version=conflict["version"], text="both")
        assert (await saved(stand, path))["state"] == "saved"
        assert await text_at_google(stand) == "both"


async def test_a_draft_is_sent_as_it_is_in_gmail_and_logged_once(mail: Stand) -> None:
    path, draft = await drafted(mail)
    await edit_in_gmail(mail, text="as edited in Gmail")
    answer = await post(mail, {}, path=f"{path}/send")
    assert answer.status == 202
    done = await ended(mail, draft["id"])
    assert done["state"] == "sent"
    await mail.told("sent")
    message = await mail.get(f"/v1/mail/messages/{draft['id']}")
    assert message["text"].strip() == "as edited in Gmail"
    assert await at_google(mail, label="DRAFT") == []
    assert (await mail.call("GET", path)).status == 404


async def test_a_draft_that_is_thrown_away_is_gone_from_gmail(mail: Stand) -> None:
    path, _ = await drafted(mail)
    assert (await mail.call("DELETE", path)).status == 204
    assert (await mail.call("GET", path)).status == 404

    async def is_gone() -> bool:
        return await at_google(mail, label="DRAFT") == []

    await eventually(is_gone)
    assert (await mail.call("DELETE", path)).status == 404


async def test_a_draft_that_was_thrown_away_in_gmail_is_gone_here(mail: Stand) -> None:
    path, draft = await drafted(mail)
    (found,) = await at_google(mail, label="DRAFT")
    await mail.edit(found["id"], "delete")
    await edit(mail, path, version=draft["version"], text="Hello again")

    async def is_gone() -> bool:
        return (await mail.call("GET", path)).status == 404

    await eventually(is_gone)
    assert await at_google(mail, label="DRAFT") == []


async def test_taking_back_a_scheduled_draft_throws_it_away(mail: Stand) -> None:
    path, draft = await drafted(mail)
    answer = await post(mail, {"send_at": "2026-12-24T12:00:00Z"}, path=f"{path}/send")
    assert answer.body["state"] == "scheduled"
    assert (await mail.call("DELETE", f"/v1/mail/sends/{draft['id']}")).status == 204

    async def is_gone() -> bool:
        return await at_google(mail, label="DRAFT") == []

    await eventually(is_gone)


async def test_a_lost_answer_leaves_one_draft(quick: Stand) -> None:
    await fault(quick, path_prefix=UPLOADS, method="POST", times=1, lose_answer=True)
    path, draft = await drafted(quick)
    assert draft["state"] == "saved"
    assert len(await at_google(quick, label="DRAFT")) == 1
    await edit(quick, path, version=draft["version"], text="Hello again")
    await saved(quick, path)
    assert await text_at_google(quick) == "Hello again"


async def test_drafts_are_only_their_owners(mail: Stand) -> None:
    path, _ = await drafted(mail)
    for token in (caller_token(user="eve"), caller_token(tenant="umbrella")):
        for method in ("GET", "DELETE"):
            assert (await mail.call(method, path, token=token)).status == 404
        assert (await mail.get(DRAFTS, token=token))["items"] == []
