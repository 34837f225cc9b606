"""Erasing a person: all of them, nobody else, and for good."""

from tests.mutants.mutant import mutant

ERASED = "tests/integration/privacy/test_erasing.py"
REQUESTS = "tests/integration/common/test_privacy.py"
RULES = "tests/unit/mail/test_erasing.py"
MEETINGS = "tests/integration/privacy/test_calendar.py"

MUTANTS = (
    mutant(
        "erased-but-for-the-hash",
        "The keyed hashes of an erased message's people stay, so that entities find it again.",
        f"{ERASED}::test_nothing_is_left_of_a_correspondent_who_was_erased",
        edit=(
            "services/mail/store/privacy_messages.py",
            "    await conn.execute(DROP_ALL_HASHES, tenant_id, message_id)\n",
            "",
        ),
    ),
    mutant(
        "quotes-of-the-erased-kept",
        "A message of others keeps what it quotes, which the erased person wrote.",
        f"{RULES}::test_a_message_that_stays_names_the_person_nowhere",
        edit=(
            "services/mail/domain/erasing.py",
            "            text=text(content.new_text),\n",
            "            text=text(content.text),\n",
        ),
    ),
    mutant(
        "erased-mailbox-revived",
        "An event that comes late gives an erased mailbox its user and address back.",
        f"{ERASED}::test_a_late_event_brings_no_erased_mailbox_back",
        edit=(
            "libs/common/connections/rows.py",
            " AND c.erased_at IS NULL",
            "",
        ),
    ),
    mutant(
        "mirrors-of-the-erased-kept",
        "The event that mirrors an erased client's appointment keeps their name, if no address.",
        f"{MEETINGS}::test_nothing_is_left_of_a_client_who_was_erased",
        edit=(
            "services/calendar/store/privacy.py",
            "lower(a.body -> 'client' ->> 'email') = ANY($6::text[])) AS concerned",
            "$6::text[] IS NULL) AS concerned",
        ),
    ),
    mutant(
        "erased-guests-not-told",
        "A meeting that lost a guest to an erasure is not told again.",
        f"{MEETINGS}::test_consumers_are_told_of_meetings_and_activities_again",
        edit=(
            "services/calendar/sync/erasure/erasing.py",
            "                meetings.touch(stored.series_id, stored.occurrence, Origin.REPAIR)\n",
            "",
        ),
    ),
    mutant(
        "another-tenants-events-scrubbed",
        "An erasure changes the events of all tenants that name the person.",
        f"{REQUESTS}::test_events_on_their_way_name_the_person_no_more[True]",
        edit=(
            "libs/common/privacy/outgoing_events.py",
            'if (event := _event(row["body"])) and event.get("tenantid") == person.tenant_id',
            'if (event := _event(row["body"]))',
        ),
    ),
    mutant(
        "a-dry-run-erases",
        "Counting what would be erased erases it.",
        f"{REQUESTS}::test_a_dry_run_leaves_events_as_they_are",
        edit=(
            "libs/common/privacy/outgoing_events.py",
            "for row_id, rest in changed.items() if request.erases else ():",
            "for row_id, rest in changed.items():",
        ),
    ),
)
