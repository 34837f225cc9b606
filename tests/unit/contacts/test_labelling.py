from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from libs.common.writes import MergePolicy
from services.contacts.domain.group import Group
from services.contacts.domain.label import Label, LabelKind
from services.contacts.domain.labelling import becomes_group, name_of
from services.contacts.domain.preferences import Import, Preferences

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)


def label(name: str = "Clients", *, kind: LabelKind = LabelKind.USER) -> Label:
    """Return a label that changed now."""
    return Label(resource="contactGroups/a", etag="e", name=name, kind=kind, updated_at=NOW)


def group(name: str, *, changed_at: datetime = EARLIER) -> Group:
    """Return a group that changed then."""
    return Group(
        tenant_id="acme",
        id=uuid4(),
        owner_user_id="ada",
        name=name,
        created_at=EARLIER,
        updated_at=changed_at,
    )


@pytest.mark.parametrize(
    ("preferences", "becomes"),
    [
        (Preferences(), True),
        (Preferences(imports=Import.NONE), False),
        (Preferences(imports=Import.LABELS), False),
        (Preferences(imports=Import.LABELS, import_labels=("contactGroups/a",)), True),
    ],
)
def test_labels_become_groups_as_their_members_are_imported(
    preferences: Preferences,
    becomes: bool,  # noqa: FBT001 - a case
) -> None:
    assert becomes_group(label(), preferences) is becomes


def test_googles_own_groups_and_nameless_ones_never_do() -> None:
    assert not becomes_group(label(kind=LabelKind.SYSTEM), Preferences())
    assert not becomes_group(label(""), Preferences())


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "name"),
    [
        ("Old", "Old", "New", "New"),
        ("New", "Old", "Old", "New"),
        ("Same", "Old", "Same", "Same"),
    ],
)
def test_the_side_that_renamed_a_group_names_it(
    ours: str, base: str, theirs: str, name: str
) -> None:
    found = name_of(group(ours), base, label(theirs), policy=MergePolicy.NEWEST, now=NOW)
    assert found == name


@pytest.mark.parametrize(
    ("policy", "changed_at", "name"),
    [
        (MergePolicy.NEWEST, EARLIER, "Theirs"),
        (MergePolicy.NEWEST, NOW + timedelta(hours=1), "Ours"),
        (MergePolicy.MANUAL, EARLIER, "Theirs"),
        (MergePolicy.GOOGLE, NOW + timedelta(hours=1), "Theirs"),
        (MergePolicy.CRM, EARLIER, "Ours"),
    ],
)
def test_of_two_new_names_the_policy_chooses(
    policy: MergePolicy, changed_at: datetime, name: str
) -> None:
    ours = group("Ours", changed_at=changed_at)
    assert name_of(ours, "Old", label("Theirs"), policy=policy, now=NOW) == name
