"""HTTP handlers: decode, one transaction, respond."""
