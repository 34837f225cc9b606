"""One person's data: shown, and erased."""
