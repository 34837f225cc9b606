"""Comparing in full: after a gap, every day, on request; and what a person must decide."""

from typing import Any

from tests.integration.mail.stand import Stand, feed_of
from tests.integration.service_stand import ALICE
from tests.support import eventually


async def silent(mail: Stand) -> None:
    """Let nobody tell us of changes any more."""
    await mail.google.control("PUT", "pushes", {"drop": 100_000})


async def expire(mail: Stand) -> None:
    await mail.google.control("POST", f"people/{ALICE}/history", {"action": "expire"})


async def resynced(mail: Stand) -> dict[str, Any]:
    """Wait for the event of a comparison that has ended; return its data."""
    await eventually(lambda: mail.events("mail.feed.resynced"))
    return mail.events("mail.feed.resynced")[-1].data


async def test_a_gap_is_repaired_beside_the_live_feed_and_told_with_its_counts(
    mail: Stand,
) -> None:
    connection_id = await mail.connect()
    starred, lost = [await mail.deliver(subject=name) for name in ("star", "lost")]
    await eventually(lambda: len(mail.types()) == 2)
    await silent(mail)
    await mail.edit(starred["id"], "star")
    await mail.edit(lost["id"], "delete")
    missed = await mail.deliver(subject="missed")
    await expire(mail)
    assert await mail.forge() == 204
    data = await resynced(mail)
    assert data["reason"] == "gap"
    assert data["connection_id"] == connection_id
    counts = {name: data["counts"][name] for name in ("added", "relabelled", "removed")}
    assert counts == {"added": 1, "relabelled": 1, "removed": 1}
    assert mail.types(missed["id"]) == ["received"]
    assert mail.types(starred["id"]) == ["received", "updated"]
    assert mail.types(lost["id"]) == ["received", "deleted"]


async def test_new_mail_comes_in_while_a_gap_is_repaired(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver(count=30)
    await eventually(lambda: len(mail.types()) == 30)
    await silent(mail)
    await mail.deliver(count=40)
    await expire(mail)
    slow = {"path_prefix": "/gmail/v1/users/me/messages", "delay_s": 0.3, "times": 40}
    await mail.google.control("PUT", "faults", {"rules": [slow]})
    assert await mail.forge() == 204
    await eventually(lambda: mail.fetch("SELECT 1 FROM feeds WHERE kind = 'mail.repair'"))
    await mail.google.control("PUT", "pushes", {})
    new = await mail.deliver(subject="new")
    await eventually(lambda: "received" in mail.types(new["id"]))
    assert not mail.events("mail.feed.resynced")
    await mail.google.control("DELETE", "faults")
    await resynced(mail)
    assert len(await mail.messages("?limit=200")) == 71


async def test_the_audit_finds_what_was_lost_without_a_trace(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"audit_interval": 1.0})
    async with stand.serving():
        await stand.connect()
        kept = await stand.deliver(subject="kept")
        await eventually(lambda: stand.types() == ["received"])
        await stand.fetch("DELETE FROM messages")
        await eventually(lambda: stand.types(kept["id"]) == ["received", "received"])
        data = await resynced(stand)
        assert data["reason"] == "audit"


async def test_a_comparison_on_request_is_a_job(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver(count=3)
    await eventually(lambda: len(mail.types()) == 3)
    body = {"connection_id": connection_id, "mode": "repair"}
    answer = await mail.call("POST", "/v1/mail/sync?wait=20", body)
    assert answer.status == 202
    assert answer.body["state"] == "done"
    assert (await resynced(mail))["reason"] == "request"


async def test_what_a_list_leaves_out_is_not_removed_while_google_has_it(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver(count=3)
    await eventually(lambda: len(mail.types()) == 3)
    lists = "/gmail/v1/users/me/messages"
    empty = {"path_prefix": lists, "method": "GET", "status": 200, "body": {}}
    rules = [{"path_prefix": f"{lists}/"}, empty]  # the first lets single messages through
    await mail.google.control("PUT", "faults", {"rules": rules})
    body = {"connection_id": connection_id, "mode": "repair"}
    assert (await mail.call("POST", "/v1/mail/sync?wait=20", body)).body["state"] == "done"
    assert (await resynced(mail))["counts"].get("removed", 0) == 0
    assert len(await mail.messages()) == 3


async def wave(mail: Stand) -> tuple[str, list[str]]:
    """Let all of 60 messages vanish in a gap; return the connection and their ids."""
    connection_id = await mail.connect()
    ids = (await mail.deliver(count=60))["ids"]
    await eventually(lambda: len(mail.types()) == 60)
    await silent(mail)
    await mail.quiet()
    # A poll that came in between would see some of them go, and rightly tell it.
    away = {"path_prefix": "/gmail/v1/users/me/history", "status": 503}
    await mail.google.control("PUT", "faults", {"rules": [away]})
    for google_id in ids:
        await mail.edit(google_id, "delete")
    await expire(mail)
    await mail.google.control("DELETE", "faults")
    assert await mail.forge() == 204
    await eventually(lambda: mail.fetch("SELECT 1 FROM holds"))
    return connection_id, ids


async def test_a_wave_of_deletions_waits_for_a_person(mail: Stand) -> None:
    connection_id, _ = await wave(mail)
    assert "deleted" not in mail.types()

    async def shows() -> bool:
        repair = feed_of((await mail.status(connection_id)) or {}, "mail.repair")
        return bool(repair["progress"]["state"] == "held" and repair["state"] == "degraded")

    await eventually(shows)
    (hold,) = (await mail.get("/v1/mail/holds?state=open"))["items"]
    assert (hold["kind"], hold["affected"], hold["total"]) == ("mass-deletion", 60, 60)
    assert (await mail.call("POST", f"/v1/mail/holds/{hold['id']}/approve")).status == 200
    await eventually(lambda: mail.types().count("deleted") == 60)
    assert (await resynced(mail))["counts"]["removed"] == 60


async def test_a_wave_that_is_rejected_removes_nothing(mail: Stand) -> None:
    await wave(mail)
    (hold,) = (await mail.get("/v1/mail/holds?state=open"))["items"]
    assert (await mail.call("POST", f"/v1/mail/holds/{hold['id']}/reject")).status == 200
    assert (await resynced(mail))["counts"].get("removed", 0) == 0
    assert "deleted" not in mail.types()
    assert len(await mail.messages("?limit=200")) == 60


async def test_a_dropped_push_is_repaired_within_the_poll_bound(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"poll_interval": 2.0})
    async with stand.serving():
        await stand.connect()
        await stand.quiet()
        await silent(stand)
        await stand.deliver(subject="unannounced")
        await eventually(lambda: stand.types() == ["received"], timeout_s=2.0 + 5.0)
