"""What differs, carried to Google: queued, planned, written, found again."""
