"""How the terms of `q` are joined, and the operators that mail clients send."""

import base64

import pytest

from tests.emulator.google import ALICE, Google, Mail


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from:carol OR from:bob", True),
        ("from:carol OR from:dave", False),
        ("from:carol OR from:bob subject:invoice", True),
        ("from:carol OR from:bob subject:receipt", False),
        ("from:bob AND subject:invoice", True),
        ("{from:carol from:bob}", True),
        ("-{from:carol from:bob}", False),
        ("from:(carol OR bob)", True),
        ("subject:(invoice big)", True),
        ("subject:(invoice small)", False),
        ("(from:bob (subject:invoice))", True),
        ("FROM:bob", True),
        ("to:me", True),
        ("from:me", False),
        ("larger:100", True),
        ("larger:1M", False),
        ("smaller:1M", True),
        ("size:many", False),
        ("filename:pdf", True),
        ("filename:plan.doc", False),
        ("has:attachment", True),
        ("has:nouserlabels", True),
        ("has:userlabels", False),
        ("category:primary", True),
        ("category:social", False),
        ("list:news.example.net", True),
        (")(", True),
    ],
)
async def test_terms_are_joined_as_gmail_joins_them(
    google: Google,
    mail: Mail,
    query: str,
    found: bool,  # noqa: FBT001 - a table's column
) -> None:
    await google.arrive(
        **{"from": "Bob <bob@example.net>"},
        to=ALICE,
        subject="Big invoice",
        headers={"List-ID": "<news.example.net>"},
        attachments=[{"filename": "plan.pdf", "content": base64.b64encode(b"x").decode()}],
    )

    assert bool((await mail.get("messages", q=query))["resultSizeEstimate"]) is found


async def test_excluding_a_hidden_place_does_not_open_the_others(
    google: Google, mail: Mail
) -> None:
    message = await google.arrive(subject="Won")
    await google.edit(message["id"], "spam")

    assert (await mail.get("messages", q="-in:trash"))["resultSizeEstimate"] == 0


@pytest.mark.parametrize("name", ["hot-leads-2024", '"Hot leads/2024"', "HOT-LEADS/2024"])
async def test_a_label_is_found_by_its_name_with_or_without_dashes(
    google: Google, mail: Mail, name: str
) -> None:
    label = await mail.post("labels", {"name": "Hot leads/2024"})
    message = await google.arrive(labels=["INBOX", label["id"]])
    await google.arrive()

    found = await mail.get("messages", q=f"label:{name}")

    assert [m["id"] for m in found["messages"]] == [message["id"]]


async def test_a_message_is_found_by_its_message_id_in_every_place(
    google: Google, mail: Mail
) -> None:
    message = await google.arrive()
    await google.edit(message["id"], "trash")
    query = f"rfc822msgid:{message['messageId']}"

    assert (await mail.get("messages", q=query))["resultSizeEstimate"] == 0
    found = await mail.get("messages", q=f"{query} in:anywhere")
    assert [m["id"] for m in found["messages"]] == [message["id"]]
