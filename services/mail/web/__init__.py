"""HTTP: decode, one transaction or one use case, respond."""
