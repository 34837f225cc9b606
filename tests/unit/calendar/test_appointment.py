from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput
from services.calendar.domain import templates
from services.calendar.domain.appointment import (
    Appointment,
    AppointmentChange,
    Client,
    Professional,
    appointment_changes,
    appointment_of,
    desired_fields,
)
from services.calendar.domain.templates import Style, check_template, check_variables
from services.calendar.domain.times import stored
from tests.unit.calendar.making import SAO_PAULO, days, span, utc

CUT = Appointment(
    appointment_id="a1",
    version=3,
    service="Corte",
    duration=60,
    start=utc(2026, 11, 26, 12),
    zone=SAO_PAULO,
    client=Client(name="Ana Lima", phone="+55 11 9", email="ana@y.test"),
    professional=Professional(user_id="u1", name="Bia"),
    notes="Alergia a níquel",
    price="R$ 80",
)


def fields(appointment: Appointment = CUT, **style: Any) -> dict[str, Any]:
    return desired_fields(appointment, Style(**style))


def test_the_default_title_says_what_and_who() -> None:
    assert fields()["summary"] == "[Agendamento] Corte - Ana Lima"


def test_the_default_body_has_a_line_each() -> None:
    assert fields()["description"].splitlines() == [
        "Serviço: Corte",
        "Duração: 60 min",
        "Cliente: Ana Lima",
        "Telefone: +55 11 9",
        "E-mail: ana@y.test",
        "Profissional: Bia",
        "Status: Agendado",
    ]


def test_without_client_info_nothing_says_who_comes() -> None:
    hidden = fields(include_client_info=False)
    assert hidden["summary"] == "[Agendamento] Corte"
    assert "Ana" not in hidden["description"]
    assert "Cliente" not in hidden["description"]
    assert "ana@y.test" not in hidden["description"]


def test_notes_are_shown_where_they_are_wanted() -> None:
    assert fields(include_notes=True)["description"].endswith("Observações: Alergia a níquel")


def test_a_line_without_a_value_is_left_out() -> None:
    without = replace(CUT, client=Client(name="Ana"), professional=Professional(user_id="u1"))
    assert fields(without)["description"].splitlines() == [
        "Serviço: Corte",
        "Duração: 60 min",
        "Cliente: Ana",
        "Status: Agendado",
    ]


def test_a_company_has_variables_of_its_own() -> None:
    own = fields(title="{unit}: {service} {price}", variables={"unit": "Centro"}, prefix="")
    assert own["summary"] == "Centro: Corte R$ 80"


def test_a_value_is_no_template_and_no_line_of_its_own() -> None:
    sly = replace(CUT, client=Client(name="{notes}\nStatus: grátis"))
    shown = fields(sly)
    assert "{notes} Status: grátis" in shown["summary"]
    assert shown["description"].count("\nStatus:") == 1


def test_the_time_goes_by_the_appointments_zone() -> None:
    assert fields()["time"] == stored(span(2026, 11, 26, 9, minutes=60))


def test_without_a_zone_it_goes_by_the_connections() -> None:
    assert fields(replace(CUT, zone=None), zone="Europe/Lisbon")["time"]["zone"] == "Europe/Lisbon"


def test_reminders_are_the_connections_five_at_most() -> None:
    assert fields(reminder_minutes=(60, 15, 1, 2, 3, 4))["reminders"] == {
        "use_default": False,
        "overrides": [{"method": "popup", "minutes": one} for one in (1, 2, 3, 15, 60)],
    }


def test_what_is_the_persons_own_is_not_named() -> None:
    assert fields().keys() == {"summary", "description", "time", "reminders"}


def test_an_appointment_is_kept_as_it_is() -> None:
    assert appointment_of(CUT.stored()) == CUT


@pytest.mark.parametrize(
    "template",
    [
        "{servico}",
        "{client.__class__}",
        "{client[0]}",
        "{client!r}",
        "{client:>10}",
        "{client:{service}}",
        "{}",
        "{0}",
        "{client",
        "client}",
        "{ client }",
        "{Client}",
        "x" * 501,
    ],
)
def test_a_template_names_known_variables_and_nothing_else(template: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_template("title_template", template, variables={})
    assert "title_template" in str(refused.value.data)


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_template("body_template", "{servico}", variables={})
    assert "{servico}" in str(refused.value.data)


def test_braces_may_be_written_twice() -> None:
    check_template("title_template", "{{x}} {service}", variables={})
    assert templates.title("{{x}} {service}", {"service": "a"}, prefix="") == "{x} a"


@pytest.mark.parametrize("variables", [{"client": "x"}, {"A b": "x"}, {"a": "x" * 1001}])
def test_variables_that_no_template_can_use_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        check_variables("variables", variables)


@given(st.text() | st.text("{}.![]:abcdefghijklmnopqrstuvwxyz_"))
def test_whatever_a_template_is_it_is_filled_in_or_refused(template: str) -> None:
    try:
        check_template("body_template", template, variables={})
    except InvalidInput:
        return
    templates.body(template, {"client": "x"})
    templates.title(template, {"client": "x"}, prefix="p")


BASE = fields()


def changes(new: dict[str, Any] | None, appointment: Appointment = CUT) -> AppointmentChange | None:
    return appointment_changes(BASE, new, appointment, zone=SAO_PAULO)


def test_an_appointment_that_was_dragged_starts_elsewhere() -> None:
    new = BASE | {"time": stored(span(2026, 11, 26, 15, minutes=60))}
    assert changes(new) == AppointmentChange(start=utc(2026, 11, 26, 18))


def test_an_appointment_that_was_stretched_lasts_longer() -> None:
    new = BASE | {"time": stored(span(2026, 11, 26, 9, minutes=90))}
    assert changes(new) == AppointmentChange(duration=90)


def test_an_appointment_that_became_days_says_so() -> None:
    new = BASE | {"time": stored(days(date(2026, 11, 26)))}
    assert changes(new) == AppointmentChange(
        start=utc(2026, 11, 26, 3), duration=24 * 60, all_day=True
    )


def test_an_appointment_that_was_deleted_is_cancelled() -> None:
    assert changes(None) == AppointmentChange(cancelled=True)


def test_that_a_cancelled_one_is_gone_is_no_news() -> None:
    assert changes(None, replace(CUT, status="cancelled")) is None


def test_texts_that_were_rewritten_are_told() -> None:
    assert changes(BASE | {"summary": "Corte!"}) == AppointmentChange(texts={"summary": "Corte!"})


@pytest.mark.parametrize(
    "new",
    [
        {"reminders": {"use_default": True, "overrides": []}},
        {"attendees": [{"email": "x@y.test", "optional": False}]},
        {"transparency": "transparent"},
        {},
    ],
)
def test_what_means_nothing_to_the_crm_is_not_told(new: dict[str, Any]) -> None:
    assert changes(BASE | new) is None


def test_a_time_is_news_also_if_the_crm_has_it_as_when_somebody_drags_it_back() -> None:
    later = replace(CUT, start=CUT.start + timedelta(hours=6))
    found = changes(BASE | {"time": stored(span(2026, 11, 26, 15))}, later)
    assert found is not None
    assert (found.start, found.duration) == (later.start, None)
