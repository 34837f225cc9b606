"""What needs a person, over HTTP and alike in every service: holds, dead items, and jobs."""

from libs.common.operations.handlers import OPERATIONS, Operations, routes

__all__ = ["OPERATIONS", "Operations", "routes"]
