"""Named sabotages of the product, each of which must turn the tests red.

`python -m tests.mutants` breaks a copy of the tree on purpose, one mutant at a time, and runs the
tests that are said to notice. A mutant that survives shows a hole in the tests.
"""
