"""What the calendar's settings come to."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from services.calendar.settings import CalendarSettings

GOOD: dict[str, Any] = {
    "database_url": "postgresql://localhost/calendar",
    "amqp_url": "amqp://localhost",
    "public_url": "https://causeway.test/",
    "service_key": "s" * 32,
    "caller_key": "c" * 32,
    "caller_issuer": "https://crm.test",
    "caller_audience": "causeway",
}
KEY = base64.b64encode(b"k" * 32).decode()


def test_notices_come_in_below_the_public_address_unless_another_is_given() -> None:
    elsewhere = "http://proxy:8080/webhooks/google/calendar"

    settings = CalendarSettings(**GOOD)
    assert settings.notice_address == "https://causeway.test/webhooks/google/calendar"
    assert CalendarSettings(**GOOD, webhook_url=elsewhere).notice_address == elsewhere


def test_the_first_of_several_keys_signs() -> None:
    settings = CalendarSettings(**GOOD, channel_keys=f"b:{KEY},a:{KEY}")

    assert settings.token_keys() == (("b", b"k" * 32), ("a", b"k" * 32))


def test_without_keys_one_is_derived_from_the_services() -> None:
    (derived,) = CalendarSettings(**GOOD).token_keys()
    (other,) = CalendarSettings(**{**GOOD, "service_key": "t" * 32}).token_keys()

    assert derived[0] == other[0] == "d"
    assert derived[1] != other[1]


@pytest.mark.parametrize("keys", ["a", f"a!:{KEY}", "a:c2hvcnQ=", f"a:{KEY},", "a:%%%"])
def test_a_key_that_is_none_is_refused(keys: str) -> None:
    with pytest.raises(ValidationError, match="32 bytes in base64"):
        CalendarSettings(**GOOD, channel_keys=keys)
