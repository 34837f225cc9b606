"""What address books cost: the first reading, a change, and pushing many."""
