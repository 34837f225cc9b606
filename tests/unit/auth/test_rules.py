from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.auth.domain.model import (
    Access,
    Account,
    Connection,
    Grant,
    Product,
    State,
)
from services.auth.domain.rules import (
    AlarmRule,
    Failure,
    News,
    Standing,
    Verdict,
    Window,
    judge,
    news,
    refuse_arrival,
    standing,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(seconds=60)
MODIFY = "https://www.googleapis.com/auth/gmail.modify"
ACCOUNT = Account(
    id=UUID(int=1),
    subject="sub",
    email="alice@example.com",
    state=State.ACTIVE,
    reason=None,
    scopes=frozenset({MODIFY}),
    token_version=1,
    refused_at=None,
)
MAIL = Grant(Product.MAIL, Access.WRITE, Access.WRITE, (MODIFY,))
CONNECTION = Connection(
    id=UUID(int=2),
    tenant_id="acme",
    user_id="ada",
    account_id=ACCOUNT.id,
    email=ACCOUNT.email,
    state=State.ACTIVE,
    reason=None,
    return_url="https://crm.test/",
    grants=(MAIL,),
    connected_at=NOON,
    created_at=NOON,
)
REFUSED = replace(ACCOUNT, state=State.DEGRADED, refused_at=NOON - MINUTE)


@pytest.mark.parametrize(
    ("account", "failure", "alarm", "verdict"),
    [
        (ACCOUNT, Failure.INVALID_GRANT, False, Verdict.REMEMBER),
        (REFUSED, Failure.INVALID_GRANT, False, Verdict.MARK),
        (
            replace(REFUSED, refused_at=NOON - MINUTE / 2),
            Failure.INVALID_GRANT,
            False,
            Verdict.NOTHING,
        ),
        (ACCOUNT, Failure.INVALID_GRANT, True, Verdict.NOTHING),
        (REFUSED, Failure.INVALID_GRANT, True, Verdict.NOTHING),
        (ACCOUNT, Failure.UNREACHABLE, False, Verdict.DEGRADE),
        (REFUSED, Failure.UNREACHABLE, False, Verdict.DEGRADE),
        (ACCOUNT, Failure.UNREACHABLE, True, Verdict.NOTHING),
        (ACCOUNT, Failure.ADMIN_POLICY, False, Verdict.DEGRADE),
        (REFUSED, Failure.ADMIN_POLICY, False, Verdict.DEGRADE),
        (ACCOUNT, Failure.CLIENT_REFUSED, False, Verdict.NOTHING),
        (REFUSED, Failure.CLIENT_REFUSED, False, Verdict.NOTHING),
        (
            replace(REFUSED, state=State.REAUTHORIZATION_REQUIRED),
            Failure.INVALID_GRANT,
            False,
            Verdict.NOTHING,
        ),
        (
            replace(ACCOUNT, state=State.DISCONNECTED),
            Failure.INVALID_GRANT,
            False,
            Verdict.NOTHING,
        ),
    ],
)
def test_only_two_refusals_a_minute_apart_mark_an_account(
    account: Account, failure: Failure, *, alarm: bool, verdict: Verdict
) -> None:
    assert judge(account, failure, alarm=alarm, wait=MINUTE, now=NOON) is verdict


@pytest.mark.parametrize(
    ("accounts", "failed", "rings"),
    [
        (0, 0, False),
        (19, 19, False),
        (20, 2, False),
        (20, 3, True),
        (100, 10, False),
        (100, 11, True),
    ],
)
def test_the_alarm_needs_a_minimum_and_more_than_a_tenth(
    accounts: int, failed: int, *, rings: bool
) -> None:
    assert AlarmRule(20).rings(Window(accounts, failed)) is rings


def test_a_lost_grant_keeps_its_products_for_the_day_it_comes_back() -> None:
    lost = replace(ACCOUNT, state=State.REAUTHORIZATION_REQUIRED, reason="invalid_grant")

    assert standing(CONNECTION, lost) == Standing(
        State.REAUTHORIZATION_REQUIRED, "invalid_grant", (MAIL,)
    )


def test_a_connection_without_any_granted_product_needs_the_person() -> None:
    after = standing(CONNECTION, replace(ACCOUNT, scopes=frozenset({"openid"})))

    assert (after.state, after.reason) == (State.REAUTHORIZATION_REQUIRED, "scopes_missing")


def test_a_disabled_connection_stays_disabled_however_the_account_is() -> None:
    disabled = replace(CONNECTION, state=State.DISABLED)

    assert standing(disabled, ACCOUNT) == Standing.of(disabled)


def at(state: State, grants: tuple[Grant, ...] = (MAIL,), reason: str | None = None) -> Standing:
    return Standing(state, reason, grants)


READER = Grant(Product.MAIL, Access.WRITE, Access.READ, ())
WIDER = Grant(Product.MAIL, Access.WRITE, Access.WRITE, (MODIFY, MODIFY + ".more"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (at(State.PENDING), at(State.ACTIVE), News.AUTHORIZED),
        (at(State.PENDING), at(State.DEGRADED), News.AUTHORIZED),
        (at(State.REAUTHORIZATION_REQUIRED), at(State.ACTIVE), News.AUTHORIZED),
        (at(State.ACTIVE), at(State.DEGRADED), News.CHANGED),
        (at(State.DEGRADED), at(State.ACTIVE), News.CHANGED),
        (at(State.DISABLED), at(State.ACTIVE), News.CHANGED),
        (at(State.ACTIVE), at(State.ACTIVE, (READER,)), News.CHANGED),
        (
            at(State.ACTIVE),
            at(State.REAUTHORIZATION_REQUIRED),
            News.REAUTHORIZATION_REQUIRED,
        ),
        (
            at(State.REAUTHORIZATION_REQUIRED),
            at(State.REAUTHORIZATION_REQUIRED, (READER,)),
            None,
        ),
        (at(State.ACTIVE), at(State.ACTIVE), None),
        (at(State.DEGRADED), at(State.DEGRADED, reason="another"), None),
        (at(State.ACTIVE), at(State.ACTIVE, (WIDER,)), None),
    ],
)
def test_others_are_told_what_concerns_them(
    before: Standing, after: Standing, told: News | None
) -> None:
    assert news(before, after) is told


@pytest.mark.parametrize(
    ("connection", "grants", "has_token", "refusal"),
    [
        (replace(CONNECTION, state=State.PENDING, account_id=None), (MAIL,), True, None),
        (CONNECTION, (MAIL,), True, None),
        (replace(CONNECTION, account_id=UUID(int=9)), (MAIL,), True, "account_mismatch"),
        (replace(CONNECTION, state=State.DISCONNECTED), (MAIL,), True, "connection_ended"),
        (CONNECTION, (replace(MAIL, access=None),), True, "no_product_granted"),
        (CONNECTION, (MAIL,), False, "no_refresh_token"),
    ],
)
def test_a_consent_that_does_not_fit_is_refused(
    connection: Connection, grants: tuple[Grant, ...], refusal: str | None, *, has_token: bool
) -> None:
    assert refuse_arrival(connection, ACCOUNT, grants, has_token=has_token) == refusal
