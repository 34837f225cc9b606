"""Gmail: what arrives in, leaves and changes in connected mailboxes, kept, linked and told.

Database: connections with their settings, watches, messages, links and labels, with the kernel's
feeds, outbox, inbox, directory, quota ledger and idempotency keys.
Events out: `mail.message.received|sent|updated|deleted|redacted.v1`, `mail.activity.logged.v1`,
`mail.contact.suggested.v1`, `mail.feed.degraded|recovered|resynced.v1`.
Events in: `auth.connection.authorized|changed|reauthorization_required|disconnected.v1`,
`crm.entity.upserted|deleted.v1`.
Google: Gmail API v1 (profile, watch, stop, history, messages, labels); Pub/Sub push.
"""
