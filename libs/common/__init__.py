"""The kernel every service stands on; no product's business rule, ever."""
