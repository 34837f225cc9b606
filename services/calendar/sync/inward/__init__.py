"""What calendars say, taken in: notified, read, compared, told."""
