"""What the image keeps of its packages is what the product reads of them."""

import re
from pathlib import Path

import pytest

from emulator.app import create_app
from emulator.config import EmulatorConfig
from emulator.rest import documents

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"


def test_the_image_keeps_every_discovery_document_that_the_emulator_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = set(re.findall(r"! -name (\S+)\.json", DOCKERFILE.read_text()))
    asked: set[str] = set()
    load = documents.load

    def noted(api: str, version: str) -> documents.Json:
        asked.add(f"{api}.{version}")
        return load(api, version)

    monkeypatch.setattr(documents, "load", noted)
    create_app(EmulatorConfig())

    assert {"gmail.v1", "people.v1"} <= asked
    assert asked <= kept
