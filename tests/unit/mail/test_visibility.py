"""Who sees what of whose mailbox, as tables."""

from typing import Any

import pytest

from services.mail.domain.message import Attachment, CalendarPart, Content, Person, Report
from services.mail.domain.visibility import Sight, Visibility, most_open, sight, withheld

EVERYTHING = Sight(own=True, in_full=True)


@pytest.mark.parametrize("visibility", Visibility)
def test_the_owner_and_services_see_everything(visibility: Visibility) -> None:
    for user_id in ("ada", None):
        assert sight(visibility, owner="ada", user_id=user_id) == EVERYTHING


@pytest.mark.parametrize(
    ("visibility", "seen"),
    [
        (Visibility.TEAM, Sight(own=False, in_full=True)),
        (Visibility.METADATA, Sight(own=False, in_full=False)),
        (Visibility.PRIVATE, None),
    ],
)
def test_a_colleague_sees_what_the_owner_lets_them(
    visibility: Visibility, seen: Sight | None
) -> None:
    assert sight(visibility, owner="ada", user_id="eve") == seen


@pytest.mark.parametrize(
    ("some", "most"),
    [
        ([Visibility.PRIVATE, Visibility.TEAM, Visibility.METADATA], Visibility.TEAM),
        ([Visibility.PRIVATE, Visibility.METADATA], Visibility.METADATA),
        ([Visibility.PRIVATE], Visibility.PRIVATE),
        ([], Visibility.PRIVATE),
    ],
)
def test_the_most_open_of_several_counts(some: list[Visibility], most: Visibility) -> None:
    assert most_open(some) is most


def test_what_a_message_says_is_withheld_and_who_wrote_it_is_not() -> None:
    people = (Person("a@x.test"),)
    ids: dict[str, Any] = {
        "rfc822_message_id": "<1@x>",
        "in_reply_to": "<0@x>",
        "references": ("<0@x>",),
    }
    file = Attachment(part="2", filename="a", content_type="a/b", size=1, inline=False)
    said = Content(
        sender=people[0],
        to=people,
        cc=people,
        bcc=people,
        **ids,
        subject="secret",
        text="secret",
        html="secret",
        new_text="secret",
        attachments=(file,),
        calendar=(CalendarPart(method="REQUEST", uids=("secret",)),),
        report=Report(kind="delivery", recipient="secret"),
    )
    assert withheld(said) == Content(sender=people[0], to=people, cc=people, bcc=people, **ids)
    assert "secret" not in repr(withheld(said))
