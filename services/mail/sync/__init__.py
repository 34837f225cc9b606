"""Use cases of the mail service: gather, decide (domain), act."""
