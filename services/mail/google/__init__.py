"""Gmail: the only room that speaks to Google."""

from services.mail.google.answers import Envelope
from services.mail.google.api import Gmail, GmailBox
from services.mail.google.writing import WritingBox

__all__ = ["Envelope", "Gmail", "GmailBox", "WritingBox"]
