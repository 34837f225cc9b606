from datetime import date

import pytest

from services.calendar.domain.event import Attendee, Details, Event, Response, Status
from services.calendar.domain.reminding import Due, due, is_reminded_of, reminders_of
from services.calendar.domain.times import When
from tests.unit.calendar.making import NEW_YORK, SAO_PAULO, days, event, span, utc

NINE = span(2026, 11, 26, 9)


def reminders(when: When = NINE, *minutes: int, zone: str = SAO_PAULO) -> list[Due]:
    return reminders_of("m1", when, user_id="ann", minutes=minutes or (15, 60), zone=zone)


def test_each_is_told_so_long_before_the_start() -> None:
    assert [one.at for one in reminders()] == [utc(2026, 11, 26, 11), utc(2026, 11, 26, 11, 45)]


def test_of_a_day_they_are_told_before_midnight_there() -> None:
    (one,) = reminders(days(date(2026, 11, 26)), 60, zone=NEW_YORK)
    assert one.at == utc(2026, 11, 26, 4)


def test_when_a_meeting_is_moved_its_reminders_move_and_keep_their_names() -> None:
    (before,), (after,) = reminders(NINE, 15), reminders(span(2026, 11, 27, 9), 15)
    assert before.key == after.key
    assert after.at == utc(2026, 11, 27, 11, 45)


def test_people_meetings_and_minutes_have_reminders_of_their_own() -> None:
    others = [
        *reminders(),
        *reminders_of("m2", NINE, user_id="ann", minutes=[15], zone=SAO_PAULO),
        *reminders_of("m1", NINE, user_id="bob", minutes=[15], zone=SAO_PAULO),
    ]
    assert len({one.key for one in others}) == 4


def test_what_has_come_is_due_and_the_rest_is_not() -> None:
    found = due(reminders(), after=utc(2026, 11, 26, 10), until=utc(2026, 11, 26, 11))
    assert [one.minutes for one in found] == [60]


def test_the_next_look_begins_where_the_last_one_ended() -> None:
    found = due(reminders(), after=utc(2026, 11, 26, 11), until=utc(2026, 11, 26, 12))
    assert [one.minutes for one in found] == [15]


def test_what_was_told_is_not_told_again() -> None:
    (hour, quarter) = reminders()
    found = due(
        [hour, quarter, quarter],
        after=utc(2026, 11, 26),
        until=utc(2026, 11, 27),
        told=[hour.key],
    )
    assert found == [quarter]


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (event(), True),
        (event(transparent=True), True),
        (event(status=Status.CANCELLED), False),
        (event(event_type="birthday"), False),
        (
            event(
                details=Details(
                    attendees=(Attendee("a@x.test", None, Response.DECLINED, is_self=True),)
                )
            ),
            False,
        ),
    ],
)
def test_nobody_is_reminded_of_what_they_do_not_attend(
    one: Event,
    wanted: bool,  # noqa: FBT001
) -> None:
    assert is_reminded_of(one) is wanted
