"""Merging cards: what two sides made of what they last agreed on."""

from datetime import UTC, datetime, timedelta

from libs.common.writes import MergePolicy
from services.contacts.domain.card import Card, Email, Phone
from services.contacts.domain.merging import MergedCard, merge_cards

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(minutes=5), NOON + timedelta(minutes=5)
ANN = Card(
    given_name="Ann",
    title="Buyer",
    emails=(Email(address="ann@x.org", type="work", primary=True),),
)


def merged(
    ours: Card,
    theirs: Card,
    *,
    base: Card = ANN,
    policy: MergePolicy = MergePolicy.NEWEST,
    **changed: datetime,
) -> MergedCard:
    """Return what comes of two cards; Google's side changed at noon."""
    return merge_cards(base, ours, theirs, policy=policy, changed=changed, theirs_at=NOON)


def card(**fields: object) -> Card:
    """Return Ann with other fields."""
    return Card(**({"given_name": "Ann", "title": "Buyer", "emails": ANN.emails} | fields))  # type: ignore[arg-type]


def test_different_fields_of_both_sides_all_stay() -> None:
    outcome = merged(card(title="Head"), card(organization="Acme"), title=BEFORE)
    assert outcome.card == card(title="Head", organization="Acme")
    assert outcome.write == {"title"}
    assert not outcome.conflicts


def test_the_newest_change_of_the_same_field_stays() -> None:
    ours, theirs = card(title="Head"), card(title="Boss")
    assert merged(ours, theirs, title=AFTER).card.title == "Head"
    assert merged(ours, theirs, title=BEFORE).card.title == "Boss"
    assert merged(ours, theirs).card.title == "Boss"


def test_each_field_has_its_own_time() -> None:
    outcome = merged(
        card(title="Head", notes="ours"),
        card(title="Boss", notes="theirs"),
        title=AFTER,
        notes=BEFORE,
    )
    assert (outcome.card.title, outcome.card.notes) == ("Head", "theirs")
    assert outcome.write == {"title"}


def test_a_policy_may_name_the_side() -> None:
    ours, theirs = card(title="Head"), card(title="Boss")
    assert merged(ours, theirs, policy=MergePolicy.CRM).card.title == "Head"
    assert merged(ours, theirs, policy=MergePolicy.GOOGLE, title=AFTER).card.title == "Boss"


def test_where_a_person_chooses_googles_value_stays_until_then() -> None:
    outcome = merged(card(title="Head"), card(title="Boss"), policy=MergePolicy.MANUAL, title=AFTER)
    assert outcome.card.title == "Boss"
    assert outcome.conflicts == {"title"}
    assert not outcome.write
    assert (outcome.base["title"], outcome.ours["title"], outcome.theirs["title"]) == (
        "Buyer",
        "Head",
        "Boss",
    )


def test_addresses_that_both_sides_add_all_stay() -> None:
    mine = (*ANN.emails, Email(address="a@home.org", type="home"))
    yours = (*ANN.emails, Email(address="a@other.org", type="other"))
    outcome = merged(card(emails=mine), card(emails=yours))
    assert {one.address for one in outcome.card.emails} == {
        "ann@x.org",
        "a@home.org",
        "a@other.org",
    }
    assert outcome.write == {"emails/a@home.org"}


def test_an_address_that_one_side_removes_goes() -> None:
    assert merged(card(emails=()), ANN).card.emails == ()
    assert merged(ANN, card(emails=())).card.emails == ()
    assert "emails/ann@x.org" in merged(card(emails=()), ANN).write


def test_two_corrections_of_one_address_meet() -> None:
    ours = card(emails=(Email(address="ann@new.org", type="work", primary=True),))
    theirs = card(emails=(Email(address="ann@newer.org", type="work", primary=True),))
    outcome = merged(ours, theirs, policy=MergePolicy.MANUAL)
    assert outcome.conflicts == {"emails/ann@x.org"}
    assert [one.address for one in outcome.card.emails] == ["ann@newer.org"]


def test_the_same_change_on_both_sides_is_one() -> None:
    outcome = merged(card(title="Head"), card(title="Head"), policy=MergePolicy.MANUAL)
    assert not outcome.write
    assert not outcome.conflicts


def test_without_anything_agreed_both_are_united() -> None:
    ours = Card(given_name="Ann", phones=(Phone(number="1", type="work", primary=True),))
    theirs = Card(title="Boss", phones=(Phone(number="2", type="work", primary=True),))
    outcome = merged(ours, theirs, base=Card(), policy=MergePolicy.MANUAL, phones=BEFORE)
    assert (outcome.card.given_name, outcome.card.title) == ("Ann", "Boss")
    assert {one.number for one in outcome.card.phones} == {"1", "2"}
    assert [one.number for one in outcome.card.phones if one.primary] == ["2"]
    assert not outcome.conflicts


def test_custom_fields_are_told_apart_by_name() -> None:
    base = Card(custom={"tax": "1", "code": "2"})
    ours, theirs = Card(custom={"tax": "1", "code": "3"}), Card(custom={"tax": "9", "code": "2"})
    outcome = merged(ours, theirs, base=base)
    assert outcome.card.custom == {"tax": "9", "code": "3"}
    assert outcome.write == {"custom/code"}
