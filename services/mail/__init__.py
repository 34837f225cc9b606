"""Gmail: what arrives in, leaves and changes in connected mailboxes, kept and told.

Database: connections, watches, messages, with the kernel's feeds, outbox and inbox.
Events out: `mail.message.received|sent|updated|deleted.v1`.
Events in: `auth.connection.authorized|changed|reauthorization_required|disconnected.v1`.
Google: Gmail API v1 (profile, watch, stop, history, messages); Pub/Sub push.
"""
