"""What a mailbox says, taken in: notified, read, compared, kept as its settings want."""
