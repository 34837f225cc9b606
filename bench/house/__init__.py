"""What the benches of the products share: letters, a stub of Google, processes and their costs."""
