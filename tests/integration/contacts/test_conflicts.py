"""What both sides changed, and who somebody is, waits for a person where they want to choose."""

from typing import Any

from tests.integration.contacts.outside import in_google
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import eventually


async def clash(stand: Stand) -> tuple[Json, Json]:
    """Let both sides change the same field where a person chooses; return contact and conflict."""
    await stand.connect(confirmed=True, preferences={"conflict_policy": "manual"})
    made = await stand.make(given_name="Ada", title="Clerk")
    found = await in_google(stand, givenName="Ada")
    jobs = [{"title": "Theirs"}]
    await stand.edit(found["resourceName"], "change", changes={"organizations": jobs})
    await stand.change(made["id"], title="Ours")
    (conflict,) = await eventually(lambda: conflicts(stand), what="a conflict")
    return made, conflict


async def conflicts(stand: Stand, state: str = "open") -> list[Json]:
    """Return the conflicts in a state."""
    return list((await stand.get(f"/v1/contacts/conflicts?state={state}"))["items"])


async def resolve(stand: Stand, conflict: Json, *, status: int = 200, **body: Any) -> Json:
    """Choose; return the answer."""
    path = f"/v1/contacts/conflicts/{conflict['id']}/resolve"
    answer = await stand.call("POST", path, body)
    assert answer.status == status, answer
    return dict(answer.body)


async def title(stand: Stand) -> tuple[str, str]:
    """Return the title of the only contact, here and at Google."""
    (row,) = await stand.kept()
    (found,) = await stand.at_google()
    return row["card"]["title"], found["organizations"][0]["title"]


async def test_the_same_field_waits_for_a_person(asked: Stand) -> None:
    made, conflict = await clash(asked)
    await asked.quiet()

    assert conflict["kind"] == "fields"
    assert conflict["contact_id"] == made["id"]
    assert (conflict["base"], conflict["ours"], conflict["theirs"]) == (
        {"title": "Clerk"},
        {"title": "Ours"},
        {"title": "Theirs"},
    )
    assert await title(asked) == ("Theirs", "Theirs")
    (told,) = asked.events("contacts.conflict.")
    assert (told.type, told.data["fields"]) == ("contacts.conflict.detected.v1", ["title"])


async def test_the_crms_value_is_written_if_it_is_chosen(asked: Stand) -> None:
    _, conflict = await clash(asked)
    ended = await resolve(asked, conflict, choice="crm")

    assert (ended["state"], ended["resolved_by"]) == ("resolved", "user:ada")

    async def is_ours() -> bool:
        return await title(asked) == ("Ours", "Ours")

    await eventually(is_ours)
    await eventually(lambda: len(asked.events("contacts.conflict.resolved")) == 1)
    assert await conflicts(asked) == []


async def test_googles_value_stays_if_it_is_chosen(asked: Stand) -> None:
    _, conflict = await clash(asked)
    await resolve(asked, conflict, choice={"title": "google"})
    await asked.quiet()
    assert await title(asked) == ("Theirs", "Theirs")


async def test_what_was_chosen_is_not_chosen_again(asked: Stand) -> None:
    _, conflict = await clash(asked)
    await resolve(asked, conflict, choice="crm")
    refused = await resolve(asked, conflict, status=409, choice="google")
    assert refused["type"].endswith("conflict-resolved")


async def test_there_is_nothing_to_choose_of_a_contact_that_is_gone(asked: Stand) -> None:
    made, _ = await clash(asked)
    answer = await asked.call("DELETE", f"/v1/contacts/{made['id']}")
    assert answer.status == 204, answer
    assert await conflicts(asked) == []
    await eventually(lambda: len(asked.events("contacts.conflict.resolved")) == 1)


async def test_every_value_needs_a_choice_and_no_other_has_one(asked: Stand) -> None:
    _, conflict = await clash(asked)
    await resolve(asked, conflict, status=400, choice={})
    await resolve(asked, conflict, status=400, choice={"title": "crm", "notes": "crm"})
    await resolve(asked, conflict, status=400, contact="new")


async def test_two_corrections_of_one_address_are_one_choice(asked: Stand) -> None:
    await asked.connect(confirmed=True, preferences={"conflict_policy": "manual"})
    made = await asked.make(given_name="Ada", emails=[{"address": "a@x.org", "type": "work"}])
    found = await in_google(asked, givenName="Ada")
    mails = [{"value": "theirs@x.org", "type": "work"}]
    await asked.edit(found["resourceName"], "change", changes={"emailAddresses": mails})
    await asked.change(made["id"], emails=[{"address": "ours@x.org", "type": "work"}])
    (conflict,) = await eventually(lambda: conflicts(asked), what="a conflict")
    await resolve(asked, conflict, choice="crm")

    async def is_ours() -> bool:
        (now,) = await asked.at_google()
        return [one["value"] for one in now["emailAddresses"]] == ["ours@x.org"]

    await eventually(is_ours)


async def ambiguous(stand: Stand) -> tuple[list[str], Json]:
    """Let a person be in Google who can be either of two contacts; return these, and the conflict.

    Nothing has been written yet.
    """
    ids = [
        (await stand.make(given_name=name, emails=[{"address": "ada@x.org"}]))["id"]
        for name in ("Ada", "Augusta")
    ]
    await stand.add(human("Countess Lovelace", "ada@x.org"))
    await stand.connect()
    (conflict,) = await eventually(lambda: conflicts(stand), what="a conflict")
    assert (conflict["kind"], sorted(conflict["candidates"])) == ("match", sorted(ids))
    return ids, conflict


async def links(stand: Stand) -> list[Any]:
    """Return which contacts the people of address books are."""
    return [row["contact_id"] for row in await stand.people()]


async def test_a_person_is_the_contact_that_is_chosen(asked: Stand) -> None:
    ids, conflict = await ambiguous(asked)
    await resolve(asked, conflict, contact=ids[1])
    await asked.quiet()
    assert [str(one) for one in await links(asked)] == [ids[1]]
    assert len(await asked.kept()) == 2
    assert len(asked.events("contacts.conflict.resolved")) == 1


async def test_a_person_may_be_a_contact_of_their_own(asked: Stand) -> None:
    ids, conflict = await ambiguous(asked)
    await resolve(asked, conflict, contact="new")
    await asked.quiet()
    (linked,) = await links(asked)
    assert str(linked) not in ids
    assert len(await asked.kept()) == 3


async def test_a_person_may_be_nobody_and_is_not_asked_about_again(asked: Stand) -> None:
    _, conflict = await ambiguous(asked)
    await resolve(asked, conflict, contact="ignore")
    (person,) = await asked.people()
    notes = [{"value": "Likes sums"}]
    await asked.edit(person["resource"], "change", changes={"biographies": notes})
    await asked.look(str(person["connection_id"]))
    await asked.quiet()
    assert await links(asked) == [None]
    assert await conflicts(asked) == []
    assert len(await asked.kept()) == 2


async def test_only_a_candidate_can_be_chosen(asked: Stand) -> None:
    _, conflict = await ambiguous(asked)
    other = await asked.make(given_name="Charles")
    await resolve(asked, conflict, status=400, contact=other["id"])
