"""Connections as services see them: opened, stopped and ended as auth tells, and as it lists.

A service keeps a row of its own for every connection that has its product. `Following` keeps
these rows, and the feeds that go with them, as auth says they should be:

    auth.connection.* -> told_by -> Following.take      auth's list -> Following.reconcile
"""

from libs.common.connections.following import Following
from libs.common.connections.model import (
    RUNNING,
    Access,
    Connected,
    Purge,
    State,
    Told,
)
from libs.common.connections.rows import ConnectionRows

__all__ = [
    "RUNNING",
    "Access",
    "Connected",
    "ConnectionRows",
    "Following",
    "Purge",
    "State",
    "Told",
]
