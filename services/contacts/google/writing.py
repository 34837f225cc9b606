"""What is changed in an address book; one request at a time for each account."""

from services.contacts.google.base import PeopleApi


class WritingBox(PeopleApi):
    """Creates, updates and deletes people and labels."""
