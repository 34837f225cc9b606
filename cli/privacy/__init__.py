"""`causeway privacy`: one person's data over all services, exported or erased."""
