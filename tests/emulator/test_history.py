import pytest

from tests.emulator.google import ALICE, Google, Mail


async def test_history_tells_what_happened_after_an_id(google: Google, mail: Mail) -> None:
    start = await mail.history_id()
    arrived = await google.arrive(subject="x")

    found = await mail.get("history", startHistoryId=start)

    (record,) = found["history"]
    assert record["messages"] == [{"id": arrived["id"], "threadId": arrived["threadId"]}]
    assert record["messagesAdded"][0]["message"]["id"] == arrived["id"]
    assert record["id"] == arrived["historyId"] == found["historyId"]
    assert int(record["id"]) > int(start)


async def test_history_has_no_records_field_when_nothing_changed(mail: Mail) -> None:
    start = await mail.history_id()

    assert await mail.get("history", startHistoryId=start) == {"historyId": start}


async def test_label_changes_name_the_labels(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()
    start = await mail.history_id()
    await google.edit(arrived["id"], "read")
    await google.edit(arrived["id"], "star")

    first, second = (await mail.get("history", startHistoryId=start))["history"]

    assert first["labelsRemoved"][0]["labelIds"] == ["UNREAD"]
    assert first["labelsRemoved"][0]["message"]["labelIds"] == ["INBOX"]
    assert second["labelsAdded"][0]["labelIds"] == ["STARRED"]


async def test_trashing_is_a_label_change_and_deleting_is_a_deletion(
    google: Google, mail: Mail
) -> None:
    arrived = await google.arrive()
    start = await mail.history_id()
    await google.edit(arrived["id"], "trash")
    await google.edit(arrived["id"], "delete")

    records = (await mail.get("history", startHistoryId=start))["history"]

    assert [set(r) - {"id", "messages"} for r in records] == [
        {"labelsAdded"},
        {"labelsRemoved"},
        {"messagesDeleted"},
    ]
    assert (await mail.call("GET", f"messages/{arrived['id']}")).status == 404


async def test_an_edit_that_changes_nothing_leaves_no_record(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()
    start = await mail.history_id()

    await google.edit(arrived["id"], "unread")

    assert await mail.history_id() == start


async def test_history_comes_in_pages_that_new_records_do_not_move(
    google: Google, mail: Mail
) -> None:
    start = await mail.history_id()
    made = [(await google.arrive())["id"] for _ in range(3)]
    first = await mail.get("history", startHistoryId=start, maxResults=2)
    made.append((await google.arrive())["id"])

    query = {"startHistoryId": start, "maxResults": 2, "pageToken": first["nextPageToken"]}
    second = await mail.get("history", **query)

    records = first["history"] + second["history"]
    assert [r["messages"][0]["id"] for r in records] == made
    assert "nextPageToken" not in second


async def test_history_filters_by_type_and_label(google: Google, mail: Mail) -> None:
    start = await mail.history_id()
    arrived = await google.arrive()
    other = await google.arrive(labels=["SENT"])
    await google.edit(arrived["id"], "read")

    by_type = await mail.get("history", startHistoryId=start, historyTypes="messageAdded")
    by_label = await mail.get("history", startHistoryId=start, labelId="SENT")

    assert len(by_type["history"]) == 2
    assert [r["messages"][0]["id"] for r in by_label["history"]] == [other["id"]]


async def test_an_id_from_the_future_or_the_far_past_is_not_found(mail: Mail) -> None:
    current = int(await mail.history_id())
    for start in (1, current + 1):
        answer = await mail.call("GET", "history", params={"startHistoryId": start})
        assert (answer.status, answer.reason) == (404, "notFound")


@pytest.mark.parametrize("params", [{}, {"startHistoryId": "abc"}])
async def test_a_missing_or_unreadable_start_is_a_bad_request(
    mail: Mail, params: dict[str, str]
) -> None:
    assert (await mail.call("GET", "history", params=params)).status == 400


async def test_history_older_than_a_week_is_gone(google: Google, mail: Mail) -> None:
    start = await mail.history_id()
    arrived = await google.arrive()
    await google.control("PUT", "clock", {"offset_s": 8 * 86_400})
    mail = await google.mailbox()

    old = await mail.call("GET", "history", params={"startHistoryId": start})
    current = await mail.get("history", startHistoryId=arrived["historyId"])

    assert old.status == 404
    assert current == {"historyId": arrived["historyId"]}


async def test_expired_history_forgets_every_known_id(google: Google, mail: Mail) -> None:
    start = await mail.history_id()

    await google.control("POST", f"people/{ALICE}/history", {"action": "expire"})

    answer = await mail.call("GET", "history", params={"startHistoryId": start})
    assert answer.status == 404
    fresh = await mail.history_id()
    assert await mail.get("history", startHistoryId=fresh) == {"historyId": fresh}


async def test_records_can_be_reduced_to_the_documented_minimum(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"history_labels": False})
    start = await mail.history_id()
    await google.arrive()

    (record,) = (await mail.get("history", startHistoryId=start))["history"]

    assert set(record["messagesAdded"][0]["message"]) == {"id", "threadId"}


async def test_history_can_say_everything_twice(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"history_duplicates": True})
    start = await mail.history_id()
    arrived = await google.arrive()
    await google.edit(arrived["id"], "read")

    added, changed = (await mail.get("history", startHistoryId=start))["history"]

    assert [m["id"] for m in added["messages"]] == [arrived["id"]] * 2
    assert [e["message"]["id"] for e in added["messagesAdded"]] == [arrived["id"]] * 2
    assert len(changed["messages"]) == 2
    assert len(changed["labelsRemoved"]) == 1


async def test_renaming_a_label_leaves_no_record(google: Google, mail: Mail) -> None:
    label = await mail.post("labels", {"name": "Leads"})
    await google.arrive(labels=["INBOX", label["id"]])
    start = await mail.history_id()

    patched = await mail.call("PATCH", f"labels/{label['id']}", json={"name": "Hot leads"})
    updated = await mail.call("PUT", f"labels/{label['id']}", json={"name": "Cold leads"})

    assert (patched.json["name"], updated.json["name"]) == ("Hot leads", "Cold leads")
    assert updated.json["id"] == label["id"]
    assert await mail.get("history", startHistoryId=start) == {"historyId": start}
