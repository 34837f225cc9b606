"""Every SQL statement of the contacts service, by what it is about."""
