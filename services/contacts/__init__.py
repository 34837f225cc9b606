"""Google Contacts: address books of connected people, in step with the CRM's contacts.

Database: connections with their settings, contacts, their links to people at Google, groups and
memberships, nicknames, conflicts and the sync log, with the kernel's feeds, outbox, inbox, quota
and write ledgers and idempotency keys.
Events out: `contacts.contact.created|updated|deleted|merged.v1`,
`contacts.group.created|renamed|deleted|membership_changed.v1`,
`contacts.conflict.detected|resolved.v1`, `contacts.feed.degraded|recovered|resynced.v1`.
Events in: `auth.connection.authorized|changed|reauthorization_required|disconnected.v1`,
`crm.contact.upserted|deleted.v1`.
Google: People API v1 (connections, contact groups, single and batch mutations).
"""
