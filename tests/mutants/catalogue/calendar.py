"""Calendars: notices, channels, meetings, and what goes out to them."""

from tests.mutants.mutant import mutant

CHANNEL = "services/calendar/domain/channel.py"
CHANGES = "services/calendar/domain/changes.py"
ANSWERS = "services/calendar/google/answers.py"
BODIES = "services/calendar/google/bodies.py"
API = "services/calendar/google/api.py"
LEAVING = "services/calendar/sync/outward/leaving.py"
MAKING = "services/calendar/sync/outward/making.py"
INTAKE = "services/calendar/sync/inward/intake.py"
ECHOES = "services/calendar/sync/inward/echoes.py"
BACK = "services/calendar/sync/inward/appointments_back.py"
APPOINTMENTS = "services/calendar/sync/outward/appointments.py"
OUTGOING = "services/calendar/sync/outward/outgoing.py"
MEETING = "services/calendar/domain/meeting.py"

OUT = "tests/integration/calendar/test_going_out.py"
KEPT = "tests/integration/calendar/test_appointments.py"
IN = "tests/integration/calendar/test_taking_in.py"
TOKENS = "tests/unit/calendar/test_channel.py"
OVERTAKING = "tests/integration/calendar/test_overtaking.py"
UNKNOWN_EDITED = "test_an_edit_of_an_event_that_is_not_known_to_be_there_is_told_once"

MUTANTS = (
    mutant(
        "invitations-without-a-word",
        "Guests are invited although nobody said so.",
        f"{OUT}::test_nobody_is_invited_when_nobody_should_be",
        edit=(BODIES, 'Notify.NONE: "none"', 'Notify.NONE: "all"'),
    ),
    mutant(
        "guests-need-no-word",
        "An event with guests is taken without a word on invitations.",
        f"{OUT}::test_an_event_with_guests_needs_a_word_on_invitations",
        edit=(
            OUTGOING,
            'if fields.get("attendees") and notify is None:',
            'if fields.get("attendees") is None and notify is None and fields == {}:',
        ),
    ),
    mutant(
        "edit-without-etag",
        "A change is written over whatever a person has made of the event.",
        f"{OUT}::test_the_same_field_changed_by_both_waits_for_a_person",
        edit=(API, '"If-Match": etag', '"If-Match": "*"'),
    ),
    mutant(
        "conflict-decides-itself",
        "What both sides changed becomes the CRM's, though a person should choose.",
        f"{OUT}::test_the_same_field_changed_by_both_waits_for_a_person",
        edit=(
            MAKING,
            "policy = MergePolicy.CRM if wish.forced else wish.policy",
            "policy = MergePolicy.CRM",
        ),
    ),
    mutant(
        "our-write-told-as-an-edit",
        "What the CRM wrote comes back as if a person had.",
        f"{OUT}::test_our_own_event_is_told_once_as_the_crms",
        edit=(INTAKE, "why = Origin.CRM if ours else origin", "why = origin"),
    ),
    mutant(
        "our-change-told-back",
        "The CRM is told what it has just changed itself.",
        f"{KEPT}::test_what_the_crm_changes_is_not_told_back",
        edit=(
            BACK,
            "if found.google_id not in echoed.ours\n",
            "if found.google_id\n",
        ),
    ),
    mutant(
        "older-appointment-applied",
        "An older version of an appointment replaces a newer one.",
        f"{KEPT}::test_an_older_version_is_refused",
        edit=(
            APPOINTMENTS,
            "before.appointment.version >= wanted.version",
            "before.appointment.version == wanted.version",
        ),
    ),
    mutant(
        "cancelled-event-revived",
        "An appointment that comes back is made under the id of its cancelled event.",
        f"{KEPT}::test_a_cancelled_appointment_goes_and_comes_back_as_another_event",
        edit=(
            (APPOINTMENTS, "generation=stored.generation + 1,", "generation=stored.generation,"),
            (MAKING, "            generation += 1\n", ""),
            (
                MAKING,
                "while generation < wish.generation + MOST_GENERATIONS:",
                "for _ in range(2):",
            ),
        ),
    ),
    mutant(
        "reconnected-and-doubled",
        "Who connects again gets every appointment a second time.",
        f"{KEPT}::test_a_reconnected_calendar_has_no_second_event",
        edit=(
            "services/calendar/store/appointments.py",
            "wished = NULL, reason = $3\n",
            "wished = NULL, reason = $3,\n       generation = generation + 1\n",
        ),
    ),
    mutant(
        "any-token-opens-the-door",
        "A notice is taken whatever its token says.",
        f"{TOKENS}::test_a_token_opens_no_other_channel",
        edit=(CHANNEL, "    return any(rights)\n", "    return any(rights) or bool(token)\n"),
    ),
    mutant(
        "private-events-in-full",
        "What is private is stored and shown.",
        "tests/unit/calendar/test_google_answers.py::"
        "test_of_a_private_event_only_the_time_is_kept[private]",
        edit=(
            ANSWERS,
            "busy_only = not details or answer.visibility in HIDDEN",
            "busy_only = not details",
        ),
    ),
    mutant(
        "occurrence-cancels-its-series",
        "One cancelled occurrence takes the whole series away.",
        f"{OUT}::test_an_occurrence_is_cancelled_alone",
        edit=(
            CHANGES,
            "over = found.status is Status.CANCELLED and found.master_id is None",
            "over = found.status is Status.CANCELLED",
        ),
    ),
    mutant(
        "a-meeting-for-every-copy",
        "Every calendar's copy of a meeting is a meeting of its own.",
        "tests/unit/calendar/test_meeting.py::test_colleagues_have_the_same_meeting",
        edit=(
            MEETING,
            "series_id(tenant_id, event.ical_uid or event.google_id)",
            "series_id(tenant_id, event.etag or event.google_id)",
        ),
    ),
    mutant(
        "colleagues-appointments-open",
        "A user keeps appointments in a colleague's name.",
        f"{KEPT}::test_a_user_keeps_no_appointments_of_colleagues",
        edit=(
            "services/calendar/web/appointments.py",
            "if seen_by(who) not in (None, user_id):",
            'if seen_by(who) == user_id == "":',
        ),
    ),
    mutant(
        "insert-repeated-blindly",
        "An event whose answer was lost is made again, under another id.",
        f"{OVERTAKING}::{UNKNOWN_EDITED}[drag-settling]",
        edit=(
            MAKING,
            (
                "if found is not None and _is_it(job, found):\n"
                "                return await self._met"
            ),
            (
                "if found is not None and found.status is None:\n"
                "                return await self._met"
            ),
        ),
    ),
    mutant(
        "deleted-event-made-again",
        "An event that was deleted while its answer was lost comes back under another id.",
        f"{OVERTAKING}::{UNKNOWN_EDITED}[delete-settling]",
        edit=(MAKING, "Status.CANCELLED or _bears(job, found)", "Status.CANCELLED"),
    ),
    mutant(
        "edit-before-the-answer-untold",
        "What a person does to an event that is not known to be there is not told.",
        f"{OVERTAKING}::{UNKNOWN_EDITED}[drag-notice]",
        edit=(
            BACK,
            "and (known is not None or found.google_id in echoed.wished)",
            "and known is not None",
        ),
    ),
    mutant(
        "deleted-and-brought-back",
        "The answer to a change brings back what a person has deleted since.",
        "tests/faults/test_calendar_in_trouble.py::"
        "test_what_is_deleted_while_it_is_changed_stays_away",
        edit=(INTAKE, "return held.deleted_at is not None and", "return held is None and"),
    ),
    mutant(
        "reminded-twice",
        "Every process tells of a reminder that is due.",
        "tests/integration/calendar/test_reminders.py::"
        "test_reminders_are_told_when_they_are_due_and_once",
        edit=(
            "services/calendar/store/reminders.py",
            "UPDATE reminders r SET told_at = $1\n",
            "UPDATE reminders r SET minutes = minutes\n",
        ),
    ),
    mutant(
        "old-notice-taken",
        "A notice that comes late and out of order has a calendar read again.",
        "tests/integration/calendar/test_webhook.py::"
        "test_a_notice_with_an_old_number_is_answered_and_calls_nothing",
        edit=(CHANNEL, "if notice.number <= channel.last_number:", "if notice.number < 0:"),
    ),
    mutant(
        "left-before-it-was-tidied",
        "A connection ends while our own events still stand in its calendar.",
        "tests/integration/calendar/test_leaving.py::"
        "test_a_removal_that_google_is_slow_with_is_waited_for",
        edit=(
            LEAVING,
            "return None if mirrored or under_way else leave",
            "return None if mirrored else leave",
        ),
    ),
    mutant(
        "mirrored-while-leaving",
        "New appointments go into a calendar that somebody leaves.",
        "tests/integration/calendar/test_leaving.py::"
        "test_nothing_is_written_into_a_calendar_that_somebody_leaves",
        edit=(
            "services/calendar/sync/outward/targets.py",
            "if found.leave is not None:",
            "if found.leave is found:",
        ),
    ),
    mutant(
        "stayed-and-made-again",
        "What could not be removed in time is made a second time for who connects again.",
        "tests/integration/calendar/test_leaving.py::"
        "test_what_could_not_be_removed_is_not_made_twice",
        edit=(
            "services/calendar/sync/outward/appointments.py",
            "replace(after, connection_id=connection.id, generation=one.generation)",
            "after",
        ),
    ),
    mutant(
        "our-deletion-told-as-theirs",
        "What we delete for a connection that is over is told the CRM as a person's edit.",
        "tests/integration/calendar/test_leaving.py::"
        "test_a_deletion_that_google_is_slow_with_is_no_persons_edit",
        edit=(
            BACK,
            "if change.cancelled and await was_being_deleted(",
            "if change is None and await was_being_deleted(",
        ),
    ),
    mutant(
        "one-that-cannot-leave-holds-others-up",
        "A connection that auth does not end keeps all others from ending.",
        "tests/integration/calendar/test_leaving.py::"
        "test_a_connection_auth_knows_nothing_of_holds_nobody_up",
        edit=(LEAVING, "except AWAY as exc:  # of one; the others go on", "except OSError as exc:"),
    ),
)
