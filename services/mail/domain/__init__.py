"""The mail service's rules: frozen values and pure decisions, no I/O, no clock."""
