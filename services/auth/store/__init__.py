"""Every SQL statement of the auth service. The caller owns the transaction.

Locks are taken in one order: the account's row, then its connections' rows by id.
"""
