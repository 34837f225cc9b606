"""What is said of a Google project that is being set up: only what was seen."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.reference import SETTINGS
from libs.common.settings import documented
from services.auth.domain.model import Access, Product
from services.auth.domain.setup import Seen, Step, StepState, steps
from services.auth.web.setup import OF_OTHERS

CONSENT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HTTPS = "https://causeway.example/v1/oauth/callback"


def look(**given: Any) -> dict[str, Step]:
    facts: dict[str, Any] = {
        "client": "accepted",
        "certs": "ok",
        "clock_skew_s": 0.2,
        "redirect_uri": HTTPS,
        "last_consent": None,
        **given,
    }
    return {one.step: one for one in steps(Seen(**facts))}


def states(found: dict[str, Step], state: StepState) -> set[str]:
    return {name for name, one in found.items() if one.state is state}


def test_before_anybody_connects_only_what_google_answers_is_done() -> None:
    found = look()
    assert states(found, StepState.DONE) == {"reach_google", "clock", "project", "oauth_client"}
    assert states(found, StepState.MISSING) == set()


def test_a_consent_shows_screen_and_redirect_uri_and_says_when() -> None:
    found = look(last_consent=CONSENT)
    for name in ("consent_screen", "redirect_uri"):
        assert found[name].state is StepState.DONE
        assert "2026-11-20 09:30 UTC" in found[name].how_checked


@pytest.mark.parametrize("client", ["invalid_client", "deleted_client"])
def test_a_client_that_google_refuses_is_missing(client: str) -> None:
    found = look(client=client)
    assert states(found, StepState.MISSING) == {"oauth_client"}
    assert client in found["oauth_client"].how_checked
    assert found["project"].state is StepState.UNKNOWN


def test_a_google_out_of_reach_says_nothing_of_the_client() -> None:
    found = look(client="google_unreachable", certs="unreachable", clock_skew_s=None)
    assert states(found, StepState.MISSING) == {"reach_google"}
    assert states(found, StepState.DONE) == set()


def test_an_answer_that_nobody_expected_says_nothing_of_the_client() -> None:
    assert look(client="invalid_request")["oauth_client"].state is StepState.UNKNOWN


@pytest.mark.parametrize(
    ("uri", "state"),
    [
        ("http://causeway.example/v1/oauth/callback", StepState.MISSING),
        ("http://127.0.0.1:8081/v1/oauth/callback", StepState.UNKNOWN),
        ("http://localhost:8081/v1/oauth/callback", StepState.UNKNOWN),
        (HTTPS, StepState.UNKNOWN),
    ],
)
def test_google_sends_browsers_back_by_https_or_to_this_machine(uri: str, state: StepState) -> None:
    step = look(redirect_uri=uri)["redirect_uri"]
    assert step.state is state
    assert uri in step.description


def test_a_redirect_uri_that_google_does_not_know_is_missing_and_the_client_is_not() -> None:
    found = look(client="redirect_uri_mismatch", last_consent=CONSENT)
    assert found["redirect_uri"].state is StepState.MISSING
    assert found["oauth_client"].state is StepState.DONE


def test_a_clock_that_is_off_is_missing() -> None:
    assert states(look(clock_skew_s=-12.0), StepState.MISSING) == {"clock"}


def test_scopes_are_named_once_every_product_was_granted() -> None:
    some = [(Product.MAIL, Access.READ), (Product.CALENDAR, Access.WRITE)]
    assert look(granted=some)["scopes"].state is StepState.UNKNOWN
    assert "calendar, mail" in look(granted=some)["scopes"].how_checked
    every = [*some, (Product.CONTACTS, Access.READ)]
    assert look(granted=every)["scopes"].state is StepState.DONE


def test_every_step_says_what_where_and_how_it_is_seen() -> None:
    for name, one in look().items():
        assert one.url.startswith("https://"), name
        assert one.title, name
        assert one.description, name
        assert one.how_checked, name


def test_what_other_services_need_are_settings_of_theirs() -> None:
    models = dict(SETTINGS)
    for service, names in OF_OTHERS.items():
        known = {doc.variable: doc for doc in documented(models[service])}
        assert set(names) <= set(known), service
        own = {
            name
            for name, doc in known.items()
            if doc.required and name.startswith(f"CAUSEWAY_{service.upper()}_")
        }
        assert own <= set(names), service
