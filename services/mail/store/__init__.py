"""Every SQL statement of the mail service, by subject. The caller owns the transaction."""
