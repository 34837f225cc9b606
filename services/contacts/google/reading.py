"""What is read of an address book."""

from services.contacts.google.base import PeopleApi


class ReadingBox(PeopleApi):
    """Reads people and labels."""
