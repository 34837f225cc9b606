"""What the benches of the calendar share: events, a stub of Google, the arms that take them in."""
