"""What the CRM wants of calendars, carried to Google."""
