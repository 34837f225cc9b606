"""What the CRM wants of a mailbox, carried to Google: mail, drafts, labels."""
