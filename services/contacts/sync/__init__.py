"""Use cases: gather, decide (domain), act; a transaction of its own for each."""
