"""What our side changes goes to Google: with as few requests as can be, and nothing is lost."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.integration.contacts.outside import (
    change_many,
    delete_many,
    ended,
    faults,
    in_google,
    make_many,
    requests,
    there_are,
)
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import eventually


@pytest.fixture
async def hasty(stand: Stand) -> AsyncIterator[Stand]:
    """The contacts service, which soon finds out what became of a lost answer.

    It reads address books only when a test lets it look.
    """
    seldom = {"shortest_poll": 3600, "longest_poll": 3600}
    soon = {"settle_after": 0.3, "write_timeout": 1.0, "propagation": 1.0}
    stand.settings = stand.settings.model_copy(update=seldom | soon)
    async with stand.serving():
        yield stand


async def test_a_contact_of_the_crm_is_in_google_with_one_request(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    made = await contacts.make(
        given_name="Ada",
        family_name="Byron",
        title="Countess",
        emails=[{"address": "ada@example.org", "type": "work"}],
    )

    found = await in_google(contacts, givenName="Ada", familyName="Byron")
    assert found["organizations"][0]["title"] == "Countess"
    assert found["emailAddresses"][0]["value"] == "ada@example.org"
    assert {"key": "causeway", "value": made["id"]}.items() <= found["clientData"][0].items()
    await contacts.quiet()
    assert await requests(contacts) == {"create": 1}
    await contacts.told(made["id"], "created")


async def test_one_change_is_one_request_and_its_echo_tells_nothing(contacts: Stand) -> None:
    connection = await contacts.connect(confirmed=True)
    made = await contacts.make(given_name="Ada", family_name="Byron")
    await in_google(contacts, givenName="Ada")
    await contacts.change(made["id"], family_name="Lovelace")

    await in_google(contacts, familyName="Lovelace")
    await contacts.look(connection)
    await contacts.quiet()
    assert await requests(contacts) == {"create": 1, "update": 1}
    await contacts.told(made["id"], "created", "updated")


async def test_what_no_card_knows_stays(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    person = human(
        "Ada Byron",
        "ada@example.org",
        nicknames=[{"value": "Addie"}],
        relations=[{"person": "Annabella", "type": "mother"}],
        organizations=[{"name": "Acme", "title": "Clerk", "jobDescription": "Sums"}],
    )
    person["emailAddresses"][0]["displayName"] = "The Countess"
    person["names"][0]["phoneticGivenName"] = "Eida"
    added = await contacts.add(person, groups=["Friends of Charles"])
    contact = await contacts.named("Ada Byron")
    await contacts.change(
        str(contact["id"]),
        given_name="Augusta",
        title="Countess",
        emails=[
            {"address": "ada@example.org", "primary": True},
            {"address": "ada@home.org", "type": "home"},
        ],
    )

    async def changed() -> Json:
        found = await contacts.one_at_google(added["resourceName"])
        assert found["names"][0]["givenName"] == "Augusta"
        return found

    found = dict(await eventually(changed))
    assert found["names"][0]["phoneticGivenName"] == "Eida"
    assert (
        found["organizations"][0].items()
        >= {
            "name": "Acme",
            "title": "Countess",
            "jobDescription": "Sums",
        }.items()
    )
    assert [one["value"] for one in found["emailAddresses"]] == ["ada@example.org", "ada@home.org"]
    assert found["emailAddresses"][0]["displayName"] == "The Countess"
    assert found["nicknames"][0]["value"] == "Addie"
    assert found["relations"][0]["person"] == "Annabella"
    labels = await contacts.labels_at_google()
    assert labels["Friends of Charles"] == [added["resourceName"]]


async def test_a_deleted_contact_that_we_made_goes_from_google(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    made = await contacts.make(given_name="Ada")
    await in_google(contacts, givenName="Ada")
    answer = await contacts.call("DELETE", f"/v1/contacts/{made['id']}")
    assert answer.status in {200, 204}, answer

    async def is_gone() -> bool:
        return await contacts.at_google() == []

    await eventually(is_gone)
    await contacts.quiet()
    await contacts.told(made["id"], "created", "deleted")


async def test_a_deleted_contact_stays_in_google_where_the_person_made_it(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    await contacts.add(human("Ada Byron", "ada@example.org"))
    contact = await contacts.named("Ada Byron")
    await contacts.call("DELETE", f"/v1/contacts/{contact['id']}")
    await contacts.quiet()
    assert len(await contacts.at_google()) == 1
    assert await contacts.kept() == []


async def test_an_older_etag_is_no_end_but_a_merge(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    made = await asked.make(given_name="Ada", title="Clerk")
    found = await in_google(asked, givenName="Ada")
    notes = [{"value": "Likes sums"}]
    await asked.edit(found["resourceName"], "change", changes={"biographies": notes})
    await asked.change(made["id"], title="Countess")

    async def both() -> bool:
        now = await asked.one_at_google(found["resourceName"])
        return bool(
            now["organizations"][0]["title"] == "Countess"
            and now["biographies"][0]["value"] == "Likes sums"
        )

    await eventually(both)
    await asked.quiet()
    (row,) = await asked.kept()
    assert (row["card"]["title"], row["card"]["notes"]) == ("Countess", "Likes sums")
    await asked.told(made["id"], "created", "updated", "updated")


async def test_the_same_field_is_as_the_last_one_said(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    made = await asked.make(given_name="Ada", title="Clerk")
    found = await in_google(asked, givenName="Ada")
    jobs = [{"title": "Theirs"}]
    await asked.edit(found["resourceName"], "change", changes={"organizations": jobs})
    await asked.change(made["id"], title="Ours")

    async def is_ours() -> bool:
        now = await asked.one_at_google(found["resourceName"])
        return bool(now["organizations"][0]["title"] == "Ours")

    await eventually(is_ours)


async def test_the_same_field_is_googles_where_the_policy_says_so(asked: Stand) -> None:
    await asked.connect(confirmed=True, preferences={"conflict_policy": "google"})
    made = await asked.make(given_name="Ada", title="Clerk")
    found = await in_google(asked, givenName="Ada")
    jobs = [{"title": "Theirs"}]
    await asked.edit(found["resourceName"], "change", changes={"organizations": jobs})
    await asked.change(made["id"], title="Ours")

    async def is_theirs() -> bool:
        (row,) = await asked.kept()
        return bool(row["card"]["title"] == "Theirs")

    await eventually(is_theirs)
    await asked.quiet()
    now = await asked.one_at_google(found["resourceName"])
    assert now["organizations"][0]["title"] == "Theirs"


async def test_many_changes_of_one_kind_are_one_request(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    ids = await make_many(asked, 30)
    await there_are(asked, 30)
    await asked.quiet()
    await change_many(asked, ids, title="Countess")

    async def all_changed() -> bool:
        found = await asked.at_google()
        return all(one.get("organizations", [{}])[0].get("title") for one in found)

    await eventually(all_changed)
    await asked.quiet()
    assert await requests(asked) == {"create_many": 1, "update_many": 1}


async def test_one_old_etag_among_many_holds_up_nobody(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    ids = await make_many(asked, 30)
    found = await there_are(asked, 30)
    await asked.quiet()
    notes = [{"value": "Likes sums"}]
    await asked.edit(found[7]["resourceName"], "change", changes={"biographies": notes})
    await change_many(asked, ids, title="Countess")

    async def all_changed() -> bool:
        now = await asked.at_google()
        return all(one.get("organizations", [{}])[0].get("title") for one in now)

    await eventually(all_changed)
    now = await asked.one_at_google(found[7]["resourceName"])
    assert now["biographies"][0]["value"] == "Likes sums"


@pytest.mark.parametrize("failures", ["whole", "each"])
async def test_one_that_google_refuses_spoils_no_batch(asked: Stand, failures: str) -> None:
    await asked.google_settings(contact_batch_failures=failures)
    await asked.connect(confirmed=True)
    ids = await make_many(asked, 20)
    await there_are(asked, 20)
    await asked.quiet()
    await change_many(asked, ids[1:], title="Countess")
    await change_many(asked, ids[:1], title="x" * 2000)

    async def others_changed() -> bool:
        found = await asked.at_google()
        return sum("organizations" in one for one in found) == 19

    await eventually(others_changed)
    await asked.quiet()
    assert [one for one in await ended(asked) if one[0] != "done"] == [
        ("failed", "INVALID_ARGUMENT")
    ]


async def test_one_that_google_refuses_to_make_spoils_no_batch(asked: Stand) -> None:
    connection = await asked.connect()
    ids = await make_many(asked, 20)
    await change_many(asked, ids[:1], title="x" * 2000)
    await confirm(asked, connection)
    await there_are(asked, 19)
    await asked.quiet()
    assert [one for one in await ended(asked) if one[0] != "done"] == [
        ("failed", "INVALID_ARGUMENT")
    ]


async def test_a_creation_whose_answer_was_lost_makes_no_double(hasty: Stand) -> None:
    await hasty.connect(confirmed=True)
    await faults(hasty, path_contains=":createContact", times=1, lose_answer=True)
    made = await hasty.make(given_name="Ada")
    await eventually(lambda: is_known(hasty, made["id"]), timeout_s=15)

    await hasty.quiet()
    assert len(await hasty.at_google()) == 1
    assert await requests(hasty) == {"create": 1}
    await hasty.told(made["id"], "created")


async def test_who_was_deleted_while_nobody_knew_that_google_had_made_them_goes(
    hasty: Stand,
) -> None:
    connection = await hasty.connect(confirmed=True)
    await faults(hasty, path_contains=":createContact", times=1, lose_answer=True)
    made = await hasty.make(given_name="Ada")

    async def is_there() -> bool:
        return len(await hasty.at_google()) == 1

    await eventually(is_there)
    await hasty.call("DELETE", f"/v1/contacts/{made['id']}")
    await hasty.quiet()
    await hasty.look(connection)

    async def is_gone() -> bool:
        return await hasty.at_google() == []

    await eventually(is_gone)
    assert await hasty.kept() == []


async def test_a_creation_that_was_never_heard_is_made_once(hasty: Stand) -> None:
    await hasty.connect(confirmed=True)
    await faults(hasty, path_contains=":createContact", times=1, drop=True)
    made = await hasty.make(given_name="Ada")
    await eventually(lambda: is_known(hasty, made["id"]), timeout_s=15)
    await hasty.quiet()
    assert len(await hasty.at_google()) == 1


async def test_who_nobody_knows_to_be_there_is_looked_for_before_the_next_try(
    hasty: Stand,
) -> None:
    await hasty.connect(confirmed=True)
    await faults(hasty, path_contains=":createContact", times=3, drop=True)
    made = await hasty.make(given_name="Ada")

    async def is_given_up() -> bool:
        return await ended(hasty) == [("unknown", "not-found")]

    await eventually(is_given_up, timeout_s=60)
    await hasty.add(
        human("Ada", clientData=[{"key": "causeway", "value": made["id"]}])
    )  # as if one of them had been heard after all
    await hasty.change(made["id"], title="Countess")

    async def is_written() -> bool:
        (found,) = await hasty.at_google()
        return "organizations" in found

    await eventually(is_written)
    assert "create" not in await requests(hasty)


async def test_lists_that_lag_behind_make_no_double(hasty: Stand) -> None:
    await hasty.connect(confirmed=True)
    await hasty.google_settings(contact_list_delay_s=0.7)
    await faults(hasty, path_contains=":createContact", times=1, lose_answer=True)
    made = await hasty.make(given_name="Ada")
    await eventually(lambda: is_known(hasty, made["id"]), timeout_s=15)
    await hasty.quiet()
    assert len(await hasty.at_google()) == 1


async def test_lists_that_lag_behind_for_longer_than_the_first_look_make_no_double(
    stand: Stand,
) -> None:
    soon = {"settle_after": 0.3, "write_timeout": 1.0, "propagation": 6.0, "shortest_poll": 3600}
    stand.settings = stand.settings.model_copy(update=soon)
    async with stand.serving():
        await stand.connect(confirmed=True)
        await stand.google_settings(contact_list_delay_s=3)
        await faults(stand, path_contains=":createContact", times=1, lose_answer=True)
        made = await stand.make(given_name="Ada")
        await eventually(lambda: is_known(stand, made["id"]), timeout_s=15)
        await stand.quiet()
        assert len(await stand.at_google()) == 1


async def test_a_lost_batch_makes_no_doubles(hasty: Stand) -> None:
    await hasty.connect(confirmed=True)
    await faults(hasty, path_contains=":batchCreateContacts", times=1, lose_answer=True)
    ids = await make_many(hasty, 12)
    await eventually(lambda: is_known(hasty, str(ids[-1])), timeout_s=15)
    await hasty.quiet()
    assert len(await hasty.at_google()) == 12
    assert await requests(hasty) == {"create_many": 1}


async def is_asked(stand: Stand) -> bool:
    """Say whether a request that is to fail has arrived."""
    (rule,) = (await stand.google.control("GET", "faults"))["rules"]
    return bool(rule["hits"])


async def read_double(asked: Stand) -> tuple[str, str]:
    """Have somebody created while they are added in Google, and read before the answer comes.

    Return the contact, and the one that its double was read as.
    """
    connection = await asked.connect(confirmed=True)
    await faults(asked, path_contains=":createContact", times=1, delay_s=2, late_s=2)
    made = await asked.make(given_name="Ada", emails=[{"address": "ada@example.org"}])
    await eventually(lambda: is_asked(asked))
    await asked.add(human("Ada", "ada@example.org", phone="+33 1 23 45 67 89"))
    await asked.look(connection)
    await there_are(asked, 2)
    await asked.look(connection)
    (double,) = {str(row["id"]) for row in await asked.kept()} - {made["id"]}
    return made["id"], double


async def test_the_contact_that_a_double_was_read_as_becomes_a_part_of_the_first(
    asked: Stand,
) -> None:
    made, double = await read_double(asked)

    await there_are(asked, 1)

    await asked.quiet()
    (row,) = await asked.kept()
    assert str(row["id"]) == made
    assert row["card"]["phones"]
    await asked.told(made, "created", "updated")
    await asked.told(double, "created", "merged")


async def test_two_contacts_of_the_crm_stay_two_though_one_was_read_as_the_others_double(
    asked: Stand,
) -> None:
    made, double = await read_double(asked)
    both = [UUID(made), UUID(double)]
    await asked.fetch("UPDATE contacts SET entity_id = id::text WHERE id = ANY($1)", both)

    async def is_made_anew() -> bool:
        return (await requests(asked)).get("create") == 2 and await is_known(asked, double)

    await eventually(is_made_anew)

    await asked.quiet()
    assert [row["id"] for row in await asked.kept()] == both
    await there_are(asked, 2)


async def test_a_change_whose_answer_was_lost_is_made_once(hasty: Stand) -> None:
    await hasty.connect(confirmed=True)
    made = await hasty.make(given_name="Ada")
    await in_google(hasty, givenName="Ada")
    await hasty.quiet()
    await faults(hasty, path_contains=":updateContact", times=1, lose_answer=True)
    await hasty.change(made["id"], given_name="Augusta")

    async def is_over() -> bool:
        return [state for state, _ in await ended(hasty)].count("done") >= 2

    await eventually(is_over, timeout_s=15)
    await hasty.quiet()
    await in_google(hasty, givenName="Augusta")
    await hasty.told(made["id"], "created", "updated")


async def test_a_deletion_whose_answer_was_lost_is_over(hasty: Stand) -> None:
    await hasty.connect(confirmed=True)
    made = await hasty.make(given_name="Ada")
    await in_google(hasty, givenName="Ada")
    await hasty.quiet()
    await faults(hasty, path_contains=":deleteContact", times=1, lose_answer=True)
    await hasty.call("DELETE", f"/v1/contacts/{made['id']}")

    async def is_over() -> bool:
        return [state for state, _ in await ended(hasty)] == ["done", "done"]

    await eventually(is_over, timeout_s=15)
    assert await hasty.at_google() == []


async def test_what_google_has_no_time_for_is_written_later(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    headers = {"Retry-After": "1"}
    await faults(contacts, path_contains=":createContact", times=2, status=429, headers=headers)
    await contacts.make(given_name="Ada")
    await in_google(contacts, givenName="Ada")


async def test_a_list_that_lags_behind_our_write_is_no_edit(contacts: Stand) -> None:
    connection = await contacts.connect(confirmed=True)
    made = await contacts.make(given_name="Ada", title="Clerk")
    await in_google(contacts, givenName="Ada")
    await contacts.look(connection)
    await contacts.google_settings(contact_list_delay_s=1.5)
    await contacts.change(made["id"], title="Countess")
    for _ in range(4):
        await contacts.look(connection)
    await contacts.google_settings(contact_list_delay_s=0)
    await contacts.look(connection)
    await contacts.quiet()

    await contacts.told(made["id"], "created", "updated")
    (row,) = await contacts.kept()
    assert row["card"]["title"] == "Countess"
    assert (await contacts.at_google())[0]["organizations"][0]["title"] == "Countess"


async def test_many_deletions_wait_until_a_person_says_yes(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    ids = await make_many(asked, 60)
    await there_are(asked, 60)
    await asked.quiet()
    await delete_many(asked, ids)
    (hold,) = await eventually(lambda: holds(asked), what="a hold")
    assert (hold["affected"], hold["total"]) == (60, 60)
    assert len(await asked.at_google()) == 60
    await asked.quiet()
    assert (await asked.feed("contacts.write"))["reason"] == "held-writes"

    answer = await asked.call("POST", f"/v1/contacts/holds/{hold['id']}/approve")
    assert answer.status == 200, answer
    await there_are(asked, 0)
    await asked.quiet()
    assert (await requests(asked))["delete_many"] == 1
    assert (await asked.feed("contacts.write"))["reason"] is None


async def test_many_deletions_that_are_refused_leave_people_as_the_persons_own(
    asked: Stand,
) -> None:
    await asked.connect(confirmed=True, preferences={"imports": "none"})
    ids = await make_many(asked, 60)
    await there_are(asked, 60)
    await asked.quiet()
    await delete_many(asked, ids)
    (hold,) = await eventually(lambda: holds(asked), what="a hold")
    answer = await asked.call("POST", f"/v1/contacts/holds/{hold['id']}/reject")
    assert answer.status == 200, answer

    async def all_ended() -> bool:
        return len([one for one in await ended(asked) if one == ("cancelled", "rejected")]) == 60

    await eventually(all_ended)
    assert len(await asked.at_google()) == 60
    assert all(row["contact_id"] is None for row in await asked.people())


async def test_a_few_deletions_need_nobodys_yes(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    ids = await make_many(asked, 60)
    await there_are(asked, 60)
    await delete_many(asked, ids[:5])
    await there_are(asked, 55)


async def test_what_goes_in_circles_waits_and_stops_nobody(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    made = await asked.make(given_name="Ada")
    await in_google(asked, givenName="Ada")
    for number in range(70):
        await asked.change(made["id"], title=f"Title {number}")
        await asked.quiet()
    waiting = await asked.fetch("SELECT due_at - now() AS wait FROM writes WHERE state = 'queued'")
    assert [row["wait"].total_seconds() > 3000 for row in waiting] == [True]


async def holds(stand: Stand) -> list[Json]:
    """Return what waits for a person."""
    found = await stand.get("/v1/contacts/holds?state=open")
    return list(found["items"])


async def is_known(stand: Stand, contact_id: str) -> bool:
    """Say whether the person is known that a contact is."""
    return any(str(row["contact_id"]) == contact_id for row in await stand.people())


async def confirm(stand: Stand, connection: str) -> None:
    """Say yes to what is written first."""
    answer = await stand.call("POST", f"/v1/contacts/connections/{connection}/confirm")
    assert answer.status == 200, answer
