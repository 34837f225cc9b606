from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from libs.common.errors import InvalidInput
from libs.common.writes import MergePolicy
from services.calendar.domain.preferences import (
    DEFAULT,
    TENANT_DEFAULT,
    Direction,
    Preferences,
    TenantDefaults,
    check_preferences,
    check_tenant_defaults,
    preferences_of,
    style_of,
    tenant_defaults_of,
)
from tests.unit.calendar.making import utc

CHANGED = Preferences(
    enabled=False,
    direction=Direction.TO_GOOGLE,
    sync_past_days=1,
    sync_future_days=2,
    prefix="",
    title_template="{service}",
    body_template="{client}",
    include_client_info=False,
    include_notes=True,
    reminder_minutes=(5,),
    timezone="Europe/Lisbon",
    conflict_policy=MergePolicy.CRM,
    target_calendar_id=UUID(int=7),
)


@pytest.mark.parametrize("preferences", [DEFAULT, CHANGED, replace(DEFAULT, reminder_minutes=())])
def test_preferences_are_kept_as_they_are(preferences: Preferences) -> None:
    assert preferences_of(preferences.stored()) == preferences


def test_of_defaults_nothing_is_kept() -> None:
    assert (DEFAULT.stored(), TENANT_DEFAULT.stored()) == ({}, {})


def test_a_tenants_defaults_are_kept_as_they_are() -> None:
    own = TenantDefaults(prefix="x", variables={"unit": "Centro"}, timezone="UTC")
    assert tenant_defaults_of(own.stored()) == own


def test_what_a_later_release_kept_is_left_out() -> None:
    assert preferences_of({"hologram": True}) == DEFAULT


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("sync_past_days", {"sync_past_days": -1}),
        ("sync_future_days", {"sync_future_days": 4000}),
        ("reminder_minutes", {"reminder_minutes": (1, 2, 3, 4, 5, 6)}),
        ("reminder_minutes", {"reminder_minutes": (1, 1)}),
        ("reminder_minutes", {"reminder_minutes": (40_321,)}),
        ("timezone", {"timezone": "Mars/Base"}),
        ("title_template", {"title_template": "{unknown}"}),
        ("body_template", {"body_template": "{client.name}"}),
        ("prefix", {"prefix": "x" * 101}),
    ],
)
def test_what_cannot_be_followed_is_refused_by_its_name(field: str, change: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_preferences(replace(DEFAULT, **change), TENANT_DEFAULT)
    assert f"'{field}'" in str(refused.value.data)


def test_a_connections_template_may_use_the_companys_variables() -> None:
    tenant = TenantDefaults(variables={"unit": "Centro"})
    check_preferences(replace(DEFAULT, title_template="{unit}"), tenant)


def test_a_tenants_unknown_variable_is_refused() -> None:
    with pytest.raises(InvalidInput):
        check_tenant_defaults(TenantDefaults(title_template="{unit}"))


def test_a_connection_goes_before_its_tenant() -> None:
    tenant = TenantDefaults(prefix="T", title_template="t", body_template="b", timezone="UTC")
    assert style_of(DEFAULT, tenant).prefix == "T"
    assert style_of(DEFAULT, tenant).zone == "UTC"
    own = style_of(CHANGED, tenant)
    assert (own.prefix, own.title, own.zone) == ("", "{service}", "Europe/Lisbon")


@pytest.mark.parametrize(
    ("direction", "reads", "writes"),
    [
        (Direction.BIDIRECTIONAL, True, True),
        (Direction.TO_GOOGLE, False, True),
        (Direction.FROM_GOOGLE, True, False),
    ],
)
def test_the_direction_says_which_side_hears_of_the_other(
    direction: Direction,
    reads: bool,  # noqa: FBT001
    writes: bool,  # noqa: FBT001
) -> None:
    wanted = Preferences(direction=direction)
    assert (wanted.reads, wanted.writes) == (reads, writes)


def test_what_is_disabled_hears_and_tells_nothing() -> None:
    assert not Preferences(enabled=False).reads
    assert not Preferences(enabled=False).writes


def test_the_window_lies_around_now() -> None:
    now = utc(2026, 11, 26)
    assert DEFAULT.window(now) == (utc(2026, 11, 19), utc(2026, 12, 26))
