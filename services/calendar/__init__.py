"""Google Calendar: meetings and appointments of connected people, in step with the CRM.

Database: connections with their settings, calendars, watch channels, events, meetings,
appointments, conflicts and reminders, with the kernel's feeds, outbox, inbox, directory, quota
and write ledgers and idempotency keys.
Events out: `calendar.event.created|updated|cancelled.v1`, `calendar.appointment.changed.v1`,
`calendar.activity.logged.v1`, `calendar.conflict.detected|resolved.v1`,
`calendar.reminder.due.v1`, `calendar.feed.degraded|recovered|resynced.v1`.
Events in: `auth.connection.authorized|changed|reauthorization_required|disconnected.v1`,
`crm.entity.upserted|deleted.v1`, `crm.appointment.scheduled|changed|cancelled.v1`.
Google: Calendar API v3 (calendar list, events, watch, stop, free/busy).
"""
