"""The only room that speaks to Google: requests out, People's answers in."""

from services.contacts.google.api import GooglePeople, PeopleBox

__all__ = ["GooglePeople", "PeopleBox"]
