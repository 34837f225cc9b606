"""What contacts are and what is decided about them: no input, no output, no clock."""
