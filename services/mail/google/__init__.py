"""Gmail: the only room that speaks to Google."""

from services.mail.google.answers import Envelope
from services.mail.google.api import Gmail, GmailBox

__all__ = ["Envelope", "Gmail", "GmailBox"]
