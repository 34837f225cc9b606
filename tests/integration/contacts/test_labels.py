from typing import Any

import pytest

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.events.base import Origin
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import groups_address, wake
from tests.integration.contacts.outside import faults
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import ALICE
from tests.support import eventually

GROUPS = "SELECT * FROM groups WHERE deleted_at IS NULL ORDER BY name"
MEMBERS = """
SELECT g.name AS group_name, c.name FROM group_members m
  JOIN groups g ON g.id = m.group_id JOIN contacts c ON c.id = m.contact_id
 WHERE g.deleted_at IS NULL
 ORDER BY 1, 2
"""

IN_GROUPS = "SELECT contact_id FROM group_members"


async def group_names(stand: Stand) -> list[str]:
    """Return what the live groups are called."""
    return [row["name"] for row in await stand.fetch(GROUPS)]


async def members(stand: Stand) -> list[tuple[str, str]]:
    """Return who is in which group."""
    return [(row["group_name"], row["name"]) for row in await stand.fetch(MEMBERS)]


def told(stand: Stand, kind: str) -> list[Any]:
    """Return what was told of groups under a short name."""
    return [one.data for one in stand.events(f"contacts.group.{kind}.")]


async def rename(stand: Stand, label: str, name: str) -> None:
    """Let the person call a label something else."""
    path = f"people/{ALICE}/contact-groups/{label.removeprefix('contactGroups/')}"
    await stand.google.control("PATCH", path, {"name": name})


async def test_labels_become_groups_with_their_members(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"), groups=["Clients", "Poets"])
    await contacts.add(human("Bob Late"), groups=["Clients"])
    await contacts.connect()
    expected = [("Clients", "Ada Byron"), ("Clients", "Bob Late"), ("Poets", "Ada Byron")]

    async def are_in() -> bool:
        return await members(contacts) == expected

    await eventually(are_in)
    await eventually(lambda: len(told(contacts, "created")) == 2)
    assert {one["name"] for one in told(contacts, "created")} == {"Clients", "Poets"}


async def test_googles_own_groups_are_known_but_no_groups(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"))
    await contacts.connect()
    kinds = await contacts.fetch("SELECT name, kind, group_id FROM labels ORDER BY name")
    assert {row["kind"] for row in kinds} == {"system"}
    assert {row["group_id"] for row in kinds} == {None}
    assert await group_names(contacts) == []


async def test_who_joins_and_leaves_a_label_is_told_once(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.label("Clients")
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.edit(made["resourceName"], "label", group="Clients")
    await eventually(lambda: told(contacts, "membership_changed"))
    await contacts.edit(made["resourceName"], "unlabel", group="Clients")
    changes = await eventually(
        lambda: len(found := told(contacts, "membership_changed")) == 2 and found
    )
    assert isinstance(changes, list)
    assert [(one["added"], one["removed"]) for one in changes] == [
        ([str(row["id"])], []),
        ([], [str(row["id"])]),
    ]
    assert await members(contacts) == []


async def test_a_label_that_is_made_later_becomes_a_group(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.connect()
    await contacts.edit(made["resourceName"], "label", group="New")

    async def is_in() -> bool:
        return await members(contacts) == [("New", "Ada Byron")]

    await eventually(is_in)


async def test_a_group_is_renamed_with_its_label(contacts: Stand) -> None:
    label = await contacts.label("Clients")
    await contacts.connect()
    await rename(contacts, label["resourceName"], "Customers")
    (event,) = await eventually(lambda: told(contacts, "renamed"))
    assert (event["name"], event["former_name"]) == ("Customers", "Clients")
    assert await group_names(contacts) == ["Customers"]


async def test_a_group_goes_with_its_label_and_its_members_stay(contacts: Stand) -> None:
    label = await contacts.label("Clients")
    await contacts.add(human("Ada Byron"), groups=["Clients"])
    await contacts.connect()
    key = label["resourceName"].removeprefix("contactGroups/")
    await contacts.google.control("DELETE", f"people/{ALICE}/contact-groups/{key}")
    await eventually(lambda: told(contacts, "deleted"))
    assert await group_names(contacts) == []
    await contacts.named("Ada Byron")


async def test_a_label_that_is_gone_when_all_are_listed_anew_takes_its_group_along(
    asked: Stand,
) -> None:
    label = await asked.label("Clients")
    connection = await asked.connect()
    key = label["resourceName"].removeprefix("contactGroups/")
    await asked.google.control("DELETE", f"people/{ALICE}/contact-groups/{key}")
    await asked.expire_tokens()
    await asked.fetch("UPDATE labels SET seen_at = seen_at - interval '1 hour' RETURNING 1")
    await asked.look(connection)
    assert await group_names(asked) == []


async def test_a_label_that_a_list_may_not_have_yet_keeps_its_group(asked: Stand) -> None:
    await asked.label("Clients")
    connection = await asked.connect()
    await asked.expire_tokens()
    old = {"contactGroups": [], "nextSyncToken": "t"}
    rules = [
        {"path_prefix": "/v1/contactGroups", "times": 1, "status": 400, "reason": "badRequest"},
        {"path_prefix": "/v1/contactGroups", "times": 1, "status": 200, "body": old},
    ]
    await asked.google.control("PUT", "faults", {"rules": rules})
    await asked.look(connection)
    assert await group_names(asked) == ["Clients"]


async def test_a_label_that_is_too_fresh_to_be_missed_is_looked_for_once_more(
    stand: Stand,
) -> None:
    soon = {"propagation": 1.5, "shortest_poll": 3600, "longest_poll": 3600}
    stand.settings = stand.settings.model_copy(update=soon)
    async with stand.serving():
        label = await stand.label("Clients")
        await stand.connect()
        key = label["resourceName"].removeprefix("contactGroups/")
        await stand.google.control("DELETE", f"people/{ALICE}/contact-groups/{key}")
        await stand.expire_tokens()
        await stand.fetch("UPDATE labels SET seen_at = now() RETURNING 1")
        await wake_groups(stand)

        async def is_gone() -> bool:
            return await group_names(stand) == []

        await eventually(is_gone)


async def wake_groups(stand: Stand) -> None:
    """Let the labels of the one address book be read now."""
    feed = await stand.feed("contacts.groups")
    async with transaction(stand.app[POOL]) as conn:
        await wake(conn, groups_address(feed["connection_id"]), now=clock.now())


async def test_a_label_called_as_a_group_is_that_group(contacts: Stand) -> None:
    async with transaction(contacts.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        group = await Grouping(turn).create("ada", "clients", origin=Origin.CRM)
        await turn.end()
    await contacts.add(human("Ada Byron"), groups=["Clients"])
    await contacts.connect()
    (label,) = await contacts.fetch("SELECT * FROM labels WHERE kind = 'user'")
    assert label["group_id"] == group.id
    assert len(await group_names(contacts)) == 1


@pytest.mark.parametrize(("imports", "names"), [("none", []), ("labels", ["Clients"])])
async def test_only_labels_that_are_wanted_become_groups(
    contacts: Stand, imports: str, names: list[str]
) -> None:
    label = await contacts.label("Clients")
    await contacts.label("Poets")
    wanted = {"imports": imports, "import_labels": [label["resourceName"]]}
    await contacts.connect(preferences=wanted)
    assert await group_names(contacts) == names


async def test_labels_become_groups_when_that_is_wanted_later(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"), groups=["Clients"])
    connection = await contacts.connect(preferences={"imports": "none"})
    await contacts.prefer(connection, imports="all")

    async def is_in() -> bool:
        return await members(contacts) == [("Clients", "Ada Byron")]

    await eventually(is_in)


async def test_a_contact_keeps_the_groups_that_only_our_side_knows(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    async with transaction(contacts.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        grouping = Grouping(turn)
        group = await grouping.create("ada", "Ours", origin=Origin.CRM)
        grouping.join(group.id, [row["id"]], origin=Origin.CRM)
        await turn.end()
    changes = {"biographies": [{"value": "x"}]}
    await contacts.edit(made["resourceName"], "change", changes=changes)
    await contacts.look(connection)
    assert await members(contacts) == [("Ours", "Ada Byron")]


async def test_who_became_another_contact_is_in_no_group_of_its_own(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.add(human("Augusta Byron"))
    await contacts.connect()
    one, into = [str((await contacts.named(name))["id"]) for name in ("Ada Byron", "Augusta Byron")]
    await faults(contacts, method="DELETE", path_contains=":deleteContact", status=503)
    answer = await contacts.call("POST", f"/v1/contacts/{one}/merge", {"into": into})
    assert answer.status == 200, answer

    await contacts.edit(made["resourceName"], "label", group="New")

    async def is_known() -> bool:
        rows = await contacts.fetch("SELECT 1 FROM people WHERE groups <> '{}'")
        return await group_names(contacts) == ["New"] and bool(rows)

    await eventually(is_known, what="the label and who has it")
    assert one not in [str(row["contact_id"]) for row in await contacts.fetch(IN_GROUPS)]
    assert all(one not in change["added"] for change in told(contacts, "membership_changed"))
