import re

from hypothesis import given
from hypothesis import strategies as st

from services.calendar.domain.identity import google_event_id


@given(st.text(), st.text(), st.integers(0, 1000))
def test_every_id_is_one_that_google_takes(tenant: str, source: str, generation: int) -> None:
    made = google_event_id(tenant.encode("utf-8", "ignore").decode(), source, generation)
    assert re.fullmatch(r"[0-9a-v]{32}", made)


def test_the_same_event_has_the_same_id_for_ever() -> None:
    assert google_event_id("t1", "a1", 0) == "klb8ocreijhqjot9c84o9cd0b7id0urd"


def test_tenants_sources_and_generations_have_ids_of_their_own() -> None:
    made = {
        google_event_id(tenant, source, generation)
        for tenant in ("t1", "t2")
        for source in ("a1", "a2")
        for generation in (0, 1)
    }
    assert len(made) == 8


def test_no_two_names_run_together() -> None:
    assert google_event_id("t", "1a", 0) != google_event_id("t1", "a", 0)
