"""Every SQL statement of the calendar service, by what it is about."""
