"""What mail says to the CRM: whose it is, and what is told of it."""
