"""The services of Causeway: each owns one database, speaks to Google and publishes events."""
