"""AMQP handlers: what the CRM tells; what auth tells is `Following`'s."""

QUEUE = "contacts.connections"
CONTACTS_QUEUE = "contacts.contacts"
