"""What address books say, taken in: read, compared, matched, let go."""
