"""What a calendar is made of: values and pure decisions, without I/O and without a clock."""
