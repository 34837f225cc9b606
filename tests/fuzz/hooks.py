"""What Schemathesis loads beside its settings."""

from typing import Any
from urllib.parse import urlencode

import schemathesis

LONGEST_QUERY = 7000
"""The HTTP library refuses a longer request line by itself, in its own words: plain text."""


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Leave out what never reaches the service."""
    return len(urlencode(case.query or {}, doseq=True)) < LONGEST_QUERY
