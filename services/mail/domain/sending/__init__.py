"""What goes out: messages as the CRM wants them, and as RFC 5322 has them."""
