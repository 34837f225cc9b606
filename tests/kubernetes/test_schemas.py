"""Every object is one that Kubernetes, or the operator it is for, takes."""

import json
from pathlib import Path

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped] # has none
import pytest
from jsonschema import Draft202012Validator

from tests.kubernetes.manifests import NEWEST, OLDEST, TREES, Manifest, named, of, render

SCHEMAS = {
    schema["title"]: schema
    for schema in (
        json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").iterdir()
    )
}


def complaint(manifest: Manifest, version: str) -> str | None:
    """Return what is wrong; a kind that neither Kubernetes nor we have a schema of is wrong."""
    try:
        if manifest["kind"] in SCHEMAS:
            Draft202012Validator(SCHEMAS[manifest["kind"]]).validate(manifest)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return f"{named(manifest)}: there is no schema of its kind"
    except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as exc:
        return f"{named(manifest)}: {exc.message}"
    return None


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("tree", TREES)
def test_every_object_is_what_its_schema_says(tree: str, version: str) -> None:
    complaints = [complaint(manifest, version) for manifest in render(tree)]

    assert [one for one in complaints if one] == []


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_a_schema_of_ours_refuses_what_it_does_not_name(kind: str) -> None:
    (good, *_) = of("overlays/production", kind)

    assert complaint(good, NEWEST) is None
    assert complaint({**good, "spec": {**good["spec"], "unheardOf": 1}}, NEWEST)
    assert complaint({**good, "apiVersion": "elsewhere/v1"}, NEWEST)


def test_a_field_that_kubernetes_does_not_know_is_refused() -> None:
    (good, *_) = of("base", "Deployment")

    assert complaint({**good, "spec": {**good["spec"], "unheardOf": 1}}, NEWEST)


def test_a_kind_without_a_schema_is_refused() -> None:
    unknown = {"apiVersion": "example.com/v1", "kind": "Wish", "metadata": {"name": "one"}}

    assert complaint(unknown, NEWEST) == "Wish/one: there is no schema of its kind"
