"""What a connection is and what is decided about it: values in, values out, no I/O."""
