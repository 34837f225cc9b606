"""The catalogue of mutants fits the product and its tests as they are."""

import ast
from collections import Counter
from functools import cache
from itertools import chain

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Edit, Mutant, Stale, sample
from tests.mutants.tree import ROOT


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_edit_finds_its_place_once_and_leaves_a_module(mutant: Mutant) -> None:
    texts = {edit.file: (ROOT / edit.file).read_text() for edit in mutant.edits}
    for edit in mutant.edits:
        texts[edit.file] = edit.applied(texts[edit.file])

    for file, text in texts.items():
        if file.endswith(".py"):
            compile(text, file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_killer_is_a_test_that_is_there(mutant: Mutant) -> None:
    assert mutant.killers
    for killer in mutant.killers:
        file, _, name = killer.partition("::")
        assert name.partition("[")[0] in names_in(file)


def test_every_mutant_breaks_the_product_under_a_name_of_its_own() -> None:
    assert max(Counter(one.name for one in MUTANTS).values()) == 1
    edits = chain.from_iterable(one.edits for one in MUTANTS)
    assert {edit.file.partition("/")[0] for edit in edits} == {"libs", "services"}


def test_an_edit_that_fits_twice_or_nowhere_is_stale() -> None:
    edit = Edit("a.py", "one", "two")

    assert edit.applied("one and three") == "two and three"
    for text in ("one and one", "three"):
        with pytest.raises(Stale):
            edit.applied(text)


def test_samples_of_consecutive_days_go_through_all_mutants() -> None:
    days = range(len(MUTANTS) // 3 + 1)

    seen = {one.name for day in days for one in sample(MUTANTS, 3, str(day))}

    assert seen == {one.name for one in MUTANTS}
    assert sample(MUTANTS, 3, "8482efb") == sample(MUTANTS, 3, "8482efb")
