"""Floor B, the tutorials' way: `.execute()` a message, SELECT, INSERT, commit, one by one."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from sqlmodel import Field, Session, SQLModel, create_engine, select

from bench.backfill.reading import read, used_s


class Letter(SQLModel, table=True):
    """A message."""

    id: int | None = Field(default=None, primary_key=True)
    google_id: str = Field(index=True, unique=True)
    thread_id: str
    internal_date: datetime
    sender: str
    recipients: str
    subject: str
    snippet: str
    body_text: str
    body_html: str | None
    new_text: str
    labels: str
    size: int
    search: str


def run(database: str, origin: str, connection_id: UUID) -> float:
    """Take in a mailbox; return the CPU seconds it took."""
    engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:", 1))
    SQLModel.metadata.drop_all(engine)
    SQLModel.metadata.create_all(engine)
    service = build(
        "gmail",
        "v1",
        credentials=Credentials(token=str(connection_id)),  # type: ignore[no-untyped-call]  # untyped
        client_options={"api_endpoint": origin},
        static_discovery=True,
    )
    before = used_s()
    with Session(engine) as session:
        _take_in(service.users().messages(), session)
    used = used_s() - before
    engine.dispose()
    return used


def _take_in(messages: Any, session: Session) -> None:
    request = messages.list(userId="me", q="after:1", maxResults=500)
    while request is not None:
        page = request.execute()
        for one in page.get("messages", ()):
            answer = messages.get(userId="me", id=one["id"], format="raw").execute()
            if session.exec(select(Letter).where(Letter.google_id == one["id"])).first() is None:
                session.add(_letter(answer))
                session.commit()
        request = messages.list_next(request, page)


def _letter(answer: dict[str, Any]) -> Letter:
    found = read(base64.urlsafe_b64decode(answer["raw"] + "=="))
    content = found.content
    return Letter(
        google_id=answer["id"],
        thread_id=answer["threadId"],
        internal_date=datetime.fromtimestamp(int(answer["internalDate"]) / 1000, UTC),
        sender=content.sender.address if content.sender else "",
        recipients=" ".join(person.address for person in content.people()),
        subject=content.subject,
        snippet=answer["snippet"],
        body_text=content.text,
        body_html=content.html,
        new_text=content.new_text,
        labels=" ".join(answer["labelIds"]),
        size=answer["sizeEstimate"],
        search=found.search,
    )
