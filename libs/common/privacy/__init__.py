"""One person's data in one service: shown to them, or erased. Every service joins in alike.

A *person* is a user of the tenant, or somebody who corresponds with it, by their addresses. A
service declares a `Desk`: what it shows of a person (`Extract`), the parts in which it erases them
(`Part`), and what becomes of each of its tables (`Coverage`). The kernel adds the endpoints
(`web.routes`), the row that remembers how far a request is, and the loop that works on it.

    POST .../privacy/exports  -> every extract, page by page, as it is read
    POST .../privacy/erasures -> a row of privacy_requests -> Worker: part by part, step by step
"""

from libs.common.privacy.model import (
    Coverage,
    Desk,
    Extract,
    Kind,
    Page,
    Part,
    Person,
    Record,
    Request,
    State,
    Step,
)

__all__ = [
    "Coverage",
    "Desk",
    "Extract",
    "Kind",
    "Page",
    "Part",
    "Person",
    "Record",
    "Request",
    "State",
    "Step",
]
