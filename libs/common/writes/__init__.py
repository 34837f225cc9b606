"""The write ledger: every change that goes out to Google, from the wish to the answer.

A change is queued in the transaction of its wish. Whoever holds the lease of the connection's
writing feed claims it (`sending`, with epoch and deadline), asks Google, and commits the answer.
A row whose request may or may not have been heard stays `sending`: whoever comes after its
deadline takes it over, finds out what became of it, and only then goes on.
"""

from libs.common.writes.merge import Merged, MergePolicy, merge
from libs.common.writes.model import NewWrite, TooManyWrites, Write, WriteLost, WriteState

__all__ = [
    "MergePolicy",
    "Merged",
    "NewWrite",
    "TooManyWrites",
    "Write",
    "WriteLost",
    "WriteState",
    "merge",
]
