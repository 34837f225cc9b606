"""Who may be worth a contact."""

import email
from email import policy

import pytest

from services.mail.domain.keeping import Rules
from services.mail.domain.links import own_addresses
from services.mail.domain.message import Content, Direction, Person, Policy, Report
from services.mail.domain.mime.automatic import is_automatic
from services.mail.domain.preferences import Preferences, Suggest
from services.mail.domain.suggesting import correspondents, is_robot

ALICE, BOB, EVE = Person("alice@example.com"), Person("Bob@X.test", "Bob"), Person("eve@x.test")


def rules(wanted: Suggest, **more: object) -> Rules:
    preferences = Preferences(suggest_contacts=wanted, **more)  # type: ignore[arg-type]  # a few
    own = own_addresses(["alice@example.com"])
    return Rules(policy=Policy.ALL, preferences=preferences, own=own)


def suggested(content: Content, way: Direction, given: Rules) -> list[str]:
    return [one.address for one in correspondents(content, way, given)]


SENT = Content(sender=ALICE, to=(BOB,), cc=(EVE, Person("carol@example.com")))
RECEIVED = Content(sender=BOB, to=(ALICE, EVE))


@pytest.mark.parametrize(
    ("wanted", "content", "way", "found"),
    [
        (Suggest.NONE, SENT, Direction.OUTBOUND, []),
        (Suggest.SENT, SENT, Direction.OUTBOUND, ["bob@x.test", "eve@x.test"]),
        (Suggest.SENT, RECEIVED, Direction.INBOUND, []),
        (Suggest.SENT_AND_RECEIVED, SENT, Direction.OUTBOUND, ["bob@x.test", "eve@x.test"]),
        (Suggest.SENT_AND_RECEIVED, RECEIVED, Direction.INBOUND, ["bob@x.test"]),
        (Suggest.SENT_AND_RECEIVED, Content(), Direction.INBOUND, []),
    ],
)
def test_who_wrote_and_who_was_written_to_is_suggested(
    wanted: Suggest, content: Content, way: Direction, found: list[str]
) -> None:
    assert suggested(content, way, rules(wanted)) == found


def test_a_name_goes_with_the_address() -> None:
    (one, _) = correspondents(SENT, Direction.OUTBOUND, rules(Suggest.SENT))
    assert (one.name, one.direction) == ("Bob", Direction.OUTBOUND)


@pytest.mark.parametrize(
    "content",
    [
        Content(sender=BOB, automatic=True),
        Content(sender=BOB, report=Report(kind="delivery")),
        Content(sender=Person("no-reply@x.test")),
    ],
)
def test_nobody_of_automatic_mail_is_suggested(content: Content) -> None:
    assert suggested(content, Direction.INBOUND, rules(Suggest.SENT_AND_RECEIVED)) == []


def test_nobody_who_is_blocked_is_suggested() -> None:
    given = rules(Suggest.SENT, blocklist=("bob@x.test",))
    assert suggested(SENT, Direction.OUTBOUND, given) == ["eve@x.test"]


def test_a_letter_to_very_many_is_no_correspondence() -> None:
    many = Content(sender=ALICE, to=tuple(Person(f"p{one}@x.test") for one in range(21)))
    assert suggested(many, Direction.OUTBOUND, rules(Suggest.SENT)) == []


@pytest.mark.parametrize(
    ("local", "robot"),
    [
        ("noreply", True),
        ("no-reply", True),
        ("do_not_reply", True),
        ("donotreply+abc", True),
        ("shop-noreply", True),
        ("mailer-daemon", True),
        ("bounces+123-45", True),
        ("postmaster", True),
        ("notifications", True),
        ("reply", False),
        ("bob", False),
        ("noreen", False),
        ("bouncer", False),
    ],
)
def test_a_robot_is_known_by_its_name(local: str, *, robot: bool) -> None:
    assert is_robot(f"{local}@x.test") is robot


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        ("Subject: hi", False),
        ("Auto-Submitted: no", False),
        ("Auto-Submitted: auto-replied; owner-email=a@x.test", True),
        ("auto-submitted: AUTO-generated", True),
        ("Precedence: bulk", True),
        ("Precedence: First-Class", False),
        ("List-Id: Friends <friends.x.test>", True),
        ("List-Unsubscribe: <mailto:leave@x.test>", True),
    ],
)
def test_automatic_mail_says_so_in_its_head(headers: str, *, automatic: bool) -> None:
    message = email.message_from_string(f"{headers}\n\n", policy=policy.compat32)
    assert is_automatic(message) is automatic
