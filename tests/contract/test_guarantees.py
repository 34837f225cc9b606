"""What the guarantees say is held by a test is held by a test that exists."""

import ast
import re

import pytest

from cli.settings import PROJECT

PAGE = PROJECT / "docs/explanation/guarantees.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize(
    ("path", "name"), sorted(set(NAMED.findall(PAGE.read_text(encoding="utf-8"))))
)
def test_a_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert name in defined


def test_tests_are_named() -> None:
    assert len(NAMED.findall(PAGE.read_text(encoding="utf-8"))) > 30
