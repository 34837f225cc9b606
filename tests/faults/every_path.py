"""All the ways through the product that are broken off at every message."""

from tests.faults import calendar_paths, contacts_paths, outgoing_paths, paths

PATHS = paths.PATHS + outgoing_paths.PATHS + calendar_paths.PATHS + contacts_paths.PATHS
