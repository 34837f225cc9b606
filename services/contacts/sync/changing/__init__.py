"""Changes to contacts and groups, whoever makes them, a turn at a time."""
