"""How a mutant is tried: what counts as noticed, and what proves nothing."""

import sys
from pathlib import Path

import pytest

from tests.mutants.mutant import mutant
from tests.mutants.tree import ENVIRONMENT, Tree
from tests.mutants.trial import Court, Verdict
from tests.servers import Addresses

NO_SERVERS = Addresses(
    postgres_port=0,
    postgres_password="",
    rabbit_port=0,
    rabbit_management_port=0,
    rabbit_password="",
)
PRODUCT = "ANSWER = 42\nUNGUARDED = 1\n"
TESTS = "from product import ANSWER\n\n\ndef test_the_answer():\n    assert ANSWER == 42\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A product of one line that is tested, and one that is not."""
    (tmp_path / "product.py").write_text(PRODUCT)
    (tmp_path / "test_product.py").write_text(TESTS)
    (tmp_path / ENVIRONMENT).symlink_to(sys.prefix)
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("42", "43", Verdict.KILLED),
        ("UNGUARDED = 1", "UNGUARDED = 2", Verdict.SURVIVED),
        ("42", "42 +", Verdict.BROKEN),
        ("42", "nobody", Verdict.BROKEN),
        ("ANSWER = 42", "", Verdict.BROKEN),
        ("no such text", "", Verdict.STALE),
    ],
)
def test_only_a_test_that_failed_has_noticed(
    tree: Tree, old: str, new: str, verdict: Verdict
) -> None:
    one = mutant("one", "", "test_product.py::test_the_answer", edit=("product.py", old, new))

    trial = Court(NO_SERVERS, timeout_s=60).tried(tree, one)

    assert trial.verdict is verdict
    assert trial.killer == one.killers[0] * (verdict is Verdict.KILLED)
    assert (tree.root / "product.py").read_text() == PRODUCT


def test_a_mutant_that_hangs_proves_nothing(tree: Tree) -> None:
    hangs = "__import__('time').sleep(3600)"
    one = mutant("one", "", "test_product.py::test_the_answer", edit=("product.py", "42", hangs))

    assert Court(NO_SERVERS, timeout_s=1).tried(tree, one).verdict is Verdict.TIMED_OUT


def test_red_tests_are_told_before_any_mutant_is_tried(tree: Tree) -> None:
    one = mutant("one", "", "test_product.py::test_the_answer", edit=("product.py", "42", "43"))
    court = Court(NO_SERVERS, timeout_s=60)
    assert court.complaint_of(tree, [one], jobs=1) is None

    (tree.root / "product.py").write_text(PRODUCT.replace("42", "41"))

    assert "test_the_answer" in (court.complaint_of(tree, [one], jobs=1) or "")
