from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput, Unauthenticated
from services.calendar.domain.channel import (
    Channel,
    ChannelKey,
    ChannelState,
    Notice,
    Verdict,
    channel_token,
    renewal_at,
    verdict,
    verify,
)
from tests.unit.calendar.making import utc

NEW, OLD = ChannelKey("k2", b"new" * 11), ChannelKey("k1", b"old" * 11)
KEYS = (NEW, OLD)
ID = UUID(int=7)


def headers(**changes: Any) -> dict[str, str]:
    plain = {
        "X-Goog-Channel-ID": str(ID),
        "X-Goog-Channel-Token": channel_token(KEYS, str(ID)),
        "X-Goog-Resource-ID": "r1",
        "X-Goog-Message-Number": "12",
        "X-Goog-Resource-State": "exists",
    }
    return {name: value for name, value in (plain | changes).items() if value is not None}


def test_a_notification_is_read() -> None:
    assert Notice.from_headers(headers(), keys=KEYS) == Notice(ID, "r1", 12, is_greeting=False)


def test_a_greeting_is_known() -> None:
    greeting = headers(**{"X-Goog-Resource-State": "sync"})
    assert Notice.from_headers(greeting, keys=KEYS).is_greeting


def test_the_newest_key_signs() -> None:
    assert channel_token(KEYS, str(ID)).startswith("k2.")


def test_a_token_of_an_older_key_is_right() -> None:
    assert verify(KEYS, str(ID), channel_token((OLD,), str(ID)))


def test_a_token_of_a_key_that_is_gone_is_wrong() -> None:
    assert not verify((NEW,), str(ID), channel_token((OLD,), str(ID)))


def test_a_token_opens_no_other_channel() -> None:
    assert not verify(KEYS, str(UUID(int=8)), channel_token(KEYS, str(ID)))


def test_a_token_fits_where_google_keeps_it() -> None:
    assert len(channel_token((ChannelKey("k" * 64, b"s"),), str(ID))) <= 256


@given(st.text(st.characters()))
def test_whatever_the_token_is_it_is_refused(token: str) -> None:
    assert not verify(KEYS, str(ID), token)
    assert not verify(KEYS, str(ID), "k2." + token)


@pytest.mark.parametrize("name", ["X-Goog-Channel-ID", "X-Goog-Channel-Token"])
def test_what_does_not_say_who_it_is_is_refused(name: str) -> None:
    with pytest.raises(Unauthenticated):
        Notice.from_headers(headers(**{name: None}), keys=KEYS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Goog-Resource-ID", None),
        ("X-Goog-Resource-ID", "r" * 2000),
        ("X-Goog-Message-Number", None),
        ("X-Goog-Message-Number", "-1"),
        ("X-Goog-Message-Number", "9" * 19),
    ],
)
def test_what_is_ours_and_makes_no_sense_is_told_apart(name: str, value: str | None) -> None:
    with pytest.raises(InvalidInput):
        Notice.from_headers(headers(**{name: value}), keys=KEYS)


WATCHING = Channel(id=ID, state=ChannelState.WATCHING, resource_id="r1", last_number=11)


@pytest.mark.parametrize(
    ("channel", "wanted"),
    [
        (WATCHING, Verdict.TAKE),
        (None, Verdict.LEAVE),
        (Channel(id=ID, state=ChannelState.INTENDED), Verdict.ADOPT),
        (
            Channel(id=ID, state=ChannelState.WATCHING, resource_id="r1", last_number=12),
            Verdict.LEAVE,
        ),
        (Channel(id=ID, state=ChannelState.WATCHING, resource_id="r2"), Verdict.LEAVE),
        (Channel(id=ID, state=ChannelState.SUPERSEDED, resource_id="r1"), Verdict.LEAVE),
        (Channel(id=ID, state=ChannelState.STOPPED, resource_id="r1"), Verdict.LEAVE),
    ],
)
def test_a_notice_is_taken_where_something_is_watched(
    channel: Channel | None, wanted: Verdict
) -> None:
    assert verdict(channel, Notice(ID, "r1", 12, is_greeting=False)) is wanted


@given(st.floats(0, 1))
def test_a_channel_is_renewed_well_before_it_ends(jitter: float) -> None:
    at = renewal_at(utc(2026, 11, 11), now=utc(2026, 11, 1), jitter=jitter)
    assert utc(2026, 11, 7) <= at <= utc(2026, 11, 9)


def test_a_channel_that_has_ended_is_renewed_now() -> None:
    assert renewal_at(utc(2026, 11, 1), now=utc(2026, 11, 2), jitter=0.5) == utc(2026, 11, 2)
