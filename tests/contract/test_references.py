import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from cli import reference
from cli.settings import PROJECT


@pytest.mark.parametrize("path", sorted(reference.render()))
def test_a_generated_reference_is_what_the_code_says(path: str) -> None:
    committed = PROJECT / path

    assert committed.exists(), "run `make docs`"
    assert committed.read_text() == reference.render()[path], "run `make docs`"


@pytest.mark.parametrize("service", sorted(reference.ROUTES))
def test_the_openapi_document_is_valid(service: str) -> None:
    document = json.loads(reference.render()[f"docs/reference/openapi/{service}.json"])

    validate(document, cls=OpenAPIV31SpecValidator)


def test_an_import_in_another_form_is_documented_as_refused() -> None:
    document = json.loads(reference.render()["docs/reference/openapi/mail.json"])

    answers = document["paths"]["/v1/mail/entities:import"]["post"]["responses"]
    assert {"413", "415"} <= set(answers)


def test_no_reference_is_left_of_something_that_no_longer_exists() -> None:
    folders = ("docs/reference/openapi", "docs/reference/events")
    present = {
        str(file.relative_to(PROJECT))
        for folder in folders
        for file in (PROJECT / folder).iterdir()
    }

    assert present <= set(reference.render())
